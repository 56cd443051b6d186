"""After a restore: calls nobody knows find their members, and nobody is dialed meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dialer import erasure, hold, reconciling, rule_book
from dialer.erased import ErasedPhones, PhoneKey
from dialer.errors import UnreachableError, WrongStateError
from dialer.found_calls import FoundCalls
from dialer.holiday_calendars import public_holidays
from dialer.model import CallFacts, CampaignId, CarrierStatus
from dialer.plans import Plans
from dialer.ports import CarrierCall
from dialer.reconciling import MARGIN_S, Reconciled, Reconciler
from dialer.store.opening import AnyDatabase, opened
from tests.support.engine import (
    HOUR,
    MINUTE,
    NOW,
    CountedIds,
    Daemon,
    assert_sound,
    daemon_on,
    member_of,
    rows,
    running,
    sid,
)
from tests.support.given import given_campaign, write

#: The backup was taken an hour ago.
TAKEN = NOW - HOUR
KEY = PhoneKey(b"a key")


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    """A daemon on a database that was restored long enough ago for the carrier's list."""
    async with daemon_on(store, database) as alive:
        yield alive


class Record:
    """The carrier's record, page by page; the first *silent* readings fail.

    *meanwhile* happens during the first reading.
    """

    def __init__(
        self,
        calls: Sequence[CarrierCall],
        silent: int = 0,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._calls = calls
        self._silent = silent
        self._meanwhile = meanwhile
        self.asked: list[int] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Record"]:
        yield self

    async def placed_since(self, since_at: int) -> AsyncIterator[Sequence[CarrierCall]]:
        self.asked.append(since_at)
        if len(self.asked) <= self._silent:
            raise UnreachableError("nobody answers")
        if self._meanwhile is not None and len(self.asked) == 1:
            await self._meanwhile()
        for call in self._calls:
            yield [call, call]  # a call may come twice


def reconciler_of(daemon: Daemon, record: Record, *, series: int = 77) -> Reconciler:
    engine = daemon.engine
    found = FoundCalls(
        daemon.clock,
        CountedIds(series),
        engine.lease.daemon_id,
        Plans(public_holidays),
        ErasedPhones(lambda: KEY),
    )
    return Reconciler(
        daemon.clock,
        daemon.database,
        engine.batcher,
        engine.calls,
        engine.reaper,
        found,
        engine.times,
        record.opened,
    )


async def given_restored(daemon: Daemon, *, held_at: int = NOW - HOUR // 2) -> hold.Hold:
    async with daemon.database.write() as tx:
        await hold.put(tx, held_at, reason="restored from copy.db")
        return await reconciling.want(tx, held_at, since_at=TAKEN)


async def reconcile(daemon: Daemon, *calls: CarrierCall) -> Reconciled:
    held = await given_restored(daemon)
    return await reconciler_of(daemon, Record(calls)).reconcile(held)


async def phones(daemon: Daemon) -> tuple[list[str], list[str]]:
    """The contacts' numbers and our own, oldest first."""
    contacts = await rows(daemon.database, "SELECT phone FROM contacts ORDER BY id")
    numbers = await rows(daemon.database, "SELECT phone FROM numbers ORDER BY id")
    return [phone for (phone,) in contacts], [phone for (phone,) in numbers]


def made(
    number: int,
    to: str,
    from_: str,
    *,
    after: int = MINUTE,
    status: CarrierStatus = CarrierStatus.NO_ANSWER,
    **facts: Any,
) -> CarrierCall:
    """A call of the carrier's, so long after the backup was taken."""
    at = TAKEN + after
    ended_at = at + 30_000 if status.final else None
    told = CallFacts(sid=sid(number), status=status, ended_at=ended_at, **facts)
    return CarrierCall(sid(number), to, from_, at, told)


async def given_calling(daemon: Daemon, **fields: Any) -> Any:
    return await given_campaign(daemon.database, **{"now": TAKEN, "contacts": 2} | fields)


# -- calls that find their member ------------------------------------------------------------------


async def test_a_call_nobody_knows_becomes_an_attempt_like_any_other(daemon: Daemon) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)

    done = await reconcile(daemon, made(1, callee, caller))

    assert [call.sid for call in done.recorded] == [sid(1)]
    attempts = "SELECT sid, state, outcome, phone, send_at, member_id FROM attempts"
    assert await rows(daemon.database, attempts) == [
        (sid(1), "ended", "no_answer", callee, TAKEN + MINUTE, 1)
    ]
    member = await member_of(daemon.database)
    assert (member["state"], member["attempts"]) == ("called", 1)
    assert await rows(daemon.database, "SELECT calls FROM number_days") == [(1,)]
    await daemon.engine.calls.settle()
    daemon.clock.at += HOUR
    await daemon.engine.calls.settle()
    member = await member_of(daemon.database)
    assert (member["state"], member["next_at"] > daemon.clock.at) == ("retry", True)
    await assert_sound(daemon.database)


async def test_calls_of_one_callee_follow_one_another(daemon: Daemon) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)

    done = await reconcile(
        daemon,
        made(2, callee, caller, after=20 * MINUTE, status=CarrierStatus.COMPLETED, duration_s=40),
        made(1, callee, caller, status=CarrierStatus.BUSY),
    )

    assert [call.sid for call in done.recorded] == [sid(1), sid(2)]
    member = await member_of(daemon.database)
    assert (member["state"], member["attempts"], member["last_outcome"]) == ("called", 2, "busy")
    await assert_sound(daemon.database)


