"""Counters and histograms that cost next to nothing until somebody asks for them.

The library's own take a lock and check every call, which is a microsecond; a call in a busy engine
has a dozen facts. Here one thread adds up plain numbers, and they become the library's families of
samples when they are collected.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

NAMESPACE: Final = "dialer"

#: Turns what something is counted by into the values of its labels; None: it is not told here.
Labels: TypeAlias = Callable[[Any], tuple[str, ...] | None]
NO_LABELS: Final[tuple[str, ...]] = ()


def as_they_are(key: Iterable[str]) -> tuple[str, ...]:
    """The labels of what is counted by them."""
    return tuple(str(each) for each in key)


class Counts(Collector):
    """A counter: add to :attr:`of` by key. Keys that share labels are told as one series."""

    def __init__(
        self,
        name: str,
        help_: str,
        names: Sequence[str] = (),
        *,
        labels: Labels = as_they_are,
        zeros: Iterable[tuple[str, ...]] = (),
        of: Counter[Any] | None = None,
    ) -> None:
        """*zeros* are labels that are told before anything was counted by them; *of* is a counter
        of which another metric tells something else.
        """
        self._name, self._help, self._names = f"{NAMESPACE}_{name}", help_, tuple(names)
        self._labels, self._zeros = labels, [as_they_are(each) for each in zeros]
        self.of: Counter[Any] = Counter() if of is None else of

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._help, labels=self._names)
        for labels, value in self._summed().items():
            family.add_metric(labels, value)
        yield family

    def _summed(self) -> Counter[tuple[str, ...]]:
        sums: Counter[tuple[str, ...]] = Counter(dict.fromkeys(self._zeros, 0))
        for key, value in self.of.items():
            if (labels := self._labels(key)) is not None:
                sums[labels] += value
        return sums


class Buckets:
    """How often values were seen, by size."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Take one value down."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """How many values are within each bound, and the sum of them all."""
        so_far, cumulative = 0, []
        for bound, count in zip([*self._bounds, float("inf")], self._counts, strict=True):
            so_far += count
            written = floatToGoString(bound)  # type: ignore[no-untyped-call]  # the library left it out
            cumulative.append((written, float(so_far)))
        return cumulative, self._total


class Histograms(Collector):
    """A histogram for each value of its label, or one where it has none; all are there at once."""

    def __init__(
        self,
        name: str,
        help_: str,
        bounds: Sequence[float],
        label: str | None = None,
        of: Iterable[str] = (),
    ) -> None:
        self._name, self._help = f"{NAMESPACE}_{name}", help_
        self._names = () if label is None else (label,)
        self.of = {value: Buckets(bounds) for value in of}
        #: The one without a label.
        self.only: Final = Buckets(bounds)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._help, labels=self._names)
        series = {(str(value),): each for value, each in self.of.items()}
        for labels, buckets in series.items() if self._names else [(NO_LABELS, self.only)]:
            cumulative, total = buckets.told()
            family.add_metric(labels, cumulative, total)
        yield family
