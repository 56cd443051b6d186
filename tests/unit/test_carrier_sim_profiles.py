"""Scripted callees: repeatable, true to their profile, cut by the ring timeout."""

from collections import Counter
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.profiles import (
    DAY_PARTS,
    PROFILES,
    SCRIPTED,
    SCRIPTED_MACHINES,
    CallPlan,
    Dial,
    Fate,
    Machine,
    Profile,
    answer_odds,
    fates,
    number_odds,
    plan_call,
    profile_named,
    scripted,
)
from dialer.errors import UsageError

MIXED: Final = PROFILES["mixed"]
SAMPLE: Final = 6000

dials = st.builds(
    Dial,
    to=st.from_regex(r"\+1[2-9]\d{9}", fullmatch=True),
    from_=st.just("+12025550111"),
    ring_timeout_s=st.floats(5, 120),
    attempts_before=st.integers(0, 10),
    number_calls_today=st.integers(0, 1000),
    local_hour=st.none() | st.integers(0, 23),
)
profiles = st.sampled_from(list(PROFILES.values()))


def first_calls(profile: Profile, ring_timeout_s: float = 30.0) -> Counter[Fate]:
    numbers = (f"+1303{number:07d}" for number in range(SAMPLE))
    dial = Dial(to="", from_="+12025550111", ring_timeout_s=ring_timeout_s)
    return Counter(plan_call(profile, 1, replace(dial, to=to)).fate for to in numbers)


def machine_dials(profile: Profile) -> list[Dial]:
    """First calls that a machine answers."""
    calls = (Dial(f"+1303{number:07d}", "+12025550111") for number in range(SAMPLE))
    return [dial for dial in calls if plan_call(profile, 1, dial).fate is Fate.MACHINE]


def machines_of(profile: Profile) -> list[CallPlan]:
    return [plan_call(profile, 1, dial) for dial in machine_dials(profile)]


@given(profiles, st.integers(), dials)
def test_a_plan_repeats_itself_and_keeps_to_the_ring_timeout(
    profile: Profile, seed: int, dial: Dial
) -> None:
    plan = plan_call(profile, seed, dial)

    assert plan == plan_call(profile, seed, dial)
    assert plan.ring_s <= dial.ring_timeout_s
    assert min(plan.setup_s, plan.post_dial_s, plan.ring_s, plan.on_line_s) >= 0
    assert plan.answered == (plan.sip == 200)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_first_calls_meet_the_rates_of_the_profile(profile: Profile) -> None:
    found = first_calls(profile)

    for fate in (Fate.HUMAN, Fate.NO_ANSWER, Fate.BUSY, Fate.REJECTED, Fate.INVALID, Fate.FAILED):
        assert 100 * found[fate] / SAMPLE == pytest.approx(getattr(profile, fate), abs=2), fate
    machines = found[Fate.MACHINE] + found[Fate.FAX]
    assert 100 * machines / SAMPLE == pytest.approx(profile.machine, abs=2)


def test_a_short_ring_timeout_turns_machines_into_unanswered_calls() -> None:
    patient, hasty = first_calls(MIXED, 30), first_calls(MIXED, 15)

    assert hasty[Fate.MACHINE] < patient[Fate.MACHINE] * 0.3
    assert hasty[Fate.NO_ANSWER] > patient[Fate.NO_ANSWER] * 1.8


def test_an_invalid_number_and_a_fax_stay_what_they_are() -> None:
    dial = Dial(to="", from_="+12025550111")
    for number in range(SAMPLE):
        to = f"+1303{number:07d}"
        fate = plan_call(MIXED, 1, replace(dial, to=to)).fate
        if fate in {Fate.INVALID, Fate.FAX}:
            again = {plan_call(MIXED, 1, replace(dial, to=to, attempts_before=n)) for n in (1, 2)}
            assert {plan.fate for plan in again} == {fate}


@given(profiles, st.floats(0, 10))
def test_odds_move_people_and_nothing_else(profile: Profile, odds: float) -> None:
    shares = fates(profile, odds)

    assert min(shares.values()) >= 0
    assert sum(shares.values()) == pytest.approx(sum(fates(profile, 1.0).values()))
    assert shares[Fate.BUSY] == profile.busy
    assert shares[Fate.HUMAN] <= profile.human * max(1.0, odds)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_caller_id_never_gains_by_further_calls(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))

    assert 0.4 <= number_odds(more) <= number_odds(fewer) <= 1.0


def test_a_caller_id_wears_out_between_75_and_300_calls_a_day() -> None:
    assert number_odds(75) == 1.0
    assert number_odds(300) == pytest.approx(0.4)


def test_people_answer_less_with_each_call_and_more_to_a_local_number() -> None:
    first = Dial(to="+13035550100", from_="+12025550111")

    assert answer_odds(MIXED, None, first) == 1.0
    assert answer_odds(MIXED, None, replace(first, attempts_before=2)) == pytest.approx(0.85**2)
    assert answer_odds(MIXED, None, replace(first, from_="+13035550111")) == 1.5


def test_a_favourite_part_of_the_day_doubles_the_odds_and_keeps_the_mean() -> None:
    noon = Dial(to="+13035550100", from_="+12025550111", local_hour=12)
    best, other = answer_odds(MIXED, 1, noon), answer_odds(MIXED, 0, noon)

    assert best == pytest.approx(2 * other)
    share = 0.7 / len(DAY_PARTS)
    assert share * best + (1 - share) * other == pytest.approx(1.0)


@pytest.mark.parametrize("to", [*SCRIPTED, *SCRIPTED_MACHINES])
def test_a_scripted_number_does_the_same_whatever_the_seed(to: str) -> None:
    plans = {
        plan_call(profile, seed, Dial(to, "+1")) for profile in PROFILES.values() for seed in (1, 2)
    }

    (plan,) = plans
    fixed = scripted(to)
    assert fixed is not None
    assert replace(plan, ring_s=fixed.ring_s) == fixed


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_machines_are_of_the_kinds_of_the_profile(profile: Profile) -> None:
    machines = machines_of(profile)

    kinds = Counter(plan.machine for plan in machines)
    for kind in (Machine.SCREENING, Machine.IVR, Machine.UNAVAILABLE):
        share = getattr(profile, f"{kind}_share")
        assert kinds[kind] / len(machines) == pytest.approx(share, abs=0.03), kind
    assert kinds[Machine.VOICEMAIL] > len(machines) / 2
    voicemails = [plan for plan in machines if plan.machine is Machine.VOICEMAIL]
    assert sum(plan.beeps for plan in voicemails) / len(voicemails) == pytest.approx(0.9, abs=0.03)
    asked = [plan for plan in machines if plan.machine is Machine.SCREENING]
    assert sum(plan.picks_up for plan in asked) / len(asked) == pytest.approx(0.4, abs=0.1)


def test_a_number_has_one_kind_of_machine_and_only_assistants_let_people_pick_up() -> None:
    again = {plan_call(MIXED, 1, dial): dial for dial in machine_dials(MIXED)}

    for plan, dial in again.items():
        later = plan_call(MIXED, 1, replace(dial, attempts_before=1))
        assert later.machine in {None, plan.machine}
        assert plan.machine is Machine.SCREENING or not plan.picks_up
        assert plan.greeting_s < plan.on_line_s


def test_an_unknown_profile_is_answered_with_the_nearest() -> None:
    assert profile_named("warm") is PROFILES["warm"]
    with pytest.raises(UsageError, match=r"'warn'.*did you mean 'warm'"):
        profile_named("warn")
