"""Short jobs that timers start and nobody waits for."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self

from dialer.lazy_log import Log

log = Log()
P = ParamSpec("P")


class Errands:
    """Runs jobs until its block ends, then cancels what is left.

    A job that fails is logged and takes no other down.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for task in self._running:
            task.cancel()
        await self._group.__aexit__(kind, error, tb)

    def start(
        self, job: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Begin *job* on the running loop."""
        task = self._group.create_task(_guarded(partial(job, *args, **kwargs)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def __len__(self) -> int:
        return len(self._running)


async def _guarded(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await job()
    except Exception:
        log.exception("carrier_sim.errand_failed")
