"""Servers of a test's own, beside it: each on an event loop in a thread of its own."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from dialer import clock

T = TypeVar("T")


@contextmanager
def hosted(
    service: Callable[[], AbstractAsyncContextManager[T]], scale: clock.TimeScale | None = None
) -> Iterator[T]:
    """What *service* yields; its block is left when ours is, and its errors are ours."""
    up: Future[tuple[T, Callable[[], object]]] = Future()

    async def main() -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        async with service() as yielded:
            up.set_result((yielded, lambda: loop.call_soon_threadsafe(over.set)))
            await over.wait()

    def run() -> None:
        try:
            clock.run(main(), scale)
        except BaseException as error:
            if up.done():
                raise
            up.set_exception(error)

    with ThreadPoolExecutor(max_workers=1) as thread:
        running = thread.submit(run)
        yielded, stop = up.result()
        try:
            yield yielded
        finally:
            stop()
            running.result()
