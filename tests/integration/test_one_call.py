"""One call, looked at and ended by hand."""

from collections.abc import AsyncIterator

import pytest

from dialer import one_call
from dialer.calls import CALLED_OFF
from dialer.errors import NotFoundError, WrongStateError
from dialer.model import CampaignId, CarrierStatus, Claim
from dialer.ports import Order
from dialer.store.opening import AnyDatabase
from tests.integration.test_reaper import given_placed
from tests.support.engine import (
    NOW,
    SECOND,
    Daemon,
    assert_sound,
    attempt_of,
    daemon_on,
    member_of,
    running,
    sid,
    status,
    until,
)
from tests.support.given import given_campaign

S = CarrierStatus


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    """A daemon that writes, and sweeps when a test says so."""
    async with daemon_on(store, database, lease_s=10 * 3600, sweep_s=0.001) as alive:
        yield alive


async def test_a_call_that_goes_on_is_ended_once(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    async with daemon.database.write() as tx:
        await one_call.hang_up(tx, sid(1), NOW)
        await one_call.hang_up(tx, claim.attempt_id, NOW + 1)

    await daemon.engine.reaper.call_off()
    await daemon.engine.reaper.call_off()

    assert daemon.carrier.hung_up == [sid(1)]
    async with daemon.database.read() as tx:
        entries = await tx.rows("audit_entries_after", after_id=0, limit=99)
    assert [each["action"] for each in entries].count("calls.hang-up") == 1


async def test_a_call_is_found_by_either_name_with_all_its_news(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    await daemon.engine.calls.receive(status(claim, S.RINGING, NOW + 1_000))

    async with daemon.database.read() as tx:
        row, news, _ = await one_call.with_news(tx, sid(1))
        assert (await one_call.find(tx, claim.attempt_id))["id"] == row["id"]
    assert [each["status"] for each in news] == ["ringing"]


async def test_a_call_that_is_over_cannot_be_ended(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    await daemon.engine.calls.receive(status(claim, S.NO_ANSWER, NOW + 30_000))

    async with daemon.database.write() as tx:
        with pytest.raises(WrongStateError, match="is over"):
            await one_call.hang_up(tx, sid(1), NOW)
        with pytest.raises(NotFoundError, match="there is no call 'CA9'"):
            await one_call.hang_up(tx, "CA9", NOW)


async def given_claimed(daemon: Daemon) -> tuple[CampaignId, Claim]:
    """A campaign that rests for ten minutes between calls, and a call that is not made yet."""
    campaign = await given_campaign(
        daemon.database, now=NOW, contacts=1, call_interval_s=0, retry_intervals_s=(600,)
    )
    (claim,) = await daemon.take(campaign)
    return campaign, claim


async def test_a_call_that_is_not_made_yet_is_not_made(daemon: Daemon) -> None:
    campaign, claim = await given_claimed(daemon)
    async with daemon.database.write() as tx:
        await one_call.hang_up(tx, claim.attempt_id, NOW)

    daemon.engine.launcher.add([claim])
    async with running(daemon.engine.launcher.run):
        await until(lambda: not daemon.engine.launcher.busy)
        await daemon.batcher.settled()

    assert daemon.carrier.orders == []
    attempt, member = await attempt_of(daemon.database, claim), await member_of(daemon.database)
    assert (attempt["state"], attempt["detail"]) == ("released", CALLED_OFF)
    assert (member["state"], member["attempts"]) == ("pending", 0)
    assert member["next_at"] == NOW + 600 * SECOND
    assert await daemon.take(campaign) == []
    daemon.clock.pass_s(600)
    assert len(await daemon.take(campaign)) == 1
    await assert_sound(daemon.database)


async def test_a_call_that_was_on_its_way_ends_as_soon_as_it_is_known(daemon: Daemon) -> None:
    _, claim = await given_claimed(daemon)

    async def change_of_mind(order: Order) -> None:
        async with daemon.database.write() as tx:
            await one_call.hang_up(tx, order.attempt_id, NOW)

    daemon.carrier.while_placing = change_of_mind
    daemon.engine.launcher.add([claim])
    async with running(daemon.engine.launcher.run):
        await until(lambda: not daemon.engine.launcher.busy)
        await daemon.batcher.settled()
    await daemon.engine.reaper.call_off()

    assert daemon.carrier.hung_up == [sid(1)]
