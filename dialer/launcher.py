"""Sending requests to the carrier: each claim once, at its instant, after a last look.

Theory of operation. Claims wait here for their slot, a tenth of a second at most. When it comes,
one read asks the store which of the due attempts are still wanted — the campaign active and as it
was at the claim, the attempt ours and not called off — and only those are sent, each by a task of
its own; the rest go back uncounted. So a pause that has committed, or an edit, stops every call
whose last look comes after it. The order carries the instant after which it is void (window,
lease, patience), and the carrier's door checks it as its very last statement before bytes leave.

Where an operator has a check of their own, claims are screened before they wait here, many at
once (see ``screening.py``); the last look stays the last question.
"""

import asyncio
import heapq
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol, assert_never

from dialer.batching import Batcher
from dialer.calls import Calls
from dialer.lazy_log import Log
from dialer.leases import Lease
from dialer.meters import NO_METERS, Meters, RetryReason
from dialer.model import AttemptId, CampaignId, Claim
from dialer.ports import (
    Accepted,
    Carrier,
    Clock,
    Database,
    Doubtful,
    NotSent,
    Order,
    Placement,
    Refusal,
    Refused,
    Row,
    Throttled,
)
from dialer.screening import Screening

log = Log()

MS: Final = 1000
#: After a request that could not leave, the account rests this long, doubling up to the bound.
BACK_OFF_S: Final = 1.0
BACK_OFF_MAX_S: Final = 30.0
MOST_DOUBLINGS: Final = 10
#: So many requests in a row that came to nothing are no coincidence.
OUTAGE: Final = 5
#: A request may leave this much before the one before it would allow, for timers are coarse.
TOLERANCE_MS: Final = 20


class Brake(Protocol):
    """What the launcher tells the dispatcher when the carrier does not take calls."""

    def back_off(self, until_at: int, why: str) -> None: ...

    def hold(self, campaign_id: CampaignId, until_at: int, why: str) -> None: ...

    async def stop_campaign(self, campaign_id: CampaignId, why: str) -> None: ...


@dataclass(slots=True)
class _Failures:
    in_a_row: int = 0

    def back_off_s(self) -> float:
        self.in_a_row += 1
        return min(BACK_OFF_S * 2.0 ** min(self.in_a_row - 1, MOST_DOUBLINGS), BACK_OFF_MAX_S)


