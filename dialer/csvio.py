"""Lists as files: CSV in whatever encoding and with whatever separator it comes.

Theory of operation. A file is read twice. The first pass finds out how it is encoded, that it is
text at all, and its fingerprint; nothing is imported from a file that cannot be read to its end.
The second pass streams its rows. A row that cannot be read (a quote that never closes, letters
that are none) is handed out as what it is, and reading goes on with the next line: one bad row
must not swallow the rows after it.
"""

import codecs
import csv
import io
import os
import re
import shutil
import stat
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Protocol, Self

from dialer.columns import HINT_COLUMN, REJECTED_COLUMNS
from dialer.errors import UsageError
from dialer.people import Fault, RowFault

#: The name that stands for standard input.
STDIN: Final = Path("-")
#: Western European, as spreadsheets on Windows write it: what is not UTF-8 is most likely this.
FALLBACK_ENCODING: Final = "cp1252"
DELIMITERS: Final = ",;\t|"

#: Longest first: the marks of UTF-32 begin with those of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # zipped ones, and those of old
#: What every database begins with: https://www.sqlite.org/fileformat.html#magic_header_string
SQLITE_MAGIC: Final = b"SQLite format 3\0"
#: The names of a database, its log, its lock and its key differ in these.
_BESIDE_A_DATABASE: Final = ("", "-wal", "-shm", "-journal", ".daemon", ".key")
_CHUNK: Final = 1 << 18
_SAMPLE_LINES: Final = 50
#: Bytes that are no letters come out of Python's decoders as these.
_ESCAPED: Final = re.compile("[\udc80-\udcff]")
_ASCII: Final = re.compile(r"[\x00-\x7f]")
#: Written by spreadsheets above the header to tell one another the separator.
_SEPARATOR_LINE: Final = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row as it stands in the file; *number* counts as spreadsheets do, the header being 1."""

    number: int
    cells: Sequence[str]
    fault: Fault | None = None  # why the cells cannot be trusted


class Table:
    """A CSV file that has been looked through and may be read; see :func:`open_table`."""

    def __init__(self, file: IO[bytes], name: str, text: "_Text") -> None:
        self.name: Final = name
        self.encoding: Final = text.encoding
        self.digest: Final = text.digest
        self.size: Final = text.size
        self._damaged = text.damaged
        self._file = file
        self._lines = _Lines(io.TextIOWrapper(file, text.encoding, text.errors, newline=""))
        self.delimiter, first_line = _separator(self._lines.sample())
        self._lines.skip(first_line)
        self._records = self._read()
        self.header: tuple[str, ...] = ()
        self.header = self._header()

    @property
    def bytes_read(self) -> int:
        """How much of the file has been taken in; the last rows taken may still be to come."""
        return self._file.tell()

    def rows(self) -> Iterator[TableRow]:
        """The rows below the header that are not blank, once."""
        return (row for row in self._records if row.fault or any(map(str.strip, row.cells)))

    def _header(self) -> tuple[str, ...]:
        for row in self._records:
            if row.fault is not None:
                raise UsageError(f"{self.name}: the header cannot be read ({row.fault.reason})")
            if any(map(str.strip, row.cells)):
                return tuple(cell.strip() for cell in row.cells)
        raise UsageError(f"{self.name} is empty")

    def _read(self) -> Iterator[TableRow]:
        reader = csv.reader(
            self._lines, delimiter=self.delimiter, skipinitialspace=True, strict=True
        )
        number = 0
        while True:
            number += 1
            self._lines.mark()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                line = self._lines.back_to_second()
                yield TableRow(number, [_mended(line)], Fault("", line, RowFault.BAD_QUOTING))
            else:
                yield self._checked(number, cells) if self._damaged else TableRow(number, cells)

    def _checked(self, number: int, cells: list[str]) -> TableRow:
        for at, cell in enumerate(cells):
            if _ESCAPED.search(cell):
                column = self.header[at] if at < len(self.header) else ""
                fault = Fault(column, _mended(cell), RowFault.BAD_ENCODING)
                return TableRow(number, [_mended(each) for each in cells], fault)
        return TableRow(number, cells)


@contextmanager
def open_table(path: Path, *, encoding: str | None = None) -> Iterator[Table]:
    """Open a CSV file to read its rows; ``-`` is standard input.

    *encoding* is found out when it is not given. Raises :exc:`UsageError` for what is no file, no
    text, or empty.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_opened(path))
        if not _is_file(file):  # a pipe: it can be read once only
            spooled = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(file, spooled)
            file = spooled
        name = "standard input" if path == STDIN else str(path)
        text = _look_through(file, name, encoding)
        file.seek(0)
        yield Table(file, name, text)


