"""What is on record of imports: which list, how far it is in, and what became of its rows.

Theory of operation. The record of an import moves with its portions, in the same transactions: it
is the checkpoint from which whoever runs the import again goes on. It may be moved only by the job
that does the import now, and only from the row at which that job left it; so two processes that
both believe the import is theirs cannot both store a portion.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from dialer import work
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.lists.csvio import START, Position
from dialer.model import CampaignId
from dialer.ports import Row, Tx
from dialer.work import Job, JobState

#: Of each reason so many rows are shown.
EXAMPLES: Final = 2


class ImportState(StrEnum):
    """Where an import stands; the last one is never stored, it is seen."""

    RUNNING = "running"
    DONE = "done"
    UNDONE = "undone"
    INTERRUPTED = "interrupted"  # cut short, or stopped: the same command goes on with it


@dataclass(frozen=True, slots=True)
class Example:
    """A row that was rejected, and why."""

    row: int
    column: str
    value: str


@dataclass(slots=True)
class ImportCounts:
    """What has become of the rows so far."""

    import_id: int | None = None  # None for a dry run
    rows: int = 0
    added: int = 0
    updated: int = 0
    same: int = 0
    members_added: int = 0
    elsewhere: int = 0  # wait for a call of another campaign, too
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(
        default_factory=lambda: defaultdict(list), compare=False
    )

    def facts(self) -> dict[str, Any]:
        """All counts by name."""
        names = ("import_id", "rows", "added", "updated", "same", "members_added", "elsewhere")
        return {**{name: getattr(self, name) for name in names}, "rejected": dict(self.rejected)}

    def reject(self, reason: str, example: Example) -> None:
        """Count a rejected row."""
        self.rejected[reason] += 1
        if len(self.examples[reason]) < EXAMPLES:
            self.examples[reason].append(example)


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two runs one import: the file, what it is for, and how it is read."""

    digest: str
    size: int
    campaign_id: CampaignId | None
    options: str  # JSON


@dataclass(frozen=True, slots=True)
class Begun:
    """An import that is under way: where it goes on, and by which job."""

    import_id: int
    job: Job
    position: Position = START
    report_size: int = 0


async def latest(tx: Tx, identity: Identity, now: int) -> Row | None:
    """The newest record of the same import that can be gone on with, or is done.

    Raises WrongStateError while somebody is at it.
    """
    row = await tx.row(
        "same_import",
        digest=identity.digest,
        file_size=identity.size,
        options=identity.options,
        campaign_id=identity.campaign_id or 0,
    )
    if row is None or row["state"] == ImportState.UNDONE:
        return None
    if state_of(row, now) is ImportState.RUNNING:
        raise WrongStateError(
            f"this import is running already, in process {row['worker']}",
            next_step=f"dialer jobs show {row['job_id']}",
        )
    return row


async def begin(
    tx: Tx,
    identity: Identity,
    job: Job,
    now: int,
    *,
    file_name: str,
    mapping: Mapping[str, Any],
    report_path: str,
) -> Begun:
    """Put a new import on record."""
    import_id = await tx.value(
        "add_import",
        campaign_id=identity.campaign_id,
        job_id=job.id,
        file_name=file_name,
        file_size=identity.size,
        digest=identity.digest,
        mapping=json.dumps(mapping, ensure_ascii=False),
        options=identity.options,
        report_path=report_path,
        now=now,
    )
    return Begun(int(import_id), job)


async def take_over(tx: Tx, row: Row, job: Job, report_path: str) -> Begun:
    """Go on with the import of a *row* that nobody is at; raises UsageError when rows that it has
    rejected are in another file.
    """
    if row["report_size"] and row["report_path"] != report_path:
        raise UsageError(
            f"the rows that this import has rejected so far are in {row['report_path']}",
            next_step=f"go on with them: --rejects {row['report_path']}, or begin anew: --again",
        )
    await tx.run("take_over_import", import_id=row["id"], job_id=job.id, report_path=report_path)
    position = Position(row["next_offset"], row["next_row"])
    return Begun(row["id"], job, position, row["report_size"])


async def checkpoint(
    tx: Tx,
    begun: Begun,
    campaign_id: CampaignId | None,
    was: Position,
    position: Position,
    report_size: int,
    **counts: int,
) -> None:
    """Move the record with a portion for *campaign_id*; raises WrongStateError when the import is
    somebody else's, or its campaign is gone.
    """
    moved = await tx.run(
        "checkpoint_import",
        import_id=begun.import_id,
        job_id=begun.job.id,
        campaign_id=campaign_id or 0,
        was_row=was.row,
        next_row=position.row,
        next_offset=position.offset,
        report_size=report_size,
        **counts,
    )
    if not moved:
        raise _not_ours(begun)


async def finish(tx: Tx, begun: Begun, now: int) -> None:
    """The whole list is in."""
    if not await tx.run("finish_import", import_id=begun.import_id, job_id=begun.job.id, now=now):
        raise _not_ours(begun)


async def counts_of(tx: Tx, row: Row) -> ImportCounts:
    """What has become of the rows of an import on record."""
    import_id = row["id"]
    counts = ImportCounts(
        import_id, row["rows_read"], row["added"], row["updated"], row["same"],
        row["members_added"], row["elsewhere"],
    )  # fmt: skip
    for each in await tx.rows("import_reasons", import_id=import_id):
        counts.rejected[each["reason"]] = each["number"]
    for each in await tx.rows("import_examples", import_id=import_id, most=EXAMPLES):
        example = Example(each["row_number"], each["column_name"], each["value"])
        counts.examples[each["reason"]].append(example)
    return counts


def state_of(row: Row, now: int) -> ImportState:
    """Where an import stands; its *row* has those of its job beside its own."""
    state = ImportState(row["state"])
    if state is not ImportState.RUNNING:
        return state
    job = {"state": row["job_state"], "worker": row["worker"], "beat_at": row["beat_at"]}
    running = row["job_state"] and work.state_of(job, now) is JobState.RUNNING
    return state if running else ImportState.INTERRUPTED


async def under_way(
    tx: Tx, campaign_id: CampaignId, now: int
) -> tuple[Sequence[Row], Sequence[Row]]:
    """The imports into a campaign that somebody is at, and those that were cut short."""
    rows = await tx.rows("imports_under_way", campaign_id=campaign_id)
    running = [row for row in rows if state_of(row, now) is ImportState.RUNNING]
    return running, [row for row in rows if row not in running]


# -- for operators --------------------------------------------------------------------------------


async def listed(tx: Tx, now: int, limit: int) -> Sequence[Mapping[str, Any]]:
    """The newest imports first, each in the state it is seen in."""
    return [_seen(row, now) for row in await tx.rows("list_imports", limit=limit)]


async def found(tx: Tx, import_id: int, now: int) -> Mapping[str, Any]:
    """One import in the state it is seen in; raises NotFoundError."""
    row = await tx.row("import_by_id", import_id=import_id)
    if row is None:
        raise NotFoundError(f"there is no import {import_id}", next_step="dialer imports list")
    return _seen(row, now)


def _seen(row: Row, now: int) -> Mapping[str, Any]:
    return dict(row) | {"state": state_of(row, now)}


def _not_ours(begun: Begun) -> WrongStateError:
    return WrongStateError(
        f"import {begun.import_id} was undone, its campaign was deleted, or it is gone on with by"
        " another process",
        next_step=f"dialer imports show {begun.import_id}",
    )
