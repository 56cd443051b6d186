"""Taking lists out: contacts, members and calls as files that programs and people can read.

Theory of operation. All of an export is read from one snapshot, a page at a time, so its memory
does not grow and its rows are of one moment, whatever daemons do meanwhile; nobody waits for it.
The file gets its name when it is whole; standard output gets everything then, for its reader may
rest. What is exported is people's data: the audit log has an entry of the beginning, before the
first row leaves, and one of the end.
"""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from dialer import audit_log, campaigns
from dialer.errors import DialerError, StoreError, UsageError, WrongStateError
from dialer.exporting.history import kept_path
from dialer.exporting.layout import Layout, call_layout, chosen, contact_layout
from dialer.exporting.records import (
    Record,
    call_record,
    calls_by_contact,
    contact_record,
    instant,
    member_record,
)
from dialer.exporting.stdout import hand_over, held_back
from dialer.exporting.writers import Format, Writer, writing
from dialer.lists.csvout import STDOUT, blamed_on
from dialer.model import CampaignId
from dialer.ports import Clock, Database, Row, Tx
from dialer.states import MemberState
from dialer.work import Job, JobKind, JobState

#: Rows read and written at a time: some tens of milliseconds.
PAGE: Final = 1000
#: How often the job tells that it is alive, and looks whether it is to end.
BEAT_S: Final = 5
_MS: Final = 1000
_EVERY_CAMPAIGN: Final = CampaignId(0)
_EVER: Final = 2**62  # UTC ms


