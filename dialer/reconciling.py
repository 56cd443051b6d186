"""After a restore: what the carrier has done meanwhile is taken in before anybody is called.

Theory of operation. A copy of the database knows nothing of the calls that were made after it was
taken; dialing on from it would call those people again as if nothing had happened. So a restored
database is held, and knows since when calls may be missing. The carrier lists all it has made
since; each one that no attempt claims becomes an attempt of the member it belongs to, by the same
steps as every call: an intent, the carrier's name for it, and its news, folded like any other. So
limits, caps and retries hold as if it had never been forgotten. Whoever is in doubt is left to the
reaper first. When every call has found its place, or nobody's, a person may release the hold.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

import structlog

from dialer import audit_log, hold
from dialer.batching import Batcher
from dialer.calls import Calls, CallTimes
from dialer.counters import count_calls, local_day, local_hour
from dialer.errors import DialerError, WrongStateError
from dialer.hold import Hold
from dialer.intents import CLAIMED_STATE, ClaimedRow, IntentRow
from dialer.leases import Lease
from dialer.masking import mask
from dialer.model import AttemptId, CampaignId, MemberId, NumberId
from dialer.phones import parsed
from dialer.plans import Plans
from dialer.ports import CarrierCall, Clock, Database, Ids, Row, Tx
from dialer.reaper import Reaper
from dialer.states import (
    FINAL_MEMBER_STATES,
    WAITING_MEMBER_STATES,
    AttemptState,
    CampaignStatus,
    MemberEvent,
    MemberState,
    advance_member,
)
from retries.outcome import Outcome

log = structlog.get_logger()

MS: Final = 1000
#: The clocks that told the last time in the copy and the carrier's may differ by this much, and
#: the carrier tells whole seconds.
MARGIN_S: Final = 900
#: How often it is looked whether something is to be reconciled, and whether doubts are over.
LOOK_S: Final = 2.0
#: After the carrier could not be asked, it is asked again so much later.
ASK_AGAIN_S: Final = 30.0
#: Somebody who may have been called for another campaign rests so long.
REST_S: Final = 86_400
_NOT_A_DIGIT: Final = re.compile(r"\D")
#: What the hold says once everything was taken in begins like this.
DONE: Final = "; reconciled"


class CallRecord(Protocol):
    """The carrier's own record of the account's calls."""

    def placed_since(self, since_at: int) -> AsyncIterator[Sequence[CarrierCall]]:
        """Page by page, the calls created at or after *since_at* (UTC ms) by requests."""


class Found(StrEnum):
    """What a call of the carrier's list is to us."""

    KNOWN = "known"
    RECORDED = "recorded"  # it was unknown, and is an attempt now
    IN_DOUBT = "in_doubt"  # its callee has an attempt that may be this call, or goes on
    STRANGER = "stranger"  # to nobody who is in a campaign here
    FOREIGN = "foreign"  # to one of our contacts, from a number this database does not know


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of the carrier's list."""

    since_at: int
    listed: int
    recorded: Sequence[CarrierCall]
    strangers: Sequence[CarrierCall]
    foreign: Sequence[CarrierCall]
    shared: int  # recorded calls that may have been those of another campaign

    @property
    def words(self) -> str:
        """The result in one line."""
        parts = [f"{len(self.recorded)} calls were unknown and are recorded"]
        if self.strangers:
            parts.append(f"{len(self.strangers)} are to nobody in a campaign here")
        if self.foreign:
            parts.append(f"{len(self.foreign)} come from numbers that are not known here")
        return f"{self.listed} calls listed, {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one call came to; *attempt_id* of one that was recorded."""

    found: Found
    attempt_id: AttemptId | None = None
    shared: bool = False


