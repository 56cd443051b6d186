"""The only reader of the time, and the event loops that can make it run faster.

Times inside the engine are integers: UTC milliseconds, named ``…_at``. Durations are seconds,
named ``…_s``. Nothing else in the project may ask the machine what time it is, so that the
same engine runs live, many times faster than life (:func:`run`), and in virtual time.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

from dialer.errors import UsageError

T = TypeVar("T")

MS: Final = 1000
#: A machine's clock that is off by more than this, in real seconds, was set.
SET_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class TimeScale:
    """A clock that shows the true time at *epoch_s* (Unix seconds) and runs *speed* times as fast.

    Processes that share one scale agree on the time. Speed 1 is the machine's own clock.
    """

    speed: float = 1.0
    epoch_s: float = 0.0

    @classmethod
    def starting_now(cls, speed: float) -> Self:
        """A scale that departs from the true time at this moment."""
        return cls(speed, time.time())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``SPEED`` or ``SPEED@EPOCH``, the form :meth:`__str__` writes.

        Raises UsageError for anything else; a speed other than 1 needs its epoch.
        """
        speed, _, epoch = text.partition("@")
        try:
            scale = cls(float(speed), float(epoch or 0.0))
        except ValueError:
            scale = cls(0.0)
        if not scale.speed > 0 or (scale.speed != 1 and not scale.epoch_s):
            raise UsageError(
                f"not a time scale: {text!r}; write SPEED@EPOCH with the Unix time at which the "
                "fast clock departs, as in 60@$(date +%s)"
            )
        return scale

    def __str__(self) -> str:
        return f"{self.speed:g}@{self.epoch_s!r}"

    def now_s(self) -> float:
        """The time this scale shows, in Unix seconds."""
        return self.shown_s(time.time())

    def shown_s(self, real_s: float) -> float:
        """What this scale shows at *real_s*; both are Unix seconds."""
        return self.epoch_s + (real_s - self.epoch_s) * self.speed


class SystemClock:
    """The :class:`~dialer.ports.Clock` of a command: the machine's."""

    def __init__(self, scale: TimeScale | None = None) -> None:
        self._scale = scale or TimeScale()

    def now(self) -> int:
        """UTC milliseconds."""
        return int(self._scale.now_s() * MS)


class SteadyClock:
    """The :class:`~dialer.ports.Clock` of a daemon: it goes on evenly when the machine's is set.

    Whoever has requests on their way must not believe, from one look to the next, that an hour
    has passed or is yet to come. A sleep of the machine counts as time; on systems whose uptime
    stands still meanwhile it looks like a clock that was set.
    """

    def __init__(self, scale: TimeScale | None = None) -> None:
        self._scale = scale or TimeScale()
        self._started_s = time.time() - _uptime_s()

    def now(self) -> int:
        """UTC milliseconds."""
        return int(self._scale.shown_s(self._started_s + _uptime_s()) * MS)

    def set_by_s(self) -> float:
        """How far the machine's clock was set ahead of this one, in real seconds; 0 if it was not.

        What cannot be told from a clock that was read late, and a leap second, is followed.
        """
        ahead_s = time.time() - _uptime_s() - self._started_s
        if abs(ahead_s) > SET_S:
            return ahead_s
        self._started_s += ahead_s
        return 0.0


def _uptime_s() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _ScaledSelector(selectors.DefaultSelector):
    """Waits the real share of a scaled timeout."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None or timeout <= 0 else timeout / self._speed)


class ScaledLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds pass *speed* times as fast; sockets work as always."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        super().__init__(_ScaledSelector(speed))

    def time(self) -> float:
        return super().time() * self._speed


def run(main: Coroutine[Any, Any, T], scale: TimeScale | None = None) -> T:
    """Run *main* to its end on a loop that follows *scale*, as :func:`asyncio.run` would."""
    speed = scale.speed if scale else 1.0
    factory = None if speed == 1.0 else lambda: ScaledLoop(speed)
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def real_sleep(seconds: float) -> None:
    """Wait in real time, whatever clock this process shows: for watching other processes."""
    time.sleep(seconds)
