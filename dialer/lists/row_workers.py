"""What rows of a list say about people, found out here or by other processes.

Theory of operation. :class:`Reading` is a pure function of the rows: it may run anywhere, and what
comes of a list does not depend on how many processes there are. They are given whole batches, a
bounded number of rows ahead, and answer in order. Ctrl-C is for the process that started them; when
that one is gone, however it went, they end by themselves.
"""

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any, Final, TypeAlias, cast

from dialer.errors import DialerError
from dialer.lists.columns import Columns, Field
from dialer.lists.csvio import Rejection, TableRow
from dialer.lists.intake import Batch
from dialer.lists.number_cells import NumberCell
from dialer.people.person import Person
from dialer.people.rows import Listed, as_listed
from dialer.timezones import pin_zone_data

#: Rows that go to a process at once: enough to make the way worth it.
BATCH: Final = 250
#: Rows that are read ahead of those that are stored.
AHEAD: Final = 20_000

#: Of :func:`gc.set_threshold`: every portion of rows is looked through once at the most.
_SELDOM: Final = (200_000, 50, 50)

Found: TypeAlias = Sequence[Listed | Rejection]
#: The same on its way between processes, with plain tuples for named ones: they are packed and
#: unpacked in a third of the time.
_Plain: TypeAlias = Sequence[tuple[Any, ...] | Rejection]
Read: TypeAlias = tuple[Batch, Found]


class CellFault(StrEnum):
    """Why a row of a workbook is not taken, besides what may be wrong with any row."""

    PHONE_AS_NUMBER = "phone_as_number"  # it has lost its plus and its zeros, if it had any


@dataclass(frozen=True, slots=True)
class PhoneAsNumber:
    """A row whose phone number is kept as a number."""

    column: str
    value: str
    reason: CellFault = CellFault.PHONE_AS_NUMBER


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are understood; *region* is where numbers without a country are."""

    columns: Columns
    region: str
    has_numbers: bool = False  # cells of a workbook may be numbers

    def __call__(self, rows: Iterable[TableRow]) -> Found:
        """The person each row tells of, as stored, or why it is rejected."""
        return [self._read(row) for row in rows]

    def _read(self, row: TableRow) -> Listed | Rejection:
        if row.fault is not None:
            return row.fault
        if self.has_numbers and (fault := self._lost_number(row)):
            return fault
        found = self.columns.read(row.cells, self.region)
        return as_listed(found) if isinstance(found, Person) else found

    def _lost_number(self, row: TableRow) -> PhoneAsNumber | None:
        """What is wrong with a phone number that its workbook keeps as a number."""
        for at in self.columns.fields[Field.PHONE]:
            cell = row.cells[at] if at < len(row.cells) else ""
            if cell.strip():
                return PhoneAsNumber(self.columns.header[at], cell) if _is_number(cell) else None
        return None


def _is_number(cell: str) -> bool:
    return isinstance(cell, NumberCell)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for garbage in cycles less often: rows are many, live briefly, and are in none."""
    before = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def reader(reading: Reading, workers: int) -> Iterator[Callable[[Iterable[Batch]], Iterator[Read]]]:
    """Reads batches in their order, in so many processes; with one, in this.

    Raises DialerError when a process ends by itself.
    """
    if workers == 1:
        yield lambda batches: ((batch, reading(batch.rows)) for batch in batches)
        return
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _begin, (reading, os.getpid())
    )
    try:
        with _interrupts_blocked():  # as they are in whoever is started now
            started = [pool.submit(_ready) for _ in range(workers)]
        yield lambda batches: _in_order(pool, started, batches)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, started: Iterable[Future[None]], batches: Iterable[Batch]
) -> Iterator[Read]:
    waiting: deque[tuple[Batch, Future[_Plain]]] = deque()
    try:
        for each in started:
            each.result()
        for batch in batches:
            waiting.append((batch, pool.submit(_work, [*map(tuple, batch.rows)])))
            if len(waiting) * BATCH >= AHEAD:
                first, found = waiting.popleft()
                yield first, _named(found.result())
        while waiting:
            first, found = waiting.popleft()
            yield first, _named(found.result())
    except BrokenProcessPool as error:
        raise DialerError(
            "a process that reads rows ended by itself",
            next_step="if memory has run out, leave out --workers; the import goes on where it was",
        ) from error


def _named(found: _Plain) -> Found:
    return [Listed._make(each) if type(each) is tuple else cast(Rejection, each) for each in found]


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    resource_tracker.ensure_running()  # which unblocks them when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- in a process of its own ----------------------------------------------------------------------

_READING: list[Reading] = []  # one, from the first moment on


def _begin(reading: Reading, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _READING[:] = [reading]
    pin_zone_data()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Leave when the process that asks is gone: nobody else would tell."""
    process = multiprocessing.parent_process()
    if process is not None and os.getppid() == parent:
        wait([process.sentinel])
    os._exit(1)


def _ready() -> None:
    """Nothing: whoever does it has begun."""


def _work(rows: Sequence[tuple[Any, ...]]) -> _Plain:
    (reading,) = _READING
    found = reading(map(TableRow._make, rows))
    return [tuple(each) if isinstance(each, Listed) else each for each in found]
