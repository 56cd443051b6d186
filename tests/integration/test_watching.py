"""What is read of a campaign for a screen, from a database that the engine itself has written."""

import json
from typing import Any, Final

from dialer import campaigns, hold, watching
from dialer.bounds import account_limits
from dialer.holiday_calendars import public_holidays
from dialer.hours import Schedule
from dialer.hours_format import parse_weekly, to_json
from dialer.limits import AccountLimits
from dialer.model import CampaignId, CarrierStatus, Claim, WaitReason
from dialer.plans import Plans
from dialer.standing import standing
from dialer.states import AttemptState, CampaignEvent, CampaignStatus, MemberState
from dialer.store.opening import AnyDatabase
from dialer.watching import Frame, Life, Silence
from retries.outcome import Outcome
from rotation.caller import Ineligible
from tests.support.engine import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Daemon,
    daemon_on,
    settings_for,
    sid,
    status,
)
from tests.support.given import given_campaign, given_members, given_numbers, write

SILENCE: Final = Silence(most_s=6, lease_s=3600)
ACCOUNT: Final = AccountLimits(calls_per_second=2, max_concurrent=0)


async def frame(database: AnyDatabase, *, at: int = NOW, name: str = "Renewals") -> Frame:
    """The campaign as a screen is given it."""
    async with database.read() as tx:
        plans = Plans(public_holidays)
        return await watching.frame(tx, name, at, plans, ACCOUNT, silence=SILENCE, calls=10)


async def told(daemon: Daemon, claim: Claim, said: CarrierStatus, **facts: Any) -> None:
    """The carrier's news of a claim's call, folded by the engine."""
    call = sid(int(claim.attempt_id[-8:], 16))
    await daemon.engine.calls.receive(status(claim, said, daemon.clock.at, call=call, **facts))


async def test_a_campaign_at_work_is_seen_as_it_is(store: str, database: AnyDatabase) -> None:
    campaign = await given_campaign(
        database, now=NOW, contacts=6, numbers=2, call_interval_s=0, max_concurrent=4,
        completion_timeout_s=60, max_retries=2,
    )  # fmt: skip
    async with daemon_on(store, database) as daemon:
        answered, busy, ringing = await daemon.take(campaign, 3)
        await told(daemon, answered, CarrierStatus.IN_PROGRESS)
        daemon.clock.pass_s(143)
        await told(daemon, answered, CarrierStatus.COMPLETED, duration_s=143)
        await told(daemon, busy, CarrierStatus.BUSY)
        await told(daemon, ringing, CarrierStatus.RINGING)
        daemon.clock.pass_s(61)
        await daemon.settle()
        await daemon.engine.dispatcher.explain_now()
        seen = await frame(database, at=daemon.clock.at)

    assert (seen.name, seen.status, seen.total, seen.done) == (
        "Renewals", CampaignStatus.ACTIVE, 6, 1,
    )  # fmt: skip
    assert seen.tally.members == {
        MemberState.PENDING: 3,
        MemberState.DIALING: 1,
        MemberState.RETRY: 1,
        MemberState.COMPLETED: 1,
    }
    assert (seen.pace.live, seen.pace.allowed) == (1, 4)
    assert (seen.pace.most_per_minute, seen.pace.bound) == (120.0, WaitReason.CALLS_PER_SECOND)
    assert seen.pulse.life is Life.LIVE
    assert {row["reason"]: row["members"] for row in seen.waits} == {
        WaitReason.NEXT: 3, WaitReason.RETRY_NOT_DUE: 1, WaitReason.IN_CALL: 1,
    }  # fmt: skip
    calls = {call.id: call for call in seen.calls}
    assert len(calls) == 3
    assert [call.id for call in seen.calls] == sorted(calls, reverse=True)
    human = calls[answered.attempt_id]
    assert (human.outcome, human.duration_s, human.member) == (
        Outcome.HUMAN, 143, MemberState.COMPLETED,
    )  # fmt: skip
    again = calls[busy.attempt_id]
    assert (again.outcome, again.member, again.attempt, again.attempts) == (
        Outcome.BUSY, MemberState.RETRY, 1, 3,
    )  # fmt: skip
    assert again.next_at is not None
    assert again.next_at > seen.at
    live = calls[ringing.attempt_id]
    assert live.live
    assert (live.state, live.outcome) == (AttemptState.PLACED, None)
    assert all(call.phone.startswith("+1202***") for call in seen.calls)


async def test_numbers_say_why_they_are_not_used(database: AnyDatabase) -> None:
    async with database.write() as tx:
        ids = await given_numbers(tx, 4)
        await write(tx, "UPDATE numbers SET spam_score = ?1 WHERE id = ?2", [(8.0, ids[0])])
        await write(tx, "UPDATE numbers SET disabled_at = ?1 WHERE id = ?2", [(NOW, ids[1])])
        await write(
            tx,
            "INSERT INTO number_days (number_id, day, calls) VALUES (?1, ?2, ?3)",
            [(ids[2], "2026-01-05", 100)],
        )
    await given_campaign(database, now=NOW, contacts=1, number_ids=ids)

    seen = await frame(database)

    assert [(each.unusable, each.calls_today) for each in seen.numbers] == [
        (Ineligible.EXCLUDED, 0),
        (Ineligible.DISABLED, 0),
        (Ineligible.DAILY_CAP, 100),
        (None, 0),
    ]


