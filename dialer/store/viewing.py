"""Looking at a deployment's database without leaving a trace, not even in its files.

SQLite makes two files beside a database in WAL mode as soon as anybody opens it, and whoever
closes it last writes the log's pages back. So a file is opened read-only; and where there is no
log, because nobody has it open, it is read as one that cannot change. Should somebody open it
meanwhile, what was read is dropped and read again beside them.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple, Self, TypeVar
from urllib.parse import quote

from dialer.errors import NotFoundError, SchemaError, StoreBusyError, StoreError
from dialer.ports import Rng, Tx
from dialer.store.direct import DirectTx, connected
from dialer.store.naming import shown
from dialer.store.opening import SCHEMA, opened
from dialer.store.queries import load
from dialer.store.sqlite import cure_of

T = TypeVar("T")

#: Somebody opens and closes the file all the time: after so many tries that is believed.
_TRIES: Final = 5


async def view(
    database: str, rng: Rng, use_case: Callable[[Tx], Awaitable[T]], *, busy_timeout_s: float
) -> T:
    """What *use_case* makes of the database at a path or DSN; it cannot write.

    Raises NotFoundError when there is none and SchemaError when it is another release's.
    """
    if "://" in database:
        async with (
            opened(database, rng, busy_timeout_s=busy_timeout_s, create=False) as store,
            store.read() as tx,
        ):
            return await use_case(tx)
    path = Path(database)
    if not _exists(path):
        raise NotFoundError(
            f"there is no database {shown(database)}; the first command that adds something"
            " makes it",
            next_step="check --database and DIALER_DATABASE, or: dialer db upgrade",
        )
    for _ in range(_TRIES):
        before = _Trace.of(path)
        try:
            seen = await _read(path, use_case, busy_timeout_s, in_use=before.in_use)
        except sqlite3.Error as error:
            if before.in_use or before == _Trace.of(path):
                cure = cure_of(error)
                raise StoreError(f"database {path}: {error}", next_step=cure) from error
        else:
            if before.in_use or before == _Trace.of(path):
                return seen
    raise StoreBusyError(f"database {path} is opened and closed all the time by other programs")


def _exists(path: Path) -> bool:
    return path.exists()


class _Trace(NamedTuple):
    """What tells that nobody has opened a file in between: equal before and after."""

    in_use: bool  # there is a log, so somebody has it open, or had when it died
    changed_ns: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Self:
        found = path.stat()
        return cls(path.with_name(f"{path.name}-wal").exists(), found.st_mtime_ns, found.st_size)


async def _read(
    path: Path, use_case: Callable[[Tx], Awaitable[T]], busy_timeout_s: float, *, in_use: bool
) -> T:
    how = "mode=ro" if in_use else "immutable=1"
    name = f"file:{quote(str(path))}?{how}"
    with closing(connected(name, timeout_s=busy_timeout_s)) as connection:
        connection.execute("BEGIN")  # all statements see the moment of the first
        tx = DirectTx(connection, load("sqlite"))
        await _check_schema(tx)
        return await use_case(tx)


async def _check_schema(tx: Tx) -> None:
    known = await tx.value("has_schema") is not None
    revision = str(await tx.value("schema_revision")) if known else None
    if revision != SCHEMA:
        raise SchemaError(
            f"database has schema {revision}, this release needs {SCHEMA}",
            next_step="dialer db upgrade",
        )
