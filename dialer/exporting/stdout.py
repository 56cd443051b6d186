"""Standard output, whose reader may take its time: it waits in a file, and is handed over at last.

What is read from the database in one snapshot keeps SQLite from giving its log's space back, so
the snapshot must not wait for a pager that somebody has stopped scrolling.
"""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Final

#: A pipe that takes anything takes as much as this at once: POSIX.1, PIPE_BUF.
_PIECE: Final = select.PIPE_BUF
#: How often it is looked whether anybody still wants the rest, in seconds.
_LOOK_S: Final = 0.2


@contextmanager
def held_back() -> Iterator[IO[str]]:
    """A file without a name, for its owner alone, written as standard output would be; it is gone
    with this process, whatever ends it.
    """
    encoding, errors = sys.stdout.encoding or "utf-8", sys.stdout.errors
    with TemporaryFile("w+", encoding=encoding, errors=errors, newline="") as file:
        yield file


def hand_over(file: IO[str], goes_on: Callable[[], bool]) -> None:
    """Write what was held back to standard output, while *goes_on*, however slowly it is read.

    Raises OSError when nobody reads it any more.
    """
    file.flush()
    file.seek(0)
    target = _descriptor()
    if target is None:
        while goes_on() and (text := file.read(_PIECE)):
            sys.stdout.write(text)
        return
    sys.stdout.flush()
    rest = b""
    while goes_on() and (rest := rest or file.buffer.read(_PIECE)):  # type: ignore[attr-defined]  # a text file on bytes has it
        if select.select([], [target], [], _LOOK_S)[1]:
            rest = rest[os.write(target, rest) :]


def _descriptor() -> int | None:
    """Standard output as the system knows it; None where Python alone does."""
    try:
        return sys.stdout.fileno()
    except OSError:  # as io.UnsupportedOperation
        return None