@pytest.mark.parametrize("state", ["completed", "failed", "no_conversation"])
async def test_whoever_was_done_and_was_called_again_follows_that_call(
    daemon: Daemon, state: str
) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE members SET state = ?1 WHERE id = 1", [(state,)])

    await reconcile(daemon, made(1, callee, caller))

    assert (await member_of(daemon.database))["state"] == "called"
    await assert_sound(daemon.database)


async def test_a_call_that_goes_on_is_followed_to_its_end(daemon: Daemon) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)

    await reconcile(daemon, made(1, callee, caller, status=CarrierStatus.IN_PROGRESS))

    state = "SELECT state, owner FROM attempts"
    assert await rows(daemon.database, state) == [("placed", daemon.engine.lease.daemon_id)]
    assert (await member_of(daemon.database))["state"] == "dialing"
    await assert_sound(daemon.database)


async def test_what_is_known_is_left_as_it_is(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, call_interval_s=0)
    claims = await daemon.take(campaign)
    for number, claim in enumerate(claims, 1):
        await daemon.engine.calls.adopt(claim.attempt_id, sid(number))

    done = await reconcile(daemon, *(made(n, c.to, c.from_) for n, c in enumerate(claims, 1)))

    assert (done.listed, done.recorded) == (2, [])
    assert await rows(daemon.database, "SELECT count(*) FROM attempts") == [(2,)]


async def test_it_may_be_done_again_without_harm(daemon: Daemon) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)
    await reconcile(daemon, made(1, callee, caller))

    again = await reconcile(daemon, made(1, callee, caller))

    assert again.recorded == []
    async with daemon.database.read() as tx:
        held = await hold.standing(tx)
    assert held is not None
    assert held.reason.count("reconciled") == 1


async def test_numbers_are_known_however_the_carrier_writes_them(daemon: Daemon) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)

    done = await reconcile(daemon, made(1, callee.removeprefix("+"), f"{caller[:2]} {caller[2:]}"))

    assert len(done.recorded) == 1


# -- calls that do not ----------------------------------------------------------------------------


async def test_calls_of_others_are_told_and_left(daemon: Daemon) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)

    done = await reconcile(daemon, made(1, "+12025559999", caller), made(2, callee, "+12025558888"))

    assert [call.sid for call in done.strangers] == [sid(1)]
    assert [call.sid for call in done.foreign] == [sid(2)]
    assert await rows(daemon.database, "SELECT count(*) FROM attempts") == [(0,)]
    assert "1 are to nobody" in done.words
    assert "1 come from numbers" in done.words


async def given_released(daemon: Daemon) -> None:
    async with daemon.database.write() as tx:
        await hold.release(tx, NOW)


