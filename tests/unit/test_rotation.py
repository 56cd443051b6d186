"""Rotation: who may carry a call, whose turn it is, and that no cap is ever passed."""

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rotation.caller import CallerId, Ineligible, Limits, why_not
from rotation.pool import Pool, Strategy, Unavailable
from rotation.strategies import CHOICES, least_used_today, lowest_spam, round_robin, weighted

NOW = 1_772_442_000_000
DAY_MS = 86_400_000
MIDNIGHT = NOW + 7_200_000
LIMITS = Limits(spam_threshold=7, max_calls_per_day=100)
UNLIMITED = Limits(spam_threshold=7, max_calls_per_day=10**9)
FRESH = CallerId(
    id=1,
    phone="+12025550100",
    weight=1,
    enabled=True,
    spam_score=None,
    calls_today=0,
    live_calls=0,
    max_live=None,
    day_ends_at=MIDNIGHT,
    last_turn=0,
    credit=0,
    last_used_at=None,
)


def given_callers(*weights: int) -> list[CallerId]:
    """Fresh numbers with ids 1, 2, ... and these weights."""
    return [FRESH._replace(id=i, weight=weight) for i, weight in enumerate(weights, 1)]


def after(callers: Iterable[CallerId], pool: Pool) -> list[CallerId]:
    """What a restart finds: the snapshots as stored, with the pool's changes."""
    changed = {caller.id: caller for caller in pool.changed()}
    return [changed.get(caller.id, caller) for caller in callers]


def picks(
    callers: list[CallerId], strategy: Strategy, batches: Iterable[int]
) -> tuple[list[int], list[CallerId]]:
    """The ids taken over several batches with a restart after each, and what is stored then."""
    order = []
    for size in batches:
        pool = Pool(callers, UNLIMITED, strategy, NOW)
        for _ in range(size):
            taken = pool.take()
            assert taken is not None
            order.append(taken.id)
        callers = after(callers, pool)
    return order, callers


def split(total: int, sizes: Iterable[int]) -> list[int]:
    """*total* picks in batches of *sizes*, again and again; a last batch takes what is left."""
    batches: list[int] = []
    for size in itertools.cycle(sizes):
        left = total - sum(batches)
        if size >= left:
            return [*batches, left]
        batches.append(size)
    raise AssertionError("sizes must not be empty")


def assert_exact_rounds(order: Sequence[int], callers: Iterable[CallerId]) -> None:
    """Every window of as many picks as all weights together holds each number weight times."""
    weight = {caller.id: caller.weight for caller in callers}
    window = sum(weight.values())
    for start in range(len(order) - window + 1):
        assert Counter(order[start : start + window]) == weight


batch_sizes = st.lists(st.integers(0, 25), min_size=1, max_size=8).filter(any)
weights = st.lists(st.integers(1, 12), min_size=1, max_size=6)


# Who may carry a call


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        (FRESH, None),
        (FRESH._replace(enabled=False), Ineligible.DISABLED),
        (FRESH._replace(spam_score=6.99), None),
        (FRESH._replace(spam_score=7.0), Ineligible.EXCLUDED),
        (FRESH._replace(calls_today=99), None),
        (FRESH._replace(calls_today=100), Ineligible.DAILY_CAP),
        (FRESH._replace(live_calls=500), None),
        (FRESH._replace(live_calls=1, max_live=2), None),
        (FRESH._replace(live_calls=2, max_live=2), Ineligible.BUSY),
    ],
)
def test_a_number_is_barred_exactly_from_its_limits_on(
    caller: CallerId, reason: Ineligible | None
) -> None:
    assert why_not(caller, LIMITS) == reason


def test_the_reason_an_operator_must_act_on_comes_first() -> None:
    capped_and_busy = FRESH._replace(calls_today=100, live_calls=1, max_live=1)
    excluded = capped_and_busy._replace(spam_score=9)
    disabled = excluded._replace(enabled=False)

    assert why_not(capped_and_busy, LIMITS) is Ineligible.DAILY_CAP
    assert why_not(excluded, LIMITS) is Ineligible.EXCLUDED
    assert why_not(disabled, LIMITS) is Ineligible.DISABLED


# Whose turn it is


def test_every_strategy_has_its_choice() -> None:
    assert set(CHOICES) == set(Strategy)


