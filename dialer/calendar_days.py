"""The days of a holiday calendar as operators write them: dates, ranges, labels, CSV files."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from dialer.errors import UsageError
from dialer.lists.csvio import Table, TableRow

LABEL_LENGTH: Final = 120
#: A longer range has most likely a wrong year in it.
LONGEST_RANGE: Final = 366

_YEARS: Final = re.compile(r"([0-9]{4})(?:-([0-9]{4}))?")


def parse_days(text: str) -> Sequence[date]:
    """Read ``2026-12-24`` or ``2026-12-24..2026-12-31``, both ends included."""
    first_text, dots, last_text = text.partition("..")
    first = parse_day(first_text)
    last = parse_day(last_text) if dots else first
    if last < first:
        raise UsageError(f"{text!r} ends before it begins; write the earlier date first")
    length = (last - first).days + 1
    if length > LONGEST_RANGE:
        raise UsageError(
            f"{text!r} is {length:,} days long; at most {LONGEST_RANGE} are taken at once"
        )
    return [first + timedelta(days=number) for number in range(length)]


def parse_day(text: str) -> date:
    """Read a date as in ``2026-12-24``; others are refused, since 3/4 is March or April."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = None
    if day is None or day.isoformat() != text.strip():
        raise UsageError(f"not a date: {text.strip()!r} (as in 2026-12-24)")
    return day


def parse_month(text: str) -> tuple[int, int]:
    """Read ``2026-12`` as a year and the number of a month."""
    try:
        first = parse_day(f"{text.strip()}-01")
    except UsageError:
        raise UsageError(f"not a month: {text!r} (as in 2026-12)") from None
    return first.year, first.month


def parse_years(text: str) -> range:
    """Read ``2026`` or ``2026-2028``, both ends included."""
    found = _YEARS.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise UsageError(f"not years: {text!r} (as in 2026, or 2026-2028)")
    return range(first, last + 1)


def checked_label(text: str) -> str:
    """What a day is, on one line; raises UsageError for nothing and for what cannot be shown."""
    label = " ".join(text.split())
    if not label:
        raise UsageError("a day needs a label that says what it is")
    if len(label) > LABEL_LENGTH or not label.isprintable():
        raise UsageError(
            f"not a label: {label[:LABEL_LENGTH]!r} (at most {LABEL_LENGTH} letters, on one line)"
        )
    return label


def span_text(days: Collection[date]) -> str:
    """Days in a row as :func:`parse_days` reads them."""
    first, last = min(days), max(days)
    return str(first) if first == last else f"{first}..{last}"


# -- files ----------------------------------------------------------------------------------------


class DayFault(StrEnum):
    """Why a row of a file was not taken."""

    UNREADABLE = "unreadable"  # its letters or its quotes are broken
    NOT_A_DATE = "not_a_date"
    NOT_A_LABEL = "not_a_label"
    TWICE = "twice"  # an earlier row has the date under another label


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not taken; *number* counts as spreadsheets do."""

    number: int
    column: str
    value: str
    reason: DayFault


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says: days with their labels, and the rows that say none."""

    days: Mapping[date, str]
    bad_rows: Sequence[BadRow]
    rows: int


#: Names of the columns, in lower case; the first is what an operator is told to write.
_DATE_NAMES: Final = ("date", "day", "datum", "tag", "fecha", "data")
_LABEL_NAMES: Final = ("label", "name", "holiday", "description", "feiertag", "bezeichnung")


def read_table(table: Table) -> Read:
    """The days in the rows of a CSV file with the columns date and label.

    Raises UsageError when there is no such column; a bad row never stops the others.
    """
    date_at, label_at = _column(table, _DATE_NAMES), _column(table, _LABEL_NAMES)
    days: dict[date, str] = {}
    bad_rows: list[BadRow] = []
    count = 0
    for row in table.rows():
        count += 1
        read = _read_row(table.header, row, date_at, label_at)
        if isinstance(read, BadRow):
            bad_rows.append(read)
        elif days.setdefault(read[0], read[1]) != read[1]:
            column = table.header[date_at]
            bad_rows.append(BadRow(row.number, column, str(read[0]), DayFault.TWICE))
    return Read(days, bad_rows, count)


def _column(table: Table, names: Sequence[str]) -> int:
    found = [at for at, title in enumerate(table.header) if title.casefold() in names]
    if len(found) != 1:
        what = "several columns could be" if found else "there is no column"
        raise UsageError(
            f"{table.name}: {what} {names[0]!r}; the columns are"
            f" {', '.join(repr(title) for title in table.header)}"
        )
    return found[0]


def _read_row(
    header: Sequence[str], row: TableRow, date_at: int, label_at: int
) -> tuple[date, str] | BadRow:
    if row.fault is not None:
        return BadRow(row.number, row.fault.column, row.fault.value, DayFault.UNREADABLE)
    cells = [*row.cells, *[""] * len(header)]
    try:
        day = parse_day(cells[date_at])
    except UsageError:
        return BadRow(row.number, header[date_at], cells[date_at], DayFault.NOT_A_DATE)
    try:
        return day, checked_label(cells[label_at])
    except UsageError:
        return BadRow(row.number, header[label_at], cells[label_at], DayFault.NOT_A_LABEL)
