"""Looking over a SQLite file as it lies: its pages, its journal, whether it can be written.

Nothing is changed. It blocks, and is meant for a thread; a time limit keeps it from holding up
whoever asked.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from dialer.errors import StoreError
from dialer.store.direct import connected
from dialer.store.queries import load
from dialer.store.sqlite import cure_of

#: The time is looked at after so many steps of SQLite's machine: some milliseconds.
_STEPS: Final = 100_000


class Inspected(NamedTuple):
    """What a file is like; *check_s* is None when the limit came before the end."""

    journal: str
    check_s: float | None


def inspect(path: Path, *, elapsed: Callable[[], float], limit_s: float) -> Inspected:
    """Check the pages, for *limit_s* at most by the steady clock *elapsed*, and take its lock.

    Raises StoreError for damage, and for a file that cannot be written.
    """
    began_s, journal = elapsed(), ""
    try:
        with closing(connected(f"file:{quote(str(path.resolve()))}?mode=rw")) as connection:
            journal = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
            _require_writable(connection)
            connection.set_progress_handler(lambda: elapsed() - began_s > limit_s, _STEPS)
            query = load("sqlite")["storage_faults"].text
            faults = [row["what"] for row in connection.execute(query)]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return Inspected(journal, None)
        raise StoreError(f"database {path}: {error}", next_step=cure_of(error)) from error
    except sqlite3.Error as error:
        raise StoreError(f"database {path}: {error}", next_step=cure_of(error)) from error
    if faults:
        raise StoreError(f"database {path} is damaged: {faults[0]}")
    return Inspected(journal, elapsed() - began_s)


def _require_writable(connection: sqlite3.Connection) -> None:
    """Take the write lock and give it back; a daemon that has it can write, which is as good."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
