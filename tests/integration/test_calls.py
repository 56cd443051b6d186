"""What becomes of a call: news in any order, doubts, outcomes, retries, verdicts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import count, pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dialer import campaigns, rule_book
from dialer.errors import StoreBusyError
from dialer.folding import REPORT_GRACE_S, Action, Folded, HangUp, LeaveMessage
from dialer.model import (
    AmdMode,
    AttemptId,
    CallEvent,
    CampaignId,
    CarrierStatus,
    Claim,
    EventSource,
    OnMachine,
    WaitReason,
)
from dialer.people import member_edits
from dialer.ports import Refusal, Refused
from dialer.states import CampaignEvent
from dialer.store.opening import AnyDatabase, opened
from retries.outcome import Outcome
from retries.policy import NEVER
from tests.support.engine import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Daemon,
    assert_sound,
    attempt_of,
    daemon_on,
    member_of,
    rows,
    sid,
    status,
    verdict,
)
from tests.support.given import given_campaign, given_numbers, write

S = CarrierStatus
#: The campaigns of these tests grant a callee a quarter of an hour to call back.
COMPLETION = 15 * MINUTE
#: When a request in doubt is looked for: it left at last, its time-out, A1.
FIRST_LOOK = 43_100


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    """A daemon without loops of its own but the one that writes."""
    async with daemon_on(store, database) as running:
        yield running


async def given_call(daemon: Daemon, *, contacts: int = 1, **fields: Any) -> Claim:
    """The first claim of a campaign."""
    free = {"call_interval_s": 0, "max_concurrent": 10_000, "max_calls_per_day": 1000}
    campaign = await given_campaign(
        daemon.database, now=daemon.clock.now(), contacts=contacts, **(free | fields)
    )
    (claim,) = await daemon.take(campaign, limit=1)
    return claim


async def given_placed(daemon: Daemon, **fields: Any) -> Claim:
    """A call the carrier has named in its answer."""
    claim = await given_call(daemon, **fields)
    await answered_request(daemon, claim)
    return claim


async def answered_request(daemon: Daemon, claim: Claim, number: int = 1) -> None:
    daemon.engine.calls.accepted(claim.attempt_id, sid(number))
    await daemon.batcher.settled()


async def tell(daemon: Daemon, *events: CallEvent) -> None:
    """News, one callback after the other."""
    for event in events:
        await daemon.engine.calls.receive(event)


async def do(daemon: Daemon, handler: Any, *ops: Any) -> None:
    await daemon.batcher.apply(handler, ops)


def restart(daemon: Daemon) -> None:
    """Forget whatever is only in memory."""
    daemon.engine.calls._attempts.forget()


async def command(daemon: Daemon, event: CampaignEvent) -> None:
    async with daemon.database.write() as tx:
        await campaigns.move(tx, "Renewals", event, daemon.clock.now())


async def calls_counted(daemon: Daemon) -> int:
    ((calls,),) = await rows(daemon.database, "SELECT sum(calls) FROM number_days")
    assert await rows(daemon.database, "SELECT sum(calls_total) FROM numbers") == [(calls,)]
    return int(calls)


def conversation(claim: Claim, at: int = NOW, talk_s: int = 30) -> list[CallEvent]:
    """A call from its ringing to its end."""
    return [
        status(claim, S.RINGING, at + 1_000),
        status(claim, S.IN_PROGRESS, at + 5_000),
        status(claim, S.COMPLETED, at + 5_000 + talk_s * SECOND, duration_s=talk_s),
    ]


# -- a call's life -------------------------------------------------------------------------------


async def test_a_call_that_was_answered_ends_with_its_outcome_and_is_settled_later(
    daemon: Daemon,
) -> None:
    claim = await given_call(daemon)

    daemon.clock.pass_s(1)
    await answered_request(daemon, claim)
    placed = await attempt_of(daemon.database, claim)
    daemon.clock.pass_s(35)
    await tell(daemon, *conversation(claim))

    assert (placed["state"], placed["sid"]) == ("placed", sid(1))
    assert placed["check_at"] == NOW + (1 + claim.ring_timeout_s + REPORT_GRACE_S) * SECOND
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"], attempt["status"]) == (
        "ended", "human", "completed",
    )  # fmt: skip
    assert (attempt["ringing_at"], attempt["answered_at"]) == (NOW + 1_000, NOW + 5_000)
    assert (attempt["ended_at"], attempt["duration_s"]) == (NOW + 35_000, 30)
    assert attempt["closed_at"] == NOW + 36_000
    member = await member_of(daemon.database)
    assert (member["state"], member["next_at"]) == ("called", NOW + 36_000 + COMPLETION)
    assert (member["attempts"], member["last_outcome"]) == (1, None)

    assert await daemon.settle() == 0  # the callee may still call back
    daemon.clock.at = NOW + 36_000 + COMPLETION
    assert await daemon.settle() == 1

    member = await member_of(daemon.database)
    assert (member["state"], member["reason"]) == ("completed", None)
    assert (member["attempts"], member["last_outcome"]) == (1, "human")
    assert await calls_counted(daemon) == 1
    await assert_sound(daemon.database)


async def test_without_a_completion_timeout_the_end_of_the_call_decides(daemon: Daemon) -> None:
    claim = await given_placed(daemon, completion_timeout_s=0, max_retries=1)

    await tell(daemon, status(claim, S.BUSY, NOW + 3_000, sip_code=486))

    member = await member_of(daemon.database)
    assert (member["state"], member["last_outcome"], member["attempts"]) == ("retry", "busy", 1)
    assert member["next_at"] >= NOW + HOUR
    assert await daemon.settle() == 0
    await assert_sound(daemon.database)


async def test_what_ended_before_anybody_settles_is_settled_even_so(daemon: Daemon) -> None:
    """A call found late, or one whose campaign had a completion timeout when it ended."""
    claim = await given_placed(daemon, max_retries=0)
    await tell(daemon, status(claim, S.NO_ANSWER, NOW))
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE campaigns SET completion_timeout_s = ?1", [(0,)])

    daemon.clock.pass_s(COMPLETION)
    await daemon.settle()

    assert (await member_of(daemon.database))["state"] == "failed"


async def test_news_before_the_answer_to_the_request_names_the_call(daemon: Daemon) -> None:
    claim = await given_call(daemon)

    await tell(daemon, status(claim, S.RINGING, NOW + 700))
    early = await attempt_of(daemon.database, claim)
    await answered_request(daemon, claim)
    late = await attempt_of(daemon.database, claim)

    assert (early["state"], early["sid"]) == ("placed", sid(1))
    assert late == early


async def test_a_call_that_is_over_before_the_answer_to_its_request(daemon: Daemon) -> None:
    claim = await given_call(daemon)

    await tell(daemon, *conversation(claim))
    before = await attempt_of(daemon.database, claim)
    await answered_request(daemon, claim)
    await do(daemon, daemon.engine.calls.doubted, (claim.attempt_id, "time-out"))

    assert before["state"] == "ended"
    assert await attempt_of(daemon.database, claim) == before
    assert (await member_of(daemon.database))["attempts"] == 1


async def test_news_that_comes_twice_changes_nothing(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    told = conversation(claim)

    await tell(daemon, *told)
    once = (await attempt_of(daemon.database, claim), await member_of(daemon.database))
    daemon.clock.pass_s(60)
    await tell(daemon, *told, *told)
    await daemon.engine.calls.receive(*told)

    assert (await attempt_of(daemon.database, claim), await member_of(daemon.database)) == once
    assert await rows(daemon.database, "SELECT count(*) FROM call_events") == [(3,)]
    assert await calls_counted(daemon) == 1


async def test_news_after_the_end_adds_what_was_not_known(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    ringing, answered, completed = conversation(claim)

    await tell(daemon, completed)
    restart(daemon)
    await tell(daemon, answered, ringing)

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"]) == ("ended", "human")
    assert (attempt["ringing_at"], attempt["answered_at"]) == (NOW + 1_000, NOW + 5_000)
    assert attempt["closed_at"] == NOW


async def test_news_of_an_attempt_nobody_knows_is_kept_and_changes_nothing(
    daemon: Daemon,
) -> None:
    claim = await given_placed(daemon)
    before = (await attempt_of(daemon.database, claim), await member_of(daemon.database))

    await tell(daemon, status(AttemptId("f" * 32), S.COMPLETED, NOW, call=sid(9)))

    kept = await rows(daemon.database, "SELECT attempt_id, verdict, folded_at FROM call_events")
    assert kept == [("f" * 32, "unknown attempt", NOW)]
    assert (await attempt_of(daemon.database, claim), await member_of(daemon.database)) == before


async def test_a_second_call_for_an_attempt_raises_the_alarm_and_changes_nothing(
    daemon: Daemon,
) -> None:
    claim = await given_placed(daemon)
    before = (await attempt_of(daemon.database, claim), await member_of(daemon.database))

    with capture_logs() as logs:
        await tell(daemon, status(claim, S.COMPLETED, NOW, call=sid(2), duration_s=3))

    (alarm,) = [entry for entry in logs if entry["event"] == "call.conflict"]
    assert (alarm["log_level"], alarm["sid"], alarm["other"]) == ("error", sid(1), sid(2))
    assert (await attempt_of(daemon.database, claim), await member_of(daemon.database)) == before


async def test_news_of_a_second_call_never_mixes_with_that_of_the_first(daemon: Daemon) -> None:
    claim = await given_placed(daemon)

    await tell(daemon, status(claim, S.COMPLETED, NOW + 9_000, call=sid(2), duration_s=99))
    await tell(daemon, verdict(claim, "fax", NOW + 9_000, call=sid(2)))
    restart(daemon)
    await tell(daemon, status(claim, S.RINGING, NOW + 10_000))

    assert (await attempt_of(daemon.database, claim))["state"] == "placed"
    restart(daemon)
    await tell(daemon, status(claim, S.BUSY, NOW + 20_000))
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["outcome"], attempt["duration_s"], attempt["answered_by"]) == (
        "busy", None, None,
    )  # fmt: skip


# -- no call came about --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "state", "reason", "outcome"),
    [
        (Refusal.BAD_NUMBER, 21211, "failed", "invalid_number", "invalid_number"),
        (Refusal.DESTINATION, 21215, "failed", "destination_not_allowed", "not_placed"),
        (Refusal.OTHER, 20001, "retry", None, "not_placed"),
    ],
)
async def test_a_refusal_closes_the_attempt_and_costs_nobody_a_call(
    daemon: Daemon, kind: Refusal, code: int, state: str, reason: str | None, outcome: str
) -> None:
    claim = await given_call(daemon)

    refusal = Refused(kind, code, "no")
    await do(daemon, daemon.engine.calls.refused, (claim.attempt_id, refusal))

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"], attempt["closed_at"]) == ("ended", outcome, NOW)
    assert (attempt["sid"], attempt["error_code"]) == (None, code)
    assert attempt["detail"] == f"refused: {code}: no"
    member = await member_of(daemon.database)
    assert (member["state"], member["reason"], member["attempts"]) == (state, reason, 0)
    if state == "retry":
        assert member["next_at"] >= NOW + HOUR
    assert await calls_counted(daemon) == 0
    await assert_sound(daemon.database)


async def test_refusals_without_end_end_the_member(daemon: Daemon) -> None:
    campaign = (await given_call(daemon, max_retries=0)).campaign_id
    tries = 0
    while (member := await member_of(daemon.database))["state"] != "failed":
        if member["state"] == "retry":
            daemon.clock.at = member["next_at"]
            await daemon.take(campaign)
        refusal = (member_id := (await member_of(daemon.database))["attempt_id"], Refused(
            Refusal.OTHER, 20001, "no",
        ))  # fmt: skip
        assert member_id
        await do(daemon, daemon.engine.calls.refused, refusal)
        tries += 1
        assert tries < 50

    member = await member_of(daemon.database)
    assert (member["reason"], member["attempts"], tries) == ("never_placed", 0, 6)


async def test_news_of_a_refused_call_raises_the_alarm(daemon: Daemon) -> None:
    claim = await given_call(daemon)
    refusal = (claim.attempt_id, Refused(Refusal.OTHER, 20001, "no"))
    await do(daemon, daemon.engine.calls.refused, refusal)
    before = (await attempt_of(daemon.database, claim), await member_of(daemon.database))

    with capture_logs() as logs:
        await tell(daemon, status(claim, S.RINGING, NOW), status(claim, S.COMPLETED, NOW))

    assert [entry["event"] for entry in logs] == ["call.conflict"] * 2
    assert (await attempt_of(daemon.database, claim), await member_of(daemon.database)) == before
    folded = await rows(daemon.database, "SELECT verdict FROM call_events WHERE folded_at > 0")
    assert folded == [("conflict",)] * 2


@pytest.mark.parametrize("due_at", [None, NOW + MINUTE])
async def test_a_claim_given_back_costs_nothing(daemon: Daemon, due_at: int | None) -> None:
    claim = await given_call(daemon)
    before = await member_of(daemon.database)

    await do(daemon, daemon.engine.calls.released, (claim.attempt_id, "paused", due_at))

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["detail"], attempt["outcome"]) == (
        "released", "paused", None,
    )  # fmt: skip
    member = await member_of(daemon.database)
    assert (member["state"], member["attempts"], member["not_placed"]) == ("pending", 0, 0)
    assert member["next_at"] == (due_at or before["next_at"])
    assert await calls_counted(daemon) == 0
    await assert_sound(daemon.database)


async def test_a_retry_given_back_is_a_retry_still(daemon: Daemon) -> None:
    first = await given_placed(daemon)
    await tell(daemon, status(first, S.NO_ANSWER, NOW))
    daemon.clock.pass_s(COMPLETION)
    await daemon.settle()
    daemon.clock.pass_s(2 * HOUR)
    (again,) = await daemon.take(first.campaign_id)

    await do(daemon, daemon.engine.calls.released, (again.attempt_id, "paused", None))

    member = await member_of(daemon.database)
    assert (member["state"], member["attempts"]) == ("retry", 1)
    assert member["next_at"] <= daemon.clock.now()
    assert await calls_counted(daemon) == 1


@pytest.mark.parametrize("event", [CampaignEvent.CANCEL, CampaignEvent.COMPLETE])
async def test_nobody_is_left_waiting_in_a_campaign_that_was_ended_meanwhile(
    daemon: Daemon, event: CampaignEvent
) -> None:
    claim = await given_call(daemon)
    await command(daemon, event)

    await do(daemon, daemon.engine.calls.released, (claim.attempt_id, "no longer wanted", None))

    member = await member_of(daemon.database)
    assert (member["state"], member["reason"]) == ("failed", "cancelled")
    await assert_sound(daemon.database)


@pytest.mark.parametrize("how", ["given back", "not placed", "retried", "retried at once"])
async def test_nobody_comes_back_in_line_while_their_campaign_is_being_cancelled(
    daemon: Daemon, store: str, how: str
) -> None:
    timeout_s = 0 if how == "retried at once" else 60
    claim = await given_call(daemon, completion_timeout_s=timeout_s)
    calls = daemon.engine.calls
    if how == "not placed":
        await do(daemon, calls.doubted, (claim.attempt_id, "time-out"))
    elif how != "given back":
        await answered_request(daemon, claim)
    if how == "retried":
        await tell(daemon, status(claim, S.BUSY, NOW))
        daemon.clock.pass_s(60)

    async with opened(store, Random(2), busy_timeout_s=5) as operators:

        async def cancel() -> None:
            async with operators.write() as tx:
                await campaigns.move(tx, "Renewals", CampaignEvent.CANCEL, NOW)

        async with asyncio.TaskGroup() as group, daemon.database.write() as tx:
            if how == "given back":
                await calls.released(tx, [(claim.attempt_id, "paused", None)])
            elif how == "not placed":
                await calls.absent(tx, [claim.attempt_id])
            elif how == "retried":
                await calls._settle(tx, [None])
            else:
                await calls._take_in(tx, [status(claim, S.BUSY, NOW)])
            group.create_task(cancel())
            await asyncio.sleep(0.05)  # time for the command to overtake us, if it could

    assert (await member_of(daemon.database))["state"] == "failed"
    await assert_sound(daemon.database)


async def test_what_has_become_a_call_is_not_given_back(daemon: Daemon) -> None:
    claim = await given_placed(daemon)

    await do(daemon, daemon.engine.calls.released, (claim.attempt_id, "late", None))

    assert (await attempt_of(daemon.database, claim))["state"] == "placed"
    assert (await member_of(daemon.database))["state"] == "dialing"
    assert await calls_counted(daemon) == 1


async def test_news_of_a_claim_that_was_given_back_raises_the_alarm(daemon: Daemon) -> None:
    claim = await given_call(daemon)
    await do(daemon, daemon.engine.calls.released, (claim.attempt_id, "paused", None))

    with capture_logs() as logs:
        await tell(daemon, status(claim, S.RINGING, NOW))

    assert [entry["event"] for entry in logs] == ["call.conflict"]
    assert (await attempt_of(daemon.database, claim))["state"] == "released"
    assert (await member_of(daemon.database))["state"] == "pending"


async def test_a_refusal_of_what_has_become_a_call_raises_the_alarm(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    before = await attempt_of(daemon.database, claim)

    with capture_logs() as logs:
        refusal = Refused(Refusal.OTHER, 20001, "no")
        await do(daemon, daemon.engine.calls.refused, (claim.attempt_id, refusal))

    assert [entry["event"] for entry in logs] == ["call.conflict"]
    assert await attempt_of(daemon.database, claim) == before


# -- doubt ---------------------------------------------------------------------------------------


async def given_doubted(daemon: Daemon, **fields: Any) -> Claim:
    claim = await given_call(daemon, **fields)
    await do(daemon, daemon.engine.calls.doubted, (claim.attempt_id, "time-out"))
    return claim


async def given_absent(daemon: Daemon, **fields: Any) -> Claim:
    claim = await given_doubted(daemon, **fields)
    daemon.clock.pass_s(100)
    await do(daemon, daemon.engine.calls.absent, claim.attempt_id)
    return claim


async def test_a_request_in_doubt_is_looked_for_when_it_cannot_be_accepted_any_more(
    daemon: Daemon,
) -> None:
    claim = await given_doubted(daemon)

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["detail"]) == ("unknown", "time-out")
    assert attempt["check_at"] >= NOW + FIRST_LOOK
    assert (await member_of(daemon.database))["state"] == "dialing"
    assert await daemon.take(claim.campaign_id) == []
    assert await calls_counted(daemon) == 1


@pytest.mark.parametrize("by_list", [True, False])
async def test_doubt_ends_when_the_call_turns_up(daemon: Daemon, by_list: bool) -> None:
    claim = await given_doubted(daemon)

    if by_list:
        await daemon.engine.calls.adopt(claim.attempt_id, sid(1))
    else:
        await tell(daemon, status(claim, S.RINGING, NOW + 20_000))

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["sid"]) == ("placed", sid(1))
    await tell(daemon, *conversation(claim))
    assert (await attempt_of(daemon.database, claim))["outcome"] == "human"


async def test_a_call_that_is_not_there_was_no_attempt_at_the_callee(daemon: Daemon) -> None:
    claim = await given_absent(daemon)

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"]) == ("not_placed", "not_placed")
    member = await member_of(daemon.database)
    assert (member["state"], member["last_outcome"]) == ("retry", "not_placed")
    assert (member["attempts"], member["not_placed"]) == (0, 1)
    assert member["next_at"] == daemon.clock.now() + HOUR
    assert await calls_counted(daemon) == 0
    await assert_sound(daemon.database)


async def test_callees_of_a_daemon_that_may_only_be_asleep_rest(daemon: Daemon) -> None:
    claim = await given_doubted(daemon, retry_intervals_s=(60,))
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE attempts SET taken_over_at = ?1", [(NOW + 30_000,)])
    restart(daemon)

    daemon.clock.pass_s(100)
    await do(daemon, daemon.engine.calls.absent, claim.attempt_id)

    assert (await member_of(daemon.database))["next_at"] == NOW + 15 * MINUTE


async def test_absence_is_no_news_of_a_call_that_turned_up(daemon: Daemon) -> None:
    claim = await given_doubted(daemon)
    await tell(daemon, status(claim, S.RINGING, NOW))

    await do(daemon, daemon.engine.calls.absent, claim.attempt_id)

    assert (await attempt_of(daemon.database, claim))["state"] == "placed"


async def test_a_call_believed_not_placed_is_a_call_when_it_turns_up(daemon: Daemon) -> None:
    claim = await given_absent(daemon)

    with capture_logs() as logs:
        await tell(daemon, status(claim, S.RINGING, daemon.clock.now()))

    assert "call.found_late" in [entry["event"] for entry in logs]
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"], attempt["closed_at"]) == ("placed", None, None)
    member = await member_of(daemon.database)
    assert (member["state"], member["not_placed"], member["reason"]) == ("dialing", 0, None)
    assert await calls_counted(daemon) == 1
    await assert_sound(daemon.database)

    await tell(daemon, *conversation(claim)[1:])
    member = await member_of(daemon.database)
    assert (member["state"], member["attempts"]) == ("called", 1)
    await assert_sound(daemon.database)


async def test_a_call_that_turns_up_when_it_is_over_already(daemon: Daemon) -> None:
    claim = await given_absent(daemon, completion_timeout_s=0, max_retries=0)
    restart(daemon)

    await tell(daemon, status(claim, S.COMPLETED, NOW + 50_000, duration_s=20))
    await daemon.settle()

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"]) == ("ended", "human")
    member = await member_of(daemon.database)
    assert (member["state"], member["attempts"], member["not_placed"]) == ("completed", 1, 0)
    assert await calls_counted(daemon) == 1
    await assert_sound(daemon.database)


@pytest.mark.parametrize("timeout_s", [0, 60])
@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [(S.NO_ANSWER, "failed", "skipped"), (S.COMPLETED, "completed", None)],
)
async def test_whoever_was_skipped_stays_so_when_a_lost_call_turns_up(
    daemon: Daemon, timeout_s: int, is_new: bool, said: S, state: str, reason: str | None
) -> None:
    claim = await given_absent(daemon, completion_timeout_s=timeout_s)
    async with daemon.database.write() as tx:
        campaign, contact = claim.campaign_id, (await tx.rows("list_contacts", limit=1))[0]["id"]
        assert (await member_edits.skip(tx, campaign, [contact], "asked for it", NOW)).changed
    found_at = daemon.clock.now()

    await tell(daemon, status(claim, S.RINGING, found_at))
    if is_new:
        restart(daemon)  # what is told next is told to somebody who has to look it up
    await tell(daemon, status(claim, said, found_at + 20_000, duration_s=20))
    daemon.clock.pass_s(3600)
    await daemon.settle()

    member = await member_of(daemon.database)
    assert (member["state"], member["reason"]) == (state, reason)
    assert (member["attempts"], member["not_placed"]) == (1, 0)
    daemon.clock.pass_s(7200)
    assert await daemon.take(claim.campaign_id) == []
    await assert_sound(daemon.database)


@pytest.mark.parametrize("event", [CampaignEvent.CANCEL, CampaignEvent.COMPLETE])
async def test_a_call_that_turns_up_after_its_campaign_was_ended(
    daemon: Daemon, event: CampaignEvent
) -> None:
    claim = await given_doubted(daemon, completion_timeout_s=60)
    await command(daemon, event)
    daemon.clock.pass_s(100)
    await do(daemon, daemon.engine.calls.absent, claim.attempt_id)
    ended = await member_of(daemon.database)

    await tell(daemon, status(claim, S.RINGING, daemon.clock.now()))
    found = await member_of(daemon.database)
    await tell(daemon, status(claim, S.NO_ANSWER, daemon.clock.now()))
    daemon.clock.pass_s(60)
    await daemon.settle()

    assert (ended["state"], ended["reason"]) == ("failed", "cancelled")
    assert (found["state"], found["not_placed"]) == ("dialing", 0)
    member = await member_of(daemon.database)
    assert (member["state"], member["reason"]) == ("failed", "cancelled")
    assert (member["attempts"], member["not_placed"]) == (1, 0)


async def test_a_call_that_turns_up_when_its_member_is_called_again_is_a_call_of_its_own(
    daemon: Daemon,
) -> None:
    first = await given_absent(daemon)
    daemon.clock.pass_s(2 * HOUR)
    (second,) = await daemon.take(first.campaign_id)
    await answered_request(daemon, second, 2)

    await tell(daemon, status(first, S.COMPLETED, NOW + 50_000, duration_s=20))

    assert (await attempt_of(daemon.database, first))["outcome"] == "human"
    member = await member_of(daemon.database)
    assert (member["state"], member["attempt_id"]) == ("dialing", second.attempt_id)
    assert await calls_counted(daemon) == 2


# -- settlement ----------------------------------------------------------------------------------


async def settled(daemon: Daemon, *events: CallEvent, **fields: Any) -> Any:
    """The member of a campaign's first call, once its outcome is final; news may name any call."""
    claim = await given_placed(daemon, **fields)
    for event in events:
        await tell(daemon, as_told_of(claim, event))
    daemon.clock.pass_s(COMPLETION / SECOND)
    assert await daemon.settle() == 1
    await assert_sound(daemon.database)
    return await member_of(daemon.database)


