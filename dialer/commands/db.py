"""`dialer db`: the database itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import db_status
from dialer.commands.console import confirm_typed, emit, say, table
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.ports import Tx
    from dialer.retention_days import Retention
    from dialer.settings import Settings
    from dialer.store.checks import CheckResult

app = typer.Typer(help="Upgrade, check, back up and restore the database.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app.command(epilog="Example: dialer db status --json")(db_status.status)


@app.command(epilog="Example: dialer db upgrade")
def upgrade(json_: Json = False) -> None:
    """Make the database, or bring it to the schema this release needs."""
    import asyncio

    from dialer.commands.session import settings_of
    from dialer.store import migrate
    from dialer.store.opening import make_file

    settings = settings_of()
    if not settings.is_postgres:
        make_file(Path(settings.database))
    before, after = asyncio.run(migrate.upgrade(settings.database))
    if before != after:
        _record("db.upgrade", "database", before={"schema": before}, after={"schema": after})
    if json_:
        emit({"before": before, "after": after})
    elif before == after:
        say(f"the database has schema {after} already")
    else:
        say(f"the database has schema {after} now" + (f", it had {before}" if before else ""))


@app.command(epilog="Example: dialer db check --json")
def check(json_: Json = False) -> None:
    """Look for damage and contradictions; exit 1 when something is found."""
    import asyncio

    from dialer.commands.session import settings_of
    from dialer.store.opening import SCHEMA

    results = asyncio.run(_check(settings_of()))
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
            folds=True,
        )
    if failed:
        say(f"{len(failed)} of {len(results)} checks failed")
        raise typer.Exit(ExitCode.FAILED)
    say(f"schema {SCHEMA}, {len(results)} checks, nothing found")


@app.command(epilog="Example: dialer db purge --dry-run")
def purge(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Delete nothing; say what would go.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Delete what is kept longer than the settings want, as a daemon does every night.

    What is kept for how long is set by DIALER_RETAIN_CALLS_DAYS and its like; without them
    everything is kept. It goes in small portions, beside running calls.
    """
    from dialer import retention
    from dialer.commands.session import settings_of, working

    wanted = settings_of().retention
    if not dry_run:
        confirm_typed(
            "Delete for good what is kept too long?",
            "purge",
            yes=yes,
            declined="nothing was deleted",
        )

    async def use_case(desk: "Desk") -> tuple["Retention", retention.Counts]:
        async with desk.database.read() as tx:
            in_force = await retention.in_force(tx, wanted)
            if dry_run:
                return in_force, await retention.overdue(tx, in_force, desk.clock.now())
        return in_force, await retention.purge(desk.database, desk.clock, in_force)

    kept, counts = working(use_case, create=False)
    if json_:
        rows = {kind: {"days": kept.days[kind], "rows": rows} for kind, rows in counts.items()}
        emit({"dry_run": dry_run, "kinds": rows})
        return
    if not counts:
        say("everything is kept for ever")
        say("next:  set DIALER_RETAIN_CALLS_DAYS and its like; see docs/how-to/privacy.md")
        return
    table(
        ["what", "days kept", "rows"],
        [(kind.replace("_", " "), kept.days[kind], rows) for kind, rows in counts.items()],
    )
    if kept != wanted:
        say(f"a rule's cap looks back so far that calls are kept {kept.calls_days} days")
    say("nothing was deleted" if dry_run else f"{sum(counts.values()):,} rows were deleted")


@app.command(epilog="Example: dialer db backup /var/backups/dialer.db")
def backup(
    path: Annotated[
        Path | None, typer.Argument(help="File or folder; else beside the database, by time.")
    ] = None,
    json_: Json = False,
) -> None:
    """Copy the database while it is in use; the copy is checked before it gets its name."""
    from dialer.commands.session import settings_of
    from dialer.errors import DialerError, WrongStateError
    from dialer.store.backup import back_up

    settings = settings_of()
    if settings.is_postgres:
        raise WrongStateError(
            "a PostgreSQL database is backed up by PostgreSQL's own tool, pg_dump",
            next_step='pg_dump --format=custom --file=dialer.dump "$DIALER_DATABASE"',
        )
    copy = _copy_path(settings, path)
    back_up(Path(settings.database), copy, busy_timeout_s=settings.busy_timeout_s)
    size = copy.stat().st_size
    try:
        _note_backup(copy, size)
    except DialerError as error:  # whatever is wrong with the database, there is a copy of it
        say(f"the audit log has no entry of it: {error.message}")
    if json_:
        emit({"path": str(copy), "bytes": size})
        return
    typer.echo(copy)
    say(f"copied and checked, {size:,} bytes")


@app.command(epilog="Example: dialer db restore backups/dialer.nightly-20260131T033000Z.db")
def restore(
    file: Annotated[Path, typer.Argument(help="A backup; it stays as it is.")],
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The name of the database's file, typed here.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Put a backup in the place of the database, and hold everything until it is reconciled.

    The database that was there is kept beside it. Requests not to be called, erasures and stops
    are carried over from it, if it can be read; every campaign that was active is paused.
    """
    from dialer.commands import restoring

    restoring.restore(file, named=confirm, yes=yes, as_json=json_)


@app.command(epilog="Example: dialer db reconcile --since 2026-01-31T12:00:00Z")
def reconcile(
    since: Annotated[
        str | None, typer.Option(help="Since when calls may be missing: ISO 8601, or 2h, 1d ago.")
    ] = None,
    skip: Annotated[
        bool, typer.Option("--skip", help="Do without: whoever was called may be called again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """After a restore: take in the calls that the carrier has made since the backup.

    Nobody is called meanwhile, and after it until somebody says: dialer resume --all.
    """
    from dialer.commands import restoring

    restoring.reconcile(since, skip=skip, yes=yes, as_json=json_)


def _note_backup(copy: Path, size: int) -> None:
    """Write down that there is a copy: as a job that is done, and in the audit log."""
    from dialer import audit_log
    from dialer.commands.session import writing
    from dialer.work import Job, JobKind

    async def use_case(tx: "Tx", now: int) -> None:
        job = await Job.start(tx, JobKind.BACKUP, str(copy), now)
        await job.finish(tx, now, message=f"{size:,} bytes, checked")
        await audit_log.record(tx, "db.backup", str(copy), now, after={"bytes": size})

    writing(use_case)


def _record(
    action: str,
    subject: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any],
) -> None:
    """Write down what was done, in a transaction of its own: it was done to the database itself."""
    from dialer import audit_log
    from dialer.commands.session import writing

    async def use_case(tx: "Tx", now: int) -> None:
        await audit_log.record(tx, action, subject, now, before=before, after=after)

    writing(use_case)


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
