"""Bringing a list of people in: streamed, in portions, and going on where it was cut short.

Theory of operation. Each portion is one transaction: its contacts, its members, its rejected rows,
the counts so far and the place in the file behind it. Running the same import again (the same file
for the same campaign, read in the same way) goes on there. Which numbers came before is no longer
known then, so the rows before that place are read once more, and nothing but their numbers is kept.
An import that is done is not run again unless that is asked for: its report is given again.

The file of rejected rows is written before the portion commits, and its size goes with the portion;
whoever goes on cuts the file back to that size. So whatever ends the process, at whatever moment,
leaves contacts, members, counts and that file as an import that nobody cut would have them.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Final

from dialer import audit_log
from dialer.erased import ErasedPhones
from dialer.errors import DialerError, StoreError, UsageError
from dialer.importing import records as import_records
from dialer.importing.records import Begun, Example, Identity, ImportCounts, ImportState
from dialer.importing.sifting import Kept, PeoplePortion, Sieve, Sifted
from dialer.lists.columns import Columns, Field
from dialer.lists.csvio import START, Position, Rejection, Table, TableRow
from dialer.lists.intake import MOST_ROWS, NumbersSeen, Pace, Portion, batches
from dialer.lists.rejected_rows import RejectedRows
from dialer.lists.row_workers import BATCH, Read, Reading, collecting_seldom, reader
from dialer.people import contacts
from dialer.people.contacts import Changes, Enrolment
from dialer.people.person import RowFault
from dialer.people.rows import Existing, Listed, Retelling
from dialer.ports import Clock, Database, Tx
from dialer.work import Job, JobKind, JobState

#: A rejected value is kept up to this length.
VALUE_CHARS: Final = 200
#: Beside a daemon, a portion is followed by a rest, in seconds, in which others have their turn.
REST_S: Final = 0.01
#: The first rows of a list are shown to whoever wants to see what would become of it.
PREVIEW: Final = 20


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """A list, how it is to be read, and what for."""

    table: Table
    columns: Columns
    region: str  # of numbers without a country
    enrolment: Enrolment | None = None
    dry_run: bool = False
    existing: Existing = Existing.MERGE
    skip_elsewhere: bool = False  # keep out who waits for a call of another campaign
    again: bool = False  # begin anew, whatever came of it before
    workers: int = 1  # processes that read rows

    @property
    def identity(self) -> Identity:
        """What makes this the same import as another one."""
        enrolment = self.enrolment
        options = {
            "form": self.table.form,
            "mapping": self.columns.described(),
            "region": self.region,
            "priority": enrolment.priority if enrolment else None,
            "existing": self.existing,
            "skip_elsewhere": self.skip_elsewhere,
        }
        return Identity(
            self.table.digest,
            self.table.size,
            enrolment.campaign_id if enrolment else None,
            json.dumps(options, ensure_ascii=False),
        )

    @property
    def retelling(self) -> Retelling:
        """What becomes of people who are known."""
        told = frozenset(chain.from_iterable(_TELLS.get(each, ()) for each in self.columns.fields))
        return Retelling(self.existing, told, frozenset(self.columns.variables.values()))


#: Which column of a contact a field of a list tells.
_TELLS: Final = {
    Field.NAME: ("name",),
    Field.FIRST_NAME: ("name",),
    Field.LAST_NAME: ("name",),
    Field.EMAIL: ("email",),
    Field.TIMEZONE: ("zone",),
    Field.LANGUAGE: ("language",),
    Field.TAGS: ("tags",),
}


class Ending(StrEnum):
    """How a run came to its end."""

    DONE = "done"
    STOPPED = "stopped"  # somebody wanted it to end: the next run goes on
    REPEATED = "repeated"  # the list was in already: what is told is what came of it then


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What would become of one row."""

    row: int
    verdict: str  # add, update or same; of a rejected row the reason
    person: Listed | None
    cells: Sequence[str]


