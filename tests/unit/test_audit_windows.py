"""Hours are read a second time: the reading agrees with the engine's, and calls are held to it."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialer.audit.evidence import Evidence
from dialer.audit.hours import StoredHours, local_date, zone
from dialer.audit.records import Schedule
from dialer.audit.windows import calendars_needed
from dialer.hours import DAY_MS, OpeningHours
from dialer.hours_format import DAYS, from_json
from tests.support.evidence import (
    BOUNDS,
    CAMPAIGN,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    dial,
    evidence,
    found,
    notes,
)

#: Clocks that change by an hour, by half of one, at midnight, and over a whole date.
ZONES = (
    "UTC", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia",
    "Asia/Kathmandu", "Europe/Dublin",
)  # fmt: skip
BERLIN = "Europe/Berlin"


def body(weekly: str = "09:00-17:00", zone: str = "UTC", **more: Any) -> str:
    return json.dumps({"zone": zone, "weekly": {day: [weekly] for day in DAYS}, **more})


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


# -- the second reading ---------------------------------------------------------------------------


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


ranges = st.lists(
    st.tuples(st.integers(0, 47), st.integers(0, 48))
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: f"{clock(ends[0] * 30)}-{clock(ends[1] * 30)}"),
    max_size=2,
)
#: Around the changes of the clocks in 2026, and the date that Apia left out in 2011.
changes = st.sampled_from(
    [ms(day) for day in ("2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01", "2011-12-30")]
)
instants = st.builds(
    lambda near, minutes: near + minutes * MINUTE, changes, st.integers(-3 * 1440, 3 * 1440)
)


@st.composite
def schedules(draw: st.DrawFn) -> dict[str, Any]:
    days = st.integers(-4, 4).map(lambda n: (date(2026, 3, 29) + timedelta(days=n)).isoformat())
    return {
        "zone": draw(st.sampled_from(ZONES)),
        "weekly": {day: draw(ranges) for day in draw(st.sets(st.sampled_from(DAYS)))},
        "exceptions": draw(st.dictionaries(days, ranges, max_size=2)),
        "holidays": draw(st.lists(days, unique=True, max_size=2)),
        "calendars": draw(st.sampled_from([[], ["XX"]])),
    }


@given(schedules(), st.lists(instants, min_size=1, max_size=20))
@example({"zone": "UTC", "weekly": {"sat": ["22:00-06:00"]}}, [ms("2026-03-29T05:59")])
@example(
    {"zone": "UTC", "weekly": {}, "exceptions": {"2026-03-28": ["22:00-06:00"]}},
    [ms("2026-03-29T05:59"), ms("2026-03-29T06:00")],
)
@example(
    {"zone": "UTC", "weekly": {"sat": ["22:00-06:00"]}, "holidays": ["2026-03-28"]},
    [ms("2026-03-28T23:00"), ms("2026-03-29T05:59")],
)
def test_the_second_reading_agrees_with_the_engines(form: dict[str, Any], asked: list[int]) -> None:
    public = frozenset({date(2026, 3, 30), date(2026, 11, 1)})
    engine = OpeningHours(from_json(form), lambda *_: public)
    stored = StoredHours(json.dumps(form), {("XX", year): public for year in range(2010, 2028)})

    for at in asked:
        assert stored.open_at(at) == engine.is_open(at), (form, at)


@given(st.sampled_from(ZONES), instants)
def test_a_date_is_the_one_the_clocks_show(name: str, at: int) -> None:
    assert local_date(name, at) == datetime.fromtimestamp(at / 1000, zone(name)).date()
    assert abs((local_date(name, at) - local_date("UTC", at)).days) <= 1


@pytest.mark.parametrize(
    "unreadable",
    [
        "", "[]", "{}", '{"zone": "UTC"}', '{"zone": "Mars/Base", "weekly": {}}',
        '{"zone": "../UTC", "weekly": {}}', '{"zone": "UTC", "weekly": {"mon": ["nine-five"]}}',
        '{"zone": "UTC", "weekly": {}, "holidays": ["some day"]}', '{"zone": 1, "weekly": {}}',
        '{"zone": "UTC", "weekly": {"mon": 7}}',
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_read_is_refused(unreadable: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        StoredHours(unreadable, {})


# -- I4: calls keep to the hours ------------------------------------------------------------------


def scheduled(at: int, text: str, **changes: Any) -> Evidence:
    """A call accepted at *at*, ringing two seconds later, of a campaign with hours."""
    one = dial(1, at - 300)
    campaign = replace(CAMPAIGN, schedule_id=1)
    usual = {"schedules": [Schedule(1, "Office", text)], "campaigns": [campaign]}
    return evidence(one, **(usual | changes))


@pytest.mark.parametrize(
    ("accepted", "violations"),
    [
        ("2026-01-05T08:59:57.999", 2),
        ("2026-01-05T08:59:58", 1),  # accepted too early, ringing in time
        ("2026-01-05T09:00:00", 0),
        ("2026-01-05T16:59:57.999", 0),
        ("2026-01-05T16:59:58", 1),  # accepted in time, ringing too late
        ("2026-01-05T17:00:00", 2),
    ],
)
def test_calls_are_accepted_and_ring_within_the_hours(accepted: str, violations: int) -> None:
    late = found(scheduled(ms(accepted), body()), "I4")

    assert [each.attempt for each in late] == ["attempt-1"] * violations


@pytest.mark.parametrize(
    ("skew_ms", "violations"), [(0, 2), (1, 1), (2000, 1), (2001, 0), (90_000, 0)]
)
def test_clocks_that_may_differ_are_given_the_benefit_of_it(skew_ms: int, violations: int) -> None:
    at, bounds = ms("2026-01-05T17:00:00"), replace(BOUNDS, skew_ms=skew_ms)

    late = found(scheduled(at, body(), bounds=bounds), "I4")

    assert len(late) == violations


def test_the_wall_clock_of_the_zone_counts_on_both_sides_of_a_change() -> None:
    text = body("09:00-17:00", BERLIN)

    assert len(found(scheduled(ms("2026-03-28T07:59:00"), text), "I4")) == 2
    assert found(scheduled(ms("2026-03-28T08:00:00"), text), "I4") == []
    assert found(scheduled(ms("2026-03-29T07:00:00"), text), "I4") == []  # an hour earlier


def test_the_words_name_the_local_time_and_the_schedule() -> None:
    first, _ = found(scheduled(ms("2026-01-05T21:30:00"), body(zone=BERLIN)), "I4")

    assert "accepted at Mon 2026-01-05 22:30:00 (Europe/Berlin), when 'Office' is" in first.text


def test_a_holiday_of_a_calendar_is_closed_and_an_unknown_one_is_not_judged() -> None:
    at = ms("2026-01-05T12:00:00")
    unknown = scheduled(at, body(calendars=["DE-BY"]))
    needed = calendars_needed(unknown)
    working = replace(unknown, public_holidays=dict.fromkeys(needed, frozenset()))
    closed = replace(unknown, public_holidays=dict.fromkeys(needed, frozenset({date(2026, 1, 5)})))

    assert needed == {("DE-BY", 2025), ("DE-BY", 2026), ("DE-BY", 2027)}
    assert (found(unknown, "I4"), found(working, "I4")) == ([], [])
    assert "1 calls whose schedule or calendar cannot be read" in notes(unknown, "I4")
    assert len(found(closed, "I4")) == 2


def test_a_day_of_an_own_calendar_is_closed_and_needs_no_other() -> None:
    at = ms("2026-01-05T12:00:00")
    own = scheduled(at, body(calendars=["LA PSC"], own_days={"LA PSC": ["2026-01-05"]}))
    other = scheduled(at, body(calendars=["LA PSC"], own_days={"LA PSC": ["2026-01-06"]}))

    assert (calendars_needed(own), calendars_needed(other)) == (set(), set())
    assert (len(found(own, "I4")), found(other, "I4")) == (2, [])


def test_without_calls_no_calendar_is_needed() -> None:
    assert calendars_needed(evidence(schedules=[Schedule(1, "X", body(calendars=["DE"]))])) == set()


@pytest.mark.parametrize(
    ("start_ms", "violations"), [(-HOUR, 0), (300, 0), (301, 1), (3 * SECOND, 2)]
)
def test_nobody_is_called_before_the_campaigns_start(start_ms: int, violations: int) -> None:
    campaign = replace(CAMPAIGN, start_at=NOW + start_ms)

    assert len(found(evidence(dial(), campaigns=[campaign]), "I4")) == violations


def test_what_has_no_schedule_is_always_open_and_said_to_be() -> None:
    given_ = evidence(dial(1, NOW - NOW % DAY_MS))

    assert found(given_, "I4") == []
    assert "1 calls of campaigns without a schedule" in notes(given_, "I4")


def test_a_schedule_that_cannot_be_read_judges_nobody() -> None:
    given_ = scheduled(NOW, "no schedule")

    assert found(given_, "I4") == []
    assert "cannot be read" in notes(given_, "I4")
    assert len(found(given_, "I17")) == 1
