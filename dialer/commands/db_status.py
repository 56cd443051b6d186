"""`dialer db status`: what the database is, without a look at its facts."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dialer.commands.console import emit, iso, moment, say, table
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.settings import Settings
    from dialer.store.describing import Description

MIB: Final = 1 << 20


def status(
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Schema, size, tables, last backup, key, and who has it; exit 5 for another schema.

    Rows are estimates. Nothing is changed, and a daemon may be at work.
    """
    import asyncio

    from dialer.commands.session import settings_of
    from dialer.randomness import system_rng
    from dialer.store.describing import described

    settings = settings_of()
    found = asyncio.run(
        described(settings.database, system_rng(), busy_timeout_s=settings.busy_timeout_s)
    )
    if json_:
        emit(_json(settings, found))
    else:
        table(["what", ""], list(_rows(settings, found)))
        if found.contents is not None and sys.stdout.isatty():
            typer.echo("")
        if found.contents is not None:
            table(["table", "rows, about"], [*found.contents.rows.items()])
    if not found.current:
        say(f"this release needs schema {found.release}")
        say("next:  dialer db backup, then: dialer db upgrade")
        raise typer.Exit(ExitCode.WRONG_STATE)


def _rows(settings: "Settings", found: "Description") -> Iterator[tuple[str, str]]:
    from dialer.store.naming import shown

    yield "database", shown(settings.database)
    yield "schema", f"{found.schema or 'none'}, this release's is {found.release}"
    yield "size", f"{found.sizes.data_bytes / MIB:,.1f} MiB"
    if found.sizes.log_bytes is not None:
        yield "log", f"{found.sizes.log_bytes / MIB:,.1f} MiB"
    if found.contents is not None:
        backup = found.contents
        told = f"{moment(backup.backup_at)}: {backup.backup}" if backup.backup_at else "none"
        yield "last backup", told
    yield "key", str(found.key or "none beside it")
    yield "held by", found.holder or "no daemon"


def _json(settings: "Settings", found: "Description") -> dict[str, Any]:
    from dialer.store.naming import shown

    contents = found.contents
    backup_at = contents.backup_at if contents else None
    return {
        "database": shown(settings.database),
        "schema": found.schema,
        "needs": found.release,
        "current": found.current,
        "bytes": found.sizes.data_bytes,
        "log_bytes": found.sizes.log_bytes,
        "rows": None if contents is None else dict(contents.rows),
        "backup": (
            {"at": iso(backup_at), "file": contents.backup} if contents and backup_at else None
        ),
        "key": str(found.key) if found.key else None,
        "held_by": found.holder,
    }
