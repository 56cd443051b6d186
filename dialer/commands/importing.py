"""What an import tells the operator before it works, while it does, and when it is done."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dialer import campaigns
from dialer.commands import progress
from dialer.commands.console import confirm, counted, emit, iso, moment, one_line, say, table
from dialer.commands.session import Desk, erased_phones
from dialer.do_not_call_files import EntriesImport, EntriesOrder, EntryCounts
from dialer.errors import UsageError
from dialer.importing.imports import Ending, Import, ImportOrder
from dialer.importing.records import Example
from dialer.lists.columns import Columns, Field, match
from dialer.lists.csvio import Table
from dialer.lists.intake import RowCounts
from dialer.lists.rejected_rows import RejectedRows
from dialer.model import CampaignId
from dialer.people import contacts
from dialer.people.contacts import Enrolment
from dialer.people.person import Priority
from dialer.phones import PhoneError, e164
from dialer.ports import Clock, Row
from dialer.states import CampaignStatus

#: A rejected value is shown up to this length.
_SHOWN: Final = 40
#: What a reason of a rejected row means, in words.
_WORDS: Final = {
    "missing_phone": "no phone number",
    "invalid_phone": "not a phone number",
    "rounded_phone": "a number that a spreadsheet rounded",
    "ambiguous_phone": "one number as it stands, another with a plus",
    "erased": "erased on the callee's wish",
    "duplicate_in_file": "twice in this file",
    "bad_zone": "not a time zone",
    "bad_priority": "not a priority",
    "too_many_columns": "more cells than the header",
    "bad_encoding": "bytes that are no letters",
    "bad_quoting": "a quote that is not closed",
    "row_too_long": "longer than any row of a list",
    "do_not_call": "on the do-not-call list",
    "in_other_campaign": "wait for a call of another campaign",
    "phone_as_number": "kept as a number: make the column text, with each number's +",
    "unknown_campaign": "no such campaign",
}


async def joined(desk: Desk, campaign: str) -> Row:
    """The campaign that people are to become members of; raises NotFoundError, and WrongStateError
    for one that is over for good.
    """
    async with desk.database.read() as tx:
        row = await campaigns.find(tx, campaign)
    contacts.check_joinable(row, reopen=True)
    return row


def enrolment(row: Row, priority: Priority, *, yes: bool) -> Enrolment:
    """What makes people members of a campaign; one that is completed is asked about first."""
    completed = CampaignStatus(row["status"]) is CampaignStatus.COMPLETED
    if completed:
        confirm(
            f"Campaign {row['name']!r} is completed; new contacts make it active again. Go on?",
            yes=yes,
        )
    return Enrolment(CampaignId(row["id"]), priority, reopen=completed or yes)


async def bring_in(
    desk: Desk, order: ImportOrder, rejected: RejectedRows, *, static: bool = False
) -> Import:
    """Bring people in, and tell how far it is; Ctrl-C ends it after the portion it is at."""
    run = Import(desk.database, desk.clock, order, rejected, erased_phones(desk.settings))
    with _progress(order.table.size, desk.clock, static=static) as told, _stoppable() as stop:
        await run.run(lambda counts: told(counts, run.bytes_done), stop)
    return run


async def list_in(desk: Desk, order: EntriesOrder, rejected: RejectedRows) -> EntryCounts:
    """Put callees on the do-not-call list, as :func:`bring_in` brings people in."""
    run = EntriesImport(desk.database, desk.clock, order, rejected, erased_phones(desk.settings))
    try:
        with _progress(order.table.size, desk.clock) as told:
            await run.run(lambda counts: told(counts, order.table.position.offset))
    except asyncio.CancelledError:
        say(
            f"stopped: {run.counts.rows:,} rows are in;"
            " import the file again to go on, nothing is added twice"
        )
        raise
    return run.counts


def check_apart(file: Path, rejects: Path | None) -> None:
    """Raise UsageError when rejected rows would overwrite the list itself."""
    if rejects is not None and rejects.exists() and file.exists() and rejects.samefile(file):
        raise UsageError(f"{rejects} is the list itself; name another file for rejected rows")


def matched(rows: Table, named: Mapping[Field, Sequence[str]], region: str) -> Columns:
    """What the columns of a list of people tell; when none is known to hold phone numbers, the
    error names the one that looks most like it.
    """
    try:
        return match(rows.header, named)
    except UsageError as error:
        likely = error.next_step and _likely_phones(rows, region)
        if not likely:
            raise
        raise UsageError(
            error.message, next_step=f"it looks like {likely!r}: --map phone={likely!r}"
        ) from error


def say_how_read(rows: Table, columns: Columns, region: str, *, others: str = "variables") -> None:
    """Tell how the file is understood, before anything comes of it; *others* says what becomes of
    columns that tell none of the fields.
    """
    say(f"{rows.name}: {rows.form}, numbers of {region}")
    pairs = [
        f"{one_line('+'.join(names))}→{field}"
        + (f" (read as {region})" if field == Field.PHONE else "")
        for field, names in columns.described().items()
    ]
    say(f"mapping    {'  '.join(pairs)}   change with --map")
    if columns.variables:
        names = ", ".join(repr(each) for each in columns.variables.values())
        say(f"{others:<10} {one_line(names)}")


def show_outcome(run: Import, rejects: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Print what has become of people's rows, and on stderr why some were rejected."""
    counts = run.counts
    facts = {
        "import_id": counts.import_id,
        "dry_run": dry_run,
        "ending": run.ending,
        "finished_before": iso(run.finished_at),
    }
    lines = [
        ("added", counts.added),
        ("updated", counts.updated),
        ("same", counts.same),
        ("rejected", counts.rejected.total()),
        ("members added", counts.members_added),
        ("already members", run.already_members),
        ("in other campaigns", counts.elsewhere),
    ]
    if run.ending is Ending.REPEATED:
        when = f" at {moment(run.finished_at)}" if run.finished_at else ""
        say(f"this list was in before: import {counts.import_id} was finished{when}")
        say("nothing was done now; what came of it then:")
    _show(counts, facts, lines, rejects, as_json=as_json)
    if run.ending is Ending.DONE:
        _say_if_empty(counts)
    if run.gone_on_after:
        say(f"went on after the {run.gone_on_after:,} rows that were in already")
    _say_rejected(counts, counts.examples, rejects)
    _say_next(run, dry_run=dry_run)


