"""What a daemon does when somebody, or a time server, sets the machine's clock.

Its own clock goes on as before (:class:`~dialer.clock.SteadyClock`), so nothing that is under way
is taken for overdue. Which of the two is right nobody can tell, so nobody is dialed for as long as
doubts about calls last. If the clock has been set back by then, all is well; if it has not, the
new time is the time, and the daemon ends: the next one starts with it, and with nothing in mind
that belongs to the old one.
"""

import asyncio
from typing import Final, Protocol

from dialer.errors import WrongStateError
from dialer.launcher import Brake
from dialer.lazy_log import Log

log = Log()

MS: Final = 1000
#: How often the clocks are compared, in seconds.
LOOK_S: Final = 1.0


class Settable(Protocol):
    """A clock beside the machine's."""

    def now(self) -> int: ...

    def set_by_s(self) -> float: ...


class ClockWatch:
    """Compares the clocks. :meth:`run` must be running."""

    def __init__(self, clock: Settable, brake: Brake, *, hold_s: float) -> None:
        """*hold_s*: after so long no doubt about a call is left."""
        self._clock = clock
        self._brake = brake
        self._hold_s = hold_s

    async def run(self) -> None:
        """Watch for ever; raises WrongStateError when the machine's time has become another."""
        while True:
            await asyncio.sleep(LOOK_S)
            if set_by_s := self._clock.set_by_s():
                await self._hold(f"this machine's clock was set by {set_by_s:+,.0f} s")

    async def _hold(self, why: str) -> None:
        log.error("clock.set", why=why, hold_s=self._hold_s)
        self._brake.back_off(self._clock.now() + int(self._hold_s * MS), why)
        await asyncio.sleep(self._hold_s)
        if self._clock.set_by_s():
            raise WrongStateError(
                f"{why}; its time counts from the next start on", next_step="dialer run"
            )
