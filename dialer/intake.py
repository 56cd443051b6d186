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

from dialer.csvio import Rejection, Table, TableRow

#: Rows in one transaction: some tens of milliseconds, which a daemon waits without harm.
PORTION: Final = 1000

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


class Seen:
    """The numbers that have come so far, in a quarter of the memory a set takes.

    They lie in one flat array, each at the first free place from where it belongs on.
    """

    def __init__(self) -> None:
        self._places = array("Q", bytes(8 * _PLACES))  # 0: free
        self._count = 0

    def add(self, number: int) -> bool:
        """Take in a *number* from 1 to 2**64 - 1; False when it has come before."""
        places = self._places
        last = len(places) - 1
        at = (number * _SPREAD & _64_BITS) >> (64 - last.bit_length())
        while found := places[at]:
            if found == number:
                return False
            at = (at + 1) & last
        places[at] = number
        self._count += 1
        if 3 * self._count > 2 * len(places):
            self._grow()
        return True

    def _grow(self) -> None:
        before = self._places
        self._places, self._count = array("Q", bytes(2 * 8 * len(before))), 0
        for number in filter(None, before):
            self.add(number)


def portions(
    table: Table, kind: type[T], read: Callable[[TableRow], T | R], *, size: int = PORTION
) -> Iterator[Portion[T, R]]:
    """The rows of *table* in their order, *size* at a time; *read* makes a *kind* of a row, or
    says why it is rejected.
    """
    rows = table.rows()
    while some := list(islice(rows, size)):
        taken: list[T] = []
        origins: list[TableRow] = []
        rejected: list[tuple[TableRow, R]] = []
        for row in some:
            found = read(row)
            if isinstance(found, kind):
                taken.append(found)
                origins.append(row)
            else:
                rejected.append((row, cast(R, found)))  # what is no T
        yield Portion(taken, rejected, origins)