def show_glimpses(run: Import) -> None:
    """Show on stderr what would become of the first rows."""
    for each in run.glimpses:
        who = f"{each.person.phone} {each.person.name}" if each.person else ", ".join(each.cells)
        say(f"row {each.row:>4}  {each.verdict:<18} {one_line(who)[:_SHOWN]}")


def show_entries(counts: EntryCounts, rejects: Path | None, *, as_json: bool) -> None:
    """Print what has become of the rows of a do-not-call list, as :func:`show_outcome` does."""
    lines = [
        ("added", counts.added),
        ("same", counts.same),
        ("rejected", counts.rejected.total()),
        ("members failed", counts.members_failed),
    ]
    _show(counts, {}, lines, rejects, as_json=as_json)
    _say_if_empty(counts)
    _say_rejected(counts, {}, rejects)


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
    by_name = {name.replace(" ", "_"): number for name, number in lines}
    reasons = {str(reason): number for reason, number in counts.rejected.most_common()}
    emit(
        {
            **facts,
            "rows": counts.rows,
            **by_name,
            "rejected": reasons,
            "rejects_file": None if rejects is None else str(rejects),
        }
    )


def _say_if_empty(counts: RowCounts) -> None:
    if not counts.rows:
        say("the file holds no rows below its header: nobody was brought in")


def _say_rejected(
    counts: RowCounts, examples: Mapping[str, Sequence[Example]], rejects: Path | None
) -> None:
    if counts.rejected:
        why = ", ".join(f"{number:,} {reason}" for reason, number in counts.rejected.most_common())
        count = counts.rejected.total()
        say(f"{count:,} {'row was' if count == 1 else 'rows were'} rejected: {why}")
    for reason, number in counts.rejected.most_common() if examples else ():
        shown = ", ".join(map(_example, examples.get(reason, ())))
        say(f"{number:>9,}  {_WORDS.get(reason, reason)}: {shown}")
    if rejects is not None:
        say(f"see {rejects}; mend it and import it, the rows that are in are not added twice")


def _example(example: Example) -> str:
    value = one_line(example.value)[:_SHOWN]
    return f"row {example.row:,}" + (f" {value!r}" if value else "")


def _say_next(run: Import, *, dry_run: bool) -> None:
    import_id, counts = run.counts.import_id, run.counts
    if dry_run:
        say("nothing was changed")
    elif run.ending is Ending.REPEATED:
        say("to bring it in once more all the same: --again")
    elif run.ending is Ending.STOPPED:
        say(
            f"stopped: {counts.rows:,} rows are in;"
            " import the file again to go on, nothing is added twice"
        )
    if import_id is not None and (counts.added or counts.members_added):
        say(f"undo while nobody is dialed: dialer imports undo {import_id}")


def _likely_phones(rows: Table, region: str) -> str | None:
    """The column whose first cells are phone numbers more often than those of any other."""
    hits = dict.fromkeys(rows.header, 0)
    for row, _ in zip(rows.rows(), range(_LOOKED_AT), strict=False):
        for name, cell in zip(rows.header, row.cells, strict=False):
            hits[name] += _is_phone(cell, region)
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else None


#: Rows that are looked at for a column of phone numbers.
_LOOKED_AT: Final = 50


def _is_phone(cell: str, region: str) -> bool:
    try:
        e164(cell, region)
    except PhoneError:
        return False
    return True


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; once it has been, the next one ends the process as ever."""
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()

    def press() -> None:
        pressed.set()
        loop.remove_signal_handler(signal.SIGINT)
        say("stopping after this portion; press Ctrl-C again to leave it undone")

    loop.add_signal_handler(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _progress(
    size: int, clock: Clock, *, static: bool = False
) -> Iterator[Callable[[RowCounts, int], None]]:
    """Tells of rows and bytes that are dealt with."""
    started_at = clock.now()

    def by_lines(done: int, of: int, words: str) -> None:
        left_s = (clock.now() - started_at) / 1000 * (of - done) / max(done, 1)
        say(f"{100 * done / of:3.0f} %  {words}, {left_s:,.0f} s left")

    lines = progress.now_and_then(by_lines, clock)
    with progress.shown(otherwise=lines, static=static) as tell:
        yield lambda counts, done: tell(done, size, _how_far(counts, clock.now() - started_at))


def _how_far(counts: RowCounts, passed_ms: int) -> str:
    rejected = counts.rejected.total()
    rate = f", {counts.rows * 1000 / passed_ms:,.0f} rows/s" if passed_ms > 0 else ""
    return counted(counts.rows, "row") + (f", {rejected:,} rejected" if rejected else "") + rate
