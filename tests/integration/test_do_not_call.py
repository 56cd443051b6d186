"""The do-not-call list: whoever is on it is not called, whenever they were put on it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import pytest

from dialer import do_not_call
from dialer.do_not_call import EVERYWHERE, Added, Source
from dialer.model import AttemptId, CampaignId, CarrierStatus
from dialer.ports import Database
from dialer.states import (
    WAITING_MEMBER_STATES,
    MemberEvent,
    MemberState,
    advance_member,
)
from dialer.store.opening import AnyDatabase
from tests.support.engine import (
    HOUR,
    NOW,
    SECOND,
    Daemon,
    SetClock,
    assert_sound,
    attempt_of,
    daemon_on,
    given_claimer,
    member_of,
    rows,
    running,
    sid,
    status,
    until,
)
from tests.support.given import FIRST_PHONE, given_campaign, write

S = CarrierStatus
FREE: Final[dict[str, Any]] = {
    "call_interval_s": 0,
    "max_concurrent": 1000,
    "max_calls_per_day": 1000,
}


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    async with daemon_on(store, database, sweep_s=0.001) as alive:
        yield alive


def phone(contact: int) -> str:
    """The phone of the contact of that id."""
    return f"+{FIRST_PHONE + contact}"


async def listed(
    database: Database, phones: Sequence[str], scope: CampaignId = EVERYWHERE, at: int = NOW
) -> Added:
    async with database.write() as tx:
        return await do_not_call.add(tx, phones, at, scope=scope)


async def history(database: Database, number: str) -> list[tuple[str, str | None, str]]:
    async with database.read() as tx:
        told = await do_not_call.history_of(tx, number)
    return [(row["event"], row["campaign"], row["detail"]) for row in told]


# -- nobody on it is called ----------------------------------------------------------------------


async def test_whoever_is_listed_before_they_are_imported_is_never_claimed(
    database: AnyDatabase,
) -> None:
    await listed(database, [phone(2)])
    campaign = await given_campaign(database, now=NOW, contacts=3, **FREE)
    claimer = await given_claimer(database, SetClock())

    claims = await claimer.take(campaign)

    assert [claim.to for claim in claims] == [phone(1), phone(3)]
    member = await member_of(database, 2)
    assert (member["state"], member["reason"]) == ("failed", "do_not_call")
    assert await history(database, phone(2)) == [
        ("added", None, ""),
        ("refused", "Renewals", "its turn had come"),
    ]
    await assert_sound(database)


async def test_an_entry_of_one_campaign_holds_there_alone(database: AnyDatabase) -> None:
    free = await given_campaign(database, now=NOW, contacts=1, **FREE)
    closed = await given_campaign(
        database, now=NOW, name="Survey", number_ids=[1], first_contact=10, contacts=1, **FREE
    )
    await listed(database, [phone(1), phone(10)], scope=closed)
    claimer = await given_claimer(database, SetClock())

    assert [claim.to for claim in await claimer.take(free)] == [phone(1)]
    assert await claimer.take(closed) == []


async def test_those_who_wait_fail_at_once_and_nobody_else_does(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=len(MemberState))
    states = [(at, state.value) for at, state in enumerate(MemberState, 1)]
    async with database.write() as tx:
        await write(tx, "UPDATE members SET state = ?2 WHERE id = ?1", states)

    done = await listed(database, [phone(at) for at, _ in states])

    assert done == Added(len(states), 0, len(WAITING_MEMBER_STATES))
    for at, state in enumerate(MemberState, 1):
        member = await member_of(database, at)
        waited = state in WAITING_MEMBER_STATES
        after = advance_member(state, MemberEvent.FAIL) if waited else state
        assert member["state"] == after
        assert member["reason"] == ("do_not_call" if waited else None)


async def test_listed_between_the_claim_and_the_last_look(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=2, **FREE)
    claims = await daemon.take(campaign)
    await listed(daemon.database, [phone(1)])

    daemon.engine.launcher.add(claims)
    async with running(daemon.engine.launcher.run):
        await until(lambda: not daemon.engine.launcher.busy)
        await daemon.batcher.settled()

    assert [order.to for order in daemon.carrier.orders] == [phone(2)]
    assert (await attempt_of(daemon.database, claims[0]))["state"] == "released"
    assert await daemon.take(campaign) == []
    member = await member_of(daemon.database, 1)
    assert (member["state"], member["reason"]) == ("failed", "do_not_call")


async def test_a_call_that_still_rings_is_ended(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=2, **FREE)
    for at, claim in enumerate(await daemon.take(campaign), 1):
        daemon.engine.calls.accepted(claim.attempt_id, sid(at))
    await daemon.batcher.settled()
    await listed(daemon.database, [phone(2)])

    await daemon.engine.reaper.sweep()

    assert daemon.carrier.cancelled == [sid(2)]


async def test_a_retry_is_not_made(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    (claim,) = await daemon.take(campaign)
    await listed(daemon.database, [phone(1)])
    await daemon.engine.calls.receive(status(claim, S.NO_ANSWER, NOW))
    daemon.clock.pass_s(24 * 3600)
    assert await daemon.settle() == 1

    daemon.clock.pass_s(24 * 3600)
    assert await daemon.take(campaign) == []

    assert (await member_of(daemon.database))["reason"] == "do_not_call"


async def test_a_campaign_of_listed_people_comes_to_its_end(daemon: Daemon) -> None:
    await listed(daemon.database, [phone(at) for at in range(1, 21)])
    await given_campaign(daemon.database, now=NOW, contacts=20, **FREE)

    async with running(daemon.engine.dispatcher.run):
        async with asyncio.timeout(30):
            while await rows(daemon.database, "SELECT status FROM campaigns") != [("completed",)]:
                daemon.clock.pass_s(1)
                daemon.engine.dispatcher.nudge(CampaignId(1))

    assert daemon.carrier.orders == []
    assert await rows(daemon.database, "SELECT DISTINCT reason FROM members") == [("do_not_call",)]


# -- the list itself -----------------------------------------------------------------------------


async def test_an_entry_is_made_once_per_scope(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, start=False)

    first = await listed(database, [phone(1), phone(2), phone(1)])
    again = await listed(database, [phone(2), phone(3)])
    scoped = await listed(database, [phone(2)], scope=campaign)

    assert [first, again, scoped] == [Added(2, 0, 0), Added(1, 1, 0), Added(1, 0, 0)]
    async with database.read() as tx:
        entries = await do_not_call.entries_of(tx, phone(2))
        found = await do_not_call.search(tx, phone(3)[-4:])
        of_campaign = await do_not_call.search(tx, scope=campaign)
    assert [(row["campaign"], row["source"], row["created_at"]) for row in entries] == [
        (None, "operator", NOW), ("Renewals", "operator", NOW),
    ]  # fmt: skip
    assert [row["phone"] for row in found] == [phone(3)]
    assert [row["phone"] for row in of_campaign] == [phone(2)]


@pytest.mark.parametrize(
    ("removal", "left"),
    [
        ({"phone": phone(1), "scope": EVERYWHERE}, {(1, "Renewals"), (2, None), (2, "Renewals")}),
        ({"phone": phone(1)}, {(2, None), (2, "Renewals")}),
        ({"scope": CampaignId(1)}, {(1, None), (2, None)}),
    ],
)
async def test_one_entry_all_of_a_callee_or_all_of_a_campaign_are_removed(
    database: AnyDatabase, removal: dict[str, Any], left: set[tuple[int, str | None]]
) -> None:
    campaign = await given_campaign(database, now=NOW, start=False)
    for scope in (EVERYWHERE, campaign):
        await listed(database, [phone(1), phone(2)], scope=scope)

    async with database.write() as tx:
        removed = await do_not_call.remove(tx, NOW + HOUR, **removal, note="by mistake")

    async with database.read() as tx:
        entries = await do_not_call.search(tx)
    kept = {(int(row["phone"]) - FIRST_PHONE, row["campaign"]) for row in entries}
    assert (removed, kept) == (4 - len(left), left)
    told = await rows(
        database, "SELECT count(*), min(at), min(detail) FROM dnc_history WHERE event = 'removed'"
    )
    assert told == [(removed, NOW + HOUR, "by mistake")]


async def test_who_is_off_the_list_may_be_called_again(database: AnyDatabase) -> None:
    await listed(database, [phone(1)])
    async with database.write() as tx:
        await do_not_call.remove(tx, NOW, phone=phone(1))
    campaign = await given_campaign(database, now=NOW, contacts=1, **FREE)

    claims = await (await given_claimer(database, SetClock())).take(campaign)

    assert [claim.to for claim in claims] == [phone(1)]


async def test_the_callees_own_word_is_kept_apart(database: AnyDatabase) -> None:
    async with database.write() as tx:
        await do_not_call.add(tx, [phone(1)], NOW, source=Source.CALLEE, note="pressed 9")
        (entry,) = await do_not_call.entries_of(tx, phone(1))

    assert (entry["source"], entry["note"]) == ("callee", "pressed 9")


async def test_whoever_opts_out_in_a_call_is_in_no_campaign_any_more(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    await given_campaign(daemon.database, now=NOW, name="Survey", number_ids=[1], start=False)
    async with daemon.database.write() as tx:
        await write(
            tx,
            "INSERT INTO members (campaign_id, contact_id, state, priority, next_at, created_at,"
            " changed_at) VALUES (2, ?1, 'pending', 1, 0, 0, 0)",
            [(1,)],
        )
    (claim,) = await daemon.take(campaign)

    await daemon.batcher.apply(
        do_not_call.opt_out, [(claim.attempt_id, NOW + SECOND), (AttemptId("f" * 32), NOW)]
    )

    entries = await rows(daemon.database, "SELECT phone, campaign_id, source, created_at FROM dnc")
    assert entries == [(phone(1), None, "callee", NOW + SECOND)]
    members = await rows(daemon.database, "SELECT state, reason FROM members ORDER BY id")
    assert members == [("dialing", None), ("failed", "do_not_call")]
