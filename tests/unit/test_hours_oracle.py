"""Opening hours against an oracle that knows nothing but the definition.

The oracle walks real instants minute by minute, asks what the clocks of the zone show, and
decides by the words of the definition. The windows it walks lie around changes of the clocks and
around the borders of what is compiled together. A run with more examples per test
(``--hypothesis-profile``) tries as many times more schedules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.hours import BLOCK_MS, Hours, Intersection, OpeningHours, Range, Ranges, Schedule

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
ONE_DAY = timedelta(days=1)

WINDOW_DAYS = 3
WINDOW_MINUTES = WINDOW_DAYS * 24 * 60

FIRST_DAY = int(datetime(2009, 1, 1, tzinfo=UTC).timestamp()) * 1000 // DAY_MS
LAST_DAY = int(datetime(2029, 1, 1, tzinfo=UTC).timestamp()) * 1000 // DAY_MS

ZONES = {  # each with the day of a change worth looking at in every run
    "Africa/Cairo": "2014-05-15",  # changes come and go by decree
    "Africa/Casablanca": "2024-03-10",  # winter time during Ramadan
    "America/Asuncion": "2024-10-06",  # the last change: summer time has stayed since
    "America/Havana": "2025-11-02",  # midnight came twice
    "America/New_York": "2025-03-09",
    "America/Nuuk": "2024-03-30",  # a Saturday evening
    "America/Santiago": "2024-04-07",  # the hour before midnight came twice
    "America/Sao_Paulo": "2018-11-04",  # midnight did not exist
    "America/St_Johns": "2010-11-07",  # a minute into Sunday, Saturday's last hour came again
    "America/Vancouver": "2026-03-08",  # the last change: summer time has stayed since
    "Antarctica/Troll": "2024-03-31",  # two hours at once
    "Asia/Amman": "2022-10-28",  # the change that was called off
    "Asia/Beirut": "2023-03-30",
    "Asia/Gaza": "2023-04-29",  # several changes a year
    "Asia/Kathmandu": "2024-07-01",  # 5:45, without changes
    "Asia/Pyongyang": "2018-05-05",  # half an hour forward at midnight
    "Asia/Tehran": "2018-03-22",  # midnight did not exist, on the last day of a block
    "Australia/Lord_Howe": "2024-04-07",  # half an hour of summer time
    "Europe/Berlin": "2024-10-27",
    "Europe/Dublin": "2024-10-27",  # winter time is the exception
    "Europe/Istanbul": "2015-11-08",
    "Pacific/Apia": "2011-12-30",  # this Friday never was
    "Pacific/Chatham": "2024-04-07",  # 12:45
    "UTC": "2024-02-29",
}

EXAMPLES = max(8, settings().max_examples // 6)


# --- the oracle -----------------------------------------------------------------------------------


@cache
def clocks_of(zone: str) -> ZoneInfo:
    """The zone as the package has it, whatever the process prefers."""
    with files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=zone)


@dataclass(frozen=True)
class Case:
    """A schedule, its public holidays, and three days of instants to look at."""

    schedule: Schedule
    public: frozenset[date]
    start_at: int

    def hours(self) -> OpeningHours:
        return OpeningHours(
            self.schedule, lambda _, year: frozenset(d for d in self.public if d.year == year)
        )

    def minutes(self) -> range:
        return range(self.start_at, self.start_at + WINDOW_MINUTES * MINUTE_MS, MINUTE_MS)

    def truth(self) -> list[bool]:
        """Whether it is open, for every minute of the window."""
        clocks = clocks_of(self.schedule.zone)
        walls = (datetime.fromtimestamp(at // 1000, clocks) for at in self.minutes())
        return [self._says_the_definition(wall.date(), wall.hour, wall.minute) for wall in walls]

    def _says_the_definition(self, day: date, hour: int, minute: int) -> bool:
        now = hour * 60 + minute
        for own in self._ranges_starting_on(day):
            begins, ends = own.start_minute, own.end_minute
            if begins <= now and (now < ends or ends < begins):
                return True
        if self._is_special(day):
            return False
        eve = self._ranges_starting_on(day - ONE_DAY)
        return any(r.end_minute < r.start_minute and now < r.end_minute for r in eve)

    def _ranges_starting_on(self, day: date) -> Ranges:
        if day in self.schedule.exceptions:
            return self.schedule.exceptions[day]
        return () if self._is_special(day) else self.schedule.weekly[day.weekday()]

    def _is_special(self, day: date) -> bool:
        return (
            day in self.schedule.exceptions or day in self.schedule.holidays or day in self.public
        )


# --- what is looked at ----------------------------------------------------------------------------


@cache
def window_starts(zone: str) -> list[int]:
    """Instants a day before each change of the clocks, and before borders of compiled blocks."""
    offsets = [
        datetime.fromtimestamp(day * DAY_MS // 1000, clocks_of(zone)).utcoffset()
        for day in range(FIRST_DAY, LAST_DAY)
    ]
    changes = [day for day in range(1, len(offsets)) if offsets[day] != offsets[day - 1]]
    borders = range(FIRST_DAY * DAY_MS // BLOCK_MS + 1, LAST_DAY * DAY_MS // BLOCK_MS, 20)
    return [(FIRST_DAY + day - 2) * DAY_MS for day in changes] + [
        border * BLOCK_MS - DAY_MS for border in borders
    ]


def windows(zone: str) -> st.SearchStrategy[int]:
    """Where to look in *zone*: at the change named above as often as at any other."""
    noted = datetime.fromisoformat(ZONES[zone]).replace(tzinfo=UTC) - ONE_DAY
    return st.one_of(st.just(int(noted.timestamp()) * 1000), st.sampled_from(window_starts(zone)))


near_a_change = st.integers(0, 4 * 60)
minutes_of_a_day = st.one_of(near_a_change, st.integers(0, 1439), st.integers(20 * 60, 1439))


@st.composite
def ranges_of_a_day(draw: st.DrawFn) -> Ranges:
    spans = st.tuples(minutes_of_a_day, st.one_of(minutes_of_a_day, st.just(1440)))
    drawn = draw(st.lists(spans, max_size=3))
    return tuple(Range(start, end) for start, end in drawn if start != end)


@st.composite
def cases(draw: st.DrawFn, zone: str, start_at: int) -> Case:
    first = datetime.fromtimestamp(start_at // 1000, UTC).date() - ONE_DAY
    dates = st.integers(0, WINDOW_DAYS + 2).map(lambda number: first + number * ONE_DAY)
    return Case(
        Schedule(
            zone=zone,
            weekly=tuple(draw(ranges_of_a_day()) for _ in range(7)),
            exceptions=draw(st.dictionaries(dates, ranges_of_a_day(), max_size=2)),
            holidays=draw(st.frozensets(dates, max_size=1)),
            calendars=("XX",),
        ),
        public=draw(st.frozensets(dates, max_size=1)),
        start_at=start_at,
    )


def assert_agrees(hours: Hours, truth: Sequence[bool], minutes: range, inside_ms: int) -> None:
    """Compare every answer at *inside_ms* into every minute, from the last minute to the first."""
    end_at = minutes[-1] + MINUTE_MS
    for at, is_open, opening, closing in backwards(truth, minutes):
        asked = at + inside_ms
        assert hours.is_open(asked) is is_open, moment(asked)
        answer = hours.next_open(asked)
        if is_open:
            assert answer == asked, moment(asked)
        elif opening is None:
            assert answer is None or answer >= end_at, moment(asked)
        else:
            assert answer == opening, moment(asked)
        until = hours.open_until(asked)
        if not is_open:
            assert until == asked, moment(asked)
        elif closing is None:
            assert until >= end_at, moment(asked)
        else:
            assert until == closing, moment(asked)


def backwards(
    truth: Sequence[bool], minutes: range
) -> Iterator[tuple[int, bool, int | None, int | None]]:
    """Each minute with whether it is open and the next open and closed minute in the window."""
    opening: int | None = None
    closing: int | None = None
    for at, is_open in zip(reversed(minutes), reversed(truth), strict=True):
        if is_open:
            opening = at
        else:
            closing = at
        yield at, is_open, opening, closing


def moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


inside_a_minute = st.sampled_from([0, 1, 30_000, 59_999])


# --- the proof ------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
def test_every_minute_agrees_with_the_definition(zone: str) -> None:
    @settings(max_examples=EXAMPLES)
    @given(
        st.sampled_from(window_starts(zone)).flatmap(lambda at: cases(zone, at)), inside_a_minute
    )
    def check(case: Case, inside_ms: int) -> None:
        assert_agrees(case.hours(), case.truth(), case.minutes(), inside_ms)

    check()


@st.composite
def cases_of_one_window(draw: st.DrawFn) -> list[Case]:
    zones = draw(st.lists(st.sampled_from(sorted(ZONES)), min_size=1, max_size=3, unique=True))
    start_at = draw(windows(zones[0]))
    return [draw(cases(zone, start_at)) for zone in zones]


@settings(max_examples=EXAMPLES)
@given(cases_of_one_window(), inside_a_minute)
def test_an_intersection_agrees_with_all_its_definitions(cases: list[Case], inside_ms: int) -> None:
    truth = [all(each) for each in zip(*(case.truth() for case in cases), strict=True)]

    hours = Intersection(*(case.hours() for case in cases))

    assert_agrees(hours, truth, cases[0].minutes(), inside_ms)


def cases_at_any_time(zone: str) -> st.SearchStrategy[Case]:
    return st.integers(FIRST_DAY, LAST_DAY).flatmap(lambda day: cases(zone, day * DAY_MS))


@given(
    st.sampled_from(sorted(ZONES)).flatmap(cases_at_any_time),
    st.integers(FIRST_DAY * DAY_MS, LAST_DAY * DAY_MS),
    st.integers(0, 40 * DAY_MS),
)
def test_the_answers_agree_with_one_another(case: Case, at: int, later: int) -> None:
    hours, fresh = case.hours(), case.hours()

    opening = hours.next_open(at)

    assert (hours.open_until(at) > at) is hours.is_open(at) is (opening == at)
    if opening is None:
        assert not hours.is_open(at + later)
        return
    assert hours.is_open(opening)
    closing = hours.open_until(opening)
    assert not hours.is_open(closing) or closing == opening + 400 * DAY_MS
    following = fresh.next_open(at + later)  # asked of one that has compiled nothing else
    assert following == hours.next_open(at + later)
    assert following is None or following >= opening
