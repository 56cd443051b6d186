"""What a database leaves behind of deleted rows, wiped as far as one can get at it.

SQLite: the log is emptied, the file is written anew without its free space, and then every file
of ours is read byte by byte to see whether it worked. PostgreSQL: VACUUM gives the space of dead
rows back to new ones; what the server keeps elsewhere is out of reach.
"""

import asyncio
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Final

import asyncpg

from dialer.erasure import Wiped
from dialer.errors import StoreBusyError, StoreError, WrongStateError
from dialer.lists.csvio import SQLITE_MAGIC
from dialer.store.exclusive import sole_daemon

#: So large a file is written anew in about a second, which a daemon waits for beside its calls.
BESIDE_CALLS_BYTES: Final = 128 << 20
#: What lies beside a database and may hold people's numbers, besides databases.
LISTS: Final = frozenset([".csv", ".tsv", ".txt", ".log", ".json", ".jsonl", ".partial", ".xlsx"])
_CHUNK: Final = 1 << 20
#: The longest a number is when it is written with marks in between, of three bytes each.
_OVERLAP: Final = 512
#: The tables in which an erasure leaves dead rows.
_VACUUM: Final = (
    "VACUUM contacts, members, attempts, dnc, dnc_history, import_rows, imports, campaigns,"
    " campaign_waits, holiday_calendars, rule_sets"
)


def wipe_file(
    database: Path,
    pattern: re.Pattern[bytes],
    *,
    busy_timeout_s: float,
    folders: Sequence[Path] = (),
    files: Sequence[Path] = (),
) -> Wiped:
    """Empty the log of a SQLite *database*, write the file anew, and look for *pattern*, beside
    it, in *folders* and in *files*, too.

    A large file is not written anew while a daemon runs: its calls would wait.
    """
    with _translated(database), closing(_connected(database, busy_timeout_s)) as connection:
        _empty_log(connection)
        compacted = _compact(connection, database)
        _empty_log(connection)
    ours = own_files(database)
    return Wiped(
        compacted,
        remains=[str(file) for file in ours if holds(file, pattern)],
        elsewhere=holding([*beside(database, *folders), *files], pattern),
    )


async def wipe_server(dsn: str, pattern: re.Pattern[bytes], *, files: Sequence[Path] = ()) -> Wiped:
    """Vacuum what an erasure touched, however long it takes, and look for *pattern* in *files*."""
    try:
        connection = await asyncpg.connect(dsn, server_settings={"statement_timeout": "0"})
        try:
            await connection.execute(_VACUUM)
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreError(
            f"the number is erased, but its dead rows could not be vacuumed: {error}",
            next_step=f'psql "$DIALER_DATABASE" -c "{_VACUUM}"',
        ) from error
    return Wiped(compacted=True, elsewhere=await asyncio.to_thread(holding, files, pattern))


def own_files(database: Path) -> list[Path]:
    """The files SQLite keeps a database in."""
    file = database.resolve()
    named = (file.with_name(f"{file.name}{suffix}") for suffix in ("", "-wal", "-shm", "-journal"))
    return [each for each in named if each.is_file()]


def beside(database: Path, *folders: Path) -> list[Path]:
    """Other databases and lists in the folder of *database*, and in others, which nobody here may
    change.
    """
    ours = set(own_files(database))
    there = [database.resolve().parent, *(each for each in folders if each.is_dir())]
    files = sorted({file for folder in there for file in folder.iterdir()} - ours)
    return [each for each in files if each.is_file() and _may_hold_numbers(each)]


def holding(files: Iterable[Path], pattern: re.Pattern[bytes]) -> list[str]:
    """Those of *files* that are there and hold *pattern*, each of them once, in their order."""
    whole = dict.fromkeys(file.resolve() for file in files)
    return [str(file) for file in whole if file.is_file() and holds(file, pattern)]


def holds(file: Path, pattern: re.Pattern[bytes]) -> bool:
    """Whether *pattern* is found in the bytes of *file*, or in what a workbook has packed; one that
    cannot be read may hold it.
    """
    try:
        with file.open("rb") as stream:
            if _found_in(stream, pattern):
                return True
            return zipfile.is_zipfile(stream) and _is_packed_in(stream, pattern)
    except FileNotFoundError:
        return False
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError):
        return True  # damaged, packed in a way of its own, or under a password


def _found_in(stream: IO[bytes], pattern: re.Pattern[bytes]) -> bool:
    before = b""
    while chunk := stream.read(_CHUNK):
        if pattern.search(before + chunk):
            return True
        before = chunk[-_OVERLAP:]
    return False


def _is_packed_in(stream: IO[bytes], pattern: re.Pattern[bytes]) -> bool:
    with zipfile.ZipFile(stream) as archive:
        for each in archive.infolist():
            with archive.open(each) as part:
                if _found_in(part, pattern):
                    return True
    return False


def _may_hold_numbers(file: Path) -> bool:
    if file.suffix.lower() in LISTS:
        return True
    try:
        with file.open("rb") as stream:
            return stream.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError:
        return False


def _connected(database: Path, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(database, timeout=busy_timeout_s, isolation_level=None)
    connection.execute("PRAGMA secure_delete=ON")
    return connection


def _compact(connection: sqlite3.Connection, database: Path) -> bool:
    """Write the file anew; False when it is too large for that beside a daemon."""
    try:
        with sole_daemon(database):  # none starts meanwhile
            connection.execute("VACUUM")
    except WrongStateError:
        if database.stat().st_size > BESIDE_CALLS_BYTES:
            return False
        connection.execute("VACUUM")
    return True


def _empty_log(connection: sqlite3.Connection) -> None:
    """Move the log into the file and cut it to nothing, which waits for those who read it."""
    (busy, *_rest) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreBusyError(
            "somebody reads the database and keeps its log from being emptied",
            next_step="end the program that does (an open sqlite3 shell?), then erase again",
        )


@contextmanager
def _translated(database: Path) -> Iterator[None]:
    """Turn the driver's errors into ours at the door; the cause is kept."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise StoreBusyError(
                f"database {database} is locked by another program",
                next_step="erase again when it is free",
            ) from error
        raise StoreError(f"database {database} cannot be wiped: {error}") from error