def as_told_of(claim: Claim, event: CallEvent) -> CallEvent:
    return CallEvent(
        claim.attempt_id, event.sid, event.source, event.received_at, event.status,
        duration_s=event.duration_s, sip_code=event.sip_code, error_code=event.error_code,
        answered_by=event.answered_by,
    )  # fmt: skip


ANY = AttemptId("0" * 32)
BY_MACHINE = (
    status(ANY, S.IN_PROGRESS, NOW, source=EventSource.ANSWER),
    verdict(ANY, "machine_start", NOW),
    status(ANY, S.COMPLETED, NOW, duration_s=4),
)


@pytest.mark.parametrize(
    ("events", "fields", "state", "reason"),
    [
        ([status(ANY, S.COMPLETED, NOW, duration_s=30)], {}, "completed", None),
        ([status(ANY, S.COMPLETED, NOW)], {}, "completed", None),
        ([status(ANY, S.COMPLETED, NOW, duration_s=1)], {}, "retry", None),  # heard nothing
        ([verdict(ANY, "unknown", NOW), status(ANY, S.COMPLETED, NOW)], {}, "completed", None),
        (BY_MACHINE, {"amd": AmdMode.OFF}, "completed", None),
        (BY_MACHINE, {}, "retry", None),
        (BY_MACHINE, {"max_retries": 0}, "no_conversation", None),
        (BY_MACHINE, {"retry_rules": {Outcome.MACHINE: NEVER}}, "no_conversation", None),
        ([status(ANY, S.NO_ANSWER, NOW)], {}, "retry", None),
        ([status(ANY, S.NO_ANSWER, NOW)], {"max_retries": 0}, "failed", "attempts_exhausted"),
        (
            [status(ANY, S.BUSY, NOW)], {"retry_rules": {Outcome.BUSY: NEVER}},
            "failed", "ruled_out",
        ),
        ([status(ANY, S.CANCELED, NOW)], {}, "retry", None),
        ([status(ANY, S.FAILED, NOW, sip_code=503)], {}, "retry", None),
        ([status(ANY, S.FAILED, NOW, error_code=13224)], {}, "failed", "invalid_number"),
        ([status(ANY, S.FAILED, NOW, sip_code=404)], {}, "retry", None),
        (
            [verdict(ANY, "fax", NOW), status(ANY, S.COMPLETED, NOW)], {}, "failed", "fax",
        ),
    ],
)  # fmt: skip
async def test_every_outcome_has_its_consequence(
    daemon: Daemon,
    events: Sequence[CallEvent],
    fields: dict[str, Any],
    state: str,
    reason: str | None,
) -> None:
    member = await settled(daemon, *events, **fields)

    assert (member["state"], member["reason"], member["attempts"]) == (state, reason, 1)
    if state == "retry":
        assert member["next_at"] == daemon.clock.now() + HOUR


