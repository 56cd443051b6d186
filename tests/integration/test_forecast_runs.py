"""Runs of a forecast: the engine in virtual time, in small worlds as in large ones."""

import os
import signal
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from dialer.errors import DialerError
from dialer.forecast.cards import CLASSES, Card, Deck
from dialer.forecast.problem import Problem
from dialer.forecast.snapshot import OpenCall, Snapshot
from dialer.forecast.tally import Tally
from dialer.forecast.workers import Crew
from dialer.places import place_of
from dialer.states import MemberState
from retries.outcome import Outcome
from rotation.strategies import Strategy
from tests.support.engine import DAY, HOUR, MINUTE, NOW
from tests.support.forecasting import (
    OFFICE,
    forecast,
    given_member,
    given_number,
    given_snapshot,
    problem_of,
    run,
)
from tests.support.given import WASHINGTON

MONDAY = date(2026, 1, 5)
TALK = Card(Outcome.HUMAN, 8.0, 40.0)
SILENT = Card(Outcome.NO_ANSWER, 32.0)


def replayed(problem: Problem, *cards: Card) -> Problem:
    """The same run where calls go as these cards say, one as likely as the other."""
    return replace(problem, cards=Deck([cards] * CLASSES))


def people(tally: Tally) -> float:
    return tally.reached + tally.never_reached + tally.left


# -- one run --------------------------------------------------------------------------------------


def test_equal_problems_have_equal_tallies() -> None:
    snapshot = given_snapshot(contacts=60, hours=OFFICE)
    problem = problem_of(snapshot)

    assert run(problem) == run(problem)
    assert run(problem) != run(problem_of(snapshot, run=1))
    assert run(problem) != run(problem_of(snapshot, seed=2))


def test_everybody_is_called_until_they_answer_or_their_retries_are_spent() -> None:
    problem = problem_of(given_snapshot(contacts=20, max_retries=2))

    talks, silent = run(replayed(problem, TALK)), run(replayed(problem, SILENT))

    assert (talks.calls, talks.reached, talks.never_reached, talks.left) == (20, 20, 0, 0)
    assert (silent.calls, silent.reached, silent.never_reached, silent.left) == (60, 0, 20, 0)


def test_a_run_takes_as_long_as_its_intervals_and_timeouts() -> None:
    problem = problem_of(
        given_snapshot(
            contacts=10, call_interval_s=60, max_retries=1, retry_intervals_s=(7200,),
            completion_timeout_s=600,
        )
    )  # fmt: skip

    ended_at = run(replayed(problem, SILENT)).ended_at

    # Nine intervals, 32 s of ringing, ten minutes; two hours and up to a tenth; the same again.
    assert ended_at is not None
    once = 9 * MINUTE + 10 * MINUTE + 32_000
    assert once + 2 * HOUR < ended_at - NOW < 2 * once + 2 * HOUR * 1.1


def test_nobody_is_called_while_it_is_closed() -> None:
    evening = replace(given_snapshot(contacts=30, hours=OFFICE), at=NOW + 5 * HOUR)

    tally = run(problem_of(evening))

    assert min(tally.days) == date(2026, 1, 6)
    assert tally.ended_at is not None
    assert tally.ended_at > NOW + 18 * HOUR


def test_a_start_that_lies_ahead_is_waited_for() -> None:
    ahead = given_snapshot(contacts=3, start_at=NOW + 3 * DAY, max_retries=0)

    assert min(run(problem_of(ahead)).days) == date(2026, 1, 8)


def test_no_number_passes_its_cap_on_any_day() -> None:
    pool = [given_number(n, calls_today=2 * n) for n in range(1, 4)]
    tally = run(problem_of(given_snapshot(contacts=60, numbers=pool, max_calls_per_day=10)))

    today, tomorrow = MONDAY.toordinal(), MONDAY.toordinal() + 1
    assert [tally.numbers[n][today].calls for n in (1, 2, 3)] == [8, 6, 4]
    assert [tally.numbers[n][tomorrow].calls for n in (1, 2, 3)] == [10, 10, 10]
    for by_day in tally.numbers.values():
        assert all(day.calls <= day.allowed for day in by_day.values())
    assert MONDAY in tally.spent
    assert 15 * 60 <= tally.spent[MONDAY] < 16 * 60


def test_numbers_that_may_not_be_used_carry_nothing() -> None:
    pool = [given_number(1), given_number(2, enabled=False), given_number(3, spam_score=9.0)]

    tally = run(problem_of(given_snapshot(contacts=10, numbers=pool)))

    assert [*tally.numbers] == [1]


