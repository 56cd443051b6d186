"""Which processes have a file open, for words to whoever has to wait for them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dialer.masking import hide_secrets, mask

#: Where Linux tells of processes; elsewhere nobody is named.
PROCESSES: Final = Path("/proc")
#: A command line is shown up to this length.
SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a file open, and the command it was started with."""

    pid: int
    command: str


def holders(file: Path, processes: Path = PROCESSES) -> list[Holder]:
    """The other processes of this machine that have *file* open, as far as the system tells: to
    anybody but root it tells of their own.
    """
    try:
        wanted = file.stat()
    except OSError:
        return []
    found = (each for each in processes.glob("[0-9]*") if int(each.name) != os.getpid())
    return [
        Holder(int(each.name), _command(each))
        for each in sorted(found, key=lambda each: int(each.name))
        if any(os.path.samestat(wanted, opened) for opened in _open_files(each))
    ]


def _open_files(process: Path) -> Iterator[os.stat_result]:
    with suppress(OSError):  # it is somebody else's, or has ended by now
        for link in (process / "fd").iterdir():
            with suppress(OSError):
                yield link.stat()


def _command(process: Path) -> str:
    """Its words; numbers and secrets in them are hidden."""
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return mask(hide_secrets(" ".join(filter(None, words))))[:SHOWN]