async def lives(daemon: Daemon, campaign: CampaignId, *ends: CallEvent) -> list[Claim]:
    """Call the one member of a campaign until nobody is left to call; each call ends alike."""
    claims: list[Claim] = []
    while (member := await member_of(daemon.database))["state"] in {"pending", "retry"}:
        daemon.clock.at = max(daemon.clock.at, member["next_at"])
        (claim,) = await daemon.take(campaign)
        await answered_request(daemon, claim, len(claims) + 1)
        end = as_told_of(claim, ends[min(len(claims), len(ends) - 1)])
        claims.append(claim)
        await tell(daemon, moved(end, len(claims)))
        daemon.clock.pass_s(COMPLETION / SECOND)
        await daemon.settle()
        assert len(claims) < 20
    return claims


def moved(event: CallEvent, call: int) -> CallEvent:
    return CallEvent(
        event.attempt_id, sid(call), event.source, event.received_at, event.status,
        sip_code=event.sip_code, error_code=event.error_code,
    )  # fmt: skip


@pytest.mark.parametrize("max_retries", [0, 1, 2, 3])
async def test_nobody_is_called_more_often_than_the_campaign_says(
    daemon: Daemon, max_retries: int
) -> None:
    campaign = await given_campaign(
        daemon.database, now=NOW, contacts=1, max_retries=max_retries, call_interval_s=0,
        retry_intervals_s=(60, 600, 6000), callee_calls_per_day=20, callee_calls_per_week=20,
    )  # fmt: skip

    claims = await lives(daemon, campaign, status(ANY, S.NO_ANSWER, NOW))

    assert len(claims) == max_retries + 1
    gaps = [b.intent_at - a.intent_at - COMPLETION for a, b in pairwise(claims)]
    assert gaps == [60_000, 600_000, 6_000_000][:max_retries]
    member = await member_of(daemon.database)
    assert (member["reason"], member["attempts"]) == ("attempts_exhausted", max_retries + 1)


