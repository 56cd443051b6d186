"""Lists as files: CSV in whatever encoding and with whatever separator it comes.

Theory of operation. A file is read twice. The first pass finds out how it is encoded, that it is
text at all, and its fingerprint (:mod:`dialer.lists.decoding`); nothing is imported from a file
that cannot be read to its end. The second pass streams its rows, and knows after each at which byte
of the file the next one begins. A row that cannot be read (a quote that never closes, letters that
are none, a line without an end) is handed out as what it is, and reading goes on with the next
line: one bad row must not swallow the rows after it, nor the machine's memory.
"""

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
from enum import StrEnum
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol, Self

from dialer.errors import UsageError
from dialer.lists.decoding import ESCAPED, Text, look_through, mended
from dialer.people.person import Fault, RowFault

#: The name that stands for standard input.
STDIN: Final = Path("-")
DELIMITERS: Final = ",;\t|"
#: What every database begins with: https://www.sqlite.org/fileformat.html#magic_header_string
SQLITE_MAGIC: Final = b"SQLite format 3\0"
#: Zipped workbooks, and those of old.
WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
#: No list of people has more columns; each one that tells nothing else becomes a variable.
MOST_COLUMNS: Final = 1_000
#: A row is at most so many letters long, and its cells break it into so many lines: what is longer
#: is an open quote, or no list at all.
MOST_CHARS: Final = 1 << 20
MOST_LINES: Final = 1_000
#: Of a row that is too long so much is kept, to know it by.
KEPT_CHARS: Final = 1_000

#: The names of a database, its log, its lock and its key differ in these.
_BESIDE_A_DATABASE: Final = ("", "-wal", "-shm", "-journal", ".daemon", ".key")
_SAMPLE_LINES: Final = 50
#: Written by spreadsheets above the header to tell one another the separator.
_SEPARATOR_LINE: Final = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)
#: At the beginning of a file that was joined to another one.
_MARK: Final = "\ufeff"


class Rejection(Protocol):
    """Why a row was not taken: what is wrong, in which column, and with which value."""

    @property
    def column(self) -> str: ...

    @property
    def value(self) -> str: ...

    @property
    def reason(self) -> str: ...


