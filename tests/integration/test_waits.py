"""Why members are not being dialed: every waiting member counted under one reason."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest

from dialer import campaigns
from dialer.holiday_calendars import public_holidays
from dialer.model import CampaignId, WaitReason
from dialer.permission import Wait
from dialer.plans import Plans
from dialer.ports import Database
from dialer.states import CampaignEvent, MemberState
from dialer.store.opening import AnyDatabase, opened
from dialer.waits import count_waits, record_waits
from tests.support.engine import HOUR, MINUTE, NOW, TIMES, daemon_on, rows
from tests.support.given import given_campaign, write


async def given_members_in(database: Database, *members: tuple[MemberState, int]) -> CampaignId:
    """A campaign whose members are in these states and due then."""
    campaign = await given_campaign(database, now=NOW, contacts=len(members))
    async with database.write() as tx:
        states = [(i, state, due_at) for i, (state, due_at) in enumerate(members, 1)]
        await write(tx, "UPDATE members SET state = ?2, next_at = ?3 WHERE id = ?1", states)
    return campaign


async def reasons(database: AnyDatabase, campaign: CampaignId, wait: Wait) -> dict[str, Any]:
    """What is written down when *wait* holds back those who are due."""
    async with database.write() as tx:
        plan = await Plans(public_holidays).of(tx, campaign)
        await record_waits(tx, [await count_waits(tx, plan, wait, NOW, TIMES)])
    written = await rows(
        database, "SELECT reason, members, until_at, detail, noted_at FROM campaign_waits"
    )
    assert {row[4] for row in written} <= {NOW}
    return {reason: (members, until_at, detail) for reason, members, until_at, detail, _ in written}


async def test_each_waiting_member_is_counted_under_one_reason(database: AnyDatabase) -> None:
    campaign = await given_members_in(
        database,
        (MemberState.PENDING, NOW),
        (MemberState.PENDING, NOW - 1),
        (MemberState.PENDING, NOW + MINUTE),
        (MemberState.RETRY, NOW),
        (MemberState.RETRY, NOW + HOUR),
        (MemberState.RETRY, NOW + 2 * HOUR),
        (MemberState.DIALING, NOW),
        (MemberState.CALLED, NOW + MINUTE),
        (MemberState.COMPLETED, NOW),
        (MemberState.FAILED, NOW),
        (MemberState.NO_CONVERSATION, NOW),
    )

    found = await reasons(database, campaign, Wait(WaitReason.NO_NUMBER, NOW + 7, "3 of 3 busy"))

    assert found == {
        WaitReason.NO_NUMBER: (3, NOW + 7, "3 of 3 busy"),
        WaitReason.DEFERRED: (1, NOW + MINUTE, ""),
        WaitReason.RETRY_NOT_DUE: (2, NOW + HOUR, ""),
        WaitReason.IN_CALL: (1, None, ""),
        WaitReason.AWAITING_OUTCOME: (1, NOW + MINUTE, ""),
    }


async def test_who_came_due_while_a_campaign_waits_for_its_retries_is_next(
    database: AnyDatabase,
) -> None:
    campaign = await given_members_in(
        database, (MemberState.RETRY, NOW), (MemberState.RETRY, NOW + HOUR)
    )

    found = await reasons(database, campaign, Wait(WaitReason.RETRY_NOT_DUE, NOW + HOUR))

    assert found == {
        WaitReason.NEXT: (1, None, ""),
        WaitReason.RETRY_NOT_DUE: (1, NOW + HOUR, ""),
    }


async def test_reasons_replace_those_before(database: AnyDatabase) -> None:
    campaign = await given_members_in(database, (MemberState.PENDING, NOW))

    await reasons(database, campaign, Wait(WaitReason.NO_NUMBER, None, "1 of 1 busy"))
    found = await reasons(database, campaign, Wait(WaitReason.CALLS_PER_SECOND, NOW + 5))

    assert found == {WaitReason.CALLS_PER_SECOND: (1, NOW + 5, "")}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (None, WaitReason.DRAFT),
        (CampaignEvent.START, WaitReason.NEXT),
        (CampaignEvent.PAUSE, WaitReason.PAUSED),
    ],
)
async def test_a_campaign_that_does_not_dial_says_so(
    store: str, database: AnyDatabase, event: CampaignEvent | None, reason: WaitReason
) -> None:
    await given_campaign(database, now=NOW, contacts=2, start=False)
    async with database.write() as tx:
        if event is not None:
            await campaigns.move(tx, "Renewals", CampaignEvent.START, NOW)
        if event is CampaignEvent.PAUSE:
            await campaigns.move(tx, "Renewals", event, NOW)

    async with daemon_on(store, database) as daemon:
        await daemon.engine.dispatcher.explain_now()

    found = await rows(database, "SELECT reason, members FROM campaign_waits")
    assert found == [(reason, 2)]


async def test_daemons_that_explain_at_once_do_not_disturb_each_other(store: str) -> None:
    async with AsyncExitStack() as stack:
        databases = [
            await stack.enter_async_context(opened(store, random.Random(n), busy_timeout_s=5))
            for n in range(2)
        ]
        await given_campaign(databases[0], now=NOW, contacts=2)
        daemons = [
            await stack.enter_async_context(daemon_on(store, database)) for database in databases
        ]

        for _ in range(20):
            await asyncio.gather(*(d.engine.dispatcher.explain_now() for d in daemons))

        found = await rows(databases[0], "SELECT reason, members FROM campaign_waits")
        assert found == [(WaitReason.NEXT, 2)]
