"""`dialer db`: the database itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.console import emit, say, table

if TYPE_CHECKING:
    from dialer.settings import Settings
    from dialer.store.checks import CheckResult

app = typer.Typer(help="Upgrade, check and back up the database.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog="Example: dialer db upgrade")
def upgrade(ctx: typer.Context, json_: Json = False) -> None:
    """Make the database, or bring it to the schema this release needs."""
    import asyncio

    from dialer.commands.session import settings_of
    from dialer.store import migrate

    before, after = asyncio.run(migrate.upgrade(settings_of(ctx).database))
    if json_:
        emit({"before": before, "after": after})
    elif before == after:
        say(f"the database has schema {after} already")
    else:
        say(f"the database has schema {after} now" + (f", it had {before}" if before else ""))


@app.command(epilog="Example: dialer db check --json")
def check(ctx: typer.Context, json_: Json = False) -> None:
    """Look for damage and contradictions; exit 1 when something is found."""
    import asyncio

    from dialer.commands.session import settings_of
    from dialer.store.opening import SCHEMA

    results = asyncio.run(_check(settings_of(ctx)))
    failed = [each for each in results if not each.ok]
    if json_:
        emit(
            {
                "ok": not failed,
                "schema": SCHEMA,
                "checks": [
                    {
                        "name": each.name,
                        "promise": each.promise,
                        "ok": each.ok,
                        "faults": each.faults,
                        "examples": list(each.examples),
                    }
                    for each in results
                ],
            }
        )
    else:
        table(
            ["result", "promise", "faults", "as in"],
            [
                ["ok" if each.ok else "FAIL", each.promise, each.faults, ", ".join(each.examples)]
                for each in results
            ],
        )
    if failed:
        say(f"{len(failed)} of {len(results)} checks failed")
        raise typer.Exit(1)
    say(f"schema {SCHEMA}, {len(results)} checks, nothing found")


@app.command(epilog="Example: dialer db backup /var/backups/dialer.db")
def backup(
    ctx: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(help="File or folder; else beside the database, by time.")
    ] = None,
    json_: Json = False,
) -> None:
    """Copy the database while it is in use; the copy is checked before it gets its name."""
    from dialer.commands.session import settings_of
    from dialer.errors import WrongStateError
    from dialer.store.backup import back_up

    settings = settings_of(ctx)
    if settings.is_postgres:
        raise WrongStateError(
            "a PostgreSQL database is backed up by PostgreSQL's own tool, pg_dump",
            next_step='pg_dump --format=custom --file=dialer.dump "$DIALER_DATABASE"',
        )
    copy = _copy_path(settings, path)
    back_up(Path(settings.database), copy, busy_timeout_s=settings.busy_timeout_s)
    size = copy.stat().st_size
    if json_:
        emit({"path": str(copy), "bytes": size})
        return
    typer.echo(copy)
    say(f"copied and checked, {size:,} bytes")


async def _check(settings: "Settings") -> "list[CheckResult]":
    from dialer.randomness import system_rng
    from dialer.store import checks
    from dialer.store.opening import opened

    async with opened(
        settings.database, system_rng(), busy_timeout_s=settings.busy_timeout_s, create=False
    ) as database:
        return await checks.check(database)


def _copy_path(settings: "Settings", given: Path | None) -> Path:
    """The file to write: the one given, or one named by the time in the folder given."""
    from datetime import UTC, datetime

    from dialer.clock import SystemClock

    database = Path(settings.database)
    if given is not None and not given.is_dir():
        return given
    now = datetime.fromtimestamp(SystemClock(settings.scale).now() / 1000, UTC)
    folder = database.parent if given is None else given
    return folder / f"{database.stem}-{now:%Y%m%dT%H%M%SZ}{database.suffix}"
