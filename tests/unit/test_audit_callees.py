"""I4 and I6 where the callee is: stored rules, the floor under calls to the US, caps per callee."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.audit.evidence import Evidence
from dialer.audit.records import Bounds, RuleSet
from dialer.audit.rules import StoredRules, callee_place
from dialer.hours import Hours, no_calendars
from dialer.hours_format import parse_weekly
from dialer.rules.changes_format import to_json
from dialer.rules.pack import Pack
from dialer.rules.rule import Rule
from dialer.rules.rule_set import Changes
from dialer.rules.rule_set import RuleSet as EngineRules
from tests.support.evidence import (
    BOUNDS,
    CAMPAIGN,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Dial,
    dial,
    evidence,
    found,
    notes,
)

#: Monday 15:00 UTC is ten in Washington, seven in Los Angeles.
WASHINGTON = "US-DC America/New_York"
CALIFORNIA = "US-CA America/Los_Angeles"
EXACT = replace(BOUNDS, claimed_ms=MINUTE)


def own(number: int = 1, **facts: Any) -> dict[str, Any]:
    """An operator's rule, closed unless *facts* say otherwise."""
    usual: dict[str, Any] = {
        "id": f"own/{number}", "region": "US-DC", "hours": "closed", "holidays": [], "caps": [],
        "zone": None, "valid_from": None, "valid_to": None, "note": "",
    }  # fmt: skip
    return usual | facts


def body(*rules: dict[str, Any], off: tuple[str, ...] = ("US",)) -> str:
    changes = {"own": rules, "off": dict.fromkeys(off, "a test"), "on": [], "made": len(rules)}
    return json.dumps({"pack": "", "changes": changes})


def called(key: str, *, rules: int | None = None, at: int = NOW, n: int = 1) -> Dial:
    return dial(n, at).but(window_key=key, rule_set_id=rules)


def broken(given: Evidence, name: str = "I4") -> list[str]:
    return [violation.text for violation in found(given, name)]


# -- windows --------------------------------------------------------------------------------------


def test_a_call_to_the_us_before_eight_is_one_too_early() -> None:
    texts = broken(evidence(called(CALIFORNIA), bounds=EXACT))

    assert [text.split(", ")[-1] for text in texts] == [
        "when rule US is closed in America/Los_Angeles"
    ] * 3  # accepted, ringing, and by what was in force
    assert broken(evidence(called(WASHINGTON))) == []


@pytest.mark.parametrize(
    ("utc", "kept"),
    [("12:59:30", False), ("13:00:00", True), ("01:59:00", True), ("02:00:00", False)],
)
def test_the_floor_is_kept_to_the_second(utc: str, *, kept: bool) -> None:
    at = datetime.fromisoformat(f"2026-01-06T{utc}+00:00")
    given = evidence(called(WASHINGTON, at=round(at.timestamp() * 1000)), bounds=EXACT)

    assert (broken(given) == []) is kept


def test_it_must_be_open_in_every_zone_in_which_somebody_may_be() -> None:
    assert broken(evidence(called("US-FL America/New_York America/Los_Angeles")))


def test_the_floor_is_for_the_us_alone() -> None:
    assert broken(evidence(called("DE Asia/Tokyo"))) == []


def test_who_switches_the_floor_off_is_not_held_to_it() -> None:
    off, on = RuleSet(1, body(), NOW - DAY), RuleSet(1, body(off=()), NOW - DAY)

    assert broken(evidence(called(CALIFORNIA, rules=1), rule_sets=[off])) == []
    assert broken(evidence(called(CALIFORNIA, rules=1), rule_sets=[on]))


def test_a_rule_of_ones_own_is_kept() -> None:
    sets = [RuleSet(1, body(own(region="US", hours="mon 12:00-13:00; tue-sun 00:00-24:00")), 0)]

    (text, *_) = broken(evidence(called(WASHINGTON, rules=1), rule_sets=sets, bounds=EXACT))
    assert text.endswith("when rule own/1 is closed in America/New_York")
    assert broken(evidence(called(WASHINGTON, rules=1, at=NOW + 150 * MINUTE), rule_sets=sets)) == (
        []
    )


