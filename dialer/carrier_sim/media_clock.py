"""The clock of one answered call: milliseconds since it was answered."""

import asyncio
from collections.abc import Callable
from typing import Final

MS: Final = 1000


class MediaClock:
    """Starts when it is made, on the running loop; *answered_at* is that instant in UTC ms."""

    def __init__(self, answered_at: int) -> None:
        self.answered_at = answered_at
        self._loop = asyncio.get_running_loop()
        self._answered_s = self._loop.time()

    def ms(self) -> int:
        """How long ago the call was answered."""
        return round((self._loop.time() - self._answered_s) * MS)

    def at(self, at_ms: int, do: Callable[..., None], *args: object) -> asyncio.TimerHandle:
        """Do something when it is *at_ms*, or at once if that has been."""
        return self._loop.call_at(self._answered_s + at_ms / MS, do, *args)

    async def until(self, at_ms: int) -> None:
        """Wait until it is *at_ms*; what has been gives way to others for a moment."""
        await asyncio.sleep(max(0.0, self._answered_s + at_ms / MS - self._loop.time()))

    def utc(self, at_ms: int) -> int:
        """UTC milliseconds of an instant of the call."""
        return self.answered_at + at_ms
