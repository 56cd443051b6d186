"""The days of a forecast as bars of characters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dialer.forecast.summary import Day

#: Days are put together until there are no more lines than this.
LINES: Final = 20
WIDTH: Final = 40
REACHED, OTHER = "█", "░"


@dataclass(frozen=True, slots=True)
class Span:
    """One line of the plot: a day, or several that follow each other."""

    name: str
    calls: float
    reached: float
    left: float


def plot(days: Sequence[Day]) -> list[str]:
    """Lines for a terminal: calls and people reached as a bar, and in figures what is left."""
    spans = spans_of(days)
    most = max((span.calls for span in spans), default=0.0)
    width = max((len(span.name) for span in spans), default=0)
    legend = f"{REACHED} people reached  {OTHER} other calls"
    lines = [f"{'':{width}}  {legend:{WIDTH}}  {'calls':>9}  {'reached':>9}  {'left':>9}"]
    for span in spans:
        bar = bar_of(span.calls, span.reached, most)
        figures = "  ".join(f"{n:>9,.0f}" for n in (span.calls, span.reached, span.left))
        lines.append(f"{span.name:{width}}  {bar:{WIDTH}}  {figures}")
    return lines


def spans_of(days: Sequence[Day]) -> list[Span]:
    """*days*, as many of them together as it takes to have few enough lines."""
    together = math.ceil(len(days) / LINES) or 1
    return [_span(days[n : n + together]) for n in range(0, len(days), together)]


def _span(days: Sequence[Day]) -> Span:
    first, last = days[0].day, days[-1].day
    name = f"{first:%a %d %b}" if first == last else f"{first:%d %b} to {last:%d %b}"
    calls, reached = sum(day.calls for day in days), sum(day.reached for day in days)
    return Span(name, calls, reached, days[-1].left)


def bar_of(calls: float, reached: float, most: float) -> str:
    """A bar as long as *calls* are of *most*, with the people reached at its start.

    Whatever happened at all is seen: a day with calls has a bar.
    """
    if not calls:
        return ""
    length = max(1, round(WIDTH * calls / most))
    full = min(length, round(WIDTH * reached / most))
    return REACHED * full + OTHER * (length - full)