class ReadFault(StrEnum):
    """Why a row cannot be read, besides what may be wrong with any row."""

    ROW_TOO_LONG = "row_too_long"  # more letters than a row of a list has


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row whose cells nobody can tell."""

    column: str
    value: str
    reason: ReadFault


class TableRow(NamedTuple):
    """A row as it stands in the file; *number* counts as spreadsheets do, the header being 1."""

    number: int
    cells: Sequence[str]
    fault: Rejection | None = None  # why the cells cannot be trusted


class Position(NamedTuple):
    """A place between two rows: the bytes before it, and the number of the last row before it."""

    offset: int
    row: int


#: Before everything.
START: Final = Position(0, 0)


class Table(Protocol):
    """A file that has been looked through and may be read."""

    @property
    def name(self) -> str: ...

    @property
    def form(self) -> str:
        """How it is written, in words."""

    @property
    def digest(self) -> str: ...

    @property
    def size(self) -> int:
        """What offsets go up to, in bytes."""

    @property
    def header(self) -> tuple[str, ...]: ...

    @property
    def delimiter(self) -> str:
        """Between the cells of rows that are written down again."""

    @property
    def has_numbers(self) -> bool:
        """Whether cells may be numbers, and not texts."""

    @property
    def position(self) -> Position:
        """Behind the last row that was handed out."""

    def rows(self) -> Iterator[TableRow]:
        """The rows below the header that are not blank, once."""


class CsvTable:
    """A CSV file that has been looked through and may be read; see :func:`open_table`."""

    has_numbers: Final = False

    def __init__(self, name: str, text: Text, delimiter: str | None = None) -> None:
        self.name: Final = name
        self.encoding: Final = text.encoding
        self.digest: Final = text.digest
        self.size: Final = text.size
        self._damaged = text.damaged
        self._lines = _Lines(text)
        _refuse_json(name, self._lines.sample())
        found, first_line = _separator(self._lines.sample())
        self.delimiter: Final = delimiter or found
        self._lines.skip(first_line)
        self._number = 0
        self._records = self._read()
        self.header: tuple[str, ...] = ()
        self.header = self._header()

    @property
    def form(self) -> str:
        """The encoding, and what is between the cells."""
        return f"{self.encoding}, {_DELIMITER_NAMES.get(self.delimiter, repr(self.delimiter))}"

    @property
    def position(self) -> Position:
        """Behind the last row that was handed out."""
        return Position(self._lines.offset, self._number)

    def rows(self) -> Iterator[TableRow]:
        """The rows below the header that are not blank, once."""
        return (row for row in self._records if row.fault or any(map(str.strip, row.cells)))

    def _header(self) -> tuple[str, ...]:
        for row in self._records:
            if row.fault is not None:
                raise UsageError(f"{self.name}: the header cannot be read ({row.fault.reason})")
            if any(map(str.strip, row.cells)):
                return checked_header(self.name, row.cells)
        raise UsageError(f"{self.name} is empty")

    def _read(self) -> Iterator[TableRow]:
        reader = csv.reader(
            self._lines, delimiter=self.delimiter, skipinitialspace=True, strict=True
        )
        while True:
            self._lines.mark()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooLongError):
                line = self._lines.back_to_second()
                self._number += 1
                yield TableRow(self._number, [mended(line[:KEPT_CHARS])], _fault_of(line))
            else:
                self._number += 1
                number = self._number
                yield self._checked(number, cells) if self._damaged else TableRow(number, cells)

    def _checked(self, number: int, cells: list[str]) -> TableRow:
        for at, cell in enumerate(cells):
            if ESCAPED.search(cell):
                column = self.header[at] if at < len(self.header) else ""
                fault = Fault(column, mended(cell), RowFault.BAD_ENCODING)
                return TableRow(number, [mended(each) for each in cells], fault)
        return TableRow(number, cells)


#: How JSON begins: an object, or a list of them.
_JSON: Final = re.compile(r"\s*(\[\s*)?\{\s*(\"|\}|$)|\s*\[\s*(\]|$)")
_DELIMITER_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def _refuse_json(name: str, sample: Sequence[str]) -> None:
    if _JSON.match("".join(sample[:2])):
        raise UsageError(
            f"{name} is JSON, and lists come as CSV or .xlsx",
            next_step="if it was exported here, export it as CSV: dialer contacts export FILE.csv",
        )


def delimiter_named(text: str) -> str:
    """The separator that an operator names, as itself or by its name; UsageError for others."""
    by_name = {name: mark for mark, name in _DELIMITER_NAMES.items()}
    found = by_name.get(text.casefold(), text.replace("\\t", "\t"))
    if len(found) != 1 or found in '"\r\n' or found.isalnum():
        names = ", ".join(by_name)
        raise UsageError(f"not a separator: {text!r} (one character, or {names})")
    return found


def checked_header(name: str, cells: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns; raises UsageError for more of them than a list has."""
    if len(cells) > MOST_COLUMNS:
        raise UsageError(
            f"{name} has {len(cells):,} columns; at most {MOST_COLUMNS:,} are taken",
            next_step="leave out those that are not needed, or name the separator: --delimiter",
        )
    return tuple(cell.strip() for cell in cells)


@contextmanager
def open_table(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None
) -> Iterator[CsvTable]:
    """Open a CSV file to read its rows; ``-`` is standard input.

    *encoding* and *delimiter* are found out when they are not given. Raises :exc:`UsageError` for
    what is no file, no text, or empty.
    """
    with ExitStack() as stack:
        file, name = seekable(path, stack)
        if file.read(len(WORKBOOKS[0])).startswith(WORKBOOKS):
            raise UsageError(
                f"{name} is a workbook or an archive, not CSV",
                next_step="save it as CSV (UTF-8) and import that",
            )
        file.seek(0)
        yield CsvTable(name, look_through(file, name, encoding, stack), delimiter)


