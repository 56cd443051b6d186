"""Sending requests: once each, at their instant, after a last look; and what the answers do."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialer import campaign_edits, campaigns
from dialer.campaigns import pause_by_engine
from dialer.claims import ClaimRequest, ClaimResult
from dialer.errors import StoreBusyError, UnreachableError
from dialer.launcher import BACK_OFF_MAX_S, BACK_OFF_S, OUTAGE, _Failures
from dialer.leases import MARGIN_S
from dialer.model import CallEvent, CampaignId, CarrierStatus, Claim, WaitReason
from dialer.ports import (
    Accepted,
    Doubtful,
    NotSent,
    Order,
    Placement,
    Refusal,
    Refused,
    Throttled,
    Tx,
)
from dialer.states import CampaignEvent
from dialer.store.opening import AnyDatabase, opened
from tests.support.engine import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Daemon,
    assert_sound,
    attempt_of,
    daemon_on,
    given_daemon,
    member_of,
    rows,
    running,
    sid,
    status,
    until,
)
from tests.support.given import given_campaign, read, write


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    """A daemon that writes, and sends when a test lets it."""
    async with daemon_on(store, database) as alive:
        yield alive


async def given_calling(daemon: Daemon, **fields: Any) -> CampaignId:
    """A campaign that no limit of its own holds back."""
    free = {"contacts": 1, "call_interval_s": 0, "max_concurrent": 1000, "max_calls_per_day": 1000}
    return await given_campaign(daemon.database, now=NOW, **(free | fields))


async def command(daemon: Daemon, event: CampaignEvent, name: str = "Renewals") -> None:
    async with daemon.database.write() as tx:
        await campaigns.move(tx, name, event, NOW)


@asynccontextmanager
async def sending(daemon: Daemon, claims: Sequence[Claim] = ()) -> AsyncIterator[None]:
    """The launcher at work until all claims are sent or given back and all is written down."""
    daemon.engine.launcher.add(claims)
    async with running(daemon.engine.launcher.run):
        yield
        await until(lambda: not daemon.engine.launcher.busy)
        await daemon.batcher.settled()


async def send(daemon: Daemon, claims: Sequence[Claim]) -> None:
    async with sending(daemon, claims):
        pass


async def why_waiting(daemon: Daemon) -> list[tuple[Any, ...]]:
    """The reasons that operators see."""
    await daemon.engine.dispatcher.explain_now()
    return await rows(
        daemon.database, "SELECT reason, members, until_at, detail FROM campaign_waits ORDER BY 1"
    )


def completed(order: Order, call: int) -> CallEvent:
    return status(order.attempt_id, CarrierStatus.COMPLETED, NOW, call=sid(call), duration_s=30)


# -- before a request leaves ---------------------------------------------------------------------


async def test_the_intent_is_durable_before_the_carrier_is_asked(
    daemon: Daemon, store: str
) -> None:
    campaign = await given_calling(daemon)
    seen: list[tuple[Any, ...]] = []

    async with opened(store, random.Random(2), busy_timeout_s=5) as stranger:

        async def look(order: Order) -> None:
            async with stranger.read() as tx:
                seen.extend(await read(tx, "SELECT id, state, phone, sid FROM attempts"))
                seen.extend(await read(tx, "SELECT state, attempt_id FROM members"))

        daemon.carrier.while_placing = look
        await send(daemon, await daemon.take(campaign))

    (order,) = daemon.carrier.orders
    assert seen == [(order.attempt_id, "intent", order.to, None), ("dialing", order.attempt_id)]
    attempt = await attempt_of(daemon.database, order.attempt_id)
    assert (attempt["state"], attempt["sid"]) == ("placed", sid(1))


async def test_an_order_says_what_its_campaign_says(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, ring_timeout_s=45)
    (claim,) = await daemon.take(campaign)

    await send(daemon, [claim])

    assert daemon.carrier.orders == [
        Order(
            attempt_id=claim.attempt_id,
            to=claim.to,
            from_=claim.from_,
            ring_timeout_s=45,
            amd=claim.amd,
            detect_message_end=False,
            void_at=claim.void_at,
        )
    ]


async def test_everybody_is_called_once(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, contacts=40)
    claims = await daemon.take(campaign)

    async with sending(daemon, claims[:25]):
        await until(lambda: bool(daemon.carrier.orders))
        daemon.engine.launcher.add(claims[25:])

    assert sorted(order.to for order in daemon.carrier.orders) == sorted(c.to for c in claims)
    assert await rows(daemon.database, "SELECT DISTINCT state FROM attempts") == [("placed",)]
    await assert_sound(daemon.database)


async def test_a_claim_waits_for_its_slot(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, contacts=3, call_interval_s=0.04)
    claims = await daemon.take(campaign)
    assert [claim.send_at - NOW for claim in claims] == [0, 40, 80]

    async with sending(daemon, claims[::-1]):
        await until(lambda: len(daemon.carrier.orders) == 1)
        daemon.clock.at += 40
        await until(lambda: len(daemon.carrier.orders) == 2)
        daemon.clock.at += 40

    assert [order.to for order in daemon.carrier.orders] == [claim.to for claim in claims]


async def test_a_clock_that_was_ahead_for_a_moment_holds_no_request_up(
    store: str, database: AnyDatabase
) -> None:
    async with daemon_on(store, database, calls_per_second=1, lease_s=1e6) as daemon:
        daemon.clock.at = NOW + HOUR
        campaign = await given_calling(daemon, contacts=2)
        (first,) = await daemon.take(campaign)
        await send(daemon, [first])

        daemon.clock.at = NOW
        async with database.write() as tx:
            await write(tx, "UPDATE attempts SET state = 'intent', sid = ?1", [(None,)])
        async with sending(daemon, [first._replace(send_at=NOW, void_at=NOW + 3 * SECOND)]):
            while len(daemon.carrier.orders) < 2 and daemon.clock.at < NOW + 2 * SECOND:
                daemon.clock.at += 50
                daemon.engine.launcher.add([])  # look again
                await asyncio.sleep(0.001)

        assert len(daemon.carrier.orders) == 2


@pytest.mark.parametrize("event", [CampaignEvent.PAUSE, CampaignEvent.CANCEL])
async def test_a_campaign_stopped_after_the_claim_calls_nobody(
    daemon: Daemon, event: CampaignEvent
) -> None:
    campaign = await given_calling(daemon, contacts=3)
    claims = await daemon.take(campaign)

    await command(daemon, event)
    await send(daemon, claims)

    assert daemon.carrier.orders == []
    attempts = await rows(daemon.database, "SELECT DISTINCT state, detail FROM attempts")
    assert attempts == [("released", "no longer wanted")]
    left = "failed" if event is CampaignEvent.CANCEL else "pending"
    assert await rows(daemon.database, "SELECT DISTINCT state FROM members") == [(left,)]
    assert await rows(daemon.database, "SELECT sum(calls) FROM number_days") == [(0,)]
    await assert_sound(daemon.database)


@pytest.mark.parametrize(
    "changes", [{"ring_timeout_s": 60}, {"callee_calls_per_day": 1}, {"labels": ("a",)}]
)
async def test_a_campaign_edited_after_the_claim_calls_as_it_says_now(
    daemon: Daemon, changes: dict[str, Any]
) -> None:
    campaign = await given_calling(daemon, contacts=2)
    claims = await daemon.take(campaign)
    async with daemon.database.write() as tx:
        await campaign_edits.edit(tx, "Renewals", changes, NOW)

    await send(daemon, claims)
    given_back = list(daemon.carrier.orders)
    await send(daemon, await daemon.take(campaign))

    assert given_back == []
    assert len(daemon.carrier.orders) == 2
    rings_s = {order.ring_timeout_s for order in daemon.carrier.orders}
    assert rings_s == {changes.get("ring_timeout_s", claims[0].ring_timeout_s)}
    states = await rows(
        daemon.database, "SELECT state, count(*) FROM attempts GROUP BY 1 ORDER BY 1"
    )
    assert states == [("placed", 2), ("released", 2)]
    assert await rows(daemon.database, "SELECT sum(calls) FROM number_days") == [(2,)]
    await assert_sound(daemon.database)


async def test_a_pause_holds_back_what_is_waiting_for_its_slot(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, contacts=2, call_interval_s=0.05)

    async with sending(daemon, await daemon.take(campaign)):
        await until(lambda: len(daemon.carrier.orders) == 1)
        await command(daemon, CampaignEvent.PAUSE)
        daemon.clock.at += 50

    assert len(daemon.carrier.orders) == 1
    states = await rows(daemon.database, "SELECT state FROM attempts ORDER BY send_at")
    assert states == [("placed",), ("released",)]


async def test_a_daemon_without_a_lease_calls_nobody(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    claims = await daemon.take(campaign)

    daemon.clock.at = NOW + HOUR - int(MARGIN_S * SECOND)
    await send(daemon, claims)

    assert daemon.carrier.orders == []
    assert (await attempt_of(daemon.database, claims[0]))["state"] == "released"


async def test_an_order_is_void_when_the_lease_ends(store: str, database: AnyDatabase) -> None:
    async with daemon_on(store, database, lease_s=4) as daemon:
        campaign = await given_calling(daemon)

        await send(daemon, await daemon.take(campaign))

        assert daemon.carrier.orders[0].void_at == NOW + 4 * SECOND - int(MARGIN_S * SECOND)


async def test_an_attempt_that_somebody_else_took_over_is_not_sent(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    claims = await daemon.take(campaign)
    other = await given_daemon(daemon.database)
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE attempts SET owner = ?1, state = 'unknown'", [(other,)])
    daemon.engine.calls._attempts.forget()

    await send(daemon, claims)

    assert daemon.carrier.orders == []
    attempt = await attempt_of(daemon.database, claims[0])
    assert (attempt["state"], attempt["owner"]) == ("unknown", other)


async def test_what_cannot_be_confirmed_is_not_sent(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = await given_calling(daemon)
    claims = await daemon.take(campaign)

    def broken() -> Any:
        raise UnreachableError("the connection was lost")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(daemon.database, "read", broken)
        await send(daemon, claims)

    assert daemon.carrier.orders == []
    assert "launch.unconfirmed" in [entry["event"] for entry in logs]
    assert (await attempt_of(daemon.database, claims[0]))["state"] == "released"


async def test_slots_that_passed_while_nothing_could_leave_are_not_made_up_for_in_a_burst(
    store: str, database: AnyDatabase
) -> None:
    async with daemon_on(store, database, calls_per_second=10, look_ahead_s=0.3) as daemon:
        campaign = await given_calling(daemon, contacts=4)
        claims = await daemon.take(campaign)
        assert [claim.send_at - NOW for claim in claims] == [0, 100, 200, 300]

        launcher, left_at = daemon.engine.launcher, list[int]()

        async def note(order: Order) -> None:
            left_at.append(daemon.clock.at)

        daemon.carrier.while_placing = note
        daemon.clock.at = NOW + SECOND
        async with sending(daemon, claims):
            while launcher.busy:
                launcher.add([])  # look again
                await asyncio.sleep(0.001)
                await until(lambda: not launcher._in_flight)
                daemon.clock.at += 10

        assert all(later - earlier >= 80 for earlier, later in pairwise(left_at))
        assert len(left_at) == 4


async def test_only_so_many_requests_are_under_way_and_the_rest_waits_for_its_last_look(
    store: str, database: AnyDatabase
) -> None:
    go_on = asyncio.Event()

    async def slow(order: Order) -> None:
        await go_on.wait()

    async with daemon_on(store, database, requests_at_once=2) as daemon:
        daemon.carrier.while_placing = slow
        campaign = await given_calling(daemon, contacts=5)
        async with sending(daemon, await daemon.take(campaign)):
            await until(lambda: len(daemon.carrier.orders) == 2)
            await command(daemon, CampaignEvent.PAUSE)
            go_on.set()

        assert len(daemon.carrier.orders) == 2
        states = await rows(database, "SELECT state, count(*) FROM attempts GROUP BY 1 ORDER BY 1")
        assert states == [("placed", 2), ("released", 3)]


# -- the carrier's answers -----------------------------------------------------------------------


async def test_a_throttled_order_is_sent_again_when_the_carrier_said(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    claims = await daemon.take(campaign)
    daemon.carrier.placements = [Throttled(0.05, 20429, "too many requests"), Accepted(sid(7))]

    async with sending(daemon, claims):
        await until(lambda: len(daemon.carrier.orders) == 1)
        daemon.clock.at += 50
        await until(lambda: len(daemon.carrier.orders) == 2)

    first, second = daemon.carrier.orders
    assert first == second
    attempt = await attempt_of(daemon.database, claims[0])
    assert (attempt["state"], attempt["sid"]) == ("placed", sid(7))


async def test_a_throttled_order_is_looked_at_again_before_it_leaves_again(
    daemon: Daemon,
) -> None:
    campaign = await given_calling(daemon)
    daemon.carrier.placements = [Throttled(0.05, 20429, "too many requests")]

    async with sending(daemon, await daemon.take(campaign)):
        await until(lambda: len(daemon.carrier.orders) == 1)
        await command(daemon, CampaignEvent.PAUSE)
        daemon.clock.at += 50

    assert len(daemon.carrier.orders) == 1
    assert (await member_of(daemon.database))["state"] == "pending"


async def test_a_throttled_order_that_would_be_void_is_given_back(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    daemon.carrier.placements = [Throttled(60, 20429, "too many requests")]

    await send(daemon, await daemon.take(campaign))

    assert len(daemon.carrier.orders) == 1
    member = await member_of(daemon.database)
    assert (member["state"], member["next_at"]) == ("pending", NOW + MINUTE)
    assert (member["attempts"], member["not_placed"]) == (0, 0)
    await assert_sound(daemon.database)


async def test_an_order_in_doubt_is_never_placed_again(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    daemon.carrier.placements = [Doubtful("no answer within 10 s")]
    (claim,) = await daemon.take(campaign)

    await send(daemon, [claim])
    for _ in range(3):
        daemon.clock.pass_s(30)
        assert await daemon.take(campaign) == []

    assert len(daemon.carrier.orders) == 1
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["detail"]) == ("unknown", "no answer within 10 s")


async def test_news_during_the_request_beats_the_doubt(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    (claim,) = await daemon.take(campaign)
    daemon.carrier.placements = [Doubtful("no answer within 10 s")]

    async def callback(order: Order) -> None:
        await daemon.engine.calls.receive(status(claim, CarrierStatus.RINGING, NOW))

    daemon.carrier.while_placing = callback
    await send(daemon, [claim])

    assert (await attempt_of(daemon.database, claim))["state"] == "placed"


async def test_a_defect_of_ours_while_placing_is_a_doubt(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, contacts=2)
    claims = await daemon.take(campaign)

    async def stumble(order: Order) -> None:
        if order.attempt_id == claims[0].attempt_id:
            raise ZeroDivisionError("after the request had left, perhaps")

    daemon.carrier.while_placing = stumble
    with capture_logs() as logs:
        await send(daemon, claims)

    first, second = [await attempt_of(daemon.database, claim) for claim in claims]
    assert (first["state"], second["state"]) == ("unknown", "placed")
    assert "launch.defect" in [entry["event"] for entry in logs]


async def test_doubt_upon_doubt_is_an_outage_and_spends_nobody_elses_attempts(
    daemon: Daemon,
) -> None:
    campaign = await given_calling(daemon, contacts=OUTAGE + 3)
    daemon.carrier.placements = [Doubtful("no answer within 10 s") for _ in range(OUTAGE)]

    await send(daemon, await daemon.take(campaign, limit=OUTAGE - 1))
    patient = {reason for reason, *_ in await why_waiting(daemon)}
    await send(daemon, await daemon.take(campaign, limit=1))

    assert WaitReason.CARRIER_BACK_OFF not in patient
    until_at = NOW + int(BACK_OFF_MAX_S * SECOND)
    assert (WaitReason.CARRIER_BACK_OFF, 3, until_at, "no answer within 10 s") in (
        await why_waiting(daemon)
    )


@pytest.mark.parametrize(
    ("placement", "state"),
    [
        (Refused(Refusal.BAD_NUMBER, 21211, "no such number"), "failed"),
        (Refused(Refusal.DESTINATION, 21215, "not there"), "failed"),
        (Refused(Refusal.OTHER, 20001, "no"), "retry"),
    ],
)
async def test_a_refusal_ends_the_attempt_and_no_campaign(
    daemon: Daemon, placement: Placement, state: str
) -> None:
    campaign = await given_calling(daemon)
    daemon.carrier.placements = [placement]

    await send(daemon, await daemon.take(campaign))

    assert (await member_of(daemon.database))["state"] == state
    assert await rows(daemon.database, "SELECT status FROM campaigns") == [("active",)]


async def test_a_refusal_of_our_account_pauses_the_campaign_with_its_reason(
    daemon: Daemon,
) -> None:
    await given_calling(daemon, name="Other", contacts=1, first_contact=100, start=False)
    campaign = await given_calling(daemon, contacts=2, number_ids=[1])
    daemon.carrier.placements = [Refused(Refusal.CONFIGURATION, 20003, "authenticate")]
    claims = await daemon.take(campaign, limit=1)

    with capture_logs() as logs:
        await send(daemon, claims)

    reason = "the carrier refuses our calls: 20003: authenticate"
    paused = "SELECT name, status, pause_reason FROM campaigns ORDER BY name"
    assert await rows(daemon.database, paused) == [
        ("Other", "draft", None), ("Renewals", "paused", reason),
    ]  # fmt: skip
    assert "campaign.stopped" in [entry["event"] for entry in logs]
    assert await rows(
        daemon.database, "SELECT DISTINCT state FROM members WHERE campaign_id = 2"
    ) == [("pending",)]
    assert await daemon.take(campaign) == []
    await assert_sound(daemon.database)


async def test_a_campaign_that_ended_meanwhile_is_not_paused(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    await command(daemon, CampaignEvent.CANCEL)

    async with daemon.database.write() as tx:
        await pause_by_engine(tx, campaign, "the carrier refuses our calls", NOW)

    assert await rows(daemon.database, "SELECT status, pause_reason FROM campaigns") == [
        ("cancelled", None)
    ]


# -- when the carrier takes no calls -------------------------------------------------------------


async def test_a_carrier_that_cannot_be_reached_is_left_alone_for_a_while(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, contacts=3)
    daemon.carrier.placements = [NotSent("connection refused")]

    await send(daemon, await daemon.take(campaign, limit=1))

    until_at = NOW + int(BACK_OFF_S * SECOND)
    assert await why_waiting(daemon) == [
        (WaitReason.CARRIER_BACK_OFF, 3, until_at, "connection refused")
    ]
    member = await member_of(daemon.database)
    assert (member["state"], member["attempts"], member["not_placed"]) == ("pending", 0, 0)


async def test_the_rest_doubles_up_to_a_bound_and_ends_with_the_first_call(
    daemon: Daemon,
) -> None:
    campaign = await given_calling(daemon)
    rests: list[float] = []

    answers: list[Placement] = [NotSent("connection refused") for _ in range(7)]
    for placement in [*answers, Accepted(sid(1))]:
        daemon.carrier.placements = [placement]
        await send(daemon, await daemon.take(campaign))
        ((_, _, until_at, _), *_) = [*await why_waiting(daemon), (None, None, None, None)]
        if until_at is not None:
            rests.append((until_at - daemon.clock.now()) / SECOND)
            daemon.clock.at = until_at
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE members SET state = 'pending', next_at = ?1", [(0,)])
        await write(tx, "UPDATE attempts SET state = 'released', closed_at = ?1", [(0,)])
    daemon.engine.calls._attempts.forget()
    daemon.carrier.placements = [NotSent("connection refused")]
    await send(daemon, await daemon.take(campaign))
    ((_, _, until_at, _),) = await why_waiting(daemon)

    assert rests == [1, 2, 4, 8, 16, BACK_OFF_MAX_S, BACK_OFF_MAX_S]
    assert until_at == daemon.clock.now() + BACK_OFF_S * SECOND


def test_a_rest_is_bounded_however_long_an_outage_lasts() -> None:
    assert _Failures(in_a_row=100_000).back_off_s() == BACK_OFF_MAX_S


async def test_an_order_that_was_too_late_is_no_reason_to_rest(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    daemon.carrier.placements = [NotSent("void")]

    async def dawdle(order: Order) -> None:
        daemon.clock.at = order.void_at + 1

    daemon.carrier.while_placing = dawdle
    await send(daemon, await daemon.take(campaign))

    assert [reason for reason, *_ in await why_waiting(daemon)] == [WaitReason.NEXT]
    assert (await member_of(daemon.database))["state"] == "pending"


async def test_nobody_is_claimed_while_the_carrier_rests(daemon: Daemon) -> None:
    await given_calling(daemon, contacts=3, max_concurrent=2)
    daemon.carrier.placements = [Throttled(60, 20429, "too many requests")] * 2
    dispatcher = daemon.engine.dispatcher

    async with running(dispatcher.run, daemon.engine.launcher.run):
        await until(lambda: len(daemon.carrier.orders) == 2)
        await daemon.batcher.settled()
        resting = await why_waiting(daemon)
        daemon.clock.at += MINUTE
        dispatcher.nudge(CampaignId(1))
        await until(lambda: len(daemon.carrier.orders) == 4)

    asked_to_wait = "carrier asks to wait: too many requests"
    assert resting == [
        (WaitReason.CARRIER_BACK_OFF, 1, NOW + MINUTE, asked_to_wait),
        (WaitReason.DEFERRED, 2, NOW + MINUTE, ""),
    ]


# -- the end -------------------------------------------------------------------------------------


async def test_draining_gives_back_what_was_not_sent_and_lets_the_rest_end(
    daemon: Daemon,
) -> None:
    campaign = await given_calling(daemon, contacts=3, call_interval_s=0.05)
    go_on = asyncio.Event()

    async def slow(order: Order) -> None:
        await go_on.wait()

    daemon.carrier.while_placing = slow
    async with sending(daemon, await daemon.take(campaign)):
        await until(lambda: len(daemon.carrier.orders) == 1)
        daemon.engine.dispatcher.drain()
        await daemon.engine.launcher.drain()
        assert daemon.engine.launcher.busy
        daemon.clock.at += 100
        go_on.set()

    assert len(daemon.carrier.orders) == 1
    attempts = await rows(daemon.database, "SELECT state, detail FROM attempts ORDER BY send_at")
    assert attempts == [("placed", None), ("released", "draining"), ("released", "draining")]
    reasons = {reason: members for reason, members, *_ in await why_waiting(daemon)}
    assert reasons == {WaitReason.DRAINING: 2, WaitReason.IN_CALL: 1}


async def test_a_claim_that_comes_during_the_drain_is_given_back(daemon: Daemon) -> None:
    campaign = await given_calling(daemon)
    claims = await daemon.take(campaign)

    await daemon.engine.launcher.drain()
    await send(daemon, claims)

    assert daemon.carrier.orders == []
    assert (await member_of(daemon.database))["state"] == "pending"


# -- the dispatcher ------------------------------------------------------------------------------


async def test_a_campaign_is_called_through_as_calls_end(daemon: Daemon) -> None:
    await given_calling(daemon, contacts=7, max_concurrent=2, completion_timeout_s=0)
    orders, ended = daemon.carrier.orders, 0

    def next_is_under_way() -> bool:
        return len(orders) > ended

    async with running(daemon.engine.dispatcher.run, daemon.engine.launcher.run):
        while ended < 7:
            await until(next_is_under_way)
            live = await rows(daemon.database, "SELECT id FROM attempts WHERE closed_at IS NULL")
            assert len(live) <= 2
            ended += 1
            await daemon.engine.calls.receive(completed(orders[ended - 1], ended))
        await daemon.batcher.settled()

    assert await rows(daemon.database, "SELECT DISTINCT state FROM members") == [("completed",)]
    assert len({order.to for order in daemon.carrier.orders}) == 7


async def test_campaigns_that_share_a_limit_take_turns(store: str, database: AnyDatabase) -> None:
    async with daemon_on(store, database, max_concurrent=1) as daemon:
        names = {}
        for number, name in enumerate(("One", "Two", "Three")):
            campaign = await given_calling(
                daemon, name=name, contacts=3, first_contact=10 * number + 1,
                number_ids=[1] if number else (), completion_timeout_s=0,
            )  # fmt: skip
            names[campaign] = name
        orders, ended = daemon.carrier.orders, 0

        def next_is_under_way() -> bool:
            return len(orders) > ended

        async with running(daemon.engine.dispatcher.run, daemon.engine.launcher.run):
            while ended < 9:
                await until(next_is_under_way)
                ended += 1
                await daemon.engine.calls.receive(completed(orders[ended - 1], ended))
            await daemon.batcher.settled()

        called = await rows(database, "SELECT campaign_id FROM attempts ORDER BY id")
        turns = [names[campaign] for (campaign,) in called]
        assert sorted(turns[:3]) == sorted(turns[3:6]) == sorted(turns[6:])


async def test_a_campaign_that_cannot_be_read_stops_itself_and_no_other(daemon: Daemon) -> None:
    always = '{"zone": "UTC", "weekly": {}}'
    broken = await given_calling(daemon, name="Broken", schedule_body=always)
    sound = await given_calling(daemon, name="Sound", first_contact=10, number_ids=[1])
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE schedules SET body = ?1", [("{",)])

    with capture_logs() as logs:
        async with running(daemon.engine.dispatcher.run, daemon.engine.launcher.run):
            await until(lambda: bool(daemon.carrier.orders))
            await daemon.batcher.settled()

    unreadable = {entry["campaign"] for entry in logs if entry["event"] == "campaign.unreadable"}
    assert unreadable == {broken}
    assert await rows(daemon.database, "SELECT campaign_id FROM attempts") == [(sound,)]


async def test_a_call_that_ends_while_members_are_being_claimed_is_not_overlooked(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given_calling(daemon, contacts=2, max_concurrent=1, completion_timeout_s=0)
    dispatcher = daemon.engine.dispatcher
    claim, ended = dispatcher._claims.claim, asyncio.Event()

    async def claim_and_end(tx: Tx, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        results = await claim(tx, requests)
        if daemon.carrier.orders and not ended.is_set():
            # In the same transaction as the claim that found no room, after it.
            ended.set()
            await daemon.engine.calls._take_in(tx, [completed(daemon.carrier.orders[0], 1)])
        return results

    monkeypatch.setattr(dispatcher._claims, "claim", claim_and_end)
    async with running(dispatcher.run, daemon.engine.launcher.run):
        await until(lambda: len(daemon.carrier.orders) == 1)
        dispatcher.nudge(CampaignId(1))
        await until(lambda: len(daemon.carrier.orders) == 2)


async def test_a_command_seen_while_members_are_being_claimed_is_not_overlooked(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given_calling(daemon, contacts=2, max_concurrent=1)
    dispatcher, apply = daemon.engine.dispatcher, daemon.batcher.apply
    edited = asyncio.Event()

    async def apply_and_edit(handler: Any, ops: Sequence[Any], **how: Any) -> Sequence[Any]:
        results = await apply(handler, ops, **how)
        if isinstance(ops[0], ClaimRequest) and daemon.carrier.orders and not edited.is_set():
            # Between the commit of the claim that found no room and its result.
            edited.set()
            async with daemon.database.write() as tx:
                raised = "UPDATE campaigns SET max_concurrent = ?1, revision = revision + 1"
                await write(tx, raised, [(2,)])
                await tx.run("bump_revision")
            await dispatcher.refresh()
        return results

    async with running(dispatcher.run, daemon.engine.launcher.run):
        await until(lambda: len(daemon.carrier.orders) == 1)
        monkeypatch.setattr(daemon.batcher, "apply", apply_and_edit)
        dispatcher.nudge(CampaignId(1))
        await until(lambda: len(daemon.carrier.orders) == 2)


async def test_a_database_that_fails_is_a_reason_not_to_dial(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given_calling(daemon)
    dispatcher = daemon.engine.dispatcher
    failures: list[int] = []

    async def refuse(tx: Tx, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        failures.append(len(requests))
        raise StoreBusyError("the disk is full")

    with capture_logs() as logs:
        monkeypatch.setattr(dispatcher._claims, "claim", refuse)
        async with running(dispatcher.run):
            await until(lambda: dispatcher.store_trouble is not None)
        waiting = await why_waiting(daemon)

    assert "claim.failed" in [entry["event"] for entry in logs]
    assert waiting == [(WaitReason.STORE_FAILED, 1, NOW + SECOND, "the disk is full")]
    assert daemon.engine.dispatcher.store_trouble == "the disk is full"
    assert daemon.carrier.orders == []
    assert len(failures) == 1
