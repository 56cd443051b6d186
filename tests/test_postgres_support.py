"""The databases the store's tests are given."""

import asyncio

import asyncpg
import pytest

from tests.support.postgres import Databases


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def tables(dsn: str) -> object:
    return await ask(dsn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_gets_an_empty_database(postgres_dsn: str, turn: int) -> None:
    assert await tables(postgres_dsn) == 0

    await ask(postgres_dsn, "CREATE TABLE leftovers (id int)")

    assert await tables(postgres_dsn) == 1


async def test_a_prepared_database_is_prepared_once_and_copied(
    postgres_databases: Databases,
) -> None:
    prepared: list[str] = []

    def prepare(dsn: str) -> None:
        prepared.append(dsn)
        asyncio.run(ask(dsn, "CREATE TABLE people AS SELECT 7 AS id"))

    with postgres_databases.fresh(prepare) as one, postgres_databases.fresh(prepare) as other:
        await ask(one, "DELETE FROM people")

        assert await ask(one, "SELECT count(*) FROM people") == 0
        assert await ask(other, "SELECT id FROM people") == 7
        assert len(prepared) == 1


async def test_a_failed_preparation_leaves_nothing_and_may_be_repeated(
    postgres_databases: Databases,
) -> None:
    def broken(dsn: str) -> None:
        prepared.append(dsn)
        raise LookupError("no such migration")

    prepared: list[str] = []
    for _ in range(2):
        with pytest.raises(LookupError), postgres_databases.fresh(broken):
            pass

    assert len(set(prepared)) == 2
    for dsn in prepared:
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await ask(dsn, "SELECT 1")


async def test_a_dropped_database_ends_the_connections_it_still_has(
    postgres_databases: Databases,
) -> None:
    with postgres_databases.fresh() as dsn:
        forgotten = await asyncpg.connect(dsn)

    with pytest.raises(asyncpg.PostgresConnectionError):
        await forgotten.execute("SELECT 1")
