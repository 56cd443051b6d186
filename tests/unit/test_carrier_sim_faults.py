"""Faults: written and read back, refused with a hint, striking at their rate and no other."""

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.faults import PRESETS, Dice, Fault, Faults, LineFault
from dialer.errors import UsageError

rates = st.dictionaries(st.sampled_from(Fault), st.integers(1, 1000).map(lambda n: n / 1000))


@given(rates, st.integers(0, 3600))
def test_what_is_written_is_read_back(some: dict[Fault, float], lag_s: int) -> None:
    faults = Faults(some, lag_s)

    assert Faults.parse(str(faults)) == faults


def test_entries_override_a_preset() -> None:
    faults = Faults.parse("realistic, lost=0.5,list_lag=7")

    assert faults.rates == {**PRESETS["realistic"].rates, Fault.LOST: 0.5}
    assert faults.list_lag_s == 7


@pytest.mark.parametrize("text", ["", "none", "harsh,none"])
def test_no_faults_have_several_names(text: str) -> None:
    assert Faults.parse(text) == Faults()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("realstic", "unknown preset 'realstic'.*did you mean 'realistic'"),
        ("los=0.1", "'los=0.1': unknown fault 'los'.*did you mean 'lost'"),
        ("lost=often", "'lost=often': 'often' is not a number"),
        ("lost=1.5", "between 0 and 1"),
        ("lost=-1", "between 0 and 1"),
        ("lost=nan", "between 0 and 1"),
        ("lost=", "'' is not a number"),
        ("list_lag=9999", "between 0 and 3600"),
        ("none,=1", "unknown fault ''"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Faults.parse(text)


@given(st.sampled_from(Fault), st.sampled_from(Fault), st.integers())
def test_one_kind_never_moves_another(kind: Fault, other: Fault, seed: int) -> None:
    alone = Dice(Faults(MappingProxyType({kind: 0.5})), seed)
    beside = Dice(Faults(MappingProxyType({kind: 0.5})), seed)
    expected = [alone.strikes(kind) for _ in range(20)]

    found = []
    for _ in range(20):
        found.append(beside.strikes(kind))
        if other is not kind:
            beside.strikes(other)
            beside.between(other, 0, 1)

    assert found == expected


def test_strikes_are_as_frequent_as_their_rate_and_counted() -> None:
    dice = Dice(PRESETS["harsh"], 1)

    for _ in range(5000):
        dice.strikes(Fault.DUPLICATE)

    assert dice.struck[Fault.DUPLICATE] == pytest.approx(1000, rel=0.1)


def test_a_rate_of_one_always_strikes_and_none_never() -> None:
    dice = Dice(Faults.parse("lost=1,late=0"), 1)

    assert all(dice.strikes(Fault.LOST) for _ in range(100))
    assert not any(dice.strikes(kind) for kind in (Fault.LATE, Fault.DUPLICATE) for _ in range(100))


@given(st.dictionaries(st.sampled_from(LineFault), st.integers(1, 1000).map(lambda n: n / 1000)))
def test_faults_of_listening_are_written_and_read_back(some: dict[LineFault, float]) -> None:
    faults = Faults(line=some)

    assert Faults.parse(str(faults)) == faults


def test_faults_of_listening_come_with_a_preset_and_can_be_overridden() -> None:
    faults = Faults.parse("harsh,frame_lost=0,transcript_lost=1")

    assert faults.line == {
        **PRESETS["harsh"].line,
        LineFault.FRAME_LOST: 0.0,
        LineFault.TRANSCRIPT_LOST: 1.0,
    }
    dice = Dice(faults, 1)
    assert all(dice.strikes(LineFault.TRANSCRIPT_LOST) for _ in range(100))
    assert not any(dice.strikes(LineFault.FRAME_LOST) for _ in range(100))
