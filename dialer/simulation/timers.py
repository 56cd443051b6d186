"""The timers of a virtual loop: in the order of their times, and then in the order of setting."""

import asyncio
import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import Final

#: Cancelled timers are swept out when there are more than these, and more than half are.
_FEW: Final = 100


class Timers:
    """A heap that compares numbers alone, and so keeps the order of equal times."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, handle: asyncio.TimerHandle) -> None:
        """Set a timer."""
        heapq.heappush(self._heap, (handle.when(), next(self._numbers), handle))

    def first_at(self) -> float:
        """The time of the first timer that is still wanted; infinity when none is."""
        heap = self._heap
        while heap and heap[0][2].cancelled():
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def move_due(self, now: float, ready: Callable[[asyncio.Handle], None]) -> None:
        """Take out the timers due by *now* and give each to *ready*, in their order."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            ready(heapq.heappop(heap)[2])

    def take(self, which: Callable[[asyncio.Handle], bool]) -> list[asyncio.Handle]:
        """Take out some timers, due or not, and return them in their order."""
        taken = sorted(entry for entry in self._heap if which(entry[2]))
        self._keep(lambda handle: not which(handle))
        return [handle for _, _, handle in taken]

    def note_cancelled(self) -> None:
        """Hear that one more is not wanted; now and then all of them are swept out."""
        self._cancelled += 1
        if self._cancelled > max(_FEW, len(self._heap) // 2):
            self._keep(lambda handle: not handle.cancelled())
            self._cancelled = 0

    def clear(self) -> None:
        """Drop them all."""
        self._heap.clear()

    def _keep(self, which: Callable[[asyncio.Handle], bool]) -> None:
        self._heap = [entry for entry in self._heap if which(entry[2])]
        heapq.heapify(self._heap)
