"""A daemon's clock: even, whatever is done to the machine's."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer import clock
from dialer.clock import MS, SET_S, SteadyClock, TimeScale

NOON_S = 1_767_700_800.0
CLOCK_BOOTTIME = 7


@dataclass
class Machine:
    """Stands in for the time module: a clock anybody can set, and an uptime nobody can."""

    uptime_s: float = 5.0
    set_by_s: float = 0.0
    CLOCK_BOOTTIME: int = CLOCK_BOOTTIME
    CLOCK_MONOTONIC: int = 1

    def time(self) -> float:
        return NOON_S + self.uptime_s + self.set_by_s

    def clock_gettime(self, which: int) -> float:
        assert which == CLOCK_BOOTTIME, "the others stand still while the machine sleeps"
        return self.uptime_s


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(clock, "time", machine)
    return machine


def test_it_shows_the_machines_time(machine: Machine) -> None:
    steady = SteadyClock()
    machine.uptime_s += 60

    assert steady.now() == int(machine.time() * MS)
    assert steady.set_by_s() == 0


@given(steps_s=st.lists(st.floats(-1e6, 1e6), max_size=10), look=st.booleans())
def test_it_goes_on_evenly_when_the_machines_clock_is_set(steps_s: list[float], look: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine()
        patch.setattr(clock, "time", machine)
        steady = SteadyClock()
        for step_s in steps_s:
            before = steady.now()
            machine.set_by_s += step_s
            machine.uptime_s += 1
            if look:
                steady.set_by_s()
            assert 1 * MS - SET_S * MS - 1 <= steady.now() - before <= 1 * MS + SET_S * MS + 1


def test_it_tells_how_far_the_machines_clock_was_set(machine: Machine) -> None:
    steady = SteadyClock()

    machine.set_by_s = -3600
    assert steady.set_by_s() == pytest.approx(-3600)
    assert steady.now() == int((NOON_S + machine.uptime_s) * MS)

    machine.set_by_s = 0
    assert steady.set_by_s() == 0


def test_a_leap_second_is_followed(machine: Machine) -> None:
    steady = SteadyClock()
    machine.set_by_s = -1

    assert steady.set_by_s() == 0
    assert steady.now() == int(machine.time() * MS)


def test_small_steps_are_followed_however_far_they_lead(machine: Machine) -> None:
    steady = SteadyClock()
    for _ in range(100):
        machine.set_by_s += 1.5
        assert steady.set_by_s() == 0

    assert steady.now() == pytest.approx(machine.time() * MS, abs=1)


def test_a_faster_clock_is_as_steady(machine: Machine) -> None:
    steady = SteadyClock(TimeScale(60, NOON_S))
    before = steady.now()

    machine.set_by_s = 3600
    machine.uptime_s += 1

    assert steady.now() - before == pytest.approx(60 * MS, abs=1)
    assert steady.set_by_s() == pytest.approx(3600)