@pytest.mark.parametrize(
    ("facts", "kept"),
    [
        ({}, False),
        ({"region": "US"}, False),
        ({"region": "*"}, False),
        ({"region": "US-CA"}, True),
        ({"region": "DE"}, True),
        ({"valid_from": "2026-01-06"}, True),
        ({"valid_to": "2026-01-04"}, True),
        ({"valid_from": "2026-01-05", "valid_to": "2026-01-05"}, False),
        ({"zone": "Asia/Tokyo", "hours": "tue 00:00-01:00"}, True),
        ({"zone": "Asia/Tokyo", "hours": "tue 01:00-02:00"}, False),
    ],
)
def test_a_rule_binds_for_its_region_its_days_and_its_zone(
    facts: dict[str, Any], *, kept: bool
) -> None:
    sets = [RuleSet(1, body(own(**facts)), 0)]

    given = evidence(called(WASHINGTON, rules=1), rule_sets=sets)

    assert (broken(given) == []) is kept


def test_nobody_is_called_of_whom_no_zone_is_known() -> None:
    assert "of whom no zone is known" in broken(evidence(called("US ?")))[0]


def test_what_is_not_recorded_is_said() -> None:
    unread = [RuleSet(1, "{}", 0), RuleSet(2, body(own(hours="sometimes")), 0)]

    given = evidence(called(""), called(WASHINGTON, rules=2, n=2, at=NOW + HOUR), rule_sets=unread)

    assert broken(given) == []
    assert "1 calls of which it is not recorded where their callee is" in notes(given, "I4")
    assert "2 sets of calling rules that cannot be read" in notes(given, "I4")


# -- changes --------------------------------------------------------------------------------------

OPEN, CLOSING = body(), body(own())


def test_an_emergency_stop_holds_for_all_that_is_claimed_after_it() -> None:
    sets = [RuleSet(1, OPEN, 0), RuleSet(2, CLOSING, NOW)]
    in_time, too_late = (called(WASHINGTON, rules=1, at=NOW + s * SECOND) for s in (-1, 2))

    assert broken(evidence(in_time, rule_sets=sets, bounds=EXACT)) == []
    (text,) = broken(evidence(too_late, rule_sets=sets, bounds=EXACT))
    assert text.endswith(
        "was claimed by rules older than those in force since 2026-01-05 15:00:00 UTC"
    )


def test_clocks_may_differ_by_so_much_about_when_it_was() -> None:
    sets = [RuleSet(1, OPEN, 0), RuleSet(2, CLOSING, NOW)]
    call = called(WASHINGTON, rules=1, at=NOW + 2 * SECOND)

    assert broken(evidence(call, rule_sets=sets, bounds=replace(EXACT, skew_ms=2 * SECOND))) == []


def test_whoever_was_claimed_before_it_is_not_called_for_long() -> None:
    sets = [RuleSet(1, OPEN, 0), RuleSet(2, CLOSING, NOW)]
    call = called(WASHINGTON, rules=1, at=NOW - SECOND)

    def accepted(ms: int) -> list[str]:
        late = call.really(accepted_at=NOW + ms, ringing_at=None)
        return broken(evidence(late, rule_sets=sets, bounds=EXACT))

    assert accepted(MINUTE - 1) == []
    assert ["when rule own/1 is closed" in text for text in accepted(MINUTE + 1)] == [True]


def test_a_stop_that_was_taken_back_stops_nobody() -> None:
    sets = [RuleSet(1, OPEN, 0), RuleSet(2, CLOSING, NOW - HOUR), RuleSet(3, OPEN, NOW - MINUTE)]

    assert broken(evidence(called(WASHINGTON, rules=3), rule_sets=sets, bounds=EXACT)) == []
    assert broken(evidence(called(WASHINGTON, rules=2), rule_sets=sets, bounds=EXACT))


# -- the same answers as the engine's --------------------------------------------------------------


def engine_hours(rule: Rule, key: str) -> Hours:
    place = callee_place(key)
    assert place is not None
    rules = EngineRules(Pack("test", (), {}, {}), Changes(own=(rule,), made=1))
    return rules.hours_for(place.regions, place.zones, no_calendars)


