"""One daemon per SQLite file, held by a lock that dies with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialer.errors import UnreachableError, WrongStateError


@contextmanager
def sole_daemon(database: Path) -> Iterator[None]:
    """Hold *database* for this daemon; raises WrongStateError naming the process that has it."""
    descriptor = _opened_lock(database)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode() or "unknown"
            raise WrongStateError(
                f"another daemon (process {holder.strip()}) runs on {database}",
                next_step=f"stop it first: kill {holder.strip()}",
            ) from None
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


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
