"""What the engine counts: every fact once, where it becomes true, by whoever makes it so.

The engine knows this module alone. What becomes of the counts, such as the metrics that a
Prometheus reads, is the business of an adapter; without one nothing is kept. Facts of a
transaction are told once it has committed (see :meth:`~dialer.batching.Batcher.after_commit`).
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from dialer.model import AmdMode, CallFacts, CampaignId, NumberId
from retries.outcome import Outcome


class CarrierOp(StrEnum):
    """What the carrier is asked for."""

    PLACE = "place"  # a call
    END = "end"  # of a call, whether it rings or is a conversation
    REDIRECT = "redirect"  # a call to another document
    FETCH = "fetch"  # one call
    LIST = "list"  # a page of calls or numbers


class RetryReason(StrEnum):
    """Why the carrier is asked again."""

    THROTTLED = "throttled"  # it asked us to wait; the request was not processed
    TROUBLE = "trouble"  # it did not answer, or could not; never a request to place a call


class SilentCallFate(StrEnum):
    """What came of looking for a call that nobody had reported on."""

    FOUND = "found"  # an attempt in doubt became a call after all
    ABSENT = "absent"  # it did not
    DUPLICATED = "duplicated"  # there were two calls of one attempt
    VANISHED = "vanished"  # the carrier knows a call no more that it had named
    ENDLESS = "endless"  # a call went on beyond its time limit and was ended


class WebhookResult(StrEnum):
    """What was answered to a request of the carrier's."""

    TAKEN = "taken"
    REFUSED = "refused"  # its signature is not the carrier's
    REJECTED = "rejected"  # it cannot be read
    LOST = "lost"  # it could not be kept; the carrier sends it again


class TransactionKind(StrEnum):
    """What a transaction is for."""

    READ = "read"
    WRITE = "write"


class Meters:
    """Takes facts down. This one forgets them at once: an engine nobody watches."""

    def call_asked_for(self, campaign_id: CampaignId, number_id: NumberId, late_s: float) -> None:
        """The carrier was asked to place a call, *late_s* after its slot; not told for a request
        that never left."""

    def call_ended(
        self, campaign_id: CampaignId, outcome: Outcome, mode: AmdMode, facts: CallFacts
    ) -> None:
        """An attempt is over, as the call of those facts or without one."""

    def reconciled(self, verdict: SilentCallFate) -> None:
        """A call that nobody had reported on was looked for."""

    def promise_broken(self) -> None:
        """One attempt has become two calls."""

    def attempts_adopted(self, attempts: int) -> None:
        """Attempts were taken over from daemons whose leases had expired."""

    def carrier_answered(self, op: CarrierOp, status: int | None, took_s: float) -> None:
        """A request left, and was answered with an HTTP *status*, or with none."""

    def carrier_retried(self, reason: RetryReason) -> None:
        """The carrier is asked the same again."""

    def webhook_began(self) -> None:
        """A request of the carrier's has come in."""

    def webhook_ended(self, route: str, result: WebhookResult, took_s: float) -> None:
        """It was answered; *route* is one of a closed set of topics."""

    def webhook_repeated(self) -> None:
        """The carrier reported what was known already."""

    def transaction_ended(self, kind: TransactionKind, took_s: float) -> None:
        """A transaction is over."""

    def store_was_busy(self) -> None:
        """Somebody else held the database when a transaction was to begin."""

    def ticked(self, took_s: float) -> None:
        """The dispatcher has gone round once."""

    def loop_lagged(self, lag_s: float) -> None:
        """A timer of the event loop came so much late."""

    def lines_limited(self, limit: int) -> None:
        """The account may have so many calls at once, from now on; 0: as many as it likes."""

    def settings_loaded(self, at: int) -> None:
        """Settings were read and are in force from *at* on (UTC ms)."""


#: For whoever is not watched.
NO_METERS: Final = Meters()


@contextmanager
def timed(meters: Meters, kind: TransactionKind) -> Iterator[None]:
    """Count the block as one transaction, by the event loop's clock."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        yield
    finally:
        meters.transaction_ended(kind, loop.time() - began_s)