async def test_whoever_was_called_from_an_unknown_number_rests_for_a_day(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, contacts=1)
    (callee,), _ = await phones(daemon)

    done = await reconcile(daemon, made(1, callee, "+12025558888"))
    await given_released(daemon)

    assert "rest for a day" in done.words
    assert await daemon.take(campaign) == []
    assert (await member_of(daemon.database))["next_at"] == TAKEN + MINUTE + 24 * HOUR
    daemon.clock.at = TAKEN + MINUTE + 24 * HOUR
    assert len(await daemon.take(campaign)) == 1


async def given_brought_in(daemon: Daemon, **fields: Any) -> CampaignId:
    """A campaign that a stranger of before is a member of."""
    campaign: CampaignId = await given_calling(
        daemon, now=NOW, contacts=1, name="Later", number_ids=[1], first_contact=9, **fields
    )
    return campaign


async def test_whoever_is_brought_in_after_the_reconciliation_rests_for_a_day(
    daemon: Daemon,
) -> None:
    await given_calling(daemon)
    _, (caller,) = await phones(daemon)
    await reconcile(daemon, made(1, "+12025550009", caller))
    await given_released(daemon)

    later = await given_brought_in(daemon)
    assert await daemon.take(later) == []
    async with daemon.database.write() as tx:  # a change of the rules calls nobody back too early
        await rule_book.tighten(tx, rule_book.as_delivered().changes, NOW)
        await tx.run("recall_put_off", now=NOW)

    assert await daemon.take(later) == []
    member = await member_of(daemon.database, 3)
    assert (member["state"], member["next_at"]) == ("pending", TAKEN + MINUTE + 24 * HOUR)


async def test_caps_count_the_calls_of_whoever_is_brought_in(daemon: Daemon) -> None:
    await given_calling(daemon)
    _, (caller,) = await phones(daemon)
    await reconcile(daemon, made(1, "+12025550009", caller))
    await given_released(daemon)
    later = await given_brought_in(daemon, callee_calls_per_week=1)

    daemon.clock.at += 48 * HOUR

    assert await daemon.take(later) == []
    daemon.clock.at += 6 * 24 * HOUR
    assert len(await daemon.take(later)) == 1


async def test_brought_in_and_reconciled_again_the_call_is_theirs_and_counts_once(
    daemon: Daemon,
) -> None:
    await given_calling(daemon)
    _, (caller,) = await phones(daemon)
    call = made(1, "+12025550009", caller)
    await reconcile(daemon, call)
    await given_brought_in(daemon)

    done = await reconcile(daemon, call)

    assert [each.sid for each in done.recorded] == [sid(1)]
    assert (await member_of(daemon.database, 3))["state"] == "called"
    assert await rows(daemon.database, "SELECT count(*) FROM found_calls") == [(0,)]
    await assert_sound(daemon.database)


async def nothing_to_wipe(_pattern: object) -> erasure.Wiped:
    return erasure.Wiped(compacted=True)


async def test_no_call_to_somebody_who_was_erased_is_kept(daemon: Daemon) -> None:
    await given_calling(daemon)
    (callee, other), (caller,) = await phones(daemon)
    await reconcile(daemon, made(1, "+12025550009", caller), made(2, other, "+12025558888"))
    for phone in (callee, other, "+12025550009"):
        await erasure.erase(daemon.database, daemon.clock, phone, KEY, nothing_to_wipe)
    assert await rows(daemon.database, "SELECT * FROM found_calls") == []

    done = await reconcile(daemon, made(3, callee, caller), made(4, "+12025550010", caller))

    assert len(done.strangers) == 2
    assert await rows(daemon.database, "SELECT phone FROM found_calls") == [("+12025550010",)]


async def test_a_change_of_the_rules_does_not_end_the_rest_of_a_shared_callee(
    daemon: Daemon,
) -> None:
    await given_calling(daemon, contacts=1)
    await given_calling(daemon, contacts=1, name="Other", number_ids=[1], start=False)
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE members SET contact_id = 1", [()])
    (callee, *_), (caller,) = await phones(daemon)
    await reconcile(daemon, made(1, callee, caller))

    async with daemon.database.write() as tx:
        await tx.run("recall_put_off", now=NOW)

    assert (await member_of(daemon.database, 2))["next_at"] == TAKEN + MINUTE + 24 * HOUR


