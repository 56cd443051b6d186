"""What nobody reports, asked for: doubts resolved, silent calls looked up, nothing placed."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialer.errors import StoreBusyError, UnreachableError
from dialer.model import CallFacts, CarrierStatus, Claim
from dialer.reaper import (
    ASK_AGAIN_MAX_S,
    ASK_AGAIN_S,
    LIMIT_GRACE_S,
    SKEW_S,
    SWEEP_SIZE,
    VANISHED_AFTER,
)
from dialer.store.opening import AnyDatabase
from tests.support.engine import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Daemon,
    assert_sound,
    attempt_of,
    call_between,
    daemon_on,
    given_daemon,
    member_of,
    rows,
    running,
    sid,
    status,
    until,
)
from tests.support.given import given_campaign, write

S = CarrierStatus
#: After an intent: the last instant its request may leave, the request's time-out and A1, then A2.
FIRST_LOOK = 43_100
LAST_LOOK = 103_100
#: A schedule that closes an hour after NOW, and that instant.
OPEN_UNTIL_FOUR = '{"zone": "UTC", "weekly": {"mon": ["09:00-16:00"]}}'
FOUR = NOW + HOUR


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    """A daemon that writes, and sweeps when a test says so."""
    async with daemon_on(store, database, lease_s=10 * 3600, sweep_s=0.001) as alive:
        yield alive


async def given_claim(daemon: Daemon, **fields: Any) -> Claim:
    free = {"contacts": 1, "call_interval_s": 0, "max_concurrent": 1000, "max_calls_per_day": 1000}
    campaign = await given_campaign(daemon.database, now=NOW, **(free | fields))
    (claim,) = await daemon.take(campaign, limit=1)
    return claim


async def given_doubted(daemon: Daemon, **fields: Any) -> Claim:
    claim = await given_claim(daemon, **fields)
    await daemon.batcher.apply(daemon.engine.calls.doubted, [(claim.attempt_id, "time-out")])
    return claim


async def given_placed(daemon: Daemon, **fields: Any) -> Claim:
    claim = await given_claim(daemon, **fields)
    daemon.engine.calls.accepted(claim.attempt_id, sid(1))
    await daemon.batcher.settled()
    return claim


async def sweep_at(daemon: Daemon, at: int) -> None:
    daemon.clock.at = at
    await daemon.engine.reaper.sweep()


async def sweep_when_due(daemon: Daemon, claim: Claim) -> int:
    """Sweep when the attempt's silence becomes suspicious; says when that was."""
    due_at = int((await attempt_of(daemon.database, claim))["check_at"])
    await sweep_at(daemon, due_at - 1)
    asked = len(daemon.carrier.searched) + len(daemon.carrier.fetched)
    await sweep_at(daemon, due_at)
    assert len(daemon.carrier.searched) + len(daemon.carrier.fetched) == asked + 1
    return due_at


# -- an answer that was lost ---------------------------------------------------------------------


async def test_an_intent_without_an_answer_becomes_a_doubt(daemon: Daemon) -> None:
    claim = await given_claim(daemon)
    overdue_at = (await attempt_of(daemon.database, claim))["check_at"]

    await sweep_at(daemon, overdue_at - 1)
    before = await attempt_of(daemon.database, claim)
    await sweep_at(daemon, overdue_at)

    attempt = await attempt_of(daemon.database, claim)
    assert (before["state"], attempt["state"]) == ("intent", "unknown")
    assert attempt["detail"] == "no answer was recorded"
    assert overdue_at >= claim.void_at + 40 * SECOND


