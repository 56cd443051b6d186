"""A list taken in portion by portion: what every kind of list has in common.

Theory of operation. A portion is one transaction of its import, so whatever interrupts an import
leaves whole portions behind. Only one portion is held at a time: a list may be of any length.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from dialer.lists.csvio import Position, Rejection, Table, TableRow

#: Rows in one transaction: some tens of milliseconds, which a daemon waits without harm.
PORTION: Final = 1000
#: Rows in one transaction while nobody else needs the database: the index of phone numbers is
#: written back once for all of them.
MOST_ROWS: Final = 20_000
LEAST_ROWS: Final = 250
#: So long a transaction may hold a daemon up, in seconds.
LOCK_S: Final = 0.025

_PLACES: Final = 16  # at first; a power of two, as it stays
#: Times this, neighbouring numbers lie far apart: Knuth's multiplicative hashing.
_SPREAD: Final = 0x9E3779B97F4A7C15
_64_BITS: Final = 0xFFFFFFFFFFFFFFFF

T = TypeVar("T")
R = TypeVar("R", bound=Rejection)


class RowCounts(Protocol):
    """What every import counts: rows that are dealt with, and the rejected ones by reason."""

    rows: int
    rejected: Counter[Any]


@dataclass(frozen=True, slots=True)
class Portion(Generic[T, R]):
    """Some rows, sorted out."""

    taken: Sequence[T]
    rejected: Sequence[tuple[TableRow, R]]
    origins: Sequence[TableRow] = ()  # of what was taken, in the same order

    @property
    def rows(self) -> int:
        return len(self.taken) + len(self.rejected)


class NumbersSeen:
    """The numbers that have come so far, and in which row, in a fraction of a dictionary's memory.

    They lie in one flat array, each at the first free place from where it belongs on.
    """

    def __init__(self) -> None:
        self._places = array("Q", bytes(8 * _PLACES))  # 0: free
        self._rows = array("I", bytes(array("I").itemsize * _PLACES))
        self._shift = _shift(_PLACES)
        self._free = _most_numbers(_PLACES)

    def add(self, number: int, row: int) -> int:
        """Take in a *number* from 1 to 2**64 - 1; 0 when it is new, else its first row."""
        places = self._places
        at = (number * _SPREAD & _64_BITS) >> self._shift
        while found := places[at]:
            if found == number:
                return self._rows[at]
            at += 1
            if at == len(places):
                at = 0
        places[at], self._rows[at] = number, row
        self._free -= 1
        if not self._free:
            self._grow()
        return 0

    def _grow(self) -> None:
        before, rows_before = self._places, self._rows
        size = 2 * len(before)
        last, shift = size - 1, _shift(size)
        places = array("Q", bytes(before.itemsize * size))
        rows = array("I", bytes(rows_before.itemsize * size))
        for number, row in zip(before, rows_before, strict=True):
            if number:
                at = (number * _SPREAD & _64_BITS) >> shift
                while places[at]:
                    at = (at + 1) & last
                places[at], rows[at] = number, row
        self._places, self._rows, self._shift = places, rows, shift
        self._free = _most_numbers(size) - _most_numbers(len(before))


def _shift(places: int) -> int:
    """What is left of 64 bits then is a place."""
    return 64 - (places - 1).bit_length()


def _most_numbers(places: int) -> int:
    """With more of them than that, free places are far from where numbers belong."""
    return 2 * places // 3


class Pace:
    """How many rows the next transaction takes, beside a daemon or alone."""

    def __init__(self, alone: int = MOST_ROWS, beside: int = PORTION) -> None:
        self.alone: Final = alone
        self._beside = beside

    def rows(self, *, beside_daemon: bool) -> int:
        """So many that whoever else writes waits for :data:`LOCK_S` at the most, as far as the
        last ones tell; alone as many as serve the import best.
        """
        return self._beside if beside_daemon else self.alone

    def held(self, rows: int, seconds: float) -> None:
        """Learn that a transaction of *rows* held the database for so many *seconds*.

        The next is at the most twice and at the least half as large: one measurement is not much.
        """
        fitting = int(rows * LOCK_S / max(seconds, LOCK_S / 100))
        fitting = min(max(fitting, rows // 2), 2 * rows)
        self._beside = min(max(fitting, LEAST_ROWS), MOST_ROWS)


def portions(
    table: Table, kind: type[T], read: Callable[[TableRow], T | R], *, size: int = PORTION
) -> Iterator[Portion[T, R]]:
    """The rows of *table* in their order, *size* at a time; *read* makes a *kind* of a row, or
    says why it is rejected.
    """
    rows = table.rows()
    while some := list(islice(rows, size)):
        yield sorted_out(some, map(read, some), kind)


def sorted_out(rows: Sequence[TableRow], found: Iterator[T | R], kind: type[T]) -> Portion[T, R]:
    """*rows* by what was *found* in each: a *kind*, or why it is rejected."""
    taken: list[T] = []
    origins: list[TableRow] = []
    rejected: list[tuple[TableRow, R]] = []
    for row, each in zip(rows, found, strict=True):
        if isinstance(each, kind):
            taken.append(each)
            origins.append(row)
        else:
            rejected.append((row, cast(R, each)))  # what is no T
    return Portion(taken, rejected, origins)


# -- rows ahead of their portion ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows as they were read, and the place in the file behind them."""

    rows: Sequence[TableRow]
    position: Position


def batches(table: Table, size: int, edge: int = 0) -> Iterator[Batch]:
    """The rows of *table*, *size* at a time; one batch ends with the row of number *edge*."""
    some: list[TableRow] = []
    for row in table.rows():
        some.append(row)
        if len(some) == size or row.number == edge:
            yield Batch(some, table.position)
            some = []
    if some:
        yield Batch(some, table.position)