class Rejection(Protocol):
    """Why a row was not taken: what is wrong, in which column, and with which value."""

    @property
    def column(self) -> str: ...

    @property
    def value(self) -> str: ...

    @property
    def reason(self) -> str: ...


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

    def add(self, row: TableRow, fault: Rejection, hint: str = "") -> None:
        """Write a row down, with why it was not taken and a hint, in a file that has them."""
        if self._path is None:
            return
        if self._file is None:
            # With a mark, or spreadsheets would take it for another encoding.
            self._file = open(  # noqa: SIM115  closed by __exit__
                self._path, "w", encoding="utf-8-sig", newline="", opener=private
            )
            self._writer = csv.writer(self._file, delimiter=self._delimiter)
            hint_column = [HINT_COLUMN] if self._hints else []
            self._writer.writerow([*self._header, *REJECTED_COLUMNS, *hint_column])
        width = len(self._header)
        cells = [*row.cells, *[""] * (width - len(row.cells))]
        why = [row.number, fault.column, fault.reason, *([hint] if self._hints else [])]
        self._writer.writerow([*cells[:width], *why, *cells[width:]])


def rejected_path(path: Path) -> Path:
    """Where the rejected rows of a list go when nobody says: beside it."""
    if path == STDIN:
        return Path("stdin.rejected.csv")
    folder = path.parent if path.is_file() else Path()  # beside a pipe nothing can be put
    return folder / f"{path.stem}.rejected.csv"


# -- the first pass -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """What the first pass found out."""

    encoding: str
    digest: str
    size: int
    damaged: bool  # some bytes are no letters

    @property
    def errors(self) -> str:
        return "surrogateescape" if self.damaged else "strict"


@dataclass(slots=True)
class _Letters:
    """Counts of what a decoder made of the bytes."""

    blank: bool = True
    foreign: int = 0  # beyond ASCII
    escaped: int = 0

    def count(self, text: str, name: str) -> None:
        if "\0" in text:
            raise _no_text(name)
        self.blank = self.blank and not text.strip()
        if not text.isascii():
            escaped = len(_ESCAPED.findall(text))
            self.escaped += escaped
            self.foreign += len(_ASCII.sub("", text)) - escaped


def _look_through(file: IO[bytes], name: str, encoding: str | None) -> _Text:
    head = file.read(_CHUNK)
    if head.startswith(_WORKBOOKS):
        raise UsageError(
            f"{name} is a workbook or an archive, not CSV",
            next_step="save it as CSV (UTF-8) and import that",
        )
    marked = next((found for mark, found in _MARKS if head.startswith(mark)), None)
    found = _known(encoding) if encoding else marked or "utf-8"
    file.seek(0)
    letters, digest, size = _decoded(file, name, found)
    if letters.blank:
        raise UsageError(f"{name} is empty")
    # Beside true UTF-8 letters a few bad bytes are damage; without them it is another encoding.
    if not encoding and not marked and letters.escaped > letters.foreign:
        found = FALLBACK_ENCODING
        file.seek(0)
        letters, digest, size = _decoded(file, name, found)
    return _Text(found, digest, size, damaged=letters.escaped > 0)


