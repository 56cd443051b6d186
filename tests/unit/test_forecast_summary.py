"""What several runs have in common, and how it is drawn."""

import math
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.commands.forecast_plot import LINES, OTHER, REACHED, WIDTH, bar_of, plot, spans_of
from dialer.forecast.stand_ins import HEAVIEST, MOST, stand_ins, weights
from dialer.forecast.summary import CERTAINTY, Day, beyond, certainty, summarize
from dialer.forecast.tally import DayCount, NumberDay, Tally, Use
from tests.support.engine import NOW
from tests.support.forecasting import given_number, given_snapshot, problem_of

MONDAY = date(2026, 1, 5)
USE = Use(call_interval=None, calls_per_second=0.2, calls_at_once=0.3, calls_a_day=0.4)
TALLY = Tally(
    ended_at=NOW,
    calls=20.0,
    reached=4.0,
    never_reached=6.0,
    left=0.0,
    days={MONDAY: DayCount(20.0, 4.0, 10.0)},
    numbers={1: {MONDAY.toordinal(): NumberDay(20, 100)}},
    spent={},
    use=USE,
)


def given_days(count: int) -> list[Day]:
    return [
        Day(MONDAY + timedelta(n), calls=100.0 + n, reached=20.0, left=float(count - n))
        for n in range(count)
    ]


# -- bands ----------------------------------------------------------------------------------------


def finishes(*ended_at: int | None) -> tuple[float | None, float | None, float | None]:
    problem = problem_of(given_snapshot(numbers=1, contacts=10))
    found = summarize(problem, 10, [replace(TALLY, ended_at=at) for at in ended_at]).finish
    return found.low, found.middle, found.high


def test_few_runs_all_lie_within_the_band() -> None:
    assert finishes(*range(10)) == (0, 4, 9)
    assert finishes(5) == (5, 5, 5)


def test_many_runs_leave_the_furthest_out() -> None:
    assert finishes(*range(20)) == (1, 9, 18)
    assert finishes(*range(99)) == (9, 49, 89)


@pytest.mark.parametrize(("runs", "expected"), [(1, 0), (4, 0.6), (10, 9 / 11), (99, 0.8)])
def test_a_band_says_how_certain_it_is(runs: int, expected: float) -> None:
    assert certainty(runs) == pytest.approx(expected)


@given(st.integers(9, 1000))
def test_enough_runs_are_as_certain_as_they_are_to_be(runs: int) -> None:
    assert CERTAINTY - 1e-9 <= certainty(runs) < CERTAINTY + 2 / (runs + 1)


@pytest.mark.parametrize("runs", [2, 5, 10, 19, 20, 40])
def test_a_band_holds_any_one_of_the_runs_as_often_as_it_says(runs: int) -> None:
    within = 0
    for one in range(runs + 1):  # of runs and campaign each is the campaign as often
        low, _, high = finishes(*(at for at in range(runs + 1) if at != one))
        assert low is not None
        assert high is not None
        within += low <= one <= high

    assert within / (runs + 1) == pytest.approx(certainty(runs))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40))
def test_a_band_is_made_of_runs_and_holds_its_middle(ended_at: list[int]) -> None:
    low, middle, high = finishes(*ended_at)

    assert low is not None
    assert middle is not None
    assert high is not None
    assert low <= middle <= high
    assert {low, middle, high} <= set(ended_at)
    within = sum(low <= at <= high for at in ended_at)
    assert within >= len(ended_at) - 2 * beyond(len(ended_at))


def test_runs_that_do_not_end_in_time_come_last() -> None:
    assert finishes(*range(8), None, None) == (0, 4, None)
    assert finishes(None) == (None, None, None)


# -- days -----------------------------------------------------------------------------------------


def test_days_are_means_over_all_runs_also_over_those_that_were_done_before() -> None:
    tuesday = MONDAY + timedelta(1)
    longer = replace(TALLY, days={MONDAY: DayCount(10, 2, 5), tuesday: DayCount(10, 2, 5)})
    problem = problem_of(given_snapshot(numbers=1, contacts=10))

    monday, second = summarize(problem, 10, [TALLY, longer]).days

    assert monday == Day(MONDAY, calls=15, reached=3, left=2.5)
    assert second == Day(tuesday, calls=5, reached=1, left=0)


