"""The file of rows that were not taken, beside the list they come from."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final, Self

from dialer.errors import UsageError
from dialer.lists.columns import HINT_COLUMN, REJECTED_COLUMNS
from dialer.lists.csvio import STDIN, Rejection, TableRow, spare_databases
from dialer.lists.decoding import mended
from dialer.own_files import private

#: A cell of a row that is written down is cut at this length: such a row could not be read at all.
MOST_CHARS: Final = 10_000


class RejectedRows:
    """The file of rows that were not taken: made when there is a first one.

    It has the columns of the list, so that it can be mended and imported again, and the reasons
    beside them, with *hints* what may be done. Only its owner may read it: it holds people's
    numbers.
    """

    def __init__(
        self, path: Path | None, header: Sequence[str], delimiter: str, *, hints: bool = False
    ) -> None:
        self._path = path
        self._header = header
        self._delimiter = delimiter
        self._hints = hints
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        if self._path is not None:
            _check_writable(self._path)
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def path(self) -> Path | None:
        """Where the rows are; None while there are none."""
        return self._path if self._file is not None else None

    @property
    def place(self) -> str:
        """Where rows are or would be, whatever folder somebody asks from; empty for nowhere."""
        return "" if self._path is None else str(self._path.resolve())

    def resume(self, size: int) -> None:
        """Go on behind the first *size* bytes, which are what is known to be true.

        Raises :exc:`UsageError` when the file has lost some of them.
        """
        if not size:
            return
        assert self._path is not None, "what has a size has a path"
        try:
            file = self._path.open("r+b")
        except OSError:
            raise self._lost() from None
        if os.fstat(file.fileno()).st_size < size:
            file.close()
            raise self._lost()
        file.truncate(size)
        file.seek(size)
        self._write_to(io.TextIOWrapper(file, encoding="utf-8", newline=""))

    def add(self, row: TableRow, fault: Rejection, hint: str = "") -> None:
        """Write a row down, with why it was not taken and a hint, in a file that has them."""
        if self._path is None:
            return
        if self._file is None:
            # With a mark, or spreadsheets would take it for another encoding.
            file = open(  # noqa: SIM115  closed by __exit__
                self._path, "w", encoding="utf-8-sig", newline="", opener=private
            )
            self._write_to(file)
            hint_column = [HINT_COLUMN] if self._hints else []
            self._writer.writerow([*self._header, *REJECTED_COLUMNS, *hint_column])
        width = len(self._header)
        cells = [mended(cell[:MOST_CHARS]) for cell in row.cells]
        cells += [""] * (width - len(cells))
        why = [row.number, fault.column, fault.reason, *([hint] if self._hints else [])]
        self._writer.writerow([*cells[:width], *why, *cells[width:]])

    def flush(self) -> int:
        """Have all rows in the file, safe from the end of this process; returns its size."""
        if self._file is None:
            return 0
        self._file.flush()
        return os.fstat(self._file.fileno()).st_size

    def _write_to(self, file: IO[str]) -> None:
        self._file = file
        self._writer = csv.writer(file, delimiter=self._delimiter)

    def _lost(self) -> UsageError:
        return UsageError(
            f"{self._path} no longer has the rows that were rejected before the import was cut",
            next_step="begin anew, nobody is added twice: add --again",
        )


def rejected_path(path: Path) -> Path:
    """Where the rejected rows of a list go when nobody says: beside it."""
    if path == STDIN:
        return Path("stdin.rejected.csv")
    folder = path.parent if path.is_file() else Path()  # beside a pipe nothing can be put
    return folder / f"{path.stem}.rejected.csv"


def _check_writable(path: Path) -> None:
    folder = path.parent
    spare_databases(path)
    if (
        path.is_dir()
        or not folder.is_dir()
        or not os.access(path if path.exists() else folder, os.W_OK)
    ):
        raise UsageError(f"rejected rows cannot be written to {path}; name another file for them")
