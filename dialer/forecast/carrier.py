"""A carrier that makes no calls: it deals a card for each order and reports the end in its time.

It speaks to the engine as any carrier does, but never fails, never loses news and has nothing to
say of calls that go well. One report for each call is all that the outcome needs.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from dialer.forecast.cards import Card, Dealer
from dialer.model import AttemptId, CallEvent, CallSid, CarrierStatus, EventSource
from dialer.outcomes import SILENT_MAX_S
from dialer.ports import (
    Accepted,
    CarrierCall,
    Clock,
    Order,
    OwnedNumber,
    Placement,
    Refusal,
    Refused,
)
from retries.outcome import Outcome

MS: Final = 1000

#: How a carrier says what came of a call: its status, the SIP code, the word for who answered.
_SAID: Final[Mapping[Outcome, tuple[CarrierStatus, int, str | None]]] = {
    Outcome.HUMAN: (CarrierStatus.COMPLETED, 200, "human"),
    Outcome.MACHINE: (CarrierStatus.COMPLETED, 200, "machine_start"),
    Outcome.FAX: (CarrierStatus.COMPLETED, 200, "fax"),
    Outcome.NO_ANSWER: (CarrierStatus.NO_ANSWER, 487, None),
    Outcome.BUSY: (CarrierStatus.BUSY, 486, None),
    Outcome.REJECTED: (CarrierStatus.BUSY, 603, None),
    Outcome.INVALID_NUMBER: (CarrierStatus.FAILED, 404, None),
    Outcome.CARRIER_FAILED: (CarrierStatus.FAILED, 503, None),
}


class ForecastCarrier:
    """The :class:`~dialer.ports.Carrier` of one run; :meth:`report` must be running.

    *ends_at* says when a call that begins now and takes so many seconds gives its line back.
    """

    def __init__(
        self,
        clock: Clock,
        dealer: Dealer,
        calls_before: Mapping[str, int],
        ends_at: Callable[[float], int],
        *,
        leaves_message: bool = False,
    ) -> None:
        """Where a message is left on machines, each of them takes it."""
        self.placed = 0
        self.busy_s = 0.0
        self._clock = clock
        self._dealer = dealer
        self._calls = Counter(calls_before)
        self._ends_at = ends_at
        self._leaves_message = leaves_message
        self._news: asyncio.Queue[CallEvent] = asyncio.Queue()

    async def report(self, receive: Callable[..., Awaitable[None]], heard: asyncio.Event) -> None:
        """Give *receive* the news as it comes, and set *heard* when it has taken it in."""
        while True:
            news = [await self._news.get()]
            while not self._news.empty():
                news.append(self._news.get_nowait())
            await receive(*news)
            heard.set()

    async def place(self, order: Order) -> Placement:
        """Accept the order, unless its card says that the carrier refuses it."""
        card = self._dealer.deal(self._calls[order.to])
        if not card.made:
            return _refusal(card)
        self._calls[order.to] += 1
        self.placed += 1
        self.busy_s += card.total_s
        sid = CallSid(f"CA{self.placed:032x}")
        wait_ms = self._ends_at(card.total_s) - self._clock.now()
        loop = asyncio.get_running_loop()
        loop.call_later(wait_ms / MS, self._over, order.attempt_id, sid, card)
        return Accepted(sid)

    def _over(self, attempt_id: AttemptId, sid: CallSid, card: Card) -> None:
        now = self._clock.now()
        status, sip_code, answered_by = _SAID[card.outcome]
        if answered_by and card.talk_s < SILENT_MAX_S:
            # That brief a call was heard out only if the carrier has asked what to say.
            asked = CallEvent(attempt_id, sid, EventSource.ANSWER, now)
            self._news.put_nowait(asked)
        if self._leaves_message and card.outcome is Outcome.MACHINE:
            self._news.put_nowait(CallEvent(attempt_id, sid, EventSource.LEFT, now))
        self._news.put_nowait(
            CallEvent(
                attempt_id,
                sid,
                EventSource.STATUS,
                received_at=now,
                status=status,
                occurred_at=now,
                duration_s=int(card.talk_s),
                sip_code=sip_code,
                error_code=card.error_code,
                answered_by=answered_by,
            )
        )

    async def hang_up(self, sid: CallSid) -> None:
        """Nobody is asked to: the cards know when a call ends."""

    async def cancel(self, sid: CallSid) -> None:
        """Nobody is asked to: no call rings beyond its ring timeout."""

    async def redirect(self, sid: CallSid, url: str) -> bool:  # noqa: ARG002  the port names them
        """Nothing is heard here."""
        return True

    async def fetch(self, sid: CallSid) -> CarrierCall | None:  # noqa: ARG002  the port names it
        """Nobody asks: no news is lost."""
        return None

    async def find(self, to: str, from_: str, since_at: int) -> Sequence[CarrierCall]:  # noqa: ARG002  the port names them
        """Nobody asks: no order is in doubt."""
        return ()

    async def owned_numbers(self) -> Sequence[OwnedNumber]:
        """Nobody asks."""
        return ()

    async def check(self) -> None:
        """Always well."""


def _refusal(card: Card) -> Refused:
    bad_number = card.outcome is Outcome.INVALID_NUMBER
    kind = Refusal.BAD_NUMBER if bad_number else Refusal.OTHER
    return Refused(kind, card.error_code, "refused as in the history")
