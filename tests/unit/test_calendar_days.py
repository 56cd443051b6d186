"""Days of holiday calendars as operators write them."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.calendar_days import (
    LABEL_LENGTH,
    LONGEST_RANGE,
    BadRow,
    DayFault,
    Read,
    checked_label,
    parse_days,
    parse_month,
    parse_years,
    read_table,
    span_text,
)
from dialer.errors import UsageError
from dialer.lists.csvio import open_table


def read(folder: Path, text: str) -> Read:
    file = folder / "days.csv"
    file.write_text(text, encoding="utf-8")
    with open_table(file) as table:
        return read_table(table)


@given(st.dates(max_value=date(9000, 1, 1)), st.integers(0, LONGEST_RANGE - 1))
def test_a_range_has_both_its_ends_and_every_day_between(first: date, more: int) -> None:
    last = date.fromordinal(first.toordinal() + more)

    days = parse_days(f"{first}..{last}")

    assert (days[0], days[-1], len(set(days))) == (first, last, more + 1)
    assert parse_days(span_text(days)) == days


def test_one_day_is_a_range_of_one() -> None:
    assert parse_days("2026-12-24") == [date(2026, 12, 24)]
    assert span_text([date(2026, 12, 24)]) == "2026-12-24"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("24.12.2026", r"not a date: '24\.12\.2026' \(as in 2026-12-24\)"),
        ("12/24/2026", "not a date"),
        ("20261224", "not a date: '20261224'"),
        ("2026-W52-4", "not a date"),
        ("2026-02-29", "not a date: '2026-02-29'"),
        ("", "not a date: ''"),
        ("2026-12-24..", "not a date: ''"),
        ("2026-12-26..2026-12-24", "ends before it begins"),
        ("2026-12-24..2062-12-26", r"13,15\d days long; at most 366"),
    ],
)
def test_days_that_cannot_be_meant_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_days(text)


def test_months_and_years_are_read() -> None:
    assert parse_month("2026-12") == (2026, 12)
    assert [*parse_years("2026")] == [2026]
    assert [*parse_years("2026-2028")] == [2026, 2027, 2028]


@pytest.mark.parametrize("text", ["2026-13", "2026-0", "12/2026", "2026", "december"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"not a month: .* \(as in 2026-12\)"):
        parse_month(text)


@pytest.mark.parametrize("text", ["", "26", "2028-2026", "2026..2028", "next"])
def test_what_is_no_year_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"not years: .* \(as in 2026, or 2026-2028\)"):
        parse_years(text)


def test_a_label_is_one_line_that_shows() -> None:
    assert checked_label("  Mardi \t Gras\n") == "Mardi Gras"
    for text in ("", " \n", "x" * (LABEL_LENGTH + 1), "\x1b[31mred"):
        with pytest.raises(UsageError, match="label"):
            checked_label(text)


def test_a_file_gives_days_and_the_rows_that_are_none(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "Label;Note;Date\n"
        "Mardi Gras;;2026-02-17\n"
        "Eve;;24.12.2026\n"
        ";;2026-12-25\n"
        "Mardi Gras;again;2026-02-17\n"
        "Carnival;;2026-02-17\n"
        "Short\n"
        "New Year;;2027-01-01\n",
    )

    assert found.days == {date(2026, 2, 17): "Mardi Gras", date(2027, 1, 1): "New Year"}
    assert found.rows == 7
    assert found.bad_rows == [
        BadRow(3, "Date", "24.12.2026", DayFault.NOT_A_DATE),
        BadRow(4, "Label", "", DayFault.NOT_A_LABEL),
        BadRow(6, "Date", "2026-02-17", DayFault.TWICE),
        BadRow(7, "Date", "", DayFault.NOT_A_DATE),
    ]


def test_a_row_that_cannot_be_read_is_a_bad_one(tmp_path: Path) -> None:
    found = read(tmp_path, 'date,label\n2026-02-17,"Mardi\n2027-01-01,New Year\n')

    assert [*found.days] == [date(2027, 1, 1)]
    assert [(each.number, each.reason) for each in found.bad_rows] == [(2, DayFault.UNREADABLE)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("when,what", "there is no column 'date'; the columns are 'when', 'what'"),
        ("date,what", "there is no column 'label'"),
        ("date,Datum,label", "several columns could be 'date'"),
    ],
)
def test_a_file_without_the_columns_is_refused(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(tmp_path, f"{header}\n2026-12-24,Eve\n")