async def test_whoever_turns_a_call_away_twice_is_left_alone(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, max_retries=9)

    claims = await lives(daemon, campaign, status(ANY, S.BUSY, NOW, sip_code=603))

    member = await member_of(daemon.database)
    assert (member["reason"], member["rejections"], len(claims)) == ("rejected_twice", 2, 2)


async def test_a_number_that_only_the_way_there_condemns_gets_a_second_look(
    daemon: Daemon,
) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, max_retries=9)

    claims = await lives(daemon, campaign, status(ANY, S.FAILED, NOW, sip_code=404))

    member = await member_of(daemon.database)
    assert (member["reason"], len(claims)) == ("invalid_number", 2)


async def test_a_retry_is_moved_into_the_opening_hours(daemon: Daemon) -> None:
    office = '{"zone": "UTC", "weekly": {"mon": ["09:00-16:00"], "tue": ["09:00-16:00"]}}'

    member = await settled(daemon, status(ANY, S.NO_ANSWER, NOW), schedule_body=office)

    assert member["state"] == "retry"
    assert member["next_at"] == NOW + 18 * HOUR  # Tuesday, 9:00


async def test_a_retry_in_a_campaign_that_never_opens_again_is_none(daemon: Daemon) -> None:
    monday = '{"zone": "UTC", "weekly": {}, "exceptions": {"2026-01-05": ["09:00-16:00"]}}'

    member = await settled(daemon, status(ANY, S.NO_ANSWER, NOW), schedule_body=monday)

    assert (member["state"], member["reason"]) == ("failed", "never_open")