def test_numbers_that_share_a_stand_in_carry_the_same() -> None:
    problem = problem_of(given_snapshot(numbers=20, contacts=10), factor=50)
    (first, *_) = problem.stand_ins
    day = MONDAY.toordinal()
    numbers = {each.id: {day: NumberDay(0, 4)} for each in problem.stand_ins}
    tally = replace(TALLY, numbers=numbers | {first.id: {day: NumberDay(3, 4)}})

    loads = summarize(problem, 10, [tally]).numbers

    assert len(loads) == 20
    carried = {load.number.id: load.calls_a_day for load in loads if load.calls_a_day}
    assert carried == {number.id: 75.0 for number in first.numbers}
    assert all(load.days_full is None for load in loads)  # a small world cannot tell


def test_a_number_is_full_on_the_days_on_which_it_has_had_all_its_calls() -> None:
    problem = problem_of(given_snapshot(numbers=1, contacts=10))
    days = {MONDAY.toordinal() + n: NumberDay(calls, 100) for n, calls in enumerate((100, 100, 40))}

    (load,) = summarize(problem, 10, [replace(TALLY, numbers={1: days})]).numbers

    assert load.calls_a_day == 80
    assert load.of_cap == pytest.approx(0.8)
    assert load.days_full == pytest.approx(2 / 3)


def test_the_limit_that_is_used_most_holds_a_campaign_back_if_it_is_used_up() -> None:
    problem = problem_of(given_snapshot(numbers=1, contacts=10))

    def bottleneck(*uses: Use) -> str | None:
        return summarize(problem, 10, [replace(TALLY, use=use) for use in uses]).bottleneck

    assert bottleneck(USE) is None
    assert bottleneck(replace(USE, calls_at_once=0.9)) == "calls_at_once"
    assert bottleneck(replace(USE, call_interval=0.95, calls_a_day=0.9)) == "call_interval"


# -- who stands in for whom -----------------------------------------------------------------------


@given(count=st.integers(1, 100), zones=st.integers(1, 3), scaled=st.booleans())
def test_every_number_has_one_stand_in_that_is_like_it(
    count: int, zones: int, scaled: bool
) -> None:
    numbers = [given_number(n, zone=f"Zone/{n % zones}") for n in range(1, count + 1)]

    pool = stand_ins(numbers, scaled=scaled)

    assert sorted(number.id for each in pool for number in each.numbers) == [*range(1, count + 1)]
    assert all(number.zone == each.zone for each in pool for number in each.numbers)
    assert len(pool) <= zones * MOST if scaled else len(pool) == count


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=60))
def test_stand_ins_weigh_what_their_numbers_weigh(given_weights: list[int]) -> None:
    numbers = [given_number(n, weight=weight) for n, weight in enumerate(given_weights, 1)]
    pool = stand_ins(numbers, scaled=True)

    found = dict(weights(pool))

    assert all(1 <= weight <= HEAVIEST for weight in found.values())
    sums = {each.id: sum(number.weight for number in each.numbers) for each in pool}
    heaviest = max(sums, key=lambda id_: sums[id_])
    for id_, weight in found.items():
        wanted = sums[id_] / sums[heaviest] * found[heaviest]
        assert abs(weight - wanted) <= 1


# -- the plot -------------------------------------------------------------------------------------


@given(st.integers(0, 400))
def test_a_plot_fits_on_a_page_and_leaves_no_day_out(count: int) -> None:
    days = given_days(count)

    lines = plot(days)

    assert len(lines) <= LINES + 1
    assert sum(span.calls for span in spans_of(days)) == pytest.approx(sum(d.calls for d in days))
    assert len({len(line) for line in lines}) <= 1


@given(calls=st.floats(0.001, 1e6), more=st.floats(0, 1e6), share=st.floats(0, 1, allow_nan=False))
def test_a_bar_is_as_long_as_its_calls(calls: float, more: float, share: float) -> None:
    bar = bar_of(calls, calls * share, calls + more)

    assert 1 <= len(bar) <= WIDTH
    assert bar == REACHED * bar.count(REACHED) + OTHER * bar.count(OTHER)
    assert abs(len(bar) - WIDTH * calls / (calls + more)) <= 1
    assert bar.count(REACHED) <= math.ceil(len(bar) * share) + 1


def test_a_day_without_calls_has_no_bar() -> None:
    assert bar_of(0, 0, 10) == ""


def test_days_go_by_their_names() -> None:
    assert [span.name for span in spans_of(given_days(2))] == ["Mon 05 Jan", "Tue 06 Jan"]
    assert spans_of(given_days(30))[0].name == "05 Jan to 06 Jan"
