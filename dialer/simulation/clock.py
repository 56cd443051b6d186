"""The time of day in virtual time."""

from typing import Final

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

    def jump(self, by_s: float) -> None:
        """Set the clock forward, or back."""
        self.skew_s += by_s