async def test_a_call_of_one_of_two_campaigns_keeps_the_other_away_for_a_day(
    daemon: Daemon,
) -> None:
    await given_calling(daemon, contacts=1)
    await given_calling(daemon, contacts=1, name="Other", number_ids=[1], start=False)
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE members SET contact_id = 1", [()])
    (callee, *_), (caller,) = await phones(daemon)

    done = await reconcile(daemon, made(1, callee, caller))

    assert done.shared == 1
    assert (await member_of(daemon.database, 1))["state"] == "called"
    other = await member_of(daemon.database, 2)
    assert (other["state"], other["next_at"]) == ("pending", TAKEN + MINUTE + 24 * HOUR)


async def test_whoever_is_in_doubt_is_waited_for(daemon: Daemon) -> None:
    campaign = await given_calling(daemon, contacts=1)
    (claim,) = await daemon.take(campaign)
    calls = [made(1, claim.to, claim.from_)]
    held = await given_restored(daemon)
    reconciler = reconciler_of(daemon, Record(calls))

    async with asyncio.TaskGroup() as group:
        doing = group.create_task(reconciler.reconcile(held))
        await asyncio.sleep(0.05)
        assert not doing.done()
        # The reaper has found that this is the call of the attempt in doubt.
        await daemon.engine.calls.adopt(claim.attempt_id, sid(1))

    assert doing.result().recorded == []


# -- when, and by whom ----------------------------------------------------------------------------


async def test_the_carrier_is_asked_from_before_the_backup_and_once_its_list_is_complete(
    daemon: Daemon,
) -> None:
    await given_calling(daemon)
    record = Record(())
    held = await given_restored(daemon)
    reconciler = reconciler_of(daemon, record)

    await reconciler.reconcile(held)

    times = daemon.engine.times
    assert record.asked == [TAKEN - MARGIN_S * 1000]
    assert reconciler.begins_at(held) == held.at + round((times.ask_s + times.settled_s) * 1000)
    async with daemon.database.read() as tx:
        after = await hold.standing(tx)
    assert after is not None
    assert (after.reconciled_at, after.wants_reconciliation) == (NOW, False)


async def test_a_daemon_does_it_by_itself_and_leaves_the_release_to_a_person(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "LOOK_S", 0.001)
    monkeypatch.setattr(reconciling, "ASK_AGAIN_S", 0.001)
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)
    record = Record([made(1, callee, caller)], silent=2)
    await given_restored(daemon)

    async with running(reconciler_of(daemon, record).run):
        async with asyncio.timeout(30):
            while await rows(daemon.database, "SELECT reconciled_at FROM control") == [(None,)]:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.001)

    assert len(record.asked) == 3
    assert await rows(daemon.database, "SELECT held_at IS NULL FROM control") in (
        [(0,)],
        [(False,)],
    )
    done = "SELECT count(*) FROM audit_log WHERE action = 'db.reconciled'"
    assert await rows(daemon.database, done) == [(1,)]


async def test_it_wants_a_hold_and_a_time(daemon: Daemon) -> None:
    async with daemon.database.write() as tx:
        with pytest.raises(WrongStateError, match="nothing may be called"):
            await reconciling.want(tx, NOW, since_at=TAKEN)
        await hold.pull(tx, NOW)
        with pytest.raises(WrongStateError, match="say since when"):
            await reconciling.want(tx, NOW)
        with pytest.raises(WrongStateError, match="nothing is to be reconciled"):
            await reconciling.give_up(tx, NOW)
        held = await reconciling.want(tx, NOW, since_at=TAKEN)
    assert held.wants_reconciliation


# -- what changes meanwhile -----------------------------------------------------------------------


async def held_now(daemon: Daemon) -> hold.Hold | None:
    async with daemon.database.read() as tx:
        return await hold.standing(tx)


