"""Lists of people in whatever kind of file they come: text with separators, or a workbook."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dialer.errors import UsageError
from dialer.lists.csvio import WORKBOOKS, CsvTable, Table, seekable
from dialer.lists.decoding import look_through


@contextmanager
def open_list(
    path: Path,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> Iterator[Table]:
    """Open a list to read its rows; ``-`` is standard input. Which kind it is, is seen from what
    is in it.

    *encoding* and *delimiter* are for texts, *sheet* for workbooks; each is found out when it is
    not given. Raises :exc:`UsageError` for what cannot be read.
    """
    with ExitStack() as stack:
        file, name = seekable(path, stack)
        head = file.read(len(WORKBOOKS[0]))
        file.seek(0)
        if head.startswith(WORKBOOKS):
            _refuse(name, "a workbook", {"--encoding": encoding, "--delimiter": delimiter})
            from dialer.lists.workbooks import (
                WorkbookTable,  # only then: its library takes time to load
            )

            yield WorkbookTable(file, name, sheet)
        else:
            _refuse(name, "no workbook", {"--sheet": sheet})
            yield CsvTable(name, look_through(file, name, encoding, stack), delimiter)


def _refuse(name: str, what: str, options: dict[str, str | None]) -> None:
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{name} is {what}: {given[0]} is not for it", next_step="leave it out")