@given(
    hours=st.sampled_from(
        ["closed", "daily 09:00-12:00,13:00-24:00", "mon-fri 22:00-06:00; sat 10:00-14:00"]
    ),
    key=st.sampled_from([WASHINGTON, CALIFORNIA, "US-FL America/New_York America/Chicago"]),
    zone=st.sampled_from([None, "Europe/Berlin"]),
    days=st.sampled_from([(None, None), (-1, None), (None, 1), (0, 0)]),
    minutes=st.integers(-5 * 1440, 5 * 1440),
)
def test_stored_rules_are_read_as_the_engine_reads_them(
    hours: str, key: str, zone: str | None, days: tuple[int | None, int | None], minutes: int
) -> None:
    today = datetime.fromtimestamp(NOW / 1000, UTC).date()
    first, last = (None if day is None else today + timedelta(days=day) for day in days)
    rule = Rule("own/1", "US", parse_weekly(hours), zone=zone, valid_from=first, valid_to=last)
    stored = json.dumps({"changes": to_json(Changes(own=(rule,), off={"US": "a test"}, made=1))})
    at, place = NOW + minutes * MINUTE, callee_place(key)
    assert place is not None

    closed = StoredRules(stored).closed(place, at, 0)

    assert (closed is None) == engine_hours(rule, key).is_open(at)


# -- caps -----------------------------------------------------------------------------------------


def often(*hours: float, **changes: Any) -> Evidence:
    """One call to the same callee so many hours after NOW, each by a member of its own."""
    dials = [dial(n, NOW + round(h * HOUR)) for n, h in enumerate(hours, 1)]
    return evidence(*dials, **changes)


def capped(per_day: int = 100, per_week: int = 100) -> list[Any]:
    return [replace(CAMPAIGN, callee_calls_per_day=per_day, callee_calls_per_week=per_week)]


def test_a_callee_gets_no_more_calls_in_any_24_hours_than_allowed() -> None:
    assert broken(often(0, 1, 24.1, 25.1, campaigns=capped(2)), "I6") == []
    (text,) = broken(often(0, 1, 23.9, campaigns=capped(2)), "I6")
    assert text == (
        "+12025550101: call 3 within 1 day, 0:00:00 at 2026-01-06 14:54:00 UTC, 2 allowed by its"
        " campaign"
    )


def test_a_callee_gets_no_more_calls_in_any_7_days_than_allowed() -> None:
    week = 7 * 24

    assert broken(often(0, 30, week + 1, campaigns=capped(9, 2)), "I6") == []
    assert len(broken(often(0, 30, week - 1, campaigns=capped(9, 2)), "I6")) == 1


def test_caps_of_own_rules_hold_for_whom_they_concern() -> None:
    sets = [RuleSet(1, body(own(hours="daily 00:00-24:00", caps=["1/30m"])), 0)]

    def calls(key: str, minutes: int) -> Evidence:
        times = (NOW, NOW + minutes * MINUTE)
        dials = [called(key, rules=1, at=at, n=n) for n, at in enumerate(times)]
        return evidence(*dials, rule_sets=sets)

    (text,) = broken(calls(WASHINGTON, 29), "I6")
    assert text.endswith("1 allowed by its rule own/1")
    assert broken(calls(WASHINGTON, 31), "I6") == broken(calls(CALIFORNIA, 29), "I6") == []


def test_calls_of_all_campaigns_count_and_each_has_caps_of_its_own() -> None:
    strict, lax = capped(1)[0], replace(CAMPAIGN, id=2, name="Lax")
    dials = [dial(n, NOW + n * HOUR, campaign=of) for n, of in enumerate((1, 2, 2, 1), 1)]

    found_ = found(evidence(*dials, campaigns=[strict, lax]), "I6")

    assert [(each.attempt, each.campaign) for each in found_] == [("attempt-4", 1)]


def test_a_late_order_and_clocks_that_differ_make_the_period_shorter() -> None:
    given = often(0, 23.99, campaigns=capped(1))

    assert broken(given, "I6")
    assert broken(replace(given, bounds=Bounds(late_ms=MINUTE)), "I6") == []
    assert broken(replace(given, bounds=Bounds(skew_ms=MINUTE)), "I6") == []


def test_only_calls_of_the_period_are_judged_and_earlier_ones_count() -> None:
    given = often(0, 1, 2, campaigns=capped(1))

    judged = replace(given, since_at=NOW + 90 * MINUTE, over=False)

    assert [each.attempt for each in found(judged, "I6")] == ["attempt-3"]
