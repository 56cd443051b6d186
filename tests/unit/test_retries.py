"""The retry policy: who is called again, when, and how often at most."""

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retries import NEVER, GiveUp, Outcome, Policy, Reason, RetryAt
from retries.policy import (
    FINAL,
    MAX_INTERVAL_S,
    MAX_RETRIES,
    MAX_UNPLACED,
    SPREAD_SHARE,
    Decision,
)

NOW = 1_790_000_000_000
HOUR_S = 3600
HOUR_MS = HOUR_S * 1000

RETRIED = sorted(outcome for outcome, reason in FINAL.items() if reason is None)
COUNTED = sorted(set(RETRIED) - {Outcome.NOT_PLACED})


def always(at: int) -> int | None:
    return at


def never(at: int) -> int | None:
    return None


def office(at: int) -> int:
    """Open from 9 to 17 hours of every UTC day."""
    day, hour_ms = divmod(at, 24 * HOUR_MS)
    if hour_ms < 9 * HOUR_MS:
        return day * 24 * HOUR_MS + 9 * HOUR_MS
    return at if hour_ms < 17 * HOUR_MS else (day + 1) * 24 * HOUR_MS + 9 * HOUR_MS


def decide(
    outcome: Outcome,
    attempts: int = 1,
    *,
    policy: Policy | None = None,
    spread: float = 0.0,
    next_open: Callable[[int], int | None] = always,
    rejections: int = 0,
    unplaced: int = 0,
    not_before_at: int | None = None,
) -> Decision:
    return (policy or Policy()).decide(
        outcome,
        attempts,
        NOW,
        spread,
        next_open,
        rejections=rejections,
        unplaced=unplaced,
        not_before_at=not_before_at,
    )


intervals = st.lists(st.integers(1, MAX_INTERVAL_S), min_size=1, max_size=11).map(tuple)
spreads = st.floats(0, 1, exclude_max=True)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        max_retries=draw(st.integers(0, MAX_RETRIES)),
        intervals_s=draw(intervals),
        overrides=draw(
            st.dictionaries(st.sampled_from(RETRIED), st.one_of(st.just(NEVER), intervals))
        ),
        max_unplaced=draw(st.integers(0, 8)),
    )


# --- which outcomes are retried -------------------------------------------------------------------


def test_every_outcome_is_judged() -> None:
    assert set(FINAL) == set(Outcome)


@pytest.mark.parametrize("outcome", RETRIED)
def test_a_callee_who_was_not_reached_is_called_again_after_the_interval(outcome: Outcome) -> None:
    assert decide(outcome) == RetryAt(NOW + HOUR_MS, moved=False)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.HUMAN, Reason.REACHED),
        (Outcome.FAX, Reason.FAX),
        (Outcome.INVALID_NUMBER, Reason.INVALID_NUMBER),
    ],
)
def test_some_outcomes_are_never_retried(outcome: Outcome, reason: Reason) -> None:
    assert decide(outcome) == GiveUp(reason)


def test_the_reason_for_good_is_told_even_when_the_attempts_are_spent() -> None:
    assert decide(Outcome.INVALID_NUMBER, attempts=3) == GiveUp(Reason.INVALID_NUMBER)


def test_a_callee_who_rejects_is_called_once_more_and_not_twice() -> None:
    policy = Policy(max_retries=10)

    assert decide(Outcome.REJECTED, policy=policy) == RetryAt(NOW + HOUR_MS, moved=False)
    again = decide(Outcome.REJECTED, attempts=2, rejections=1, policy=policy)
    assert again == GiveUp(Reason.REJECTED_TWICE)


def test_an_earlier_rejection_does_not_forbid_a_retry_after_no_answer() -> None:
    assert isinstance(decide(Outcome.NO_ANSWER, attempts=2, rejections=1), RetryAt)


# --- how often ------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", COUNTED)
def test_the_call_after_the_last_retry_is_the_last(outcome: Outcome) -> None:
    assert isinstance(decide(outcome, attempts=2), RetryAt)
    assert decide(outcome, attempts=3) == GiveUp(Reason.ATTEMPTS_EXHAUSTED)


def test_no_retries_means_one_call() -> None:
    assert decide(Outcome.BUSY, policy=Policy(max_retries=0)) == GiveUp(Reason.ATTEMPTS_EXHAUSTED)


def test_an_attempt_that_became_no_call_costs_no_retry() -> None:
    policy = Policy(max_retries=0)

    assert decide(Outcome.NOT_PLACED, attempts=0, policy=policy) == RetryAt(
        NOW + HOUR_MS, moved=False
    )


