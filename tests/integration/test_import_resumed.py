"""An import that is cut short, wherever, and run again is an import that nobody cut."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dialer import do_not_call, work
from dialer.errors import UsageError, WrongStateError
from dialer.importing.imports import Ending, Import, ImportOrder
from dialer.lists.columns import match, parse_map
from dialer.lists.csvio import open_table
from dialer.lists.intake import Pace
from dialer.lists.rejected_rows import RejectedRows
from dialer.model import CampaignId
from dialer.people.contacts import Enrolment
from dialer.people.rows import Existing
from dialer.ports import Database
from dialer.store.opening import AnyDatabase, opened
from dialer.work import JobKind, JobState
from tests.support.cut_imports import KILLED, NOW, Cut, ListImport
from tests.support.given import given_campaign, read, write
from tests.support.meddled import Meddled

ROWS = 47
#: Who must not be called, wherever they are in the list.
LISTED = "+12025550031"


class StoppedClock:
    def now(self) -> int:
        return NOW


def phone(number: int) -> str:
    return f"+1202555{number:04}"


def a_list(delimiter: str = ",") -> str:
    """Rows of every kind: taken, broken, coming twice across portions, over several lines."""
    lines = [delimiter.join(["phone", "name", "note"])]
    for at in range(ROWS):
        number = phone(at) if at % 7 else ["nobody", phone(at // 2 + 1), ""][at // 7 % 3]
        note = f'"two\nlines, {at}"' if at % 5 == 0 else f"Grüße {at}"
        note = '"open' if at == 23 else note
        lines.append(delimiter.join([number, f"Zoë {at}", note]))
        if at % 9 == 0:
            lines.append("")
    return "\r\n".join(lines) + "\r\n"


FORMS = {
    "utf-8": a_list().encode(),
    "utf-8 with mark": a_list().encode("utf-8-sig"),
    "utf-16": a_list("\t").encode("utf-16"),
    "cp1252, semicolon": a_list(";").encode("cp1252"),
    "sep line": ("sep=|\r\n" + a_list("|")).encode(),
    "line feeds": a_list().replace("\r\n", "\n").encode(),
    "returns": a_list().replace("\r\n", "\r").encode(),
}


async def everything(database: AnyDatabase, rejects: Path) -> Any:
    """All that an import leaves behind, whatever ids it was given."""
    async with database.read() as tx:
        contacts = await read(
            tx,
            "SELECT phone, name, email, zone, place, language, tags, variables, created_at,"
            " changed_at, import_id IS NULL FROM contacts ORDER BY id",
        )
        members = await read(
            tx,
            "SELECT c.phone, m.window_key, m.state, m.priority, m.next_at, m.import_id IS NULL"
            " FROM members m JOIN contacts c ON c.id = m.contact_id ORDER BY m.id",
        )
        imports = await read(
            tx,
            "SELECT state, rows_read, added, updated, same, rejected, members_added, elsewhere,"
            " next_offset, next_row, report_size, started_at, finished_at FROM imports",
        )
        rows = await read(
            tx, "SELECT row_number, column_name, value, reason FROM import_rows ORDER BY 1"
        )
    return contacts, members, imports, rows, _bytes(rejects)


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


@asynccontextmanager
async def reopened(store: str) -> AsyncIterator[AnyDatabase]:
    async with opened(store, random.Random(1), busy_timeout_s=5) as database:
        yield database


async def prepared(database: Database) -> CampaignId:
    """A campaign, somebody who is known already, and somebody who must not be called."""
    campaign_id = await given_campaign(database, now=NOW, start=False)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO contacts (phone, name, place, created_at, changed_at)"
            " VALUES (?1, 'Ida', 'US America/New_York', 0, 0)",
            [(phone(40),)],
        )
        await do_not_call.add(tx, [LISTED], NOW)
    return campaign_id


async def bring_in(
    database: Database,
    order: ListImport,
    *,
    portions: int | None = None,
    **more: Any,
) -> Import:
    """Run an import, which somebody stops after so many portions."""
    left = iter(range(portions)) if portions is not None else None
    with open_table(order.path) as table:
        columns = match(table.header, parse_map([]))
        given = ImportOrder(table, columns, "US", Enrolment(order.campaign_id), **more)
        with RejectedRows(order.rejects, table.header, table.delimiter) as rejected:
            run = Import(database, StoppedClock(), given, rejected, pace=Pace(order.portion))
            await run.run(stop=lambda: left is not None and next(left, None) is None)
            return run


async def undisturbed(database: AnyDatabase, folder: Path, data: bytes) -> Any:
    """What the import of *data* leaves behind when nobody cuts it; the database is empty again."""
    path = folder / "whole.csv"
    path.write_bytes(data)
    order = ListImport("", path, folder / "whole.bad", await prepared(database))
    await bring_in(database, order)
    left = await everything(database, order.rejects)
    async with database.write() as tx:
        for table in ("members", "import_rows", "imports", "contacts", "dnc", "dnc_history"):
            await write(tx, f"DELETE FROM {table}", [()])
        for table in ("campaign_numbers", "campaigns", "agents", "numbers"):
            await write(tx, f"DELETE FROM {table}", [()])
    return left


# -- killed ---------------------------------------------------------------------------------------

AIMED = (
    Cut(1, "begun"), Cut(1, "flushed"), Cut(2, "checkpointed"), Cut(1, "committed"),
    Cut(3, "put"), Cut(2, "committed"), Cut(1, "begun"),
)  # fmt: skip


@pytest.mark.parametrize("seed", [None, 1, 2])
async def test_an_import_that_is_killed_again_and_again_is_as_if_it_had_not_been(
    store: str, tmp_path: Path, seed: int | None
) -> None:
    async with reopened(store) as database:
        whole = await undisturbed(database, tmp_path, FORMS["cp1252, semicolon"])
        path = tmp_path / "people.csv"
        path.write_bytes(FORMS["cp1252, semicolon"])
        order = ListImport(store, path, tmp_path / "people.bad", await prepared(database))
    rng = random.Random(seed)
    cuts = AIMED if seed is None else [Cut(rng.randrange(1, 16)) for _ in range(3)]

    codes = [await asyncio.to_thread(order.run, cut) for cut in cuts]
    last = await asyncio.to_thread(order.run)

    assert (codes, last) == ([KILLED] * len(cuts), 0)
    async with reopened(store) as database:
        assert await everything(database, order.rejects) == whole
        async with database.read() as tx:
            jobs = await work.listed(tx, NOW, limit=99, kind=JobKind.IMPORT)
    assert [job["state"] for job in jobs[1:-1]] == [JobState.CONTINUED] * len(cuts)


# -- stopped --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("portion", [1, 4])
async def test_an_import_goes_on_behind_every_portion(
    database: AnyDatabase, tmp_path: Path, form: str, portion: int
) -> None:
    whole = await undisturbed(database, tmp_path, FORMS[form])
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS[form])
    campaign_id = await prepared(database)
    order = ListImport("", path, tmp_path / "people.bad", campaign_id, portion)

    runs = [await bring_in(database, order, portions=1)]
    while runs[-1].ending is Ending.STOPPED:
        runs.append(await bring_in(database, order, portions=1))

    assert len(runs) > ROWS // portion
    assert await everything(database, order.rejects) == whole
    counts = runs[-1].counts
    assert (counts.rows, counts.added + counts.same + counts.updated) == (
        whole[2][0][1], len(whole[1]),
    )  # fmt: skip


async def test_a_list_that_is_in_tells_its_report_again(
    database: AnyDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS["utf-8"])
    order = ListImport("", path, tmp_path / "people.bad", await prepared(database))
    first = await bring_in(database, order)
    left = await everything(database, order.rejects)

    again = await bring_in(database, order)
    anew = await bring_in(database, order, again=True)

    assert (first.ending, again.ending, anew.ending) == (
        Ending.DONE, Ending.REPEATED, Ending.DONE,
    )  # fmt: skip
    assert again.counts == first.counts
    assert again.counts.examples == first.counts.examples
    assert again.report_path == str(order.rejects.resolve())
    assert anew.counts.import_id != first.counts.import_id
    assert (anew.counts.added, anew.counts.members_added) == (0, 0)
    assert (await everything(database, order.rejects))[1] == left[1]


@pytest.mark.parametrize("change", ["file", "kept out", "existing", "campaign"])
async def test_another_import_is_not_gone_on_with(
    database: AnyDatabase, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS["utf-8"])
    order = ListImport("", path, tmp_path / "people.bad", await prepared(database))
    await bring_in(database, order, portions=2)
    more: dict[str, Any] = {}
    if change == "file":
        path.write_bytes(FORMS["utf-8"] + b"+12025559999,Last,\r\n")
    elif change == "existing":
        more = {"existing": Existing.KEEP}
    elif change == "kept out":
        more = {"skip_elsewhere": True}
    else:
        other = await given_campaign(database, now=NOW, name="Other", number_ids=[1], start=False)
        order = ListImport("", path, tmp_path / "other.bad", other)

    run = await bring_in(database, order, **more)

    assert (run.ending, run.gone_on_after) == (Ending.DONE, 0)


# -- what keeps two apart -------------------------------------------------------------------------


async def test_an_import_is_not_run_twice_at_a_time(database: AnyDatabase, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS["utf-8"])
    order = ListImport("", path, tmp_path / "people.bad", await prepared(database))
    await bring_in(database, order, portions=2)
    async with database.write() as tx:
        await write(tx, "UPDATE jobs SET state = 'running', ended_at = NULL", [()])

    with pytest.raises(WrongStateError, match="running already"):
        await bring_in(database, order)


async def test_who_lost_an_import_to_another_process_stores_nothing_more(
    database: AnyDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS["utf-8"])
    order = ListImport("", path, tmp_path / "people.bad", await prepared(database))

    async def take_over() -> None:
        async with database.write() as tx:
            other = await work.Job.start(tx, JobKind.IMPORT, "people.csv", NOW)
            await write(tx, "UPDATE imports SET job_id = ?1", [(other.id,)])

    with pytest.raises(WrongStateError, match="is gone on with by another process"):
        await bring_in(Meddled(database, 4, take_over), order)  # it began, and stored two portions

    async with database.read() as tx:
        stored = await read(tx, "SELECT count(*) FROM contacts WHERE import_id IS NOT NULL")
        (record,) = await read(tx, "SELECT rows_read, added FROM imports")
    assert record[0] == 2 * order.portion
    assert stored[0][0] == record[1]


async def test_a_job_that_is_to_end_ends_after_its_portion_and_is_gone_on_with(
    database: AnyDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS["utf-8"])
    order = ListImport("", path, tmp_path / "people.bad", await prepared(database))

    async def cancel() -> None:
        async with database.write() as tx:
            (job,) = await work.listed(tx, NOW, limit=1)
            await work.cancel(tx, job["id"], NOW)

    run = await bring_in(Meddled(database, 3, cancel), order)
    async with database.read() as tx:
        (job,) = await work.listed(tx, NOW, limit=1)
    rest = await bring_in(database, order)
    async with database.read() as tx:
        states = [each["state"] for each in await work.listed(tx, NOW, limit=9)]

    assert (run.ending, run.counts.rows) == (Ending.STOPPED, 5)
    assert states == [JobState.DONE, JobState.CONTINUED]
    assert (job["state"], job["message"]) == (
        JobState.CANCELLED, "stopped after 5 rows; the same command goes on",
    )  # fmt: skip
    assert (rest.ending, rest.gone_on_after) == (Ending.DONE, 5)


# -- the rejected rows ----------------------------------------------------------------------------


async def test_rejected_rows_that_are_lost_are_not_glossed_over(
    database: AnyDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS["utf-8"])
    order = ListImport("", path, tmp_path / "people.bad", await prepared(database))
    await bring_in(database, order, portions=4)
    order.rejects.write_bytes(order.rejects.read_bytes()[:-1])

    with pytest.raises(UsageError, match="no longer has the rows that were rejected") as lost:
        await bring_in(database, order)
    order.rejects.unlink()
    with pytest.raises(UsageError, match="no longer has the rows that were rejected"):
        await bring_in(database, order)
    anew = await bring_in(database, order, again=True)

    assert lost.value.next_step is not None
    assert "--again" in lost.value.next_step
    assert anew.ending is Ending.DONE


async def test_rejected_rows_stay_in_one_file(database: AnyDatabase, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS["utf-8"])
    order = ListImport("", path, tmp_path / "people.bad", await prepared(database))
    await bring_in(database, order, portions=4)
    elsewhere = ListImport("", path, tmp_path / "other.bad", order.campaign_id)

    with pytest.raises(UsageError, match=r"rejected so far are in .*people\.bad"):
        await bring_in(database, elsewhere)


async def test_an_import_is_on_record_as_a_job(database: AnyDatabase, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FORMS["utf-8"])
    order = ListImport("", path, tmp_path / "people.bad", await prepared(database))

    await bring_in(database, order)

    async with database.read() as tx:
        (job,) = await work.listed(tx, NOW, limit=9)
    assert (job["state"], job["kind"], job["subject"]) == ("done", "import", str(path))
    assert job["total"] == path.stat().st_size
    assert job["done"] <= job["total"]
    assert job["message"] == f"{run_rows(path)} rows"


def run_rows(path: Path) -> int:
    """The rows of a list that are not blank."""
    with open_table(path) as table:
        return sum(1 for _ in table.rows())
