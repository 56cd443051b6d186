"""The time of day in virtual time."""

from typing import Final

from dialer.clock import SET_S
from dialer.simulation.loop import VirtualLoop

MS: Final = 1000


class SimClock:
    """The :class:`~dialer.ports.Clock` of one process: the loop's time since *epoch_at*, UTC ms.

    It may be wrong by *skew_s*, and that may change at any moment, as clocks do when somebody
    sets them; the loop's own time, in which waits are measured, never does.
    """

    def __init__(self, loop: VirtualLoop, epoch_at: int, *, skew_s: float = 0.0) -> None:
        self._loop = loop
        self._epoch_at = epoch_at
        self.skew_s = skew_s

    def now(self) -> int:
        """UTC milliseconds."""
        return self._epoch_at + round((self._loop.time() + self.skew_s) * MS)

    def started(self) -> "SteadySimClock":
        """The clock of a process that starts now: it goes on evenly when this one is set."""
        return SteadySimClock(self._loop, self._epoch_at, self)


class SteadySimClock:
    """As :class:`~dialer.clock.SteadyClock`: the machine's clock as it was when a process began."""

    def __init__(self, loop: VirtualLoop, epoch_at: int, machine: SimClock) -> None:
        self._own = SimClock(loop, epoch_at, skew_s=machine.skew_s)
        self._machine = machine

    def now(self) -> int:
        """UTC milliseconds."""
        return self._own.now()

    def set_by_s(self) -> float:
        """How far the machine's clock was set ahead of this one; 0 for what cannot be told."""
        ahead_s = self._machine.skew_s - self._own.skew_s
        return ahead_s if abs(ahead_s) > SET_S else 0.0
