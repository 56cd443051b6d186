"""The audit log in both databases: one chain, whoever writes, and nothing taken back."""

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest

from dialer import audit_log, campaigns, do_not_call, numbers
from dialer.audit_log import ROOT, Broken, Entry, Fault
from dialer.errors import NotFoundError, StoreError
from dialer.model import CampaignId
from dialer.numbers import NewNumber
from dialer.ports import Database
from dialer.states import CampaignEvent
from dialer.store.opening import AnyDatabase, opened
from tests.support.engine import NOW, SetClock, given_claimer
from tests.support.given import given_campaign, write

PHONE = "+12025550123"


async def recorded(
    database: Database, action: str = "numbers.score", subject: str = "Main", **facts: Any
) -> None:
    async with database.write() as tx:
        await audit_log.record(tx, action, subject, NOW, **facts)


async def given_entries(database: Database, count: int) -> None:
    for number in range(1, count + 1):
        await recorded(database, after={"number": number})


async def entries(database: Database) -> list[Entry]:
    async with database.read() as tx:
        return [entry async for entry in audit_log.walk(tx)]


async def verdict(database: Database, expect: str | None = None) -> audit_log.Verdict:
    async with database.read() as tx:
        return await audit_log.verify(tx, expect)


async def forged(database: AnyDatabase, *statements: str) -> None:
    """Do what somebody does who owns the database."""
    events = ("UPDATE", "DELETE", "INSERT", "INSERTED")
    guards = [f"DROP TRIGGER audit_log_{event}" for event in events]
    again: Sequence[str] = ()
    async with database.write() as tx:
        if tx.dialect == "postgres":
            guards = ["ALTER TABLE audit_log DISABLE TRIGGER USER"]
            again = ["ALTER TABLE audit_log ENABLE TRIGGER USER"]
        for statement in (*guards, *statements, *again):
            await write(tx, statement, [()])


# -- what is written ------------------------------------------------------------------------------


async def test_an_entry_says_who_did_what_to_whom(database: AnyDatabase) -> None:
    async with database.write("ann@desk") as tx:
        await audit_log.record(
            tx,
            "campaign.pause",
            "Renewals",
            NOW,
            before={"status": "active"},
            after={"b": 1, "a": 2},
        )

    (entry,) = await entries(database)
    assert (entry.id, entry.at, entry.actor) == (1, NOW, "ann@desk")
    assert (entry.action, entry.subject) == ("campaign.pause", "Renewals")
    assert (entry.before, entry.after) == ('{"status":"active"}', '{"a":2,"b":1}')
    assert entry.previous_hash == ROOT
    assert entry.genuine


async def test_who_acts_is_who_opened_the_database_unless_it_is_said(
    store: str, database: AnyDatabase
) -> None:
    await recorded(database)
    async with opened(store, random.Random(2), busy_timeout_s=5, actor="ann@desk") as hers:
        await recorded(hers)
        async with hers.write("bob") as tx:
            assert tx.actor == "bob"
            await audit_log.record(tx, "dnc.opt-out", PHONE, NOW, actor="callee")
        async with hers.read() as tx:
            assert tx.actor == "ann@desk"

    assert [entry.actor for entry in await entries(database)] == ["daemon", "ann@desk", "callee"]


async def test_no_phone_number_is_in_it(database: AnyDatabase) -> None:
    async with database.write("+12025550123") as tx:
        await audit_log.record(
            tx, "dnc.add", PHONE, NOW,
            before={PHONE: [PHONE]}, after={"note": "(202) 555-0123 wrote", "deep": {"x": [PHONE]}},
        )  # fmt: skip

    (entry,) = await entries(database)
    assert (entry.actor, entry.subject) == ("+1202***123", "+1202***123")
    assert json.loads(entry.before) == {"+1202***123": ["+1202***123"]}
    assert json.loads(entry.after) == {"note": "202***123 wrote", "deep": {"x": ["+1202***123"]}}


async def test_names_no_database_takes_are_written_all_the_same(database: AnyDatabase) -> None:
    name = "stop-\udcff\0.csv"  # a file's name may hold bytes that are no characters

    await recorded(database, "dnc.import", name, after={"file": name})

    (entry,) = await entries(database)
    assert entry.subject == r"stop-\udcff\0.csv"
    assert json.loads(entry.after) == {"file": name}
    assert (await verdict(database)).whole


async def test_what_is_not_done_is_not_written(database: AnyDatabase) -> None:
    async def fail() -> None:
        async with database.write() as tx:
            await numbers.add(tx, NewNumber(PHONE), NOW, region="US", default_zone="UTC")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    await recorded(database)

    (entry,) = await entries(database)
    assert (entry.action, entry.previous_hash) == ("numbers.score", ROOT)