@pytest.mark.parametrize(
    ("end", "state", "reason"),
    [
        (status(ANY, S.NO_ANSWER, NOW), "failed", "cancelled"),
        (status(ANY, S.COMPLETED, NOW, duration_s=30), "completed", None),
    ],
)
@pytest.mark.parametrize("event", [CampaignEvent.CANCEL, CampaignEvent.COMPLETE])
async def test_a_call_under_way_when_its_campaign_is_ended_runs_to_its_end(
    daemon: Daemon, event: CampaignEvent, end: CallEvent, state: str, reason: str | None
) -> None:
    claim = await given_placed(daemon, contacts=3)

    await command(daemon, event)
    at_once = await rows(
        daemon.database, "SELECT state, count(*) FROM members GROUP BY state ORDER BY state"
    )
    await tell(daemon, as_told_of(claim, end))
    daemon.clock.pass_s(COMPLETION / SECOND)
    await daemon.settle()

    assert at_once == [("dialing", 1), ("failed", 2)]
    member = await member_of(daemon.database)
    assert (member["state"], member["reason"]) == (state, reason)
    await assert_sound(daemon.database)


async def test_a_calendar_nobody_knows_any_more_closes_its_own_campaign_alone(
    daemon: Daemon,
) -> None:
    unknown = '{"zone": "UTC", "weekly": {"mon": ["00:00-24:00"]}, "calendars": ["XX-YY"]}'
    first = await given_campaign(
        daemon.database, now=NOW, name="Odd", contacts=1, schedule_body=unknown
    )
    second = await given_campaign(
        daemon.database, now=NOW, name="Sound", contacts=1, number_ids=(1,), first_contact=2
    )

    odd, sound = await daemon.claimer.claim(first, second)

    assert odd.wait is not None
    assert odd.wait.reason is WaitReason.OUTSIDE_HOURS
    assert len(sound.claims) == 1


