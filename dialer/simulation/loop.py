"""An event loop in virtual time: time stands still while anything runs, and jumps when all is idle.

The same program does the same things in the same order in every run, on every machine and under
every hash seed: timers that fall due together keep their order, and sets of tasks iterate in the
order in which the tasks were made. Nothing polls the operating system, unless a thread owes an
answer (:meth:`VirtualLoop.owe`): then the loop really waits for it, and no virtual time passes.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from itertools import count
from random import Random
from threading import get_ident
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack, cast

from dialer.errors import DialerError
from dialer.simulation.tasks import CountedTask
from dialer.simulation.timers import Timers

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Every name asyncio keeps to itself that this module uses; a test asks each Python for them.
RELIED_ON: Final = {
    "BaseEventLoop": ("_run_once", "_process_events", "_timer_handle_cancelled", "_check_closed"),
    "BaseEventLoop()": ("_ready", "_stopping", "_selector"),
    "Handle": ("_run", "_cancelled", "_context"),
    "Task()": ("_log_destroy_pending",),
    "asyncio": ("_unregister_task", "_get_running_loop", "_set_running_loop"),
}
#: Turns at one instant after which something is taken to spin; a million statements need fewer.
TURNS_AT_ONCE: Final = 10_000_000
#: Real seconds after which a thread that owes an answer is taken to be stuck.
_PATIENCE_S: Final = 60.0


class DeadlockError(DialerError):
    """Nothing is ready, no timer is set and no thread owes an answer: idle for ever."""


class LivelockError(DialerError):
    """Something is always ready, and time never passes."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0.0 s. Must run in the thread that makes it.

    *shuffle* reorders whatever is ready at the same moment, to search for races. With *threads*
    executors are real; without, their work is done at once and answered on the next turn.
    """

    _ready: deque[asyncio.Handle]
    _stopping: bool
    _selector: Any
    _check_closed: Callable[[], None]
    _process_events: Callable[[Any], None]

    def __init__(
        self,
        *,
        shuffle: Random | None = None,
        threads: bool = False,
        most_turns: int = TURNS_AT_ONCE,
    ) -> None:
        self._now = 0.0
        self._most_turns = most_turns
        self._timers = Timers()
        self._task_numbers = count()
        self._turns_at_once = 0
        self._owed = 0
        self._knows_threads = False
        self._some_died = False
        self._shuffle = shuffle
        self._threads = threads
        self._thread = get_ident()
        self._failure: BaseException | None = None
        self._at_close: list[Callable[[], None]] = []
        #: Asked before each handle runs, once set; what it answers False to, is its to keep.
        self.gate: Callable[[asyncio.Handle], bool] | None = None
        self.jumps = 0
        super().__init__()
        self.set_task_factory(lambda _, coroutine, **options: self._make_task(coroutine, **options))

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._now

    # -- what others may ask of it ---------------------------------------------------------------

    def owe(self) -> None:
        """Let no time pass until :meth:`settle`: a thread is working on an answer."""
        self._owed += 1
        self._knows_threads = True

    def settle(self) -> None:
        """Take back one :meth:`owe`; in the loop's thread only."""
        self._owed -= 1

    def owe_until(self, answer: asyncio.Future[Any]) -> None:
        """Let no time pass until *answer* is there, or nobody waits for it any more."""
        self.owe()
        # In an empty context: whoever asked may be dead by then, the debt is not.
        answer.add_done_callback(lambda _: self.settle(), context=Context())

    def abort(self, failure: BaseException) -> None:
        """End the run by raising *failure* out of the loop, before anything else runs."""
        self._failure = self._failure or failure

    def at_close(self, last: Callable[[], None]) -> None:
        """Call *last* once the loop is closed and nothing can be scheduled any more."""
        self._at_close.append(last)

    def start(self, coroutine: Coroutine[Any, Any, T], context: Context) -> CountedTask[T]:
        """A task without a parent to wait for it, as a process has none."""
        return self._make_task(coroutine, context=context)

    def disown(self, task: asyncio.Task[Any]) -> None:
        """Forget a task that will never run again; it may then be dropped without a complaint."""
        self._some_died = True
        asyncio._unregister_task(task)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # not in the stubs

    def withdraw_timers(self, of: Callable[[Context], bool]) -> list[asyncio.Handle]:
        """Take out and return the timers of some contexts, so that time does not jump to them."""
        return self._timers.take(lambda handle: of(context_of(handle)))

    def put_back(self, handles: list[asyncio.Handle]) -> None:
        """Make handles ready that the gate kept."""
        self._ready.extend(handles)

    # -- asyncio's side --------------------------------------------------------------------------

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As in asyncio; callbacks of one instant run in the order in which they were planned."""
        self._check_closed()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers.add(handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As in asyncio; other threads may call only if one ever owed an answer.

        It may come late: to a caller who gave up, and so was owed nothing any more.
        """
        if get_ident() == self._thread:
            return self.call_soon(callback, *args, context=context)
        if not self._knows_threads:
            raise RuntimeError("a thread reached into a virtual loop that waits for none")
        return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As in asyncio, but no virtual time passes meanwhile."""
        answer: asyncio.Future[T]
        if self._threads:
            answer = super().run_in_executor(executor, func, *args)
            self.owe_until(answer)
            return answer
        answer = self.create_future()
        try:
            self.call_soon(_answer, answer, func(*args), None)
        except Exception as error:  # whatever it is, it is the caller's
            self.call_soon(_answer, answer, None, error)
        return answer

    async def shutdown_asyncgens(self) -> None:
        """As in asyncio, unless somebody died: nobody unwinds the generators of the dead."""
        if not self._some_died:
            await super().shutdown_asyncgens()

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As in asyncio; the thread that waits for the others owes an answer, too."""
        self.owe()
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self.settle()

    def close(self) -> None:
        """As in asyncio; then everything given to :meth:`at_close` is called."""
        if not self.is_closed():
            super().close()
            self._timers.clear()
            self._call_the_last()

    def _call_the_last(self) -> None:
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)  # whoever asks for a loop now, gets one that takes nothing
        try:
            while self._at_close:
                self._at_close.pop()()
        finally:
            asyncio._set_running_loop(before)

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        self._timers.note_cancelled()

    def _run_once(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        ready = self._ready
        if not ready and not self._stopping:
            if self._owed:
                self._hear_threads()
                return
            self._jump()
        self._timers.move_due(self._now, ready.append)
        self._count_turn()
        if self._shuffle is not None and len(ready) > 1:
            self._reorder(self._shuffle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled and (self.gate is None or self.gate(handle)):
                handle._run()

    def _hear_threads(self) -> None:
        events = self._selector.select(_PATIENCE_S)
        if not events:
            raise DeadlockError(f"a thread has owed an answer for {_PATIENCE_S:g} real seconds")
        self._process_events(events)

    def _jump(self) -> None:
        next_at = self._timers.first_at()
        if next_at == math.inf:
            raise DeadlockError("nothing is ready and nothing is planned: idle for ever")
        # The timer's own float: sums of waits would drift, and wake a sleeper too early.
        self._now = max(self._now, next_at)
        self._turns_at_once = 0
        self.jumps += 1

    def _count_turn(self) -> None:
        self._turns_at_once += 1
        if self._turns_at_once > self._most_turns:
            self._turns_at_once = 0  # whoever cleans up afterwards needs some, too
            raise LivelockError(f"{self._most_turns} turns, and it is still {self._now:.6f} s")

    def _reorder(self, shuffle: Random) -> None:
        batch = [self._ready.popleft() for _ in range(len(self._ready))]
        shuffle.shuffle(batch)
        self._ready.extendleft(reversed(batch))  # a thread may have added to it meanwhile

    def _make_task(self, coroutine: Any, **options: Any) -> CountedTask[Any]:
        return CountedTask(coroutine, number=next(self._task_numbers), loop=self, **options)


def context_of(handle: asyncio.Handle) -> Context:
    """The context a handle will run in."""
    return cast(Context, handle._context)  # type: ignore[attr-defined]  # public in 3.12


def run(
    main: Coroutine[Any, Any, T],
    *,
    shuffle: Random | None = None,
    threads: bool = False,
    most_turns: int = TURNS_AT_ONCE,
) -> T:
    """Run *main* to its end in virtual time, as :func:`asyncio.run` would in real time.

    Raises DeadlockError when everything waits for ever, and LivelockError when time stands still.
    """
    with asyncio.Runner(
        loop_factory=lambda: VirtualLoop(shuffle=shuffle, threads=threads, most_turns=most_turns)
    ) as runner:
        return runner.run(main)


def running() -> VirtualLoop:
    """The running loop, which is virtual."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "only code in virtual time may ask for the virtual loop"
    return loop


def _answer(future: asyncio.Future[T], value: T | None, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(cast(T, value))
