"""What one run came to, counted from its database and scaled up to the large world."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from dialer.forecast.problem import MS, Allowance, Problem
from dialer.forecast.scale import open_time
from dialer.model import CampaignId
from dialer.ports import Database, Row
from dialer.states import MemberState
from dialer.timezones import zone

#: Limits are judged by the calls up to this share: in what remains, everybody waits for retries.
BUSY_SHARE: Final = 0.9


class DayCount(NamedTuple):
    """One calendar day of the campaign's zone."""

    calls: float = 0.0
    reached: float = 0.0
    done: float = 0.0  # whose last outcome fell on this day


class NumberDay(NamedTuple):
    """One calendar day of a stand-in's own zone, in the small world."""

    calls: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Use:
    """Which share of each limit was used while there was enough to do."""

    call_interval: float | None  # None: there is no such limit
    calls_per_second: float | None
    calls_at_once: float
    calls_a_day: float


@dataclass(frozen=True, slots=True)
class Tally:
    """One run. Counts are those of the large world."""

    ended_at: int | None  # None: not within the days it was given
    calls: float
    reached: float
    never_reached: float
    left: float
    days: Mapping[date, DayCount]
    numbers: Mapping[int, Mapping[int, NumberDay]]  # by stand-in and ordinal of the day
    spent: Mapping[date, int]  # minute of the day at which every number had had its calls
    use: Use


async def tally(
    database: Database,
    problem: Problem,
    campaign_id: CampaignId,
    allowances: Sequence[Allowance],
    busy_s: float,
) -> Tally:
    """Count what *database* holds after a run; *busy_s* is how long its calls took."""
    async with database.read() as tx:
        end = await tx.row("forecast_campaign_end", campaign_id=campaign_id)
        calls = await tx.rows("forecast_calls")
        done = await tx.rows("forecast_members_done")
    assert end is not None, "the campaign of this run exists"
    factor = problem.scale.factor
    reached = sum(row["state"] == MemberState.COMPLETED for row in done)
    numbers = _by_number(calls, allowances)
    return Tally(
        ended_at=end["ended_at"],
        calls=len(calls) * factor,
        reached=reached * factor,
        never_reached=(len(done) - reached) * factor,
        left=(len(problem.members) - len(done)) * factor,
        days=_by_day(problem, calls, done),
        numbers=numbers,
        spent=_spent(problem, calls, numbers),
        use=_use(problem, calls, numbers, busy_s),
    )


def _by_day(problem: Problem, calls: Sequence[Row], done: Sequence[Row]) -> dict[date, DayCount]:
    clocks = zone(problem.zone)

    def day_of(at: int) -> date:
        return datetime.fromtimestamp(at / MS, clocks).date()

    called = Counter(day_of(row["intent_at"]) for row in calls)
    over = Counter(day_of(row["changed_at"]) for row in done)
    reached = Counter(
        day_of(row["changed_at"]) for row in done if row["state"] == MemberState.COMPLETED
    )
    factor = problem.scale.factor
    return {
        day: DayCount(called[day] * factor, reached[day] * factor, over[day] * factor)
        for day in sorted({*called, *over})
    }


def _by_number(
    calls: Sequence[Row], allowances: Sequence[Allowance]
) -> dict[int, dict[int, NumberDay]]:
    """Every stand-in on every day on which there was a call at all."""
    counted = Counter((row["number_id"], _ordinal(row["day"])) for row in calls)
    days = sorted({day for _, day in counted})
    return {
        each.stand_in.id: {
            day: NumberDay(counted[each.stand_in.id, day], each.on(day)) for day in days
        }
        for each in allowances
    }


def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _spent(
    problem: Problem, calls: Sequence[Row], numbers: Mapping[int, Mapping[int, NumberDay]]
) -> dict[date, int]:
    """The days on which all numbers had had all their calls, and from when on."""
    times: dict[int, list[int]] = {}
    for row in calls:
        times.setdefault(_ordinal(row["day"]), []).append(row["intent_at"])
    spent = {}
    for day, called_at in times.items():
        counts = [by_day[day] for by_day in numbers.values()]
        if sum(each.calls for each in counts) >= sum(each.allowed for each in counts):
            moment = datetime.fromtimestamp(_over_at(problem, called_at) / MS, zone(problem.zone))
            spent[date.fromordinal(day)] = moment.hour * 60 + moment.minute
    return spent


def _over_at(problem: Problem, called_at: Sequence[int]) -> float:
    """When the last of a day's calls was made: the last one in the small world is the first of
    those it stands for."""
    first, last = called_at[0], called_at[-1]
    gap_ms = (last - first) / (len(called_at) - 1) if len(called_at) > 1 else 0.0
    return last + gap_ms * (1 - 1 / problem.scale.factor)


def _use(
    problem: Problem,
    calls: Sequence[Row],
    numbers: Mapping[int, Mapping[int, NumberDay]],
    busy_s: float,
) -> Use:
    busy = calls[: max(1, round(len(calls) * BUSY_SHARE))]
    if not busy:
        return Use(None, None, 0.0, 0.0)
    until_at = busy[-1]["intent_at"] + 1
    open_s = max(1.0, open_time(problem.hours, problem.at, until_at) / MS)
    setup, factor = problem.setup, problem.scale.factor
    interval_s = setup.campaign.call_interval_s
    a_second = setup.calls_per_second
    lines = problem.scale.lines(problem.setup.lines)
    held_s = busy_s * problem.scale.hold * len(busy) / len(calls)
    return Use(
        call_interval=_share(len(busy) * interval_s * factor, open_s) if interval_s else None,
        calls_per_second=_share(len(busy) * factor, open_s * a_second) if a_second else None,
        calls_at_once=_share(held_s, open_s * lines),
        calls_a_day=_use_of_caps(numbers, _ordinal(busy[-1]["day"])),
    )


def _use_of_caps(numbers: Mapping[int, Mapping[int, NumberDay]], last_day: int) -> float:
    """Over the whole days before the last, or over that one if it is the first."""
    counts = [(day, each) for by_day in numbers.values() for day, each in by_day.items()]
    whole = [each for day, each in counts if day < last_day] or [each for _, each in counts]
    return _share(sum(each.calls for each in whole), sum(each.allowed for each in whole))


def _share(used: float, of: float) -> float:
    return min(1.0, used / of) if of else 0.0