def test_attempts_that_become_no_call_end_at_their_own_bound() -> None:
    policy = Policy(max_unplaced=2)

    assert isinstance(decide(Outcome.NOT_PLACED, 0, unplaced=1, policy=policy), RetryAt)
    last = decide(Outcome.NOT_PLACED, 0, unplaced=2, policy=policy)
    assert last == GiveUp(Reason.NEVER_PLACED)


@given(policies(), st.data())
def test_a_member_is_never_called_more_often_than_the_policy_says(
    policy: Policy, data: st.DataObject
) -> None:
    attempts = rejections = unplaced = rejected_retries = 0
    now_at = NOW
    while True:
        outcome = data.draw(st.sampled_from(Outcome))
        attempts += outcome is not Outcome.NOT_PLACED
        spread = data.draw(spreads)
        decision = policy.decide(
            outcome, attempts, now_at, spread, office, rejections=rejections, unplaced=unplaced
        )
        if isinstance(decision, GiveUp):
            break
        rejected_retries += outcome is Outcome.REJECTED
        rejections += outcome is Outcome.REJECTED
        unplaced += outcome is Outcome.NOT_PLACED
        now_at = decision.at

    assert attempts <= policy.max_retries + 1
    assert unplaced <= policy.max_unplaced
    assert rejected_retries <= 1


# --- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("attempts", "hours"), [(1, 1), (2, 4), (3, 24), (4, 24), (10, 24)])
def test_each_retry_has_its_interval_and_the_last_repeats(attempts: int, hours: int) -> None:
    policy = Policy(max_retries=10, intervals_s=(HOUR_S, 4 * HOUR_S, 24 * HOUR_S))

    decision = decide(Outcome.NO_ANSWER, attempts, policy=policy)

    assert decision == RetryAt(NOW + hours * HOUR_MS, moved=False)


def test_an_outcome_may_have_intervals_of_its_own() -> None:
    policy = Policy(overrides={Outcome.BUSY: (300, 600)})

    assert decide(Outcome.BUSY, policy=policy) == RetryAt(NOW + 300_000, moved=False)
    assert decide(Outcome.BUSY, 2, policy=policy) == RetryAt(NOW + 600_000, moved=False)
    assert decide(Outcome.NO_ANSWER, policy=policy) == RetryAt(NOW + HOUR_MS, moved=False)


def test_an_outcome_may_be_ruled_out() -> None:
    policy = Policy(overrides={Outcome.MACHINE: NEVER})

    assert decide(Outcome.MACHINE, policy=policy) == GiveUp(Reason.RULED_OUT)


def test_waits_after_attempts_that_became_no_call_are_counted_by_themselves() -> None:
    policy = Policy(max_retries=5, intervals_s=(HOUR_S, 4 * HOUR_S, 24 * HOUR_S))

    first = decide(Outcome.NOT_PLACED, attempts=3, policy=policy)
    second = decide(Outcome.NOT_PLACED, attempts=3, unplaced=1, policy=policy)

    assert first == RetryAt(NOW + HOUR_MS, moved=False)
    assert second == RetryAt(NOW + 4 * HOUR_MS, moved=False)


