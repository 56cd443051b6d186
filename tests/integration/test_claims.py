"""Taking members: every limit exact, whoever claims, whatever happens in between."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer import campaigns
from dialer.claims import ClaimRequest
from dialer.limits import AccountLimits
from dialer.model import CampaignId, Claim, OnMachine, WaitReason
from dialer.permission import CLOSING_GUARD_S, ClaimTimes
from dialer.ports import Database, Tx
from dialer.states import CampaignEvent
from dialer.store.opening import AnyDatabase, opened
from rotation.strategies import Strategy
from tests.support.engine import (
    HOUR,
    MINUTE,
    MS,
    NOW,
    SECOND,
    TIMES,
    Claimer,
    SetClock,
    assert_sound,
    given_claimer,
    member_of,
    rows,
)
from tests.support.given import FIRST_PHONE, given_campaign, given_members, given_numbers, write

#: Midnight in New York after NOW.
NEW_YORK_MIDNIGHT = NOW + 14 * HOUR
OFFICE = '{"zone": "UTC", "weekly": {"mon": ["09:00-17:00"], "tue": ["09:00-17:00"]}}'
FIVE = NOW + 2 * HOUR  # when the office closes


async def end_calls(database: Database, claims: Sequence[Claim], now: int = NOW) -> None:
    """The calls of these claims came about, are over and all is settled."""
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE attempts SET state = 'ended', sid = id, outcome = 'human', closed_at = ?2"
            " WHERE id = ?1",
            [(claim.attempt_id, now) for claim in claims],
        )
        await write(
            tx,
            "UPDATE members SET state = 'completed' WHERE id = ?1",
            [(claim.member_id,) for claim in claims],
        )


async def command(database: Database, name: str, event: CampaignEvent) -> None:
    async with database.write() as tx:
        await campaigns.move(tx, name, event, NOW)


async def change(database: Database, statement: str, *values: Any) -> None:
    async with database.write() as tx:
        await write(tx, statement, [values])


async def given_talkative(database: Database, **fields: Any) -> CampaignId:
    """A campaign that no limit of its own holds back."""
    free = {"call_interval_s": 0, "max_concurrent": 10_000, "max_calls_per_day": 1000}
    return await given_campaign(database, now=NOW, **(free | fields))


# -- what a claim is -----------------------------------------------------------------------------


async def test_a_claim_is_an_attempt_that_is_durable_before_anybody_is_asked(
    database: AnyDatabase,
) -> None:
    campaign = await given_talkative(database, contacts=1, ring_timeout_s=25)
    daemon = await given_claimer(database, SetClock())

    (claim,) = await daemon.take(campaign)

    assert (claim.to, claim.from_) == (f"+{FIRST_PHONE + 1}", "+13105550001")
    assert (claim.send_at, claim.intent_at, claim.ring_timeout_s) == (NOW, NOW, 25)
    assert claim.void_at == NOW + 3 * SECOND  # patience
    (attempt,) = await rows(
        database,
        "SELECT id, member_id, campaign_id, number_id, owner, phone, state, day, intent_at,"
        " send_at, check_at, closed_at FROM attempts",
    )
    assert attempt == (
        claim.attempt_id, claim.member_id, campaign, 1, daemon.owner, claim.to, "intent",
        "2026-01-05", NOW, NOW, claim.void_at + 40 * SECOND, None,
    )  # fmt: skip
    member = await member_of(database)
    assert (member["state"], member["attempt_id"]) == ("dialing", claim.attempt_id)
    assert member["attempts"] == 0  # counted when the call is over
    assert await rows(database, "SELECT calls_total FROM numbers") == [(1,)]
    await assert_sound(database)


@pytest.mark.parametrize(
    ("on_machine", "waits_for_the_beep"),
    [(OnMachine.LEAVE_MESSAGE, True), (OnMachine.HANG_UP, False), (OnMachine.CONTINUE, False)],
)
async def test_the_end_of_a_greeting_is_listened_for_where_a_message_is_left(
    database: AnyDatabase, on_machine: OnMachine, waits_for_the_beep: bool
) -> None:
    campaign = await given_talkative(database, contacts=1, on_machine=on_machine)
    daemon = await given_claimer(database, SetClock())

    (claim,) = await daemon.take(campaign)

    assert claim.detect_message_end == waits_for_the_beep


async def test_members_are_taken_by_priority_then_due_time_then_age(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=0, start=False)
    async with database.write() as tx:
        for first, priority, due_at in (
            (1, 2, NOW - 9_000),  # low, long overdue
            (2, 1, NOW - 10),
            (3, 1, NOW - 20),
            (4, 0, NOW),  # high, due just now
            (5, 1, NOW - 20),
            (6, 0, NOW + 1),  # high, but not due yet
        ):
            await given_members(tx, campaign, 1, now=due_at, first=first, priority=priority)
        await campaigns.move(tx, "Renewals", CampaignEvent.START, NOW)
    daemon = await given_claimer(database, SetClock())

    claims = await daemon.take(campaign, limit=2) + await daemon.take(campaign)

    assert [int(claim.to) - FIRST_PHONE for claim in claims] == [4, 3, 5, 2, 1]


async def test_nobody_is_taken_before_the_time_that_was_set(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=2)
    await change(database, "UPDATE members SET state = 'retry', next_at = ?1", NOW + HOUR)
    clock = SetClock(NOW + HOUR - 1)
    daemon = await given_claimer(database, clock)

    (result,) = await daemon.claim(campaign)
    clock.at += 1
    claims = await daemon.take(campaign)

    assert result.claims == ()
    assert result.wait
    assert (result.wait.reason, result.wait.until_at) == (WaitReason.RETRY_NOT_DUE, NOW + HOUR)
    assert len(claims) == 2


async def test_a_whole_list_is_taken_once_and_nobody_twice(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=57)
    daemon = await given_claimer(database, SetClock())

    taken = [claim for _ in range(7) for claim in await daemon.take(campaign, limit=9)]

    assert len(taken) == 57
    assert len({claim.member_id for claim in taken}) == 57
    assert len({claim.attempt_id for claim in taken}) == 57


# -- whether the campaign may call at all --------------------------------------------------------


async def test_a_plan_that_is_not_the_newest_takes_nobody(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=1)
    daemon = await given_claimer(database, SetClock())
    async with database.read() as tx:
        plan = await daemon.plans.of(tx, campaign)

    for change_it in (CampaignEvent.PAUSE, CampaignEvent.RESUME, CampaignEvent.CANCEL):
        await command(database, "Renewals", change_it)
        async with database.write() as tx:
            (result,) = await daemon.claims.claim(tx, [ClaimRequest(plan, 1)])

        assert result.stale
        assert result.claims == ()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (CampaignEvent.PAUSE, WaitReason.PAUSED),
        (CampaignEvent.COMPLETE, WaitReason.ENDED),
        (CampaignEvent.CANCEL, WaitReason.ENDED),
    ],
)
async def test_a_campaign_that_is_not_active_takes_nobody(
    database: AnyDatabase, event: CampaignEvent, reason: WaitReason
) -> None:
    campaign = await given_talkative(database, contacts=1)
    daemon = await given_claimer(database, SetClock())

    await command(database, "Renewals", event)

    assert await daemon.why_not(campaign) is reason
    assert await rows(database, "SELECT id FROM attempts") == []


async def test_a_start_that_lies_ahead_is_waited_for(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=1, start_at=NOW + HOUR)
    clock = SetClock()
    daemon = await given_claimer(database, clock)

    (result,) = await daemon.claim(campaign)
    clock.at = NOW + HOUR
    claims = await daemon.take(campaign)

    assert result.wait
    assert (result.wait.reason, result.wait.until_at) == (WaitReason.NOT_STARTED, NOW + HOUR)
    assert len(claims) == 1


async def test_nobody_is_called_outside_the_hours(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=1, schedule_body=OFFICE)
    clock = SetClock(FIVE)
    daemon = await given_claimer(database, clock)
    opens_at = FIVE + 16 * HOUR

    (result,) = await daemon.claim(campaign)
    clock.at = opens_at
    claims = await daemon.take(campaign)

    assert result.wait
    assert (result.wait.reason, result.wait.until_at) == (WaitReason.OUTSIDE_HOURS, opens_at)
    assert len(claims) == 1


async def test_nobody_is_called_whom_it_would_ring_after_closing(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=2, schedule_body=OFFICE, ring_timeout_s=30)
    last_at = FIVE - int((30 + CLOSING_GUARD_S + TIMES.look_ahead_s) * MS)
    clock = SetClock(last_at)
    daemon = await given_claimer(database, clock)

    (claim,) = await daemon.take(campaign, limit=1)
    clock.at += 1
    (result,) = await daemon.claim(campaign)

    assert claim.void_at + 30 * SECOND <= FIVE
    assert result.wait
    assert (result.wait.reason, result.wait.detail) == (WaitReason.OUTSIDE_HOURS, "closing")
    assert result.wait.until_at == FIVE + 16 * HOUR


async def test_an_order_is_void_when_it_would_ring_after_closing(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=1, schedule_body=OFFICE, ring_timeout_s=30)
    clock = SetClock(FIVE - 40 * SECOND)
    patient = ClaimTimes(look_ahead_s=0.1, patience_s=600, accept_bound_s=30, answer_s=40)
    daemon = await given_claimer(database, clock, times=patient)

    (claim,) = await daemon.take(campaign)

    assert claim.void_at == FIVE - (30 + CLOSING_GUARD_S) * SECOND


# -- limits --------------------------------------------------------------------------------------


async def test_a_campaign_has_exactly_as_many_calls_at_once_as_it_may(
    database: AnyDatabase,
) -> None:
    campaign = await given_talkative(database, contacts=20, max_concurrent=3)
    daemon = await given_claimer(database, SetClock())

    first = await daemon.take(campaign)
    full = await daemon.why_not(campaign)
    await end_calls(database, first[:2])
    next_ones = await daemon.take(campaign)

    assert (len(first), full, len(next_ones)) == (3, WaitReason.CAMPAIGN_CONCURRENCY, 2)
    assert await daemon.why_not(campaign) is WaitReason.CAMPAIGN_CONCURRENCY


async def test_a_cap_lowered_below_the_calls_under_way_takes_nobody(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=20, max_concurrent=5)
    daemon = await given_claimer(database, SetClock())
    await daemon.take(campaign)

    await change(database, "UPDATE campaigns SET max_concurrent = ?1, revision = revision + 1", 2)

    assert await daemon.why_not(campaign) is WaitReason.CAMPAIGN_CONCURRENCY


async def test_the_account_has_exactly_as_many_calls_at_once_as_it_may(
    database: AnyDatabase,
) -> None:
    one = await given_talkative(database, contacts=10, name="One")
    other = await given_talkative(
        database, contacts=10, first_contact=100, name="Other", number_ids=[1]
    )
    account = AccountLimits(calls_per_second=0, max_concurrent=7)
    daemon = await given_claimer(database, SetClock(), account=account)

    first, second = await daemon.claim(one, other, limit=5)
    (third,) = await daemon.claim(one)

    assert (len(first.claims), len(second.claims)) == (5, 2)
    assert third.wait
    assert third.wait.reason is WaitReason.ACCOUNT_CONCURRENCY


async def test_a_caller_id_has_exactly_as_many_calls_a_day_as_it_may(
    database: AnyDatabase,
) -> None:
    async with database.write() as tx:
        await given_numbers(tx, 1, zone="America/New_York")
    fields = {"contacts": 80, "number_ids": [1], "max_calls_per_day": 100}
    one = await given_talkative(database, name="One", **fields)
    other = await given_talkative(database, name="Other", first_contact=100, **fields)
    clock, dice = SetClock(), random.Random(7)
    daemon = await given_claimer(database, clock)

    made = 0
    while claims := [
        claim
        for result in await daemon.claim(one, other, limit=dice.randint(1, 9))
        for claim in result.claims
    ]:
        made += len(claims)
        await end_calls(database, claims)

    (result,) = await daemon.claim(one)
    assert made == 100
    assert result.wait
    assert result.wait.reason is WaitReason.NO_NUMBER
    assert result.wait.detail == "1 of 1 at the daily cap"
    assert result.wait.until_at == NEW_YORK_MIDNIGHT
    assert await rows(database, "SELECT day, calls FROM number_days") == [("2026-01-05", 100)]

    clock.at = NEW_YORK_MIDNIGHT - 1
    assert await daemon.why_not(one) is WaitReason.NO_NUMBER
    clock.at = NEW_YORK_MIDNIGHT
    assert len(await daemon.take(one)) == 30


async def test_the_last_calls_of_a_day_are_shared_out_over_the_numbers(
    database: AnyDatabase,
) -> None:
    campaign = await given_talkative(database, contacts=20, numbers=3, max_calls_per_day=4)
    daemon = await given_claimer(database, SetClock())

    claims = await daemon.take(campaign)

    assert Counter(claim.number_id for claim in claims) == {1: 4, 2: 4, 3: 4}


async def test_a_caller_id_carries_exactly_as_many_calls_at_once_as_it_may(
    database: AnyDatabase,
) -> None:
    one = await given_talkative(database, contacts=10, name="One")
    other = await given_talkative(
        database, contacts=10, first_contact=100, name="Other", number_ids=[1]
    )
    await change(database, "UPDATE numbers SET max_live = ?1", 4)
    daemon = await given_claimer(database, SetClock())

    first = await daemon.take(one, limit=3)
    second = await daemon.take(other)
    (result,) = await daemon.claim(one)
    await end_calls(database, first[:1])

    assert (len(first), len(second)) == (3, 1)
    assert result.wait
    assert (result.wait.reason, result.wait.until_at) == (WaitReason.NO_NUMBER, None)
    assert result.wait.detail == "1 of 1 busy"
    assert len(await daemon.take(one)) == 1


async def test_numbers_that_may_not_be_used_are_said_to_be_so(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=1, numbers=3, spam_threshold=7)
    daemon = await given_claimer(database, SetClock())
    await change(database, "UPDATE numbers SET disabled_at = 1 WHERE id = ?1", 1)
    await change(database, "UPDATE numbers SET spam_score = 7 WHERE id > ?1", 1)

    (result,) = await daemon.claim(campaign)
    await change(database, "UPDATE numbers SET spam_score = 6.9 WHERE id = ?1", 3)
    (claim,) = await daemon.take(campaign)

    assert result.wait
    assert (result.wait.reason, result.wait.until_at) == (WaitReason.NO_NUMBER, None)
    assert result.wait.detail == "2 of 3 excluded for spam, 1 disabled"
    assert claim.number_id == 3


async def test_a_callee_with_an_open_attempt_is_called_by_no_other_campaign(
    database: AnyDatabase,
) -> None:
    one = await given_talkative(database, contacts=3, name="One")
    other = await given_talkative(database, contacts=3, name="Other", number_ids=[1])
    daemon = await given_claimer(database, SetClock())

    first, second = await daemon.claim(one, other, limit=2)
    (third,) = await daemon.claim(other, limit=9)
    await end_calls(database, first.claims)

    assert len(first.claims) == 2
    assert {c.to for c in first.claims}.isdisjoint(c.to for c in second.claims)
    assert len(second.claims) == 1
    assert third.wait
    assert (third.wait.reason, third.wait.until_at) == (WaitReason.CALLEE_BUSY, NOW + SECOND)
    assert {c.to for c in await daemon.take(other)} == {c.to for c in first.claims}


async def test_calls_of_a_campaign_keep_its_interval(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=9, call_interval_s=10)
    clock = SetClock()
    daemon = await given_claimer(database, clock)

    (first,) = await daemon.take(campaign)
    (result,) = await daemon.claim(campaign)
    assert result.wait
    assert result.wait.until_at
    clock.at = result.wait.until_at
    (second,) = await daemon.take(campaign)

    assert result.wait.reason is WaitReason.CALL_INTERVAL
    assert second.send_at - first.send_at == 10 * SECOND


@pytest.mark.parametrize("rate", [1, 3, 7.5])
async def test_calls_of_all_campaigns_together_keep_the_accounts_rate(
    database: AnyDatabase, rate: float
) -> None:
    one = await given_talkative(database, contacts=9, name="One")
    other = await given_talkative(
        database, contacts=9, first_contact=100, name="Other", number_ids=[1]
    )
    clock = SetClock()
    account = AccountLimits(calls_per_second=rate, max_concurrent=0)
    daemon = await given_claimer(database, clock, account=account)

    send_at: list[int] = []
    for _ in range(40):
        results = await daemon.claim(one, other)
        send_at += [claim.send_at for result in results for claim in result.claims]
        waits = [result.wait for result in results if result.wait]
        held = [w.until_at for w in waits if w.reason is WaitReason.CALLS_PER_SECOND and w.until_at]
        clock.at = max(clock.at, min(held, default=clock.at))

    assert len(send_at) == 18
    assert all(sum(at <= each < at + SECOND for each in send_at) <= -(-rate // 1) for at in send_at)
    assert max(b - a for a, b in pairwise(sorted(send_at))) <= SECOND / rate + 1


@pytest.mark.parametrize(
    ("rate", "interval_s"), [(1, 0), (3, 0), (7.5, 0), (999, 0), (0, 0.007), (3, 0.5), (0.3, 1)]
)
async def test_whoever_asks_again_when_told_to_is_served(
    database: AnyDatabase, rate: float, interval_s: float
) -> None:
    campaign = await given_talkative(database, contacts=9, call_interval_s=interval_s)
    clock = SetClock()
    account = AccountLimits(calls_per_second=rate, max_concurrent=0)
    times = ClaimTimes(look_ahead_s=0.001, patience_s=3, accept_bound_s=30, answer_s=40)
    daemon = await given_claimer(database, clock, account=account, times=times)

    served = await daemon.take(campaign)
    while len(served) < 9:
        (result,) = await daemon.claim(campaign)
        assert result.wait
        assert result.wait.until_at
        clock.at = result.wait.until_at
        now_served = await daemon.take(campaign)
        assert now_served
        served += now_served


async def test_slots_are_reserved_ahead_and_no_further(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=50)
    account = AccountLimits(calls_per_second=100, max_concurrent=0)
    daemon = await given_claimer(database, SetClock(), account=account)

    claims = await daemon.take(campaign)
    more = await daemon.why_not(campaign)

    assert [claim.send_at - NOW for claim in claims] == list(range(0, 101, 10))
    assert more is WaitReason.CALLS_PER_SECOND


async def test_slots_that_passed_while_nobody_claimed_are_gone(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=50, call_interval_s=10)
    clock = SetClock()
    daemon = await given_claimer(database, clock)
    await daemon.take(campaign)

    clock.pass_s(8 * 3600)

    assert len(await daemon.take(campaign)) == 1


@pytest.mark.parametrize(("rate", "interval_s"), [(1, 0), (0, 10), (0.5, 3)])
async def test_a_clock_that_was_ahead_for_a_moment_holds_nobody_up_for_long(
    database: AnyDatabase, rate: float, interval_s: float
) -> None:
    campaign = await given_talkative(database, contacts=9, call_interval_s=interval_s)
    clock = SetClock(NOW + 24 * HOUR)
    account = AccountLimits(calls_per_second=rate, max_concurrent=0)
    daemon = await given_claimer(database, clock, account=account)
    await daemon.take(campaign)
    async with database.write() as tx:
        await write(tx, "UPDATE members SET next_at = ?1", [(NOW,)])

    clock.at = NOW
    asked_at: list[int] = []
    while not (claims := await daemon.take(campaign)) and len(asked_at) < 100:
        asked_at.append(clock.at)
        clock.pass_s(5)  # as the dispatcher asks at the latest

    assert claims
    assert clock.at - NOW <= 3 * MINUTE


# -- which number --------------------------------------------------------------------------------


async def test_turns_go_on_where_another_process_stopped(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=12, numbers=3)

    used = []
    for series in range(4):
        daemon = await given_claimer(database, SetClock(), series=series)
        for portion in (1, 2):
            used += [claim.number_id for claim in await daemon.take(campaign, limit=portion)]

    assert used == [1, 2, 3] * 4


async def test_weights_are_exact_across_processes(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=60, numbers=3, strategy=Strategy.WEIGHTED)
    await change(database, "UPDATE campaign_numbers SET weight = 6 - number_id * ?1", 1)

    used: Counter[int] = Counter()
    for series in range(12):
        daemon = await given_claimer(database, SetClock(), series=series)
        used.update(claim.number_id for claim in await daemon.take(campaign, limit=5))

    assert used == {1: 25, 2: 20, 3: 15}  # 5 : 4 : 3


@pytest.mark.parametrize(("stays", "used"), [(True, 2), (False, 1)])
async def test_a_callee_is_called_again_from_the_number_they_know(
    database: AnyDatabase, stays: bool, used: int
) -> None:
    campaign = await given_talkative(database, contacts=1, numbers=3, stay_on_number=stays)
    await change(
        database, "UPDATE members SET last_number_id = 2, state = 'retry', next_at = ?1", NOW
    )
    daemon = await given_claimer(database, SetClock())

    (claim,) = await daemon.take(campaign)

    assert claim.number_id == used
    assert await rows(database, "SELECT last_number_id FROM members") == [(used,)]


async def test_a_callee_whose_number_may_not_be_used_is_called_from_another(
    database: AnyDatabase,
) -> None:
    campaign = await given_talkative(database, contacts=1, numbers=2)
    await change(database, "UPDATE members SET last_number_id = ?1", 2)
    await change(database, "UPDATE numbers SET disabled_at = 1 WHERE id = ?1", 2)
    daemon = await given_claimer(database, SetClock())

    (claim,) = await daemon.take(campaign)

    assert claim.number_id == 1


# -- the end -------------------------------------------------------------------------------------


async def test_a_campaign_completes_when_every_member_is_done(database: AnyDatabase) -> None:
    campaign = await given_talkative(database, contacts=2)
    daemon = await given_claimer(database, SetClock())
    claims = await daemon.take(campaign)

    in_call = await daemon.why_not(campaign)
    await end_calls(database, claims[:1])
    await change(database, "UPDATE members SET state = 'called' WHERE id = ?1", claims[1].member_id)
    called = await daemon.why_not(campaign)
    await end_calls(database, claims[1:])
    (result,) = await daemon.claim(campaign)

    assert (in_call, called) == (WaitReason.AWAITING_OUTCOME, WaitReason.AWAITING_OUTCOME)
    assert result.finished
    assert result.wait is None
    status = "SELECT status, ended_at, pause_reason FROM campaigns"
    assert await rows(database, status) == [("completed", NOW, None)]


async def test_a_campaign_does_not_complete_under_the_hands_of_an_import(store: str) -> None:
    """On SQLite writers take turns; on PostgreSQL a claim and an import meet."""
    async with AsyncExitStack() as stack:
        open_one = [
            await stack.enter_async_context(opened(store, random.Random(n), busy_timeout_s=5))
            for n in range(2)
        ]
        database, importers = open_one
        campaign = await given_talkative(database, contacts=1)
        daemon = await given_claimer(database, SetClock())
        await end_calls(database, await daemon.take(campaign))
        admitted = asyncio.Event()

        async def bring_in() -> None:
            async with importers.write() as tx:
                row = await tx.row("campaign_to_join", campaign_id=campaign)
                assert row is not None
                assert row["status"] == "active"
                await given_members(tx, campaign, 1, now=NOW, first=50)
                admitted.set()
                await asyncio.sleep(0.1)  # time for the claim to come to its end, if it could

        async with asyncio.TaskGroup() as group:
            group.create_task(bring_in())
            await admitted.wait()
            (result,) = await daemon.claim(campaign)

        assert not result.finished
        assert result.claims or len(await daemon.take(campaign)) == 1
        assert await rows(database, "SELECT status FROM campaigns") == [("active",)]


class Delayed:
    """A transaction that takes its time before one of its statements."""

    def __init__(self, tx: Tx, query: str, reached: asyncio.Event) -> None:
        self._tx = tx
        self._query = query
        self._reached = reached

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def many(self, query: str, params: Sequence[Any]) -> None:
        if query == self._query:
            self._reached.set()
            await asyncio.sleep(0.05)  # time for whoever wants to come in between
        await self._tx.many(query, params)


@pytest.mark.parametrize("statement", ["claim_members", "add_attempts", "save_rotation"])
async def test_a_campaign_can_be_cancelled_in_the_middle_of_a_claim(
    store: str, statement: str
) -> None:
    async with AsyncExitStack() as stack:
        database, operators = [
            await stack.enter_async_context(opened(store, random.Random(n), busy_timeout_s=5))
            for n in range(2)
        ]
        campaign = await given_talkative(database, contacts=4)
        daemon = await given_claimer(database, SetClock())
        in_the_middle = asyncio.Event()
        async with database.read() as tx:
            request = ClaimRequest(await daemon.plans.of(tx, campaign), 2)

        async def claim() -> None:
            async with database.write() as tx:
                await daemon.claims.claim(Delayed(tx, statement, in_the_middle), [request])

        async with asyncio.TaskGroup() as group:
            group.create_task(claim())
            await in_the_middle.wait()
            group.create_task(command(operators, "Renewals", CampaignEvent.CANCEL))

        states = await rows(database, "SELECT state, count(*) FROM members GROUP BY 1 ORDER BY 1")
        assert states == [("dialing", 2), ("failed", 2)]
        await assert_sound(database)


# -- several claims at once ----------------------------------------------------------------------


async def compete(
    daemon: Claimer, campaigns_: Sequence[CampaignId], caps: Sequence[int], dice: random.Random
) -> None:
    """Claim, look that no cap is passed, and end some calls, until nobody is left to call."""
    mine: list[Claim] = []
    idle = 0
    while idle < 3:
        async with daemon.database.write() as tx:
            requests = [
                ClaimRequest(await daemon.plans.of(tx, each), dice.randint(1, 6))
                for each in campaigns_
            ]
            results = await daemon.claims.claim(tx, requests)
            live = await tx.rows("live_calls")
        taken = [claim for result in results for claim in result.claims]
        for campaign, cap in zip(campaigns_, caps, strict=True):
            assert sum(row["calls"] for row in live if row["campaign_id"] == campaign) <= cap
        assert sum(row["calls"] for row in live) <= 9
        assert all(
            sum(row["calls"] for row in live if row["number_id"] == number) <= 4
            for number in (1, 2, 3)
        )
        mine += taken
        dice.shuffle(mine)
        over, mine = mine[: len(mine) // 2 + 1], mine[len(mine) // 2 + 1 :]
        await end_calls(daemon.database, over)
        await asyncio.sleep(0.02 * dice.random())  # SQLite knows no queue: let the other one in
        idle = 0 if taken else idle + 1
    await end_calls(daemon.database, mine)


async def test_daemons_that_claim_at_once_never_share_a_member_nor_pass_a_cap(store: str) -> None:
    async with AsyncExitStack() as stack:
        databases = [
            await stack.enter_async_context(opened(store, random.Random(n), busy_timeout_s=20))
            for n in range(2)
        ]
        database = databases[0]
        async with database.write() as tx:
            await given_numbers(tx, 3)
            await write(tx, "UPDATE numbers SET max_live = ?1", [(4,)])
        fields: dict[str, Any] = {
            "contacts": 60, "number_ids": [1, 2, 3], "max_calls_per_day": 25,
        }  # fmt: skip
        one = await given_talkative(database, name="One", max_concurrent=5, **fields)
        other = await given_talkative(
            database, name="Other", max_concurrent=6, first_contact=31, **fields
        )
        account = AccountLimits(calls_per_second=0, max_concurrent=9)
        daemons = [
            await given_claimer(each, SetClock(), series=n, account=account)
            for n, each in enumerate(databases)
        ]

        async with asyncio.TaskGroup() as group:
            for n, daemon in enumerate(daemons):
                group.create_task(compete(daemon, [one, other], [5, 6], random.Random(n)))

        assert await rows(database, "SELECT count(*), count(DISTINCT member_id) FROM attempts") == [
            (75, 75)
        ]
        assert await rows(database, "SELECT DISTINCT calls FROM number_days") == [(25,)]
        owners = await rows(database, "SELECT count(DISTINCT owner) FROM attempts")
        assert owners == [(2,)]  # both had their share
        await assert_sound(database)


_worlds = count()
steps = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.integers(0, 1), st.integers(1, 8)),
        st.tuples(st.just("both"), st.integers(0, 1), st.integers(1, 8)),
        st.tuples(st.just("end"), st.integers(0, 1), st.integers(1, 8)),
        st.tuples(st.just("give_back"), st.integers(0, 1), st.integers(1, 8)),
        st.tuples(st.just("wait"), st.integers(0, 1), st.integers(1, 3_000)),
    ),
    min_size=3,
    max_size=14,
)


@given(
    todo=steps,
    caps=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    account_cap=st.integers(0, 8),
    rate=st.sampled_from([0, 0, 2, 30]),
    per_day=st.integers(1, 12),
    max_live=st.none() | st.integers(1, 4),
    strategy=st.sampled_from(Strategy),
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_cap_is_exact_under_any_interleaving(
    database: AnyDatabase,
    todo: list[tuple[str, int, int]],
    caps: tuple[int, int],
    account_cap: int,
    rate: int,
    per_day: int,
    max_live: int | None,
    strategy: Strategy,
) -> None:
    world = next(_worlds)
    numbers = [world * 2 + 1, world * 2 + 2]
    async with database.write() as tx:
        await given_numbers(tx, 2, first_id=numbers[0])
        await write(tx, "UPDATE numbers SET max_live = ?1", [(max_live,)])
    both = [
        await given_talkative(
            database,
            name=f"{world} {side}",
            contacts=20,
            first_contact=world * 100 + 1 + 10 * side,
            number_ids=numbers,
            max_concurrent=caps[side],
            max_calls_per_day=per_day,
            strategy=strategy,
        )
        for side in (0, 1)
    ]
    clock = SetClock()
    account = AccountLimits(calls_per_second=rate, max_concurrent=account_cap)
    daemons = [
        await given_claimer(database, clock, series=2 * world + n, account=account) for n in (0, 1)
    ]
    await change(database, "UPDATE lanes SET next_slot_us = ?1", 0)

    open_: list[Claim] = []
    send_at: list[int] = []
    for step, side, amount in todo:
        taken: list[Claim] = []
        if step == "claim":
            taken = await daemons[amount % 2].take(both[side], limit=amount)
        elif step == "both":
            order = both if side else both[::-1]
            results = await daemons[side].claim(*order, limit=amount)
            taken = [claim for result in results for claim in result.claims]
        elif step == "wait":
            clock.at += amount
        else:
            closed, open_ = open_[:amount], open_[amount:]
            await (end_calls if step == "end" else give_back)(database, closed)
        open_ += taken
        send_at += [claim.send_at for claim in taken]
        await look(database, both, numbers, caps, account_cap, per_day, max_live)
    await end_calls(database, open_)

    if rate:
        assert all(sum(at <= other < at + SECOND for other in send_at) <= rate for at in send_at)
    await assert_sound(database)


async def give_back(database: Database, claims: Sequence[Claim]) -> None:
    """None of these claims was used."""
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE attempts SET state = 'released', closed_at = ?2 WHERE id = ?1",
            [(claim.attempt_id, NOW) for claim in claims],
        )
        await write(
            tx,
            "UPDATE members SET state = 'pending' WHERE id = ?1",
            [(claim.member_id,) for claim in claims],
        )
        for claim in claims:
            back = {"number_id": claim.number_id, "calls": -1}
            await tx.many("count_number_calls", [back | {"day": "2026-01-05"}])
            await tx.many("count_number_totals", [back])


async def look(
    database: Database,
    both: Sequence[CampaignId],
    numbers: Sequence[int],
    caps: Sequence[int],
    account_cap: int,
    per_day: int,
    max_live: int | None,
) -> None:
    """Count what the attempts say, and compare it with every cap."""
    attempts = await rows(
        database, "SELECT campaign_id, number_id, member_id, phone, closed_at, state FROM attempts"
    )
    live = [each for each in attempts if each[4] is None]
    for campaign, cap in zip(both, caps, strict=True):
        assert sum(each[0] == campaign for each in live) <= cap
    assert not account_cap or len(live) <= account_cap
    for number in numbers:
        assert max_live is None or sum(each[1] == number for each in live) <= max_live
        assert sum(each[1] == number and each[5] != "released" for each in attempts) <= per_day
    assert len({each[2] for each in live}) == len(live), "a member twice"
    assert len({each[3] for each in live}) == len(live), "a callee twice"
