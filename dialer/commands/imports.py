"""`dialer imports`: the lists that were brought in, and taking one back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

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

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.importing.records import ImportCounts
    from dialer.importing.undo import Undone
    from dialer.ports import Tx

app = typer.Typer(help="Lists that were brought in, and taking one back.", no_args_is_help=True)

ImportNumber = Annotated[
    int,
    typer.Argument(
        metavar="IMPORT", min=1, max=2**62, help="An import's id; see dialer imports list."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

UNDO_EXAMPLE: Final = "Example: dialer contacts undo-import 41"

_TIMES: Final = ("started_at", "finished_at", "undone_at")
_COUNTS: Final = (
    "rows_read", "added", "updated", "same", "rejected", "members_added", "elsewhere",
)  # fmt: skip


@app.command("list", epilog="Example: dialer imports list --json")
def list_(
    json_: Json = False,
) -> None:
    """Imports, newest first: of which file, for which campaign, and what came of it."""
    from dialer.commands.session import reading
    from dialer.importing import records as import_records

    found = reading(lambda tx, now: import_records.listed(tx, now, rows_wanted(as_json=json_)))
    if json_:
        emit([_json(row) for row in found])
        return
    table(
        ["id", "state", "file", "campaign", "added", "rejected", "started"],
        [
            [
                row["id"],
                row["state"],
                one_line(row["file_name"]),
                row["campaign"],
                row["added"],
                row["rejected"],
                moment(row["started_at"]),
            ]
            for row in found
        ],
        spare=("rejected", "campaign"),
    )
    say_more(len(found))


@app.command(epilog="Example: dialer imports show 41 --json")
def show(import_id: ImportNumber, json_: Json = False) -> None:
    """One import: what came of its rows, and why some were rejected."""
    from dialer.commands.session import reading
    from dialer.importing import records as import_records

    async def use_case(tx: "Tx", now: int) -> tuple[Mapping[str, Any], "ImportCounts"]:
        row = await import_records.found(tx, import_id, now)
        return row, await import_records.counts_of(tx, row)

    row, counts = reading(use_case)
    reasons = dict(counts.rejected.most_common())
    if json_:
        emit({**_json(row), "rejected": reasons})
        return
    words = [(name, row[name]) for name in ("id", "state", "file_name", "campaign")]
    numbers = [(name.replace("_", " "), row[name]) for name in _COUNTS]
    times = [(name.removesuffix("_at"), moment(row[name])) for name in _TIMES]
    table(["what", "value"], [*words, *numbers, *reasons.items(), *times])
    if reasons and row["report_path"]:
        say(f"rejected rows: {row['report_path']}")


@app.command("undo", epilog="Example: dialer imports undo 41")
def undo(
    import_id: ImportNumber,
    only_undialed: Annotated[
        bool, typer.Option("--only-undialed", help="Leave those who were called where they are.")
    ] = False,
    json_: Json = False,
) -> None:
    """Take an import back while nobody it brought has been called.

    The members it added go, and the contacts it added that are in no campaign and were not changed
    since. Contacts that were known before keep what the list told of them. Exit 5 when members
    were called.
    """
    from dataclasses import asdict

    from dialer.commands.session import working
    from dialer.importing import undo as import_undo

    async def use_case(desk: "Desk") -> "Undone":
        return await import_undo.undo(
            desk.database, desk.clock, import_id, only_undialed=only_undialed
        )

    undone = working(use_case, create=False)
    if json_:
        emit({**asdict(undone), "undone_at": iso(undone.undone_at)})
    if undone.nothing_left:
        when = moment(undone.undone_at)
        say(f"import {import_id} was undone already, at {when}: nothing was left to remove")
        return
    gone = f"{counted(undone.members, 'member')} and {counted(undone.contacts, 'contact')}"
    say(f"import {import_id} is undone: {gone} removed")
    if undone.dialed:
        say(f"{counted(undone.dialed, 'member')} stay: they were called")
    if undone.updated:
        say(f"{counted(undone.updated, 'contact')} known before keep what the list told of them")
    if undone.told:
        say(f"{counted(undone.told, 'contact')} stay: a list or an operator has told of them since")


def _json(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "job_id", "state", "file_name", "campaign_id", "campaign", "digest", *_COUNTS)
    facts = {name: row[name] for name in names}
    times = {name: iso(row[name]) for name in _TIMES}
    return {**facts, **times, "rejects_file": row["report_path"] or None}
