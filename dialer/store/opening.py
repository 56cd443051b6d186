"""Opening the database a deployment is set to, with the schema this release needs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dialer.errors import NotFoundError, SchemaError, UnreachableError
from dialer.ports import DAEMON, Rng
from dialer.store.naming import shown
from dialer.store.postgres import PostgresDatabase
from dialer.store.sqlite import SqliteDatabase

#: The newest migration; a test compares it with what alembic finds.
SCHEMA: Final = "0004"

AnyDatabase = SqliteDatabase | PostgresDatabase


@asynccontextmanager
async def opened(
    database: str,
    rng: Rng,
    *,
    busy_timeout_s: float,
    actor: str = DAEMON,
    create: bool = True,
    on_create: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[AnyDatabase]:
    """The database at a path or DSN, made first if there is none and *create* allows it.

    *actor* is who acts in its transactions, for the audit log.

    Raises NotFoundError when there is none and none may be made, and SchemaError when its schema
    is not the one this release needs: upgrading one that holds data is the operator's decision.
    """
    store = _store(database, rng, busy_timeout_s, actor)
    if isinstance(store, SqliteDatabase) and not store.exists():
        await _make(database, create, on_create)
    async with store:
        revision = await store.schema_revision()
        if revision is None:
            await _make(database, create, on_create)
            revision = await store.schema_revision()
        if revision != SCHEMA:
            raise SchemaError(
                f"database has schema {revision}, this release needs {SCHEMA}",
                next_step="dialer db upgrade",
            )
        yield store


def _store(database: str, rng: Rng, busy_timeout_s: float, actor: str) -> AnyDatabase:
    if "://" in database:
        return PostgresDatabase(database, busy_timeout_s=busy_timeout_s, actor=actor)
    return SqliteDatabase(Path(database), rng, busy_timeout_s=busy_timeout_s, actor=actor)


async def _make(database: str, create: bool, on_create: Callable[[str], None]) -> None:
    if not create:
        raise NotFoundError(
            f"there is no database {shown(database)}; the first command that adds something"
            " makes it",
            next_step="check --database and DIALER_DATABASE, or: dialer db upgrade",
        )
    from dialer.store import migrate  # heavy, and needed once in a database's life

    if "://" not in database:
        make_file(Path(database))
    await migrate.upgrade(database)
    on_create(shown(database))


def make_file(path: Path) -> None:
    """An empty file for its owner alone, unless there is one: it will hold people's numbers."""
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise UnreachableError(
            f"database {path} cannot be made: {error.strerror}",
            next_step="check that its folder exists and is writable",
        ) from error
