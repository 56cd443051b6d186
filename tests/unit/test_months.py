"""A month day by day, and how it is drawn."""

import io
from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dialer.commands.month_grid import draw
from dialer.errors import UsageError
from dialer.hours import OpeningHours, Range, Schedule
from dialer.hours_format import from_json, parse_ranges, parse_weekly, to_json
from dialer.months import OWN_HOLIDAY, Holiday, Mark, Month, month_of, of_calendars, of_schedule

LABELS: Mapping[str, Mapping[date, str]] = {
    "US": {date(2026, 12, 25): "Christmas Day", date(2026, 7, 3): "Independence Day (observed)"},
    "LA PSC": {date(2026, 12, 24): "Eve", date(2026, 12, 25): "Christmas"},
}


def names(calendar: str, year: int) -> Mapping[date, str]:
    return {day: name for day, name in LABELS[calendar].items() if day.year == year}


def us_days(_code: str, year: int) -> frozenset[date]:
    return frozenset(names("US", year))


OFFICE = Schedule(
    "America/Chicago",
    parse_weekly("mon-thu 09:00-12:00,13:00-17:30; fri 22:00-06:00"),
    exceptions={date(2026, 12, 26): parse_ranges("10:00-14:00"), date(2026, 12, 28): ()},
    holidays=frozenset({date(2026, 12, 31)}),
    calendars=("US", "LA PSC"),
    own_days={"LA PSC": frozenset(LABELS["LA PSC"])},
)


def office(year: int, month: int) -> Month:
    return of_schedule(year, month, OpeningHours(OFFICE, us_days), names)


def drawn(month: Month, width: int = 80, title: str = "Office", **options: bool) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, **options)  # type: ignore[arg-type]  # flags only
    draw(month, title, console)
    return [line.rstrip() for line in file.getvalue().splitlines()]


# -- what a day is ---------------------------------------------------------------------------------


def test_each_day_of_a_schedules_month_is_told() -> None:
    days = {day.date.day: day for day in office(2026, 12).days}

    assert len(days) == 31
    assert (days[1].mark, days[1].hours) == (
        Mark.OPEN, (Range(540, 720), Range(780, 1050)),
    )  # fmt: skip
    assert (days[6].mark, days[6].hours) == (Mark.CLOSED, ())
    assert days[24].holidays == (Holiday("Eve", "LA PSC"),)
    assert (days[25].mark, days[25].hours) == (Mark.HOLIDAY, ())
    assert days[25].holidays == (Holiday("Christmas Day", "US"), Holiday("Christmas", "LA PSC"))
    assert (days[26].mark, days[26].hours) == (Mark.EXCEPTION, (Range(600, 840),))
    assert (days[28].mark, days[28].hours) == (Mark.EXCEPTION, ())
    assert days[31].holidays == (Holiday(OWN_HOLIDAY, ""),)


def test_what_a_night_carries_over_is_on_the_day_it_is_open() -> None:
    days = {day.date.day: day for day in office(2026, 12).days}

    assert (days[4].hours, days[5].hours) == ((Range(1320, 1440),), (Range(0, 360),))
    assert days[5].mark is Mark.OPEN


def test_the_eve_of_a_month_reaches_into_it() -> None:
    january = office(2028, 1)  # 31 December 2027 is a Friday

    assert january.days[0].hours == (Range(0, 360),)


def test_calendars_without_a_schedule_have_no_hours() -> None:
    days = {day.date.day: day for day in of_calendars(2026, 12, ["US", "LA PSC"], names).days}

    assert (days[24].mark, days[23].mark) == (Mark.HOLIDAY, Mark.ORDINARY)
    assert [each.calendar for each in days[25].holidays] == ["US", "LA PSC"]
    assert not any(day.hours for day in days.values())


@given(st.integers(1, 9998), st.integers(1, 12))
def test_weeks_hold_every_day_once_in_its_column(year: int, month: int) -> None:
    weeks = of_calendars(year, month, [], names).weeks

    days = [(column, day.date) for week in weeks for column, day in enumerate(week) if day]
    assert {len(week) for week in weeks} == {7}
    assert all(column == day.weekday() for column, day in days)
    assert [day.day for _, day in days] == [*range(1, len(days) + 1)]
    assert all(any(week) for week in weeks)


