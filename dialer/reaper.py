"""What nobody reports, asked for: doubts resolved, silent calls looked up, outcomes settled.

Every open attempt carries the instant at which its silence becomes suspicious. The reaper asks
the carrier about those whose instant has come, and never places anything:

* ``intent`` overdue: our own answer was lost on the way to the store; it becomes ``unknown``.
* ``unknown``: listed by both numbers once the accept bound has passed, and again after the list
  bound; one stranger is adopted, none twice means no call came about, two raise the alarm.
* ``placed``: fetched; its news goes through the same inbox as a callback. One that goes on beyond
  the time limit the carrier was given is hung up.

And it ends what must not ring any more: a carrier that queues calls may still hold some when the
campaign's window closes. Where an operator wants calls hung up, it does that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from dialer.batching import Batcher
from dialer.calls import Calls, CallTimes
from dialer.errors import DialerError
from dialer.lazy_log import Log
from dialer.leases import Lease
from dialer.meters import NO_METERS, Meters, SilentCallFate
from dialer.model import AttemptId, CallEvent, CallSid, CarrierStatus, EventSource
from dialer.plans import CampaignPlan, Plans
from dialer.ports import Carrier, CarrierCall, Clock, Database, Row, Tx
from dialer.states import AttemptState, CampaignStatus
from dialer.telling import Telling

log = Log()

MS: Final = 1000
#: Attempts asked about in one sweep, and at the same time.
SWEEP_SIZE: Final = 200
AT_ONCE: Final = 10
#: Our clock and the carrier's may differ by this much.
SKEW_S: Final = 60
#: A call that goes on is asked about again after this, doubling up to the bound.
ASK_AGAIN_S: Final = 60
ASK_AGAIN_MAX_S: Final = 900
#: A call the carrier does not know of after so many questions is over.
VANISHED_AFTER: Final = 8
#: The carrier ends a call at its time limit, give or take this.
LIMIT_GRACE_S: Final = 300


class Reaper:
    """Sweeps every *sweep_s* seconds. :meth:`run` must be running."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        batcher: Batcher,
        calls: Calls,
        carrier: Carrier,
        plans: Plans,
        lease: Lease,
        times: CallTimes,
        *,
        sweep_s: float,
        meters: Meters = NO_METERS,
    ) -> None:
        self._clock = clock
        self._database = database
        self._batcher = batcher
        self._calls = calls
        self._carrier = carrier
        self._plans = plans
        self._lease = lease
        self._times = times
        self._sweep_s = sweep_s
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._called_off: set[AttemptId] = set()
        self._hung_up: set[AttemptId] = set()
        self._meters = meters
        self._told = Telling()
        self._told_of_calls = Telling()

    async def run(self) -> None:
        """Sweep for ever. A carrier that is slow to answer holds no settlement up."""
        async with asyncio.TaskGroup() as sweeps:
            sweeps.create_task(self._again_and_again("settle", self.settle))
            sweeps.create_task(self._again_and_again("ask", self.ask))
            sweeps.create_task(self._again_and_again("call_off", self.call_off))

    async def _again_and_again(self, sweep: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                self._told.over(sweep)
            except* DialerError as errors:
                self._failed(sweep, errors)
            await asyncio.sleep(self._sweep_s)

    def _failed(self, sweep: str, errors: BaseExceptionGroup[DialerError]) -> None:
        said = [str(error) for error in errors.exceptions]
        if self._told.is_news(sweep, said[0]):
            log.error("sweep.failed", sweep=sweep, errors=said)

    async def sweep(self) -> None:
        """Settle what is final, ask about what is silent, end what is too late."""
        await self.settle()
        await self.ask()
        await self.call_off()

    async def settle(self) -> None:
        """Decide about members whose completion timeout has passed."""
        async with self._database.read() as tx:
            settle_at = await tx.value("next_outcome_due")
        if settle_at is not None and settle_at <= self._clock.now():
            await self._calls.settle()

    async def ask(self) -> None:
        """Ask the carrier about attempts whose silence has become suspicious.

        Not while the store refuses: no answer could be kept, and each would be asked for again.
        """
        if self._lease.trouble is not None:
            return
        async with self._database.read() as tx:
            silent = await tx.rows(
                "attempts_to_check",
                now=self._clock.now(),
                owner=self._lease.daemon_id,
                limit=SWEEP_SIZE,
            )
        async with asyncio.TaskGroup() as questions:
            for row in silent:
                questions.create_task(self._ask(row))

    async def call_off(self) -> None:
        """End calls nobody has answered by the time their window closes, their callee is put on
        the do-not-call list or their campaign is cancelled; and, where an operator has asked for
        it, those that were answered as well.

        But for that the carrier leaves conversations alone, whatever we know of them.
        """
        now = self._clock.now()
        async with self._database.read() as tx:
            placed = await tx.rows("placed_attempts", owner=self._lease.daemon_id)
            plans = {plan.id: plan for plan in await self._plans.calling(tx)}
        unwanted = [row for row in placed if row["hang_up_at"] is not None]
        await self._hang_up_all([row for row in unwanted if row["id"] not in self._hung_up])
        self._hung_up.intersection_update(row["id"] for row in unwanted)
        late = [
            row
            for row in placed
            if row["listed"]
            or row["campaign_status"] == CampaignStatus.CANCELLED
            or _is_closed(plans.get(row["campaign_id"]), row["window_key"], now)
        ]
        spared = self._called_off | self._hung_up
        await self._cancel_all([row for row in late if row["id"] not in spared])
        self._called_off.intersection_update(row["id"] for row in late)
        self._told_of_calls.only({row["id"] for row in late})

    async def end_queued(self) -> None:
        """End the calls that the carrier has not begun, for a daemon that starts no more."""
        async with self._database.read() as tx:
            queued = await tx.rows("queued_attempts", owner=self._lease.daemon_id)
        await self._cancel_all(queued)

    async def end_unanswered(self) -> None:
        """End every call that is not a conversation yet, for a daemon that goes down."""
        async with self._database.read() as tx:
            placed = await tx.rows("placed_attempts", owner=self._lease.daemon_id)
        await self._cancel_all(placed)

    async def _cancel_all(self, calls: Sequence[Row]) -> None:
        async with asyncio.TaskGroup() as errands:
            for row in calls:
                errands.create_task(self._cancel(row))

    async def _cancel(self, row: Row) -> None:
        async with self._gate:
            try:
                await self._carrier.cancel(CallSid(row["sid"]))
            except DialerError as error:  # and asked again in the next sweep
                if self._told_of_calls.is_news(row["id"], str(error)):
                    log.warning("call_off.failed", attempt=row["id"], error=str(error))
            else:
                self._called_off.add(row["id"])
                log.info("call.called_off", attempt=row["id"], sid=row["sid"])

    async def _hang_up_all(self, calls: Sequence[Row]) -> None:
        async with asyncio.TaskGroup() as errands:
            for row in calls:
                errands.create_task(self._hang_up(row))

    async def _hang_up(self, row: Row) -> None:
        async with self._gate:
            try:
                await self._carrier.hang_up(CallSid(row["sid"]))
            except DialerError as error:  # and asked again in the next sweep
                log.warning("hang_up.failed", attempt=row["id"], error=str(error))
            else:
                self._hung_up.add(row["id"])
                log.info("call.hung_up", attempt=row["id"], sid=row["sid"])

    async def _ask(self, row: Row) -> None:
        async with self._gate:
            try:
                match AttemptState(row["state"]):
                    case AttemptState.INTENT:
                        doubt = (row["id"], "no answer was recorded")
                        await self._batcher.apply(self._calls.doubted, [doubt])
                    case AttemptState.UNKNOWN:
                        await self._look_for(row)
                    case _:
                        await self._look_up(row)
            except DialerError as error:
                log.warning("question.failed", attempt=row["id"], error=str(error))
                await self._postpone(row)

    async def _look_for(self, row: Row) -> None:
        found = await self._strangers(row)
        if found:
            first, *others = found
            for other in others:
                log.error("call.duplicated", attempt=row["id"], sid=first.sid, other=other.sid)
                self._meters.promise_broken()
                self._meters.reconciled(SilentCallFate.DUPLICATED)
                await self._carrier.cancel(other.sid)
            await self._calls.adopt(row["id"], first.sid)
            self._meters.reconciled(SilentCallFate.FOUND)
            await self.report(row["id"], first)
            return
        last_look_at = row["intent_at"] + int(self._last_look_s(row) * MS)
        if self._clock.now() < last_look_at:
            postponed = {"id": row["id"], "check_at": last_look_at}
            await self._batcher.apply(self._write_postponed, [postponed])
            return
        await self._batcher.apply(self._calls.absent, [row["id"]])
        self._meters.reconciled(SilentCallFate.ABSENT)

    def _last_look_s(self, row: Row) -> float:
        """So long after its intent an attempt in doubt is a call, or never will be one.

        The daemon it was taken over from may only have been asleep, for up to the quarantine, and
        its request may leave when it wakes. Until then the attempt stays open, so that nobody
        dials its callee, in whatever campaign.
        """
        if row["taken_over_at"] is None:
            return self._times.last_look_s
        return max(self._times.last_look_s, self._times.quarantine_s + self._times.list_bound_s)

    async def _strangers(self, row: Row) -> list[CarrierCall]:
        """Calls between the two numbers, of that time, that no attempt claims yet."""
        since_at = row["intent_at"] - SKEW_S * MS
        until_at = row["intent_at"] + int((self._last_look_s(row) + SKEW_S) * MS)
        listed = await self._carrier.find(row["phone"], row["from_"], since_at)
        async with self._database.read() as tx:
            known = {each["sid"] for each in await tx.rows("known_sids", phone=row["phone"])}
        return [c for c in listed if c.sid not in known and c.created_at <= until_at]

    async def _look_up(self, row: Row) -> None:
        call = await self._carrier.fetch(CallSid(row["sid"]))
        if call is not None:
            await self.report(row["id"], call)
            if not call.facts.final:
                await self._end_if_too_long(row)
                await self._postpone(row)
        elif row["checks"] < VANISHED_AFTER:
            await self._postpone(row)
        else:
            log.error("call.vanished", attempt=row["id"], sid=row["sid"])
            self._meters.reconciled(SilentCallFate.VANISHED)
            await self._calls.receive(
                self._event(row["id"], CallSid(row["sid"]), CarrierStatus.FAILED, None)
            )

    async def _end_if_too_long(self, row: Row) -> None:
        ends_at = row["intent_at"] + (self._times.longest_s + LIMIT_GRACE_S) * MS
        if self._clock.now() > ends_at:
            log.error("call.endless", attempt=row["id"], sid=row["sid"])
            self._meters.reconciled(SilentCallFate.ENDLESS)
            await self._carrier.hang_up(CallSid(row["sid"]))

    async def report(self, attempt_id: AttemptId, call: CarrierCall) -> None:
        """Take in what the carrier knows of an attempt's call, as news like any other."""
        facts = call.facts
        if facts.answered_at is not None and facts.final:
            answered = self._event(
                attempt_id, call.sid, CarrierStatus.IN_PROGRESS, facts.answered_at
            )
            await self._calls.receive(answered)
        await self._calls.receive(
            CallEvent(
                attempt_id=attempt_id,
                sid=call.sid,
                source=EventSource.LOOKUP,
                received_at=self._clock.now(),
                status=facts.status,
                occurred_at=facts.ended_at if facts.final else None,
                duration_s=facts.duration_s,
                sip_code=facts.sip_code,
                error_code=facts.error_code,
                answered_by=facts.answered_by,
            )
        )

    def _event(
        self, attempt_id: AttemptId, sid: CallSid, status: CarrierStatus, occurred_at: int | None
    ) -> CallEvent:
        return CallEvent(
            attempt_id=attempt_id,
            sid=sid,
            source=EventSource.LOOKUP,
            received_at=self._clock.now(),
            status=status,
            occurred_at=occurred_at,
        )

    async def _postpone(self, row: Row) -> None:
        wait_s = min(ASK_AGAIN_S * 2 ** min(row["checks"], 10), ASK_AGAIN_MAX_S)
        postponed = {"id": row["id"], "check_at": self._clock.now() + wait_s * MS}
        await self._batcher.apply(self._write_postponed, [postponed])

    @staticmethod
    async def _write_postponed(tx: Tx, postponed: Sequence[dict[str, object]]) -> list[None]:
        await tx.many("postpone_checks", postponed)
        return [None] * len(postponed)


def _is_closed(plan: CampaignPlan | None, window_key: str, now: int) -> bool:
    """Whether a window is known to be closed; a plan that cannot be read closes nothing."""
    return plan is not None and not plan.hours_at(window_key).is_open(now)
