"""Stores for the contract tests: every test that asks for `database` runs on both."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from dialer.store import migrate
from dialer.store.opening import AnyDatabase, opened
from tests.support import postgres

BOTH = ("sqlite", "postgres")


def migrated(dsn: str) -> None:
    """Prepare the template that PostgreSQL tests are cloned from."""
    asyncio.run(migrate.upgrade(dsn))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "dialer.db"
    asyncio.run(migrate.upgrade(str(path)))
    return path.read_bytes()


@pytest.fixture(scope="session")
def postgres_store(postgres_databases: postgres.Databases) -> Iterator[str]:
    """A migrated PostgreSQL database for one test after the other: emptying one takes a tenth of
    the time of making one."""
    with postgres_databases.fresh(migrated) as dsn:
        yield dsn


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The name of a migrated database of the test's own: a path or a DSN."""
    if request.param == "sqlite":
        path = tmp_path / "dialer.db"
        path.write_bytes(request.getfixturevalue("sqlite_template"))
        yield str(path)
    else:
        dsn: str = request.getfixturevalue("postgres_store")
        yield dsn
        asyncio.run(emptied(dsn))


async def emptied(dsn: str) -> None:
    """Put a PostgreSQL database back to what it was after its migration."""
    connection = await asyncpg.connect(dsn, server_settings={"lock_timeout": "5000"})
    try:
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = {row["tablename"] for row in await connection.fetch(names)}
        filled = sorted(tables - {"alembic_version", "control", "lanes"})
        # One statement, because references are checked when it is done.
        deletes = ", ".join(f"in_{table} AS (DELETE FROM {table})" for table in filled)
        await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        await connection.execute(f"WITH {deletes} SELECT 1")
        await connection.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")
        sequences = await connection.fetch("SELECT sequencename FROM pg_sequences")
        for row in sequences:
            await connection.execute(f"ALTER SEQUENCE {row['sequencename']} RESTART")
        await connection.execute(
            "UPDATE lanes SET next_slot_us = 0;"
            " UPDATE control SET revision = 0, held_at = NULL, held_by = NULL, hold_reason = NULL,"
            " hang_up_at = NULL, reconcile_since_at = NULL, reconciled_at = NULL"
        )
    finally:
        await connection.close()


@pytest.fixture
async def database(store: str) -> AsyncIterator[AnyDatabase]:
    """An open database of the test's own."""
    async with opened(store, random.Random(1), busy_timeout_s=5) as opened_store:
        yield opened_store
