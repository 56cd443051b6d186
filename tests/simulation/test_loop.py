"""Virtual time: what passes, in which order, and when a run is stuck."""

import ast
import asyncio
import math
import re
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dialer.jobs import Job, Jobs, nightly
from dialer.simulation import loop as loop_module
from dialer.simulation.clock import SimClock
from dialer.simulation.loop import (
    DeadlockError,
    LivelockError,
    VirtualLoop,
    run,
    running,
)

DAY_S: Final = 86_400.0
#: Monday 2026-01-05 00:00 UTC, in milliseconds.
EPOCH_AT: Final = 1_767_571_200_000


def now() -> float:
    return asyncio.get_running_loop().time()


async def tick() -> None:
    """A daemon's heartbeat: there is always a next timer to jump to."""
    for second in count(1):
        await asyncio.sleep(second - now())


async def beside_a_heartbeat(work: Coroutine[Any, Any, Any]) -> Any:
    async with asyncio.TaskGroup() as group:
        heartbeat = group.create_task(tick())
        answer = await work
        heartbeat.cancel()
    return answer


# -- time ----------------------------------------------------------------------------------------


def test_days_pass_at_once_and_to_the_second() -> None:
    async def main() -> float:
        await asyncio.sleep(3 * DAY_S)
        return now()

    assert run(main()) == 3 * DAY_S


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 1e-9, 7.0, DAY_S]), max_size=40))
def test_timers_run_when_they_fall_due_and_in_the_order_they_were_set(delays: list[float]) -> None:
    ran: list[tuple[float, int, float]] = []

    def note(delay: float, number: int) -> None:
        ran.append((delay, number, now()))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number, delay in enumerate(delays):
            loop.call_at(delay, note, delay, number)
        await asyncio.sleep(2 * DAY_S)

    run(main())

    assert ran == [(delay, number, delay) for number, delay in sorted_by_time(delays)]


def sorted_by_time(delays: list[float]) -> list[tuple[int, float]]:
    return sorted(enumerate(delays), key=lambda entry: (entry[1], entry[0]))


def test_a_sleeper_never_wakes_before_its_time_however_often_it_sleeps() -> None:
    async def main() -> float:
        expected = 0.0
        for _ in range(1_000):
            expected += 0.1
            await asyncio.sleep(0.1)
        return now() - expected

    assert run(main()) == 0.0


def test_a_cancelled_timer_does_not_hold_the_clock() -> None:
    async def main() -> float:
        asyncio.get_running_loop().call_later(DAY_S, print, "never").cancel()
        async with asyncio.timeout(10):
            await asyncio.sleep(1)
        await asyncio.sleep(30)
        return now()

    assert run(main()) == 31.0


def test_cancelled_timers_do_not_pile_up() -> None:
    async def main() -> int:
        for _ in range(2_000):
            async with asyncio.timeout(DAY_S):
                await asyncio.sleep(0.001)
        return len(running()._timers)

    assert run(main()) < 250


def test_time_stands_still_while_anything_is_ready() -> None:
    async def main() -> float:
        async with asyncio.timeout(1):
            for _ in range(10_000):
                await asyncio.sleep(0)
        return now()

    assert run(main()) == 0.0


# -- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [False, True])
def test_no_time_passes_while_a_thread_works(threads: bool) -> None:
    def work() -> str:
        time.sleep(0.02)
        return "done"

    async def main() -> tuple[str, float]:
        async with asyncio.timeout(30):
            return await beside_a_heartbeat(asyncio.to_thread(work)), now()

    assert run(main(), threads=threads) == ("done", 0.0)


@pytest.mark.parametrize("threads", [False, True])
def test_a_thread_s_error_reaches_the_caller(threads: bool) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="from the thread"):
            await asyncio.to_thread(int_of_nothing)

    def int_of_nothing() -> None:
        raise ValueError("from the thread")

    run(main(), threads=threads)


def test_executors_are_real_threads_only_where_asked_for() -> None:
    here = threading.get_ident()

    assert run(asyncio.to_thread(threading.get_ident)) == here
    assert run(asyncio.to_thread(threading.get_ident), threads=True) != here


def test_a_thread_whose_caller_gave_up_owes_nothing_any_more() -> None:
    go_on = threading.Event()

    async def main() -> float:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(asyncio.to_thread(go_on.wait))
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.sleep(5)
        go_on.set()
        return now()

    assert run(main(), threads=True) == 5.0


def test_a_thread_nobody_waits_for_may_not_reach_in() -> None:
    refusals: list[str] = []

    def reach_in(loop: VirtualLoop) -> None:
        try:
            loop.call_soon_threadsafe(print, "never")
        except RuntimeError as error:
            refusals.append(str(error))

    async def main() -> None:
        thread = threading.Thread(target=reach_in, args=(running(),))
        thread.start()
        thread.join()

    run(main())

    assert refusals == ["a thread reached into a virtual loop that waits for none"]


def test_a_thread_that_never_answers_is_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "_PATIENCE_S", 0.01)

    async def main() -> None:
        running().owe()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            running().settle()

    with pytest.raises(DeadlockError, match="a thread"):
        run(main())


# -- order ---------------------------------------------------------------------------------------


def order_of_abortion(count: int) -> list[int]:
    order: list[int] = []

    async def child(number: int) -> None:
        try:
            await asyncio.sleep(DAY_S)
        finally:
            order.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(child(number))
            await asyncio.sleep(1)
            raise KeyError

    with pytest.raises(ExceptionGroup):
        run(main())
    return order


