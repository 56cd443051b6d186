"""What several runs have in common: a middle and a band for each figure, and means by day."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from dialer.forecast.problem import Problem
from dialer.forecast.snapshot import Number
from dialer.forecast.stand_ins import StandIn
from dialer.forecast.tally import DayCount, NumberDay, Tally, Use

#: One more run, or the campaign itself, is to lie within a band so often.
CERTAINTY: Final = 0.8
#: A limit of which so much is used is what holds the campaign back.
BINDING: Final = 0.85


@dataclass(frozen=True, slots=True)
class Band:
    """The middle of the runs, and where the campaign itself will lie with some certainty.

    None: not within the days.
    """

    low: float | None
    middle: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Day:
    """A mean day of the campaign, in its zone."""

    day: date
    calls: float
    reached: float
    left: float  # not done at the end of the day


@dataclass(frozen=True, slots=True)
class Load:
    """What a number carries, on the days on which anybody is called."""

    number: Number
    calls_a_day: float
    of_cap: float  # the share of its cap that it uses
    days_full: float | None  # the share of days on which it runs into it; None: not known


@dataclass(frozen=True, slots=True)
class Summary:
    """One setup of a campaign."""

    runs: int
    finish: Band  # UTC ms
    finished: int  # runs that came to an end within the days
    calls: Band
    reached: Band
    never_reached: Band  # people who are done without having been reached
    left: Band  # people who are not done when the days are over
    days: Sequence[Day]
    numbers: Sequence[Load]
    spent_days: float  # days on which all numbers have had all their calls
    spent_minute: float | None  # of the day, in the mean: when that is
    use: Mapping[str, float]  # by limit, the share of it that is used

    @property
    def bottleneck(self) -> str | None:
        """The limit that holds the campaign back, if one does."""
        limit, used = max(self.use.items(), key=lambda item: item[1])
        return limit if used >= BINDING else None


def summarize(problem: Problem, people: int, tallies: Sequence[Tally]) -> Summary:
    """Sum up the runs of one setup; *people* had still to be called when they began."""
    spent = [minute for each in tallies for minute in each.spent.values()]
    return Summary(
        runs=len(tallies),
        finish=_band([math.inf if t.ended_at is None else t.ended_at for t in tallies]),
        finished=sum(each.ended_at is not None for each in tallies),
        calls=_band([each.calls for each in tallies]),
        reached=_band([each.reached for each in tallies]),
        never_reached=_band([each.never_reached for each in tallies]),
        left=_band([each.left for each in tallies]),
        days=_days(people, tallies),
        numbers=_loads(problem, tallies),
        spent_days=len(spent) / len(tallies),
        spent_minute=sum(spent) / len(spent) if spent else None,
        use=_use([each.use for each in tallies]),
    )


def beyond(runs: int) -> int:
    """How many of so many runs may lie below a band, and as many above it.

    Of *runs* and the campaign itself each is as likely as the others to be the least, the next,
    and so on: so far in the campaign lies between the *n*-th from below and the *n*-th from above
    with a chance of ``(runs + 1 - 2 * n) / (runs + 1)``.
    """
    return max(0, math.floor((1 - CERTAINTY) / 2 * (runs + 1) + 1e-9) - 1)


def certainty(runs: int) -> float:
    """The chance that the campaign lies within the band of so many runs."""
    return (runs - 1 - 2 * beyond(runs)) / (runs + 1)


def _band(values: Sequence[float]) -> Band:
    """Three of the values themselves: between two times of the day there may be a night."""
    ordered, out = sorted(values), beyond(len(values))
    middle = ordered[(len(ordered) - 1) // 2]
    return Band(_finite(ordered[out]), _finite(middle), _finite(ordered[-1 - out]))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _days(people: int, tallies: Sequence[Tally]) -> list[Day]:
    left = float(people)
    days = []
    for day in sorted({day for each in tallies for day in each.days}):
        counts = [each.days.get(day, DayCount()) for each in tallies]
        left -= _mean(counts, lambda count: count.done)
        calls = _mean(counts, lambda count: count.calls)
        reached = _mean(counts, lambda count: count.reached)
        days.append(Day(day, calls, reached, max(0.0, left)))
    return days


def _mean(counts: Sequence[DayCount], figure: Callable[[DayCount], float]) -> float:
    return sum(figure(count) for count in counts) / len(counts)


def _loads(problem: Problem, tallies: Sequence[Tally]) -> list[Load]:
    return [
        load
        for stand_in in problem.stand_ins
        if stand_in.id in tallies[0].numbers
        for load in _shared(problem, stand_in, [each.numbers[stand_in.id] for each in tallies])
    ]


def _shared(
    problem: Problem, stand_in: StandIn, runs: Sequence[Mapping[int, NumberDay]]
) -> Iterator[Load]:
    """What each of the numbers carries that share a stand-in."""
    counts = [count for by_day in runs for count in by_day.values()]
    calls, allowed = sum(c.calls for c in counts), sum(c.allowed for c in counts)
    of_cap = calls / allowed if allowed else 0.0
    exact = problem.scale.factor == 1
    full = sum(count.calls >= count.allowed for count in counts)
    for number in stand_in.numbers:
        yield Load(
            number,
            # A small world may have a few calls a day for all of them: the share alone tells.
            calls / len(counts)
            if exact and counts
            else of_cap * problem.campaign.max_calls_per_day,
            of_cap,
            full / len(counts) if exact and counts else None,
        )


def _use(uses: Sequence[Use]) -> dict[str, float]:
    shares: dict[str, list[float | None]] = {
        "call_interval": [each.call_interval for each in uses],
        "calls_per_second": [each.calls_per_second for each in uses],
        "calls_at_once": [each.calls_at_once for each in uses],
        "calls_a_day": [each.calls_a_day for each in uses],
    }
    known = {limit: [v for v in values if v is not None] for limit, values in shares.items()}
    return {limit: sum(values) / len(values) for limit, values in known.items() if values}
