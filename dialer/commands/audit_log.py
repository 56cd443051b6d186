"""`dialer audit-log`: who did what and when, and that nobody changed it afterwards."""

import json
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from dialer.commands.console import (
    counted,
    emit,
    iso,
    moment,
    one_line,
    rows_wanted,
    say,
    say_more,
    table,
)
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.audit_log import Entry, Verdict
    from dialer.commands.session import Desk
    from dialer.ports import Tx

app = typer.Typer(help="Who did what and when, with before and after.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

#: So many characters of what came of an action stand in a line of the list.
SHOWN: Final = 80


@app.command("list", epilog="Example: dialer audit-log list --action campaign --subject Renewals")
def list_(
    since: Annotated[
        str | None, typer.Option(help="From then on: ISO 8601, or 2h, 1d ago.")
    ] = None,
    actor: Annotated[str, typer.Option(help="By whom: ann@desk1, daemon, callee.")] = "",
    action: Annotated[str, typer.Option(help="As in campaign.start, or campaign for all.")] = "",
    subject: Annotated[str, typer.Option(help="The name or phone number it was done to.")] = "",
    json_: Json = False,
) -> None:
    """What was done, the latest first."""
    from dialer import audit_log
    from dialer.commands.session import past_of, reading, settings_of

    since_at = past_of(since, settings_of()) if since else 0

    async def use_case(tx: "Tx", _now: int) -> "list[Entry]":
        entries = await audit_log.listed(
            tx,
            since_at=since_at,
            actor=actor,
            action=action,
            subject=subject,
            limit=rows_wanted(as_json=json_),
        )
        return [*entries]

    entries = reading(use_case)
    if json_:
        emit([_entry_json(each) for each in entries])
        return
    if not entries:
        say("no such entry")
    table(
        ["id", "at", "by", "action", "subject", "what"],
        [
            [each.id, moment(each.at), *map(one_line, _who_and_what(each)), _what(each)]
            for each in entries
        ],
        spare=("by", "subject"),
    )
    say_more(len(entries))


@app.command(epilog="Example: dialer audit-log show 12")
def show(
    entry_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**62, help="Its id.")],
    json_: Json = False,
) -> None:
    """One entry, with what was before it and what is after, field by field."""
    from dialer import audit_log
    from dialer.commands.session import reading

    async def use_case(tx: "Tx", _now: int) -> "Entry":
        return await audit_log.find(tx, entry_id)

    entry = reading(use_case)
    if json_:
        emit(_entry_json(entry))
        return
    say("  ".join([moment(entry.at), *map(one_line, _who_and_what(entry))]))
    table(["field", "before", "after"], _changes(entry), folds=True)


@app.command(epilog="Example: dialer audit-log verify --expect $(cat head.txt)")
def verify(
    expect: Annotated[
        str | None, typer.Option(help="A head noted down earlier: it must be part of the chain.")
    ] = None,
    json_: Json = False,
) -> None:
    """Whether every entry says what it said when it was written, and none is missing or moved.

    Exit 1 when the chain is broken. That the last entries are gone shows only with --expect: note
    the head down where nobody can change it, and ask for it the next time.
    """
    from dialer import audit_log
    from dialer.commands.session import reading
    from dialer.errors import UsageError

    wanted = expect.strip().lower() if expect is not None else None
    if wanted is not None and (len(wanted) != len(audit_log.ROOT) or not _is_hex(wanted)):
        raise UsageError(
            f"--expect {expect!r} is no head of an audit log: 64 digits, 0-9 and a-f",
            next_step="dialer audit-log verify",
        )

    async def use_case(tx: "Tx", _now: int) -> "Verdict":
        return await audit_log.verify(tx, wanted)

    verdict = reading(use_case)
    if json_:
        emit(_verdict_json(verdict))
    else:
        typer.echo(_words(verdict, wanted))
    if not verdict.whole:
        raise typer.Exit(ExitCode.FAILED)


@app.command(epilog="Example: dialer audit-log export audit-log.jsonl")
def export(
    file: Annotated[Path, typer.Argument(help="The file to write; - is standard output.")] = Path(
        "-"
    ),
) -> None:
    """Write all entries as JSON lines, the oldest first, with their hashes."""
    from dialer.commands.session import working
    from dialer.lists.csvout import STDOUT, written

    with written(file, raw=True) as lines:

        async def use_case(desk: "Desk") -> int:
            async with desk.database.read() as tx:
                return await _write(tx, lines)

        count = working(use_case, create=False)
    say(_entries(count) + (f" in {file}" if file != STDOUT else ""))


async def _write(tx: "Tx", lines: IO[str]) -> int:
    from dialer import audit_log

    count = 0
    async with aclosing(audit_log.walk(tx)) as entries:
        async for entry in entries:
            lines.write(json.dumps(_entry_json(entry), ensure_ascii=False) + "\n")
            count += 1
    return count


def _entry_json(entry: "Entry") -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": iso(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "before": json.loads(entry.before),
        "after": json.loads(entry.after),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def _verdict_json(verdict: "Verdict") -> dict[str, Any]:
    broken = verdict.broken
    return {
        "whole": verdict.whole,
        "entries": verdict.entries,
        "head": verdict.head,
        "expected_found": verdict.expected,
        "broken": broken
        and {"id": broken.entry_id, "fault": broken.fault, "follows": broken.follows},
    }


def _words(verdict: "Verdict", expect: str | None) -> str:
    from dialer.audit_log import Fault

    if verdict.broken is None:
        if verdict.expected:
            return f"{_entries(verdict.entries)}, chain whole, head {verdict.head}"
        return (
            f"{_entries(verdict.entries)} that follow one another, but {expect} is none of their"
            " hashes: entries were cut off, or all were written anew"
        )
    number, whole = verdict.broken.entry_id, _entries(verdict.entries)
    match verdict.broken.fault:
        case Fault.CHANGED:
            why = f"entry {number} does not say what it said when it was written"
        case Fault.MISSING:
            why = f"what entry {number} follows is not in the log: it was removed or replaced"
        case Fault.MOVED if verdict.broken.follows is not None:
            why = f"entry {number} follows entry {verdict.broken.follows}: order was changed"
        case Fault.MOVED:
            why = f"entry {number} is a first one and not the first: order was changed"
    return f"chain broken after {whole}: {why}"


def _who_and_what(entry: "Entry") -> tuple[str, str, str]:
    return entry.actor, entry.action, entry.subject


def _what(entry: "Entry") -> str:
    """What an action changed, as far as it goes into a line."""
    text = ", ".join(f"{name} {after}" for name, _, after in _changes(entry))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _changes(entry: "Entry") -> list[tuple[str, str, str]]:
    """The fields that differ: name, before, after."""
    before: Mapping[str, Any] = json.loads(entry.before) or {}
    after: Mapping[str, Any] = json.loads(entry.after) or {}
    return [
        (one_line(name), _text(name, before.get(name)), _text(name, after.get(name)))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_at") and isinstance(value, int):
        return moment(value)
    return one_line(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_hex(text: str) -> bool:
    return not set(text) - set("0123456789abcdef")


def _entries(count: int) -> str:
    return counted(count, "entry", "entries")