def seekable(path: Path, stack: ExitStack) -> tuple[IO[bytes], str]:
    """A file that may be read again and again, and what it is called; the *stack* closes it."""
    file = stack.enter_context(_opened(path))
    if not _is_file(file):  # a pipe: it can be read once only
        spooled = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack closes it
        shutil.copyfileobj(file, spooled)
        spooled.seek(0)
        file = spooled
    return file, "standard input" if path == STDIN else str(path)


# -- the second pass ------------------------------------------------------------------------------


class _TooLongError(Exception):
    """A line that nobody wrote by hand, nor any program that writes lists."""


class _LongLine(str):
    """The beginning of a line that is too long, and the bytes behind it."""

    __slots__ = ("rest",)

    rest: int


class _Lines:
    """The lines of a text, which a reader that lost its way can take back."""

    def __init__(self, text: Text) -> None:
        text.file.seek(text.start)
        self._source = io.TextIOWrapper(text.file, text.codec, text.errors, newline="")
        self._measure = text.measure
        self._ahead: deque[str] = deque()
        self._taken: list[str] = []  # of the row that is being read
        self._chars = 0  # of those
        self._passed: list[str] = []  # of rows before it, not counted yet
        self._counted = text.start

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._next_line()
        if not line:
            raise StopIteration
        taken = self._taken
        taken.append(line)
        self._chars += len(line)
        if self._chars > MOST_CHARS or len(taken) > MOST_LINES:
            raise _TooLongError
        return line if len(taken) > 1 else line.removeprefix(_MARK)

    @property
    def offset(self) -> int:
        """The byte behind the last line that was taken."""
        return self._counted_through() + self._bytes(self._taken)

    def sample(self) -> list[str]:
        """The first lines, which stay to be read."""
        while len(self._ahead) < _SAMPLE_LINES and (line := self._next_line()):
            self._ahead.append(line)
        return list(self._ahead)

    def skip(self, lines: int) -> None:
        self._passed += [self._ahead.popleft() for _ in range(lines)]

    def mark(self) -> None:
        """A row begins here."""
        self._passed += self._taken
        self._taken.clear()
        self._chars = 0
        if len(self._passed) > MOST_LINES:
            self._counted_through()

    def back_to_second(self) -> str:
        """Give back all lines of the row but its first, which is returned."""
        self._ahead.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        return self._taken[0].rstrip("\r\n")

    def _next_line(self) -> str:
        line = self._source.readline(MOST_CHARS + 1)
        return line if len(line) <= MOST_CHARS else self._long(line)

    def _long(self, line: str) -> _LongLine:
        found, part = _LongLine(line), line
        found.rest = 0
        while part and not part.endswith(("\r", "\n")):
            part = self._source.readline(MOST_CHARS)
            found.rest += self._measure(part)
        return found

    def _counted_through(self) -> int:
        """The byte behind the rows that are passed; counted together, that is quicker."""
        self._counted += self._bytes(self._passed)
        self._passed.clear()
        return self._counted

    def _bytes(self, lines: Sequence[str]) -> int:
        longer = (line.rest for line in lines if isinstance(line, _LongLine))
        return self._measure("".join(lines)) + sum(longer)


def _fault_of(line: str) -> Rejection:
    """What is wrong with a row of which *line* is the first line: its length, or its quotes."""
    if len(line) > csv.field_size_limit():
        return Unreadable("", mended(line[:KEPT_CHARS]), ReadFault.ROW_TOO_LONG)
    return Fault("", mended(line[:KEPT_CHARS]), RowFault.BAD_QUOTING)


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
