"""Rates with what is known about them, and percentiles. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

#: Of the normal distribution, for 95 %.
_Z: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Rate:
    """*hits* of *of*, and Wilson's 95 % interval: https://doi.org/10.1080/01621459.1927.10502953.

    Without a case there is no rate, and anything from 0 to 1 is possible.
    """

    hits: int
    of: int

    @property
    def rate(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        share, square = self.hits / self.of, _Z * _Z / self.of
        middle = share + square / 2
        reach = _Z * sqrt(share * (1 - share) / self.of + square / (4 * self.of))
        low, high = (middle - reach) / (1 + square), (middle + reach) / (1 + square)
        return (max(0.0, low) if self.hits else 0.0, min(1.0, high) if self.hits < self.of else 1.0)

    def as_json(self) -> dict[str, float | int | None]:
        """For programs: counts, the rate and both ends of the interval."""
        low, high = self.interval
        rate = None if self.rate is None else round(self.rate, 4)
        return {
            "hits": self.hits,
            "of": self.of,
            "rate": rate,
            "low": round(low, 4),
            "high": round(high, 4),
        }

    def __str__(self) -> str:
        if self.rate is None:
            return "-"
        low, high = self.interval
        return f"{self.rate:.1%} ({low:.1%} to {high:.1%}) of {self.of:,}"


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest of *values* that at least a *share* of them does not exceed; None of none."""
    if not values:
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
