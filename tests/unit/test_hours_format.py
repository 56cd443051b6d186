"""Opening hours as people write them and as the database keeps them."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import UsageError
from dialer.hours import Range, Ranges, Schedule
from dialer.hours_format import (
    format_ranges,
    format_weekly,
    from_json,
    from_toml,
    parse_range,
    parse_ranges,
    parse_weekly,
    to_json,
)

NINE_TO_FIVE = Range(9 * 60, 17 * 60)

ranges = st.builds(lambda start, by: Range(start, (start + by) % 1440), st.integers(0, 1439),
                   st.integers(1, 1439))  # fmt: skip
days = st.lists(st.one_of(ranges, st.just(Range(0, 1440))), max_size=3).map(tuple)
weeks = st.lists(days, min_size=7, max_size=7).map(tuple)
dates = st.dates(date(2000, 1, 1), date(2100, 1, 1))
schedules = st.builds(
    Schedule,
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]),
    weekly=weeks,
    exceptions=st.dictionaries(dates, days, max_size=3),
    holidays=st.frozensets(dates, max_size=3),
    calendars=st.lists(st.sampled_from(["DE-BY", "US"]), unique=True).map(tuple),
)


# --- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (
            "mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00",
            "mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00",
        ),
        ("daily 08:00-21:00", "daily 08:00-21:00"),
        ("Daily 22-6", "daily 22:00-06:00"),
        ("mon,wed,fri 9-17", "mon 09:00-17:00; wed 09:00-17:00; fri 09:00-17:00"),
        ("Sat - Mon 9:30 \N{EN DASH} 12", "mon 09:30-12:00; sat-sun 09:30-12:00"),
        ("monday, Tuesday 9-17\nsunday 0-24", "mon-tue 09:00-17:00; sun 00:00-24:00"),
        ("mon-fri 9-17; fri 16-20;", "mon-thu 09:00-17:00; fri 09:00-17:00,16:00-20:00"),
        ("mon-sat 9-17; sun closed", "mon-sat 09:00-17:00"),
        ("closed", "closed"),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, plain: str) -> None:
    assert format_weekly(parse_weekly(text)) == plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no hours in ''"),
        (" ; ", "no hours in ' ; '"),
        ("mon", "not days and their hours: 'mon'"),
        ("mon 9-17 tue 9-17", "not days and their hours: 'mon 9-17 tue 9-17'"),
        ("mno 9-17", r"not a day: 'mno' .*did you mean 'mon'\?"),
        ("mon-xyz 9-17", "not a day: 'xyz'"),
        ("mon-fri-sun 9-17", "not a day: 'fri-sun'"),
        ("mon 9", "not a range of hours: '9'"),
        ("mon 9-17,", "not a range of hours: ''"),
        ("mon 9am-5pm", r"not a time of day: '9am' \(24-hour clock"),
        ("mon 9:00-24:01", "not a time of day: '24:01'"),
        ("mon 9:60-12", "not a time of day: '9:60'"),
        ("mon 9-9", "'09:00-09:00'; write 00:00-24:00 for a whole day"),
        ("mon 24:00-6", "cannot start at minute 1440"),
        ("mon-fri 9-17; wed closed", "wed is both closed and open"),
    ],
)
def test_text_that_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_weekly(text)


@given(weeks)
def test_the_text_of_a_week_reads_back_to_the_same_week(week: tuple[Ranges, ...]) -> None:
    assert parse_weekly(format_weekly(week)) == week


@given(days)
def test_the_text_of_a_day_reads_back_to_the_same_ranges(day: Ranges) -> None:
    assert parse_ranges(format_ranges(day)) == day


def test_one_range_can_be_read_by_itself() -> None:
    assert parse_range(" 09:00 - 17:00 ") == NINE_TO_FIVE


# --- JSON -----------------------------------------------------------------------------------------


def test_the_json_form_is_plain_to_read() -> None:
    schedule = Schedule(
        "Europe/Berlin",
        parse_weekly("mon 09:00-17:00"),
        exceptions={date(2026, 12, 25): (), date(2026, 12, 24): (NINE_TO_FIVE,)},
        holidays=frozenset({date(2027, 1, 2), date(2026, 12, 31)}),
        calendars=("DE-BY",),
    )

    assert json.dumps(to_json(schedule)) == (
        '{"zone": "Europe/Berlin", "weekly": {"mon": ["09:00-17:00"], "tue": [], "wed": [], '
        '"thu": [], "fri": [], "sat": [], "sun": []}, "exceptions": {"2026-12-24": '
        '["09:00-17:00"], "2026-12-25": []}, "holidays": ["2026-12-31", "2027-01-02"], '
        '"calendars": ["DE-BY"]}'
    )


@given(schedules)
def test_the_json_form_reads_back_to_an_equal_schedule(schedule: Schedule) -> None:
    text = json.dumps(to_json(schedule))

    assert from_json(json.loads(text)) == schedule
    assert json.dumps(to_json(from_json(json.loads(text)))) == text


def test_only_zone_and_weekly_are_needed_and_days_left_out_are_closed() -> None:
    schedule = from_json({"zone": "UTC", "weekly": {"tue": ["9-17"]}})

    assert schedule == Schedule("UTC", ((), (NINE_TO_FIVE,), (), (), (), (), ()))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (None, "schedule: not an object with named fields: None"),
        ({1: 2}, "schedule: not an object with named fields"),
        ({"weekly": {}}, "schedule: 'zone' is missing"),
        ({"zone": "UTC"}, "schedule: 'weekly' is missing"),
        ({"zone": "UTC", "weekly": {}, "holiday": []}, r"'holiday' .*did you mean 'holidays'\?"),
        ({"zone": 3, "weekly": {}}, "zone: not a text: 3"),
        ({"zone": "Nowhere/City", "weekly": {}}, "not a time zone: 'Nowhere/City'"),
        ({"zone": "UTC", "weekly": []}, r"weekly: not an object with named fields: \[\]"),
        ({"zone": "UTC", "weekly": {"monday": []}}, "weekly: not a day: 'monday'"),
        ({"zone": "UTC", "weekly": {"mon": "9-17"}}, "weekly, mon: not a list: '9-17'"),
        ({"zone": "UTC", "weekly": {"mon": [9]}}, "weekly, mon: not a text: 9"),
        ({"zone": "UTC", "weekly": {"mon": ["9-25"]}}, "weekly, mon: not a time of day: '25'"),
        (
            {"zone": "UTC", "weekly": {}, "exceptions": {"24.12.2026": []}},
            "exceptions: not a date: '24.12.2026'",
        ),
        (
            {"zone": "UTC", "weekly": {}, "exceptions": {"2026-12-24": ["9"]}},
            "exceptions, 2026-12-24: not a range of hours: '9'",
        ),
        ({"zone": "UTC", "weekly": {}, "holidays": ["20261224"]}, "not a date: '20261224'"),
        ({"zone": "UTC", "weekly": {}, "holidays": [20261224]}, "holidays: not a text: 20261224"),
        ({"zone": "UTC", "weekly": {}, "calendars": "DE"}, "calendars: not a list: 'DE'"),
    ],
)
def test_json_that_cannot_be_used_is_named(form: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_json(form)


# -- files ----------------------------------------------------------------------------------------


@given(schedules)
def test_a_file_says_the_same_as_json(schedule: Schedule) -> None:
    form = to_json(schedule)
    days = {name: form.pop(name) for name in ("weekly", "exceptions")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in form.items()]
    for table, hours in days.items():
        assert isinstance(hours, dict)
        lines += [f"[{table}]", *(f"{day} = {json.dumps(each)}" for day, each in hours.items())]

    assert from_toml("\n".join(lines)) == schedule


def test_a_file_may_be_written_as_people_write() -> None:
    schedule = from_toml(
        """
        zone = "Asia/Kolkata"
        weekly = "mon-fri 09:00-12:00,13:00-18:00; sat 22:00-06:00"
        holidays = [2026-01-26, "2026-08-15"]
        calendars = ["IN"]
        [exceptions]
        2026-12-24 = "closed"
        2026-12-31 = "09:00-12:00"
        """
    )

    assert schedule.weekly == parse_weekly("mon-fri 09:00-12:00,13:00-18:00; sat 22:00-06:00")
    assert schedule.holidays == {date(2026, 1, 26), date(2026, 8, 15)}
    assert schedule.exceptions == {
        date(2026, 12, 24): (),
        date(2026, 12, 31): parse_ranges("09:00-12:00"),
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("zone = ", "not TOML: Invalid value"),
        ('zone = "UTC"', "'weekly' is missing"),
        ('zone = "Mars/Base"\nweekly = "daily 00:00-24:00"', "'Mars/Base'"),
        ('zone = "UTC"\nweekly = "mon 9-25"', "weekly: not a time of day: '25'"),
        ('zone = "UTC"\nweekly = "mon 9-17; mon closed"', "mon is both closed and open"),
        ('zone = "UTC"\n[weekly]\nmon = "nine"', "weekly, mon: not a range of hours: 'nine'"),
        ('zone = "UTC"\n[weekly]\nmonday = []', "weekly: not a day: 'monday'"),
        ('zone = "UTC"\nweekly = {}\nholiday = []', "did you mean 'holidays'"),
        ('zone = "UTC"\nweekly = {}\nholidays = [12]', "holidays: not a text: 12"),
        ('zone = "UTC"\nweekly = {}\nexceptions.2026-02-30 = []', "not a date: '2026-02-30'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_toml(text)

    assert complaint in refused.value.message
