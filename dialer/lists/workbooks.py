"""Lists in workbooks (.xlsx): the rows of one sheet, as the sheet shows them.

Theory of operation. A workbook is an archive, and unpacking one that was made to do harm takes all
memory there is. So its parts are unpacked once beforehand, piece by piece and to nowhere, and
counted: bytes, and how far the cells of a sheet reach. What its own directory says of sizes is not
believed. Only then is it given to the library, which holds a sheet in memory as a whole.

A phone number that is kept as a number has lost its plus and its leading zeros, and nobody can tell
whether it had any: what a cell of numbers says is marked, so that it is not taken for one.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from hashlib import sha256
from typing import IO, Any, Final
from zipfile import BadZipFile, ZipFile, ZipInfo

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from dialer.errors import UsageError
from dialer.lists.csvio import Position, TableRow, checked_header
from dialer.lists.number_cells import NumberCell
from dialer.suggestions import close_matches, did_you_mean

#: A million people with ten columns are a quarter of this, unpacked.
MOST_BYTES: Final = 1 << 30
#: A part that shrinks further than lists do is a trap; small ones may.
MOST_RATIO: Final = 200
SMALL_BYTES: Final = 16 << 20
#: The library keeps the whole rectangle up to the last cell, empty ones too.
MOST_CELLS: Final = 20_000_000
MOST_PARTS: Final = 10_000

_CHUNK: Final = 1 << 18
_LOCAL_HEADER: Final = 30
_STORED, _DEFLATED = 0, 8
_MAIN_PART: Final = "xl/workbook.xml"
_SHEETS: Final = "xl/worksheets/"
#: How the old kind of container names what is encrypted.
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_OLD: Final = b"\xd0\xcf\x11\xe0"
_LOOKED_AT: Final = 8 << 20
_CELL: Final = re.compile(rb'<(?:\w+:)?c [^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
#: The beginning of a cell is at most so long: it may lie across two pieces.
_OVERLAP: Final = 256


class WorkbookTable:
    """A sheet whose rows may be read, as :class:`~dialer.lists.csvio.Table` asks."""

    has_numbers: Final = True

    def __init__(self, file: IO[bytes], name: str, sheet: str | None) -> None:
        _check(file, name)
        file.seek(0)
        self.name: Final = name
        self.digest: Final = _digest(file)
        self.delimiter: Final = ","
        found = _sheet(file, name, sheet)
        self.form: Final = f"workbook, sheet {found.name!r}"
        self._number = 0
        self.size: Final[int] = found.end[0] + 1 if found.end else 0  # its offsets are rows
        self._records = self._read(found.iter_rows())
        self.header: tuple[str, ...] = ()
        self.header = self._header()

    @property
    def position(self) -> Position:
        """Behind the last row that was handed out."""
        return Position(self._number, self._number)

    def rows(self) -> Iterator[TableRow]:
        """The rows below the header that are not blank, once."""
        return (row for row in self._records if any(map(str.strip, row.cells)))

    def _header(self) -> tuple[str, ...]:
        for row in self.rows():
            return checked_header(self.name, row.cells)
        raise UsageError(f"{self.name} is empty: its {self.form.removeprefix('workbook, ')} is")

    def _read(self, rows: Iterator[Sequence[Any]]) -> Iterator[TableRow]:
        for cells in rows:
            self._number += 1
            yield TableRow(self._number, [shown(cell) for cell in cells])


def shown(cell: Any) -> str:
    """A cell as its sheet shows it; of dates and numbers that depends on the country, so they are
    written as programs do."""
    match cell:
        case str():
            return cell.replace("\0", "")
        case bool():
            return "TRUE" if cell else "FALSE"
        case int():
            return NumberCell(str(cell))
        case float():
            return NumberCell(str(int(cell)) if cell.is_integer() else repr(cell))
        case datetime():
            day, hour = cell.date(), cell.time()
            return f"{day}" if hour == time() else f"{day} {hour.isoformat('seconds')}"
        case date():
            return f"{cell}"
        case time():
            return cell.isoformat("seconds")
    return str(cell)


def _digest(file: IO[bytes]) -> str:
    digest = sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _sheet(file: IO[bytes], name: str, sheet: str | None) -> Any:
    try:
        workbook = CalamineWorkbook.from_filelike(file)
        names = workbook.sheet_names
        if sheet is not None and sheet not in names:
            hint = did_you_mean(close_matches(sheet, names))
            listed = ", ".join(map(repr, names))
            raise UsageError(f"{name} has no sheet {sheet!r}; its sheets are {listed}{hint}")
        if not names:
            raise UsageError(f"{name} has no sheets")
        return workbook.get_sheet_by_name(sheet if sheet is not None else names[0])
    except PasswordError:
        raise _encrypted(name) from None
    except CalamineError as error:
        raise UsageError(
            f"{name} is a damaged workbook: {error}", next_step="save it again, or as CSV (UTF-8)"
        ) from None


# -- before anything is unpacked ------------------------------------------------------------------


def _check(file: IO[bytes], name: str) -> None:
    """Raise UsageError unless the library may be given the file."""
    head = file.read(_LOOKED_AT)
    if head.startswith(_OLD):
        if _ENCRYPTED in head:
            raise _encrypted(name)
        raise UsageError(
            f"{name} is a workbook of the old kind (.xls)",
            next_step="save it as .xlsx or as CSV (UTF-8) and import that",
        )
    try:
        with ZipFile(file) as archive:
            parts = archive.infolist()
    except (BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
        raise UsageError(
            f"{name} is a damaged workbook, or an archive", next_step="save it again"
        ) from None
    if _MAIN_PART not in {part.filename for part in parts}:
        raise UsageError(
            f"{name} is an archive, and no workbook (.xlsx)",
            next_step="unpack it, and import the list in it",
        )
    if any(part.flag_bits & 1 for part in parts):
        raise _encrypted(name)
    _check_sizes(file, name, parts)


def _check_sizes(file: IO[bytes], name: str, parts: Sequence[ZipInfo]) -> None:
    if len(parts) > MOST_PARTS:
        raise _trap(name, f"has {len(parts):,} parts")
    if sum(part.file_size for part in parts) > MOST_BYTES:  # by its own word
        raise _trap(name, f"unpacks to more than {MOST_BYTES >> 20:,} MB")
    whole = 0
    for part in parts:
        size = 0
        reach = _Reach()
        for piece in _unpacked(file, name, part):
            size += len(piece)
            if whole + size > MOST_BYTES:
                raise _trap(name, f"unpacks to more than {MOST_BYTES >> 20:,} MB")
            if size > SMALL_BYTES and size > MOST_RATIO * part.compress_size:
                raise _trap(name, f"unpacks to more than {MOST_RATIO} times its size")
            if part.filename.startswith(_SHEETS):
                reach.add(piece)
                if reach.cells > MOST_CELLS:
                    raise _trap(name, f"has a sheet of more than {MOST_CELLS:,} cells")
        whole += size


def _unpacked(file: IO[bytes], name: str, part: ZipInfo) -> Iterator[bytes]:
    """The bytes of a part, piece by piece, however many its directory says there are."""
    try:
        file.seek(part.header_offset)
    except (OSError, ValueError):  # before the file begins
        raise _trap(name, "is damaged") from None
    header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
        raise _trap(name, "is damaged")
    # Behind it are the name once more, and what comes with it.
    file.seek(sum(struct.unpack("<HH", header[26:])), 1)
    left = part.compress_size
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    if part.compress_type not in (_STORED, _DEFLATED):
        raise _trap(name, "is packed in a way that workbooks are not")
    try:
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            left -= len(chunk)
            if part.compress_type == _STORED:
                yield chunk
                continue
            while chunk:
                yield inflate.decompress(chunk, _CHUNK)
                chunk = inflate.unconsumed_tail
    except zlib.error:
        raise _trap(name, "is damaged") from None


class _Reach:
    """How far the cells of a sheet reach, from its pieces."""

    def __init__(self) -> None:
        self._columns = 0
        self._rows = 0
        self._before = b""

    @property
    def cells(self) -> int:
        return self._columns * self._rows

    def add(self, piece: bytes) -> None:
        found = _CELL.findall(self._before + piece)
        if found:
            self._columns = max(self._columns, *map(_column, {letters for letters, _ in found}))
            self._rows = max(self._rows, *(int(row) for _, row in found))
        self._before = piece[-_OVERLAP:]


def _column(letters: bytes) -> int:
    """The number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _encrypted(name: str) -> UsageError:
    return UsageError(
        f"{name} is encrypted", next_step="save it without a password, and import that"
    )


def _trap(name: str, what: str) -> UsageError:
    return UsageError(f"{name} {what}, and is not opened", next_step="save the list as CSV (UTF-8)")