def test_round_robin_takes_the_oldest_turn_and_breaks_ties_by_id() -> None:
    old, older, new_high, new_low = (
        FRESH._replace(id=id_, last_turn=turn) for id_, turn in [(1, 8), (2, 3), (9, 0), (5, 0)]
    )

    assert round_robin([old, older]) == older
    assert round_robin([old, older, new_high, new_low]) == new_low


def test_lowest_spam_breaks_ties_by_use_then_rest_then_id() -> None:
    worse = FRESH._replace(id=1, spam_score=0.1)
    unscored = FRESH._replace(id=2, calls_today=5, last_used_at=NOW)
    less_used = FRESH._replace(id=3, spam_score=0.0, calls_today=4, last_used_at=NOW)
    rested = less_used._replace(id=4, last_used_at=NOW - 1)
    rested_too = rested._replace(id=5)

    assert lowest_spam([worse, unscored]) == unscored
    assert lowest_spam([worse, unscored, less_used]) == less_used
    assert lowest_spam([rested_too, unscored, less_used, rested]) == rested


def test_least_used_today_breaks_ties_by_rest_then_id() -> None:
    used = FRESH._replace(id=1, calls_today=2)
    fresh_call = FRESH._replace(id=2, calls_today=1, last_used_at=NOW)
    rested = fresh_call._replace(id=3, last_used_at=0)
    never_used = fresh_call._replace(id=5, last_used_at=None)
    never_used_too = never_used._replace(id=4)

    assert least_used_today([used, fresh_call]) == fresh_call
    assert least_used_today([used, fresh_call, rested]) == rested
    assert least_used_today([rested, never_used, never_used_too]) == never_used_too


def test_weighted_takes_the_most_credit_and_breaks_ties_by_id() -> None:
    low, high, heavy = given_callers(1, 1, 2)

    assert weighted([high, low], {1: 0, 2: 0}).caller == low
    assert weighted([heavy, high, low], {1: 0, 2: 1, 3: 0}).caller == high
    assert weighted([heavy, high, low], {1: 0, 2: 0, 3: 0}).caller == heavy


def test_weighted_spreads_a_heavy_number_between_the_light_ones() -> None:
    order, _ = picks(given_callers(5, 1, 1), Strategy.WEIGHTED, [7])

    assert order == [1, 1, 2, 1, 3, 1, 1]


@given(
    st.sampled_from(Strategy),
    st.lists(
        st.builds(
            CallerId,
            id=st.integers(1, 99),
            phone=st.just(FRESH.phone),
            weight=st.integers(1, 9),
            enabled=st.just(True),
            spam_score=st.none() | st.floats(0, 6),
            calls_today=st.integers(0, 3),
            live_calls=st.just(0),
            max_live=st.none(),
            day_ends_at=st.just(MIDNIGHT),
            last_turn=st.integers(0, 3),
            credit=st.integers(-9, 9),
            last_used_at=st.none() | st.integers(NOW - 3, NOW),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda caller: caller.id,
    ),
    st.randoms(use_true_random=False),
)
def test_no_choice_depends_on_the_order_of_the_numbers(
    strategy: Strategy, callers: list[CallerId], seed: random.Random
) -> None:
    order, stored = picks(callers, strategy, [10])
    seed.shuffle(callers)
    again, stored_again = picks(callers, strategy, [10])

    assert again == order
    assert sorted(stored_again, key=lambda c: c.id) == sorted(stored, key=lambda c: c.id)


# Smooth weighted round robin


@given(weights, batch_sizes)
def test_weighted_is_exact_in_every_window_and_across_restarts(
    of_each: list[int], sizes: list[int]
) -> None:
    callers = given_callers(*of_each)
    rounds = 3 * sum(of_each)

    order, stored = picks(callers, Strategy.WEIGHTED, split(rounds, sizes))

    assert_exact_rounds(order, callers)
    assert order == picks(callers, Strategy.WEIGHTED, [rounds])[0]
    assert [caller.credit for caller in stored] == [0] * len(callers)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=15))
