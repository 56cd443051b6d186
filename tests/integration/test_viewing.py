"""Databases that are only looked at, and one that is gone with its block."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dialer.errors import NotFoundError, SchemaError, StoreError
from dialer.ports import Tx
from dialer.store.direct import MemoryDatabase
from dialer.store.viewing import view
from tests.support.forecasting import schema_script


@pytest.fixture
def file(tmp_path: Path, sqlite_template: bytes) -> Path:
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    return path


@pytest.fixture
def script() -> str:
    """What makes an empty database."""
    return schema_script()


def trace(file: Path) -> tuple[list[str], int]:
    """What anybody sees who asks whether a file was touched."""
    return [path.name for path in file.parent.iterdir()], file.stat().st_mtime_ns


async def look(database: Path | str, query: str = "revision", **params: Any) -> Any:
    """The value of a query in a database that is only looked at."""

    async def use_case(tx: Tx) -> Any:
        return await tx.value(query, **params)

    return await view(str(database), Random(1), use_case, busy_timeout_s=1)


# -- looking --------------------------------------------------------------------------------------


async def test_both_databases_can_be_looked_at(store: str) -> None:
    assert await look(store) == 0


async def test_looking_makes_no_file(file: Path) -> None:
    before = trace(file)

    await look(file)

    assert before[0] == [file.name]
    assert trace(file) == before


async def test_who_looks_cannot_write(file: Path) -> None:
    async def write(tx: Tx) -> int:
        return await tx.run("bump_revision")

    with pytest.raises(StoreError, match="readonly"):
        await view(str(file), Random(1), write, busy_timeout_s=1)


async def test_what_is_in_the_log_is_seen(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("UPDATE control SET revision = 7")

        assert await look(file) == 7


async def test_what_changes_while_it_is_read_is_read_again(file: Path) -> None:
    seen = []

    async def use_case(tx: Tx) -> int:
        seen.append(await tx.value("revision"))
        if len(seen) == 1:
            with closing(sqlite3.connect(file, isolation_level=None)) as writer:
                writer.execute("UPDATE control SET revision = 7")
        return int(seen[-1])

    assert await view(str(file), Random(1), use_case, busy_timeout_s=1) == 7
    assert seen == [0, 7]


async def test_a_database_that_never_rests_is_given_up(file: Path) -> None:
    changes = 0

    async def use_case(tx: Tx) -> None:
        nonlocal changes
        await tx.value("revision")
        changes += 1
        with closing(sqlite3.connect(file, isolation_level=None)) as writer:
            writer.execute("UPDATE control SET revision = revision + 1")

    with pytest.raises(StoreError, match="by other programs"):
        await view(str(file), Random(1), use_case, busy_timeout_s=1)
    assert changes > 1


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no database"):
        asyncio.run(look(tmp_path / "dialer.db"))
    assert [*tmp_path.iterdir()] == []


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dialer.db"
    path.write_text("name,phone\n" * 100)

    with pytest.raises(StoreError, match="not a database"):
        await look(path)


async def test_another_releases_database_is_refused(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    empty = tmp_path / "empty.db"
    with closing(sqlite3.connect(empty)) as connection, connection:
        connection.execute("CREATE TABLE other (id INTEGER)")

    for path, revision in ((file, "9999"), (empty, "None")):
        with pytest.raises(SchemaError, match=f"has schema {revision}"):
            await look(path)


# -- in memory ------------------------------------------------------------------------------------


async def test_a_database_in_memory_is_one_like_the_others(script: str) -> None:
    async with MemoryDatabase(script) as database:
        async with database.write() as tx:
            await tx.run("bump_revision")
        async with database.read() as tx:
            assert await tx.value("revision") == 1
            assert await tx.row("campaign_by_name", name="Renewals") is None
            assert await tx.rows("list_numbers") == []
        await database.maintain()


async def test_what_fails_in_memory_leaves_no_trace(script: str) -> None:
    async def fail(database: MemoryDatabase) -> None:
        async with database.write() as tx:
            await tx.run("bump_revision")
            unknown = {"campaign_id": 1, "number_id": 1, "weight": 1}
            await tx.many("add_campaign_number", [unknown])

    async with MemoryDatabase(script) as database:
        with pytest.raises(sqlite3.IntegrityError):
            await fail(database)
        async with database.write() as tx:
            assert await tx.value("revision") == 0