@pytest.mark.parametrize(
    ("year", "month", "weeks", "days"),
    [(2024, 2, 5, 29), (2027, 2, 4, 28), (2026, 8, 6, 31), (2026, 2, 5, 28)],
)
def test_months_have_from_four_to_six_weeks(year: int, month: int, weeks: int, days: int) -> None:
    found = office(year, month)

    assert (len(found.weeks), len(found.days)) == (weeks, days)
    lines = drawn(of_calendars(year, month, [], names), title="")
    assert lines[2].split() == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert len(lines[3:]) == weeks
    assert " ".join(lines[3:]).split() == [str(number) for number in range(1, days + 1)]


def test_this_month_is_the_one_of_the_zone() -> None:
    at = 1_798_761_600_000  # 2027-01-01 00:00 UTC

    assert month_of(at, "UTC") == (2027, 1)
    assert month_of(at, "America/Chicago") == (2026, 12)


# -- own days --------------------------------------------------------------------------------------


def test_an_own_calendar_closes_without_its_provider_being_asked() -> None:
    schedule = Schedule(
        "UTC", parse_weekly("daily 0-24"), calendars=("Own",), own_days={"Own": frozenset({EVE})}
    )
    hours = OpeningHours(schedule)  # a provider that refuses every question

    assert [hours.ranges_on(date(2026, 12, day)) for day in (23, 24)] == [(Range(0, 1440),), ()]
    assert hours.ranges_on(date(2031, 1, 1)) == (Range(0, 1440),)


def test_days_of_a_calendar_that_is_not_named_are_refused() -> None:
    with pytest.raises(UsageError, match="a calendar it does not name: 'Own'"):
        Schedule("UTC", parse_weekly("daily 0-24"), own_days={"Own": frozenset({EVE})})


def test_own_days_are_kept_in_the_stored_form_and_by_nobody_else() -> None:
    form = to_json(OFFICE)

    assert form["own_days"] == {"LA PSC": ["2026-12-24", "2026-12-25"]}
    assert from_json(form) == OFFICE
    assert "own_days" not in to_json(Schedule("UTC", parse_weekly("daily 9-17")))


EVE = date(2026, 12, 24)


# -- the picture -----------------------------------------------------------------------------------


def test_a_month_is_drawn_with_its_hours() -> None:
    assert drawn(office(2026, 12), 70) == [
        "December 2026  Office",
        "",
        "Mon       Tue       Wed       Thu       Fri       Sat       Sun",
        "           1         2         3         4         5         6 -",
        "          09-12     09-12     09-12     22-24     00-06",
        "          13-17:30  13-17:30  13-17:30",
        " 7         8         9        10        11        12        13 -",
        "09-12     09-12     09-12     09-12     22-24     00-06",
        "13-17:30  13-17:30  13-17:30  13-17:30",
        "14        15        16        17        18        19        20 -",
        "09-12     09-12     09-12     09-12     22-24     00-06",
        "13-17:30  13-17:30  13-17:30  13-17:30",
        "21        22        23        24 *      25 *      26 !      27 -",
        "09-12     09-12     09-12                         10-14",
        "13-17:30  13-17:30  13-17:30",
        "28 !      29        30        31 *",
        "          09-12     09-12",
        "          13-17:30  13-17:30",
        "",
        "* holiday   ! hours of its own   - closed",
        "Thu 24 * Eve (LA PSC)",
        "Fri 25 * Christmas Day (US), Christmas (LA PSC)",
        "Sat 26 ! 10:00-14:00",
        "Mon 28 ! closed",
        "Thu 31 * closed by the schedule",
    ]


def test_a_narrow_terminal_gets_the_hours_in_a_list() -> None:
    lines = drawn(office(2026, 12), 40)

    assert max(map(len, lines[:9])) <= 40
    assert lines[2] == "Mon   Tue   Wed   Thu   Fri   Sat   Sun"
    assert lines[6] == "21    22    23    24 *  25 *  26 !  27 -"
    assert "Tue  1   09:00-12:00,13:00-17:30" in lines
    assert "Fri 25 * Christmas Day (US), Christmas (LA PSC)" in lines
    assert "Sat 26 ! 10:00-14:00" in lines
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("width", [34, 27])
def test_the_narrowest_grids_keep_every_date(width: int) -> None:
    ordinary = of_calendars(2026, 3, [], names)

    lines = drawn(ordinary, width, title="")

    assert max(map(len, lines)) <= width
    assert " ".join(lines[3:]).split() == [str(number) for number in range(1, 32)]


def test_colours_only_add_to_the_marks() -> None:
    plain = drawn(office(2026, 12), 70)
    coloured = drawn(office(2026, 12), 70, force_terminal=True)

    assert not any("\x1b" in line for line in plain)
    assert any("25 *" in line and "\x1b[1;31m" in line for line in coloured)
