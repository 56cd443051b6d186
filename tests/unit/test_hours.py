"""Opening hours by example: the rules, the changes of the clocks, the limits."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import pytest

from dialer.errors import UsageError
from dialer.hours import (
    ALWAYS_OPEN,
    BLOCK_MS,
    DAY_MS,
    HORIZON_MS,
    MINUTE_MS,
    NEVER_OPEN,
    SECOND_MS,
    Basis,
    Hours,
    Intersection,
    OpeningHours,
    Range,
    Ranges,
    Schedule,
)
from dialer.hours_format import parse_ranges, parse_weekly
from dialer.timezones import zone

BERLIN = "Europe/Berlin"
CHRISTMAS = date(2026, 12, 25)


def instant(text: str) -> int:
    """UTC milliseconds of an ISO time with its offset, as in 2026-03-02T09:00+01:00."""
    return int(datetime.fromisoformat(text).timestamp()) * SECOND_MS


def utc(at: int | None) -> str | None:
    return at if at is None else datetime.fromtimestamp(at / SECOND_MS, UTC).isoformat()[:16]


def given_hours(
    weekly: str,
    zone: str = BERLIN,
    *,
    exceptions: Mapping[date, Ranges] | None = None,
    holidays: frozenset[date] = frozenset(),
    public: frozenset[date] = frozenset(),
) -> OpeningHours:
    schedule = Schedule(
        zone,
        parse_weekly(weekly),
        exceptions=exceptions or {},
        holidays=holidays,
        calendars=("XX",) if public else (),
    )
    return OpeningHours(
        schedule, lambda _, year: frozenset(day for day in public if day.year == year)
    )


def on(hours: OpeningHours, day: str) -> str:
    return " ".join(map(str, hours.ranges_on(date.fromisoformat(day))))


# --- the hours of a date --------------------------------------------------------------------------


def test_an_ordinary_date_has_the_hours_of_its_weekday() -> None:
    hours = given_hours("mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00")

    assert on(hours, "2026-11-06") == "09:00-12:00 13:00-18:00"
    assert on(hours, "2026-11-07") == "10:00-14:00"
    assert on(hours, "2026-11-08") == ""
    assert hours.basis_of(date(2026, 11, 6)) is Basis.WEEKLY


def test_overlapping_and_touching_ranges_unite() -> None:
    hours = given_hours("mon 13:00-18:00,09:00-12:00,11:00-13:00,14:00-15:00")

    assert on(hours, "2026-11-02") == "09:00-18:00"


def test_a_range_past_midnight_spills_into_the_next_date() -> None:
    hours = given_hours("fri 22:00-06:00; sat 05:00-08:00")

    assert on(hours, "2026-11-06") == "22:00-24:00"
    assert on(hours, "2026-11-07") == "00:00-08:00"


def test_a_range_until_midnight_spills_nothing() -> None:
    hours = given_hours("fri 22:00-00:00")

    assert on(hours, "2026-11-06") == "22:00-24:00"
    assert on(hours, "2026-11-07") == ""


def test_a_holiday_is_closed_and_cuts_what_its_eve_carries_over() -> None:
    hours = given_hours("daily 22:00-06:00", holidays=frozenset({CHRISTMAS}))

    assert on(hours, "2026-12-24") == "00:00-06:00 22:00-24:00"
    assert on(hours, "2026-12-25") == ""
    assert on(hours, "2026-12-26") == "22:00-24:00"
    assert hours.basis_of(CHRISTMAS) is Basis.HOLIDAY


def test_a_public_holiday_is_closed_too() -> None:
    hours = given_hours("daily 09:00-18:00", public=frozenset({CHRISTMAS}))

    assert on(hours, "2026-12-25") == ""
    assert hours.basis_of(CHRISTMAS) is Basis.HOLIDAY


def test_an_exception_replaces_all_hours_of_its_date_even_on_a_holiday() -> None:
    hours = given_hours(
        "daily 22:00-06:00",
        holidays=frozenset({CHRISTMAS}),
        exceptions={CHRISTMAS: parse_ranges("10:00-12:00,23:00-01:00")},
    )

    assert on(hours, "2026-12-25") == "10:00-12:00 23:00-24:00"
    assert on(hours, "2026-12-26") == "00:00-01:00 22:00-24:00"
    assert hours.basis_of(CHRISTMAS) is Basis.EXCEPTION


def test_an_empty_exception_closes_its_date() -> None:
    hours = given_hours("daily 00:00-24:00", exceptions={CHRISTMAS: ()})

    assert utc(hours.open_until(instant("2026-12-20T12:00+01:00"))) == "2026-12-24T23:00"
    assert utc(hours.next_open(instant("2026-12-25T12:00+01:00"))) == "2026-12-25T23:00"


def test_calendars_without_a_provider_are_refused_not_ignored() -> None:
    hours = OpeningHours(Schedule(BERLIN, parse_weekly("daily 9-17"), calendars=("DE-BY",)))

    with pytest.raises(ValueError, match="calendar 'DE-BY' is needed for 2026"):
        hours.is_open(instant("2026-11-02T12:00+01:00"))


# --- instants -------------------------------------------------------------------------------------


def test_a_range_is_open_at_its_start_and_closed_at_its_end() -> None:
    hours = given_hours("mon 09:00-18:00")
    start, end = instant("2026-11-02T09:00+01:00"), instant("2026-11-02T18:00+01:00")

    assert [hours.is_open(at) for at in (start - 1, start, end - 1, end)] == [
        False,
        True,
        True,
        False,
    ]
    assert hours.next_open(start - 1) == start
    assert hours.next_open(end - 1) == end - 1
    assert hours.open_until(start) == end
    assert utc(hours.next_open(end)) == "2026-11-09T08:00"


def test_a_closed_instant_is_open_for_no_time_at_all() -> None:
    hours = given_hours("mon 09:00-18:00")
    closed = instant("2026-11-02T20:00+01:00")

    assert hours.open_until(closed) == closed


@pytest.mark.parametrize(
    ("zone", "weekly", "asked", "opening", "closing"),
    [
        # 02:00 to 03:00 does not exist: open from the first minute that does
        (
            BERLIN,
            "sun 02:30-06:00",
            "2026-03-29T00:00+01:00",
            "2026-03-29T01:00",
            "2026-03-29T04:00",
        ),
        # all of it falls into the gap: the next Sunday opens
        (
            BERLIN,
            "sun 02:15-02:45",
            "2026-03-29T00:00+01:00",
            "2026-04-05T00:15",
            "2026-04-05T00:45",
        ),
        # it ends in the gap
        (
            BERLIN,
            "sun 01:00-02:30",
            "2026-03-29T00:00+01:00",
            "2026-03-29T00:00",
            "2026-03-29T01:00",
        ),
        # 02:00 to 03:00 comes twice: open both times, one unbroken span
        (
            BERLIN,
            "sun 01:00-04:00",
            "2026-10-25T00:00+02:00",
            "2026-10-24T23:00",
            "2026-10-25T03:00",
        ),
        # half of the repeated hour: open twice
        (
            BERLIN,
            "sun 02:00-02:30",
            "2026-10-25T00:00+02:00",
            "2026-10-25T00:00",
            "2026-10-25T00:30",
        ),
        (
            BERLIN,
            "sun 02:00-02:30",
            "2026-10-25T02:30+02:00",
            "2026-10-25T01:00",
            "2026-10-25T01:30",
        ),
        # the repeated half hour of Lord Howe, 01:30 to 02:00
        (
            "Australia/Lord_Howe",
            "sun 01:30-02:00",
            "2026-04-05T00:00+11:00",
            "2026-04-04T14:30",
            "2026-04-04T15:30",
        ),
        # a minute past midnight the clocks of St John's went back into Saturday's last hour
        (
            "America/St_Johns",
            "sat 23:00-24:00",
            "2010-11-07T00:00-02:30",
            "2010-11-07T02:31",
            "2010-11-07T03:30",
        ),
        # midnight did not exist, on the last day of what is compiled together
        (
            "Asia/Tehran",
            "thu 00:30-06:00",
            "2018-03-21T12:00+03:30",
            "2018-03-21T20:30",
            "2018-03-22T01:30",
        ),
        # the change falls between two compiled blocks; the hour before it is repeated after it
        (
            "Asia/Baghdad",
            "thu 03:00-04:00",
            "1998-09-30T12:00+04:00",
            "1998-09-30T23:00",
            "1998-10-01T01:00",
        ),
        # Apia went from Thursday the 29th to Saturday the 31st
        (
            "Pacific/Apia",
            "fri 08:00-21:00",
            "2011-12-29T12:00-10:00",
            "2012-01-05T18:00",
            "2012-01-06T07:00",
        ),
    ],
)
def test_the_wall_clock_decides_when_the_clocks_change(
    zone: str, weekly: str, asked: str, opening: str, closing: str
) -> None:
    hours = given_hours(weekly, zone)

    opens = hours.next_open(instant(asked))

    assert opens is not None
    assert (utc(opens), utc(hours.open_until(opens))) == (opening, closing)


def test_offsets_need_not_be_whole_minutes() -> None:
    hours = given_hours("daily 09:00-18:00", "Africa/Monrovia")  # 44 min 30 s west until 1972

    assert hours.next_open(instant("1971-06-01T00:00+00:00")) == instant(
        "1971-06-01T09:44:30+00:00"
    )


def test_an_unbroken_opening_is_not_cut_where_compiled_blocks_meet() -> None:
    hours = given_hours("daily 00:00-24:00", "UTC", holidays=frozenset({date(2026, 12, 25)}))
    start = instant("2026-01-01T00:00+00:00")

    assert {hours.open_until(start + n * BLOCK_MS) for n in range(12)} == {
        instant("2026-12-25T00:00+00:00")
    }


def test_time_before_1970_has_hours_too() -> None:
    hours = given_hours("daily 09:00-18:00", "UTC")

    assert hours.next_open(-DAY_MS) == -DAY_MS + 9 * 60 * MINUTE_MS


# --- limits ---------------------------------------------------------------------------------------


def given_one_opening(day: date) -> OpeningHours:
    return given_hours("closed", "UTC", exceptions={day: parse_ranges("09:00-10:00")})


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_opening_is_looked_for_within_400_days(wrapped: bool) -> None:
    opening = instant("2027-06-01T09:00+00:00")
    alone = given_one_opening(date(2027, 6, 1))
    hours: Hours = Intersection(ALWAYS_OPEN, alone) if wrapped else alone

    assert hours.next_open(opening - HORIZON_MS) == opening
    assert hours.next_open(opening - HORIZON_MS - 1) is None
    assert hours.next_open(opening + 60 * MINUTE_MS) is None


def test_what_never_closes_is_open_for_400_days() -> None:
    hours = given_hours("daily 00:00-24:00")
    now = instant("2026-11-02T12:34+01:00")

    assert hours.open_until(now) == now + HORIZON_MS
    assert Intersection(ALWAYS_OPEN, hours).open_until(now) == now + HORIZON_MS


def test_always_and_never_say_so_of_every_instant() -> None:
    assert ALWAYS_OPEN.is_open(7)
    assert ALWAYS_OPEN.next_open(7) == 7
    assert ALWAYS_OPEN.open_until(7) == 7 + HORIZON_MS
    assert not NEVER_OPEN.is_open(7)
    assert NEVER_OPEN.next_open(7) is None
    assert NEVER_OPEN.open_until(7) == 7


# --- several windows ------------------------------------------------------------------------------


def test_an_intersection_is_open_when_all_windows_are() -> None:
    campaign = given_hours("mon-fri 09:00-18:00", BERLIN)
    callee = given_hours("daily 08:00-21:00", "America/New_York")

    both = Intersection(campaign, callee)

    opening = both.next_open(instant("2026-11-01T12:00+01:00"))
    assert opening is not None
    assert utc(opening) == "2026-11-02T13:00"
    assert utc(both.open_until(opening)) == "2026-11-02T17:00"
    assert both.is_open(opening)
    assert not both.is_open(opening - 1)
    assert both.open_until(opening - 1) == opening - 1


def test_windows_that_never_meet_are_never_open() -> None:
    morning, evening = given_hours("daily 08:00-12:00"), given_hours("daily 12:00-20:00")

    assert Intersection(morning, evening).next_open(instant("2026-11-02T09:00+01:00")) is None


def test_an_unknown_zone_closes_whatever_it_is_joined_with() -> None:
    assert Intersection(ALWAYS_OPEN, NEVER_OPEN).next_open(7) is None
    assert not Intersection(ALWAYS_OPEN, NEVER_OPEN).is_open(7)


def test_an_intersection_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="always be open"):
        Intersection()


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-1, 60, "cannot start at minute -1"),
        (1440, 60, "cannot start at minute 1440"),
        (0, -1, "cannot end at minute -1"),
        (0, 1441, "cannot end at minute 1441"),
        (540, 540, "'09:00-09:00'; write 00:00-24:00 for a whole day"),
    ],
)
def test_a_range_that_cannot_be_is_refused(start: int, end: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Range(start, end)


def test_a_schedule_names_a_zone_that_exists() -> None:
    with pytest.raises(UsageError, match=r"'Berlin'.*did you mean 'Europe/Berlin'\?"):
        Schedule("Berlin", parse_weekly("daily 9-17"))


def test_a_week_has_seven_days() -> None:
    with pytest.raises(UsageError, match="7 days, not 5"):
        Schedule(BERLIN, ((),) * 5)


def test_a_holiday_is_a_date_without_a_time() -> None:
    with pytest.raises(UsageError, match="has a time of day"):
        Schedule(
            BERLIN,
            parse_weekly("daily 9-17"),
            holidays=frozenset({datetime(2026, 12, 25, tzinfo=zone(BERLIN))}),
        )


def test_a_schedule_cannot_change_behind_the_back_of_who_holds_it() -> None:
    exceptions: dict[date, Ranges] = {CHRISTMAS: ()}
    schedule = Schedule(BERLIN, parse_weekly("daily 9-17"), exceptions=exceptions)

    exceptions.clear()

    assert CHRISTMAS in schedule.exceptions


def test_equal_schedules_are_one_key() -> None:
    one, other = (
        Schedule(BERLIN, parse_weekly("daily 9-17"), exceptions={CHRISTMAS: ()}) for _ in range(2)
    )

    assert {one, other} == {one}