def test_weighted_stays_close_to_the_exact_share_at_every_pick(of_each: list[int]) -> None:
    callers = given_callers(*of_each)
    total = sum(of_each)
    furthest_behind = sum((Fraction(1, k) for k in range(2, len(of_each) + 1)), Fraction(0))

    order, _ = picks(callers, Strategy.WEIGHTED, [min(total, 200)])

    so_far: Counter[int] = Counter()
    for count, id_ in enumerate(order, 1):
        so_far[id_] += 1
        for caller in callers:
            behind = Fraction(count * caller.weight, total) - so_far[caller.id]
            assert -1 < behind <= furthest_behind


def test_weighted_may_fall_more_than_one_pick_behind_among_five_numbers() -> None:
    callers = given_callers(60, 14, 1, 60, 1)
    total = 136

    order, _ = picks(callers, Strategy.WEIGHTED, [total])

    behind = max(
        Fraction(count * caller.weight, total) - order[:count].count(caller.id)
        for count in range(1, total)
        for caller in callers
    )
    assert behind > 1


@given(
    weights.filter(lambda of_each: len(of_each) > 1),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(1, 40),
    st.data(),
)
def test_weighted_makes_no_burst_of_a_number_that_was_away(
    of_each: list[int], before: int, between: int, since: int, data: st.DataObject
) -> None:
    callers = given_callers(*of_each)
    away = data.draw(st.sampled_from(callers))
    _, stored = picks(callers, Strategy.WEIGHTED, [before])
    absent = next(caller for caller in stored if caller.id == away.id)
    _, others = picks([c for c in stored if c is not absent], Strategy.WEIGHTED, [between])

    order, _ = picks([absent, *others], Strategy.WEIGHTED, [since])

    share = Fraction(since * away.weight, sum(of_each))
    harmonic = sum(Fraction(1, k) for k in range(1, len(callers) + 1))
    assert order.count(away.id) < share + harmonic


def test_weighted_makes_no_burst_among_those_a_heavy_number_leaves_behind() -> None:
    callers = given_callers(1000, 1, 1)
    _, stored = picks(callers, Strategy.WEIGHTED, [501])
    _, second, third = stored
    assert (second.credit, third.credit) == (-501, 501)

    order, _ = picks([second, third], Strategy.WEIGHTED, [1] * 8)

    assert order == [3, 2, 3, 2, 3, 2, 3, 2]


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 8) | st.just(200), min_size=1, max_size=5),
    st.lists(st.tuples(st.sets(st.integers(1, 5)), st.integers(1, 30)), max_size=12),
    batch_sizes,
)
def test_weighted_falls_back_into_exact_rounds_after_any_history(
    of_each: list[int], history: list[tuple[set[int], int]], sizes: list[int]
) -> None:
    callers = given_callers(*of_each)
    for absent, count in history:
        pool = Pool(
            [c._replace(enabled=c.id not in absent) for c in callers],
            UNLIMITED,
            Strategy.WEIGHTED,
            NOW,
        )
        for _ in range(count):
            pool.take()
        callers = [caller._replace(enabled=True) for caller in after(callers, pool)]

    light = [caller for caller in callers if caller.weight < 200] or callers[:1]
    total = sum(caller.weight for caller in light)
    _, settled = picks(light, Strategy.WEIGHTED, [5 * total])
    order, _ = picks(settled, Strategy.WEIGHTED, split(2 * total, sizes))

    assert_exact_rounds(order, light)


# Staying on a number


@given(
    st.sampled_from([Strategy.ROUND_ROBIN, Strategy.WEIGHTED]),
    weights,
    st.lists(st.none() | st.integers(1, 7), max_size=60),
)
def test_calls_that_stay_on_a_number_leave_the_turns_of_the_others_as_they_were(
    strategy: Strategy, of_each: list[int], wishes: list[int | None]
) -> None:
    callers = given_callers(*of_each)
    pool = Pool(callers, UNLIMITED, strategy, NOW)

    in_turn = []
    for wish in wishes:
        taken = pool.take(wish)
        assert taken is not None
        if wish in {caller.id for caller in callers}:
            assert taken.id == wish
        else:
            in_turn.append(taken.id)

    assert in_turn == picks(callers, strategy, [len(in_turn)])[0]


def test_a_call_leaves_its_preferred_number_when_that_may_not_be_used() -> None:
    first, second = given_callers(1, 1)
    spammy = first._replace(spam_score=8)

    taken = Pool([spammy, second], LIMITS, Strategy.ROUND_ROBIN, NOW).take(spammy.id)

    assert taken is not None
    assert taken.id == second.id