def _decoded(file: IO[bytes], name: str, encoding: str) -> tuple[_Letters, str, int]:
    """What the file is in an encoding, its fingerprint and its size; raises when it is no text."""
    errors = "strict" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    letters, digest, size = _Letters(), sha256(), 0
    try:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            letters.count(decoder.decode(chunk), name)
        letters.count(decoder.decode(b"", final=True), name)
    except UnicodeError:
        raise UsageError(
            f"{name} cannot be read as {encoding}",
            next_step="save it as CSV (UTF-8), or say how it is written: --encoding NAME",
        ) from None
    return letters, digest.hexdigest(), size


def _known(encoding: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding)  # knows text encodings from others
    except (LookupError, ValueError):
        raise UsageError(
            f"no such encoding: {encoding!r} (as in utf-8, utf-16, cp1252, latin-1)"
        ) from None
    name = codecs.lookup(encoding).name
    return "utf-8-sig" if name == "utf-8" else name


def _no_text(name: str) -> UsageError:
    return UsageError(
        f"{name} is no text: it holds NUL characters",
        next_step="save it as CSV (UTF-8) and import that",
    )


# -- the second pass ------------------------------------------------------------------------------


class _Lines:
    """The lines of a text, which a reader that lost its way can take back."""

    def __init__(self, source: Iterator[str]) -> None:
        self._source = source
        self._ahead: deque[str] = deque()
        self._taken: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else next(self._source)
        self._taken.append(line)
        return line

    def sample(self) -> list[str]:
        """The first lines, which stay to be read."""
        self._ahead.extend(islice(self._source, _SAMPLE_LINES))
        return list(self._ahead)

    def skip(self, lines: int) -> None:
        for _ in range(lines):
            self._ahead.popleft()

    def mark(self) -> None:
        """A row begins here."""
        self._taken.clear()

    def back_to_second(self) -> str:
        """Give back all lines of the row but its first, which is returned."""
        first, *rest = self._taken
        self._ahead.extendleft(reversed(rest))
        return first.rstrip("\r\n")


def _separator(sample: Sequence[str]) -> tuple[str, int]:
    """What stands between the cells, and how many lines only serve to say so.

    The right one cuts the most rows into as many cells as the header, and the header into most.
    """
    if sample and (found := _SEPARATOR_LINE.fullmatch(sample[0])):
        return found[1], 1

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            rows = [row for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            return 0, 1
        width = len(rows[0]) if rows else 1
        if width == 1:
            return 0, 1
        return sum(len(row) == width for row in rows) / len(rows), width

    return max(DELIMITERS, key=fit), 0


def _mended(text: str) -> str:
    """*text* with a mark for each byte that is no letter, so that it can be stored and shown."""
    return _ESCAPED.sub("\N{REPLACEMENT CHARACTER}", text)


# -- files ----------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; name the file in it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield file


def _is_file(file: IO[bytes]) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def _check_writable(path: Path) -> None:
    folder = path.parent
    spare_databases(path)
    if (
        path.is_dir()
        or not folder.is_dir()
        or not os.access(path if path.exists() else folder, os.W_OK)
    ):
        raise UsageError(f"rejected rows cannot be written to {path}; name another file for them")


def spare_databases(path: Path) -> None:
    """Raise UsageError when a list written to *path* would replace a database, or what belongs to
    one: its log, its lock, its key.
    """
    file = path.resolve()
    for suffix in _BESIDE_A_DATABASE:
        owner = file.parent / file.name.removesuffix(suffix)
        if file.name.endswith(suffix) and _is_database(owner):
            belongs = "is a database" if owner == file else f"belongs to the database {owner.name}"
            raise UsageError(f"{path} {belongs} and would be lost; name another file")


def _is_database(file: Path) -> bool:
    if not file.is_file():  # to open a pipe would be to wait for it
        return False
    try:
        with file.open("rb") as stream:
            return stream.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError:  # what we may not read is no database of ours
        return False


def private(path: str, flags: int) -> int:
    """Open a file so that only its owner may read it."""
    return os.open(path, flags, 0o600)