class Import:
    """One run over one list."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        order: ImportOrder,
        rejects: RejectedRows,
        erased: ErasedPhones | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._order = order
        self._rejects = rejects
        enrolment = order.enrolment
        self._sieve: Final = Sieve(
            erased,
            order.columns.phone_column,
            order.region,
            None if enrolment is None else enrolment.campaign_id,
            order.skip_elsewhere,
        )
        self._pace: Final = pace or Pace()
        self._seen: Final = NumbersSeen()  # the numbers of rows that were taken
        self._begun: Begun | None = None  # None for a dry run
        self._position = START  # behind the last row that is dealt with
        self.counts = ImportCounts()
        self.ending = Ending.DONE
        self.gone_on_after = 0  # rows that a run before this one has dealt with
        self.glimpses: Final[list[Glimpse]] = []  # of a dry run
        self.report_path = ""  # of an import that was in already
        self.finished_at: int | None = None  # of such an import

    @property
    def bytes_done(self) -> int:
        """How much of the file is dealt with."""
        return self._position.offset

    @property
    def already_members(self) -> int:
        """How many of those who were taken were members of the campaign before."""
        counts = self.counts
        if self._order.enrolment is None:
            return 0
        return counts.added + counts.updated + counts.same - counts.members_added

    async def run(
        self,
        progress: Callable[[ImportCounts], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> ImportCounts:
        """Bring the list in to its end; raises WrongStateError when its campaign takes nobody.

        *progress* is told after each portion; what it is told of is durable. *stop* is asked
        before each portion whether the run shall end there.
        """
        if not self._order.dry_run and not await self._begin():
            return self.counts
        try:
            await self._bring_in(progress, stop)
        except DialerError as error:
            await self._fail(error)
            raise
        return self.counts

    async def _bring_in(
        self, progress: Callable[[ImportCounts], None], stop: Callable[[], bool]
    ) -> None:
        order = self._order
        reading = Reading(order.columns, order.region, order.table.has_numbers)
        with collecting_seldom(), reader(reading, order.workers) as read:
            size = min(BATCH, self._pace.alone)
            found = read(batches(order.table, size, edge=self._position.row))
            through = await self._replay(found, stop) and await self._portions(
                found, progress, stop
            )
        await self._end(stopped=not through)

    async def _portions(
        self,
        found: Iterator[Read],
        progress: Callable[[ImportCounts], None],
        stop: Callable[[], bool],
    ) -> bool:
        """Deal with all rows that are left; False when the run shall end before."""
        while not stop():
            beside = await self._beside_daemon()
            some = _taken_from(found, self._pace.rows(beside_daemon=beside))
            if not some:
                return True
            if not await self._deal_with(some):
                return False
            progress(self.counts)
            if beside:
                await asyncio.sleep(REST_S)
        return False

    # -- beginning and end ------------------------------------------------------------------------

    async def _begin(self) -> bool:
        """Begin, or go on with what was begun; False when there is nothing left to do."""
        order, now, identity = self._order, self._clock.now(), self._order.identity
        async with self._database.write() as tx:
            before = None if order.again else await import_records.latest(tx, identity, now)
            if before is not None:
                self.counts = await import_records.counts_of(tx, before)
                if before["state"] == ImportState.DONE:
                    self.ending = Ending.REPEATED
                    self.finished_at = before["finished_at"]
                    self.report_path = before["report_path"] if self.counts.rejected else ""
                    return False
            job = await Job.start(tx, JobKind.IMPORT, order.table.name, now, total=identity.size)
            if before is not None:
                self._begun = await import_records.take_over(tx, before, job, self._rejects.place)
                self._go_on(self._begun)
            else:
                self._begun = await self._begin_anew(tx, identity, job, now)
            self.counts.import_id = self._begun.import_id
            after = {
                "import_id": self._begun.import_id,
                "campaign_id": identity.campaign_id,
                "region": order.region,
                "mapping": order.columns.described(),
                "existing": order.existing,
                "after_row": self._position.row,
            }
            await audit_log.record(tx, "contacts.import", order.table.name, now, after=after)
        return True

    async def _begin_anew(self, tx: Tx, identity: Identity, job: Job, now: int) -> Begun:
        order = self._order
        return await import_records.begin(
            tx,
            identity,
            job,
            now,
            file_name=order.table.name,
            mapping=order.columns.described(),
            report_path=self._rejects.place,
        )

    def _go_on(self, begun: Begun) -> None:
        self._rejects.resume(begun.report_size)
        self._position = begun.position
        self.gone_on_after = self.counts.rows

    async def _replay(self, found: Iterator[Read], stop: Callable[[], bool]) -> bool:
        """Learn the numbers of the rows that are dealt with already, and come behind them; False
        when the run shall end instead."""
        last, silent_rows = START, 0
        while last.row < self._position.row:
            batch, people = next(found, (None, ()))
            if batch is None:
                break
            for row, each in zip(batch.rows, people, strict=True):
                if isinstance(each, Listed):
                    self._seen.add(_number(each), row.number)
            last = batch.position
            silent_rows += len(batch.rows)
            if silent_rows >= MOST_ROWS:
                silent_rows = 0
                await self._beat()
                if stop():
                    return False
        if last != self._position:
            raise UsageError(
                f"{self._order.table.name} is read in another way than when it was begun",
                next_step="begin anew, nobody is added twice: add --again",
            )
        return True

    async def _beat(self) -> None:
        if self._begun is not None:
            async with self._database.write() as tx:
                await self._begun.job.beat(tx, self._clock.now(), done=self._position.offset)

    async def _end(self, *, stopped: bool) -> None:
        if stopped:
            self.ending = Ending.STOPPED
        begun, now, counts = self._begun, self._clock.now(), self.counts
        if begun is None:
            return
        async with self._database.write() as tx:
            if stopped:
                words = f"stopped after {counts.rows:,} rows; the same command goes on"
                await begun.job.finish(tx, now, state=JobState.CANCELLED, message=words)
                return
            await import_records.finish(tx, begun, now)
            await begun.job.finish(tx, now, message=f"{counts.rows:,} rows")
            name = self._order.table.name
            await audit_log.record(tx, "contacts.imported", name, now, after=counts.facts())

    async def _fail(self, error: DialerError) -> None:
        if self._begun is None:
            return
        with suppress(StoreError):  # what has gone wrong before is what counts
            async with self._database.write() as tx:
                await self._begun.job.finish(
                    tx, self._clock.now(), state=JobState.FAILED, message=error.message
                )

    # -- a portion --------------------------------------------------------------------------------

    async def _beside_daemon(self) -> bool:
        async with self._database.read() as tx:
            return bool(await tx.rows("live_daemons", now=self._clock.now()))

    async def _deal_with(self, some: Sequence[Read]) -> bool:
        """Store what may be stored of some rows, or only see what storing it would do; False when
        the import was asked to end instead."""
        portion = self._sorted_out(some)
        position = some[-1][0].position
        if self._begun is None:
            async with self._database.read() as tx:
                sifted = await self._sieve.sifted(tx, portion)
                changes, members = await self._preview(tx, sifted)
            for row, fault in sifted.portion.rejected:
                self._rejects.add(row, fault)
        else:
            loop = asyncio.get_running_loop()
            async with self._database.write() as tx:
                since = loop.time()
                if await self._begun.job.cancelled(tx):
                    return False
                await tx.value("hold_contacts")
                sifted = await self._sieve.sifted(tx, portion)
                changes, members = await self._store(tx, self._begun, sifted, position)
            self._pace.held(portion.rows, loop.time() - since)
        self._count(sifted, changes, members)
        self._position = position
        return True

    def _sorted_out(self, some: Sequence[Read]) -> PeoplePortion:
        """Some rows by what was found in them; each number is taken once."""
        taken: list[Listed] = []
        origins: list[TableRow] = []
        rejected: list[tuple[TableRow, Rejection]] = []
        first_row = self._seen.add
        for batch, people in some:
            for row, each in zip(batch.rows, people, strict=True):
                if not isinstance(each, Listed):
                    rejected.append((row, each))
                elif first := first_row(_number(each), row.number):
                    rejected.append((row, self._repeated(each, first)))
                else:
                    taken.append(each)
                    origins.append(row)
        return Portion(taken, rejected, origins)

    def _repeated(self, person: Listed, first_row: int) -> Kept:
        value = f"{person.phone} = row {first_row:,}"
        return Kept(self._order.columns.phone_column, value, RowFault.DUPLICATE_IN_FILE)

    async def _preview(self, tx: Tx, sifted: Sifted) -> tuple[Changes, int]:
        order, portion = self._order, sifted.portion
        now = self._clock.now()
        changes = contacts.changes(portion.taken, sifted.known, now, order.retelling)
        if len(self.glimpses) < PREVIEW:
            self.glimpses.extend(_glimpses(portion, changes)[: PREVIEW - len(self.glimpses)])
        if order.enrolment is None:
            return changes, 0
        campaign_id = order.enrolment.campaign_id
        return changes, await contacts.newcomers(tx, campaign_id, portion.taken)

    async def _store(
        self, tx: Tx, begun: Begun, sifted: Sifted, position: Position
    ) -> tuple[Changes, int]:
        order, now, import_id = self._order, self._clock.now(), begun.import_id
        portion = sifted.portion
        changes = await contacts.put_listed(
            tx, portion.taken, sifted.known, now, order.retelling, import_id
        )
        members = 0
        if order.enrolment is not None:
            members = await contacts.enrol_listed(
                tx, portion.taken, order.enrolment, now, import_id
            )
        await tx.many("add_import_rows", [_kept(import_id, *each) for each in portion.rejected])
        for row, fault in portion.rejected:
            self._rejects.add(row, fault)
        await import_records.checkpoint(
            tx,
            begun,
            order.identity.campaign_id,
            self._position,
            position,
            self._rejects.flush(),
            rows_read=portion.rows,
            added=len(changes.added),
            updated=len(changes.updated),
            same=changes.same,
            rejected=len(portion.rejected),
            members_added=members,
            elsewhere=sifted.elsewhere,
        )
        await begun.job.beat(tx, now, done=position.offset)
        return changes, members

    def _count(self, sifted: Sifted, changes: Changes, members: int) -> None:
        counts, portion = self.counts, sifted.portion
        counts.rows += portion.rows
        counts.added += len(changes.added)
        counts.updated += len(changes.updated)
        counts.same += changes.same
        counts.members_added += members
        counts.elsewhere += sifted.elsewhere
        for row, fault in portion.rejected:
            counts.reject(fault.reason, Example(row.number, fault.column, fault.value))


def _taken_from(found: Iterator[Read], rows: int) -> Sequence[Read]:
    """The next batches, of so many rows in all, or of what is left."""
    some: list[Read] = []
    while rows > 0 and (each := next(found, None)) is not None:
        some.append(each)
        rows -= len(each[0].rows)
    return some


def _number(person: Listed) -> int:
    return int(person.phone[1:])


def _kept(import_id: int, row: TableRow, fault: Rejection) -> dict[str, object]:
    return {
        "import_id": import_id,
        "row_number": row.number,
        "column_name": fault.column,
        "value": fault.value[:VALUE_CHARS],
        "reason": fault.reason,
    }


def _glimpses(portion: PeoplePortion, changes: Changes) -> list[Glimpse]:
    """What would become of each row of a portion, in their order."""
    added = {each.phone for each in changes.added}
    updated = {each["phone"] for each in changes.updated}

    def verdict(phone: str) -> str:
        return "add" if phone in added else "update" if phone in updated else "same"

    found = [
        *(
            Glimpse(row.number, verdict(each.phone), each, row.cells)
            for each, row in zip(portion.taken, portion.origins, strict=True)
        ),
        *(Glimpse(row.number, fault.reason, None, row.cells) for row, fault in portion.rejected),
    ]
    return sorted(found, key=lambda glimpse: glimpse.row)
