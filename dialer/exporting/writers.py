"""Files that exports are written to, record by record, in memory that does not grow with them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from dialer.errors import UsageError
from dialer.exporting.layout import Layout
from dialer.exporting.records import Record
from dialer.lists.columns import guarded
from dialer.lists.csvout import STDOUT, TableWriter, placed, written

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

#: The rows and columns of a worksheet, and the characters (UTF-16) of its cells:
#: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
SHEET_ROWS: Final = 1_048_576
SHEET_COLUMNS: Final = 16_384
CELL_CHARS: Final = 32_767

_json: Final = json.JSONEncoder(ensure_ascii=False).encode


class Format(StrEnum):
    """How an export is written."""

    CSV = "csv"
    CSV_SEMICOLON = "csv_semicolon"  # what spreadsheets of many countries read as columns
    XLSX = "xlsx"
    JSON = "json"  # one document
    JSONL = "jsonl"  # one object each line

    @property
    def is_table(self) -> bool:
        """Whether it has rows and cells."""
        return self not in (Format.JSON, Format.JSONL)


_ENDINGS: Final[Mapping[str, Format]] = {
    ".csv": Format.CSV,
    ".xlsx": Format.XLSX,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
}


class Writer(Protocol):
    """Takes the records of an export, once it knows the columns."""

    def begin(self, layout: Layout, head: Mapping[str, Any], rows: int) -> None:
        """Write what comes before the records, *rows* in number; *head* is what a document says
        beside them. Raises :exc:`UsageError` for what does not fit the format.
        """

    def add(self, record: Record) -> None:
        """Write one record."""

    def end(self) -> None:
        """Write what comes after the last record; it may take its time."""


def format_of(path: Path, told: Format | None) -> Format:
    """The format of a file: as *told*, else by the ending of its name, else CSV for standard
    output. Raises :exc:`UsageError` for an ending that says nothing, and for a workbook on
    standard output.
    """
    if path == STDOUT:
        if told is Format.XLSX:
            raise UsageError("a workbook is no text; name a file for it, as in people.xlsx")
        return told or Format.CSV
    found = told or _ENDINGS.get(path.suffix.lower())
    if found is None:
        raise UsageError(
            f"{path}: the name does not say which format it is to be",
            next_step="end it with .csv, .xlsx, .json or .jsonl, or say it: --format csv",
        )
    return found


@contextmanager
def writing(
    path: Path, kind: Format, *, raw: bool, instead: IO[str] | None = None
) -> Iterator[Writer]:
    """A writer to *path*, which gets its name when the block ends well; ``-`` is standard output,
    or the file that is written *instead* of it.

    Raises :exc:`UsageError` as :func:`~dialer.lists.csvout.placed` does. What is *raw* is left as
    it is, even where a spreadsheet would take it for a formula.
    """
    with ExitStack() as stack:
        if kind is Format.XLSX:
            file = stack.enter_context(placed(path))
            parts = TemporaryDirectory(
                prefix=f".{path.name}.", dir=path.resolve().parent, ignore_cleanup_errors=True
            )
            with parts as folder, closing(_Sheet(file, folder, raw=raw)) as sheet:
                yield sheet
            return
        text = instead or stack.enter_context(written(path, raw=raw or not kind.is_table))
        yield _text_writer(text, kind, raw=raw)


def _text_writer(file: IO[str], kind: Format, *, raw: bool) -> Writer:
    match kind:
        case Format.JSON:
            return _Document(file)
        case Format.JSONL:
            return _Lines(file)
        case _:
            return _Csv(file, ";" if kind is Format.CSV_SEMICOLON else ",", raw=raw)


class _Csv:
    def __init__(self, file: IO[str], delimiter: str, *, raw: bool) -> None:
        self._file, self._delimiter, self._raw = file, delimiter, raw

    def begin(self, layout: Layout, head: Mapping[str, Any], rows: int) -> None:  # noqa: ARG002  a table has no room for more
        self._layout = layout
        self._table = TableWriter(
            self._file, layout.header, raw=self._raw, delimiter=self._delimiter
        )

    def add(self, record: Record) -> None:
        self._table.add(map(str, self._layout.cells(record)))

    def end(self) -> None:
        self._file.flush()


class _Lines:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def begin(self, layout: Layout, head: Mapping[str, Any], rows: int) -> None:  # noqa: ARG002  each line stands for itself
        self._layout = layout

    def add(self, record: Record) -> None:
        self._file.write(f"{_json(self._layout.part(record))}\n")

    def end(self) -> None:
        self._file.flush()


class _Document:
    """``{…head, "contacts": [records]}``, one record a line; the last key of the head is theirs."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._between = "\n"

    def begin(self, layout: Layout, head: Mapping[str, Any], rows: int) -> None:  # noqa: ARG002  a document has room for any number
        self._layout = layout
        *facts, records = head
        told = "".join(f"{_json(name)}: {_json(head[name])}, " for name in facts)
        self._file.write(f"{{{told}{_json(records)}: [")

    def add(self, record: Record) -> None:
        self._file.write(f"{self._between}{_json(self._layout.part(record))}")
        self._between = ",\n"

    def end(self) -> None:
        self._file.write("\n]}\n")
        self._file.flush()


