"""A month day by day, as a schedule or holiday calendars have it: what is open, and why not."""

from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from dialer.hours import DAYS_OF_A_WEEK, SECOND_MS, Basis, OpeningHours, Ranges
from dialer.timezones import zone

#: The names of the days of a calendar in a year.
NameProvider = Callable[[str, int], Mapping[date, str]]

#: The name of a holiday that is the schedule's own.
OWN_HOLIDAY: Final = "closed by the schedule"


class Mark(StrEnum):
    """What a day is."""

    ORDINARY = "ordinary"  # no holiday; nobody asked about hours
    OPEN = "open"  # has its weekly hours, or what the eve carries over
    CLOSED = "closed"  # an ordinary day without hours
    HOLIDAY = "holiday"
    EXCEPTION = "exception"  # has hours of its own, or none by an exception


@dataclass(frozen=True, slots=True)
class Holiday:
    """Why a day is a holiday, and by which calendar; an empty one is the schedule itself."""

    name: str
    calendar: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day; *hours* are united, in order, none past midnight, and empty where closed."""

    date: date
    mark: Mark
    hours: Ranges = ()
    holidays: tuple[Holiday, ...] = ()


@dataclass(frozen=True, slots=True)
class Month:
    """The days from the first to the last."""

    days: tuple[Day, ...]

    @property
    def weeks(self) -> Sequence[Sequence[Day | None]]:
        """Rows of seven, Monday first, with None for days of the months beside it."""
        before = self.days[0].date.weekday()
        cells = [*[None] * before, *self.days]
        cells += [None] * (-len(cells) % DAYS_OF_A_WEEK)
        return [cells[at : at + DAYS_OF_A_WEEK] for at in range(0, len(cells), DAYS_OF_A_WEEK)]


def month_of(at: int, zone_name: str) -> tuple[int, int]:
    """The year and the number of the month that the clocks of a zone show at *at* (UTC ms)."""
    wall_clock = datetime.fromtimestamp(at / SECOND_MS, zone(zone_name))
    return wall_clock.year, wall_clock.month


def of_schedule(year: int, month: int, hours: OpeningHours, names: NameProvider) -> Month:
    """The month as a schedule has it."""
    return Month(days_of(_dates(year, month), hours, names))


def days_of(dates: Sequence[date], hours: OpeningHours, names: NameProvider) -> tuple[Day, ...]:
    """Days as a schedule has them."""
    schedule = hours.schedule
    holidays: dict[date, list[Holiday]] = {}
    for year in sorted({day.year for day in dates}):
        holidays |= _holidays_of(year, schedule.calendars, names)
    for day in schedule.holidays:
        holidays.setdefault(day, []).insert(0, Holiday(OWN_HOLIDAY, ""))
    days = []
    for day in dates:
        ranges = hours.ranges_on(day)
        mark = _MARKS[hours.basis_of(day), bool(ranges)]
        days.append(Day(day, mark, ranges, tuple(holidays.get(day, ()))))
    return tuple(days)


def of_calendars(year: int, month: int, calendars: Iterable[str], names: NameProvider) -> Month:
    """The month as holiday calendars have it, all together."""
    holidays = _holidays_of(year, calendars, names)
    return Month(
        tuple(
            Day(
                day,
                Mark.HOLIDAY if day in holidays else Mark.ORDINARY,
                holidays=tuple(holidays.get(day, ())),
            )
            for day in _dates(year, month)
        )
    )


_MARKS: Final[Mapping[tuple[Basis, bool], Mark]] = {
    (Basis.WEEKLY, True): Mark.OPEN,
    (Basis.WEEKLY, False): Mark.CLOSED,
    (Basis.HOLIDAY, False): Mark.HOLIDAY,
    (Basis.EXCEPTION, True): Mark.EXCEPTION,
    (Basis.EXCEPTION, False): Mark.EXCEPTION,
}


def _holidays_of(
    year: int, calendars: Iterable[str], names: NameProvider
) -> dict[date, list[Holiday]]:
    found: dict[date, list[Holiday]] = {}
    for calendar in calendars:
        for day, name in names(calendar, year).items():
            found.setdefault(day, []).append(Holiday(name, calendar))
    return found


def _dates(year: int, month: int) -> Sequence[date]:
    _, length = monthrange(year, month)
    return [date(year, month, number) for number in range(1, length + 1)]
