"""Caps, calls at once, pace and excluded numbers: the first call too many is found."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.audit.evidence import Evidence
from dialer.audit.records import Account, Retry
from tests.support.evidence import (
    BOUNDS,
    CALLER,
    CAMPAIGN,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    NUMBER,
    SECOND,
    Dial,
    dial,
    evidence,
    found,
    notes,
)

OTHER_CALLER = "+13105550002"


def callee(n: int) -> str:
    return f"+1202555{n:04}"


def dials(*times: int, first: int = 1, **more: Any) -> list[Dial]:
    """A call to somebody else at each of *times*."""
    return [dial(n, at, to=callee(n), **more) for n, at in enumerate(times, first)]


def limited(*given_: Dial, **limits: Any) -> Evidence:
    """Calls of one campaign with *limits*."""
    return evidence(*given_, campaigns=[replace(CAMPAIGN, **limits)])


def guilty(given_: Evidence, name: str) -> list[str | None]:
    return [violation.attempt for violation in found(given_, name)]


# -- I6: caps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "broken"), [(3, []), (2, ["attempt-3"]), (1, ["attempt-2", "attempt-3"])]
)
def test_the_first_call_over_the_daily_cap_is_named(cap: int, broken: list[str]) -> None:
    calls = dials(NOW, NOW + HOUR, NOW + 2 * HOUR)

    assert guilty(limited(*calls, max_calls_per_day=cap), "I6") == broken


def test_a_day_is_that_of_the_numbers_zone() -> None:
    before, after = NOW - 15 * HOUR - MINUTE, NOW - 15 * HOUR + MINUTE  # midnight UTC between
    given_ = limited(*dials(before, after), max_calls_per_day=1)
    elsewhere = replace(given_, numbers=[replace(NUMBER, zone="America/New_York")])

    assert guilty(given_, "I6") == []
    assert guilty(elsewhere, "I6") == ["attempt-2"]


def test_a_call_that_may_belong_to_either_day_counts_for_none() -> None:
    midnight = NOW - 15 * HOUR
    calls = dials(midnight + SECOND, midnight + HOUR)
    given_ = limited(*calls, max_calls_per_day=1)

    assert guilty(given_, "I6") == ["attempt-2"]
    assert guilty(replace(given_, bounds=replace(BOUNDS, skew_ms=MINUTE)), "I6") == []


def test_all_calls_of_a_number_count_against_each_campaigns_own_cap() -> None:
    wide = dials(NOW, NOW + HOUR, campaign=1)
    narrow = dials(NOW + 2 * HOUR, NOW + 3 * HOUR, first=3, campaign=2)
    campaigns = [
        replace(CAMPAIGN, max_calls_per_day=4),
        replace(CAMPAIGN, id=2, max_calls_per_day=3),
    ]

    assert guilty(evidence(*wide, *narrow, campaigns=campaigns), "I6") == ["attempt-4"]
    assert guilty(evidence(*narrow, *wide, campaigns=campaigns), "I6") == ["attempt-4"]


def test_two_numbers_have_a_cap_each() -> None:
    one, other = dial(1), dial(2, NOW + HOUR, number=2, caller=OTHER_CALLER, to=callee(2))
    numbers = [NUMBER, replace(NUMBER, id=2, phone=OTHER_CALLER)]
    given_ = replace(limited(one, other, max_calls_per_day=1), numbers=numbers)

    assert guilty(given_, "I6") == []


@pytest.mark.parametrize(("retries", "broken"), [(2, []), (1, ["attempt-3"])])
def test_a_member_is_called_once_and_for_each_retry(retries: int, broken: list[str]) -> None:
    calls = [dial(n, NOW + n * HOUR, member=7) for n in (1, 2, 3)]

    assert guilty(limited(*calls, max_retries=retries), "I6") == broken


@pytest.mark.parametrize(
    ("asked_at", "members", "broken"),
    [
        (NOW + HOUR, [[5, 9]], []),
        (NOW + HOUR, [[1, 3], [7, 7]], []),
        (NOW + HOUR, [[8, 9]], ["attempt-3"]),
        (NOW + 2 * HOUR + MINUTE, [[7, 7]], ["attempt-3"]),
    ],
)
def test_a_retry_by_hand_allows_its_members_one_call_more_from_then_on(
    asked_at: int, members: list[list[int]], broken: list[str]
) -> None:
    calls = [dial(n, NOW + (n - 1) * HOUR, member=7) for n in (1, 2, 3)]
    retry = Retry(1, asked_at, json.dumps({"member_ids": members}))

    given_ = replace(limited(*calls, max_retries=1), retries=[retry])

    assert guilty(given_, "I6") == broken


# -- I8: calls at once ----------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "broken"), [(3, []), (2, ["attempt-3"])])
def test_the_first_call_too_many_at_once_is_named(limit: int, broken: list[str]) -> None:
    calls = dials(NOW, NOW + SECOND, NOW + 2 * SECOND)
    numbers = [replace(NUMBER, max_live=limit)]

    assert guilty(limited(*calls, max_concurrent=limit), "I8") == broken
    assert guilty(evidence(*calls, numbers=numbers), "I8") == broken
    assert guilty(evidence(*calls, account=Account(0, limit)), "I8") == broken


def test_a_call_may_begin_when_another_ends() -> None:
    one, other = dials(NOW, NOW + MINUTE, lasts_s=60)

    assert guilty(limited(one, other, max_concurrent=1), "I8") == []


def test_a_call_that_is_still_on_counts_until_it_ends() -> None:
    still_on = dial().really(ended_at=None, status="in-progress")

    given_ = limited(still_on, *dials(NOW + HOUR, first=2), max_concurrent=1)

    assert guilty(given_, "I8") == ["attempt-2"]


def test_campaigns_and_numbers_do_not_count_for_one_another() -> None:
    one, other = dial(1), dial(2, number=2, campaign=2, caller=OTHER_CALLER, to=callee(2))
    campaigns = [replace(CAMPAIGN, id=id_, max_concurrent=1) for id_ in (1, 2)]
    numbers = [
        replace(NUMBER, max_live=1),
        replace(NUMBER, id=2, phone=OTHER_CALLER, max_live=1),
    ]

    assert guilty(evidence(one, other, campaigns=campaigns, numbers=numbers), "I8") == []
    assert len(guilty(evidence(one, other, account=Account(0, 1)), "I8")) == 1


def test_a_limit_of_none_is_no_limit() -> None:
    assert guilty(evidence(*dials(*[NOW] * 9), account=Account(0, 0)), "I8") == []


@pytest.mark.parametrize(("gap_ms", "broken"), [(500, []), (499, ["attempt-3"])])
def test_no_second_wherever_it_begins_holds_more_than_the_rate(
    gap_ms: int, broken: list[str]
) -> None:
    calls = dials(NOW + 300, NOW + 300 + gap_ms, NOW + 300 + 2 * gap_ms)

    assert guilty(evidence(*calls, account=Account(2, 0)), "I8") == broken


def test_the_rate_counts_requests_and_not_what_a_slow_carrier_makes_of_them() -> None:
    calls = [each.really(accepted_at=NOW + MINUTE) for each in dials(NOW, NOW + 5 * SECOND)]

    assert guilty(evidence(*calls, account=Account(1, 0)), "I8") == []


def test_jitter_lets_as_much_through_as_it_explains() -> None:
    calls = dials(*[NOW] * 4)
    jittery = replace(BOUNDS, jitter_ms=1000)

    given_ = evidence(*calls, account=Account(2, 0), bounds=jittery)

    assert guilty(given_, "I8") == []
    assert guilty(replace(given_, account=Account(1.5, 0)), "I8") == ["attempt-4"]


def test_without_the_accounts_limits_only_those_of_the_database_are_judged() -> None:
    calls = dials(*[NOW] * 3)
    given_ = replace(limited(*calls, max_concurrent=2), account=None)

    assert guilty(given_, "I8") == ["attempt-3"]
    assert guilty(given_, "I15") == []
    assert "was not given" in notes(given_, "I8")
    assert not notes(limited(*calls), "I8")


@given(st.lists(st.integers(0, 5000), max_size=30), st.integers(1, 4))
def test_a_paced_sequence_is_never_blamed(offsets: list[int], rate: int) -> None:
    spacing_ms = -(-1000 // rate)
    times, at = [], NOW
    for offset in offsets:
        at += spacing_ms + offset
        times.append(at)

    given_ = evidence(*dials(*times, lasts_s=2), account=Account(rate, 0))

    assert guilty(given_, "I8") == guilty(given_, "I15") == []


# -- I15: no burst --------------------------------------------------------------------------------


def test_what_a_clock_jump_left_behind_shows_as_a_burst_of_the_account() -> None:
    missed = dials(*[NOW + n * 100 for n in range(72)])
    bounds = replace(BOUNDS, jitter_ms=10 * SECOND)  # which hides it from the sliding second
    given_ = replace(limited(*missed, max_concurrent=1000), account=Account(1, 0), bounds=bounds)

    assert guilty(given_, "I8") == []
    assert guilty(given_, "I15") == ["attempt-71", "attempt-72"]


@pytest.mark.parametrize(
    ("interval_s", "times_s", "broken"),
    [
        (10, [0, 10, 20, 30, 40, 50, 60], []),
        (10, [0, 1, 2, 3, 4, 5], []),  # six a minute, however uneven
        (10, [0, 10, 20, 30, 40, 50, 59], ["attempt-7"]),
        (600, [0, 600], []),
        (600, [0, 599], ["attempt-2"]),
        (0, [0, 0, 0], []),
    ],
)
def test_a_campaign_keeps_its_interval(
    interval_s: int, times_s: list[int], broken: list[str]
) -> None:
    calls = dials(*[NOW + each * SECOND for each in times_s])

    assert guilty(limited(*calls, call_interval_ms=interval_s * SECOND), "I15") == broken


def test_a_request_that_left_late_is_no_burst() -> None:
    calls = dials(NOW + 3 * SECOND, NOW + 600 * SECOND)
    given_ = limited(*calls, call_interval_ms=600 * SECOND)

    assert guilty(given_, "I15") == ["attempt-2"]
    assert guilty(replace(given_, bounds=replace(BOUNDS, late_ms=4 * SECOND)), "I15") == []


# -- I10: excluded numbers rest -------------------------------------------------------------------


@pytest.mark.parametrize(("score", "broken"), [(6.9, []), (7, ["attempt-1"]), (None, [])])
@pytest.mark.parametrize(("scored_at", "known"), [(NOW - HOUR, True), (NOW + HOUR, False)])
def test_a_number_over_its_threshold_is_not_claimed(
    score: float | None, broken: list[str], scored_at: int, known: bool
) -> None:
    number = replace(NUMBER, spam_score=score, spam_scored_at=scored_at)
    given_ = evidence(dial(), numbers=[number])

    assert guilty(given_, "I10") == (broken if known else [])
    assert bool(notes(given_, "I10")) is not known


@pytest.mark.parametrize(("disabled_at", "broken"), [(NOW - 251, ["attempt-1"]), (NOW - 250, [])])
def test_a_number_that_was_disabled_is_not_claimed(disabled_at: int, broken: list[str]) -> None:
    given_ = evidence(dial(), numbers=[replace(NUMBER, disabled_at=disabled_at)])

    assert guilty(given_, "I10") == broken


def test_an_attempt_without_number_or_campaign_is_left_to_others() -> None:
    strange = dial().but(number_id=9, campaign_id=9)

    assert [guilty(evidence(strange), name) for name in ("I6", "I8", "I10", "I15")] == [[]] * 4


def test_only_the_calls_of_the_period_are_judged() -> None:
    calls = dials(NOW, NOW + SECOND, NOW + DAY)
    given_ = limited(*calls, max_concurrent=1, max_calls_per_day=1)
    later = replace(given_, since_at=NOW + HOUR)

    assert guilty(given_, "I8") == guilty(given_, "I6") == ["attempt-2"]
    assert guilty(later, "I8") == guilty(later, "I6") == []
    assert "counted in part" in notes(later, "I6")
    assert not notes(given_, "I6")


def test_calls_from_numbers_nobody_has_are_left_to_others() -> None:
    given_ = evidence(dial().really(from_=OTHER_CALLER))

    assert guilty(given_, "I6") == guilty(given_, "I8") == []
    assert CALLER in found(given_, "agreement")[0].text