async def test_while_the_store_refuses_the_carrier_is_asked_nothing(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    due_at = int((await attempt_of(daemon.database, claim))["check_at"])

    daemon.engine.lease.trouble = "the disk is full"
    await sweep_at(daemon, due_at)
    assert daemon.carrier.fetched == []

    daemon.engine.lease.trouble = None
    await sweep_at(daemon, due_at)
    assert daemon.carrier.fetched == [sid(1)]


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ([], True),
        ([CarrierStatus.QUEUED], True),
        ([CarrierStatus.QUEUED, CarrierStatus.INITIATED], False),
        ([CarrierStatus.RINGING], False),
        ([CarrierStatus.IN_PROGRESS], False),
    ],
)
async def test_a_daemon_that_goes_down_ends_what_the_carrier_has_not_begun(
    daemon: Daemon, said: list[CarrierStatus], ended: bool
) -> None:
    claim = await given_placed(daemon)
    for each in said:
        await daemon.engine.calls.receive(status(claim, each, NOW))

    await daemon.engine.reaper.end_queued()

    assert daemon.carrier.cancelled == ([sid(1)] if ended else [])


async def test_the_attempts_of_others_are_theirs_to_ask_about(daemon: Daemon) -> None:
    claim = await given_doubted(daemon)
    other = await given_daemon(daemon.database)
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE attempts SET owner = ?1", [(other,)])

    await sweep_at(daemon, NOW + HOUR)

    assert daemon.carrier.searched == []
    assert (await attempt_of(daemon.database, claim))["state"] == "unknown"


# -- looking for a call --------------------------------------------------------------------------


async def test_one_call_that_nobody_claims_is_the_one_that_was_looked_for(daemon: Daemon) -> None:
    claim = await given_doubted(daemon)
    daemon.carrier.listed = [call_between(claim, 1, created_at=NOW + 12_000)]

    looked_at = await sweep_when_due(daemon, claim)

    assert looked_at >= NOW + FIRST_LOOK
    assert daemon.carrier.searched == [(claim.to, claim.from_, NOW - SKEW_S * SECOND)]
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["sid"]) == ("placed", sid(1))
    inbox = await rows(daemon.database, "SELECT source, status, verdict FROM call_events")
    assert inbox == [("lookup", "ringing", "folded")]
    await assert_sound(daemon.database)


async def test_a_call_that_is_over_when_it_is_found_ends_its_attempt(daemon: Daemon) -> None:
    claim = await given_doubted(daemon)
    facts = CallFacts(
        sid(1), S.COMPLETED, answered_at=NOW + 5_000, ended_at=NOW + 25_000, duration_s=20,
        answered_by="machine_start",
    )  # fmt: skip
    daemon.carrier.listed = [call_between(claim, 1, created_at=NOW, facts=facts)]

    await sweep_when_due(daemon, claim)

    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"]) == ("ended", "machine")
    assert (attempt["answered_at"], attempt["ended_at"]) == (NOW + 5_000, NOW + 25_000)
    assert (attempt["duration_s"], attempt["answered_by"]) == (20, "machine_start")
    assert (await member_of(daemon.database))["attempts"] == 1


async def test_absence_is_believed_at_the_second_look_after_both_bounds(daemon: Daemon) -> None:
    claim = await given_doubted(daemon)

    first_at = await sweep_when_due(daemon, claim)
    between = await attempt_of(daemon.database, claim)
    last_at = await sweep_when_due(daemon, claim)

    assert (first_at, last_at) == (NOW + FIRST_LOOK, NOW + LAST_LOOK)
    assert between["state"] == "unknown"
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"]) == ("not_placed", "not_placed")
    assert len(daemon.carrier.searched) == 2
    member = await member_of(daemon.database)
    assert (member["state"], member["not_placed"], member["attempts"]) == ("retry", 1, 0)
    assert await rows(daemon.database, "SELECT sum(calls) FROM number_days") == [(0,)]


async def test_a_request_that_left_late_is_looked_for_late(
    store: str, database: AnyDatabase
) -> None:
    async with daemon_on(store, database, patience_s=50, look_ahead_s=10) as daemon:
        claim = await given_doubted(daemon)
        first_at = await sweep_when_due(daemon, claim)
        last_at = await sweep_when_due(daemon, claim)

    last_to_leave = claim.void_at
    assert first_at >= last_to_leave + 30 * SECOND  # A1
    assert last_at >= last_to_leave + 90 * SECOND  # A1 and A2