def test_what_lies_behind_a_member_counts() -> None:
    members = [
        given_member(1, state=MemberState.RETRY, attempts=2, next_at=NOW + HOUR),
        given_member(
            2,
            state=MemberState.CALLED,
            attempts=3,
            next_at=NOW + 5 * MINUTE,
            open_call=OpenCall("no_answer", None, 0),
        ),
        given_member(
            3,
            state=MemberState.CALLED,
            attempts=1,
            next_at=NOW + 5 * MINUTE,
            last_number_id=99,
            open_call=OpenCall("human", None, 30),
        ),
    ]
    problem = problem_of(given_snapshot(members=members, max_retries=2))

    tally = run(replayed(problem, SILENT))

    assert tally.calls == 1  # the third and last one of the first member
    assert (tally.reached, tally.never_reached) == (1, 2)
    assert tally.ended_at is not None
    assert tally.ended_at > NOW + HOUR


def test_a_carrier_that_refuses_is_heard() -> None:
    bad = Card(Outcome.INVALID_NUMBER, 0.3, error_code=21211, made=False)
    problem = problem_of(given_snapshot(contacts=4))

    tally = run(replayed(problem, bad))

    assert (tally.calls, tally.never_reached) == (0, 4)


def test_a_brief_conversation_is_one_all_the_same() -> None:
    tally = run(replayed(problem_of(given_snapshot(contacts=4)), Card(Outcome.HUMAN, 5.0, 2.0)))

    assert (tally.calls, tally.reached) == (4, 4)


@pytest.mark.parametrize("outcome", set(Outcome) - {Outcome.CANCELED, Outcome.NOT_PLACED})
def test_every_outcome_comes_out_as_it_went_in(outcome: Outcome) -> None:
    problem = problem_of(given_snapshot(contacts=2, max_retries=1))

    tally = run(replayed(problem, Card(outcome, 5.0, 10.0)))

    once = {Outcome.HUMAN, Outcome.FAX}
    assert tally.calls == (2 if outcome in once else 4)  # a bad number gets a second sighting
    assert tally.reached == (2 if outcome is Outcome.HUMAN else 0)


def test_a_run_ends_with_its_days() -> None:
    tally = run(problem_of(given_snapshot(contacts=500, max_calls_per_day=20), days=3))

    assert tally.ended_at is None
    assert tally.left > 0
    assert people(tally) == 500
    assert len(tally.days) == 4  # three times 24 hours from an afternoon on


@pytest.mark.parametrize("strategy", Strategy)
def test_every_strategy_shares_the_load_out(strategy: Strategy) -> None:
    pool = [given_number(n, weight=n) for n in (1, 2)]
    settings: dict[str, Any] = {"strategy": strategy, "max_retries": 0, "call_interval_s": 60}

    tally = run(problem_of(given_snapshot(contacts=30, numbers=pool, **settings)))

    by_number = [sum(day.calls for day in tally.numbers[n].values()) for n in (1, 2)]
    assert sum(by_number) == 30
    if strategy is Strategy.WEIGHTED:
        assert by_number == [10, 20]


# -- rules and caps where people are --------------------------------------------------------------

CALIFORNIA = place_of("+14155550101").key
#: NOW is 7:00 in San Francisco, and the rules as they are delivered open at 8:00.
EIGHT_IN_CALIFORNIA = NOW + HOUR


def test_people_are_called_when_it_is_open_where_they_are() -> None:
    californians = [given_member(n, window_key=CALIFORNIA) for n in range(1, 6)]
    all_over = [*californians, *(given_member(n) for n in range(6, 11))]
    facts: dict[str, Any] = {"max_retries": 0, "completion_timeout_s": 0, "rules": None}

    there = run(replayed(problem_of(given_snapshot(members=californians, **facts)), TALK))
    both = run(replayed(problem_of(given_snapshot(members=all_over, **facts)), TALK))

    for tally in (there, both):
        assert tally.left == 0
        assert tally.ended_at is not None
        assert 0 < tally.ended_at - EIGHT_IN_CALIFORNIA < 10 * MINUTE


def test_a_small_world_waits_for_the_rules_as_a_large_one_does() -> None:
    members = [
        given_member(n, window_key=CALIFORNIA if n % 2 else WASHINGTON) for n in range(1, 241)
    ]
    snapshot = given_snapshot(members=members, rules=None, call_interval_s=120, hours=OFFICE)

    large, *small = (run(problem_of(snapshot, factor)) for factor in (1.0, 8.0, 8.0))

    assert large.ended_at is not None
    for each in small:
        assert each.ended_at == pytest.approx(large.ended_at, abs=0.1 * (large.ended_at - NOW))


def test_nobody_is_called_more_often_than_their_caps_allow() -> None:
    patient: dict[str, Any] = {
        "max_retries": 2,
        "retry_intervals_s": (60,),
        "completion_timeout_s": 0,
    }
    capped = given_snapshot(contacts=4, callee_calls_per_day=1, **patient)
    called_today = given_member(1, recent=(NOW - HOUR,))
    again = given_snapshot(members=[called_today], callee_calls_per_day=1, max_retries=0)

    three_days, tomorrow = (run(replayed(problem_of(each), SILENT)) for each in (capped, again))

    assert three_days.calls == 12
    assert three_days.ended_at is not None
    assert 2 * DAY < three_days.ended_at - NOW < 2 * DAY + HOUR
    assert (tomorrow.calls, min(tomorrow.days)) == (1, date(2026, 1, 6))