async def test_what_changes_nothing_leaves_no_entry(database: AnyDatabase) -> None:
    async with database.write() as tx:
        await numbers.add(tx, NewNumber(PHONE), NOW, region="US", default_zone="UTC")
        for later in (0, 5):
            await numbers.disable(tx, PHONE, "US", NOW + later)
            await do_not_call.add(tx, [PHONE], NOW + later)
        await do_not_call.remove(tx, NOW, phone="+12025550199")

    actions = [entry.action for entry in await entries(database)]
    assert actions == ["numbers.add", "numbers.disable", "dnc.add"]


# -- what nobody decided by hand ------------------------------------------------------------------


async def test_what_the_engine_does_to_a_campaign_is_its_own(database: AnyDatabase) -> None:
    paused = await given_campaign(database, now=NOW, contacts=1)
    async with database.write() as tx:
        for _ in range(2):
            await campaigns.pause_by_engine(tx, paused, "the carrier refuses our calls", NOW)

    entry = (await entries(database))[-1]
    assert (entry.actor, entry.action, entry.subject) == ("daemon", "campaign.pause", "Renewals")
    assert json.loads(entry.before) == {"status": "active"}
    assert json.loads(entry.after) == {
        "status": "paused", "reason": "the carrier refuses our calls",
    }  # fmt: skip
    assert len([each for each in await entries(database) if each.action == "campaign.pause"]) == 1


async def test_a_campaign_that_is_done_is_completed_by_the_daemon(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=1)
    async with database.write() as tx:
        await write(tx, "UPDATE members SET state = 'completed' WHERE campaign_id = ?1", [(1,)])
    claimer = await given_claimer(database, SetClock())

    (result,) = await claimer.claim(CampaignId(campaign))

    assert result.finished
    entry = (await entries(database))[-1]
    assert (entry.actor, entry.action, entry.subject) == ("daemon", "campaign.complete", "Renewals")
    assert (entry.before, entry.after) == ('{"status":"active"}', '{"status":"completed"}')


async def test_an_end_by_hand_says_how_many_are_not_called(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=3)
    async with database.write("ann") as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.CANCEL, NOW)

    entry = (await entries(database))[-1]
    assert (entry.actor, entry.action) == ("ann", "campaign.cancel")
    assert json.loads(entry.before)["status"] == "active"
    assert json.loads(entry.after) == {
        "status": "cancelled", "reason": None, "members_cancelled": 3,
    }  # fmt: skip


# -- what is found --------------------------------------------------------------------------------


async def test_entries_are_found_by_what_they_say(database: AnyDatabase) -> None:
    async with database.write("ann") as tx:
        await audit_log.record(tx, "campaign.start", "Renewals", NOW)
        await audit_log.record(tx, "campaign.pause", "Renewals", NOW + 1)
        await audit_log.record(tx, "campaigning.x", "Survey", NOW + 2)
        await audit_log.record(tx, "dnc.opt-out", PHONE, NOW + 3, actor="callee")

    async def found(**by: Any) -> list[int]:
        async with database.read() as tx:
            return [entry.id for entry in await audit_log.listed(tx, **by)]

    assert await found() == [4, 3, 2, 1]
    assert await found(limit=2) == [4, 3]
    assert await found(since_at=NOW + 2) == [4, 3]
    assert await found(actor="callee") == [4]
    assert await found(action="campaign") == [2, 1]
    assert await found(action="campaign.start") == [1]
    assert await found(subject="Renewals", action="campaign.pause") == [2]
    assert await found(subject=PHONE) == [4]
    async with database.read() as tx:
        assert (await audit_log.find(tx, 3)).subject == "Survey"
        with pytest.raises(NotFoundError, match="no entry 5 in the audit log"):
            await audit_log.find(tx, 5)


# -- what cannot be done to it, and what is found when it has been done ----------------------------


COPY: Final = (
    "INTO audit_log SELECT {id}, at, 'bob', action, subject, before, after, {previous}, hash"
    " FROM audit_log WHERE id = 1"
)
NEWEST: Final = "(SELECT hash FROM audit_log ORDER BY id DESC LIMIT 1)"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'bob'",
        "DELETE FROM audit_log",
        *(
            f"INSERT {COPY.format(id=entry_id, previous=previous)}"
            for entry_id in (-1, 0, 1, 2, 3)
            for previous in ("previous_hash", "hash", NEWEST)
            if (entry_id, previous) != (3, NEWEST)
        ),
    ],
)
async def test_the_database_refuses_to_change_it(database: AnyDatabase, statement: str) -> None:
    await given_entries(database, 2)

    with pytest.raises(StoreError, match=r"the audit log is append-only|duplicate key"):
        async with database.write() as tx:
            await write(tx, statement, [()])

    assert (await verdict(database)).entries == 2


