"""SQLite through aiosqlite: one writer connection behind a lock, readers apart.

WAL, and ``synchronous=FULL`` for every commit: an intent must survive a power cut before the
carrier hears of it, and with whole batches per commit FULL costs next to nothing
(``make bench``). Waiting for another process's write happens in the loop, with jitter and a
bound, never inside SQLite's blocking handler.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self, cast

import aiosqlite

from dialer.errors import MAKE_ROOM, StoreBusyError, StoreError, UnreachableError
from dialer.meters import NO_METERS, Meters, TransactionKind, timed
from dialer.ports import DAEMON, Params, Rng, Row
from dialer.store.queries import Query, load
from dialer.store.sizes import Sizes

_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is deleted is people's data
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-65536",
    "PRAGMA busy_timeout=0",
)
#: Connections that read, beside the one that writes.
READERS: Final = 2
#: By primary result code (https://sqlite.org/rescode.html), what may help.
_CURES: Final[Mapping[int, str]] = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: MAKE_ROOM,
        sqlite3.SQLITE_NOTADB: (
            "check --database and DIALER_DATABASE; if that file was a database, put the newest"
            " backup in its place: dialer db restore FILE"
        ),
        sqlite3.SQLITE_READONLY: "let this user write the file and its folder",
    }
)
#: Pause between two tries at a lock somebody else holds, in seconds; doubled by jitter.
_BUSY_PAUSE_S: Final = 0.005


class SqliteTx:
    """One connection's current transaction."""

    dialect: Final = "sqlite"

    def __init__(
        self, connection: aiosqlite.Connection, queries: Mapping[str, Query], actor: str
    ) -> None:
        self._connection = connection
        self._queries = queries
        self.actor: Final = actor

    async def rows(self, query: str, **params: Any) -> Sequence[Row]:
        known = self._queries[query]
        found: Any = await self._connection.execute_fetchall(known.text, known.bound(params))
        return cast(Sequence[Row], found)  # sqlite3.Row answers to names, as Row asks

    async def row(self, query: str, **params: Any) -> Row | None:
        found = await self.rows(query, **params)
        return found[0] if found else None

    async def value(self, query: str, **params: Any) -> Any:
        known = self._queries[query]
        found: Any = await self._connection.execute_fetchall(known.text, known.bound(params))
        return found[0][0] if found else None

    async def run(self, query: str, **params: Any) -> int:
        known = self._queries[query]
        cursor = await self._connection.execute(known.text, known.bound(params))
        return cursor.rowcount

    async def many(self, query: str, params: Sequence[Params]) -> None:
        if params:
            known = self._queries[query]
            await self._connection.executemany(known.text, known.tuples(params))


