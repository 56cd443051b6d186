"""Taking an import back: who was called stays, everybody else it brought goes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dialer import campaigns
from dialer.errors import NotFoundError, WrongStateError
from dialer.importing import records as import_records
from dialer.importing import undo as import_undo
from dialer.importing.imports import Ending, Import, ImportOrder
from dialer.importing.records import ImportState
from dialer.importing.undo import Undone
from dialer.lists.columns import match, parse_map
from dialer.lists.csvio import open_table
from dialer.lists.intake import Pace
from dialer.lists.rejected_rows import RejectedRows
from dialer.model import CampaignId, Claim
from dialer.people import contacts, edits
from dialer.people.contacts import Enrolment
from dialer.people.person import Person
from dialer.ports import Database
from dialer.states import CampaignEvent
from dialer.store.opening import AnyDatabase
from tests.support.engine import given_claimer
from tests.support.given import given_campaign, read, write
from tests.support.meddled import Meddled

NOW = 1_800_000_000_000


class StoppedClock:
    def now(self) -> int:
        return NOW


def phone(number: int) -> str:
    return f"+1202555{number:04}"


async def bring_in(
    database: Database,
    folder: Path,
    numbers: range,
    campaign_id: CampaignId | None,
    *,
    portions: int = 1_000,
    **more: Any,
) -> Import:
    path = folder / f"{numbers.start}-{numbers.stop}.csv"
    path.write_text("phone,name\n" + "".join(f"{phone(each)},New\n" for each in numbers))
    left = iter(range(portions))
    with open_table(path) as table, RejectedRows(None, table.header, ",") as rejected:
        enrolment = Enrolment(campaign_id) if campaign_id else None
        columns = match(table.header, parse_map([]))
        order = ImportOrder(table, columns, "US", enrolment, **more)
        run = Import(database, StoppedClock(), order, rejected, pace=Pace(5))
        await run.run(stop=lambda: next(left, None) is None)
        return run


async def undo(database: Database, run: Import, **more: Any) -> Undone:
    assert run.counts.import_id is not None
    return await import_undo.undo(database, StoppedClock(), run.counts.import_id, **more)


async def people(database: AnyDatabase) -> list[tuple[Any, ...]]:
    """(phone, name, members) of every contact."""
    async with database.read() as tx:
        return await read(
            tx,
            "SELECT c.phone, c.name, count(m.id) FROM contacts c"
            " LEFT JOIN members m ON m.contact_id = c.id GROUP BY c.id, c.phone, c.name"
            " ORDER BY c.phone",
        )


async def call(database: Database, number: int, *, state: str = "dialing") -> None:
    """Have a member claimed, as a claim writes it."""
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (?1, 'd', 0, 0)"
            " ON CONFLICT (id) DO NOTHING",
            [(1,)],
        )
        rows = await read(
            tx,
            "SELECT m.id, m.campaign_id FROM members m JOIN contacts c ON c.id = m.contact_id"
            f" WHERE c.phone = '{phone(number)}'",
        )
        member_id, campaign_id = rows[0]
        number_id = (await read(tx, "SELECT min(id) FROM numbers"))[0][0]
        await write(
            tx,
            "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,"
            " intent_at, send_at, check_at) VALUES (?1, ?2, ?3, ?4, 1, ?5, 'intent', '2027-01-15',"
            " 0, 0, 0)",
            [(f"a{number}", member_id, campaign_id, number_id, phone(number))],
        )
        await write(
            tx,
            "UPDATE members SET state = ?1, attempt_id = ?2 WHERE id = ?3",
            [(state, f"a{number}", member_id)],
        )


async def test_an_undone_import_leaves_what_was_there_before(
    database: AnyDatabase, tmp_path: Path
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    other = await given_campaign(database, now=NOW, name="Other", number_ids=[1], start=False)
    await bring_in(database, tmp_path, range(3), None)
    run = await bring_in(database, tmp_path, range(20), campaign_id)
    await bring_in(database, tmp_path, range(18, 22), other)

    undone = await undo(database, run)

    assert undone == Undone(run.counts.import_id or 0, 20, 15, 0, 0, 0, None)
    assert await people(database) == [
        *((phone(each), "New", 0) for each in range(3)),
        *((phone(each), "New", 1) for each in range(18, 22)),
    ]
    async with database.read() as tx:
        found = await import_records.found(tx, undone.import_id, NOW)
        logged = await read(tx, "SELECT subject FROM audit_log WHERE action = 'imports.undo'")
    assert (found["state"], found["undone_at"]) == (ImportState.UNDONE, NOW)
    assert logged == [(str(undone.import_id),)]


async def test_contacts_that_were_known_keep_what_the_list_told(
    database: AnyDatabase, tmp_path: Path
) -> None:
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO contacts (phone, name, place, created_at, changed_at)"
            " VALUES (?1, 'Old', 'US America/New_York', 0, 0)",
            [(phone(1),)],
        )
    run = await bring_in(database, tmp_path, range(4), None)

    undone = await undo(database, run)

    assert (undone.contacts, undone.updated) == (3, 1)
    assert await people(database) == [(phone(1), "New", 0)]


async def test_contacts_of_whom_somebody_has_told_since_stay(
    database: AnyDatabase, tmp_path: Path
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    run = await bring_in(database, tmp_path, range(4), campaign_id)
    async with database.write() as tx:
        ids = {row["phone"]: row["id"] for row in await tx.rows("list_contacts", limit=9)}
        await contacts.put(tx, [Person(phone(1), name="Ida")], NOW + 1)  # as a later list tells it
        await edits.tag(tx, [ids[phone(2)]], edits.Tags(("vip",)), NOW + 1)

    undone = await undo(database, run)

    assert (undone.members, undone.contacts, undone.told) == (4, 2, 2)
    assert await people(database) == [(phone(1), "Ida", 0), (phone(2), "New", 0)]


async def test_an_import_of_an_earlier_release_is_not_undone(
    database: AnyDatabase, tmp_path: Path
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    run = await bring_in(database, tmp_path, range(4), campaign_id)
    async with database.write() as tx:  # as the migration finds them
        await write(tx, "UPDATE imports SET job_id = NULL, options = '{}'", [()])
        for table in ("contacts", "members"):
            await write(tx, f"UPDATE {table} SET import_id = NULL", [()])

    with pytest.raises(WrongStateError, match="by an earlier release"):
        await undo(database, run)

    assert len(await people(database)) == 4
    async with database.read() as tx:
        found = await import_records.found(tx, run.counts.import_id or 0, NOW)
    assert found["state"] is ImportState.DONE


@pytest.mark.parametrize("state", ["dialing", "retry", "completed"])
async def test_who_was_called_keeps_an_import_from_being_undone_as_a_whole(
    database: AnyDatabase, tmp_path: Path, state: str
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    run = await bring_in(database, tmp_path, range(10), campaign_id)
    await call(database, 4, state=state)

    with pytest.raises(WrongStateError, match="1 of its members has been called") as refused:
        await undo(database, run)
    before = await people(database)
    undone = await undo(database, run, only_undialed=True)

    assert refused.value.next_step is not None
    assert "--only-undialed" in refused.value.next_step
    assert len(before) == 10
    assert (undone.members, undone.contacts, undone.dialed) == (9, 9, 1)
    assert await people(database) == [(phone(4), "New", 1)]


async def test_who_is_claimed_while_an_import_is_undone_stays(
    database: AnyDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_undo, "PORTION", 4)
    campaign_id = await given_campaign(database, now=NOW, start=False)
    run = await bring_in(database, tmp_path, range(10), campaign_id)
    # Allowed, the first portion, and then somebody of the second one is claimed.
    meddled = Meddled(database, 3, lambda: call(database, 6))

    undone = await undo(meddled, run)

    assert (undone.members, undone.dialed) == (9, 1)
    assert await people(database) == [(phone(6), "New", 1)]


async def test_a_running_campaign_and_an_undo_share_out_the_members(
    database: AnyDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_undo, "PORTION", 3)
    campaign_id = await given_campaign(
        database, now=NOW, call_interval_s=0.0, max_concurrent=500, start=False
    )
    run = await bring_in(database, tmp_path, range(60), campaign_id)
    async with database.write() as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.START, NOW)
    claimer = await given_claimer(database, StoppedClock())
    claimed: list[Claim] = []

    async def claim() -> None:
        for _ in range(12):
            claimed.extend(await claimer.take(campaign_id, limit=2))
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as both:
        undoing = both.create_task(undo(database, run, only_undialed=True))
        both.create_task(claim())

    undone = undoing.result()
    assert 0 < len(claimed) < 60
    left = await people(database)
    async with database.read() as tx:
        orphans = await read(
            tx, "SELECT a.id FROM attempts a LEFT JOIN members m ON m.id = a.member_id"
                " WHERE m.id IS NULL"
        )  # fmt: skip
    assert sorted(each[0] for each in left) == sorted(claim.to for claim in claimed)
    assert (undone.members, undone.dialed) == (60 - len(claimed), len(claimed))
    assert orphans == []


async def test_an_undo_that_was_cut_is_finished_by_the_next(
    database: AnyDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_undo, "PORTION", 4)
    campaign_id = await given_campaign(database, now=NOW, start=False)
    run = await bring_in(database, tmp_path, range(10), campaign_id)

    async def end() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await undo(Meddled(database, 3, end), run)
    halfway = await people(database)
    rest = await undo(database, run)
    nothing = await undo(database, run)

    assert [row[2] for row in halfway] == [0] * 4 + [1] * 6
    assert (rest.members, rest.contacts) == (6, 10)
    assert (nothing.members, nothing.contacts) == (0, 0)
    assert await people(database) == []


async def test_an_import_that_was_cut_can_be_undone_and_is_not_gone_on_with(
    database: AnyDatabase, tmp_path: Path
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    run = await bring_in(database, tmp_path, range(20), campaign_id, portions=2)
    undone = await undo(database, run)

    anew = await bring_in(database, tmp_path, range(20), campaign_id)

    assert (run.ending, undone.members, undone.contacts) == (Ending.STOPPED, 10, 10)
    assert (anew.ending, anew.gone_on_after, anew.counts.added) == (Ending.DONE, 0, 20)


async def test_an_import_that_is_undone_while_it_runs_stores_nothing_more(
    database: AnyDatabase, tmp_path: Path
) -> None:
    async def undo_it() -> None:
        async with database.write() as tx:
            await write(tx, "UPDATE jobs SET worker = ?1", [("elsewhere:1",)])
            await write(tx, "UPDATE jobs SET beat_at = ?1", [(0,)])  # it looks as if it were gone
            (row,) = await read(tx, "SELECT id FROM imports")
        await import_undo.undo(database, StoppedClock(), row[0])

    with pytest.raises(WrongStateError, match="was undone"):
        await bring_in(Meddled(database, 4, undo_it), tmp_path, range(20), None)

    assert await people(database) == []


async def test_a_running_import_and_none_at_all_are_not_undone(
    database: AnyDatabase, tmp_path: Path
) -> None:
    run = await bring_in(database, tmp_path, range(20), None, portions=1)
    async with database.write() as tx:
        await write(tx, "UPDATE jobs SET state = 'running', ended_at = NULL", [()])

    with pytest.raises(WrongStateError, match="is running"):
        await undo(database, run)
    with pytest.raises(NotFoundError, match="no import 99"):
        await import_undo.undo(database, StoppedClock(), 99)


async def test_imports_are_listed_newest_first(database: AnyDatabase, tmp_path: Path) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    await bring_in(database, tmp_path, range(3), None)
    await bring_in(database, tmp_path, range(9), campaign_id, portions=1)

    async with database.read() as tx:
        rows = await import_records.listed(tx, NOW, 9)

    assert [(row["state"], row["campaign"], row["added"]) for row in rows] == [
        (ImportState.INTERRUPTED, "Renewals", 2),
        (ImportState.DONE, None, 3),
    ]