@pytest.mark.parametrize("entry_id", [1, 2])
@pytest.mark.parametrize("previous", ["previous_hash", NEWEST])
async def test_nor_is_an_entry_put_in_place_of_another(
    database: AnyDatabase, entry_id: int, previous: str
) -> None:
    await given_entries(database, 2)

    copy = COPY.format(id=entry_id, previous=previous)
    changes = {
        "sqlite": f"INSERT OR REPLACE {copy}",
        "postgres": f"INSERT {copy} ON CONFLICT (id) DO UPDATE SET actor = 'bob'",
    }

    with pytest.raises(StoreError, match="the audit log is append-only"):
        async with database.write() as tx:
            await write(tx, changes[tx.dialect], [()])

    assert (await verdict(database)).entries == 2


async def test_an_empty_log_is_a_whole_chain(database: AnyDatabase) -> None:
    assert await verdict(database) == audit_log.Verdict(0, ROOT, None, expected=True)


async def test_a_log_of_many_pages_is_walked_to_its_end(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "PAGE", 3)
    await given_entries(database, 10)
    heads = [entry.hash for entry in await entries(database)]

    assert await verdict(database) == audit_log.Verdict(10, heads[-1], None, expected=True)
    assert (await verdict(database, heads[4])).whole
    assert not (await verdict(database, "f" * 64)).whole


@pytest.mark.parametrize(
    ("forgery", "broken"),
    [
        (["UPDATE audit_log SET actor = 'bob' WHERE id = 3"], Broken(3, Fault.CHANGED)),
        (["UPDATE audit_log SET at = at - 1 WHERE id = 1"], Broken(1, Fault.CHANGED)),
        (["DELETE FROM audit_log WHERE id = 3"], Broken(4, Fault.MISSING)),
        (["DELETE FROM audit_log WHERE id = 1"], Broken(2, Fault.MISSING)),
        (["UPDATE audit_log SET id = 9 WHERE id = 3"], Broken(4, Fault.MOVED, 9)),
        (["UPDATE audit_log SET id = 9 WHERE id = 1"], Broken(2, Fault.MOVED, 9)),
        (["UPDATE audit_log SET id = -1 WHERE id = 5"], Broken(-1, Fault.MOVED, 4)),
    ],
)
async def test_the_first_entry_that_breaks_the_chain_is_named(
    database: AnyDatabase, forgery: list[str], broken: Broken
) -> None:
    await given_entries(database, 5)

    await forged(database, *forgery)

    found = await verdict(database)
    assert (found.broken, found.whole) == (broken, False)


async def test_the_first_entry_at_another_place_is_named(database: AnyDatabase) -> None:
    await given_entries(database, 3)
    await forged(
        database,
        "UPDATE audit_log SET id = 9 WHERE id = 1",
        "UPDATE audit_log SET id = 1 WHERE id = 2",
        "DELETE FROM audit_log WHERE id < 9",
        "INSERT INTO audit_log SELECT 10, at, actor, action, subject, before, after,"
        " previous_hash, hash FROM audit_log WHERE id = 9",
    )

    assert (await verdict(database)).broken == Broken(10, Fault.MOVED)


async def test_a_cut_off_end_shows_only_to_whoever_noted_the_head(database: AnyDatabase) -> None:
    await given_entries(database, 4)
    head = (await verdict(database)).head

    await forged(database, "DELETE FROM audit_log WHERE id > 2")

    assert (await verdict(database)).whole
    cut = await verdict(database, head)
    assert (cut.entries, cut.broken, cut.expected, cut.whole) == (2, None, False, False)


# -- several at once ------------------------------------------------------------------------------


async def test_all_who_write_at_once_keep_one_chain(store: str) -> None:
    writers, times = 4, 10
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(
                opened(store, random.Random(n), busy_timeout_s=20, actor=f"writer {n}")
            )
            for n in range(writers)
        ]

        async def act(database: AnyDatabase) -> None:
            for number in range(times):
                async with database.write() as tx:
                    await audit_log.record(tx, "numbers.score", "Main", NOW, after={"n": number})
                    await asyncio.sleep(0)  # the others try meanwhile
                    await tx.run("bump_revision")

        async with asyncio.TaskGroup() as group:
            for database in stores:
                group.create_task(act(database))

        found = await verdict(stores[0])
        assert (found.entries, found.broken) == (writers * times, None)
        written = await entries(stores[0])
    for n in range(writers):
        own = [json.loads(each.after)["n"] for each in written if each.actor == f"writer {n}"]
        assert own == list(range(times))
