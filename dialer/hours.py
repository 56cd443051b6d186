"""When a schedule is open, exact across every change of the clocks.

A schedule speaks in wall-clock minutes of its zone. The hours of a date are those of its
exception if there is one, else none on a holiday, else those of its weekday. An exception or a
holiday states *all* hours of its date, so what the eve would carry past midnight is cut.

Whether an instant is open depends on nothing but the date and the minute that the clocks of the
zone show at that instant. It follows that minutes skipped by a change of the clocks never occur,
and that minutes shown twice are inside both times.

For speed the answer is compiled, 28 days at a time, into UTC milliseconds at which the schedule
opens and closes in turn (:meth:`OpeningHours._compile`). The days are cut where the zone's offset
changes; in each piece wall clock and UTC differ by a constant, so gaps, repeated hours and dates
that never were (Apia, 30 December 2011) need no case of their own.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import chain, pairwise
from types import MappingProxyType
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from dialer.errors import UsageError
from dialer.timezones import zone

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60 * SECOND_MS
DAY_MS: Final = 24 * 60 * MINUTE_MS

DAYS_OF_A_WEEK: Final = 7

MIDNIGHT: Final = 24 * 60
"""The minute at which a date ends, as in ``24:00``."""

HORIZON_MS: Final = 400 * DAY_MS
"""How far ahead an opening or a closing is looked for: more than a year of dates."""

BLOCK_MS: Final = 28 * DAY_MS
"""How much is compiled at a time."""

SAMPLE_MS: Final = DAY_MS
"""How often a zone's offset is looked at. Since 1970 no two changes lie within six days."""

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_ONE_DAY: Final = timedelta(days=1)


class Hours(Protocol):
    """Something that is open or closed at every instant. Instants are UTC milliseconds."""

    def is_open(self, at: int) -> bool:
        """Whether it is open at *at*."""
        ...

    def next_open(self, at: int) -> int | None:
        """*at* if open, else the earliest later open instant; None if 400 days have none."""
        ...

    def open_until(self, at: int) -> int:
        """The first closed instant from *at* on, at most 400 days ahead.

        It is *at* itself when closed, so the difference is always how long it stays open.
        """
        ...


@dataclass(frozen=True, slots=True)
class Range:
    """Wall-clock minutes of a date, from *start_minute* up to but without *end_minute*.

    An end before the start lies on the next date; 1440 (``24:00``) ends the date itself.
    """

    start_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        if not 0 <= self.start_minute < MIDNIGHT:
            raise UsageError(f"a range cannot start at minute {self.start_minute} (0 to 1439)")
        if not 0 <= self.end_minute <= MIDNIGHT:
            raise UsageError(f"a range cannot end at minute {self.end_minute} (0 to 1440)")
        if self.start_minute == self.end_minute:
            raise UsageError(
                f"a range cannot end where it starts: '{self}'; write 00:00-24:00 for a whole day"
            )

    def __str__(self) -> str:
        return f"{_clock(self.start_minute)}-{_clock(self.end_minute)}"

    @property
    def spills(self) -> bool:
        """Whether the range passes midnight."""
        return self.end_minute < self.start_minute


