"""Nobody is lost: members, open attempts, the promised end and the counters of numbers."""

from dataclasses import replace
from typing import Any

import pytest

from dialer.audit.evidence import Evidence
from dialer.audit.records import ACTIVE, DONE, ENDED, OPEN, WAITING, NumberDay
from dialer.states import (
    FINAL_MEMBER_STATES,
    OPEN_ATTEMPT_STATES,
    WAITING_MEMBER_STATES,
    CampaignStatus,
    MemberState,
)
from tests.support.evidence import (
    BOUNDS,
    CALLEE,
    CAMPAIGN,
    DAEMON,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    NUMBER,
    Dial,
    blind,
    dial,
    evidence,
    found,
    notes,
)

ACTIVE_CAMPAIGN = replace(CAMPAIGN, status="active", ended_at=None)


def under_way(one: Dial | None = None, **changes: Any) -> Evidence:
    """A run that goes on, with one attempt open since NOW."""
    calling = one or dial()
    open_ = calling.really(status="in-progress", ended_at=None).but(
        state="placed", closed_at=None, status=None, outcome=None
    )
    given = evidence(open_, over=False, campaigns=[ACTIVE_CAMPAIGN], as_of_at=NOW + MINUTE)
    member = replace(given.members[0], state="dialing", attempts=0)
    return replace(given, members=[member], **changes)


def with_member(given: Evidence, **changes: Any) -> Evidence:
    return replace(given, members=[replace(given.members[0], **changes)])


def test_the_states_are_those_of_the_tables() -> None:
    assert DONE == FINAL_MEMBER_STATES
    assert WAITING == WAITING_MEMBER_STATES
    assert set(MemberState) == ACTIVE | DONE
    assert OPEN == OPEN_ATTEMPT_STATES
    assert {CampaignStatus.COMPLETED, CampaignStatus.CANCELLED} == ENDED


# -- I3: nobody is lost ---------------------------------------------------------------------------


def test_a_run_that_went_well_has_lost_nobody() -> None:
    assert found(evidence(dial()), "I3") == []
    assert found(under_way(), "I3") == []


@pytest.mark.parametrize("state", [*ACTIVE, "vanished"])
def test_whoever_is_not_done_with_at_the_end_is_lost(state: str) -> None:
    (violation,) = found(with_member(evidence(dial()), state=state), "I3")

    assert (violation.attempt, violation.callee, violation.campaign) == ("attempt-1", CALLEE, 1)


@pytest.mark.parametrize("state", ["pending", "retry"])
def test_whoever_waits_in_a_campaign_that_goes_on_is_not_lost(state: str) -> None:
    given = replace(evidence(dial()), over=False, campaigns=[ACTIVE_CAMPAIGN])

    assert found(with_member(given, state=state), "I3") == []
    assert "when everything is over" in notes(given, "I3")


@pytest.mark.parametrize("state", ["pending", "retry"])
def test_whoever_waits_in_a_campaign_that_has_ended_is_lost(state: str) -> None:
    given = replace(evidence(dial()), over=False)

    assert len(found(with_member(given, state=state), "I3")) == 1


def test_a_member_being_dialed_by_nothing_is_lost() -> None:
    given = replace(evidence(dial()), over=False, campaigns=[ACTIVE_CAMPAIGN])

    assert len(found(with_member(given, state="dialing"), "I3")) == 1


def test_a_member_called_without_an_outcome_is_lost() -> None:
    without = evidence(dial().but(outcome=None), over=False)
    decided = evidence(dial(), over=False)

    assert len(found(with_member(without, state="called"), "I3")) == 1
    assert found(with_member(decided, state="called"), "I3") == []


def test_an_open_attempt_nobody_follows_is_found() -> None:
    given = with_member(under_way(), state="retry")
    elsewhere = with_member(under_way(), attempt_id="attempt-9")
    nowhere = replace(under_way(), members=())

    assert [each.attempt for each in found(given, "I3")] == ["attempt-1"]
    assert "attempt-1" in [each.attempt for each in found(elsewhere, "I3")]
    assert [each.attempt for each in found(nowhere, "I3")] == ["attempt-1"]


@pytest.mark.parametrize(("recorded", "violations"), [(0, 1), (1, 0), (2, 1)])
def test_at_the_end_calls_are_recorded_exactly(recorded: int, violations: int) -> None:
    lost = found(with_member(evidence(dial()), attempts=recorded), "I3")

    assert [each.callee for each in lost] == [CALLEE] * violations


