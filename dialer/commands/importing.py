"""What an import tells the operator before it works, while it does, and when it is done."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dialer import campaigns, contacts
from dialer.columns import Columns
from dialer.commands.console import confirm, emit, say, table
from dialer.commands.session import Desk, erased_phones
from dialer.contacts import Enrolment
from dialer.csvio import RejectedRows, Table
from dialer.do_not_call_files import EntriesImport, EntriesOrder, EntryCounts
from dialer.errors import UsageError
from dialer.imports import Import, ImportCounts, ImportOrder
from dialer.intake import RowCounts
from dialer.model import CampaignId
from dialer.people import Priority
from dialer.states import CampaignStatus

_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


async def enrolment(desk: Desk, campaign: str, priority: Priority, *, yes: bool) -> Enrolment:
    """What makes people members of a campaign; one that is completed is asked about first."""
    async with desk.database.read() as tx:
        row = await campaigns.find(tx, campaign)
    contacts.check_joinable(row, reopen=True)
    completed = CampaignStatus(row["status"]) is CampaignStatus.COMPLETED
    if completed:
        confirm(
            f"Campaign {row['name']!r} is completed; new contacts make it active again. Go on?",
            yes=yes,
        )
    return Enrolment(CampaignId(row["id"]), priority, reopen=completed or yes)


async def bring_in(desk: Desk, order: ImportOrder, rejected: RejectedRows) -> ImportCounts:
    """Bring people in, with a progress bar; an interrupted import says what is in."""
    erased = erased_phones(desk.settings)
    run = Import(desk.database, desk.clock, order, rejected, erased)
    await _watched(run, order.table)
    return run.counts


async def list_in(desk: Desk, order: EntriesOrder, rejected: RejectedRows) -> EntryCounts:
    """Put callees on the do-not-call list, as :func:`bring_in` brings people in."""
    erased = erased_phones(desk.settings)
    run = EntriesImport(desk.database, desk.clock, order, rejected, erased)
    await _watched(run, order.table)
    return run.counts


def check_apart(file: Path, rejects: Path | None) -> None:
    """Raise UsageError when rejected rows would overwrite the list itself."""
    if rejects is not None and rejects.exists() and file.exists() and rejects.samefile(file):
        raise UsageError(f"{rejects} is the list itself; name another file for rejected rows")


def say_how_read(rows: Table, columns: Columns, region: str, *, others: str = "variables") -> None:
    """Tell how the file is understood, before anything comes of it; *others* says what becomes of
    columns that tell none of the fields.
    """
    say(f"{rows.name}: {rows.encoding}, {_DELIMITERS[rows.delimiter]}, numbers of {region}")
    for field, names in columns.described().items():
        say(f"  {field:<10} from {', '.join(repr(name) for name in names)}")
    if columns.variables:
        say(f"  {others:<10} {', '.join(repr(each) for each in columns.variables.values())}")


def show_outcome(
    counts: ImportCounts, rejects: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Print what has become of people's rows, and on stderr why some were rejected."""
    facts = {"import_id": counts.import_id, "dry_run": dry_run}
    lines = [
        ("added", counts.added),
        ("updated", counts.updated),
        ("same", counts.same),
        ("rejected", counts.rejected.total()),
        ("members added", counts.members_added),
    ]
    _show(counts, facts, lines, rejects, as_json=as_json)
    if dry_run:
        say("nothing was changed")
    _say_rejected(counts, rejects)


def show_entries(counts: EntryCounts, rejects: Path | None, *, as_json: bool) -> None:
    """Print what has become of the rows of a do-not-call list, as :func:`show_outcome` does."""
    lines = [
        ("added", counts.added),
        ("same", counts.same),
        ("rejected", counts.rejected.total()),
        ("members failed", counts.members_failed),
    ]
    _show(counts, {}, lines, rejects, as_json=as_json)
    _say_rejected(counts, rejects)


def _show(
    counts: RowCounts,
    facts: Mapping[str, Any],
    lines: Sequence[tuple[str, int]],
    rejects: Path | None,
    *,
    as_json: bool,
) -> None:
    if not as_json:
        table(["rows", "count"], [("read", counts.rows), *lines])
        return
    counted = {name.replace(" ", "_"): number for name, number in lines}
    reasons = {str(reason): number for reason, number in counts.rejected.most_common()}
    emit(
        {
            **facts,
            "rows": counts.rows,
            **counted,
            "rejected": reasons,
            "rejects_file": None if rejects is None else str(rejects),
        }
    )


def _say_rejected(counts: RowCounts, rejects: Path | None) -> None:
    if counts.rejected:
        why = ", ".join(f"{number:,} {reason}" for reason, number in counts.rejected.most_common())
        count = counts.rejected.total()
        say(f"{count:,} {'row was' if count == 1 else 'rows were'} rejected: {why}")
    if rejects is not None:
        say(f"see {rejects}; mend it and import it, the rows that are in are not added twice")


async def _watched(run: Import | EntriesImport, rows: Table) -> None:
    try:
        with _progress(rows) as told:
            await run.run(told)
    except asyncio.CancelledError:
        say(
            f"stopped: {run.counts.rows:,} rows are in;"
            " import the file again to go on, nothing is added twice"
        )
        raise


@contextmanager
def _progress(rows: Table) -> Iterator[Callable[[RowCounts], None]]:
    """A bar on stderr when somebody may be looking."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=rows.size)

        def tell(counts: RowCounts) -> None:
            rejected = counts.rejected.total()
            words = f"{counts.rows:,} rows" + (f", {rejected:,} rejected" if rejected else "")
            bar.update(task, completed=rows.bytes_read, description=words)

        yield tell