async def test_a_retry_waits_where_it_is_closed_for_good_as_it_seems(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1)
    (claim,) = await daemon.take(campaign)
    stop = rule_book.read_own(region_code="US-DC", check_calendar=lambda code: None, closed=True)
    async with daemon.database.write() as tx:
        rule = await rule_book.add_own(tx, stop, NOW)
    await tell(daemon, status(claim, S.NO_ANSWER, NOW))
    daemon.clock.pass_s(COMPLETION / SECOND)
    await daemon.settle()

    member = await member_of(daemon.database)
    assert (member["state"], member["reason"]) == ("retry", None)
    daemon.clock.at = member["next_at"]
    assert await daemon.take(campaign) == []
    async with daemon.database.write() as tx:
        await rule_book.remove_own(tx, rule.id, daemon.clock.now())
    assert len(await daemon.take(campaign)) == 1


async def test_hours_that_cannot_be_read_hold_up_no_settlement(daemon: Daemon) -> None:
    always = '{"zone": "UTC", "weekly": {}}'
    ends: list[CallEvent] = []
    for name, body in (("Broken", always), ("Sound", None)):
        campaign = await given_campaign(
            daemon.database, now=NOW, name=name, contacts=1, schedule_body=body,
            number_ids=(1,) if ends else (), first_contact=1 + len(ends),
        )  # fmt: skip
        async with daemon.database.write() as tx:
            await write(tx, "UPDATE schedules SET body = ?1", [('{"zone": "UTC"}',)])
        (claim,) = await daemon.take(campaign)
        ends.append(status(claim, S.NO_ANSWER, NOW, call=sid(len(ends) + 1)))
    await tell(daemon, *ends)

    daemon.clock.pass_s(COMPLETION)
    with capture_logs() as logs:
        assert await daemon.settle() == 2

    assert {entry["campaign"] for entry in logs if entry["event"] == "campaign.unreadable"} == {1}
    states = await rows(daemon.database, "SELECT state FROM members ORDER BY id")
    assert states == [("retry",), ("retry",)]


