"""One daemon per SQLite file, held by a lock that dies with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialer.errors import WrongStateError


@contextmanager
def sole_daemon(database: Path) -> Iterator[None]:
    """Hold *database* for this daemon; raises WrongStateError naming the process that has it."""
    path = database.with_name(database.name + ".daemon")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
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
