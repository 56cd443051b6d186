"""Stores for the contract tests: every test that asks for `database` runs on both."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

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


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The name of a migrated database of the test's own: a path or a DSN."""
    if request.param == "sqlite":
        path = tmp_path / "dialer.db"
        path.write_bytes(request.getfixturevalue("sqlite_template"))
        yield str(path)
    else:
        databases: postgres.Databases = request.getfixturevalue("postgres_databases")
        with databases.fresh(migrated) as dsn:
            yield dsn


@pytest.fixture
async def database(store: str) -> AsyncIterator[AnyDatabase]:
    """An open database of the test's own."""
    async with opened(store, random.Random(1), busy_timeout_s=5) as opened_store:
        yield opened_store