class Launcher:
    """Holds claims until their slot and sends them. :meth:`run` must be running."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        batcher: Batcher,
        calls: Calls,
        carrier: Carrier,
        lease: Lease,
        *,
        at_once: int,
        spacing_us: int = 0,
        screening: Screening | None = None,
        meters: Meters = NO_METERS,
    ) -> None:
        """*at_once* requests may be on their way, all of which the carrier's door lets through:
        one that had to wait there after its last look would leave although a pause came between.
        Requests keep *spacing_us* apart even when their slots have passed meanwhile.
        """
        self._clock = clock
        self._database = database
        self._batcher = batcher
        self._calls = calls
        self._carrier = carrier
        self._lease = lease
        self._at_once = at_once
        self._spacing_us = spacing_us
        self._free_us = 0
        self._brake: Brake | None = None
        self._heap: list[tuple[int, int, Claim]] = []
        self._order = count()
        self._wake = asyncio.Event()
        self._in_flight: set[AttemptId] = set()
        self._failures = _Failures()
        self._draining = False
        self._screening = screening
        self._meters = meters

    def attach(self, brake: Brake) -> None:
        """Name who is told when the carrier does not take calls, or the check does not answer."""
        self._brake = brake
        if self._screening is not None:
            self._screening.attach(self._line_up, brake.hold)

    @property
    def busy(self) -> bool:
        """True while a claim is screened or waits for its slot, or a request is on its way."""
        screening = self._screening is not None and self._screening.busy
        return bool(self._heap or self._in_flight or screening)

    def add(self, claims: Sequence[Claim]) -> None:
        """Take claims whose intents are durable."""
        if self._screening is None or self._draining:
            self._line_up(claims)
        else:
            self._screening.add(claims)

    def _line_up(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            heapq.heappush(self._heap, (claim.send_at, next(self._order), claim))
        self._wake.set()

    def space(self, spacing_us: int) -> None:
        """From now on requests keep *spacing_us* apart."""
        self._spacing_us = spacing_us

    async def drain(self) -> None:
        """Give back what has not been sent; requests on their way run on."""
        self._draining = True
        waiting = [claim for _, _, claim in self._heap]
        self._heap.clear()
        if self._screening is not None:
            waiting += self._screening.drain()
        await self._release(waiting, "draining")

    async def run(self) -> None:
        """Send claims for ever, each at its slot."""
        async with asyncio.TaskGroup() as requests:
            if self._screening is not None:
                requests.create_task(self._screening.run())
            while True:
                due = self._due()
                if due:
                    await self._launch(due, requests)
                else:
                    await self._sleep()

    @property
    def _room(self) -> int:
        return self._at_once - len(self._in_flight)

    def _due(self) -> list[Claim]:
        now = self._clock.now()
        # What a clock that was ahead for a moment left behind is written off.
        self._free_us = min(self._free_us, (now + TOLERANCE_MS) * MS + self._spacing_us)
        due: list[Claim] = []
        while self._heap and self._next_at() <= now and len(due) < self._room:
            slot_at, _, claim = heapq.heappop(self._heap)
            # A slot that passed while the carrier was slow is not made up for in a burst.
            late = now - slot_at > TOLERANCE_MS
            self._free_us = max(self._free_us, (now if late else slot_at) * MS) + self._spacing_us
            due.append(claim)
        return due

    def _next_at(self) -> int:
        """When the first claim in line may leave."""
        return max(self._heap[0][0], (self._free_us - TOLERANCE_MS * MS) // MS)

    async def _sleep(self) -> None:
        self._wake.clear()
        waiting = self._heap and self._room > 0
        wait_s = (self._next_at() - self._clock.now()) / MS if waiting else None
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()

    async def _launch(self, due: Sequence[Claim], requests: asyncio.TaskGroup) -> None:
        self._in_flight.update(claim.attempt_id for claim in due)
        wanted = await self._still_wanted(due)
        unwanted = [claim for claim in due if claim.attempt_id not in wanted]
        now = self._clock.now()
        for claim in due:
            if claim.attempt_id in wanted:
                requests.create_task(self._send(claim, now))
        self._in_flight.difference_update(claim.attempt_id for claim in unwanted)
        if unwanted:
            await self._release(unwanted, "no longer wanted")

    async def _still_wanted(self, due: Sequence[Claim]) -> set[AttemptId]:
        if self._draining or not self._lease.valid():
            return set()
        ids = json.dumps([claim.attempt_id for claim in due])
        try:
            async with self._database.read() as tx:
                rows = await tx.rows("sendable", ids=ids, owner=self._lease.daemon_id)
        except Exception as error:
            # What cannot be confirmed is not sent.
            log.error("launch.unconfirmed", claims=len(due), error=str(error))
            return set()
        claims = {claim.attempt_id: claim for claim in due}
        return {row["id"] for row in rows if as_decided(claims[row["id"]], row)}

    async def _send(self, claim: Claim, sent_at: int) -> None:
        try:
            order = Order(
                attempt_id=claim.attempt_id,
                to=claim.to,
                from_=claim.from_,
                ring_timeout_s=claim.ring_timeout_s,
                amd=claim.amd,
                detect_message_end=claim.detect_message_end,
                void_at=min(claim.void_at, self._lease.until_at),
            )
            placement = await self._place(order)
            match placement:
                case Accepted(sid=sid):
                    self._asked_for(claim, sent_at)
                    self._failures.in_a_row = 0
                    self._calls.accepted(claim.attempt_id, sid)
                case Doubtful(why=why):
                    self._asked_for(claim, sent_at)
                    self._batcher.post(self._calls.doubted, [(claim.attempt_id, why)])
                    self._trouble(why)
                case Throttled():
                    await self._throttled(claim, placement)
                case NotSent(why=why):
                    await self._not_sent(claim, why)
                case Refused():
                    if placement.kind is not Refusal.CONFIGURATION:  # then no attempt is spent
                        self._asked_for(claim, sent_at)
                    await self._refused(claim, placement)
                case _:
                    assert_never(placement)
        finally:
            self._in_flight.discard(claim.attempt_id)
            self._wake.set()

    def _asked_for(self, claim: Claim, sent_at: int) -> None:
        late_s = max(0, sent_at - claim.send_at) / MS
        self._meters.call_asked_for(claim.campaign_id, claim.number_id, late_s)

    async def _place(self, order: Order) -> Placement:
        try:
            return await self._carrier.place(order)
        except Exception as defect:
            # Whatever went wrong in our own code, a call may have come about.
            log.exception("launch.defect", attempt=order.attempt_id)
            return Doubtful(f"a defect of ours: {type(defect).__name__}")

    async def _throttled(self, claim: Claim, throttled: Throttled) -> None:
        again_at = self._clock.now() + int(throttled.retry_after_s * MS)
        self._slow_down(again_at, f"carrier asks to wait: {throttled.message}")
        if again_at < claim.void_at and not self._draining:
            self._meters.carrier_retried(RetryReason.THROTTLED)
            heapq.heappush(self._heap, (again_at, next(self._order), claim))
            self._wake.set()
        else:
            await self._release([claim], "throttled", again_at)

    async def _not_sent(self, claim: Claim, why: str) -> None:
        now = self._clock.now()
        if now <= claim.void_at:  # not void, so nobody listens at the carrier's address
            self._slow_down(now + int(self._failures.back_off_s() * MS), why)
        await self._release([claim], why)

    async def _refused(self, claim: Claim, refused: Refused) -> None:
        if refused.kind is not Refusal.CONFIGURATION:
            self._batcher.post(self._calls.refused, [(claim.attempt_id, refused)])
            if refused.kind is Refusal.OTHER:
                self._trouble(refused.message)
            return
        why = f"the carrier refuses our calls: {refused.code}: {refused.message}"
        await self._release([claim], why)
        if self._brake is not None:
            await self._brake.stop_campaign(claim.campaign_id, why)

    def _trouble(self, why: str) -> None:
        """Doubt upon doubt is an outage: rest, rather than spend everybody's attempts on it."""
        self._failures.in_a_row += 1
        if self._failures.in_a_row >= OUTAGE:
            self._slow_down(self._clock.now() + int(BACK_OFF_MAX_S * MS), why)

    def _slow_down(self, until_at: int, why: str) -> None:
        if self._brake is not None:
            self._brake.back_off(until_at, why)

    async def _release(self, claims: Sequence[Claim], why: str, due_at: int | None = None) -> None:
        self._batcher.post(
            self._calls.released, [(claim.attempt_id, why, due_at) for claim in claims]
        )


def as_decided(claim: Claim, row: Row) -> bool:
    """Whether the campaign is as it was when the claim was made; *row* is one of ``sendable``."""
    return bool(row["revision"] == claim.revision)