# What a batch changes


def test_a_call_in_turn_is_counted_on_its_number_only() -> None:
    first, second = given_callers(1, 1)
    second = second._replace(last_turn=6, calls_today=2, live_calls=1, last_used_at=5)
    pool = Pool([first._replace(last_turn=7), second], LIMITS, Strategy.ROUND_ROBIN, NOW)

    taken = pool.take()

    used = second._replace(last_turn=8, calls_today=3, live_calls=2, last_used_at=NOW)
    assert taken == used
    assert pool.changed() == [used]
    assert pool.taken == {second.id: 1}


def test_a_call_that_stays_on_its_number_costs_neither_turn_nor_credit() -> None:
    callers = given_callers(1, 1)
    pool = Pool(callers, LIMITS, Strategy.WEIGHTED, NOW)

    taken = pool.take(2)

    assert taken == callers[1]._replace(calls_today=1, live_calls=1, last_used_at=NOW)
    assert pool.changed() == [taken]


def test_a_weighted_call_moves_the_credit_of_every_eligible_number() -> None:
    heavy, light, barred = given_callers(3, 1, 1)
    barred = barred._replace(enabled=False, credit=2)
    pool = Pool([heavy, light, barred], LIMITS, Strategy.WEIGHTED, NOW)

    taken = pool.take()

    used = heavy._replace(calls_today=1, live_calls=1, last_used_at=NOW, last_turn=1, credit=-1)
    assert taken == used
    assert pool.changed() == [used, light._replace(credit=1)]
    assert pool.taken == {heavy.id: 1}


def test_an_unused_pool_changes_nothing() -> None:
    pool = Pool(given_callers(1, 2), LIMITS, Strategy.WEIGHTED, NOW)

    assert pool.changed() == []
    assert pool.taken == {}


# When nothing is left


def test_a_pool_with_an_eligible_number_is_not_unavailable() -> None:
    barred = FRESH._replace(id=2, enabled=False)

    assert Pool([FRESH, barred], LIMITS, Strategy.ROUND_ROBIN, NOW).unavailable() is None


def test_an_exhausted_pool_says_why_and_until_when() -> None:
    capped = [FRESH._replace(id=i, calls_today=99, day_ends_at=MIDNIGHT + i) for i in (4, 3, 5)]
    excluded = FRESH._replace(id=6, spam_score=9.5, calls_today=100)
    pool = Pool([excluded, *capped], LIMITS, Strategy.ROUND_ROBIN, NOW)
    assert [taken.id for _ in capped if (taken := pool.take())] == [3, 4, 5]

    unavailable = pool.unavailable()

    assert pool.take() is None
    assert pool.take(4) is None
    assert unavailable == Unavailable(
        {Ineligible.DAILY_CAP: 3, Ineligible.EXCLUDED: 1}, until_at=MIDNIGHT + 3
    )
    assert unavailable.text == "3 of 4 at the daily cap, 1 excluded for spam"


def test_no_hour_is_promised_when_only_an_operator_or_the_end_of_a_call_helps() -> None:
    callers = [
        FRESH._replace(id=1, live_calls=1, max_live=1),
        FRESH._replace(id=2, calls_today=100, live_calls=1, max_live=1),
        FRESH._replace(id=3, enabled=False, calls_today=100),
        FRESH._replace(id=4, enabled=False),
    ]

    unavailable = Pool(callers, LIMITS, Strategy.ROUND_ROBIN, NOW).unavailable()

    assert unavailable is not None
    assert unavailable.until_at is None
    assert unavailable.text == "2 of 4 disabled, 1 busy, 1 at the daily cap"


def test_a_campaign_without_numbers_says_so() -> None:
    pool = Pool([], LIMITS, Strategy.WEIGHTED, NOW)

    assert pool.take() is None
    assert pool.unavailable() == Unavailable({}, until_at=None)
    assert Unavailable({}, until_at=None).text == "the campaign has no numbers"


# Any interleaving


