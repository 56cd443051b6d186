"""Periodic work: when it runs, what a failure and a long sleep do to it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from structlog.testing import capture_logs

from dialer.errors import StoreBusyError
from dialer.jobs import SOON_S, Job, Jobs, nightly
from tests.support import virtual

DAY_S = 24 * 3600
#: The first night after the loop's epoch, Monday 2026-01-05 15:00 UTC.
FIRST_NIGHT = datetime(2026, 1, 6, 3, 17, tzinfo=UTC)


class LoopClock:
    """The loop's time, and how far the wall clock is set away from it."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def now(self) -> int:
        return virtual.now() + self.ahead_s * 1000


class Worker:
    """Work that notes when it was done."""

    def __init__(self, clock: LoopClock, *troubles: Exception | None) -> None:
        self.clock = clock
        self.done_at: list[datetime] = []
        self.troubles = list(troubles)

    async def work(self) -> None:
        self.done_at.append(datetime.fromtimestamp(self.clock.now() / 1000, UTC))
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble


def run_for(days: float, jobs: Callable[[], Jobs]) -> None:
    async def main() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(days * DAY_S):
                await jobs().run()

    virtual.run(main())


def nights(count: int) -> list[datetime]:
    return [FIRST_NIGHT + timedelta(days=night) for night in range(count)]


def test_a_nightly_job_runs_every_night_at_its_minute() -> None:
    clock = LoopClock()
    worker = Worker(clock)

    run_for(3, lambda: Jobs(clock, [nightly("maintain", worker.work, hour=3, minute=17)]))

    assert worker.done_at == nights(3)


def test_one_that_must_be_done_is_done_soon_after_every_start() -> None:
    clock = LoopClock()
    worker = Worker(clock)
    job = nightly("purge", worker.work, hour=3, minute=17, at_start=True)

    run_for(0.5, lambda: Jobs(clock, [job]))
    run_for(2, lambda: Jobs(clock, [job]))

    start = datetime.fromtimestamp(virtual.EPOCH / 1000, UTC)
    soon = start + timedelta(seconds=SOON_S)
    assert worker.done_at == [soon, soon, *nights(2)]


def test_a_job_that_fails_is_logged_and_waits_for_its_next_time() -> None:
    clock = LoopClock()
    worker = Worker(clock, StoreBusyError("locked by a backup"))

    with capture_logs() as logs:
        run_for(2, lambda: Jobs(clock, [nightly("maintain", worker.work, hour=3, minute=17)]))

    assert worker.done_at == nights(2)
    assert [(entry["event"], entry["job"]) for entry in logs] == [
        ("job.failed", "maintain"),
        ("job.done", "maintain"),
    ]
    assert logs[0]["error"] == "locked by a backup"


def test_jobs_run_in_the_order_of_their_times() -> None:
    clock = LoopClock()
    order: list[str] = []

    def noting(name: str) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            order.append(name)

        return work

    run_for(
        2,
        lambda: Jobs(
            clock,
            [
                nightly("late", noting("late"), hour=4, minute=0),
                nightly("early", noting("early"), hour=1, minute=0),
            ],
        ),
    )

    assert order == ["early", "late", "early", "late"]


def test_what_was_missed_while_the_machine_slept_is_done_once() -> None:
    clock = LoopClock()
    worker = Worker(clock)

    async def sleep_for_a_week() -> None:
        await worker.work()
        if len(worker.done_at) == 1:
            clock.ahead_s += 7 * DAY_S

    run_for(2, lambda: Jobs(clock, [nightly("maintain", sleep_for_a_week, hour=3, minute=17)]))

    after_the_sleep = FIRST_NIGHT + timedelta(days=8)
    assert worker.done_at == [FIRST_NIGHT, after_the_sleep]


def test_a_job_longer_than_its_interval_is_not_run_for_every_time_it_missed() -> None:
    clock = LoopClock()
    worker = Worker(clock)

    async def slow() -> None:
        await worker.work()
        await asyncio.sleep(3_540)

    interval = IntervalTrigger(minutes=10, timezone=UTC)
    run_for(0.25, lambda: Jobs(clock, [Job("sweep", interval, slow)]))

    assert len(worker.done_at) <= 7


def test_a_clock_set_back_repeats_nothing() -> None:
    clock = LoopClock()
    worker = Worker(clock)

    async def set_back() -> None:
        await worker.work()
        if len(worker.done_at) == 1:
            clock.ahead_s -= 3600

    run_for(1.6, lambda: Jobs(clock, [nightly("maintain", set_back, hour=3, minute=17)]))

    assert [at.day for at in worker.done_at] == [6, 7]


def test_a_job_without_another_time_is_over() -> None:
    clock = LoopClock()
    worker = Worker(clock)
    once = DateTrigger(run_date=FIRST_NIGHT)

    run_for(30, lambda: Jobs(clock, [Job("once", once, worker.work)]))

    assert worker.done_at == [FIRST_NIGHT]
