"""Gauges as Prometheus wants them told: the latest reading, as families of samples."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final, TypeAlias

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dialer.metrics.gauges import Gauges
from dialer.metrics.series import NAMESPACE
from dialer.model import CampaignId, NumberId
from dialer.states import CampaignStatus

#: In place of the ids that have no series of their own.
OTHER: Final = "other"
#: So many campaigns, and so many caller ids, have series of their own.
MOST_CAMPAIGNS: Final = 100
MOST_NUMBERS: Final = 200

MS: Final = 1000

#: The labels of a sample, and its value.
Sample: TypeAlias = tuple[tuple[str, ...], float]


class NumberState(StrEnum):
    """Whether a caller id may be used."""

    ACTIVE = "active"
    DISABLED = "disabled"


class OwnLabels:
    """Which campaigns and caller ids have labels of their own: the first that came, for good.

    One that went from its own label to another would look like a counter that was set back.
    """

    def __init__(self) -> None:
        self._campaigns: dict[int, str] = {}
        self._numbers: dict[int, str] = {}

    def campaign(self, id_: CampaignId) -> str:
        return _own(self._campaigns, id_, MOST_CAMPAIGNS)

    def number(self, id_: NumberId) -> str:
        return _own(self._numbers, id_, MOST_NUMBERS)


def _own(known: dict[int, str], id_: int, most: int) -> str:
    if id_ not in known and len(known) < most:
        known[id_] = str(id_)
    return known.get(id_, OTHER)


class Readings(Collector):
    """Tells the reading it was shown last; of what could not be read, nothing."""

    def __init__(self, labels: OwnLabels) -> None:
        self._labels = labels
        self._gauges: Gauges | None = None
        self._callbacks_under_way = 0

    def show(self, gauges: Gauges | None, *, callbacks_under_way: int) -> None:
        """Tell these from now on."""
        if gauges is not None:
            # Campaigns that may still call come before those that are over.
            for campaign_id in sorted({id_ for id_, _ in gauges.waits} | gauges.open_calls.keys()):
                self._labels.campaign(campaign_id)
        self._gauges = gauges
        self._callbacks_under_way = callbacks_under_way

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for (name, help_, labels), samples in self._families():
            family = GaugeMetricFamily(f"{NAMESPACE}_{name}", help_, labels=labels)
            for values, value in samples(self._gauges) if self._gauges is not None else ():
                family.add_metric(values, value)
            yield family

    def _families(
        self,
    ) -> Iterable[tuple[tuple[str, str, tuple[str, ...]], Callable[[Gauges], Iterable[Sample]]]]:
        """Name, help and labels of each gauge, and what a reading says of it."""
        yield (
            ("campaigns", "Campaigns by state.", ("state",)),
            lambda now: [((each.value,), now.campaigns.get(each, 0)) for each in CampaignStatus],
        )
        yield (
            ("contacts", "Contacts of each campaign by status.", ("campaign", "status")),
            lambda now: self._by_campaign(
                (id_, (state.value,), count) for (id_, state), count in now.members.items()
            ),
        )
        yield (
            ("calls_active", "Attempts of each campaign that are not over.", ("campaign",)),
            lambda now: self._by_campaign((id_, (), n) for id_, n in now.open_calls.items()),
        )
        yield (
            ("contacts_blocked", "Contacts that wait, by what for.", ("campaign", "reason")),
            lambda now: self._by_campaign(
                (id_, (reason.value,), count) for (id_, reason), count in now.waits.items()
            ),
        )
        yield (
            ("calls_unknown", "Attempts of which nobody knows yet whether there is a call.", ()),
            lambda now: [((), now.doubtful)],
        )
        yield (
            ("webhook_backlog", "Callbacks that are not taken in yet.", ()),
            lambda now: [((), now.unfolded + self._callbacks_under_way)],
        )
        yield ("numbers", "Caller ids by state.", ("state",)), _number_states
        yield (
            ("number_spam_score", "Spam score of a caller id, 0 to 10.", ("number_id",)),
            lambda now: [
                ((label,), each.spam_score)
                for each in now.numbers
                if each.spam_score is not None
                and (label := self._labels.number(each.id)) is not OTHER
            ],
        )
        yield (
            ("number_calls_today", "Calls from a caller id on its day.", ("number_id",)),
            lambda now: _summed(
                ((self._labels.number(each.id),), each.calls_today) for each in now.numbers
            ),
        )
        yield (
            ("db_size_bytes", "What the database takes.", ()),
            lambda now: [((), now.data_bytes)],
        )
        yield (
            ("db_wal_bytes", "What its write-ahead log takes.", ()),
            lambda now: [] if now.log_bytes is None else [((), now.log_bytes)],
        )
        yield (
            (
                "backup_last_success_timestamp_seconds",
                "When the last backup was finished, in Unix seconds; 0: there is none.",
                (),
            ),
            lambda now: [((), (now.backup_at or 0) / MS)],
        )

    def _by_campaign(
        self, counts: Iterable[tuple[CampaignId, tuple[str, ...], int]]
    ) -> Iterable[Sample]:
        return _summed(((self._labels.campaign(id_), *rest), n) for id_, rest, n in counts)


def _number_states(now: Gauges) -> Iterable[Sample]:
    active = sum(each.active for each in now.numbers)
    counts = {NumberState.ACTIVE: active, NumberState.DISABLED: len(now.numbers) - active}
    return [((state.value,), count) for state, count in counts.items()]


def _summed(samples: Iterable[Sample]) -> list[Sample]:
    """Those that share labels, such as all the others, as one."""
    sums: Tally[tuple[str, ...]] = Tally()
    for labels, value in samples:
        sums[labels] += int(value)
    return list(sums.items())