async def test_many_outcomes_are_settled_in_portions(daemon: Daemon) -> None:
    campaign = await given_campaign(
        daemon.database, now=NOW, contacts=450, call_interval_s=0, max_concurrent=1000,
        max_calls_per_day=1000,
    )  # fmt: skip
    claims = await daemon.take(campaign, limit=450)
    ends = [status(claim, S.BUSY, NOW, call=sid(number)) for number, claim in enumerate(claims, 1)]
    await daemon.engine.calls.receive(*ends)
    daemon.clock.pass_s(COMPLETION / SECOND)

    assert await daemon.settle() == 450
    assert await daemon.settle() == 0
    assert await rows(daemon.database, "SELECT DISTINCT state FROM members") == [("retry",)]


# -- verdicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_machine", "words", "actions"),
    [
        (OnMachine.HANG_UP, ["machine_start"], [HangUp]),
        (OnMachine.HANG_UP, ["fax"], [HangUp]),
        (OnMachine.HANG_UP, ["human"], []),
        (OnMachine.HANG_UP, ["unknown"], []),
        (OnMachine.HANG_UP, ["machine_start", "machine_start"], [HangUp]),
        (OnMachine.HANG_UP, ["human", "machine_start"], []),
        (OnMachine.LEAVE_MESSAGE, ["machine_end_beep"], [LeaveMessage]),
        (OnMachine.LEAVE_MESSAGE, ["machine_end_silence"], [LeaveMessage]),
        (OnMachine.LEAVE_MESSAGE, ["machine_start"], []),
        (OnMachine.LEAVE_MESSAGE, ["machine_start", "machine_end_beep"], [LeaveMessage]),
        (OnMachine.LEAVE_MESSAGE, ["human"], []),
        (OnMachine.LEAVE_MESSAGE, ["human", "machine_end_beep"], []),
        (OnMachine.LEAVE_MESSAGE, ["fax"], [HangUp]),
        (OnMachine.CONTINUE, ["machine_start", "machine_end_beep"], []),
        (OnMachine.CONTINUE, ["fax"], [HangUp]),
    ],
)
async def test_a_verdict_asks_for_what_the_campaign_says(
    daemon: Daemon, on_machine: OnMachine, words: list[str], actions: list[type]
) -> None:
    asked: list[Action] = []
    daemon.engine.calls.subscribe(lambda _: None, asked.append)
    claim = await given_placed(daemon, on_machine=on_machine)
    await tell(daemon, status(claim, S.IN_PROGRESS, NOW))

    for word in words:
        await tell(daemon, verdict(claim, word, NOW + 3_000))

    assert [type(action) for action in asked] == actions
    assert all(action.sid == sid(1) for action in asked)


async def test_a_verdict_after_the_call_asks_for_nothing(daemon: Daemon) -> None:
    asked: list[Action] = []
    daemon.engine.calls.subscribe(lambda _: None, asked.append)
    claim = await given_placed(daemon)

    await tell(daemon, *conversation(claim), verdict(claim, "machine_start", NOW + 40_000))

    assert asked == []


async def test_a_verdict_before_the_settlement_refines_the_outcome(daemon: Daemon) -> None:
    claim = await given_placed(daemon, max_retries=0)

    await tell(daemon, *conversation(claim))
    first = await attempt_of(daemon.database, claim)
    restart(daemon)
    await tell(daemon, verdict(claim, "machine_start", NOW + 40_000))
    refined = await attempt_of(daemon.database, claim)
    daemon.clock.pass_s(COMPLETION / SECOND)
    await daemon.settle()

    assert (first["outcome"], refined["outcome"]) == ("human", "machine")
    member = await member_of(daemon.database)
    assert (member["state"], member["last_outcome"]) == ("no_conversation", "machine")