def test_the_spread_lengthens_the_wait_by_a_share_of_a_tenth() -> None:
    assert decide(Outcome.BUSY, spread=0.5) == RetryAt(NOW + HOUR_MS + HOUR_MS // 20, moved=False)


def test_a_quarantine_holds_the_retry_back() -> None:
    until = NOW + 5 * HOUR_MS

    assert decide(Outcome.BUSY, not_before_at=until) == RetryAt(until, moved=False)


def test_a_quarantine_that_is_over_changes_nothing() -> None:
    assert decide(Outcome.BUSY, not_before_at=NOW) == RetryAt(NOW + HOUR_MS, moved=False)


def test_a_closed_time_is_moved_to_the_next_opening() -> None:
    opening = NOW + 9 * HOUR_MS

    decision = decide(Outcome.BUSY, next_open=lambda at: max(at, opening))

    assert decision == RetryAt(opening, moved=True)


def test_a_window_that_never_opens_ends_the_member() -> None:
    assert decide(Outcome.BUSY, next_open=never) == GiveUp(Reason.NEVER_OPEN)


def test_a_window_that_answers_with_the_past_is_refused() -> None:
    with pytest.raises(ValueError, match=r"next_open\(\d+\) went back to \d+"):
        decide(Outcome.BUSY, next_open=lambda at: at - 1)


@given(
    policies(),
    st.sampled_from(Outcome),
    st.integers(1, 12),
    st.integers(0, 12),
    st.integers(0, 12),
    spreads,
    st.one_of(st.none(), st.integers(NOW, NOW + 90 * 24 * HOUR_MS)),
)
def test_every_history_has_an_answer_that_is_open_late_enough_and_repeatable(
    policy: Policy,
    outcome: Outcome,
    attempts: int,
    rejections: int,
    unplaced: int,
    spread: float,
    not_before_at: int | None,
) -> None:
    def ask(spread: float, next_open: Callable[[int], int | None]) -> Decision:
        return decide(
            outcome,
            attempts,
            policy=policy,
            spread=spread,
            next_open=next_open,
            rejections=rejections,
            unplaced=unplaced,
            not_before_at=not_before_at,
        )

    decision, unhindered, exact = ask(spread, office), ask(spread, always), ask(0, always)

    assert decision == ask(spread, office)
    if isinstance(decision, GiveUp):
        assert decision == unhindered == exact
        return
    assert isinstance(unhindered, RetryAt)
    assert isinstance(exact, RetryAt)
    assert decision.at == office(unhindered.at)
    assert decision.moved == (decision.at != unhindered.at)
    shortest_s = min(policy.overrides.get(outcome, policy.intervals_s))
    assert exact.at >= NOW + shortest_s * 1000
    assert exact.at >= (not_before_at or 0)
    assert exact.at <= unhindered.at <= exact.at + (exact.at - NOW) * SPREAD_SHARE


@given(policies(), st.sampled_from(COUNTED), st.integers(1, MAX_RETRIES), spreads)
def test_a_retry_is_never_earlier_than_its_interval(
    policy: Policy, outcome: Outcome, attempts: int, spread: float
) -> None:
    decision = decide(outcome, attempts, policy=policy, spread=spread)

    if isinstance(decision, GiveUp):
        return
    listed = policy.overrides.get(outcome, policy.intervals_s)
    interval_s = [*listed, *[listed[-1]] * MAX_RETRIES][attempts - 1]
    assert interval_s * 1000 <= decision.at - NOW <= interval_s * 1100


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_retries": -1}, "max_retries: -1 is not between 0 and 10"),
        ({"max_retries": 11}, "max_retries: 11 is not between 0 and 10"),
        ({"max_unplaced": -1}, "max_unplaced: -1 is not between 0 and 100"),
        ({"max_unplaced": MAX_UNPLACED + 1}, "max_unplaced: 101 is not between 0 and 100"),
        ({"intervals_s": ()}, "intervals_s is empty"),
        ({"intervals_s": (60, 0)}, "intervals_s: 0 is not between 1 and 31536000"),
        ({"intervals_s": (MAX_INTERVAL_S + 1,)}, "intervals_s: 31536001 is not between"),
        ({"overrides": {Outcome.BUSY: (-5,)}}, r"overrides\[busy\]: -5 is not between"),
        ({"overrides": {Outcome.FAX: (60,)}}, r"overrides: 'fax' is never retried: \(60,\)"),
    ],
)
def test_a_policy_that_cannot_be_names_the_field_and_the_value(
    fields: Mapping[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Policy(**fields)  # type: ignore[arg-type]  # each case breaks one field on purpose


def test_never_may_be_said_of_what_is_never_retried_anyway() -> None:
    policy = Policy(overrides={Outcome.FAX: NEVER})

    assert decide(Outcome.FAX, policy=policy) == GiveUp(Reason.FAX)


@pytest.mark.parametrize(
    ("outcome", "attempts", "history", "message"),
    [
        (Outcome.BUSY, 0, {}, "attempts: 0 cannot be after 'busy'"),
        (Outcome.NOT_PLACED, -1, {}, "attempts: -1 cannot be after 'not_placed'"),
        (Outcome.BUSY, 1, {"rejections": -1}, "rejections: -1 is not a count"),
        (Outcome.BUSY, 1, {"unplaced": -2}, "unplaced: -2 is not a count"),
    ],
)
def test_a_history_that_cannot_be_is_refused(
    outcome: Outcome, attempts: int, history: Mapping[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        decide(outcome, attempts, **history)  # type: ignore[arg-type]  # two counts by name


@pytest.mark.parametrize("spread", [-0.1, 1.0, float("nan")])
def test_a_spread_outside_its_interval_is_refused(spread: float) -> None:
    with pytest.raises(ValueError, match="spread"):
        decide(Outcome.BUSY, spread=spread)


def test_a_policy_cannot_change_behind_the_back_of_who_holds_it() -> None:
    overrides = {Outcome.BUSY: (60,)}
    policy = Policy(overrides=overrides)

    overrides[Outcome.BUSY] = (1,)

    assert policy.overrides[Outcome.BUSY] == (60,)
    with pytest.raises(FrozenInstanceError):
        policy.max_retries = 3  # type: ignore[misc]  # that it is frozen is what is tested


def test_equal_policies_are_one_key() -> None:
    assert {Policy(), Policy(overrides={})} == {Policy()}
