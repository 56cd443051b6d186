"""A campaign without anybody left is over, whatever would keep it from calling."""

from typing import Any

import pytest

from dialer import campaigns
from dialer.states import CampaignEvent
from dialer.store.opening import AnyDatabase
from tests.support.engine import HOUR, NOW, SetClock, given_claimer, rows
from tests.support.given import given_campaign, write

OFFICE = '{"zone": "UTC", "weekly": {"mon": ["09:00-17:00"]}}'
AFTER_HOURS = NOW + 3 * HOUR
STATUS = "SELECT status FROM campaigns"


async def all_done(database: AnyDatabase) -> None:
    """Every call is over and its outcome final."""
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE attempts SET state = 'ended', sid = id, outcome = 'human', closed_at = ?1",
            [(NOW,)],
        )
        await write(tx, "UPDATE members SET state = ?1", [("completed",)])


@pytest.mark.parametrize(
    ("fields", "then"),
    [
        ({"max_calls_per_day": 1}, NOW),  # every number has made the calls it may make today
        ({"schedule_body": OFFICE}, AFTER_HOURS),
    ],
)
async def test_it_completes_although_it_could_not_call(
    database: AnyDatabase, fields: dict[str, Any], then: int
) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=1, call_interval_s=0, **fields)
    clock = SetClock()
    daemon = await given_claimer(database, clock)
    await daemon.take(campaign)
    clock.at = then

    (in_call,) = await daemon.claim(campaign)
    await all_done(database)
    (result,) = await daemon.claim(campaign)

    assert not in_call.finished
    assert result.finished
    assert await rows(database, STATUS) == [("completed",)]


async def test_a_paused_one_waits_for_its_operator(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=1)
    daemon = await given_claimer(database, SetClock())
    await daemon.take(campaign)
    await all_done(database)
    async with database.write() as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.PAUSE, NOW)

    (result,) = await daemon.claim(campaign)

    assert not result.finished
    assert await rows(database, STATUS) == [("paused",)]
