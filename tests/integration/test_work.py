"""Jobs: what long work tells of itself, and what is seen of one whose worker is gone."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from dialer import work
from dialer.errors import NotFoundError, WrongStateError
from dialer.ports import Database
from dialer.store.opening import AnyDatabase
from dialer.work import SILENCE_S, Job, JobKind, JobState
from tests.support.given import read, write

NOW = 1_800_000_000_000
LATER = NOW + 1000


async def given_job(database: Database, *, worker: str | None = None) -> Job:
    async with database.write() as tx:
        job = await Job.start(tx, JobKind.EXPORT, "people.csv", NOW, total=100)
        if worker is not None:
            await write(tx, "UPDATE jobs SET worker = ?1", [(worker,)])
    return job


async def seen(database: Database, job: Job, now: int = LATER) -> dict[str, Any]:
    async with database.read() as tx:
        return dict(await work.found(tx, job.id, now))


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


async def test_a_job_tells_how_far_it_is_and_how_it_ended(database: AnyDatabase) -> None:
    job = await given_job(database)
    async with database.write() as tx:
        await job.beat(tx, LATER, done=40)
    halfway = await seen(database, job)
    async with database.write() as tx:
        await job.finish(tx, LATER + 1, message="40 rows")
    over = await seen(database, job)

    assert (halfway["state"], halfway["done"], halfway["total"]) == (JobState.RUNNING, 40, 100)
    assert (halfway["worker"], halfway["beat_at"]) == (
        f"{socket.gethostname()}:{os.getpid()}",
        LATER,
    )
    assert (over["state"], over["message"], over["ended_at"]) == (
        JobState.DONE,
        "40 rows",
        LATER + 1,
    )


async def test_an_ended_job_stays_as_it_ended(database: AnyDatabase) -> None:
    job = await given_job(database)
    async with database.write() as tx:
        await job.finish(tx, NOW, state=JobState.FAILED, message="no room")
        await job.beat(tx, LATER, done=7)
        await job.finish(tx, LATER)

    over = await seen(database, job)
    assert (over["state"], over["message"], over["done"], over["ended_at"]) == (
        JobState.FAILED, "no room", 0, NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("worker", "after_s", "state"),
    [
        (lambda: f"{socket.gethostname()}:{ended_process()}", 0, JobState.INTERRUPTED),
        (lambda: f"{socket.gethostname()}:{os.getpid()}", SILENCE_S, JobState.RUNNING),
        (lambda: f"{socket.gethostname()}:{os.getpid()}", SILENCE_S + 1, JobState.INTERRUPTED),
        (lambda: f"{socket.gethostname()}:1", SILENCE_S, JobState.RUNNING),
        (lambda: "elsewhere:1", SILENCE_S, JobState.RUNNING),
        (lambda: "elsewhere:1", SILENCE_S + 1, JobState.INTERRUPTED),
    ],
)
async def test_a_job_whose_worker_is_gone_or_silent_is_interrupted(
    database: AnyDatabase, worker: Callable[[], str], after_s: int, state: JobState
) -> None:
    job = await given_job(database, worker=worker())

    assert (await seen(database, job, NOW + after_s * 1000))["state"] is state


async def test_a_running_job_is_asked_to_end_once(database: AnyDatabase) -> None:
    job = await given_job(database)
    async with database.write() as tx:
        before = await job.cancelled(tx)
        first = await work.cancel(tx, job.id, LATER)
        again = await work.cancel(tx, job.id, LATER + 5)
        after = await job.cancelled(tx)
        logged = await read(tx, "SELECT action, subject FROM audit_log")

    assert (before, after) == (False, True)
    assert (first["state"], first["cancel_at"], again["cancel_at"]) == (
        JobState.RUNNING, LATER, LATER,
    )  # fmt: skip
    assert logged == [("jobs.cancel", str(job.id))] * 2


async def test_an_interrupted_job_is_cancelled_at_once(database: AnyDatabase) -> None:
    job = await given_job(database, worker=f"{socket.gethostname()}:{ended_process()}")
    async with database.write() as tx:
        cancelled = await work.cancel(tx, job.id, LATER)

    assert (cancelled["state"], cancelled["ended_at"]) == (JobState.CANCELLED, LATER)


async def test_what_is_over_or_not_there_cannot_be_cancelled(database: AnyDatabase) -> None:
    job = await given_job(database)
    async with database.write() as tx:
        await job.finish(tx, NOW)
        with pytest.raises(WrongStateError, match="is done"):
            await work.cancel(tx, job.id, LATER)
        with pytest.raises(NotFoundError, match="no job 99"):
            await work.cancel(tx, 99, LATER)


async def test_jobs_are_listed_newest_first_and_by_kind(database: AnyDatabase) -> None:
    async with database.write() as tx:
        for kind in (JobKind.IMPORT, JobKind.BACKUP, JobKind.IMPORT):
            await Job.start(tx, kind, "x", NOW)
        every = await work.listed(tx, NOW, limit=2)
        imports = await work.listed(tx, NOW, limit=9, kind=JobKind.IMPORT)

    assert [job["kind"] for job in every] == ["import", "backup"]
    assert len(imports) == 2
