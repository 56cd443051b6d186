"""A month drawn for a terminal: weeks as rows, what is not ordinary marked by glyph and colour."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dialer.hours import Range
from dialer.hours_format import CLOSED, DAYS, format_ranges
from dialer.months import Day, Mark, Month

#: Marks are told apart without colours too, in any font and encoding.
GLYPHS: Final = {
    Mark.ORDINARY: "",
    Mark.OPEN: "",
    Mark.CLOSED: "-",
    Mark.HOLIDAY: "*",
    Mark.EXCEPTION: "!",
}
_STYLES: Final = {
    Mark.ORDINARY: "",
    Mark.OPEN: "",
    Mark.CLOSED: "dim",
    Mark.HOLIDAY: "bold red",
    Mark.EXCEPTION: "bold yellow",
}
_LEGEND: Final = {
    Mark.HOLIDAY: "holiday",
    Mark.EXCEPTION: "hours of its own",
    Mark.CLOSED: "closed",
}


def draw(month: Month, title: str, console: Console) -> None:
    """Print the month: a grid with hours where there is room, and what its marks stand for.

    Where there is none, the grid has the dates only and the hours are listed below.
    """
    console.print(Text(_heading(month, title), style="bold"), soft_wrap=True)
    console.print()
    roomy = _width(month, with_hours=True) <= console.width
    console.print(_grid(month, console.width, with_hours=roomy))
    notes = [*_notes(month, with_hours=not roomy)]
    if notes:
        console.print()
    for line in notes:
        console.print(line, soft_wrap=True)


def weekday(day: date) -> str:
    """The day's name in three letters."""
    return DAYS[day.weekday()].capitalize()


def _heading(month: Month, title: str) -> str:
    first = month.days[0].date
    return f"{first:%B %Y}  {title}".rstrip()


def _grid(month: Month, room: int, *, with_hours: bool) -> Table:
    gap = 2 if _width(month, with_hours=with_hours, gap=2) <= room else 1
    grid = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="")
    for name in DAYS:
        cell_width = _cell_width(month, with_hours=with_hours)
        grid.add_column(name.capitalize(), no_wrap=True, min_width=cell_width)
    for week in month.weeks:
        grid.add_row(*(_cell(day, with_hours=with_hours) for day in week))
    return grid


def _width(month: Month, *, with_hours: bool, gap: int = 1) -> int:
    return len(DAYS) * (_cell_width(month, with_hours=with_hours) + gap) - gap


def _cell_width(month: Month, *, with_hours: bool) -> int:
    """All columns are as wide as the widest: the days of a week look alike."""
    lines = [
        line for day in month.days for line in _cell(day, with_hours=with_hours).plain.splitlines()
    ]
    return max(map(len, [*lines, *DAYS]))


def _cell(day: Day | None, *, with_hours: bool) -> Text:
    if day is None:
        return Text()
    lines = [f"{day.date.day:>2} {GLYPHS[day.mark]}".rstrip()]
    if with_hours:
        lines += [_short(each) for each in day.hours]
    return Text("\n".join(lines), style=_STYLES[day.mark])


def _notes(month: Month, *, with_hours: bool) -> Iterator[Text]:
    """What the marks stand for, and each day that has more to say than the grid has room for."""
    marks = {day.mark for day in month.days}
    legend = [f"{GLYPHS[mark]} {words}" for mark, words in _LEGEND.items() if mark in marks]
    if legend:
        yield Text("   ".join(legend))
    for day in month.days:
        words = describe(day, with_hours=with_hours or day.mark is Mark.EXCEPTION)
        if words:
            glyph = GLYPHS[day.mark] or " "
            line = f"{weekday(day.date)} {day.date.day:>2} {glyph} {words}"
            yield Text(line, style=_STYLES[day.mark])


def describe(day: Day, *, with_hours: bool) -> str:
    """What there is to say of a day: its hours, if wanted, and its holidays with their calendars.

    An exception goes before a holiday, which is named all the same.
    """
    states_hours = day.mark in (Mark.OPEN, Mark.EXCEPTION)
    hours = [format_ranges(day.hours) or CLOSED] if with_hours and states_hours else []
    names = [
        f"{each.name} ({each.calendar})" if each.calendar else each.name for each in day.holidays
    ]
    return ", ".join([*hours, *names])


def _short(hours: Range) -> str:
    """Hours without the minutes that are none: ``09-17:30``."""
    return "-".join(_short_clock(minute) for minute in (hours.start_minute, hours.end_minute))


def _short_clock(minute: int) -> str:
    hour, rest = divmod(minute, 60)
    return f"{hour:02}:{rest:02}" if rest else f"{hour:02}"
