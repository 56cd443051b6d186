"""Simulated processes in one virtual loop: they start, stop, stall and die apart from each other.

A process is a context variable: every task, timer and callback carries the context it was made
in, and so the process it belongs to. A kill is what SIGKILL is: from then on nothing of the
process runs, not a single ``finally``, while the operating system lets go of what it held. Its
suspended coroutines are kept until the loop is closed; if they were collected earlier, Python
would unwind them in the middle of somebody else's life.

What happens outside every process, such as a call that rings on, is an event of the world
(:meth:`Machine.later`): it survives whoever caused it.
"""

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar

from dialer.simulation.loop import VirtualLoop, context_of
from dialer.simulation.tasks import CountedTask

T = TypeVar("T")

#: How often a dead coroutine may wait again while it is unwound.
_LAST_WAITS: Final = 100


class Process:
    """One process of a :class:`Machine`, which makes it and alone changes it."""

    def __init__(self, name: str, outside: Context) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.killed = False
        #: What its main coroutine raised.
        self.error: BaseException | None = None
        #: Set when it is over, however it ended.
        self.ended = asyncio.Event()
        self.context = outside.copy()
        self.context.run(_CURRENT.set, self)
        self.held: list[asyncio.Handle] = []
        self.releases: list[Callable[[], None]] = []
        self.watchers: list[Callable[[Process], None]] = []

    def __repr__(self) -> str:
        return f"<process {self.name}>"

    def owns(self, release: Callable[[], None]) -> None:
        """Remember what the operating system does when the process ends, however it ends."""
        self.releases.append(release)

    def when_over(self, watcher: Callable[["Process"], None]) -> None:
        """Call *watcher* in the world, one turn after the process ended."""
        self.watchers.append(watcher)


_CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


def current() -> Process | None:
    """The process whose code is running; None in the world outside."""
    return _CURRENT.get()


class Machine:
    """Where processes run. Make it outside of them."""

    def __init__(self, loop: VirtualLoop) -> None:
        assert current() is None, "a machine is made in the world"
        self._loop = loop
        self._outside = copy_context()
        self._living: list[Process] = []
        self._graves: list[CountedTask[Any]] = []
        loop.at_close(self._unwind_the_dead)

    def spawn(self, name: str, main: Coroutine[Any, Any, object]) -> Process:
        """Start a process; it is over when *main* is.

        What *main* raises ends the run, unless somebody watches the process.
        """
        process = Process(name, self._outside)
        self._living.append(process)
        task = self._loop.start(main, process.context)
        task.add_done_callback(lambda done: self._exited(process, done), context=self._outside)
        return process

    def kill(self, process: Process) -> None:
        """As SIGKILL: nothing of the process runs any more, now or later."""
        if process.alive:
            process.killed = True
            self._end(process)

    def power_off(self) -> None:
        """Kill every process; without it, the end of a run cancels them as asyncio does."""
        for process in [*self._living]:
            self.kill(process)

    def pause(self, process: Process) -> None:
        """As SIGSTOP: what comes due meanwhile, comes when it is resumed."""
        process.paused = True
        self._loop.gate = self._admits

    def resume(self, process: Process) -> None:
        """As SIGCONT."""
        process.paused = False
        if process.alive:
            self._loop.put_back(process.held)
            process.held = []

    def later(
        self, delay_s: float, event: Callable[..., object], *args: object
    ) -> asyncio.TimerHandle:
        """Plan an event of the world; what it raises ends the run."""
        return self._loop.call_later(delay_s, self._happen, event, args, context=self._outside)

    def start(self, errand: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run *errand* in the world; what it raises ends the run."""
        task = self._loop.start(errand, self._outside.copy())
        task.add_done_callback(self._finished, context=self._outside)
        return task

    async def ask(self, process: Process, service: Coroutine[Any, Any, T]) -> T:
        """Have *process* run *service*, as one that answers a request would, and return or raise
        what comes of it.

        Raises ConnectionRefusedError when the process is over, and ConnectionResetError when it
        ends before it has answered.
        """
        if not process.alive:
            service.close()
            raise ConnectionRefusedError(f"{process.name} is not running")
        answer: asyncio.Future[T] = self._loop.create_future()
        task = self._loop.start(service, process.context.copy())

        def hung_up(_over: Process) -> None:
            if not answer.done():
                answer.set_exception(ConnectionResetError(f"{process.name} is gone"))

        def forget(_answer: object) -> None:
            with suppress(ValueError):
                process.watchers.remove(hung_up)

        process.when_over(hung_up)
        answer.add_done_callback(forget, context=self._outside)
        task.add_done_callback(lambda done: _hand_over(done, answer), context=self._outside)
        return await answer

    def _admits(self, handle: asyncio.Handle) -> bool:
        process = context_of(handle).get(_CURRENT)
        if process is None or (process.alive and not process.paused):
            return True
        process.held.append(handle)
        return False

    def _exited(self, process: Process, main: asyncio.Task[object]) -> None:
        if not main.cancelled():
            process.error = main.exception()
        if not process.alive:
            return
        if process.error is not None and not process.watchers:
            self._loop.abort(process.error)
        self._end(process)

    def _end(self, process: Process) -> None:
        process.alive = False
        self._living.remove(process)
        self._loop.gate = self._admits
        for task in sorted(self._tasks_of(process), key=lambda task: task.number):
            self._loop.disown(task)
            self._graves.append(task)
        process.held += self._loop.withdraw_timers(lambda context: context.get(_CURRENT) is process)
        while process.releases:
            process.releases.pop()()
        process.ended.set()
        for watcher in process.watchers:
            self.later(0, watcher, process)

    def _tasks_of(self, process: Process) -> list[CountedTask[Any]]:
        return [
            task
            for task in asyncio.all_tasks(self._loop)
            if isinstance(task, CountedTask) and task.context.get(_CURRENT) is process
        ]

    def _happen(self, event: Callable[..., object], args: tuple[object, ...]) -> None:
        try:
            event(*args)
        except Exception as error:  # a simulation that went wrong must not pass for a result
            self._loop.abort(error)

    def _finished(self, errand: asyncio.Task[Any]) -> None:
        if not errand.cancelled() and (error := errand.exception()) is not None:
            self._loop.abort(error)

    def _unwind_the_dead(self) -> None:
        """Let Python run what it insists on running, now that nothing listens any more."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            while self._graves:
                task = self._graves.pop(0)
                task.context.run(_unwind, task)


def _hand_over(done: asyncio.Task[T], answer: asyncio.Future[T]) -> None:
    if answer.done():
        return
    if done.cancelled():
        answer.set_exception(ConnectionResetError("the request was dropped"))
    elif (error := done.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


def _unwind(task: CountedTask[Any]) -> None:
    coroutine = task.get_coro()
    assert coroutine is not None
    for _ in range(_LAST_WAITS):
        # Last words, one more wait, or a group that took the unwinding for an error of its own.
        with suppress(Exception, asyncio.CancelledError, BaseExceptionGroup):
            coroutine.close()
            return
