"""Writing small files of our own: whole or not at all, and for no other eyes unless they were."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from dialer.errors import UnreachableError

#: Settings tell where people's numbers are kept, and may be given secrets.
_OWNERS: Final = 0o600


def replace_text(file: Path, text: str, *, mode: int = _OWNERS) -> None:
    """Give *file* a new text that is durable before it has its name; raises UnreachableError.

    A file that is there keeps its mode, and a link leads where it led; a new one gets *mode*.
    """
    target = file.resolve()
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        kept = target.stat().st_mode & 0o777 if target.exists() else mode
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, kept)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), kept)  # whatever the umask is
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    except OSError as error:
        raise UnreachableError(
            f"{file} cannot be written: {error.strerror}",
            next_step="check that its folder exists and is writable",
        ) from error
    finally:
        with suppress(OSError):  # a disk that is read-only refuses even where there is nothing
            partial.unlink(missing_ok=True)