def test_before_the_end_more_may_be_recorded_than_made_and_never_less() -> None:
    unrecorded = dial().but(sid=None, state="not_placed", outcome="not_placed")
    expected = dial().but(sid=None, state="unknown", closed_at=None, outcome=None)

    assert len(found(evidence(unrecorded, over=False), "I3")) == 1
    assert found(under_way(expected, calls=()), "I3") == []
    assert found(under_way(expected), "I3") == []


# -- I7: no attempt stays open --------------------------------------------------------------------


@pytest.mark.parametrize(("age_ms", "violations"), [(HOUR + 30_000, 0), (HOUR + 30_001, 1)])
def test_an_attempt_may_be_open_as_long_as_a_call_and_all_doubt_last(
    age_ms: int, violations: int
) -> None:
    given = under_way(as_of_at=NOW + age_ms)

    assert len(found(given, "I7")) == violations


def test_an_attempt_is_waited_for_from_when_somebody_looks_after_it() -> None:
    late = replace(DAEMON, started_at=NOW + DAY)
    given = under_way(as_of_at=NOW + DAY + MINUTE, daemons=[late])

    assert found(given, "I7") == []


@pytest.mark.parametrize("gone", [replace(DAEMON, ended_at=NOW), replace(DAEMON, lease_until=NOW)])
def test_while_no_daemon_lives_nothing_is_said_of_open_attempts(gone: Any) -> None:
    assert "no daemon runs" in str(blind(under_way(daemons=[gone]), "I7"))


def test_without_a_bound_nothing_is_said_of_open_attempts() -> None:
    given = under_way(bounds=replace(BOUNDS, open_ms=None))

    assert "was not given" in str(blind(given, "I7"))


def test_when_everything_is_over_nothing_is_open() -> None:
    assert found(evidence(dial()), "I7") == []
    assert len(found(replace(under_way(), over=True), "I7")) == 1


# -- I20: everything ends in time -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "guilty"),
    [
        ({}, []),
        ({"attempts": [dial().but(closed_at=None).attempt]}, ["attempt-1"]),
        ({"attempts": [dial().but(closed_at=NOW + DAY).attempt]}, []),
        ({"attempts": [dial().but(closed_at=NOW + DAY + 1).attempt]}, ["attempt-1"]),
        ({"campaigns": [ACTIVE_CAMPAIGN]}, [None]),
        ({"campaigns": [replace(CAMPAIGN, ended_at=NOW + DAY + 1)]}, [None]),
    ],
)
def test_what_is_not_over_by_the_instant_promised_is_named(
    changes: dict[str, Any], guilty: list[str | None]
) -> None:
    given = replace(evidence(dial()), **changes)

    assert [each.attempt for each in found(given, "I20")] == guilty


def test_a_member_who_is_not_done_with_has_not_been_in_time() -> None:
    assert len(found(with_member(evidence(dial()), state="retry"), "I20")) == 1


def test_without_an_instant_nobody_can_be_late() -> None:
    given = evidence(dial(), bounds=replace(BOUNDS, finish_by_at=None))

    assert "no instant was given" in str(blind(given, "I20"))


# -- counters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "by_day", "violations"), [(1, 1, 0), (2, 1, 1), (1, 2, 2), (0, 1, 1), (1, 0, 2)]
)
def test_counters_that_differ_from_the_calls_made_are_named(
    total: int, by_day: int, violations: int
) -> None:
    days = [NumberDay(1, "2026-01-05", by_day)]
    numbers = [replace(NUMBER, calls_total=total)]

    miscounted = found(evidence(dial(), numbers=numbers, number_days=days), "counters")

    assert len(miscounted) == violations


def test_a_call_counted_on_another_day_is_found() -> None:
    other_day = [NumberDay(1, "2026-01-04", 1)]

    assert len(found(evidence(dial(), number_days=other_day), "counters")) == 2


@pytest.mark.parametrize(("counted", "violations"), [(0, 2), (1, 0), (2, 0)])
def test_while_calls_go_on_more_may_be_counted(counted: int, violations: int) -> None:
    given = evidence(
        dial(),
        over=False,
        numbers=[replace(NUMBER, calls_total=counted)],
        number_days=[NumberDay(1, "2026-01-05", counted)],
    )

    assert len(found(given, "counters")) == violations


def test_a_part_of_the_calls_says_nothing_of_counters() -> None:
    assert "of a period" in str(blind(evidence(dial(), since_at=NOW), "counters"))