Ranges = tuple[Range, ...]
Week = tuple[Ranges, ...]
"""Seven days, Monday first."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Opening hours as an operator states them; ranges may overlap and are then united."""

    zone: str  # an IANA name
    weekly: Week
    exceptions: Mapping[date, Ranges] = field(default_factory=dict, hash=False)
    holidays: frozenset[date] = frozenset()  # the operator's own
    calendars: tuple[str, ...] = ()  # public holidays, as in "DE" or "US-CA", and own calendars
    #: The days of those of *calendars* that are the operator's own; their provider has the others.
    own_days: Mapping[str, frozenset[date]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        zone(self.zone)
        if len(self.weekly) != DAYS_OF_A_WEEK:
            raise UsageError(f"a week has 7 days, not {len(self.weekly)}")
        for day in chain(self.exceptions, self.holidays, *self.own_days.values()):
            if isinstance(day, datetime):  # it would equal no date, and its holiday be worked
                raise UsageError(f"not a date: {day!r} has a time of day")
        for name in self.own_days:
            if name not in self.calendars:  # its days would not be closed
                raise UsageError(f"the schedule has days of a calendar it does not name: {name!r}")
        object.__setattr__(self, "exceptions", MappingProxyType(dict(self.exceptions)))
        object.__setattr__(self, "own_days", MappingProxyType(dict(self.own_days)))


class Basis(StrEnum):
    """What states the hours of a date."""

    EXCEPTION = "exception"  # the schedule names the date
    HOLIDAY = "holiday"  # own or public; closed
    WEEKLY = "weekly"  # an ordinary date


HolidayProvider = Callable[[str, int], frozenset[date]]
"""The public holidays of a calendar ("DE-BY") in a year."""


def no_calendars(code: str, year: int) -> frozenset[date]:
    """Refuse: a schedule that names calendars must not run as if it named none."""
    raise ValueError(f"no provider of holidays was given, calendar {code!r} is needed for {year}")


def closing_when_unknown(holidays: HolidayProvider) -> HolidayProvider:
    """The same holidays; of a calendar that is not known, every day of the year."""

    def careful(code: str, year: int) -> frozenset[date]:
        try:
            return holidays(code, year)
        except UsageError:
            first = date(year, 1, 1)
            days = (date(year + 1, 1, 1) - first).days
            return frozenset(first + timedelta(days=number) for number in range(days))

    return careful


class OpeningHours:
    """A schedule, compiled: exact, and fast after the first question about a month.

    It keeps what it has compiled, so share one object between all who use the same schedule.
    """

    __slots__ = ("_blocks", "_provider", "_zone", "schedule")

    def __init__(self, schedule: Schedule, provider: HolidayProvider = no_calendars) -> None:
        self.schedule: Final = schedule
        self._provider = provider
        self._zone = zone(schedule.zone)
        self._blocks: dict[int, tuple[int, ...]] = {}

    def is_open(self, at: int) -> bool:
        """Whether the schedule is open at *at*."""
        return bisect_right(self._edges(at), at) % 2 == 1

    def next_open(self, at: int) -> int | None:
        """*at* if open, else the next opening; None if there is none within 400 days."""
        limit = at + HORIZON_MS
        seen_until = at
        while seen_until <= limit:
            edges = self._edges(seen_until)
            passed = bisect_right(edges, seen_until)
            if passed % 2:
                return seen_until
            if passed < len(edges):
                return edges[passed] if edges[passed] <= limit else None
            seen_until += BLOCK_MS - seen_until % BLOCK_MS
        return None

    def open_until(self, at: int) -> int:
        """The first closed instant from *at* on: *at* itself if closed, at most 400 days on."""
        limit = at + HORIZON_MS
        closing = at
        while closing < limit and self.is_open(closing):  # the end of a block closes nothing
            edges = self._edges(closing)
            closing = edges[bisect_right(edges, closing)]
        return min(closing, limit)

    def basis_of(self, day: date) -> Basis:
        """What states the hours of *day*."""
        if day in self.schedule.exceptions:
            return Basis.EXCEPTION
        if day in self.schedule.holidays or self._is_in_a_calendar(day):
            return Basis.HOLIDAY
        return Basis.WEEKLY

    def ranges_on(self, day: date) -> Ranges:
        """The wall-clock hours in which *day* is open: united, in order, none past midnight."""
        basis = self.basis_of(day)
        pieces = [
            (own.start_minute, MIDNIGHT if own.spills else own.end_minute)
            for own in self._stated(day, basis)
        ]
        if basis is Basis.WEEKLY:
            eve = day - _ONE_DAY
            pieces += [(0, r.end_minute) for r in self._stated(eve, self.basis_of(eve)) if r.spills]
        return tuple(Range(start, end) for start, end in _united(pieces))

    def _is_in_a_calendar(self, day: date) -> bool:
        return any(day in self._days_of(name, day.year) for name in self.schedule.calendars)

    def _days_of(self, calendar: str, year: int) -> frozenset[date]:
        """What is closed by a calendar: an own one's days are at hand, whatever their year."""
        own = self.schedule.own_days.get(calendar)
        return self._provider(calendar, year) if own is None else own

    def _stated(self, day: date, basis: Basis) -> Ranges:
        """The ranges that start on *day*."""
        if basis is Basis.EXCEPTION:
            return self.schedule.exceptions[day]
        return self.schedule.weekly[day.weekday()] if basis is Basis.WEEKLY else ()

    def _edges(self, at: int) -> tuple[int, ...]:
        """The openings and closings, in turn, of the block that holds *at*."""
        number = at // BLOCK_MS
        edges = self._blocks.get(number)
        if edges is None:
            edges = self._blocks[number] = self._compile(number * BLOCK_MS)
        return edges

    def _compile(self, start_at: int) -> tuple[int, ...]:
        """Openings and closings in turn; what is open at either end of the block is cut there."""
        edges: list[int] = []
        for from_at, to_at, offset in _constant_offsets(self._zone, start_at, start_at + BLOCK_MS):
            for opens, closes in self._local_openings(from_at + offset, to_at + offset):
                if edges and edges[-1] == opens - offset:
                    edges.pop()  # open across midnight or a change of the clocks: one span
                else:
                    edges.append(opens - offset)
                edges.append(closes - offset)
        return tuple(edges)

    def _local_openings(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """The open spans between two wall-clock times, in milliseconds since 1970 by that clock."""
        for number in range(from_ms // DAY_MS, (to_ms - 1) // DAY_MS + 1):
            midnight = number * DAY_MS
            for piece in self.ranges_on(date.fromordinal(_EPOCH_ORDINAL + number)):
                opens = max(from_ms, midnight + piece.start_minute * MINUTE_MS)
                closes = min(to_ms, midnight + piece.end_minute * MINUTE_MS)
                if opens < closes:
                    yield opens, closes


class Intersection:
    """Open when all of several windows are: the campaign's, the law's, each possible zone's."""

    __slots__ = ("_windows",)

    def __init__(self, *windows: Hours) -> None:
        if not windows:
            raise ValueError("an intersection of no windows would always be open; name one")
        self._windows = windows

    def is_open(self, at: int) -> bool:
        """Whether every window is open at *at*."""
        return all(window.is_open(at) for window in self._windows)

    def next_open(self, at: int) -> int | None:
        """*at* if all are open, else the next instant at which all are; None after 400 days."""
        limit = at + HORIZON_MS
        earliest: int | None = at
        while earliest is not None and earliest <= limit:
            asked = earliest
            earliest = self._next_in_turn(asked)
            if earliest == asked:
                return asked
        return None

    def open_until(self, at: int) -> int:
        """The first instant from *at* on at which any window is closed."""
        return min(window.open_until(at) for window in self._windows)

    def _next_in_turn(self, at: int) -> int | None:
        """Let each window move *at* forward: nothing is skipped that is open for all."""
        for window in self._windows:
            opening = window.next_open(at)
            if opening is None:
                return None
            at = opening
        return at


@dataclass(frozen=True, slots=True)
class _AlwaysOpen:
    def is_open(self, at: int) -> bool:  # noqa: ARG002  (one answer to every instant)
        return True

    def next_open(self, at: int) -> int | None:
        return at

    def open_until(self, at: int) -> int:
        return at + HORIZON_MS


@dataclass(frozen=True, slots=True)
class _NeverOpen:
    def is_open(self, at: int) -> bool:  # noqa: ARG002  (one answer to every instant)
        return False

    def next_open(self, at: int) -> int | None:  # noqa: ARG002  (one answer to every instant)
        return None

    def open_until(self, at: int) -> int:
        return at


ALWAYS_OPEN: Final[Hours] = _AlwaysOpen()
"""The hours of a campaign without a schedule."""

NEVER_OPEN: Final[Hours] = _NeverOpen()
"""The hours of a callee whose zone is unknown: not knowing closes."""


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _united(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same minutes in order, without overlaps, touching pieces joined, empty ones dropped."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(piece for piece in pieces if piece[0] < piece[1]):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _constant_offsets(
    clocks: ZoneInfo, start_at: int, end_at: int
) -> Iterator[tuple[int, int, int]]:
    """Cut the time between two instants wherever the clocks change.

    Yields (from, to, wall clock minus UTC), all in milliseconds.
    """
    from_at, offset = start_at, _offset_ms(clocks, start_at)
    for before_at, after_at in pairwise(range(start_at, end_at + 1, SAMPLE_MS)):
        following = _offset_ms(clocks, after_at)
        if following != offset:
            change_at = _change_between(clocks, before_at, after_at)
            yield from_at, change_at, offset
            from_at, offset = change_at, following
    yield from_at, end_at, offset


def _change_between(clocks: ZoneInfo, before_at: int, after_at: int) -> int:
    """The instant at which the one change between two instants happens; a whole second."""
    offset = _offset_ms(clocks, before_at)
    seconds = range(before_at, after_at + 1, SECOND_MS)
    return seconds[bisect_left(seconds, True, key=lambda at: _offset_ms(clocks, at) != offset)]


def _offset_ms(clocks: ZoneInfo, at: int) -> int:
    """Wall clock minus UTC; *at* is a whole second."""
    at_s = at // SECOND_MS
    wall_clock = datetime.fromtimestamp(at_s, clocks).replace(tzinfo=UTC)
    return (int(wall_clock.timestamp()) - at_s) * SECOND_MS
