"""The door to the library that knows public holidays."""

import subprocess
import sys
from datetime import date

import pytest

from dialer.calendars import like_a_code
from dialer.errors import UsageError
from dialer.holiday_calendars import (
    check_calendar,
    covers,
    named_holidays,
    names_like,
    public_holidays,
    search,
)
from dialer.hours import Basis, OpeningHours, Schedule
from dialer.hours_format import parse_weekly

EPIPHANY = date(2026, 1, 6)


def test_a_subdivision_has_holidays_of_its_own() -> None:
    assert EPIPHANY in public_holidays("DE-BY", 2026)
    assert EPIPHANY not in public_holidays("DE", 2026)
    assert date(2026, 12, 25) in public_holidays("DE", 2026)


def test_the_observed_day_is_a_holiday_beside_the_day_itself() -> None:
    assert {date(2026, 7, 3), date(2026, 7, 4)} <= public_holidays("US", 2026)
    assert date(2021, 12, 31) in public_holidays("US", 2021)  # New Year's Day of 2022, observed


def test_all_days_belong_to_the_year_asked_for() -> None:
    assert {day.year for day in public_holidays("US-CA", 2021)} == {2021}


def test_a_year_the_library_does_not_know_is_closed_altogether() -> None:
    assert not covers("DE", 1871)
    assert covers("DE", 2026)
    assert len(public_holidays("DE", 1871)) == 365
    assert public_holidays("DE", 2300) >= {date(2300, 1, 1), date(2300, 12, 31)}


def test_the_calendar_serves_as_provider_of_a_schedule() -> None:
    schedule = Schedule("Europe/Berlin", parse_weekly("daily 9-17"), calendars=("DE-BY",))

    assert OpeningHours(schedule, public_holidays).basis_of(EPIPHANY) is Basis.HOLIDAY


def test_codes_are_checked_without_complaint_when_they_exist() -> None:
    check_calendar("DE")
    check_calendar("US-CA")
    check_calendar("DE-Augsburg")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("UK", r"not a holiday calendar: 'UK' .*did you mean 'GB'\?"),
        ("DEU", r"did you mean 'DE'\?"),
        ("de-BY", r"did you mean 'DE'\?"),
        ("PUBLIC", "not a holiday calendar: 'PUBLIC'"),  # a name the library itself has
        ("", "not a holiday calendar: ''"),
        ("DE-by", r"not a holiday calendar: 'DE-by' \(DE has .*\); did you mean 'DE-BY'\?"),
        ("DE-ZZZ", r"not a holiday calendar: 'DE-ZZZ' \(DE has .*\)$"),
        ("DE-", "not a holiday calendar: 'DE-'"),
        ("FJ-1", "FJ has no subdivisions, write 'FJ'"),
    ],
)
def test_an_unknown_calendar_is_refused_with_the_cure(code: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_calendar(code)
    with pytest.raises(UsageError, match=message):
        public_holidays(code, 2026)


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    program = (
        "import sys, dialer.hours, dialer.holiday_calendars as c; print('holidays' in sys.modules)"
    )

    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    assert shown.stdout.strip() == b"False"


def test_holidays_have_names_in_order_and_observed_days_say_so() -> None:
    named = named_holidays("US-LA", 2026)

    assert [*named] == sorted(public_holidays("US-LA", 2026))
    assert named[date(2026, 7, 3)] == "Independence Day (observed)"
    assert named[date(2026, 2, 17)] == "Mardi Gras"
    assert named_holidays("DE-BY", 2026)[EPIPHANY] == "Epiphany"


def test_names_of_a_year_the_library_does_not_know_are_refused() -> None:
    with pytest.raises(UsageError, match=r"DE in 1871 are not known, only those from 19\d\d to"):
        named_holidays("DE", 1871)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("bayern", ["DE-BY"]),
        ("Louisiana", ["US-LA"]),
        ("la reunion", ["FR-974"]),
        ("new york", ["US-NY"]),
        ("us-la", ["US-LA"]),
        ("united k", ["GB"]),
        ("nowhere at all", []),
    ],
)
def test_calendars_are_found_by_name(text: str, codes: list[str]) -> None:
    assert [found.code for found in search(text)] == codes


def test_a_country_brings_its_subdivisions_before_what_else_is_called_so() -> None:
    found = [each.code for each in search("georgia")]

    assert found[0] == "GE"
    assert {"GS", "US-GA"} < {*found}
    assert {each.code for each in search("germany")} >= {"DE", "DE-BY", "DE-BE"}
    assert [each.code for each in search("de")][:2] == ["DE", "DE-Augsburg"]


def test_every_calendar_that_is_found_exists() -> None:
    for country in ("us", "de", "gb", "fr", "ca", "au"):
        for found in search(country):
            check_calendar(found.code)


def test_no_code_of_the_library_can_be_an_own_name() -> None:
    codes = [found.code for found in search("")]

    assert len(codes) > 800
    assert [code for code in codes if not like_a_code(code)] == []


def test_a_name_the_library_does_not_know_leads_to_those_like_it() -> None:
    assert "US-LA" in {each.code for each in names_like("luisiana")}
    assert names_like("qqqqqq") == []
