"""What `dialer holidays` takes days from, and how it tells of calendars and their days."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialer.commands.console import counted, iso, say, table

if TYPE_CHECKING:
    from datetime import date

    from dialer.calendar_days import BadRow
    from dialer.calendars import Calendar, Changed
    from dialer.months import Day, Month

#: Bad rows that are told one by one.
ROWS_TOLD = 20


def read_source(
    source: str, years: str | None, encoding: str | None
) -> tuple[Mapping["date", str], Sequence["BadRow"]]:
    """The days of a country's calendar or of a file, and the rows of it that say none."""
    from dialer.calendar_days import parse_years, read_table
    from dialer.errors import UsageError
    from dialer.holiday_calendars import named_holidays
    from dialer.lists.csvio import open_table

    if _is_code(source):
        if years is None:
            file = f"; the file is ./{source}" if Path(source).is_file() else ""
            raise UsageError(f"which years of {source}? Add --years 2026-2028{file}")
        by_year = [named_holidays(source, year) for year in parse_years(years)]
        return {day: name for days in by_year for day, name in days.items()}, ()
    if years is not None:
        raise UsageError("--years is for the holidays of a country; a file states its dates")
    with open_table(Path(source), encoding=encoding) as rows:
        read = read_table(rows)
    return read.days, read.bad_rows


def _is_code(source: str) -> bool:
    """Whether a calendar of the library is meant: a file of its name is written ``./DE``."""
    from dialer.calendars import like_a_code
    from dialer.errors import UsageError
    from dialer.holiday_calendars import check_calendar

    if not like_a_code(source):
        return False
    try:
        check_calendar(source)
    except UsageError:
        return not Path(source).is_file()  # what is neither is told of as a code
    return True


def show_month(facts: Mapping[str, Any], found: "Month") -> None:
    """A grid on a terminal; when piped, a line for each day."""
    from dialer.commands.month_grid import describe, draw, weekday
    from dialer.hours_format import format_ranges

    if not sys.stdout.isatty():
        table(
            [],
            [
                [day.date, weekday(day.date), day.mark, format_ranges(day.hours) if day.hours
                 else "", describe(day, with_hours=False)]
                for day in found.days
            ],
        )  # fmt: skip
        return
    from rich.console import Console

    title = ", ".join(facts["calendars"]) or "no calendars"
    if facts["schedule"] is not None:
        title = f"{facts['schedule']}, {facts['zone']}"
    draw(found, title, Console(highlight=False))


def days_json(month: "Month") -> list[dict[str, Any]]:
    """The days of a month as data."""
    return [_day_json(day) for day in month.days]


def _day_json(day: "Day") -> dict[str, Any]:
    from dialer.commands.month_grid import weekday

    return {
        "date": str(day.date),
        "weekday": weekday(day.date),
        "mark": day.mark,
        "hours": [str(each) for each in day.hours],
        "holidays": [
            {"name": each.name, "calendar": each.calendar or None} for each in day.holidays
        ],
    }


def calendar_json(calendar: "Calendar", users: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """An own calendar as data; *users* are the schedules by the calendar they name."""
    return {
        "name": calendar.name,
        "own": True,
        "days": len(calendar.days),
        "first": None if calendar.first is None else str(calendar.first),
        "last": None if calendar.last is None else str(calendar.last),
        "schedules": [*users.get(calendar.name, ())],
        "created_at": iso(calendar.created_at),
    }


def changed_json(changed: "Changed") -> dict[str, Any]:
    """What an edit came to, as data."""
    return {
        "name": changed.calendar.name,
        "days": len(changed.calendar.days),
        "added": changed.added,
        "renamed": changed.renamed,
        "removed": texts(changed.removed),
        "schedules": [*changed.schedules],
    }


def texts(days: Mapping["date", str]) -> dict[str, str]:
    """Days and labels as data."""
    return {str(day): label for day, label in days.items()}


def say_added(changed: "Changed") -> None:
    """Tell what was added and what follows from it."""
    name = repr(changed.calendar.name)
    renamed = f", {counted(changed.renamed, 'day')} renamed" if changed.renamed else ""
    if changed.added or changed.renamed:
        say(f"{counted(changed.added, 'day')} added to {name}{renamed}")
    else:
        say(f"{name} had all of it already; nothing was changed")
    say_schedules(changed, "close on them from now on")
    say(f"next:  dialer holidays show {name}")


def say_schedules(changed: "Changed", what: str) -> None:
    """Tell *what* holds for the schedules an edit has changed, if there are any."""
    if changed.schedules:
        say(f"schedules that {what}: {', '.join(repr(each) for each in changed.schedules)}")


def say_rejected(bad_rows: Sequence["BadRow"]) -> None:
    """Tell the rows of a file that were not taken."""
    if not bad_rows:
        return
    say(f"{counted(len(bad_rows), 'row')} rejected:")
    for each in bad_rows[:ROWS_TOLD]:
        say(f"  row {each.number}, {each.column}: {each.value!r} {each.reason}")
    if len(bad_rows) > ROWS_TOLD:
        say(f"  and {len(bad_rows) - ROWS_TOLD} more; see them all with --json")