async def test_a_verdict_after_the_settlement_leaves_the_member_alone(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    await tell(daemon, *conversation(claim))
    daemon.clock.pass_s(COMPLETION / SECOND)
    await daemon.settle()
    before = await member_of(daemon.database)

    await tell(daemon, verdict(claim, "machine_start", NOW + 40_000))

    assert (await attempt_of(daemon.database, claim))["outcome"] == "machine"
    assert await member_of(daemon.database) == before


# -- the inbox -----------------------------------------------------------------------------------


async def test_news_that_cannot_be_folded_is_kept_and_folded_at_the_next_start(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await given_placed(daemon)

    def fault(*_: object) -> str:
        raise ZeroDivisionError("a fault of ours")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(daemon.engine.calls, "_fold_one", fault)
        await tell(daemon, *conversation(claim))
    parked = await rows(daemon.database, "SELECT count(*) FROM call_events WHERE folded_at IS NULL")
    unchanged = await attempt_of(daemon.database, claim)
    restart(daemon)
    async with daemon.database.read() as tx:
        queued = await daemon.engine.calls.refold(tx)
    await daemon.batcher.settled()

    assert [entry["event"] for entry in logs] == ["event.parked"] * 3
    assert (parked, unchanged["state"], queued) == ([(3,)], "placed", 3)
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"]) == ("ended", "human")
    assert (attempt["ringing_at"], attempt["answered_at"]) == (NOW + 1_000, NOW + 5_000)
    folded = await rows(daemon.database, "SELECT DISTINCT verdict, folded_at FROM call_events")
    assert folded == [("folded", NOW)]
    async with daemon.database.read() as tx:
        assert await daemon.engine.calls.refold(tx) == 0


async def test_one_event_that_cannot_be_folded_holds_up_no_other(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await given_placed(daemon)
    fold_one = daemon.engine.calls._fold_one

    def faulty(record: Any, news: Sequence[CallEvent], now: int) -> Sequence[Folded]:
        if S.RINGING in [event.status for event in news]:
            raise ZeroDivisionError("a fault of ours")
        return fold_one(record, news, now)

    monkeypatch.setattr(daemon.engine.calls, "_fold_one", faulty)
    with capture_logs():
        await tell(daemon, *conversation(claim))

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["outcome"], attempt["ringing_at"]) == ("human", None)


async def test_news_is_refused_while_the_database_is(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The carrier is told that we have not got it, and says it again."""
    claim = await given_placed(daemon)

    def locked() -> Any:
        raise StoreBusyError("locked by a backup")

    with monkeypatch.context() as patched:
        patched.setattr(daemon.database, "write", locked)
        with pytest.raises(StoreBusyError):
            await tell(daemon, *conversation(claim))
    await tell(daemon, *conversation(claim))

    assert (await attempt_of(daemon.database, claim))["outcome"] == "human"


# -- any order, any number of times --------------------------------------------------------------

_worlds = count(1)

TOLD = [
    status(ANY, S.INITIATED, NOW + 400, sequence=0, occurred_at=NOW),
    status(ANY, S.RINGING, NOW + 1_300, sequence=1, occurred_at=NOW + 1_000),
    CallEvent(ANY, sid(1), EventSource.ANSWER, NOW + 5_200, S.IN_PROGRESS),
    status(ANY, S.IN_PROGRESS, NOW + 5_900, sequence=2, occurred_at=NOW + 5_000),
    verdict(ANY, "machine_start", NOW + 8_000),
    verdict(ANY, "machine_end_beep", NOW + 12_000),
    status(ANY, S.COMPLETED, NOW + 20_400, sequence=3, occurred_at=NOW + 20_000, duration_s=15),
    status(ANY, S.COMPLETED, NOW + 99_000, source=EventSource.LOOKUP, duration_s=15, sip_code=200),
]
ANSWERED = len(TOLD)  # stands for the carrier's answer to the request
FORGET = len(TOLD) + 1  # stands for a restart


@given(
    order=st.permutations(range(ANSWERED + 1)),
    repeats=st.lists(st.tuples(st.integers(0, 20), st.integers(0, FORGET)), max_size=8),
    together=st.integers(1, 4),
    doubted=st.booleans(),
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_news_in_any_order_any_number_of_times_gives_the_same_attempt(
    daemon: Daemon,
    order: list[int],
    repeats: list[tuple[int, int]],
    together: int,
    doubted: bool,
) -> None:
    world = next(_worlds)
    async with daemon.database.write() as tx:
        await given_numbers(tx, 1, first_id=world)
    campaign = await given_campaign(
        daemon.database, now=NOW, contacts=1, first_contact=world, name=f"World {world}",
        number_ids=[world], call_interval_s=0, max_calls_per_day=1000,
    )  # fmt: skip
    (claim,) = await daemon.take(campaign)
    if doubted:
        await do(daemon, daemon.engine.calls.doubted, (claim.attempt_id, "time-out"))
    for position, what in repeats:
        order.insert(min(position, len(order)), what)

    portion: list[CallEvent] = []
    for what in order:
        if what < ANSWERED:
            portion.append(of_world(TOLD[what], claim, world))
        if len(portion) >= together or what >= ANSWERED:
            await daemon.engine.calls.receive(*portion)
            portion = []
        if what == ANSWERED:
            daemon.engine.calls.accepted(claim.attempt_id, sid(world))
        elif what == FORGET:
            restart(daemon)
    await daemon.engine.calls.receive(*portion)
    await daemon.batcher.settled()

    attempt = dict(await attempt_of(daemon.database, claim))
    for own in ("sid", "detail", "check_at", "owner", "number_id"):
        del attempt[own]
    assert attempt == {
        "state": "ended",
        "status": "completed",
        "ringing_at": NOW + 1_000,
        "answered_at": NOW + 5_000,
        "ended_at": NOW + 20_000,
        "duration_s": 15,
        "sip_code": 200,
        "error_code": None,
        "answered_by": "machine_end_beep",
        "outcome": "machine",
        "closed_at": NOW,
        "checks": 0,
        "taken_over_at": None,
        "intent_at": NOW,
    }
    inbox = await rows(
        daemon.database,
        f"SELECT count(*), count(folded_at) FROM call_events"
        f" WHERE attempt_id = '{claim.attempt_id}'",
    )
    assert inbox == [(len(TOLD), len(TOLD))]
    member = await rows(
        daemon.database,
        f"SELECT state, attempts, not_placed, next_at FROM members WHERE id = {claim.member_id}",
    )
    assert member == [("called", 1, 0, NOW + COMPLETION)]


def of_world(event: CallEvent, claim: Claim, world: int) -> CallEvent:
    return CallEvent(
        claim.attempt_id, sid(world), event.source, event.received_at, event.status,
        event.sequence, event.occurred_at, event.duration_s, event.sip_code, event.error_code,
        event.answered_by,
    )  # fmt: skip


async def test_the_news_of_many_calls_mixed_up_gives_every_call_its_own(daemon: Daemon) -> None:
    campaign = await given_campaign(
        daemon.database, now=NOW, contacts=60, call_interval_s=0, max_concurrent=100,
        max_calls_per_day=1000,
    )  # fmt: skip
    claims = await daemon.take(campaign)
    dice = Random(5)
    news = [of_world(e, claim, n) for n, claim in enumerate(claims, 1) for e in TOLD]
    news += dice.choices(news, k=200)
    dice.shuffle(news)

    while news:
        portion, news = news[:37], news[37:]
        await daemon.engine.calls.receive(*portion)
        if dice.random() < 0.3:
            restart(daemon)

    ends = await rows(
        daemon.database,
        "SELECT DISTINCT state, outcome, status, ringing_at, answered_at, ended_at, duration_s,"
        " sip_code, answered_by FROM attempts",
    )
    assert ends == [
        ("ended", "machine", "completed", NOW + 1_000, NOW + 5_000, NOW + 20_000, 15, 200,
         "machine_end_beep"),
    ]  # fmt: skip
    assert await rows(daemon.database, "SELECT count(DISTINCT sid) FROM attempts") == [(60,)]
    await assert_sound(daemon.database)