async def test_one_look_is_enough_when_both_bounds_have_passed(daemon: Daemon) -> None:
    claim = await given_doubted(daemon)

    await sweep_at(daemon, NOW + HOUR)

    assert (await attempt_of(daemon.database, claim))["state"] == "not_placed"


async def test_a_call_that_is_listed_late_is_found_at_the_second_look(daemon: Daemon) -> None:
    claim = await given_doubted(daemon)

    await sweep_when_due(daemon, claim)
    daemon.carrier.listed = [call_between(claim, 1, created_at=NOW + 39_000)]
    await sweep_when_due(daemon, claim)

    assert (await attempt_of(daemon.database, claim))["state"] == "placed"


async def test_calls_of_other_attempts_and_other_times_are_not_taken_for_it(
    daemon: Daemon,
) -> None:
    first = await given_placed(daemon)
    await daemon.engine.calls.receive(status(first, S.BUSY, NOW))
    claim = await given_claim(daemon, name="Other", number_ids=[1])  # the same callee
    await daemon.batcher.apply(daemon.engine.calls.doubted, [(claim.attempt_id, "time-out")])
    daemon.carrier.listed = [
        call_between(claim, 1, created_at=NOW),  # known to belong to the other attempt
        call_between(claim, 2, created_at=NOW - SKEW_S * SECOND - 1),  # before this one
        call_between(claim, 3, created_at=NOW + LAST_LOOK + SKEW_S * SECOND + 1),  # long after
    ]

    await sweep_when_due(daemon, claim)

    assert first.to == claim.to
    assert (await attempt_of(daemon.database, claim))["state"] == "unknown"


async def test_of_two_calls_the_first_is_kept_and_the_later_one_is_stopped(
    daemon: Daemon,
) -> None:
    claim = await given_doubted(daemon)
    daemon.carrier.listed = [
        call_between(claim, 2, created_at=NOW + 3_000),
        call_between(claim, 1, created_at=NOW + 1_000),
        call_between(claim, 3, created_at=NOW + 9_000),
    ]

    with capture_logs() as logs:
        await sweep_when_due(daemon, claim)

    assert daemon.carrier.cancelled == [sid(2), sid(3)]
    alarms = [entry for entry in logs if entry["event"] == "call.duplicated"]
    assert [(alarm["log_level"], alarm["other"]) for alarm in alarms] == [
        ("error", sid(2)), ("error", sid(3)),
    ]  # fmt: skip
    assert (await attempt_of(daemon.database, claim))["sid"] == sid(1)


async def test_a_callback_between_the_look_and_its_result_wins(daemon: Daemon) -> None:
    claim = await given_doubted(daemon)
    await daemon.engine.calls.receive(status(claim, S.RINGING, NOW, call=sid(5)))
    daemon.carrier.listed = [call_between(claim, 6, created_at=NOW)]

    with capture_logs() as logs:
        await daemon.engine.calls.adopt(claim.attempt_id, sid(6))

    assert [entry["event"] for entry in logs] == ["call.conflict"]
    assert (await attempt_of(daemon.database, claim))["sid"] == sid(5)


# -- what must not go on -------------------------------------------------------------------------


async def test_a_call_nobody_has_answered_when_the_window_closes_is_ended(daemon: Daemon) -> None:
    claim = await given_placed(daemon, schedule_body=OPEN_UNTIL_FOUR)
    daemon.carrier.trouble = UnreachableError("no route")
    await sweep_at(daemon, FOUR)
    daemon.carrier.trouble = None

    await sweep_at(daemon, FOUR - 1)
    before_closing = list(daemon.carrier.cancelled)
    for _ in range(2):
        await sweep_at(daemon, FOUR)

    assert (before_closing, daemon.carrier.cancelled) == ([], [sid(1)])
    await daemon.engine.calls.receive(status(claim, S.CANCELED, FOUR))
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"]) == ("ended", "canceled")


async def test_a_daemon_that_goes_down_ends_what_is_not_a_conversation(daemon: Daemon) -> None:
    await given_placed(daemon)
    await given_doubted(daemon, name="Doubts", first_contact=10, number_ids=[1])

    await daemon.engine.reaper.end_unanswered()

    assert daemon.carrier.cancelled == [sid(1)]  # and a carrier leaves conversations alone


