"""Opening the database a deployment is set to, with the schema this release needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dialer.errors import SchemaError
from dialer.ports import Rng
from dialer.store.naming import shown
from dialer.store.postgres import PostgresDatabase
from dialer.store.sqlite import SqliteDatabase

#: The newest migration; a test compares it with what alembic finds.
SCHEMA: Final = "0001"

AnyDatabase = SqliteDatabase | PostgresDatabase


@asynccontextmanager
async def opened(
    database: str, rng: Rng, *, busy_timeout_s: float, create: bool = True
) -> AsyncIterator[AnyDatabase]:
    """The database at a path or DSN, made first if there is none and *create* allows it.

    Raises SchemaError when its schema is not the one this release needs: upgrading a database
    that holds data is the operator's decision.
    """
    store = _store(database, rng, busy_timeout_s)
    if isinstance(store, SqliteDatabase) and not store.exists():
        await _make(database, create)
    async with store:
        revision = await store.schema_revision()
        if revision is None:
            await _make(database, create)
            revision = await store.schema_revision()
        if revision != SCHEMA:
            raise SchemaError(
                f"database has schema {revision}, this release needs {SCHEMA}",
                next_step="dialer db upgrade",
            )
        yield store


def _store(database: str, rng: Rng, busy_timeout_s: float) -> AnyDatabase:
    if "://" in database:
        return PostgresDatabase(database, busy_timeout_s=busy_timeout_s)
    return SqliteDatabase(Path(database), rng, busy_timeout_s=busy_timeout_s)


async def _make(database: str, create: bool) -> None:
    if not create:
        raise SchemaError(f"there is no database {shown(database)}", next_step="dialer db upgrade")
    from dialer.store import migrate  # heavy, and needed once in a database's life

    await migrate.upgrade(database)
