"""When the next calls may start, from the lanes they pass through.

A *lane* lets one call through per *spacing*; an account's calls per second and a campaign's call
interval are lanes. Starts are reserved ahead on an absolute schedule that corrects itself, so
that neither a slow carrier nor a busy machine stretches the gaps, and evenly, so that no sliding
second ever holds more than the lane allows. A slot that was missed is gone: after a pause, a
sleep or a clock jump nothing is caught up in a burst.

Times are UTC microseconds here, because calls per second do not divide into milliseconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

US: Final = 1_000_000
#: No lane is believed to be taken for longer than this beyond the horizon.
FURTHEST_US: Final = 120 * US


@dataclass(frozen=True, slots=True)
class Lane:
    """One call per *spacing_us*; the next not before *next_us*. Spacing 0 never holds a call."""

    next_us: int
    spacing_us: int

    def free_at(self, horizon_us: int) -> int:
        """When the lane lets a call through again.

        It is never reserved far beyond a horizon, so a time that lies further off is the trace of
        a clock that was ahead for a moment; it holds nobody for longer than that.
        """
        return min(self.next_us, horizon_us + self.spacing_us + FURTHEST_US)


def per_second(calls: float) -> int:
    """The spacing that allows *calls* starts in any second; 0 calls a second means no limit."""
    return math.ceil(US / calls) if calls else 0


@dataclass(frozen=True, slots=True)
class Slots:
    """The starts that were found, and the lanes as they stand after them."""

    starts_us: Sequence[int]
    lanes: Sequence[Lane]


def reserve(lanes: Sequence[Lane], now_us: int, horizon_us: int, limit: int) -> Slots:
    """Up to *limit* starts in ``[now, horizon]``, each allowed by every lane."""
    spacings = [lane.spacing_us for lane in lanes]
    free = [lane.free_at(horizon_us) for lane in lanes]
    starts: list[int] = []
    while len(starts) < limit:
        start = max(now_us, *free)
        if start > horizon_us:
            break
        starts.append(start)
        free = [start + spacing for spacing in spacings]
    taken = [Lane(at, spacing) for at, spacing in zip(free, spacings, strict=True)]
    return Slots(starts, taken)


def opened(
    lanes: Sequence[Lane], now_us: int, horizon_us: int, starts_us: Sequence[int]
) -> Sequence[int]:
    """From when on each of *starts_us*, which were reserved with a lead, may really leave.

    The first need not wait for its start where the lanes have been free: whoever came before has
    left, and whoever comes after keeps the distance from the start.
    """
    held_until = (lane.free_at(horizon_us) for lane in lanes if lane.spacing_us)
    open_us = max(now_us, *held_until, 0)
    return [min(open_us, start) if start == starts_us[0] else start for start in starts_us]
