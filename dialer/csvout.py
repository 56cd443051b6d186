"""Tables written as CSV, for spreadsheets or, *raw*, for programs; csvio reads both back."""

import csv
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from dialer.columns import guarded
from dialer.csvio import private, spare_databases
from dialer.errors import UsageError

#: The name that stands for standard output.
STDOUT: Final = Path("-")


def write_table(
    file: IO[str], header: Sequence[str], rows: Iterable[Sequence[str]], *, raw: bool
) -> int:
    """Write *rows* under *header*, no cell of which a spreadsheet runs unless *raw*; count them."""
    writer = csv.writer(file)
    writer.writerow(header)
    count = 0
    for row in rows:
        writer.writerow([guarded(cell, raw=raw) for cell in row])
        count += 1
    return count


@contextmanager
def written(path: Path, *, raw: bool) -> Iterator[IO[str]]:
    """The text file to write; ``-`` is standard output.

    It gets its name when the block ends well, so that whoever takes it up finds a whole one, and
    only its owner may read it. Raises :exc:`UsageError` where nothing can be written, and where a
    database would be lost.
    """
    if path == STDOUT:
        yield sys.stdout
        return
    spare_databases(path)
    try:
        with _put_in_place(path) as place:
            # With a mark, or spreadsheets would take it for another encoding.
            encoding = "utf-8" if raw else "utf-8-sig"
            with open(place, "w", encoding=encoding, newline="", opener=private) as file:
                yield file
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def _put_in_place(path: Path) -> Iterator[Path]:
    """Where to write: beside *path*, from where it is moved there; a pipe or device as it is."""
    if path.exists() and not path.is_file():
        yield path
        return
    whole = path.resolve()  # a link stays one
    place = whole.with_name(f".{whole.name}.{os.getpid()}.partial")  # two may be under way
    try:
        yield place
        place.replace(whole)
    finally:
        with suppress(OSError):  # most likely it has been moved
            place.unlink()
