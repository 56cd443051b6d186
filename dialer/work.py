"""Long work by whatever process: how far it is, whether its worker is still there, and its end.

Theory of operation. A job is a row its worker writes in the transactions of the work itself, so
that it never says more than what is durable. Nobody else ends a running job: whoever wants its end
asks for it, and the worker looks between two portions of its work. A job whose worker is gone
shows as interrupted; the row is left as it was cut off.
"""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NewType, Self

from dialer import audit_log
from dialer.errors import NotFoundError, WrongStateError
from dialer.ports import Row, Tx

JobId = NewType("JobId", int)

#: A worker gives a sign of life with every portion; after such a silence it is taken for gone.
SILENCE_S: Final = 60
_MS: Final = 1000


class JobKind(StrEnum):
    """What the work is."""

    IMPORT = "import"
    EXPORT = "export"
    BACKUP = "backup"


class JobState(StrEnum):
    """Where a job stands; the last two are never stored, they are seen."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # its worker is gone
    CONTINUED = "continued"  # it was cut short, and a later job went on with its work


_ENDS: Final = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Job:
    """A running job, for its worker."""

    id: JobId

    @classmethod
    async def start(
        cls, tx: Tx, kind: JobKind, subject: str, now: int, *, total: int | None = None
    ) -> Self:
        """Begin a job of this process; *subject* is the file it reads or writes, *total* how much
        there is to do, in whatever unit it is counted in.
        """
        job_id = await tx.value(
            "add_job",
            kind=kind,
            subject=subject,
            actor=tx.actor,
            worker=this_worker(),
            total=total,
            now=now,
        )
        return cls(JobId(job_id))

    async def beat(self, tx: Tx, now: int, *, done: int) -> None:
        """Tell that the worker is there, and how much is *done* in all."""
        await tx.run("beat_job", job_id=self.id, done=done, now=now)

    async def cancelled(self, tx: Tx) -> bool:
        """Whether somebody has asked for its end."""
        return await tx.value("job_cancel_at", job_id=self.id) is not None

    async def finish(
        self, tx: Tx, now: int, *, state: JobState = JobState.DONE, message: str = ""
    ) -> None:
        """End it, with words for whoever looks at it later."""
        assert state in _ENDS, "the others are no ends"
        await tx.run("finish_job", job_id=self.id, state=state, message=message, now=now)


def this_worker() -> str:
    """Which process of which machine this is: ``HOST:PID``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(worker: str) -> bool:
    """Whether a worker of this machine has ended; of one elsewhere nothing is known: False."""
    host, _, process = worker.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, and so it is there
        return False
    return False


def state_of(job: Row, now: int, gone: Callable[[str], bool] = is_gone) -> JobState:
    """Where a job stands at *now* (UTC ms): as stored, or interrupted."""
    state = JobState(job["state"])
    if state is not JobState.RUNNING:
        return state
    silent = now - job["beat_at"] > SILENCE_S * _MS
    return JobState.INTERRUPTED if silent or gone(job["worker"]) else state


# -- for operators --------------------------------------------------------------------------------


async def listed(
    tx: Tx, now: int, *, limit: int, kind: JobKind | None = None
) -> Sequence[Mapping[str, Any]]:
    """The newest jobs first, of one kind or all, each in the state it is seen in."""
    rows = await tx.rows("list_jobs", kind=kind or "", limit=limit)
    return [_seen(row, now) for row in rows]


async def found(tx: Tx, job_id: int, now: int) -> Mapping[str, Any]:
    """One job in the state it is seen in; raises NotFoundError."""
    row = await tx.row("job_by_id", job_id=job_id)
    if row is None:
        raise NotFoundError(f"there is no job {job_id}", next_step="dialer jobs list")
    return _seen(row, now)


async def cancel(tx: Tx, job_id: int, now: int) -> Mapping[str, Any]:
    """Ask a running job to end, which it does after its present portion; an interrupted one ends
    at once, there is nobody to ask. Raises WrongStateError for one that is over.
    """
    job = await found(tx, job_id, now)
    state = JobState(job["state"])
    if state not in (JobState.RUNNING, JobState.INTERRUPTED):
        raise WrongStateError(
            f"job {job_id} is {state}: there is nothing to cancel",
            next_step=f"dialer jobs show {job_id}",
        )
    await tx.run("cancel_job", job_id=job_id, now=now)
    if state is JobState.INTERRUPTED:
        await Job(JobId(job_id)).finish(
            tx, now, state=JobState.CANCELLED, message="its worker was gone"
        )
    after = {"kind": job["kind"], "was": state}
    await audit_log.record(tx, "jobs.cancel", str(job_id), now, after=after)
    return await found(tx, job_id, now)


def _seen(row: Row, now: int) -> Mapping[str, Any]:
    seen = dict(row)
    state = state_of(row, now)
    continued = seen.pop("gone_on_with") and state not in (JobState.RUNNING, JobState.DONE)
    return seen | {"state": JobState.CONTINUED if continued else state}
