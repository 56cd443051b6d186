"""Writing files of our own: whole or not at all, and for no other eyes unless they were."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dialer.errors import UnreachableError

#: Settings tell where people's numbers are kept, and may be given secrets; lists hold numbers.
_OWNERS: Final = 0o600


def replace_text(file: Path, text: str) -> None:
    """Give *file* a new text that is durable before it has its name; raises UnreachableError.

    A file that is there keeps its mode, and a link leads where it led; a new one is its owner's.
    """
    target = file.resolve()
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else _OWNERS
        with named_when_whole(target) as partial:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(stream.fileno(), mode)  # whatever the umask is
                stream.write(text.encode("utf-8"))
                stream.flush()
                os.fsync(stream.fileno())
    except OSError as error:
        raise UnreachableError(
            f"{file} cannot be written: {error.strerror}",
            next_step="check that its folder exists and is writable",
        ) from error


@contextmanager
def named_when_whole(file: Path) -> Iterator[Path]:
    """Where to write what is to be *file*: beside it. It takes that name when the block ends well,
    in the place of what had it, else it vanishes; a link leads where it led.
    """
    target = file.resolve()
    partial = partial_of(target)
    try:
        yield partial
        partial.replace(target)
    finally:
        clear_away(partial)


def partial_of(file: Path) -> Path:
    """The name of *file* while it is written: two processes may write it at a time."""
    return file.with_name(f".{file.name}.{os.getpid()}.partial")


def clear_away(file: Path) -> None:
    """Delete a file, if it is there and that can be done."""
    with suppress(OSError):  # a disk that is read-only refuses even where there is nothing
        file.unlink(missing_ok=True)


def make_durable(path: Path) -> None:
    """Make what is in a file or folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private(path: str, flags: int) -> int:
    """Open a file so that only its owner may read it."""
    return os.open(path, flags, _OWNERS)