async def test_a_call_that_outlives_its_time_limit_is_hung_up(daemon: Daemon) -> None:
    limit_s = daemon.engine.times.longest_s + LIMIT_GRACE_S
    claim = await given_placed(daemon)
    facts = CallFacts(sid(1), S.IN_PROGRESS, answered_at=NOW + 4_000)
    daemon.carrier.known[sid(1)] = call_between(claim, 1, created_at=NOW, facts=facts)

    while (asked_at := await sweep_when_due(daemon, claim)) <= NOW + limit_s * SECOND:
        assert daemon.carrier.hung_up == []

    assert asked_at > NOW + limit_s * SECOND
    assert daemon.carrier.hung_up == [sid(1)]


# -- looking a call up ---------------------------------------------------------------------------


async def test_a_silent_call_that_goes_on_is_asked_about_again_ever_more_rarely(
    daemon: Daemon,
) -> None:
    claim = await given_placed(daemon)
    facts = CallFacts(sid(1), S.IN_PROGRESS, answered_at=NOW + 4_000)
    daemon.carrier.known[sid(1)] = call_between(claim, 1, created_at=NOW, facts=facts)

    asked_at = [await sweep_when_due(daemon, claim) for _ in range(8)]

    gaps = [(b - a) // SECOND for a, b in pairwise(asked_at)]
    assert gaps == [60, 120, 240, 480, 900, 900, 900]
    assert (gaps[0], gaps[-1]) == (ASK_AGAIN_S, ASK_AGAIN_MAX_S)
    assert (await attempt_of(daemon.database, claim))["state"] == "placed"
    inbox = await rows(daemon.database, "SELECT source, status, verdict FROM call_events")
    assert inbox == [("lookup", "in-progress", "folded")]  # the same news is kept once


async def test_a_silent_call_that_is_over_ends_as_by_a_callback(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    facts = CallFacts(
        sid(1), S.COMPLETED, answered_at=NOW + 4_000, ended_at=NOW + 34_000, duration_s=30
    )
    daemon.carrier.known[sid(1)] = call_between(claim, 1, created_at=NOW, facts=facts)

    due_at = await sweep_when_due(daemon, claim)

    assert daemon.carrier.fetched == [sid(1)]
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"], attempt["closed_at"]) == (
        "ended", "human", due_at,
    )  # fmt: skip
    assert (attempt["answered_at"], attempt["ended_at"]) == (NOW + 4_000, NOW + 34_000)
    inbox = await rows(daemon.database, "SELECT DISTINCT source FROM call_events")
    assert inbox == [("lookup",)]
    assert (await member_of(daemon.database))["state"] == "called"
    await sweep_at(daemon, due_at + HOUR)
    assert daemon.carrier.fetched == [sid(1)]


async def test_a_call_the_carrier_does_not_know_any_more_is_over_in_the_end(
    daemon: Daemon,
) -> None:
    claim = await given_placed(daemon)

    with capture_logs() as logs:
        for _ in range(VANISHED_AFTER):
            await sweep_when_due(daemon, claim)
        patient = await attempt_of(daemon.database, claim)
        await sweep_when_due(daemon, claim)

    assert patient["state"] == "placed"
    attempt = await attempt_of(daemon.database, claim)
    assert (attempt["state"], attempt["outcome"]) == ("ended", "carrier_failed")
    assert "call.vanished" in [entry["event"] for entry in logs]
    assert (await member_of(daemon.database))["state"] == "called"


# -- trouble -------------------------------------------------------------------------------------


@pytest.mark.parametrize("placed", [True, False])
async def test_a_carrier_that_does_not_answer_is_asked_again_later(
    daemon: Daemon, placed: bool
) -> None:
    claim = await (given_placed if placed else given_doubted)(daemon)
    daemon.carrier.trouble = UnreachableError("connection refused")
    before = await attempt_of(daemon.database, claim)

    with capture_logs() as logs:
        await sweep_at(daemon, before["check_at"])

    attempt = await attempt_of(daemon.database, claim)
    assert attempt["state"] == before["state"]
    assert (attempt["check_at"], attempt["checks"]) == (before["check_at"] + MINUTE, 1)
    assert [entry["event"] for entry in logs] == ["question.failed"]


async def test_a_doubt_is_never_resolved_by_a_carrier_that_does_not_answer(
    daemon: Daemon,
) -> None:
    claim = await given_doubted(daemon)
    daemon.carrier.trouble = UnreachableError("connection refused")
    for _ in range(12):
        due_at = (await attempt_of(daemon.database, claim))["check_at"]
        await sweep_at(daemon, due_at)
    long_after = await attempt_of(daemon.database, claim)

    daemon.carrier.trouble = None
    await sweep_at(daemon, long_after["check_at"])

    assert long_after["state"] == "unknown"
    assert (await attempt_of(daemon.database, claim))["state"] == "not_placed"


async def test_one_question_that_fails_holds_up_no_other(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await given_placed(daemon, contacts=2)
    (other,) = await daemon.take(one.campaign_id)
    daemon.engine.calls.accepted(other.attempt_id, sid(2))
    await daemon.batcher.settled()
    facts = CallFacts(sid(2), S.BUSY, ended_at=NOW)
    daemon.carrier.known[sid(2)] = call_between(other, 2, created_at=NOW, facts=facts)
    fetch = daemon.carrier.fetch

    async def faulty(call: Any) -> Any:
        if call == sid(1):
            raise UnreachableError("connection reset")
        return await fetch(call)

    monkeypatch.setattr(daemon.carrier, "fetch", faulty)
    with capture_logs():
        await sweep_at(daemon, NOW + 2 * MINUTE)

    assert (await attempt_of(daemon.database, one))["state"] == "placed"
    assert (await attempt_of(daemon.database, other))["outcome"] == "busy"


async def test_a_sweep_that_fails_is_logged_and_repeated(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaper = daemon.engine.reaper
    ask, sweeps = reaper.ask, []

    async def faulty() -> None:
        sweeps.append(1)
        if len(sweeps) == 1:
            raise StoreBusyError("locked by a backup")
        await ask()

    monkeypatch.setattr(reaper, "ask", faulty)
    with capture_logs() as logs:
        async with running(reaper.run):
            await until(lambda: len(sweeps) == 3)

    assert [entry["event"] for entry in logs] == ["sweep.failed"]


# -- much of it ----------------------------------------------------------------------------------


async def test_a_sweep_asks_about_all_who_are_silent_in_portions(daemon: Daemon) -> None:
    first = await given_claim(daemon, contacts=SWEEP_SIZE + 20)
    claims = [first, *await daemon.take(first.campaign_id, limit=SWEEP_SIZE + 20)]
    ops = [(claim.attempt_id, "time-out") for claim in claims]
    await daemon.batcher.apply(daemon.engine.calls.doubted, ops)
    daemon.carrier.listed = [
        call_between(claim, number, created_at=NOW) for number, claim in enumerate(claims, 1)
    ]

    await sweep_at(daemon, NOW + MINUTE)
    once = await rows(daemon.database, "SELECT count(*) FROM attempts WHERE state = 'placed'")
    await sweep_at(daemon, NOW + MINUTE)

    assert once == [(SWEEP_SIZE,)]
    states = await rows(daemon.database, "SELECT state, count(*) FROM attempts GROUP BY state")
    assert states == [("placed", SWEEP_SIZE + 20)]
    assert daemon.carrier.cancelled == []


async def test_a_sweep_settles_what_is_final(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    await daemon.engine.calls.receive(status(claim, S.COMPLETED, NOW, duration_s=30))

    await sweep_at(daemon, NOW + 15 * MINUTE - 1)
    early = await member_of(daemon.database)
    await sweep_at(daemon, NOW + 15 * MINUTE)

    assert (early["state"], (await member_of(daemon.database))["state"]) == ("called", "completed")