class Reconciler:
    """Takes in the calls that a restored database lacks. Batcher, lease and reaper must run."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        batcher: Batcher,
        ids: Ids,
        calls: Calls,
        reaper: Reaper,
        lease: Lease,
        plans: Plans,
        times: CallTimes,
        record: Callable[[], AbstractAsyncContextManager[CallRecord]],
    ) -> None:
        """*record* opens the carrier's record for one reading."""
        self._clock = clock
        self._database = database
        self._batcher = batcher
        self._ids = ids
        self._calls = calls
        self._reaper = reaper
        self._lease = lease
        self._plans = plans
        self._times = times
        self._record = record

    async def run(self) -> None:
        """Reconcile whenever that is wanted, for ever; trouble is told and tried again."""
        while True:
            try:
                held = await self._wanted()
                if held is not None:
                    await self.reconcile(held)
            except DialerError as error:
                log.error("reconciliation.failed", error=error.message)
                await asyncio.sleep(ASK_AGAIN_S)
            await asyncio.sleep(LOOK_S)

    def begins_at(self, held: Hold) -> int:
        """By when (UTC ms) the carrier lists all that was asked for before the hold."""
        return held.at + round((self._times.ask_s + self._times.settled_s) * MS)

    async def reconcile(self, held: Hold) -> Reconciled:
        """Take in every call since then; returns when none is in doubt any more."""
        assert held.reconcile_since_at is not None, "it is wanted"
        since_at = held.reconcile_since_at - MARGIN_S * MS
        log.warning("reconciliation.started", since_at=since_at)
        await asyncio.sleep(max(0, self.begins_at(held) - self._clock.now()) / MS)
        listed = await self._listed(since_at)
        done = await self._taken_in(since_at, listed)
        async with self._database.write() as tx:
            await _note(tx, done, self._clock.now())
        log.warning("reconciliation.done", words=done.words, next_step="dialer resume --all")
        return done

    async def _wanted(self) -> Hold | None:
        async with self._database.read() as tx:
            held = await hold.standing(tx)
        return held if held is not None and held.wants_reconciliation else None

    async def _listed(self, since_at: int) -> Sequence[CarrierCall]:
        """The carrier's calls, oldest first, each once."""
        calls: dict[str, CarrierCall] = {}
        async with self._record() as record:
            async for page in record.placed_since(since_at):
                calls |= {
                    call.sid: replace(call, to=_e164(call.to), from_=_e164(call.from_))
                    for call in page
                }
        return sorted(calls.values(), key=lambda call: (call.created_at, call.sid))

    async def _taken_in(self, since_at: int, listed: Sequence[CarrierCall]) -> Reconciled:
        by_kind: dict[Found, list[CarrierCall]] = {kind: [] for kind in Found}
        left, shared = listed, 0
        while True:
            doubtful = []
            for call in left:
                taken = await self._take(call)
                if taken.found is Found.IN_DOUBT:
                    doubtful.append(call)
                else:
                    by_kind[taken.found].append(call)
                    shared += taken.shared
            if not doubtful:
                break
            left = doubtful
            await asyncio.sleep(LOOK_S)
        for kind in (Found.STRANGER, Found.FOREIGN):
            for call in by_kind[kind]:
                log.warning("reconciliation.found", kind=kind, sid=call.sid, to=mask(call.to))
        return Reconciled(
            since_at,
            len(listed),
            by_kind[Found.RECORDED],
            by_kind[Found.STRANGER],
            by_kind[Found.FOREIGN],
            shared,
        )

    async def _take(self, call: CarrierCall) -> _Taken:
        (taken,) = await self._batcher.apply(self._write, [call], alone=True)
        if taken.attempt_id is not None:
            await self._calls.adopt(taken.attempt_id, call.sid)
            await self._reaper.report(taken.attempt_id, call)
        return taken

    async def _write(self, tx: Tx, calls: Sequence[CarrierCall]) -> list[_Taken]:
        return [await self._write_one(tx, call) for call in calls]

    async def _write_one(self, tx: Tx, call: CarrierCall) -> _Taken:
        """Write the intent of a call nobody knows, with all that a claim would have taken."""
        if call.sid in {row["sid"] for row in await tx.rows("known_sids", phone=call.to)}:
            return _Taken(Found.KNOWN)
        number = await tx.row("number_called_from", phone=call.from_)
        number_id = 0 if number is None else number["id"]
        members = await tx.rows("members_of_callee", phone=call.to, number_id=number_id)
        if not members:
            return _Taken(Found.STRANGER)
        if number is None:
            return _Taken(Found.FOREIGN)
        if await tx.value("open_attempt_to", phone=call.to) is not None:
            return _Taken(Found.IN_DOUBT)
        likely, *others = _whose(members)
        attempt_id = await self._claim(tx, likely, number, call)
        await self._let_rest(tx, others, call)
        return _Taken(Found.RECORDED, attempt_id, shared=bool(others))

    async def _claim(self, tx: Tx, member: Row, number: Row, call: CarrierCall) -> AttemptId:
        now, at = self._clock.now(), call.created_at
        state = await self._reopened(tx, member, now)
        attempt_id = self._ids.attempt(at)
        number_id, member_id = NumberId(number["id"]), MemberId(member["id"])
        claimed = ClaimedRow(
            CLAIMED_STATE[state], attempt_id, number_id, now, member_id, state.value
        )
        await tx.many("claim_members", [claimed])
        campaign_id = CampaignId(member["campaign_id"])
        plan = await self._plans.of(tx, campaign_id)
        zones = plan.window(member["window_key"]).place.zones or (number["zone"],)
        day, _ = local_day(number["zone"], at)
        intent = IntentRow(
            attempt_id,
            member_id,
            campaign_id,
            number_id,
            self._lease.daemon_id,
            call.to,
            AttemptState.INTENT.value,
            day,
            at,
            at,
            now + round(ASK_AGAIN_S * MS),
            member["window_key"],
            *local_hour(zones[0], at),
            plan.rules.id,
        )
        await tx.many("add_attempts", [intent])
        await count_calls(tx, [(number_id, day, 1)])
        return attempt_id

    async def _reopened(self, tx: Tx, member: Row, now: int) -> MemberState:
        """The member's state, once it is one that a call may follow."""
        was = MemberState(member["state"])
        if was in WAITING_MEMBER_STATES:
            return was
        event = MemberEvent.REQUEUE if was in FINAL_MEMBER_STATES else MemberEvent.RETRY
        state = advance_member(was, event)
        ended = member["outcome"] if was is MemberState.CALLED else None
        await tx.run(
            "reopen_member",
            member_id=member["id"],
            was=was,
            state=state,
            rejected=int(ended == Outcome.REJECTED),
            outcome=ended,
            now=now,
        )
        return state

    async def _let_rest(self, tx: Tx, others: Sequence[Row], call: CarrierCall) -> None:
        """Whose call it may have been as well is not called for a day, as if it had been theirs."""
        rested_at = call.created_at + REST_S * MS
        waiting = [row for row in others if MemberState(row["state"]) in WAITING_MEMBER_STATES]
        rows = [
            {
                "member_id": row["id"],
                "was": row["state"],
                "next_at": max(row["next_at"], rested_at),
                "now": self._clock.now(),
            }
            for row in waiting
        ]
        await tx.many("put_off_members", rows)


