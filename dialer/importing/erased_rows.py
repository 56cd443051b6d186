"""Who was erased does not come back by a list."""

from typing import Protocol, TypeVar, cast

from dialer.erased import ErasedPhones
from dialer.lists.csvio import Rejection, TableRow
from dialer.lists.intake import Portion
from dialer.people.person import Fault, RowFault
from dialer.phones import readings
from dialer.ports import Tx


class Callee(Protocol):
    """Whoever has a phone number."""

    @property
    def phone(self) -> str: ...


T = TypeVar("T", bound=Callee)
R = TypeVar("R", bound=Rejection)


async def keep_out(
    tx: Tx, erased: ErasedPhones | None, portion: Portion[T, R], column: str, region: str
) -> Portion[T, R]:
    """*portion* of a list without those who were erased, whose rows are rejected for it.

    Of such a row its place in the file stays, and nothing that it says: neither what is kept of
    rejected rows nor their file brings back what was erased. *column* is where the list has its
    numbers, *region* where those without a country are.
    """
    if erased is None or not await erased.any(tx):
        return portion
    told = [frozenset[str]().union(*(readings(cell, region) for cell in row.cells))
            for row, _ in portion.rejected]  # fmt: skip
    gone = await erased.among(tx, {each.phone for each in portion.taken}.union(*told))
    if not gone:
        return portion
    fault = cast(R, Fault(column, "", RowFault.ERASED))
    rows = list(zip(portion.taken, portion.origins, strict=True))
    rejected = [
        *(
            _emptied(row, fault) if phones & gone else (row, f)
            for (row, f), phones in zip(portion.rejected, told, strict=True)
        ),
        *(_emptied(row, fault) for each, row in rows if each.phone in gone),
    ]
    kept = [(each, row) for each, row in rows if each.phone not in gone]
    return Portion(
        [each for each, _ in kept],
        sorted(rejected, key=lambda pair: pair[0].number),
        [row for _, row in kept],
    )


def _emptied(row: TableRow, fault: R) -> tuple[TableRow, R]:
    return TableRow(row.number, ()), fault
