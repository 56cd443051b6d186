"""An event loop that never waits: when nothing is ready it jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Monday 2026-01-05 15:00 UTC, loop time 0 in virtual runs; UTC milliseconds.
EPOCH = 1_767_625_200_000


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing is ready and nothing is planned: idle for ever")
        self.passed_s += max(0.0, timeout)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """For code without threads and sockets."""

    def __init__(self) -> None:
        self._jumps = _JumpingSelector()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.passed_s


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* to its end in virtual time."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


def now() -> int:
    """The time of the running loop as UTC milliseconds."""
    return EPOCH + round(asyncio.get_running_loop().time() * 1000)
