"""A small world takes as long as the large one: nothing is lost to rounding."""

from collections import Counter
from itertools import islice
from math import gcd
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.forecast.problem import allowances
from dialer.forecast.scale import Scale, after_open_time, open_time, open_times
from dialer.forecast.snapshot import Member
from dialer.hours import ALWAYS_OPEN, Hours
from dialer.plans import hours_from
from dialer.states import MemberState
from tests.support.engine import DAY, HOUR, MINUTE, NOW
from tests.support.forecasting import (
    OFFICE,
    given_member,
    given_number,
    given_setup,
    given_snapshot,
    problem_of,
)

factors = st.floats(1, 2_000, allow_nan=False)
shares = st.floats(0, 1, exclude_max=True, allow_nan=False)
lines = st.integers(1, 10_000)

#: Each goes on in the campaign's order, whatever their kind.
kinds = st.tuples(
    st.sampled_from([MemberState.PENDING, MemberState.RETRY]),
    st.integers(0, 2),
    st.integers(0, 2),
)
people = st.lists(kinds, min_size=1, max_size=300).map(
    lambda found: [
        given_member(n, state=state, priority=priority, attempts=attempts)
        for n, (state, priority, attempts) in enumerate(found)
    ]
)


def office() -> Hours:
    return hours_from(given_setup(hours=OFFICE).schedule_body, lambda _code, _year: frozenset())


# -- lines ----------------------------------------------------------------------------------------


@given(factor=factors, campaign=lines, numbers=st.lists(lines, max_size=5))
def test_a_small_world_carries_as_many_calls_less_as_it_has_people_less(
    factor: float, campaign: int, numbers: list[int]
) -> None:
    scale = Scale.of(factor, campaign, numbers)

    for some in (campaign, *numbers):
        kept = scale.lines(some)
        assert kept >= 1
        assert kept / scale.hold == pytest.approx(some / factor)


@given(factor=factors, campaign=lines)
def test_calls_are_held_longer_only_where_lines_cannot_be_left_out(
    factor: float, campaign: int
) -> None:
    scale = Scale.of(factor, campaign, [])

    assert scale.hold >= 1 - 1e-9
    assert scale.hold < 2 or scale.lines(campaign) == 1


def test_lines_of_numbers_are_left_out_together_with_those_of_the_campaign() -> None:
    scale = Scale.of(4, 12, [6, 18])

    assert gcd(12, 6, 18) == 6
    assert [scale.lines(n) for n in (12, 6, 18)] == [4, 2, 6]  # two of every six, for four
    assert scale.hold == pytest.approx(4 / 3)


# -- people ---------------------------------------------------------------------------------------


@given(members=people, factor=factors, share=shares)
def test_a_sample_has_its_part_of_every_kind_of_member(
    members: list[Member], factor: float, share: float
) -> None:
    scale = Scale.of(factor, 1, [])

    sample = scale.sample(members, share)

    assert len({member.id for member in sample}) == len(sample)
    assert abs(len(sample) - len(members) / factor) < 1
    for kind, count in Counter(map(kind_of, members)).items():
        assert abs(sum(kind_of(m) == kind for m in sample) - count / factor) <= 1


def kind_of(member: Member) -> tuple[object, ...]:
    return member.state, member.priority, member.attempts


def test_everybody_is_in_some_sample() -> None:
    members = [given_member(n) for n in range(100)]
    scale = Scale.of(7.5, 1, [])

    samples = [scale.sample(members, share / 75) for share in range(75)]

    assert {member.id for sample in samples for member in sample} == set(range(100))


def test_a_list_that_is_not_scaled_stays_in_its_order() -> None:
    members = [given_member(n) for n in (3, 1, 2)]

    assert Scale.of(1.0, 10, []).sample(members, 0.7) == members


# -- caps -----------------------------------------------------------------------------------------


@given(calls=st.integers(0, 1_000), factor=factors, share=shares, days=st.integers(1, 400))
def test_over_days_no_call_of_a_cap_is_lost(
    calls: int, factor: float, share: float, days: int
) -> None:
    scale = Scale.of(factor, 1, [])

    allowed = [scale.allowed(calls, day, share) for day in range(days)]

    assert abs(sum(allowed) - days * calls / factor) < 1 + 1e-6
    assert all(0 <= each <= scale.cap(calls) for each in allowed)


@given(numbers=st.integers(1, 40), factor=factors, share=shares, used=st.integers(0, 100))
def test_over_numbers_no_call_of_a_day_is_lost(
    numbers: int, factor: float, share: float, used: int
) -> None:
    pool = [given_number(n, calls_today=used) for n in range(1, numbers + 1)]
    problem = problem_of(given_snapshot(numbers=pool, contacts=10), factor)

    found = allowances(problem, share)
    today = found[0].first_day

    assert sum(len(each.stand_in.numbers) for each in found) == numbers
    for day, left in ((today, 100 - used), (today + 1, 100), (today + 9, 100)):
        # Evenly dealt over at most eight stand-ins, each of which rounds by less than one.
        assert abs(sum(each.on(day) for each in found) - numbers * left / factor) < len(found)
        assert all(each.on(day) <= max(a.most for a in found) for each in found)


# -- open time ------------------------------------------------------------------------------------


@given(at=st.integers(NOW, NOW + 14 * DAY), ms=st.integers(1, 30 * HOUR))
def test_time_closed_does_not_count(at: int, ms: int) -> None:
    hours = office()

    over_at = after_open_time(hours, at, ms)

    assert open_time(hours, at, over_at) == ms
    assert hours.is_open(over_at - 1)


def test_time_passes_at_night_where_nobody_ever_closes() -> None:
    assert after_open_time(ALWAYS_OPEN, NOW, 500 * DAY) == NOW + 500 * DAY
    assert open_time(ALWAYS_OPEN, NOW, NOW + 3 * DAY) == 3 * DAY


def test_what_is_left_at_closing_is_left_at_opening() -> None:
    closing_at = NOW + 3 * HOUR  # 18:00

    assert after_open_time(office(), closing_at - MINUTE, 2 * MINUTE) == (
        NOW + 18 * HOUR + MINUTE  # Tuesday, 09:01
    )


@given(ms=st.integers(1, 60 * HOUR), seed=st.integers(0, 100))
def test_instants_are_drawn_from_open_time_alone(ms: int, seed: int) -> None:
    hours = office()
    until_at = after_open_time(hours, NOW, ms)

    drawn = list(islice(open_times(hours, NOW, ms, Random(seed)), 20))

    assert all(NOW <= at <= until_at for at in drawn)
    assert all(hours.is_open(at) or hours.is_open(at - 1) for at in drawn)