async def test_without_a_daemon_that_is_the_reason_and_the_hold_comes_before_it(
    database: AnyDatabase,
) -> None:
    await given_campaign(database, now=NOW, contacts=2)

    alone = await frame(database)
    async with database.write("ana") as tx:
        await hold.pull(tx, NOW, reason="wrong list")
    held = await frame(database)

    assert alone.pulse.life is Life.NO_DAEMON
    assert [row["reason"] for row in alone.waits] == [WaitReason.NO_DAEMON]
    assert held.held is not None
    assert held.held.words == "ana: wrong list"
    assert [row["reason"] for row in held.waits] == [WaitReason.HELD]


async def test_whoever_paused_it_is_told_with_their_reason(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=2)
    async with database.write("ana") as tx:
        await campaigns.move(
            tx, "Renewals", CampaignEvent.PAUSE, NOW + SECOND, reason="script wrong"
        )

    seen = await frame(database, at=NOW + MINUTE)

    assert (seen.status, seen.paused_by, seen.paused_at, seen.pause_reason) == (
        CampaignStatus.PAUSED, "ana", NOW + SECOND, "script wrong",
    )  # fmt: skip
    assert seen.finish_at is None


async def test_the_hours_of_a_schedule_are_told_with_their_end(database: AnyDatabase) -> None:
    body = json.dumps(to_json(Schedule("America/New_York", parse_weekly("daily 09:00-17:00"))))
    await given_campaign(database, now=NOW, contacts=1, schedule_body=body)

    open_ = await frame(database)
    closed = await frame(database, at=NOW + 8 * HOUR)

    assert (open_.hours.is_open, open_.hours.changes_at) == (True, NOW + 7 * HOUR)
    assert open_.hours.zone == "America/New_York"
    assert (closed.hours.is_open, closed.hours.changes_at) == (False, NOW + 23 * HOUR)


async def test_the_calls_of_other_campaigns_are_not_its_own(
    store: str, database: AnyDatabase
) -> None:
    first = await given_campaign(database, now=NOW, contacts=2, call_interval_s=0)
    second = await given_campaign(
        database, now=NOW, name="Survey", contacts=2, number_ids=[1], first_contact=10,
        call_interval_s=0,
    )  # fmt: skip
    async with daemon_on(store, database) as daemon:
        await daemon.take(first)
        (claim, _) = await daemon.take(second)

    seen = await frame(database, name="Survey")

    assert seen.id == second
    assert len(seen.calls) == 2
    assert claim.attempt_id in [call.id for call in seen.calls]
    assert seen.pace.live == 2


async def test_an_estimate_follows_the_pace_of_the_last_while(
    store: str, database: AnyDatabase
) -> None:
    campaign = await given_campaign(
        database, now=NOW, contacts=40, call_interval_s=0, max_concurrent=100, max_retries=0
    )
    async with daemon_on(store, database) as daemon:
        for claim in await daemon.take(campaign, 10):
            await told(daemon, claim, CarrierStatus.BUSY)
        soon = await frame(database, at=NOW + 2 * MINUTE)
        late = await frame(database, at=NOW + 10 * MINUTE)
        next_day = await frame(database, at=NOW + DAY)

    # Ten calls in two minutes, and thirty to go.
    assert soon.finish_at == NOW + 2 * MINUTE + 6 * MINUTE
    assert late.finish_at is None, "it is open, and nobody is called"
    assert next_day.finish_at is None


async def test_the_standing_names_daemons_campaigns_and_the_last_backup(
    store: str, database: AnyDatabase
) -> None:
    campaign = await given_campaign(
        database, now=NOW, contacts=3, max_concurrent=7, call_interval_s=0
    )
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO jobs (kind, subject, state, actor, worker, started_at, beat_at, ended_at)"
            " VALUES ('backup', ?1, ?2, 'ana', 'host:1', 0, 0, ?3)",
            [("old.db", "done", NOW - DAY), ("new.db", "done", NOW), ("bad.db", "failed", NOW)],
        )
    async with daemon_on(store, database) as daemon:
        await daemon.take(campaign, 2)
        async with database.read() as tx:
            limits = account_limits(settings_for(store, max_concurrent=5))
            stands = await standing(tx, NOW, public_holidays, limits)

    (alive,) = stands.daemons
    assert (alive.host, alive.pid) == ("test", None)
    assert (stands.live, stands.lines) == (2, 5)
    assert (stands.backup, stands.backup_at) == ("new.db", NOW)
    assert [each.live for each in stands.campaigns] == [2]


async def test_members_of_a_large_campaign_are_counted_when_asked_and_kept_meanwhile(
    database: AnyDatabase,
) -> None:
    campaign: CampaignId = await given_campaign(database, now=NOW, contacts=2)
    async with database.read() as tx:
        kept = await watching.tally(tx, campaign, NOW)
    async with database.write() as tx:
        await given_members(tx, campaign, 3, first=100)
    async with database.read() as tx:
        seen = await watching.frame(
            tx, "Renewals", NOW, Plans(public_holidays), ACCOUNT, silence=SILENCE, calls=1,
            counted=kept,
        )  # fmt: skip

    assert seen.total == 2
    assert (await frame(database)).total == 5