class What(StrEnum):
    """What is taken out."""

    CONTACTS = "contacts"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What to take out, and where to. Without a *campaign* it is everything of all."""

    what: What
    path: Path
    format: Format
    campaign: str | None = None  # its name or id
    states: Sequence[MemberState] = ()  # members in any of these; none: in whatever state
    tags: Sequence[str] = ()  # contacts with any of these; none: with whatever tags
    since_at: int | None = None  # calls from then on, UTC ms
    until_at: int | None = None  # and before then
    columns: Sequence[str] = ()  # none: all of them
    raw: bool = False  # leave what a spreadsheet would take for a formula
    with_calls: bool = False  # each contact's attempts, too

    def check(self) -> None:
        """Raise UsageError for what does not go together."""
        if self.states and self.campaign is None:
            raise UsageError("a contact has a state in a campaign: add --campaign NAME")
        if self.with_calls and self.format.is_table:
            raise UsageError(
                "each contact's calls fit into JSON only",
                next_step="add --format json, or: dialer calls export",
            )

    def options(self) -> dict[str, Any]:
        """What is kept of it; of what may tell of people, how much there was."""
        return {
            "states": list(self.states),
            "tags": len(self.tags),
            "columns": len(self.columns),
            "since_at": self.since_at,
            "until_at": self.until_at,
            "raw": self.raw,
            "with_calls": self.with_calls,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """How many records are written, and how many there are to write."""

    rows: int
    total: int


@dataclass(frozen=True, slots=True)
class Exported:
    """What has become of an export; the bytes of standard output are not counted."""

    export_id: int
    job_id: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Source:
    """The records of an export: how many, in which columns, and their pages."""

    campaign: Row | None
    total: int
    layout: Layout
    pages: AsyncGenerator[list[Record], None]


@dataclass(frozen=True, slots=True)
class _Begun:
    """An export that has its rows in the database."""

    id: int
    job: Job


class Export:
    """One run of an order."""

    def __init__(self, database: Database, clock: Clock, order: ExportOrder) -> None:
        order.check()
        self._database = database
        self._clock = clock
        self._order = order
        self._begun: _Begun | None = None
        self._rows = 0
        self._beat_at = clock.now()
        self.whole = False  # the file has its name

    async def run(self, progress: Callable[[Progress], None] = lambda _: None) -> Exported:
        """Write the file and return what was written; *progress* is told after each page.

        Raises UsageError when the order cannot be carried out, NotFoundError for a campaign nobody
        knows and WrongStateError when somebody cancels the job: then there is no file.
        """
        try:
            with _held_back(self._order.path) as held:
                await self._to_file(held, progress)
                if held is not None:
                    await self._hand_over(held)
        except DialerError as error:
            await self._fail(JobState.FAILED, error.message)
            raise
        except asyncio.CancelledError:
            await self._fail(JobState.CANCELLED, "interrupted")
            raise
        self.whole = True
        return await self._finish()

    async def _to_file(self, held: IO[str] | None, progress: Callable[[Progress], None]) -> None:
        order = self._order
        with writing(order.path, order.format, raw=order.raw, instead=held) as writer:
            await self._write(writer, progress)
            # A long workbook is packed for minutes.
            await self._alive_during(writer.end)

    async def _hand_over(self, held: IO[str]) -> None:
        """Give standard output what waits for it, now that no snapshot waits for its reader."""
        given_up = threading.Event()
        try:
            await self._alive_during(partial(hand_over, held, lambda: not given_up.is_set()))
        finally:
            given_up.set()

    async def _write(self, writer: Writer, progress: Callable[[Progress], None]) -> None:
        async with self._database.snapshot() as tx:
            source = await _source(tx, self._order)
            with blamed_on(self._order.path):  # or the store would take it for its own trouble
                writer.begin(source.layout, self._head(source), source.total)
            await self._begin(source)
            async with aclosing(source.pages) as pages:
                async for page in pages:
                    self._add(writer, page)
                    progress(Progress(self._rows, source.total))
                    if self._clock.now() - self._beat_at >= BEAT_S * _MS:
                        await self._beat()

    def _add(self, writer: Writer, page: Sequence[Record]) -> None:
        with blamed_on(self._order.path):
            for record in page:
                writer.add(record)
        self._rows += len(page)

    async def _alive_during(self, work: Callable[[], None]) -> None:
        """Do what takes its time beside the loop, while the job stays alive."""
        doing = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            while not (await asyncio.wait([doing], timeout=BEAT_S))[0]:
                await self._beat()
            with blamed_on(self._order.path):
                doing.result()
        finally:
            doing.cancel()  # what still writes finds its file closed

    async def _begin(self, source: _Source) -> None:
        order, now = self._order, self._clock.now()
        campaign_id = source.campaign["id"] if source.campaign else None
        shown = kept_path(order.path)
        async with self._database.write() as tx:
            job = await Job.start(tx, JobKind.EXPORT, shown, now, total=source.total)
            export_id = await tx.value(
                "add_export",
                job_id=job.id,
                what=order.what,
                campaign_id=campaign_id,
                format=order.format,
                path=shown,
                options=json.dumps(order.options()),
                now=now,
            )
            after = {
                "export_id": export_id,
                "format": order.format,
                "campaign_id": campaign_id,
                "rows": source.total,
                **order.options(),
            }
            await audit_log.record(tx, f"{order.what}.export", shown, now, after=after)
        self._begun = _Begun(int(export_id), job)

    async def _beat(self) -> None:
        begun, self._beat_at = self._running(), self._clock.now()
        async with self._database.write() as tx:
            await begun.job.beat(tx, self._beat_at, done=self._rows)
            cancelled = await begun.job.cancelled(tx)
            if cancelled:
                await begun.job.finish(
                    tx, self._beat_at, state=JobState.CANCELLED, message="as somebody asked"
                )
        if cancelled:
            whole = "nothing was exported" if self._order.path != STDOUT else "it is not whole"
            raise WrongStateError(
                f"job {begun.job.id} was cancelled: {whole}",
                next_step=f"dialer jobs show {begun.job.id}",
            )

    async def _finish(self) -> Exported:
        begun, now, order = self._running(), self._clock.now(), self._order
        size = order.path.stat().st_size if order.path.is_file() else 0
        async with self._database.write() as tx:
            await begun.job.beat(tx, now, done=self._rows)
            await begun.job.finish(tx, now)
            await tx.run(
                "finish_export", export_id=begun.id, rows_written=self._rows, bytes=size, now=now
            )
            after = {"export_id": begun.id, "rows": self._rows, "bytes": size}
            await audit_log.record(
                tx, f"{order.what}.exported", kept_path(order.path), now, after=after
            )
        return Exported(begun.id, begun.job.id, self._rows, size)

    async def _fail(self, state: JobState, message: str) -> None:
        if self._begun is None:  # it did not come so far
            return
        now = self._clock.now()
        with suppress(StoreError):  # then the job shows as interrupted, and why is told already
            async with self._database.write() as tx:
                await self._begun.job.beat(tx, now, done=self._rows)
                await self._begun.job.finish(tx, now, state=state, message=message)

    def _head(self, source: _Source) -> Mapping[str, Any]:
        return {
            "campaign": source.campaign["name"] if source.campaign else None,
            "exported_at": instant(self._clock.now()),
            str(self._order.what): (),
        }

    def _running(self) -> _Begun:
        assert self._begun is not None, "what is to end has begun"
        return self._begun


@contextmanager
def _held_back(path: Path) -> Iterator[IO[str] | None]:
    """What is written in place of standard output, as long as anything is read; else nothing."""
    if path != STDOUT:
        yield None
        return
    with blamed_on(path), held_back() as held:
        yield held


# -- where records come from ----------------------------------------------------------------------


async def _source(tx: Tx, order: ExportOrder) -> _Source:
    campaign = None if order.campaign is None else await campaigns.find(tx, order.campaign)
    campaign_id = campaign["id"] if campaign else _EVERY_CAMPAIGN
    if order.what is What.CALLS:
        asked = {
            "campaign_id": campaign_id,
            "since_at": order.since_at or 0,
            "until_at": _EVER if order.until_at is None else order.until_at,
        }
        layout = chosen(call_layout(), order.columns)
        total = await tx.value("count_calls_to_export", **asked)
        return _Source(campaign, total, layout, _calls(tx, asked))
    variables = await tx.rows("variable_names", campaign_id=campaign_id)
    names = [row["name"] for row in variables]
    layout = chosen(contact_layout(names, members=campaign is not None), order.columns)
    asked = {"tags": _json(order.tags)}
    if campaign is None:
        total = await tx.value("count_contacts_to_export", **asked)
        pages = _pages(tx, "export_contacts", 0, asked)
    else:
        asked |= {"campaign_id": campaign_id, "states": _json(order.states)}
        total = await tx.value("count_members_to_export", **asked)
        pages = _pages(tx, "export_members", 0, asked)
    people = _people(tx, pages, campaign_id, with_calls=order.with_calls)
    return _Source(campaign, total, layout, people)


async def _pages(
    tx: Tx, query: str, after: int | str, asked: Mapping[str, Any]
) -> AsyncGenerator[Sequence[Row], None]:
    """The rows of a query, page by page; *after* is before the id of the first."""
    while rows := await tx.rows(query, after=after, limit=PAGE, **asked):
        yield rows
        after = rows[-1]["id"]


async def _people(
    tx: Tx, pages: AsyncIterator[Sequence[Row]], campaign_id: CampaignId, *, with_calls: bool
) -> AsyncGenerator[list[Record], None]:
    record = contact_record if campaign_id == _EVERY_CAMPAIGN else member_record
    async for rows in pages:
        asked = {"contact_ids": _json([row["id"] for row in rows]), "campaign_id": campaign_id}
        talks = {row["contact_id"]: row for row in await tx.rows("export_talks", **asked)}
        records = [record(row, talks.get(row["id"])) for row in rows]
        if with_calls:
            calls = calls_by_contact(await tx.rows("export_calls_of", **asked))
            records = [each | {"calls": calls.get(each["id"], [])} for each in records]
        yield records


async def _calls(tx: Tx, asked: Mapping[str, Any]) -> AsyncGenerator[list[Record], None]:
    async for rows in _pages(tx, "export_calls", "", asked):
        yield [call_record(row) for row in rows]


def _json(values: Sequence[Any]) -> str:
    return json.dumps(list(values))