async def test_what_is_wanted_from_longer_ago_meanwhile_is_taken_in_as_well(
    daemon: Daemon,
) -> None:
    await given_calling(daemon)
    held = await given_restored(daemon)

    async def widen() -> None:
        async with daemon.database.write() as tx:
            await reconciling.want(tx, NOW, since_at=TAKEN - 10 * HOUR)

    record = Record([], meanwhile=widen)
    done = await reconciler_of(daemon, record).reconcile(held)

    assert [at + MARGIN_S * 1000 - TAKEN for at in record.asked] == [0, -10 * HOUR]
    assert done.since_at == record.asked[1]
    after = await held_now(daemon)
    assert after is not None
    assert (after.reconcile_since_at, after.wants_reconciliation) == (TAKEN - 10 * HOUR, False)
    done_entries = "SELECT count(*) FROM audit_log WHERE action = 'db.reconciled'"
    assert await rows(daemon.database, done_entries) == [(1,)]


async def test_whoever_gives_up_meanwhile_does_not_read_that_it_was_done(daemon: Daemon) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)
    held = await given_restored(daemon)

    async def skip() -> None:
        async with daemon.database.write() as tx:
            await reconciling.give_up(tx, NOW)

    with pytest.raises(WrongStateError, match="hold"):
        await reconciler_of(daemon, Record([made(1, callee, caller)], meanwhile=skip)).reconcile(
            held
        )

    after = await held_now(daemon)
    assert after is not None
    assert after.reason == "restored from copy.db; not reconciled, by choice"
    assert await rows(daemon.database, "SELECT count(*) FROM attempts") == [(0,)]


@pytest.mark.parametrize("again", [False, True])
async def test_a_hold_that_was_released_meanwhile_is_not_written_on(
    daemon: Daemon, again: bool
) -> None:
    await given_calling(daemon)
    (callee, _), (caller,) = await phones(daemon)
    held = await given_restored(daemon)

    async def release() -> None:
        async with daemon.database.write() as tx:
            await reconciling.give_up(tx, NOW)
            await hold.release(tx, NOW)
            if again:
                await hold.pull(tx, NOW, reason="lunch")

    for calls in ([], [made(1, callee, caller)]):
        record = Record(calls, meanwhile=release if not calls else None)
        with pytest.raises(WrongStateError, match="hold"):
            await reconciler_of(daemon, record).reconcile(held)

    after = await held_now(daemon)
    assert (after and after.reason) == ("lunch" if again else None)
    assert await rows(daemon.database, "SELECT count(*) FROM attempts") == [(0,)]


async def test_what_is_wanted_is_not_narrowed_by_the_way(daemon: Daemon) -> None:
    held = await given_restored(daemon)
    async with daemon.database.write() as tx:
        with pytest.raises(WrongStateError, match="longer ago"):
            await reconciling.want(tx, NOW, since_at=TAKEN + 1)
        assert await reconciling.want(tx, NOW) == held
        narrowed = await reconciling.want(tx, NOW, since_at=TAKEN + 1, narrow=True)
    assert narrowed.reconcile_since_at == TAKEN + 1


async def test_of_two_daemons_one_records_each_call(store: str, database: AnyDatabase) -> None:
    async with (
        opened(store, random.Random(2), busy_timeout_s=5) as other,
        daemon_on(store, database) as one,
        daemon_on(store, other) as two,
    ):
        await given_campaign(database, now=TAKEN, contacts=10)
        callees, (caller,) = await phones(one)
        held = await given_restored(one)
        calls = [made(number, callee, caller) for number, callee in enumerate(callees, 1)]

        async with asyncio.timeout(30):
            done = await asyncio.gather(
                reconciler_of(one, Record(calls)).reconcile(held),
                reconciler_of(two, Record(calls), series=99).reconcile(held),
                return_exceptions=True,
            )

        # Whoever is second to write down that it is done finds that it was.
        failures = [each for each in done if isinstance(each, BaseException)]
        assert [type(each) for each in failures] in ([], [WrongStateError])
        attempts = "SELECT count(*), count(DISTINCT sid) FROM attempts WHERE sid IS NOT NULL"
        assert await rows(database, attempts) == [(10, 10)]
        assert await rows(database, "SELECT count(*) FROM attempts") == [(10,)]
        members = "SELECT attempts, count(*) FROM members GROUP BY attempts"
        assert await rows(database, members) == [(1, 10)]
        await assert_sound(database)
