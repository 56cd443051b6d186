"""Bringing a list of people in: streamed, in portions, so that a running daemon goes on dialing.

Theory of operation. Each portion is one transaction: its contacts, its members, its rejected rows
and the counts so far. Since a contact is its number, importing the list again goes on where an
interrupted import stopped and doubles nothing. The audit log has an entry of its beginning and one
of its end: an import without the latter was interrupted.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeAlias

from dialer import audit_log, contacts
from dialer.columns import Columns
from dialer.contacts import Changes, Enrolment
from dialer.csvio import RejectedRows, Table, TableRow
from dialer.erased import ErasedPhones, keep_out
from dialer.intake import PORTION, Portion, Seen, portions
from dialer.people import Fault, Person, RowFault
from dialer.ports import Clock, Database, Tx

PeoplePortion: TypeAlias = Portion[Person, Fault]

#: A rejected value is kept up to this length.
VALUE_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """A list, how it is to be read, and what for."""

    table: Table
    columns: Columns
    region: str  # of numbers without a country
    enrolment: Enrolment | None = None
    dry_run: bool = False


@dataclass(slots=True)
class ImportCounts:
    """What has become of the rows so far."""

    import_id: int | None = None  # None for a dry run
    rows: int = 0
    added: int = 0
    updated: int = 0
    same: int = 0
    members_added: int = 0
    rejected: Counter[RowFault] = field(default_factory=Counter)

    def facts(self) -> dict[str, Any]:
        """All counts by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Import:
    """One run over one list."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        order: ImportOrder,
        rejects: RejectedRows,
        erased: ErasedPhones | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._order = order
        self._rejects = rejects
        self._erased = erased
        self._seen: Final = Seen()  # the numbers of rows that were taken
        self.counts: Final = ImportCounts()

    async def run(self, progress: Callable[[ImportCounts], None] = lambda _: None) -> ImportCounts:
        """Bring the list in to its end; raises WrongStateError when its campaign takes nobody.

        *progress* is told after each portion; what it is told of is durable.
        """
        if not self._order.dry_run:
            self.counts.import_id = await self._begin()
        for portion in portions(self._order.table, Person, self._read, size=PORTION):
            taken, changes, members = await self._take(portion)
            self._count(taken, changes, members)
            for row, fault in taken.rejected:
                self._rejects.add(row, fault)
            progress(self.counts)
        if not self._order.dry_run:
            await self._finish()
        return self.counts

    async def _begin(self) -> int:
        order, now = self._order, self._clock.now()
        campaign_id = order.enrolment.campaign_id if order.enrolment else None
        mapping = order.columns.described()
        async with self._database.write() as tx:
            import_id = await tx.value(
                "add_import",
                campaign_id=campaign_id,
                file_name=order.table.name,
                digest=order.table.digest,
                mapping=json.dumps(mapping, ensure_ascii=False),
                now=now,
            )
            after = {
                "import_id": import_id,
                "campaign_id": campaign_id,
                "region": order.region,
                "mapping": mapping,
            }
            await audit_log.record(tx, "contacts.import", order.table.name, now, after=after)
        return int(import_id)

    async def _finish(self) -> None:
        now, counts = self._clock.now(), self.counts
        async with self._database.write() as tx:
            await tx.run("finish_import", import_id=counts.import_id, now=now)
            await audit_log.record(
                tx, "contacts.imported", self._order.table.name, now, after=counts.facts()
            )

    def _read(self, row: TableRow) -> Person | Fault:
        columns = self._order.columns
        found = row.fault or columns.read(row.cells, self._order.region)
        if isinstance(found, Fault):
            return found
        if not self._seen.add(int(found.phone.removeprefix("+"))):
            return Fault(columns.phone_column, found.phone, RowFault.DUPLICATE_IN_FILE)
        return found

    async def _take(self, portion: PeoplePortion) -> tuple[PeoplePortion, Changes, int]:
        """Store what may be stored of a portion, or only see what storing it would do."""
        column, region = self._order.columns.phone_column, self._order.region
        if self._order.dry_run:
            async with self._database.read() as tx:
                portion = await keep_out(tx, self._erased, portion, column, region)
                return portion, *await self._preview(tx, portion.taken)
        async with self._database.write() as tx:
            await tx.value("hold_contacts")
            portion = await keep_out(tx, self._erased, portion, column, region)
            return portion, *await self._store(tx, portion)

    async def _preview(self, tx: Tx, people: Sequence[Person]) -> tuple[Changes, int]:
        enrolment = self._order.enrolment
        changes = await contacts.changes(tx, people, self._clock.now())
        if enrolment is None:
            return changes, 0
        return changes, await contacts.newcomers(tx, enrolment.campaign_id, people)

    async def _store(self, tx: Tx, portion: PeoplePortion) -> tuple[Changes, int]:
        enrolment, now = self._order.enrolment, self._clock.now()
        changes = await contacts.put(tx, portion.taken, now)
        members = await contacts.enrol(tx, portion.taken, enrolment, now) if enrolment else 0
        await tx.many("add_import_rows", [self._kept(*each) for each in portion.rejected])
        await tx.run(
            "count_import",
            import_id=self.counts.import_id,
            rows_read=portion.rows,
            added=len(changes.added),
            updated=len(changes.updated),
            same=changes.same,
            rejected=len(portion.rejected),
            members_added=members,
        )
        return changes, members

    def _kept(self, row: TableRow, fault: Fault) -> dict[str, object]:
        return {
            "import_id": self.counts.import_id,
            "row_number": row.number,
            "column_name": fault.column,
            "value": fault.value[:VALUE_CHARS],
            "reason": fault.reason,
        }

    def _count(self, portion: PeoplePortion, changes: Changes, members: int) -> None:
        counts = self.counts
        counts.rows += portion.rows
        counts.added += len(changes.added)
        counts.updated += len(changes.updated)
        counts.same += changes.same
        counts.members_added += members
        counts.rejected.update(fault.reason for _, fault in portion.rejected)