async def want(tx: Tx, now: int, *, since_at: int | None = None) -> Hold:
    """Ask for a reconciliation, again or for the first time, and return the hold.

    Raises WrongStateError when nothing is held, or nobody has said since when.
    """
    held = await _held(tx)
    since_at = held.reconcile_since_at if since_at is None else since_at
    if since_at is None:
        raise WrongStateError(
            "this database was not restored here: say since when calls may be missing",
            next_step="dialer db reconcile --since 2026-01-31T12:00:00Z",
        )
    await tx.run("want_reconciliation", since_at=since_at)
    await audit_log.record(tx, "db.reconcile", "database", now, after={"since_at": since_at})
    found = await hold.standing(tx)
    assert found is not None, "it is held"
    return found


async def give_up(tx: Tx, now: int) -> None:
    """Count a restored database as complete without asking the carrier.

    Raises WrongStateError when nothing is held, or nothing is to be reconciled.
    """
    held = await _held(tx)
    if not held.wants_reconciliation:
        raise WrongStateError("nothing is to be reconciled", next_step="dialer resume --all")
    await tx.run("note_reconciled", now=now, reason=f"{_reason(held)}; not reconciled, by choice")
    await tx.run("bump_revision")
    await audit_log.record(tx, "db.reconcile-skip", "database", now)


async def _note(tx: Tx, done: Reconciled, now: int) -> None:
    held = await _held(tx)
    await tx.run("note_reconciled", now=now, reason=f"{_reason(held)}{DONE}: {done.words}")
    await tx.run("bump_revision")
    after = {
        "listed": done.listed,
        "recorded": len(done.recorded),
        "strangers": len(done.strangers),
        "foreign": len(done.foreign),
        "shared": done.shared,
    }
    await audit_log.record(tx, "db.reconciled", "database", now, after=after)


async def _held(tx: Tx) -> Hold:
    held = await hold.standing(tx)
    if held is None:
        raise WrongStateError(
            "nothing may be called while calls are being taken in", next_step="dialer pause --all"
        )
    return held


def _reason(held: Hold) -> str:
    return held.reason.partition(DONE)[0]


def _e164(party: str) -> str:
    """A party of a call as numbers are kept: compatible servers write them in their own way."""
    digits = _NOT_A_DIGIT.sub("", party)
    return parsed(party, None) or (f"+{digits}" if digits else party)


def _whose(members: Sequence[Row]) -> list[Row]:
    """The members whose call it may have been, the likeliest first: those whose campaign calls
    from that number; whoever is not done before whoever is, active campaigns before others.
    """
    likely = [row for row in members if row["from_it"]] or [*members]
    return sorted(
        likely,
        key=lambda row: (
            MemberState(row["state"]) in FINAL_MEMBER_STATES,
            CampaignStatus(row["campaign_status"]) is not CampaignStatus.ACTIVE,
            row["id"],
        ),
    )
