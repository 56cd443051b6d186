"""`dialer exports`: the files that contacts and calls were exported to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

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

app = typer.Typer(help="Files that lists were exported to.", no_args_is_help=True)

ExportNumber = Annotated[
    int,
    typer.Argument(
        metavar="EXPORT", min=1, max=2**62, help="An export's id; see dialer exports list."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_FACTS = (
    "id", "what", "campaign", "state", "format", "path", "rows_written", "bytes", "actor", "job_id",
)  # fmt: skip


@app.command("list", epilog="Example: dialer exports list --json")
def list_(
    json_: Json = False,
) -> None:
    """What was exported, newest first: by whom, how much, and where to."""
    from dialer.commands.session import reading
    from dialer.exporting import history

    found = reading(lambda tx, now: history.listed(tx, now, limit=rows_wanted(as_json=json_)))
    if json_:
        emit([_json(export) for export in found])
        return
    if not found:
        say("nothing was exported yet")
        say("next:  dialer contacts export people.csv")
        return
    table(
        ["id", "what", "campaign", "state", "rows", "path", "actor", "made"],
        [
            [
                export["id"],
                export["what"],
                one_line(export["campaign"] or ""),
                export["state"],
                f"{export['rows_written']:,}",
                one_line(export["path"]),
                export["actor"],
                moment(export["created_at"]),
            ]
            for export in found
        ],
        spare=("actor", "campaign", "state", "rows"),
    )
    say_more(len(found))


@app.command(epilog="Example: dialer exports show 4 --json")
def show(export_id: ExportNumber, json_: Json = False) -> None:
    """One export: what it was asked for, and what became of it."""
    from dialer.commands.session import reading
    from dialer.exporting import history

    export = reading(lambda tx, now: history.found(tx, export_id, now))
    if json_:
        emit(_json(export))
        return
    facts = [(name.replace("_", " "), one_line(str(export[name] or ""))) for name in _FACTS]
    options = [(name.replace("_", " "), value) for name, value in _options(export).items() if value]
    table(
        ["what", "value"],
        [
            *facts,
            *options,
            ("made", moment(export["created_at"])),
            ("finished", moment(export["finished_at"])),
            ("message", one_line(export["message"])),
        ],
    )


@app.command(epilog="Example: dialer exports get 4 /media/stick/")
def get(
    export_id: ExportNumber,
    target: Annotated[
        Path | None,
        typer.Argument(help="A file or folder to copy it to; else its path is printed."),
    ] = None,
    json_: Json = False,
) -> None:
    """Where the file of an export lies, or one more copy of it; exit 3 when it is gone."""
    from dialer.commands.session import reading, writing
    from dialer.exporting import history

    export = reading(lambda tx, now: history.found(tx, export_id, now))
    path = history.file_of(export)
    if path.stat().st_size != export["bytes"]:
        say(f"it is not as it was written, with {counted(export['bytes'], 'byte')}: {path}")
    if target is not None:
        path, size = history.copied(export, target)
        writing(lambda tx, now: history.record_copy(tx, export, path, size, now))
    if json_:
        emit({"id": export["id"], "path": str(path.absolute()), "bytes": path.stat().st_size})
    else:
        typer.echo(path)


def _json(export: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: export[name] for name in _FACTS},
        "options": _options(export),
        "message": export["message"],
        "created_at": iso(export["created_at"]),
        "finished_at": iso(export["finished_at"]),
    }


def _options(export: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(export["options"])
    return found
