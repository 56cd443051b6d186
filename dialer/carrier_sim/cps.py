"""Releases calls at the account's calls per second; what comes faster waits its turn."""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

QUEUED_AT_MOST_S: Final = 86_400  # Twilio keeps a day's worth of calls


class CpsQueue:
    """First in, first out; at most *cps* releases in any second (or one per 1/cps seconds)."""

    def __init__(self, cps: float, loop: asyncio.AbstractEventLoop) -> None:
        burst = max(1, int(cps))
        self._window_s = burst / cps
        self._released: deque[float] = deque([-math.inf] * burst, maxlen=burst)
        self._waiting: OrderedDict[str, Callable[[], None]] = OrderedDict()
        self._cps = cps
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """True when a further call would wait for more than a day."""
        return len(self._waiting) >= QUEUED_AT_MOST_S * self._cps

    @property
    def wait_s(self) -> float:
        """How long a call added now would wait, estimated."""
        ahead_s = len(self._waiting) / self._cps
        return max(0.0, self._released[0] + self._window_s - self._loop.time()) + ahead_s

    def add(self, name: str, release: Callable[[], None]) -> None:
        """Call *release* when it is the turn of *name*, at once if there is room."""
        self._waiting[name] = release
        self._let_go()

    def remove(self, name: str) -> bool:
        """Take *name* out of the queue; False when it is not (or no longer) in it."""
        return self._waiting.pop(name, None) is not None

    def close(self) -> None:
        """Release nothing more."""
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()

    def _let_go(self) -> None:
        while self._waiting and self._timer is None:
            free_at = self._released[0] + self._window_s
            if free_at > self._loop.time():
                self._timer = self._loop.call_at(free_at, self._on_timer)
                return
            _, release = self._waiting.popitem(last=False)
            self._released.append(self._loop.time())
            release()

    def _on_timer(self) -> None:
        self._timer = None
        self._let_go()
