"""Pacing: no sliding second above the limit, no start in the past, nothing caught up."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.pacing import US, Lane, Slots, opened, per_second, reserve

NOW = 1_767_571_200 * US
HORIZON = 100_000  # a tenth of a second ahead

rates = st.floats(0.1, 1_000, allow_nan=False)
intervals_us = st.integers(0, 30 * US)
#: Claims: how long after the one before, how far ahead, and how many are wanted.
claims = st.lists(
    st.tuples(st.integers(0, 3 * US), st.integers(0, 2 * US), st.integers(0, 50)),
    min_size=1,
    max_size=12,
)


def reserved(lanes: Sequence[Lane], asked: Sequence[tuple[int, int, int]]) -> list[int]:
    """All starts that claims in turn are given, the lanes handed on from each to the next."""
    now = NOW
    starts: list[int] = []
    for passed, ahead, limit in asked:
        now += passed
        slots = reserve(lanes, now, now + ahead, limit)
        assert all(now <= start <= now + ahead for start in slots.starts_us)
        assert len(slots.starts_us) <= limit
        starts += slots.starts_us
        lanes = slots.lanes
    return starts


def most_in_a_second(starts: Sequence[int]) -> int:
    return max((sum(start <= each < start + US for each in starts) for start in starts), default=0)


@given(rates, claims)
def test_no_sliding_second_holds_more_starts_than_the_account_allows(
    rate: float, asked: list[tuple[int, int, int]]
) -> None:
    starts = reserved([Lane(0, per_second(rate))], asked)

    assert most_in_a_second(starts) <= max(1, -(-rate // 1))


@given(st.integers(1, 1_000), claims)
def test_a_whole_rate_is_never_passed(rate: int, asked: list[tuple[int, int, int]]) -> None:
    starts = reserved([Lane(0, per_second(rate))], asked)

    assert most_in_a_second(starts) <= rate
    in_ms = [start // 1000 for start in starts]  # as a claim states them
    assert all(sum(start <= each < start + 1000 for each in in_ms) <= rate for start in in_ms)


@given(rates, intervals_us, claims)
def test_the_call_interval_is_kept_between_any_two_calls(
    rate: float, interval_us: int, asked: list[tuple[int, int, int]]
) -> None:
    starts = reserved([Lane(0, per_second(rate)), Lane(0, interval_us)], asked)

    gap_us = max(interval_us, per_second(rate))
    assert all(later - earlier >= gap_us for earlier, later in pairwise(starts))


@given(
    st.lists(st.tuples(st.integers(-30 * US, 30 * US), intervals_us), min_size=1, max_size=3),
    st.integers(0, 60 * US),
    st.integers(0, 20),
)
def test_every_start_passes_every_lane_at_the_first_instant_it_can(
    offsets: list[tuple[int, int]], ahead: int, limit: int
) -> None:
    lanes = [Lane(NOW + offset, spacing) for offset, spacing in offsets]

    slots = reserve(lanes, NOW, NOW + ahead, limit)

    free = [lane.next_us for lane in lanes]
    for start in slots.starts_us:
        assert start == max(NOW, *free)
        free = [start + lane.spacing_us for lane in lanes]
    if len(slots.starts_us) < limit:
        assert max(NOW, *free) > NOW + ahead


@given(st.lists(intervals_us, min_size=1, max_size=3), st.integers(0, 60 * US), st.integers(0, 20))
def test_lanes_advance_by_their_spacing_after_the_last_start_and_not_without_one(
    spacings: list[int], ahead: int, limit: int
) -> None:
    lanes = [Lane(NOW - 7, spacing) for spacing in spacings]

    slots = reserve(lanes, NOW, NOW + ahead, limit)

    if slots.starts_us:
        last = slots.starts_us[-1]
        assert slots.lanes == [Lane(last + spacing, spacing) for spacing in spacings]
    else:
        assert slots.lanes == lanes


@given(rates, st.integers(1, 365 * 24 * 3600))
def test_what_was_missed_during_a_gap_is_not_caught_up(rate: float, gap_s: int) -> None:
    spacing = per_second(rate)
    before = reserve([Lane(0, spacing)], NOW, NOW, 1)
    later = NOW + gap_s * US

    after = reserve(before.lanes, later, later + HORIZON, 10_000)

    assert len(after.starts_us) <= HORIZON // spacing + 1


@given(rates, st.integers(1, 24 * 3600))
def test_a_clock_set_back_starts_nothing_before_the_lane_is_free(rate: float, back_s: int) -> None:
    spacing = per_second(rate)
    before = reserve([Lane(0, spacing)], NOW, NOW, 1)
    earlier = NOW - back_s * US

    after = reserve(before.lanes, earlier, earlier + HORIZON, 10)

    assert all(start >= NOW + spacing for start in after.starts_us)


@given(st.integers(1, 40), st.lists(st.integers(1, 10), min_size=1, max_size=20))
def test_asking_in_portions_gives_the_same_starts_as_asking_at_once(
    rate: int, portions: list[int]
) -> None:
    lanes: Sequence[Lane] = [Lane(0, per_second(rate))]
    at_once = reserve(lanes, NOW, NOW + 1_000 * US, sum(portions))

    starts: list[int] = []
    for portion in portions:
        slots = reserve(lanes, NOW, NOW + 1_000 * US, portion)
        starts += slots.starts_us
        lanes = slots.lanes

    assert Slots(starts, lanes) == at_once


@given(
    st.integers(0, 5 * US),
    st.lists(st.integers(1, 30 * US), min_size=1, max_size=3),
    st.lists(
        st.tuples(st.integers(0, 3 * US), st.integers(1, 5), st.floats(0, 1)),
        min_size=1,
        max_size=12,
    ),
)
def test_with_a_lead_calls_keep_their_distance_whenever_they_leave(
    lead: int, spacings: list[int], asked: list[tuple[int, int, float]]
) -> None:
    lanes: Sequence[Lane] = [Lane(0, spacing) for spacing in spacings]
    now, left = NOW, list[int]()
    for passed, limit, share in asked:
        now += passed
        horizon = now + lead + HORIZON
        slots = reserve(lanes, now + lead, horizon, limit)
        for opens, start in zip(
            opened(lanes, now, horizon, slots.starts_us), slots.starts_us, strict=True
        ):
            assert now <= opens <= start
            left.append(opens + round((start - opens) * share))
        lanes = slots.lanes

    assert all(later - earlier >= max(spacings) for earlier, later in pairwise(left))


def test_a_call_that_is_ready_early_waits_for_its_lanes_and_for_nothing_else() -> None:
    lanes = [Lane(NOW + US // 2, US), Lane(NOW + 3 * US, 0)]
    starts = reserve(lanes, NOW + 3 * US, NOW + 5 * US, 3).starts_us

    assert starts == [NOW + 3 * US, NOW + 4 * US, NOW + 5 * US]
    assert opened(lanes, NOW, NOW + 5 * US, starts) == [NOW + US // 2, *starts[1:]]


def test_without_a_lead_calls_leave_at_their_starts() -> None:
    lanes = [Lane(0, US)]
    starts = reserve(lanes, NOW, NOW + 2 * US, 3).starts_us

    assert opened(lanes, NOW, NOW + 2 * US, starts) == starts


@pytest.mark.parametrize(
    ("rate", "spacing_us"), [(0, 0), (1, US), (3, 333_334), (0.5, 2 * US), (1_000, 1_000)]
)
def test_a_rate_is_a_spacing_rounded_to_the_slower_side(rate: float, spacing_us: int) -> None:
    assert per_second(rate) == spacing_us


def test_without_a_limit_all_start_at_once() -> None:
    slots = reserve([Lane(0, 0), Lane(0, 0)], NOW, NOW, 5)

    assert slots.starts_us == [NOW] * 5
