"""What a watched campaign's figures mean: pace, estimate, signs of life. All of it pure."""

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.hours import ALWAYS_OPEN, NEVER_OPEN, OpeningHours, Range, Schedule
from dialer.overview import LEAST_CALLS
from dialer.states import MemberState
from dialer.watching import (
    MINUTE_MS,
    OVERDUE,
    SLOT_MS,
    SLOTS,
    Life,
    Rate,
    Silence,
    calls_ahead,
    opened_for,
    pulse_of,
    tallied,
)
from retries.outcome import Outcome
from tests.support.frames import TALLY

NOW: Final = 1_767_625_200_000  # Monday 2026-01-05 15:00 UTC
S: Final = 1000
HOUR: Final = 3_600 * S
SILENCE: Final = Silence(most_s=6, lease_s=15)
OFFICE: Final = OpeningHours(Schedule("UTC", ((Range(9 * 60, 17 * 60),),) * 5 + ((), ())))


def signs(**fields: Any) -> dict[str, Any]:
    """What the database says of the engine: all is well, unless told otherwise."""
    return {"noted_at": NOW - 400, "lease_until": NOW + 14 * S, "unfolded_at": None, **fields}


# -- signs of life --------------------------------------------------------------------------------


def test_an_engine_that_writes_is_live_and_its_backlog_is_told() -> None:
    pulse = pulse_of(signs(unfolded_at=NOW - 700), NOW, SILENCE)

    assert (pulse.life, pulse.behind_ms) == (Life.LIVE, 700)


def test_without_a_lease_there_is_no_daemon() -> None:
    assert pulse_of(signs(lease_until=None), NOW, SILENCE).life is Life.NO_DAEMON


def test_six_seconds_of_silence_make_it_stale() -> None:
    # A lease of 15 s that ends in 9 s was renewed 6 s ago.
    quiet = signs(noted_at=NOW - 8 * S, lease_until=NOW + 9 * S)

    assert pulse_of(quiet, NOW, SILENCE).life is Life.LIVE
    later = pulse_of(quiet, NOW + 1, SILENCE)
    assert (later.life, later.seen_at) == (Life.STALE, NOW - 6 * S)


def test_a_lease_that_is_renewed_covers_reasons_that_take_long_to_count_but_not_for_ever() -> None:
    longest = OVERDUE * 6 * S

    assert pulse_of(signs(noted_at=NOW - longest), NOW, SILENCE).life is Life.LIVE
    assert pulse_of(signs(noted_at=NOW - longest - 1), NOW, SILENCE).life is Life.STALE


def test_a_deployment_without_campaigns_is_live_by_its_lease_alone() -> None:
    assert pulse_of(signs(noted_at=None), NOW, SILENCE).life is Life.LIVE


# -- figures --------------------------------------------------------------------------------------


def row(slot: int, outcome: Outcome | None, attempts: int, *, first_at: int = NOW) -> Any:
    closed = attempts if outcome else 0
    return {
        "slot": slot, "outcome": outcome, "attempts": attempts, "closed": closed,
        "first_at": first_at, "held_ms": closed * 30 * S,
    }  # fmt: skip


def test_calls_are_counted_by_slot_and_those_that_came_about_not_are_left_out() -> None:
    first = NOW // SLOT_MS - SLOTS + 1
    rows = [
        row(first, Outcome.HUMAN, 5, first_at=NOW - 10 * MINUTE_MS),
        row(first, Outcome.BUSY, 15),
        row(first + 7, Outcome.NOT_PLACED, 100),
        row(first + 7, None, 30),
    ]

    tally = tallied({MemberState.PENDING: 3}, rows, first, NOW)

    assert tally.slots[0] == Rate(20, 5)
    assert tally.slots[1:] == [Rate(0, 0)] * 7
    assert tally.rate.share == 0.25
    assert tally.per_minute == 15.0
    assert tally.final == 0.25
    assert tally.hold_ms == 30 * S


def test_a_rate_of_too_few_calls_is_none() -> None:
    assert Rate(LEAST_CALLS - 1, 5).share is None
    assert Rate(LEAST_CALLS, 5).share == 0.25


def test_a_campaign_that_has_called_nobody_has_no_figures() -> None:
    tally = tallied({}, [], 0, NOW)

    assert (tally.per_minute, tally.hold_ms, tally.rate.share) == (0.0, None, None)


# -- the estimate ---------------------------------------------------------------------------------


def test_the_calls_ahead_are_those_a_policy_of_retries_expects() -> None:
    waiting = replace(TALLY, members={MemberState.PENDING: 100}, final=0.5)

    assert calls_ahead(waiting, max_retries=0) == 100
    assert calls_ahead(waiting, max_retries=2) == pytest.approx(175)


@given(
    st.dictionaries(st.sampled_from([*MemberState]), st.integers(0, 10_000)),
    st.floats(0, 1),
    st.integers(0, 10),
)
def test_the_calls_ahead_are_bounded_by_one_and_all_retries(
    members: dict[str, int], final: float, retries: int
) -> None:
    tally = replace(TALLY, members={**members}, final=final)
    waiting = members.get(MemberState.PENDING, 0) + members.get(MemberState.RETRY, 0)
    called = members.get(MemberState.CALLED, 0) + members.get(MemberState.DIALING, 0)

    calls = calls_ahead(tally, retries)

    assert waiting <= calls + 1e-6
    assert calls <= waiting * (retries + 1) + called * retries + 1e-6


def test_time_that_is_needed_passes_while_it_is_open() -> None:
    friday_noon = NOW + 4 * 24 * HOUR - 3 * HOUR

    assert opened_for(ALWAYS_OPEN, NOW, HOUR) == NOW + HOUR
    assert opened_for(OFFICE, friday_noon, 5 * HOUR) == friday_noon + 5 * HOUR
    over_the_weekend = opened_for(OFFICE, friday_noon, 6 * HOUR)
    assert over_the_weekend == friday_noon + 5 * HOUR + (64 + 1) * HOUR


def test_what_is_never_open_is_never_over() -> None:
    assert opened_for(NEVER_OPEN, NOW, HOUR) is None
    assert opened_for(OFFICE, NOW, 100_000 * HOUR) is None


@given(st.integers(0, 500 * HOUR), st.integers(0, 500 * HOUR))
def test_more_work_never_ends_earlier(less: int, more: int) -> None:
    first, second = sorted((less, more))
    early, late = opened_for(OFFICE, NOW, first), opened_for(OFFICE, NOW, second)

    assert early is not None
    assert late is not None
    assert NOW + first <= early <= late
