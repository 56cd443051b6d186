"""Members moved by hand while a daemon works on them: called again, skipped, taken out."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer import audit_log, campaigns, do_not_call
from dialer.audit.records import Retry
from dialer.errors import NotFoundError, WrongStateError
from dialer.model import CampaignId, CarrierStatus, Claim, FailReason
from dialer.people import member_edits
from dialer.people.member_edits import Again, Judged, Left
from dialer.people.names import id_ranges, in_ranges, named
from dialer.people.person import Priority
from dialer.ports import Database
from dialer.states import (
    FINAL_MEMBER_STATES,
    MEMBER_TRANSITIONS,
    WAITING_MEMBER_STATES,
    CampaignEvent,
    MemberEvent,
    MemberState,
)
from dialer.store.opening import AnyDatabase, opened
from dialer.store.queries import Dialect, load
from retries.outcome import Outcome
from tests.support.engine import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Daemon,
    SetClock,
    assert_sound,
    daemon_on,
    given_claimer,
    member_of,
    rows,
    sid,
    status,
)
from tests.support.given import FIRST_PHONE, given_campaign, write

S = CarrierStatus
FREE: Final[dict[str, Any]] = {
    "call_interval_s": 0,
    "max_concurrent": 1000,
    "max_calls_per_day": 1000,
    "completion_timeout_s": 0,
    "max_retries": 0,
}
QUARANTINE_S: Final = 600
RETRIED_SHARE: Final = 0.4
AGAIN: Final = Again(quarantine_s=QUARANTINE_S)


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    async with daemon_on(store, database) as alive:
        yield alive


def another(store: str) -> AbstractAsyncContextManager[AnyDatabase]:
    """The same database, opened by somebody else."""
    return opened(store, random.Random(1), busy_timeout_s=5)


def phone(contact: int) -> str:
    return f"+{FIRST_PHONE + contact}"


async def retried(
    database: Database,
    campaign: CampaignId,
    *ids: int,
    again: Again = AGAIN,
    now: int = NOW,
) -> Judged:
    async with database.write() as tx:
        return await member_edits.retry(tx, campaign, ids, again, now)


async def skipped(database: Database, campaign: CampaignId, *ids: int) -> Judged:
    async with database.write() as tx:
        return await member_edits.skip(tx, campaign, ids, "", NOW)


async def removed(database: Database, campaign: CampaignId, *ids: int) -> Judged:
    async with database.write() as tx:
        return await member_edits.remove(tx, campaign, ids, NOW)


async def given_states(
    database: Database, *states: MemberState, reason: FailReason | None = None
) -> CampaignId:
    """A campaign with one member in each of these states; those who failed did so for *reason*."""
    campaign = await given_campaign(database, now=NOW, contacts=len(states), **FREE)
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE members SET state = ?2, reason = ?3 WHERE id = ?1",
            [
                (at, state.value, _reason(reason) if state is MemberState.FAILED else None)
                for at, state in enumerate(states, 1)
            ],
        )
    return campaign


def _reason(reason: FailReason | None) -> str:
    return (reason or FailReason.ATTEMPTS_EXHAUSTED).value


async def call_that_ends(daemon: Daemon, campaign: CampaignId, said: CarrierStatus) -> Claim:
    """The one member who is due is called, and the call ends."""
    (claim,) = await daemon.take(campaign)
    await daemon.engine.calls.receive(status(claim, said, daemon.clock.now(), call=_sid(claim)))
    return claim


def _sid(claim: Claim) -> Any:
    return sid(int(claim.attempt_id[-8:], 16))


def whys(judged: Judged) -> list[Left]:
    return [left for _, left in judged.left]


# -- called again ---------------------------------------------------------------------------------


async def test_whoever_is_done_waits_for_another_call_and_nobody_else_is_moved(
    database: AnyDatabase,
) -> None:
    states = list(MemberState)
    campaign = await given_states(database, *states)

    judged = await retried(database, campaign, *range(1, len(states) + 1))

    assert len(judged.changed) == len(FINAL_MEMBER_STATES)
    for at, state in enumerate(states, 1):
        member = await member_of(database, at)
        if state in FINAL_MEMBER_STATES:
            assert (member["state"], member["reason"]) == ("pending", None)
            assert member["next_at"] == NOW
        else:
            assert member["state"] == state
    assert set(whys(judged)) == {Left.WAITING, Left.IN_CALL}


async def test_a_retry_is_one_more_call_and_the_calls_so_far_stay_counted(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    await call_that_ends(daemon, campaign, S.NO_ANSWER)
    assert (await member_of(daemon.database))["reason"] == "attempts_exhausted"

    await retried(daemon.database, campaign, 1)
    daemon.clock.pass_s(1)
    await call_that_ends(daemon, campaign, S.BUSY)

    member = await member_of(daemon.database)
    assert (member["state"], member["reason"]) == ("failed", "attempts_exhausted")
    assert member["attempts"] == 2
    assert await daemon.take(campaign) == []
    await assert_sound(daemon.database)


async def test_a_retry_uses_what_is_left_of_the_budget(daemon: Daemon) -> None:
    fields = FREE | {"max_retries": 2, "retry_intervals_s": (60,)}
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **fields)
    await call_that_ends(daemon, campaign, S.NO_ANSWER)
    await skipped(daemon.database, campaign, 1)

    await retried(daemon.database, campaign, 1, again=Again(said=frozenset({FailReason.SKIPPED})))
    await call_that_ends(daemon, campaign, S.NO_ANSWER)

    assert (await member_of(daemon.database))["state"] == "retry"  # the third call is planned


async def test_a_retry_may_be_put_off_to_a_time(database: AnyDatabase) -> None:
    campaign = await given_states(database, MemberState.FAILED)

    await retried(database, campaign, 1, again=Again(at=NOW + HOUR))

    claimer = await given_claimer(database, clock := SetClock())
    assert await claimer.take(campaign) == []
    clock.pass_s(3600)
    assert len(await claimer.take(campaign)) == 1


async def test_a_call_that_was_not_found_may_turn_up_until_its_quarantine_is_over(
    daemon: Daemon,
) -> None:
    fields = FREE | {"max_retries": 0}
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **fields)
    (claim,) = await daemon.take(campaign)
    await daemon.batcher.apply(daemon.engine.calls.doubted, [(claim.attempt_id, "no answer")])
    await daemon.batcher.apply(daemon.engine.calls.absent, [claim.attempt_id])
    async with daemon.database.write() as tx:
        await write(
            tx, "UPDATE members SET state = 'failed', reason = 'never_placed' WHERE id = ?1", [(1,)]
        )

    await retried(daemon.database, campaign, 1)

    assert (await member_of(daemon.database))["next_at"] == NOW + QUARANTINE_S * SECOND
    assert await daemon.take(campaign) == []


async def test_a_call_found_after_its_member_was_sent_back_is_the_members_own(
    daemon: Daemon,
) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    (claim,) = await daemon.take(campaign)
    await daemon.batcher.apply(daemon.engine.calls.doubted, [(claim.attempt_id, "no answer")])
    await daemon.batcher.apply(daemon.engine.calls.absent, [claim.attempt_id])
    async with daemon.database.write() as tx:
        await write(
            tx, "UPDATE members SET state = 'failed', reason = 'never_placed' WHERE id = ?1", [(1,)]
        )
    await retried(daemon.database, campaign, 1, again=Again())

    await daemon.engine.calls.receive(status(claim, S.RINGING, NOW))

    assert (await member_of(daemon.database))["state"] == "dialing"
    daemon.clock.pass_s(QUARANTINE_S)
    assert await daemon.take(campaign) == []  # nobody is rung twice
    assert whys(await retried(daemon.database, campaign, 1)) == [Left.IN_CALL]
    await assert_sound(daemon.database)


async def test_an_open_attempt_keeps_its_member_whatever_state_it_is_in(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    await daemon.take(campaign)
    async with daemon.database.write() as tx:
        await write(
            tx, "UPDATE members SET state = 'failed', reason = 'cancelled' WHERE id = ?1", [(1,)]
        )

    judged = await retried(daemon.database, campaign, 1)

    assert whys(judged) == [Left.IN_CALL]


@pytest.mark.parametrize("reason", list(FailReason))
async def test_another_call_in_vain_is_made_when_the_reason_is_named(
    database: AnyDatabase, reason: FailReason
) -> None:
    campaign = await given_states(database, MemberState.FAILED, reason=reason)
    needs_word = reason in member_edits.UNLESS_SAID or reason is FailReason.SKIPPED

    unsaid = await retried(database, campaign, 1)
    said = await retried(database, campaign, 1, again=Again(said=frozenset({reason})))

    assert bool(unsaid.changed) is not needs_word
    assert bool(said.changed) is needs_word  # the others wait already


async def test_nobody_on_the_list_is_sent_back_whatever_is_said(database: AnyDatabase) -> None:
    campaign = await given_states(database, MemberState.FAILED, reason=FailReason.DO_NOT_CALL)
    async with database.write() as tx:
        await do_not_call.add(tx, [phone(1)], NOW)
    said = Again(said=frozenset({FailReason.DO_NOT_CALL}))

    listed = await retried(database, campaign, 1, again=said)
    async with database.write() as tx:
        await do_not_call.remove(tx, NOW, phone=phone(1))
    free = await retried(database, campaign, 1, again=said)

    assert whys(listed) == [Left.DO_NOT_CALL]
    assert len(free.changed) == 1


async def test_nobody_who_was_erased_is_sent_back(database: AnyDatabase) -> None:
    campaign = await given_states(database, MemberState.COMPLETED)
    async with database.write() as tx:
        await write(tx, "UPDATE contacts SET phone = ?1", [("erased:0123",)])

    assert whys(await retried(database, campaign, 1)) == [Left.ERASED]


async def test_a_completed_campaign_is_reopened_only_when_that_is_said(
    database: AnyDatabase,
) -> None:
    campaign = await given_states(database, MemberState.FAILED)
    async with database.write() as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.COMPLETE, NOW)

    with pytest.raises(WrongStateError, match="is completed"):
        await retried(database, campaign, 1)
    await retried(database, campaign, 1, again=Again(reopen=True))

    assert await rows(database, "SELECT status FROM campaigns") == [("active",)]
    claimer = await given_claimer(database, SetClock())
    assert len(await claimer.take(campaign)) == 1


async def test_a_completed_campaign_stays_so_when_nobody_is_sent_back(
    database: AnyDatabase,
) -> None:
    campaign = await given_states(database, MemberState.FAILED, reason=FailReason.INVALID_NUMBER)
    async with database.write() as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.COMPLETE, NOW)

    await retried(database, campaign, 1, again=Again(reopen=True))

    assert await rows(database, "SELECT status FROM campaigns") == [("completed",)]


async def test_a_cancelled_campaign_calls_nobody_again(database: AnyDatabase) -> None:
    campaign = await given_states(database, MemberState.FAILED)
    async with database.write() as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.CANCEL, NOW)

    with pytest.raises(WrongStateError, match="is cancelled"):
        await retried(database, campaign, 1, again=Again(reopen=True))


async def test_members_are_found_by_what_became_of_them(database: AnyDatabase) -> None:
    campaign = await given_states(
        database, MemberState.FAILED, MemberState.COMPLETED, MemberState.PENDING, MemberState.FAILED
    )
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE members SET last_outcome = ?2, reason = ?3 WHERE id = ?1",
            [(1, "busy", "attempts_exhausted"), (2, "human", None), (4, "fax", "fax")],
        )

    async with database.read() as tx:
        failed = await member_edits.finished(tx, campaign, state=MemberState.FAILED)
        fax = await member_edits.finished(tx, campaign, reason=FailReason.FAX)
        busy = await member_edits.finished(tx, campaign, outcome=Outcome.BUSY)
        done = await member_edits.finished(tx, campaign)

    assert [failed, fax, busy, done] == [[1, 4], [4], [1], [1, 2, 4]]


# -- skipped, taken out, preferred ----------------------------------------------------------------


async def test_those_who_wait_are_skipped_and_nobody_else(database: AnyDatabase) -> None:
    states = list(MemberState)
    campaign = await given_states(database, *states)

    await skipped(database, campaign, *range(1, len(states) + 1))

    for at, state in enumerate(states, 1):
        member = await member_of(database, at)
        if state in WAITING_MEMBER_STATES:
            assert (member["state"], member["reason"]) == ("failed", "skipped")
        else:
            assert member["state"] == state


async def test_a_call_under_way_goes_on_for_whoever_is_to_be_skipped(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    (claim,) = await daemon.take(campaign)

    judged = await skipped(daemon.database, campaign, 1)
    await daemon.engine.calls.receive(status(claim, S.COMPLETED, NOW, duration_s=30))

    assert whys(judged) == [Left.IN_CALL]
    assert (await member_of(daemon.database))["state"] == "completed"


async def test_whoever_was_never_dialed_is_taken_out(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=3, **FREE)
    (claim,) = await daemon.take(campaign, limit=1)
    await daemon.engine.calls.receive(status(claim, S.NO_ANSWER, NOW))

    judged = await removed(daemon.database, campaign, 1, 2)

    assert whys(judged) == [Left.DIALED]
    assert await rows(daemon.database, "SELECT contact_id FROM members ORDER BY id") == [(1,), (3,)]
    assert await rows(daemon.database, "SELECT count(*) FROM contacts") == [(3,)]
    await assert_sound(daemon.database)


async def test_a_purge_of_calls_makes_nobody_undialed(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    await call_that_ends(daemon, campaign, S.NO_ANSWER)
    async with daemon.database.write() as tx:
        await write(tx, "DELETE FROM attempts WHERE member_id = ?1", [(1,)])

    assert whys(await removed(daemon.database, campaign, 1)) == [Left.DIALED]


async def test_a_priority_decides_who_is_called_first(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=3, **FREE)

    async with database.write() as tx:
        judged = await member_edits.prioritise(tx, campaign, [3, 2], Priority.HIGH, NOW)
        same = await member_edits.prioritise(tx, campaign, [1], Priority.NORMAL, NOW)

    assert len(judged.changed) == 2
    assert whys(same) == [Left.SAME]
    claimer = await given_claimer(database, SetClock())
    assert [claim.to for claim in await claimer.take(campaign)] == [phone(2), phone(3), phone(1)]


async def test_contacts_that_are_no_members_are_named(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=1, **FREE)
    other = await given_campaign(
        database, now=NOW, name="Survey", number_ids=[1], first_contact=5, contacts=1, **FREE
    )

    assert (await skipped(database, campaign, 1, 5)).strangers == [5]
    assert (await skipped(database, other, 1)).strangers == [1]


# -- at the same time -----------------------------------------------------------------------------


async def test_a_member_that_somebody_else_works_on_is_left_for_later(store: str) -> None:
    if "postgres" not in store:
        return  # one writer at a time: nobody else is at work
    async with another(store) as one, another(store) as other:
        campaign = await given_states(one, MemberState.FAILED, MemberState.FAILED)
        async with one.write() as tx:
            await write(tx, "UPDATE members SET changed_at = ?1 WHERE id = 1", [(NOW,)])

            judged = await retried(other, campaign, 1, 2)

        assert [row["id"] for row in judged.changed] == [2]
        assert whys(judged) == [Left.BUSY]


async def test_claims_and_edits_at_once_leave_everybody_in_one_piece(store: str) -> None:
    chance = random.Random(7)
    people = 12
    async with another(store) as hands, another(store) as machine:
        campaign = await given_campaign(hands, now=NOW, contacts=people, **FREE)
        async with daemon_on(store, machine) as daemon:
            taken: list[Claim] = []

            async def dial() -> None:
                for _ in range(8):
                    daemon.clock.pass_s(60)
                    claims = await daemon.take(campaign, limit=3)
                    taken.extend(claims)
                    for claim in claims:
                        await daemon.engine.calls.receive(
                            status(claim, S.NO_ANSWER, daemon.clock.now(), call=_sid(claim))
                        )

            async def meddle() -> None:
                for _ in range(20):
                    ids = chance.sample(range(1, people + 1), 4)
                    if chance.random() < RETRIED_SHARE:
                        await retried(hands, campaign, *ids, again=Again(reopen=True))
                    else:
                        await chance.choice((skipped, removed))(hands, campaign, *ids)
                    await asyncio.sleep(0)

            async with asyncio.TaskGroup() as group:
                group.create_task(dial())
                group.create_task(meddle())

        made = await rows(hands, "SELECT member_id, count(*) FROM attempts GROUP BY member_id")
        counted = await rows(hands, "SELECT id, attempts FROM members WHERE attempts > 0")
        assert sorted(made) == sorted(counted)
        assert len(taken) == sum(calls for _, calls in made)
        await assert_sound(hands)


# -- what is remembered ---------------------------------------------------------------------------


async def test_an_act_is_in_the_audit_log_by_ids_and_without_numbers(
    database: AnyDatabase,
) -> None:
    campaign = await given_states(database, *[MemberState.FAILED] * 3)

    await retried(database, campaign, 1, 2, 3)
    await skipped(database, campaign, 2)

    async with database.read() as tx:
        skip, retry, *_ = await audit_log.listed(tx, action="contacts")
    assert (retry.action, retry.subject) == ("contacts.retry", "3 contacts")
    assert '"contact_ids":[[1,3]]' in retry.after
    assert (skip.action, skip.subject) == ("contacts.skip", "+1202***002")
    assert phone(2)[1:] not in skip.after


async def test_what_changes_nothing_leaves_no_entry(database: AnyDatabase) -> None:
    campaign = await given_states(database, MemberState.PENDING)

    await retried(database, campaign, 1)

    async with database.read() as tx:
        assert await audit_log.listed(tx, action="contacts") == []


async def test_the_independent_audit_knows_whom_an_operator_asked_for(
    daemon: Daemon, store: str
) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    claim = await call_that_ends(daemon, campaign, S.NO_ANSWER)
    await retried(daemon.database, campaign, 1)

    async with daemon.database.read() as tx:
        (entry,) = await audit_log.listed(tx, action="contacts.retry")

    asked = Retry(entry.id, entry.at, entry.after)
    assert asked.of(claim.member_id)
    assert not asked.of(claim.member_id + 1)


# -- what SQL says of states ----------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_queries_say_of_states_what_their_table_says(dialect: Dialect) -> None:
    def said(query: str, after: str) -> set[str]:
        text = load(dialect)[query].text
        (words,) = re.findall(rf"{after} (?:= |IN \()((?:'\w+'(?:, )?)+)", text)
        return set(re.findall(r"'(\w+)'", words))

    requeued = {of for of, event in MEMBER_TRANSITIONS if event is MemberEvent.REQUEUE}
    assert said("finished_contact_ids", r"m\.state") == requeued == FINAL_MEMBER_STATES
    assert said("skip_members", "reason") == {FailReason.SKIPPED}


# -- names ----------------------------------------------------------------------------------------


async def test_contacts_are_named_by_number_or_id_each_once(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=3, **FREE)

    async with database.read() as tx:
        found = await named(tx, [phone(2), "2", "3", "(202) 555-0001", "99", "Ann"], "US")

    assert found.ids == [2, 3, 1]
    assert found.unknown == ["99", "Ann"]
    assert found.known(partial=True) == [2, 3, 1]
    with pytest.raises(NotFoundError, match="'99', 'Ann'; nothing was done"):
        found.known(partial=False)


@given(st.lists(st.integers(min_value=1, max_value=60)), st.integers(min_value=0, max_value=61))
def test_ranges_hold_exactly_what_they_were_made_of(ids: Sequence[int], one: int) -> None:
    ranges = id_ranges(ids)

    assert in_ranges(one, ranges) == (one in ids)
    assert all(after[0] > before[1] + 1 for before, after in pairwise(ranges))


@given(
    st.sampled_from(list(MemberState)),
    st.sampled_from([None, *FailReason]),
    st.frozensets(st.sampled_from(list(FailReason))),
    st.booleans(),
    st.booleans(),
    st.integers(min_value=0, max_value=10 * MINUTE),
)
def test_nobody_is_sent_back_who_is_called_or_must_not_be(
    state: MemberState,
    reason: FailReason | None,
    said: frozenset[FailReason],
    listed: bool,
    in_call: bool,
    ago: int,
) -> None:
    unplaced_at = NOW - ago
    member = {
        "state": state.value,
        "reason": reason or "attempts_exhausted",
        "phone": phone(1),
        "listed": listed,
        "in_call": in_call,
        "unplaced_at": unplaced_at,
    }

    why = member_edits.why_not_again(member, said)
    due_at = member_edits.due_at(member, Again(NOW - HOUR, said, QUARANTINE_S), NOW)

    if why is None:
        assert state in FINAL_MEMBER_STATES
        assert not listed
        assert not in_call
    assert due_at >= NOW
    assert due_at - unplaced_at >= QUARANTINE_S * SECOND
