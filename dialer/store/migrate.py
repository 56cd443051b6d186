"""Bring a database to the schema this release needs. Imported only where that happens.

Alembic runs the steps in ``migrations/versions`` in one exclusive transaction: two processes
that start at once on a fresh database take turns, and an interrupted upgrade leaves the schema
as it was.
"""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from dialer.errors import DialerError, SchemaError, StoreBusyError, UnreachableError
from dialer.store.naming import shown
from dialer.store.sqlite import check_openable

_SCRIPTS: Final = Path(__file__).parent / "migrations"
#: Arbitrary but fixed: whoever upgrades a PostgreSQL database holds this advisory lock.
_ADVISORY_LOCK: Final = 4_017_211


def head() -> str:
    """The newest revision this release knows."""
    newest = ScriptDirectory(str(_SCRIPTS)).get_current_head()
    assert newest is not None, "at least one migration exists"
    return newest


async def upgrade(database: str, *, to: str = "head") -> tuple[str | None, str]:
    """Upgrade *database* (a path or a DSN) and return its revisions before and after."""
    try:
        engine = _engine(database)
        try:
            async with engine.connect() as connection, connection.begin():
                if engine.dialect.name == "postgresql":
                    lock = sa.text("SELECT pg_advisory_xact_lock(:lock)")
                    await connection.execute(lock, {"lock": _ADVISORY_LOCK})
                return await connection.run_sync(_upgrade, to)
        finally:
            await engine.dispose()
    except sa.exc.OperationalError as error:
        raise _translated(error, database) from error
    except OSError as error:
        raise UnreachableError(
            f"the database cannot be reached: {error}", next_step="check DIALER_DATABASE"
        ) from error


def _translated(error: sa.exc.OperationalError, database: str) -> DialerError:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UnreachableError(
            f"database {shown(database)} cannot be opened: {error.orig}",
            next_step="check that its folder exists and is writable",
        )
    return StoreBusyError(
        f"database {shown(database)} is locked by another program: {error.orig}",
        next_step="stop the daemon, then: dialer db upgrade",
    )


def _upgrade(connection: sa.Connection, to: str) -> tuple[str | None, str]:
    before = MigrationContext.configure(connection).get_current_revision()
    if before is not None and before not in {s.revision for s in _scripts().walk_revisions()}:
        raise SchemaError(
            f"the database has schema {before}, which this release does not know",
            next_step="run the newer release that made it",
        )
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    after = MigrationContext.configure(connection).get_current_revision()
    assert after is not None, "an upgrade leaves a revision"
    return before, after


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_SCRIPTS))


def _engine(database: str) -> AsyncEngine:
    if "://" in database:
        url = sa.make_url(database).set(drivername="postgresql+asyncpg")
        return create_async_engine(url, poolclass=NullPool)
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    check_openable(Path(database))
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}", poolclass=NullPool)
    sa.event.listen(engine.sync_engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine.sync_engine, "begin", _begin_exclusive)
    return engine


def _leave_transactions_to_us(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=10000").close()


def _begin_exclusive(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN EXCLUSIVE")


def upgrade_blocking(database: str) -> tuple[str | None, str]:
    """:func:`upgrade` for callers without a loop."""
    return asyncio.run(upgrade(database))
