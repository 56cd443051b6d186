"""One daemon per SQLite file, held by a lock that dies with its process."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from dialer.errors import UnreachableError, WrongStateError


@contextmanager
def sole_daemon(database: Path) -> Iterator[None]:
    """Hold *database* for this daemon; raises WrongStateError naming the process that has it.

    What an earlier process left in the file is no lock: the system lets go of those of the dead.
    """
    descriptor = _opened_lock(database)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(descriptor, database) from None
        with suppress(OSError):  # a full disk keeps the note out, not the lock
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def refuse_second(database: Path) -> None:
    """Raise WrongStateError, as :func:`sole_daemon` does, while another daemon holds *database*."""
    with sole_daemon(database):
        pass


def _held(descriptor: int, database: Path) -> WrongStateError:
    """Who has the lock: as they wrote down, when they did."""
    process, _, host = os.read(descriptor, 512).decode().strip().partition(" ")
    if not process:  # it is about to write, or could not
        return WrongStateError(f"another daemon, of unknown process, runs on {database}")
    since = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)
    return WrongStateError(
        f"another daemon (process {process} on {host}, since {since:%Y-%m-%d %H:%M:%S} UTC) "
        f"runs on {database}",
        next_step=f"stop it first: kill {process}",
    )


def _opened_lock(database: Path) -> int:
    """The lock lies beside the file itself: under all its names a file has one."""
    file = database.resolve()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file.with_name(file.name + ".daemon"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UnreachableError(
            f"database {database} cannot be used: {error.strerror}",
            next_step="check that its folder exists and is writable",
        ) from error
