"""Tables written as CSV, for spreadsheets or, *raw*, for programs; csvio reads both back."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from dialer.errors import UsageError
from dialer.lists.columns import guarded
from dialer.lists.csvio import spare_databases
from dialer.own_files import named_when_whole, private

#: The name that stands for standard output.
STDOUT: Final = Path("-")


class TableWriter:
    """Writes rows under *header*, no cell of which a spreadsheet runs unless *raw*."""

    def __init__(
        self, file: IO[str], header: Sequence[str], *, raw: bool, delimiter: str = ","
    ) -> None:
        self._rows = csv.writer(file, delimiter=delimiter)
        self._rows.writerow(header)
        self._raw = raw

    def add(self, row: Iterable[str]) -> None:
        """Write one row."""
        if self._raw:
            self._rows.writerow([guarded(cell, raw=True) for cell in row])
        else:
            # Blanks before a sign do not keep every spreadsheet from reading a formula. Most cells
            # begin with a letter or digit, and are not looked at any further.
            self._rows.writerow(
                [cell if cell[:1].isalnum() else guarded(cell) for cell in map(str.strip, row)]
            )


def write_table(
    file: IO[str], header: Sequence[str], rows: Iterable[Sequence[str]], *, raw: bool
) -> int:
    """Write *rows* under *header* as :class:`TableWriter` does, and count them."""
    writer = TableWriter(file, header, raw=raw)
    count = 0
    for row in rows:
        writer.add(row)
        count += 1
    return count


@contextmanager
def written(path: Path, *, raw: bool) -> Iterator[IO[str]]:
    """The text file to write, as :func:`placed` makes it; ``-`` is standard output."""
    if path == STDOUT:
        yield sys.stdout
        return
    with placed(path) as file:
        # With a mark, or spreadsheets would take it for another encoding.
        text = io.TextIOWrapper(file, "utf-8" if raw else "utf-8-sig", newline="")
        yield text
        text.flush()
        text.detach()


@contextmanager
def placed(path: Path) -> Iterator[IO[bytes]]:
    """The file to write at *path*.

    It gets its name when the block ends well, so that whoever takes it up finds a whole one, and
    only its owner may read it. Raises :exc:`UsageError` where nothing can be written, and where a
    database would be lost.
    """
    spare_databases(path)
    with (
        blamed_on(path),
        _put_in_place(path) as place,
        open(place, "wb", opener=private) as file,
    ):
        yield file


@contextmanager
def blamed_on(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write a file into :exc:`UsageError`."""
    try:
        yield
    except OSError as error:
        name = "standard output" if path == STDOUT else path
        raise UsageError(f"{name} cannot be written: {error.strerror}") from None


@contextmanager
def _put_in_place(path: Path) -> Iterator[Path]:
    """Where to write: beside *path*, from where it is moved there; a pipe or device as it is."""
    if path.exists() and not path.is_file():
        yield path
        return
    with named_when_whole(path) as place:
        yield place
