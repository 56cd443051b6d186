"""Facts as Prometheus wants them counted; what is read when it asks is in ``readings``.

Labels come from closed sets, or are ids of ours, of which a bounded number gets series of its own;
the rest is *other*. A phone number is never among them, nor a name that somebody has given.
"""

import platform
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder

from amd.verdict import Verdict
from dialer import __version__
from dialer.meters import (
    CarrierOp,
    Meters,
    RetryReason,
    SilentCallFate,
    TransactionKind,
    WebhookResult,
)
from dialer.metrics.gauges import Gauges
from dialer.metrics.readings import OTHER, OwnLabels, Readings
from dialer.metrics.series import NAMESPACE, NO_LABELS, Counts, Histograms
from dialer.model import AmdMode, CallFacts, CampaignId, NumberId
from dialer.outcomes import ring_s, verdict_of
from retries.outcome import Outcome

MS: Final = 1000
#: The topics of the addresses the carrier is given.
WEBHOOK_ROUTES: Final = (
    "status", "amd", "answer", "connect", "identify", "message", "left", "transcript", "keypress",
    "incoming", "incoming_keypress",
)  # fmt: skip
#: What the carrier answers: classes of HTTP statuses, the one that means *not now*, nothing.
NO_ANSWER: Final = "none"
_TOO_MANY: Final = 429
CARRIER_CODES: Final = ("2xx", "3xx", "4xx", str(_TOO_MANY), "5xx", NO_ANSWER)
#: Who detects machines, where somebody does.
DETECTORS: Final = tuple(mode for mode in AmdMode if mode is not AmdMode.OFF)

_SHORT_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LATE_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RING_S: Final = (1, 2, 4, 6, 8, 10, 15, 20, 25, 30, 45, 60)
_TALK_S: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800)