class SqliteDatabase:
    """The :class:`~dialer.ports.Database` of one file. Use as an async context manager."""

    def __init__(
        self,
        path: Path,
        rng: Rng,
        *,
        busy_timeout_s: float,
        readers: int = READERS,
        actor: str = DAEMON,
        connect: Callable[[Path], aiosqlite.Connection] | None = None,
        meters: Meters = NO_METERS,
    ) -> None:
        self._path = path
        self._make_connection = connect or _with_a_thread
        self._rng = rng
        self._busy_timeout_s = busy_timeout_s
        self._meters = meters
        self._queries = load("sqlite")
        self._lock = asyncio.Lock()
        self._writer: aiosqlite.Connection | None = None
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self._reader_count = readers
        self._actor = actor
        self._open = AsyncExitStack()

    def exists(self) -> bool:
        """True when there is a file at the path."""
        return self._path.exists()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._writer = await self._connect()
            stack.push_async_callback(self._writer.close)
            for _ in range(self._reader_count):
                reader = await self._connect(query_only=True)
                stack.push_async_callback(reader.close)
                self._readers.put_nowait(reader)
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._open.aclose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqliteTx]:
        connection = await self._readers.get()
        try:
            with timed(self._meters, TransactionKind.READ), _translated(self._path):
                yield SqliteTx(connection, self._queries, self._actor)
        finally:
            self._readers.put_nowait(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqliteTx]:
        connection = await self._readers.get()
        try:
            with _translated(self._path):
                try:
                    await connection.execute("BEGIN")  # its first SELECT sets the moment
                    yield SqliteTx(connection, self._queries, self._actor)
                finally:
                    await asyncio.shield(connection.rollback())
        finally:
            self._readers.put_nowait(connection)

    @asynccontextmanager
    async def write(self, actor: str | None = None) -> AsyncIterator[SqliteTx]:
        # An aiosqlite connection has one transaction: two tasks on it would share it. The lock
        # keeps a stranger's statement out of somebody else's BEGIN … COMMIT.
        assert self._writer is not None, "the database is open inside its own context only"
        async with self._lock:
            with timed(self._meters, TransactionKind.WRITE), _translated(self._path):
                try:
                    await self._begin(self._writer)
                    yield SqliteTx(self._writer, self._queries, actor or self._actor)
                    await self._writer.execute("COMMIT")
                except BaseException:
                    # Always: a statement whose caller was cancelled, BEGIN too, runs all the same,
                    # and this one waits behind it. Without a transaction it does nothing.
                    # Should it fail, what has gone wrong before is what counts; the next
                    # transaction begins by rolling back what is left.
                    with suppress(sqlite3.Error):
                        await asyncio.shield(self._writer.rollback())
                    raise

    async def schema_revision(self) -> str | None:
        """The migration the file is at; None for a file without tables."""
        async with self.read() as tx:
            if await tx.value("has_schema") is None:
                return None
            return str(await tx.value("schema_revision"))

    async def sizes(self) -> Sizes:
        """What the file takes on the disk, and its write-ahead log."""
        async with self.read() as tx:
            return Sizes(await tx.value("database_bytes"), _bytes_of(Path(f"{self._path}-wal")))

    async def maintain(self) -> None:
        """Refresh the planner's statistics and give the log's space back."""
        assert self._writer is not None, "the database is open inside its own context only"
        async with self._lock:
            with _translated(self._path):
                await self._writer.execute("PRAGMA optimize")
                await self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _begin(self, connection: aiosqlite.Connection) -> None:
        """Take the write lock; another process's short transaction is waited out."""
        if connection.in_transaction:
            await connection.rollback()
        deadline = asyncio.get_running_loop().time() + self._busy_timeout_s
        was_busy = False
        while True:
            try:
                await connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise
                if not was_busy:
                    was_busy = True
                    self._meters.store_was_busy()
                if asyncio.get_running_loop().time() >= deadline:
                    raise StoreBusyError(
                        f"database {self._path} stayed locked for {self._busy_timeout_s:g} s",
                        next_step="end the program that holds it (an open sqlite3 shell?)",
                    ) from error
                await asyncio.sleep(_BUSY_PAUSE_S * (1 + self._rng.random()))

    async def _connect(self, *, query_only: bool = False) -> aiosqlite.Connection:
        check_openable(self._path)
        with _translated(self._path):
            connection = await self._make_connection(self._path)
            try:
                connection.row_factory = sqlite3.Row
                for pragma in (*_PRAGMAS, *(("PRAGMA query_only=ON",) if query_only else ())):
                    await self._patiently(connection, pragma)
            except BaseException:
                await connection.close()  # its thread would keep the process alive
                raise
        return connection

    async def _patiently(self, connection: aiosqlite.Connection, statement: str) -> None:
        """Switching a fresh file to WAL needs it alone for a moment."""
        deadline = asyncio.get_running_loop().time() + self._busy_timeout_s
        while True:
            try:
                await connection.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(_BUSY_PAUSE_S * (1 + self._rng.random()))


def _bytes_of(path: Path) -> int:
    """The size of a file; none has none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def check_openable(path: Path) -> None:
    """Raise UnreachableError unless there is, or can be, a file at *path* to open.

    Asked in this thread first: where opening fails, aiosqlite lets its own thread end unwaited
    for, and that thread may answer to a loop that is closed by then.
    """
    with _translated(path):
        sqlite3.connect(path, timeout=0).close()


def _with_a_thread(path: Path) -> aiosqlite.Connection:
    return aiosqlite.connect(path, isolation_level=None, timeout=0)


def cure_of(error: sqlite3.Error) -> str | None:
    """What an operator can do about *error*; None where there is nothing to say."""
    return _CURES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ours at the door; the cause is kept."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CANTOPEN:
            raise UnreachableError(
                f"database {path} cannot be opened",
                next_step="check that its folder exists and is writable",
            ) from error
        if isinstance(error, sqlite3.OperationalError) and _is_busy(error):
            raise StoreBusyError(f"database {path} is locked by another program") from error
        cure = cure_of(error)
        raise StoreError(f"database {path}: {error}", next_step=cure) from error
