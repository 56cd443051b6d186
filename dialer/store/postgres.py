"""PostgreSQL through asyncpg: any number of daemons share one database."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Self, TypeAlias

import asyncpg

from dialer.errors import MAKE_ROOM, StoreBusyError, StoreError, UnreachableError
from dialer.meters import NO_METERS, Meters, TransactionKind, timed
from dialer.ports import DAEMON, Params, Row
from dialer.store.queries import Query, load
from dialer.store.sizes import Sizes

#: No statement of ours takes longer, and no transaction idles longer, in seconds.
STATEMENT_TIMEOUT_S: Final = 30

#: asyncpg ships no types; a pooled connection offers what a plain one does.
Connection: TypeAlias = Any


class PostgresTx:
    """One connection's current transaction."""

    dialect: Final = "postgres"

    def __init__(self, connection: Connection, queries: Mapping[str, Query], actor: str) -> None:
        self._connection = connection
        self._queries = queries
        self.actor: Final = actor

    async def rows(self, query: str, **params: Any) -> Sequence[Row]:
        text, arguments = self._bound(query, params)
        return await self._connection.fetch(text, *arguments)  # type: ignore[no-any-return]  # untyped driver

    async def row(self, query: str, **params: Any) -> Row | None:
        text, arguments = self._bound(query, params)
        return await self._connection.fetchrow(text, *arguments)  # type: ignore[no-any-return]  # untyped driver

    async def value(self, query: str, **params: Any) -> Any:
        text, arguments = self._bound(query, params)
        return await self._connection.fetchval(text, *arguments)

    async def run(self, query: str, **params: Any) -> int:
        text, arguments = self._bound(query, params)
        tag = await self._connection.execute(text, *arguments)  # as in "UPDATE 3"
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def many(self, query: str, params: Sequence[Params]) -> None:
        if params:
            known = self._queries[query]
            await self._connection.executemany(known.text, known.tuples(params))

    def _bound(self, query: str, params: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        known = self._queries[query]
        return known.text, known.bound(params)


class PostgresDatabase:
    """The :class:`~dialer.ports.Database` behind one DSN. Use as an async context manager."""

    def __init__(
        self,
        dsn: str,
        *,
        busy_timeout_s: float,
        connections: int = 5,
        actor: str = DAEMON,
        meters: Meters = NO_METERS,
    ) -> None:
        self._dsn = dsn
        self._actor = actor
        self._meters = meters
        self._busy_timeout_s = busy_timeout_s
        self._connections = connections
        self._queries = load("postgres")
        self._pool: Any = None

    async def __aenter__(self) -> Self:
        try:
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=self._connections,
                command_timeout=STATEMENT_TIMEOUT_S,
                server_settings={
                    "lock_timeout": f"{int(self._busy_timeout_s * 1000)}",
                    # A daemon that was stopped in mid-transaction must not hold the others up.
                    "idle_in_transaction_session_timeout": f"{STATEMENT_TIMEOUT_S * 1000}",
                    "statement_timeout": f"{STATEMENT_TIMEOUT_S * 1000}",
                },
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            raise UnreachableError(
                f"PostgreSQL cannot be reached: {error}",
                next_step="check DIALER_DATABASE and that the server is running",
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[PostgresTx]:
        with timed(self._meters, TransactionKind.READ), _translated(self._meters):
            async with self._pool.acquire() as connection:
                yield PostgresTx(connection, self._queries, self._actor)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresTx]:
        with _translated(self._meters):
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                # Between two pages a slow disk may rest for long, and nobody waits for a reader.
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                yield PostgresTx(connection, self._queries, self._actor)

    @asynccontextmanager
    async def write(self, actor: str | None = None) -> AsyncIterator[PostgresTx]:
        with timed(self._meters, TransactionKind.WRITE), _translated(self._meters):
            async with self._pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    yield PostgresTx(connection, self._queries, actor or self._actor)
                except BaseException:
                    await asyncio.shield(transaction.rollback())
                    raise
                await transaction.commit()

    async def schema_revision(self) -> str | None:
        """The migration the database is at; None for one without tables."""
        async with self.read() as tx:
            if await tx.value("has_schema") is None:
                return None
            return str(await tx.value("schema_revision"))

    async def sizes(self) -> Sizes:
        """What the database takes on the server's disk; its log is the server's."""
        async with self.read() as tx:
            return Sizes(await tx.value("database_bytes"), None)

    async def maintain(self) -> None:
        """Nothing: the server's autovacuum keeps statistics and space."""


@contextmanager
def _translated(meters: Meters) -> Iterator[None]:
    """Turn the driver's errors into ours at the door; the cause is kept."""
    try:
        yield
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        meters.store_was_busy()
        raise StoreBusyError(f"the database is locked by somebody else: {error}") from error
    except asyncpg.DiskFullError as error:
        raise StoreError(f"database: {error}", next_step=MAKE_ROOM) from error
    except asyncpg.PostgresError as error:
        raise StoreError(f"database: {error}") from error
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise UnreachableError(f"the connection to PostgreSQL was lost: {error}") from error
