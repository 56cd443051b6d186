"""SQLite in the caller's thread: every statement runs at once and costs no turn of the loop.

For work that has a process to itself: an engine in virtual time on a database in memory, and a
command that reads a file. A daemon uses :mod:`dialer.store.sqlite`, whose statements let other
tasks run meanwhile.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self, cast

from dialer.ports import DAEMON, Params, Row
from dialer.store.queries import Query, load

#: A crash loses all of it anyway.
_PRAGMAS: Final = "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; PRAGMA foreign_keys=ON;"


class DirectTx:
    """The named queries on one connection."""

    dialect: Final = "sqlite"

    def __init__(
        self, connection: sqlite3.Connection, queries: Mapping[str, Query], actor: str = DAEMON
    ) -> None:
        self._connection = connection
        self._queries = queries
        self.actor: Final = actor

    async def rows(self, query: str, **params: Any) -> Sequence[Row]:
        return cast(Sequence[Row], self._run(query, params).fetchall())

    async def row(self, query: str, **params: Any) -> Row | None:
        return cast(Row | None, self._run(query, params).fetchone())

    async def value(self, query: str, **params: Any) -> Any:
        found = self._run(query, params).fetchone()
        return found[0] if found else None

    async def run(self, query: str, **params: Any) -> int:
        return self._run(query, params).rowcount

    async def many(self, query: str, params: Sequence[Params]) -> None:
        if params:
            known = self._queries[query]
            self._connection.executemany(known.text, known.tuples(params))

    def _run(self, query: str, params: Mapping[str, Any]) -> sqlite3.Cursor:
        known = self._queries[query]
        return self._connection.execute(known.text, known.bound(params))


def connected(name: str, *, timeout_s: float = 0.0) -> sqlite3.Connection:
    """A connection to a file by its URI whose transactions are left to the caller."""
    connection = sqlite3.connect(name, uri=True, isolation_level=None, timeout=timeout_s)
    connection.row_factory = sqlite3.Row
    return connection


class MemoryDatabase:
    """A :class:`~dialer.ports.Database` that is gone with its block.

    *script* is what :func:`empty_script` gave. There is one connection: a reader sees what a
    writer has not committed if, and only if, that writer waits for anything but the database.
    """

    def __init__(self, script: str) -> None:
        self._connection = connected("file::memory:")
        self._connection.executescript(_PRAGMAS)
        self._connection.executescript(script)
        self._tx = self._acting(DAEMON)
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._connection.close()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[DirectTx]:
        yield self._tx

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[DirectTx]:
        yield self._tx  # one connection has no past: of one moment if nobody writes meanwhile

    @asynccontextmanager
    async def write(self, actor: str | None = None) -> AsyncIterator[DirectTx]:
        async with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield self._acting(actor) if actor else self._tx
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    async def maintain(self) -> None:
        """Nothing: it does not live long enough to need any."""

    def _acting(self, actor: str) -> DirectTx:
        return DirectTx(self._connection, load("sqlite"), actor)


def empty_script() -> str:
    """The statements that make a database of this release with nothing in it; not in a loop."""
    from dialer.store import migrate  # heavy

    with TemporaryDirectory(prefix="dialer-") as folder:
        path = Path(folder, "empty.db")
        migrate.upgrade_blocking(str(path))
        with closing(sqlite3.connect(path)) as connection:
            return "\n".join(connection.iterdump())