class _Sheet:
    """One worksheet whose texts are texts: no formulas, no links, no numbers made of phones."""

    def __init__(self, file: IO[bytes], folder: str, *, raw: bool) -> None:
        self._file, self._folder, self._raw = file, folder, raw
        self._sheet: Worksheet | None = None
        self._row = 0

    def begin(self, layout: Layout, head: Mapping[str, Any], rows: int) -> None:  # noqa: ARG002  a table has no room for more
        _check_fits(layout, rows)
        self._layout = layout
        self._book = _workbook(self._file, self._folder)
        # As text even when somebody edits the cell, or saves it as another format.
        self._text = None if self._raw else self._book.add_format(
            {"num_format": "@", "quote_prefix": True}
        )  # fmt: skip
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._write(layout.header)

    def add(self, record: Record) -> None:
        try:
            self._write([_fitting(each) for each in self._layout.cells(record)])
        except ValueError as error:
            who = record.get("id")
            raise UsageError(f"{who}: {error}", next_step="export it as CSV or JSON") from None

    def end(self) -> None:
        self._book.close()

    def close(self) -> None:
        """Let go of the rows, which a book that was not ended would keep open."""
        if self._sheet is not None:
            self._sheet.row_data_fh.close()

    def _write(self, cells: Sequence[str | int]) -> None:
        assert self._sheet is not None, "it has begun"
        for at, each in enumerate(cells):
            if isinstance(each, int):
                self._sheet.write_number(self._row, at, each)
            elif each:
                self._sheet.write_string(self._row, at, each, self._text)
        self._row += 1


def _workbook(file: IO[bytes], folder: str) -> "Workbook":
    from xlsxwriter import Workbook  # slow to import, and rarely wanted

    return Workbook(
        file,
        {
            "constant_memory": True,
            "tmpdir": folder,  # what is people's data lies nowhere else
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )


def _check_fits(layout: Layout, rows: int) -> None:
    for many, most, what in (
        (rows + 1, SHEET_ROWS, "rows"),
        (len(layout.columns), SHEET_COLUMNS, "columns"),
    ):
        if many > most:
            raise UsageError(
                f"a worksheet has {most:,} {what}, and this would take {many:,}",
                next_step="export CSV or JSON, or a part: --state, --tag, --columns",
            )


def _fitting(value: str | int) -> str | int:
    """A cell's value, with an apostrophe where an import would take one away."""
    if isinstance(value, int):
        return value
    text = guarded(value, raw=True)
    if len(text) * 2 > CELL_CHARS and len(text.encode("utf-16-le")) // 2 > CELL_CHARS:
        raise ValueError(f"a text of {len(text):,} characters does not fit a cell of a worksheet")
    return text
