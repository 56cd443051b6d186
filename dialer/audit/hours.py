"""Opening hours read a second time: is a stored schedule open at an instant?

Each instant is answered by itself, from the date and the minute that the clocks of the zone show,
so that nothing is shared with how the engine compiles them. A date has the hours of its exception
if there is one, none on a holiday, else those of its weekday and what the eve carries past
midnight.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib import resources
from itertools import chain
from typing import Any, Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE_MS: Final = 60_000

#: The public holidays of a calendar code in a year.
PublicHolidays = Mapping[tuple[str, int], frozenset[date]]


class StoredHours:
    """A schedule's body, as JSON; raises ValueError for one that cannot be read."""

    def __init__(self, body: str, public_holidays: PublicHolidays) -> None:
        try:
            form: Mapping[str, Any] = json.loads(body)
            self.clocks = zone(form["zone"])
            self._weekly = [_ranges(form["weekly"].get(day, ())) for day in DAYS]
            self._exceptions = {
                date.fromisoformat(day): _ranges(texts)
                for day, texts in form.get("exceptions", {}).items()
            }
            own_days: Mapping[str, Iterable[str]] = form.get("own_days", {})
            closed = chain(form.get("holidays", ()), *own_days.values())
            self._holidays = {date.fromisoformat(day) for day in closed}
            named = form.get("calendars", ())
            self.calendars = tuple(name for name in named if name not in own_days)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a schedule: {error!r}") from error
        self._public_holidays = public_holidays

    def open_at(self, at: int) -> bool:
        """Whether it is open at *at*; KeyError where the days of a calendar were not given."""
        wall = datetime.fromtimestamp(at / 1000, self.clocks)
        day, minute = wall.date(), wall.hour * 60 + wall.minute
        if self._on_exception_or_holiday(day):
            return any(_begun(each, minute) for each in self._exceptions.get(day, ()))
        eve = day - timedelta(days=1)
        return any(_begun(each, minute) for each in self._weekly[day.weekday()]) or any(
            minute < end < start for start, end in self._stated(eve)
        )

    def open_near(self, at: int, skew_ms: int) -> bool:
        """Whether it is open at any instant that *at* may be, by a clock off by *skew_ms*."""
        near = [*range(at - skew_ms, at + skew_ms, MINUTE_MS), at + skew_ms]
        return any(self.open_at(each) for each in near)

    def _on_exception_or_holiday(self, day: date) -> bool:
        return day in self._exceptions or day in self._holidays or self._public(day)

    def _public(self, day: date) -> bool:
        return any(day in self._public_holidays[code, day.year] for code in self.calendars)

    def _stated(self, day: date) -> Iterable[tuple[int, int]]:
        """The ranges that begin on *day*."""
        if day in self._exceptions:
            return self._exceptions[day]
        return () if self._on_exception_or_holiday(day) else self._weekly[day.weekday()]


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """A zone from the packaged data, whatever this machine knows; ValueError for no such zone."""
    folder, _, file = f"tzdata/zoneinfo/{name}".rpartition("/")
    try:
        with resources.files(folder.replace("/", ".")).joinpath(file).open("rb") as data:
            return ZoneInfo.from_file(data, key=name)
    except (OSError, ImportError, ValueError) as error:
        raise ValueError(f"not a time zone: {name!r}") from error


def local_date(zone_name: str, at: int) -> date:
    """The date that the clocks of a zone show at *at*."""
    return datetime.fromtimestamp(at / 1000, zone(zone_name)).date()


def _ranges(texts: Iterable[str]) -> list[tuple[int, int]]:
    """Minutes of the day of ranges such as ``09:00-18:00``."""
    return [(_minute(start), _minute(end)) for start, _, end in (t.partition("-") for t in texts)]


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def _begun(hours: tuple[int, int], minute: int) -> bool:
    """Whether *minute* lies in a range on the date it begins on."""
    start, end = hours
    return start <= minute and (minute < end or end < start)
