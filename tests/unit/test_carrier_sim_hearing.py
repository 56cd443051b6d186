"""Machine detection: Twilio's words, its limits, and its errors as often as stated."""

from collections import Counter
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.hearing import AmdOrder, hear
from dialer.carrier_sim.profiles import (
    FLAWLESS,
    SCRIPTED,
    SCRIPTED_MACHINES,
    CallPlan,
    Confusion,
    Fate,
)

ANSWERED: Final = [plan for plan in SCRIPTED.values() if plan.answered]
START: Final = {"human", "machine_start", "fax", "unknown"}
END: Final = {"human", "machine_end_beep", "machine_end_silence", "fax", "unknown"}

plans = st.sampled_from(ANSWERED)
seeds = st.integers().map(Random)


def verdicts(fate: Fate, confusion: Confusion, times: int = 4000) -> Counter[str]:
    plan = next(plan for plan in ANSWERED if plan.fate is fate)
    order, rng = AmdOrder(detect_message_end=False, asynchronous=True), Random(1)
    return Counter(hear(plan, order, confusion, rng).answered_by for _ in range(times))


@given(plans, st.booleans(), st.floats(3, 59), seeds)
def test_a_verdict_is_one_of_its_mode_and_within_the_timeout(
    plan: CallPlan, end: bool, timeout_s: float, rng: Random
) -> None:
    order = AmdOrder(detect_message_end=end, asynchronous=True, timeout_s=timeout_s)

    verdict = hear(plan, order, Confusion(), rng)

    assert verdict.answered_by in (END if end else START)
    assert 0 < verdict.after_s <= timeout_s


@given(plans, seeds)
def test_without_confusion_the_verdict_is_true(plan: CallPlan, rng: Random) -> None:
    order = AmdOrder(detect_message_end=False, asynchronous=True)
    expected = {Fate.HUMAN: "human", Fate.MACHINE: "machine_start", Fate.FAX: "fax"}

    assert hear(plan, order, FLAWLESS, rng).answered_by == expected[plan.fate]


def test_the_end_of_a_greeting_is_not_reported_before_it() -> None:
    machine = next(plan for plan in ANSWERED if plan.fate is Fate.MACHINE)
    order = AmdOrder(detect_message_end=True, asynchronous=True)

    heard = [hear(machine, order, FLAWLESS, Random(seed)) for seed in range(100)]

    assert {verdict.answered_by for verdict in heard} == {"machine_end_beep", "machine_end_silence"}
    assert min(verdict.after_s for verdict in heard) >= machine.greeting_s


def test_the_carrier_hears_a_beep_only_where_there_is_one() -> None:
    order = AmdOrder(detect_message_end=True, asynchronous=True)

    for plan in SCRIPTED_MACHINES.values():
        heard = {hear(plan, order, FLAWLESS, Random(seed)).answered_by for seed in range(50)}
        assert heard == {"machine_end_silence"}


def test_errors_are_as_frequent_as_stated() -> None:
    confusion = Confusion(human_as_machine=0.1, machine_as_human=0.2, unknown=0.05)
    people, machines = verdicts(Fate.HUMAN, confusion), verdicts(Fate.MACHINE, confusion)

    assert people["machine_start"] / people.total() == pytest.approx(0.1, abs=0.02)
    assert machines["human"] / machines.total() == pytest.approx(0.2, abs=0.02)
    assert people["unknown"] / people.total() == pytest.approx(0.05, abs=0.02)
