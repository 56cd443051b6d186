"""The do-not-call list as files: brought in from CSV, in portions, and written to CSV.

Theory of operation. A portion's entries are one transaction, and an entry is its phone and its
scope: importing a list again goes on where an interrupted import stopped and adds nothing twice.
An entry holds from the moment its portion has committed. What is exported is imported as the same
list; only who asked for an entry, and when, is then the file and the time of the import.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import lru_cache
from typing import IO, Any, Final, TypeAlias

from dialer import audit_log, campaigns, do_not_call
from dialer.do_not_call import EVERYWHERE, Added, Entry, Source
from dialer.erased import ErasedPhones
from dialer.errors import UsageError
from dialer.importing.erased_rows import keep_out
from dialer.lists.columns import OF_ENTRIES, Columns, Field, match, parse_map
from dialer.lists.csvio import Rejection, Table, TableRow
from dialer.lists.csvout import write_table
from dialer.lists.intake import PORTION, NumbersSeen, Portion, portions
from dialer.lists.rejected_rows import RejectedRows
from dialer.model import CampaignId
from dialer.people.person import Fault, RowFault
from dialer.ports import Clock, Database, Row, Tx
from dialer.suggestions import close_matches, did_you_mean

#: The columns of an exported list.
EXPORTED: Final = ("phone", "campaign", "note", "source", "created_at")


class EntryFault(StrEnum):
    """Why a row of a do-not-call list was not taken, besides what may be wrong with any row."""

    UNKNOWN_CAMPAIGN = "unknown_campaign"  # no campaign has that name


@dataclass(frozen=True, slots=True)
class UnknownCampaign:
    """A row that names a campaign which is none, and so nobody can say where it holds."""

    column: str
    value: str
    reason: EntryFault = EntryFault.UNKNOWN_CAMPAIGN


EntriesPortion: TypeAlias = Portion[Entry, Rejection]


@dataclass(frozen=True, slots=True)
class EntriesOrder:
    """A list, how it is to be read, and the scope of rows that name no campaign."""

    table: Table
    columns: Columns
    region: str  # of numbers without a country
    scope: CampaignId = EVERYWHERE


@dataclass(slots=True)
class EntryCounts:
    """What has become of the rows so far."""

    rows: int = 0
    added: int = 0
    same: int = 0  # listed before
    members_failed: int = 0  # they waited for a call that never comes
    rejected: Counter[str] = field(default_factory=Counter)

    def facts(self) -> dict[str, Any]:
        """All counts by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def columns_of(header: Sequence[str], mapping: Iterable[str]) -> Columns:
    """What the columns of a do-not-call list tell; *mapping* as for ``columns.parse_map``.

    Raises :exc:`UsageError` as ``columns.match`` does, and when several columns hold phone
    numbers: which of them must not be called is nothing to guess.
    """
    columns = match(header, parse_map(mapping, OF_ENTRIES), OF_ENTRIES)
    names = columns.described()[Field.PHONE]
    if len(names) > 1:
        raise UsageError(
            f"several columns hold phone numbers: {', '.join(map(repr, names))}",
            next_step=f"import the file once for each: --map phone={names[0]!r}",
        )
    return columns


class EntriesImport:
    """One run over one list."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        order: EntriesOrder,
        rejects: RejectedRows,
        erased: ErasedPhones | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._order = order
        self._rejects = rejects
        self._erased = erased
        self._campaigns: Mapping[str, CampaignId] = {}
        self._seen: Final = defaultdict[CampaignId, NumbersSeen](NumbersSeen)  # by scope
        self._hint = lru_cache(maxsize=1000)(self._closest)  # the same name comes again and again
        self.counts: Final = EntryCounts()

    async def run(self, progress: Callable[[EntryCounts], None] = lambda _: None) -> EntryCounts:
        """Bring the list in to its end; *progress* is told of what is durable."""
        if Field.CAMPAIGN in self._order.columns.fields:
            async with self._database.read() as tx:
                self._campaigns = await _campaigns(tx)
        sorted_out: Iterator[EntriesPortion] = portions(
            self._order.table, Entry, self._read, size=PORTION
        )
        scope, column = self._order.scope or None, self._order.columns.phone_column
        await self._record("dnc.import", {"region": self._order.region, "campaign_id": scope})
        for found in sorted_out:
            async with self._database.write() as tx:
                now = self._clock.now()
                await tx.value("hold_contacts")
                portion = await keep_out(tx, self._erased, found, column, self._order.region)
                done = await do_not_call.put(tx, portion.taken, now, source=Source.FILE)
            self._count(portion, done)
            for row, fault in portion.rejected:
                unknown = isinstance(fault, UnknownCampaign)
                self._rejects.add(row, fault, self._hint(fault.value) if unknown else "")
            progress(self.counts)
        await self._record("dnc.imported", self.counts.facts())
        return self.counts

    async def _record(self, action: str, after: Mapping[str, Any]) -> None:
        """One entry of the beginning and one of the end: without the latter it was interrupted."""
        async with self._database.write() as tx:
            name = self._order.table.name
            await audit_log.record(tx, action, name, self._clock.now(), after=after)

    def _read(self, row: TableRow) -> Entry | Rejection:
        if row.fault is not None:
            return row.fault
        columns = self._order.columns
        told = columns.told(row.cells, self._order.region)
        if isinstance(told, Fault):
            return told
        name, scope = told.value(Field.CAMPAIGN), self._order.scope
        if name:
            if name not in self._campaigns:
                return UnknownCampaign(columns.column_of(Field.CAMPAIGN, told), name)
            scope = self._campaigns[name]
        if self._seen[scope].add(int(told.phone.removeprefix("+")), row.number):
            return Fault(columns.phone_column, told.phone, RowFault.DUPLICATE_IN_FILE)
        return Entry(told.phone, scope, told.value(Field.NOTE))

    def _count(self, portion: EntriesPortion, done: Added) -> None:
        counts = self.counts
        counts.rows += portion.rows
        counts.added += done.added
        counts.same += done.present
        counts.members_failed += done.members_failed
        counts.rejected.update(fault.reason for _, fault in portion.rejected)

    def _closest(self, name: str) -> str:
        return did_you_mean(close_matches(name, self._campaigns)).removeprefix("; ")


def write_entries(
    rows: Iterable[Row], file: IO[str], *, shown: Callable[[int], str | None], raw: bool = False
) -> int:
    """Write entries as CSV that :class:`EntriesImport` reads, and return how many.

    *shown* writes their times; *raw* as for ``csvout.write_table``.
    """
    cells = (
        (
            row["phone"],
            row["campaign"] or "",
            row["note"],
            row["source"],
            shown(row["created_at"]) or "",
        )
        for row in rows
    )
    return write_table(file, EXPORTED, cells, raw=raw)


async def _campaigns(tx: Tx) -> dict[str, CampaignId]:
    """The ids of all campaigns by their names, as cells hold them: without blanks around."""
    names = [row["name"] for row in await tx.rows("campaign_names")]
    return {
        name.strip(): CampaignId((await campaigns.find(tx, name))["id"]) for name in reversed(names)
    }
