"""The hold: while it stands nobody is called, and a person alone releases it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dialer import campaigns, hold, overview, reconciling
from dialer.bounds import account_limits, claim_times
from dialer.errors import UnreachableError, WrongStateError
from dialer.explaining import Explainer, Moment, Question
from dialer.forecast import reading as forecast_reading
from dialer.holiday_calendars import public_holidays
from dialer.model import CampaignId, WaitReason
from dialer.plans import Plans
from dialer.ports import Database
from dialer.preflight.checking import check
from dialer.preflight.facts import Code, Deployment
from dialer.states import CampaignEvent, CampaignStatus
from dialer.store.opening import AnyDatabase
from tests.support.engine import (
    NOW,
    Daemon,
    SetClock,
    attempt_of,
    daemon_on,
    given_claimer,
    rows,
    running,
    settings_for,
    sid,
    until,
)
from tests.support.given import given_campaign

LATER = NOW + 60_000
WHO = "daemon: the script is wrong"


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    """A daemon that does what a test has it do."""
    async with daemon_on(store, database) as alive:
        yield alive


async def given_calling(database: Database, **fields: Any) -> CampaignId:
    """A campaign that no limit of its own holds back."""
    free = {"contacts": 3, "call_interval_s": 0, "max_concurrent": 1000}
    return await given_campaign(database, now=NOW, **(free | fields))


async def pull(database: Database, *, hang_up: bool = False) -> hold.Pulled:
    async with database.write() as tx:
        return await hold.pull(tx, NOW, reason="the script is wrong", hang_up=hang_up)


async def release(database: Database) -> hold.Hold:
    async with database.write() as tx:
        return await hold.release(tx, LATER)


async def standing(database: Database) -> hold.Hold | None:
    async with database.read() as tx:
        return await hold.standing(tx)


async def brakes(database: Database) -> list[tuple[Any, ...]]:
    """The history of holds, as the log has it."""
    actions = "('dialing.hold', 'dialing.release', 'dialing.hang-up')"
    return await rows(
        database, f"SELECT at, action, subject FROM audit_log WHERE action IN {actions} ORDER BY id"
    )


# -- pulled and released --------------------------------------------------------------------------


async def test_it_says_who_pulled_it_when_and_why_until_it_is_released(
    database: AnyDatabase,
) -> None:
    assert await standing(database) is None

    pulled = await pull(database)

    assert (pulled.new, pulled.calls) == (True, 0)
    assert pulled.hold == await standing(database)
    assert (pulled.hold.at, pulled.hold.words) == (NOW, WHO)
    assert await release(database) == pulled.hold
    assert await standing(database) is None
    assert await brakes(database) == [
        (NOW, "dialing.hold", "all campaigns"),
        (LATER, "dialing.release", "all campaigns"),
    ]


async def test_one_that_stands_keeps_its_word_when_it_is_pulled_again(
    database: AnyDatabase,
) -> None:
    await pull(database)

    async with database.write("somebody else") as tx:
        again = await hold.pull(tx, LATER, reason="me too")
        hung_up = await hold.pull(tx, LATER, hang_up=True)

    assert not again.new
    assert again.hold.words == hung_up.hold.words == WHO
    assert (again.hold.hang_up_at, hung_up.hold.hang_up_at) == (None, LATER)
    assert [action for _, action, _ in await brakes(database)] == [
        "dialing.hold", "dialing.hang-up",
    ]  # fmt: skip


async def test_what_is_not_held_cannot_be_released(database: AnyDatabase) -> None:
    with pytest.raises(WrongStateError, match="nothing is held"):
        await release(database)


async def test_a_restored_database_is_not_released_before_it_is_reconciled(
    database: AnyDatabase,
) -> None:
    await pull(database)
    async with database.write() as tx:
        await reconciling.want(tx, NOW, since_at=NOW - 1000)

    with pytest.raises(WrongStateError, match="restored") as refused:
        await release(database)

    assert refused.value.next_step == "dialer db reconcile"
    async with database.write() as tx:
        await reconciling.give_up(tx, NOW)
    assert "by choice" in (await release(database)).reason


# -- while it stands ------------------------------------------------------------------------------


async def test_nobody_is_claimed_and_the_campaign_stays_as_it_is(database: AnyDatabase) -> None:
    campaign = await given_calling(database)
    claimer = await given_claimer(database, SetClock())
    await pull(database)

    (result,) = await claimer.claim(campaign)

    assert result.wait is not None
    assert (result.wait.reason, result.wait.detail) == (WaitReason.HELD, WHO)
    assert await rows(database, "SELECT status FROM campaigns") == [("active",)]
    await release(database)
    assert len(await claimer.take(campaign)) == 3


async def test_what_was_claimed_before_is_not_sent_after(daemon: Daemon) -> None:
    claims = await daemon.take(await given_calling(daemon.database))
    assert len(claims) == 3
    daemon.engine.launcher.add(claims)

    await pull(daemon.database)
    async with running(daemon.engine.launcher.run):
        await until(lambda: not daemon.engine.launcher.busy)
        await daemon.batcher.settled()

    assert daemon.carrier.orders == []
    members = "SELECT DISTINCT state, attempts FROM members"
    assert await rows(daemon.database, members) == [("pending", 0)]


async def test_the_dispatcher_sees_it_come_and_go(daemon: Daemon) -> None:
    campaign = await given_calling(daemon.database)
    dispatcher = daemon.engine.dispatcher
    await dispatcher.refresh()
    assert [plan.id for plan in dispatcher._asking()] == [campaign]

    await pull(daemon.database)
    await dispatcher.refresh()

    assert dispatcher._asking() == []
    await dispatcher.explain_now()
    waits = "SELECT reason, members, detail FROM campaign_waits"
    assert await rows(daemon.database, waits) == [("held", 3, WHO)]
    await release(daemon.database)
    await dispatcher.refresh()
    assert [plan.id for plan in dispatcher._asking()] == [campaign]


async def test_operators_are_told_wherever_they_ask(database: AnyDatabase) -> None:
    await given_calling(database)
    await pull(database)
    settings = settings_for("any")
    times, account = claim_times(settings), account_limits(settings)
    explainer = Explainer(Plans(public_holidays), account, times)

    async with database.read() as tx:
        status = await overview.status(tx, "Renewals", NOW, public_holidays)
        (explained,) = await explainer.of_contact(tx, 1, Moment(NOW, live=True))
        report = await check(tx, "Renewals", NOW, Deployment(account, times), public_holidays)
        snapshot = await forecast_reading.take(
            tx, "Renewals", NOW, calls_per_second=1, account_calls=0
        )

    assert status.hold is not None
    assert [(each["reason"], each["detail"]) for each in status.waiting] == [("held", WHO)]
    (held,) = [each for each in explained.checks if each.question is Question.HOLD]
    assert (held.reason, held.cure) == (WaitReason.HELD, "dialer resume --all")
    assert explained.next_at is None
    (finding,) = [each for each in report.findings if each.code is Code.HELD]
    assert WHO in finding.text
    assert snapshot.held == WHO


async def test_a_campaign_may_be_started_under_it_and_waits(database: AnyDatabase) -> None:
    await given_calling(database, start=False)
    await pull(database)

    async with database.write() as tx:
        row = await campaigns.move(tx, "Renewals", CampaignEvent.START, NOW)

    assert row["status"] == CampaignStatus.ACTIVE
    claimer = await given_claimer(database, SetClock(), series=1)
    assert await claimer.why_not(row["id"]) is WaitReason.HELD


# -- calls that go on -----------------------------------------------------------------------------


async def given_calls(daemon: Daemon, campaign: CampaignId) -> list[str]:
    """Calls that the carrier has accepted; gives their attempts."""
    claims = await daemon.take(campaign)
    for number, claim in enumerate(claims, 1):
        await daemon.engine.calls.adopt(claim.attempt_id, sid(number))
    return [claim.attempt_id for claim in claims]


async def test_they_run_to_their_end_unless_they_are_to_be_hung_up(daemon: Daemon) -> None:
    await given_calls(daemon, await given_calling(daemon.database, contacts=2))
    assert (await pull(daemon.database)).calls == 2

    await daemon.engine.reaper.call_off()
    assert daemon.carrier.hung_up == []
    await pull(daemon.database, hang_up=True)
    await daemon.engine.reaper.call_off()
    await daemon.engine.reaper.call_off()

    assert sorted(daemon.carrier.hung_up) == [sid(1), sid(2)]
    assert daemon.carrier.cancelled == []


async def test_a_carrier_that_cannot_be_asked_to_hang_up_is_asked_again(daemon: Daemon) -> None:
    await given_calls(daemon, await given_calling(daemon.database, contacts=1))
    await pull(daemon.database, hang_up=True)
    daemon.carrier.trouble = UnreachableError("nobody answers")
    await daemon.engine.reaper.call_off()

    daemon.carrier.trouble = None
    await daemon.engine.reaper.call_off()

    assert daemon.carrier.hung_up == [sid(1)]


async def test_a_call_found_later_is_hung_up_too_and_none_after_the_release(
    daemon: Daemon,
) -> None:
    campaign = await given_calling(daemon.database, contacts=2)
    first, second = await daemon.take(campaign)
    await pull(daemon.database, hang_up=True)
    await daemon.engine.calls.adopt(first.attempt_id, sid(1))
    await daemon.engine.reaper.call_off()

    await release(daemon.database)
    await daemon.engine.calls.adopt(second.attempt_id, sid(2))
    await daemon.engine.reaper.call_off()

    assert daemon.carrier.hung_up == [sid(1)]
    assert (await attempt_of(daemon.database, second))["state"] == "placed"


async def test_a_pause_hangs_up_on_its_own_campaign_alone(daemon: Daemon) -> None:
    ours = await given_calling(daemon.database, contacts=1)
    theirs = await given_calling(
        daemon.database, contacts=1, name="Other", number_ids=[1], first_contact=50
    )
    await given_calls(daemon, ours)
    (other,) = await daemon.take(theirs)
    await daemon.engine.calls.adopt(other.attempt_id, sid(9))

    async with daemon.database.write() as tx:
        await campaigns.pause(tx, "Renewals", NOW, reason="wrong list")
        row = await campaigns.pause(tx, "Renewals", LATER, hang_up=True)
    await daemon.engine.reaper.call_off()

    assert daemon.carrier.hung_up == [sid(1)]
    assert (row["status"], row["paused_at"], row["paused_by"]) == ("paused", NOW, "daemon")
    (entry,) = await rows(
        daemon.database, "SELECT after FROM audit_log WHERE action = 'campaign.hang-up'"
    )
    assert json.loads(entry[0]) == {"hang_up": True}
    async with daemon.database.write() as tx:
        row = await campaigns.move(tx, "Renewals", CampaignEvent.RESUME, LATER)
    assert (row["paused_by"], row["hang_up_at"]) == (None, None)


async def test_a_cancelled_campaign_ends_what_nobody_has_answered(daemon: Daemon) -> None:
    await given_calls(daemon, await given_calling(daemon.database, contacts=1))
    async with daemon.database.write() as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.CANCEL, NOW)

    await daemon.engine.reaper.call_off()

    assert (daemon.carrier.cancelled, daemon.carrier.hung_up) == ([sid(1)], [])