def test_a_task_group_aborts_its_tasks_in_the_same_order_every_time() -> None:
    first = order_of_abortion(50)
    elsewhere = [object() for _ in range(10_000)]  # what is made next gets other addresses

    assert order_of_abortion(50) == first
    assert sorted(first) == list(range(50))
    assert elsewhere


def turns(seed: int | None) -> list[int]:
    order: list[int] = []

    async def child(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            order.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(child(number))

    run(main(), shuffle=None if seed is None else Random(seed))
    return order


def test_a_seed_shuffles_what_is_ready_at_once_and_loses_nothing() -> None:
    assert turns(None) == list(range(10)) * 3
    assert turns(7) == turns(7)
    assert turns(7) != turns(8)
    assert sorted(turns(7)) == sorted(turns(None))


# -- the end -------------------------------------------------------------------------------------


def test_a_run_returns_what_main_returns_and_raises_what_it_raises() -> None:
    async def failing() -> None:
        await asyncio.sleep(1)
        raise LookupError("as planned")

    async def working() -> int:
        return 7

    assert run(working()) == 7
    with pytest.raises(LookupError, match="as planned"):
        run(failing())


def test_what_is_left_at_the_end_is_cancelled_and_closed_as_asyncio_does() -> None:
    closed: list[str] = []

    async def left_over() -> None:
        try:
            await asyncio.sleep(DAY_S)
        finally:
            await asyncio.sleep(1)
            closed.append("task")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closed.append("generator")

    async def main() -> None:
        started = running().start(left_over(), copy_context())
        kept.extend([started, generator := numbers()])
        await anext(generator)

    kept: list[object] = []
    run(main())

    assert closed == ["task", "generator"]


@pytest.mark.parametrize(
    "forever", [lambda: asyncio.Event().wait(), lambda: asyncio.sleep(math.inf)]
)
def test_waiting_for_ever_is_a_deadlock(forever: Any) -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        await forever()

    with pytest.raises(DeadlockError):
        run(main())


def test_spinning_for_ever_is_a_livelock() -> None:
    async def main() -> None:
        await asyncio.sleep(2.5)
        for _ in count():
            await asyncio.sleep(0)

    with pytest.raises(LivelockError, match=r"still 2\.5"):
        run(main(), most_turns=100)


def test_an_aborted_run_raises_the_first_reason_and_still_cleans_up() -> None:
    cleaned: list[str] = []

    async def main() -> None:
        try:
            running().abort(LookupError("first"))
            running().abort(LookupError("second"))
            await asyncio.sleep(1)
        finally:
            cleaned.append("main")

    with pytest.raises(LookupError, match="first"):
        run(main())

    assert cleaned == ["main"]


# -- what asyncio and others keep to themselves --------------------------------------------------


def foreign_privates(file: Path) -> Iterator[str]:
    """Names with an underscore that a module uses without giving them a meaning itself."""
    tree = ast.parse(file.read_text())
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assigned = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and re.match("_[^_]", node.attr)
            and node.attr not in own | assigned
        ):
            yield node.attr


def test_every_private_name_is_listed_and_every_listed_name_is_there() -> None:
    loop = VirtualLoop()
    try:
        owners = {
            "BaseEventLoop": asyncio.BaseEventLoop,
            "BaseEventLoop()": loop,
            "Handle": asyncio.Handle(print, (), loop),
            "Task()": asyncio.Task,
            "asyncio": asyncio,
        }
        for owner, names in loop_module.RELIED_ON.items():
            assert [name for name in names if not hasattr(owners[owner], name)] == [], owner
    finally:
        loop.close()

    listed = {name for names in loop_module.RELIED_ON.values() for name in names}
    assert set(foreign_privates(Path(loop_module.__file__))) <= listed


# -- the periodic jobs ---------------------------------------------------------------------------


def test_periodic_jobs_keep_their_times_for_days() -> None:
    done: list[datetime] = []

    async def main() -> None:
        clock = SimClock(running(), EPOCH_AT)

        async def work() -> None:
            done.append(datetime.fromtimestamp(clock.now() / 1000, UTC))

        jobs = [
            nightly("night", work, hour=3, minute=17),
            Job("often", IntervalTrigger(minutes=10, start_date=at(0), timezone=UTC), work),
        ]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10 * DAY_S - 1):
                await Jobs(clock, jobs).run()

    with capture_logs():
        run(main())

    nights = [at(day * DAY_S + 3 * 3600 + 17 * 60) for day in range(10)]
    every_ten_minutes = [at(ten * 600) for ten in range(10 * 144)]
    assert done == sorted(nights + every_ten_minutes)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(EPOCH_AT / 1000, UTC) + timedelta(seconds=seconds)


def test_a_clock_may_be_wrong_and_be_set_while_the_loop_s_time_goes_on() -> None:
    async def main() -> list[int]:
        right, wrong = SimClock(running(), EPOCH_AT), SimClock(running(), EPOCH_AT, skew_s=-2.5)
        shown = []
        for jump_s in (0.0, 3600.0, -7200.0):
            wrong.skew_s += jump_s
            await asyncio.sleep(0.001)
            shown += [right.now() - EPOCH_AT, wrong.now() - EPOCH_AT]
        return shown

    assert run(main()) == [1, -2499, 2, 3597502, 3, -3602497]
