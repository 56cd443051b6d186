"""A copy of a SQLite database, taken while others read and write it.

The copy is written under another name, checked, made durable and only then given its own, so
that a file with that name is always a whole one.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from dialer.errors import NotFoundError, StoreBusyError, StoreError, UsageError
from dialer.own_files import clear_away, make_durable, named_when_whole, private

#: So many steps of SQLite's machine lie between two looks whether anybody still wants the copy.
_STEPS: Final = 100_000


def back_up(
    database: Path,
    copy: Path,
    *,
    busy_timeout_s: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write a copy of *database* to *copy*, readable by its owner alone.

    It is given up when *cancelled* says so.

    Raises NotFoundError when there is no database, UsageError when *copy* cannot be made or is
    there already, and StoreError when the copy is not whole.
    """
    if not database.is_file():
        raise NotFoundError(f"there is no database {database}", next_step="check DIALER_DATABASE")
    if copy.exists():
        raise UsageError(f"{copy} is there already; name a file that is not")
    with _written_apart(copy) as partial, _translated(database):
        with closing(sqlite3.connect(database, timeout=busy_timeout_s)) as source:
            source.set_progress_handler(cancelled, _STEPS)
            source.execute("VACUUM INTO ?", (str(partial),))
        _check(partial)


@contextmanager
def _written_apart(copy: Path) -> Iterator[Path]:
    """A file beside *copy* that takes its name when the block ends well, else vanishes."""
    with named_when_whole(copy) as partial:
        try:
            # Empty, so that VACUUM INTO accepts it, and private from its first byte on.
            os.close(private(os.fspath(partial), os.O_CREAT | os.O_WRONLY | os.O_TRUNC))
        except OSError as error:
            raise UsageError(f"{copy} cannot be written: {error.strerror}") from None
        try:
            yield partial
            make_durable(partial)
        finally:
            clear_away(Path(f"{partial}-journal"))
    make_durable(copy.parent)


def _check(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise StoreError(f"the copy is damaged: {found[0]}", next_step="dialer db check")


@contextmanager
def _translated(database: Path) -> Iterator[None]:
    """Turn the driver's errors into ours at the door; the cause is kept."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise StoreBusyError(f"database {database} is locked by another program") from error
        raise StoreError(f"database {database} cannot be copied: {error}") from error