# -- what holds a campaign back -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "settings"),
    [
        ("call_interval", {"call_interval_s": 120}),
        ("calls_per_second", {"calls_per_second": 0.01, "call_interval_s": 1}),
        ("calls_at_once", {"max_concurrent": 1, "call_interval_s": 0, "retry_intervals_s": (60,)}),
        ("calls_at_once", {"account_calls": 1, "call_interval_s": 0, "retry_intervals_s": (60,)}),
        ("calls_a_day", {"max_calls_per_day": 5, "call_interval_s": 0}),
        (None, {"call_interval_s": 1, "max_concurrent": 100, "retry_intervals_s": (86_400,)}),
    ],
)
@pytest.mark.parametrize("factor", [1.0, 6.0])
def test_the_limit_that_holds_a_campaign_back_is_found(
    limit: str | None, settings: dict[str, Any], factor: float
) -> None:
    use = run(problem_of(given_snapshot(contacts=90, **settings), factor)).use

    used = {
        "call_interval": use.call_interval or 0,
        "calls_per_second": use.calls_per_second or 0,
        "calls_at_once": use.calls_at_once,
        "calls_a_day": use.calls_a_day,
    }
    binding = {name for name, share in used.items() if share > 0.85}
    assert binding == (set() if limit is None else {limit})


# -- small worlds ---------------------------------------------------------------------------------

REGIMES: dict[str, dict[str, Any]] = {
    "interval": {"call_interval_s": 40, "max_calls_per_day": 1000},
    "one line": {"call_interval_s": 0, "max_concurrent": 1, "max_calls_per_day": 1000},
    "lines": {"call_interval_s": 0, "max_concurrent": 7, "max_calls_per_day": 1000},
    "caps": {"call_interval_s": 1, "max_calls_per_day": 17},
    "account": {"call_interval_s": 0, "calls_per_second": 0.02, "max_calls_per_day": 1000},
    "per number": {
        "call_interval_s": 0,
        "max_calls_per_day": 1000,
        "numbers": [given_number(n, max_live=1) for n in (1, 2)],
    },
    "many numbers": {"call_interval_s": 1, "max_calls_per_day": 3, "numbers": 25},
}


@pytest.fixture(params=REGIMES)
def regime(request: pytest.FixtureRequest) -> Snapshot:
    return given_snapshot(contacts=240, hours=OFFICE, **REGIMES[request.param])


def test_a_small_world_takes_as_long_as_the_large_one(regime: Snapshot) -> None:
    large = run(problem_of(regime))
    assert large.ended_at is not None

    # Where numbers spend their caps, a campaign that ends in the morning might end a day earlier.
    one_day_off = 0.08 * (large.ended_at - NOW) + 20 * MINUTE
    for factor in (4.0, 11.3):
        small = [run(problem_of(regime, factor, n)) for n in range(3)]

        ends = sorted(each.ended_at or 0 for each in small)
        assert abs(ends[1] - large.ended_at) < one_day_off
        for each in small:
            assert each.calls == pytest.approx(large.calls, rel=0.12)
            assert people(each) == pytest.approx(240, rel=0.05)


def test_a_list_is_sampled_when_it_is_long_and_only_then() -> None:
    short, long = (given_snapshot(contacts=n, call_interval_s=0) for n in (60, 900))

    assert forecast(short, runs=1).factor == 1
    assert 6 < forecast(long, runs=1).factor < 12


def test_everybody_is_called_where_that_is_asked_for() -> None:
    found = forecast(given_snapshot(contacts=400, max_retries=0, call_interval_s=0), full=True)

    assert (found.factor, found.runs) == (1, 4)
    (variant,) = found.variants
    assert variant.summary is not None
    assert variant.summary.calls.middle == 400


# -- processes ------------------------------------------------------------------------------------


def test_processes_find_what_this_one_finds() -> None:
    problems = [problem_of(given_snapshot(contacts=20), run=n) for n in range(3)]
    heard: list[float] = []

    with Crew(2) as crew:
        tallies = crew.run(problems, heard.append)

    assert tallies == [run(problem) for problem in problems]
    assert heard[-1] == 1.0
    assert heard == sorted(heard)


def test_a_run_that_fails_is_told_by_its_process() -> None:
    broken = replace(problem_of(given_snapshot(contacts=2)), script="CREATE TABLE unrelated (x)")

    with Crew(1) as crew, pytest.raises(DialerError, match="a run of the forecast failed: "):
        crew.run([broken], lambda _: None)


def test_a_process_that_is_gone_is_not_waited_for() -> None:
    with Crew(1) as crew:
        (process,) = crew.processes
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)

        with pytest.raises(DialerError, match="ended by itself"):
            crew.run([problem_of(given_snapshot(contacts=2))], lambda _: None)


def test_no_process_outlives_its_block() -> None:
    with Crew(2) as crew:
        processes = crew.processes
        assert all(process.is_alive() for process in processes)

    assert [process.is_alive() for process in processes] == [False, False]