class Metrics(Meters):
    """Counts facts, and writes them down beside the latest reading of the gauges."""

    def __init__(self, *, lines_limit: int = 0, speed: float = 1.0) -> None:
        """*lines_limit* is how many calls the account may have at once; 0: as many as it likes.

        What the process itself takes is told in real seconds: *speed* is how fast the event loop's
        pass.
        """
        self.registry = CollectorRegistry(auto_describe=True)
        self._speed = speed
        self._labels = OwnLabels()
        self._under_way = 0
        self._count_calls()
        self._count_requests()
        self._count_the_process()
        self._tell_what_stays(lines_limit)
        self._readings = Readings(self._labels)
        self.registry.register(self._readings)
        ProcessCollector(registry=self.registry)

    def exposition(self, accept: str, gauges: Gauges | None) -> tuple[bytes, str]:
        """All there is to tell, as an *Accept* header wants it, and its content type."""
        self._readings.show(gauges, callbacks_under_way=self._under_way)
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    # -- calls -----------------------------------------------------------------------------------

    def _count_calls(self) -> None:
        self._attempts = self._registered(
            Counts(
                "call_attempts",
                "Calls the carrier was asked for.",
                ("campaign", "number_id"),
                labels=lambda key: (self._labels.campaign(key[0]), self._labels.number(key[1])),
            )
        )
        self._ended = self._registered(
            Counts(
                "calls_ended",
                "Attempts that are over, as calls or without one, by outcome.",
                ("campaign", "outcome"),
                labels=lambda key: (self._labels.campaign(key[0]), str(key[1])),
            )
        )
        # By campaign, outcome, detector and who answered: one addition tells both.
        self._ends = self._ended.of
        self._registered(
            Counts(
                "amd_results",
                "Answered calls by who answered, as detected.",
                ("mode", "result"),
                labels=_detected,
                zeros=product(DETECTORS, Verdict),
                of=self._ends,
            )
        )
        self._reconciled = self._closed(
            "calls_reconciled",
            "Silent calls that were looked for, by result.",
            verdict=SilentCallFate,
        )
        self._violations = self._closed(
            "compliance_violations", "Attempts that became two calls: it must stay 0."
        )
        self._leases = self._closed(
            "leases_expired", "Attempts taken over from daemons whose lease had expired."
        )
        self._dial_lag = self._histogram(
            "dial_lag_seconds", "How long after its slot a request for a call was sent.", _LATE_S
        ).only
        self._ring = self._histogram(
            "ring_seconds", "From the first ring to the answer, or to the end.", _RING_S
        ).only
        self._talk = self._histogram(
            "talk_seconds", "How long answered calls went on.", _TALK_S, "outcome", Outcome
        ).of

    def call_asked_for(self, campaign_id: CampaignId, number_id: NumberId, late_s: float) -> None:
        self._attempts.of[campaign_id, number_id] += 1
        self._dial_lag.observe(late_s)

    def call_ended(
        self, campaign_id: CampaignId, outcome: Outcome, mode: AmdMode, facts: CallFacts
    ) -> None:
        answered = facts.answered_at is not None
        who = str(verdict_of(facts, mode)) if answered and mode is not AmdMode.OFF else None
        self._ends[campaign_id, outcome, mode, who] += 1
        rang_s = ring_s(facts)
        if rang_s is not None:
            self._ring.observe(rang_s)
        if answered and facts.duration_s is not None:
            self._talk[outcome].observe(facts.duration_s)

    def reconciled(self, verdict: SilentCallFate) -> None:
        self._reconciled.of[verdict,] += 1

    def promise_broken(self) -> None:
        self._violations.of[NO_LABELS] += 1

    def attempts_adopted(self, attempts: int) -> None:
        self._leases.of[NO_LABELS] += attempts

    # -- the carrier -----------------------------------------------------------------------------

    def _count_requests(self) -> None:
        self._requests = self._closed(
            "carrier_requests", "Requests to the carrier by what it answered.",
            op=CarrierOp, code=CARRIER_CODES,
        )  # fmt: skip
        self._request_s = self._histogram(
            "carrier_request_seconds", "How long they took, in line included.", _LATE_S,
            "op", CarrierOp,
        ).of  # fmt: skip
        self._retries = self._closed(
            "carrier_retries", "Requests that were repeated, by why.", reason=RetryReason
        )
        self._webhooks = self._closed(
            "webhooks", "Requests of the carrier's by address and result.",
            route=WEBHOOK_ROUTES, result=WebhookResult,
        )  # fmt: skip
        self._handling = self._histogram(
            "webhook_handling_seconds", "How long they took to be answered.", _SHORT_S
        ).only
        self._duplicates = self._closed(
            "webhook_duplicates", "Callbacks that said nothing new about their call."
        )

    def carrier_answered(self, op: CarrierOp, status: int | None, took_s: float) -> None:
        self._requests.of[op, _code(status)] += 1
        self._request_s[op].observe(took_s)

    def carrier_retried(self, reason: RetryReason) -> None:
        self._retries.of[reason,] += 1

    def webhook_began(self) -> None:
        self._under_way += 1

    def webhook_ended(self, route: str, result: WebhookResult, took_s: float) -> None:
        self._under_way -= 1
        self._webhooks.of[route if route in WEBHOOK_ROUTES else OTHER, result] += 1
        self._handling.observe(took_s / self._speed)

    def webhook_repeated(self) -> None:
        self._duplicates.of[NO_LABELS] += 1

    # -- the process -----------------------------------------------------------------------------

    def _count_the_process(self) -> None:
        self._transactions = self._histogram(
            "db_transaction_seconds", "How long transactions took.", _SHORT_S,
            "kind", TransactionKind,
        ).of  # fmt: skip
        self._busy = self._closed(
            "db_busy", "Transactions that met somebody else holding the database."
        )
        self._tick = self._histogram(
            "engine_tick_seconds", "How long a round of the dispatcher took.", _SHORT_S
        ).only
        self._loop_lag = self._histogram(
            "loop_lag_seconds", "How late timers of the event loop came.", _SHORT_S
        ).only

    def transaction_ended(self, kind: TransactionKind, took_s: float) -> None:
        self._transactions[kind].observe(took_s / self._speed)

    def store_was_busy(self) -> None:
        self._busy.of[NO_LABELS] += 1

    def ticked(self, took_s: float) -> None:
        self._tick.observe(took_s / self._speed)

    def loop_lagged(self, lag_s: float) -> None:
        self._loop_lag.observe(lag_s / self._speed)

    def lines_limited(self, limit: int) -> None:
        self._lines_limit.set(limit)

    def settings_loaded(self, at: int) -> None:
        self._loaded.set(at / MS)

    def _tell_what_stays(self, lines_limit: int) -> None:
        build = Info("build", "This release.", namespace=NAMESPACE, registry=self.registry)
        build.info({"version": __version__, "python": platform.python_version()})
        self._lines_limit = self._gauge(
            "lines_limit", "Calls the account may have at once; 0: no limit."
        )
        self.lines_limited(lines_limit)
        self._loaded = self._gauge(
            "config_last_reload_success_timestamp_seconds",
            "When the settings in force were read, in Unix seconds.",
        )

    # -- how they are made -----------------------------------------------------------------------

    def _closed(self, name: str, help_: str, **labels: Iterable[str]) -> Counts:
        """A counter whose labels have known values, all of which are told from the start."""
        return self._registered(Counts(name, help_, list(labels), zeros=product(*labels.values())))

    def _registered(self, counts: Counts) -> Counts:
        self.registry.register(counts)
        return counts

    def _histogram(
        self,
        name: str,
        help_: str,
        bounds: Sequence[float],
        label: str | None = None,
        of: Iterable[str] = (),
    ) -> Histograms:
        histograms = Histograms(name, help_, bounds, label, of)
        self.registry.register(histograms)
        return histograms

    def _gauge(self, name: str, help_: str) -> Gauge:
        return Gauge(name, help_, namespace=NAMESPACE, registry=self.registry)


def _detected(key: tuple[CampaignId, Outcome, AmdMode, str | None]) -> tuple[str, ...] | None:
    """The labels of who answered, if somebody did and somebody else detected it."""
    *_, mode, who = key
    return None if who is None else (str(mode), who)


def _code(status: int | None) -> str:
    """The class of an HTTP status, of a closed set."""
    if status is None:
        return NO_ANSWER
    if status == _TOO_MANY:
        return str(status)
    by_class = f"{status // 100}xx"
    return by_class if by_class in CARRIER_CODES else NO_ANSWER