@settings(max_examples=60, stateful_step_count=40)
class AnyInterleaving(RuleBasedStateMachine):
    """Claims, ends of calls, new days, scores, switches and restarts in any order.

    The machine keeps its own books: calls placed today, calls not over, and for round robin the
    line in which the numbers wait. They are never read off the snapshots under test.
    """

    ids = st.integers(1, 4)

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(spam_threshold=7, max_calls_per_day=4)
        self.strategy = Strategy.ROUND_ROBIN
        self.now = NOW
        self.stored = {
            caller.id: caller._replace(max_live=max_live)
            for caller, max_live in zip(given_callers(1, 5, 2, 1), [None, 1, 2, 3], strict=True)
        }
        self.placed_today: Counter[int] = Counter()
        self.live: Counter[int] = Counter()
        self.line = sorted(self.stored)

    def may_call(self, id_: int) -> bool:
        number = self.stored[id_]
        return (
            number.enabled
            and (number.spam_score or 0) < self.limits.spam_threshold
            and self.placed_today[id_] < self.limits.max_calls_per_day
            and (number.max_live is None or self.live[id_] < number.max_live)
        )

    @rule(wishes=st.lists(st.none() | ids, max_size=12))
    def claim(self, wishes: list[int | None]) -> None:
        pool = Pool(self.stored.values(), self.limits, self.strategy, self.now)
        taken: Counter[int] = Counter()
        for wish in wishes:
            allowed = [id_ for id_ in self.line if self.may_call(id_)]
            number = pool.take(wish)
            if number is None:
                assert not allowed
                assert pool.unavailable() is not None
                continue
            assert number.id in allowed
            self.check_turn(wish, allowed, number.id)
            self.placed_today[number.id] += 1
            self.live[number.id] += 1
            taken[number.id] += 1
        assert pool.taken == taken
        self.stored |= {number.id: number for number in pool.changed()}

    def check_turn(self, wish: int | None, allowed: list[int], taken: int) -> None:
        if wish in allowed:
            assert taken == wish
            return
        if self.strategy is Strategy.ROUND_ROBIN:
            assert taken == allowed[0]
        self.line.remove(taken)
        self.line.append(taken)

    @precondition(lambda self: self.live.total())
    @rule(data=st.data())
    def end_call(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.live.elements())))
        self.live[id_] -= 1
        number = self.stored[id_]
        self.stored[id_] = number._replace(live_calls=number.live_calls - 1)

    @rule(id_=ids, score=st.none() | st.floats(0, 10))
    def score(self, id_: int, score: float | None) -> None:
        self.stored[id_] = self.stored[id_]._replace(spam_score=score)

    @rule(id_=ids, enabled=st.booleans())
    def switch(self, id_: int, enabled: bool) -> None:
        self.stored[id_] = self.stored[id_]._replace(enabled=enabled)

    @rule(id_=ids, weight=st.integers(1, 500))
    def weigh(self, id_: int, weight: int) -> None:
        self.stored[id_] = self.stored[id_]._replace(weight=weight)

    @rule(strategy=st.sampled_from(Strategy))
    def choose_strategy(self, strategy: Strategy) -> None:
        self.strategy = strategy

    @rule(cap=st.integers(1, 6), threshold=st.integers(1, 9))
    def change_limits(self, cap: int, threshold: int) -> None:
        self.limits = Limits(spam_threshold=threshold, max_calls_per_day=cap)

    @rule()
    def pass_midnight(self) -> None:
        self.now += DAY_MS
        self.placed_today.clear()
        self.stored = {
            id_: number._replace(calls_today=0, day_ends_at=number.day_ends_at + DAY_MS)
            for id_, number in self.stored.items()
        }

    @invariant()
    def the_counters_are_exact(self) -> None:
        for id_, number in self.stored.items():
            assert number.calls_today == self.placed_today[id_]
            assert number.live_calls == self.live[id_]

    @invariant()
    def what_it_says_holds(self) -> None:
        pool = Pool(self.stored.values(), self.limits, self.strategy, self.now)
        unavailable = pool.unavailable()
        assert (unavailable is None) == any(self.may_call(id_) for id_ in self.stored)
        if unavailable is not None:
            assert sum(unavailable.counts.values()) == len(self.stored)
            assert unavailable.until_at is None or unavailable.until_at > self.now
            assert unavailable.text


TestAnyInterleaving = AnyInterleaving.TestCase
