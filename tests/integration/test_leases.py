"""Who is alive, and what becomes of the attempts of a daemon that is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialer.errors import StoreBusyError, WrongStateError
from dialer.leases import MARGIN_S, Lease
from dialer.model import CarrierStatus, Claim
from dialer.ports import Database
from dialer.store.opening import AnyDatabase
from tests.support import virtual
from tests.support.engine import (
    MINUTE,
    NOW,
    SECOND,
    Claimer,
    Daemon,
    SetClock,
    assert_sound,
    attempt_of,
    daemon_on,
    given_claimer,
    member_of,
    rows,
    sid,
    status,
)
from tests.support.given import given_campaign, write

#: When a request in doubt is looked for, in seconds.
FIRST_LOOK_S = 40


async def given_lease(
    database: Database, clock: SetClock, *, name: str = "one", sole: bool = False
) -> Lease:
    lease = Lease(clock, database, name=name, lease_s=10, sole=sole)
    await lease.acquire()
    return lease


async def given_claims(
    database: Database, clock: SetClock, lease: Lease, count: int = 3
) -> list[Claim]:
    """Claims of the daemon that holds *lease*."""
    campaign = await given_campaign(
        database, now=NOW, contacts=count, call_interval_s=0, max_concurrent=100
    )
    claimer: Claimer = await given_claimer(database, clock)
    claims = await claimer.take(campaign)
    async with database.write() as tx:
        await write(tx, "UPDATE attempts SET owner = ?1", [(lease.daemon_id,)])
    return claims


async def change_attempt(database: Database, claim: Claim, **columns: Any) -> None:
    async with database.write() as tx:
        for column, value in columns.items():
            statement = f"UPDATE attempts SET {column} = ?1 WHERE id = ?2"
            await write(tx, statement, [(value, claim.attempt_id)])


# -- a lease -------------------------------------------------------------------------------------


async def test_a_lease_is_good_until_shortly_before_it_ends(database: AnyDatabase) -> None:
    clock = SetClock()
    lease = await given_lease(database, clock)

    assert lease.until_at == NOW + 10 * SECOND - int(MARGIN_S * SECOND)
    clock.at = lease.until_at - 1
    assert lease.valid()
    clock.at += 1
    assert not lease.valid()


async def test_renewing_a_lease_extends_it_for_everybody_to_see(database: AnyDatabase) -> None:
    clock = SetClock()
    lease = await given_lease(database, clock)
    other = await given_lease(database, clock, name="other")

    clock.pass_s(9)
    await lease.renew()
    clock.pass_s(9)

    assert lease.valid() is False  # by its margin alone: it can still be renewed
    await lease.renew()
    assert lease.valid()
    async with database.read() as tx:
        alive = [row["name"] for row in await tx.rows("live_daemons", now=clock.now())]
    assert alive == ["one"]
    with pytest.raises(WrongStateError, match="lost its lease"):
        await other.renew()


async def test_a_lease_that_ended_is_lost_for_good(database: AnyDatabase) -> None:
    clock = SetClock()
    lease = await given_lease(database, clock)

    clock.pass_s(10.001)

    for _ in range(2):
        with pytest.raises(WrongStateError, match="lost its lease"):
            await lease.renew()
    assert not lease.valid()


async def test_a_sole_daemon_goes_on_after_its_machine_was_asleep(database: AnyDatabase) -> None:
    clock = SetClock()
    lease = await given_lease(database, clock, sole=True)

    clock.pass_s(8 * 3600)
    assert not lease.valid()  # nothing leaves before the renewal

    await lease.renew()
    assert lease.valid()


async def test_a_sole_daemon_ends_all_that_were_before_it(database: AnyDatabase) -> None:
    clock = SetClock()
    before = await given_lease(database, clock, name="before")

    after = await given_lease(database, clock, name="after", sole=True)

    await after.renew()
    with pytest.raises(WrongStateError):
        await before.renew()


async def test_a_released_lease_is_over(database: AnyDatabase) -> None:
    clock = SetClock()
    lease = await given_lease(database, clock)

    await lease.release()

    with pytest.raises(WrongStateError):
        await lease.renew()


class Refusing:
    """A database that refuses so many writes and then takes them."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.asked = 0

    @asynccontextmanager
    async def write(self, actor: str | None = None) -> AsyncIterator[Any]:
        self.asked += 1
        if self.asked > 1 and self.refusals:
            self.refusals -= 1
            raise StoreBusyError("locked by a backup")
        yield self

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        yield self

    snapshot = read

    async def value(self, query: str, **params: Any) -> int:
        return 1

    async def run(self, query: str, **params: Any) -> int:
        return 1


class LoopClock:
    def now(self) -> int:
        return virtual.now()


def test_a_renewal_that_fails_is_repeated_while_the_lease_lasts() -> None:
    database = Refusing(2)

    async def main() -> Lease:
        lease = Lease(LoopClock(), database, name="one", lease_s=16, sole=False)
        await lease.acquire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await lease.run()
        assert lease.valid()
        return lease

    with capture_logs() as logs:
        lease = virtual.run(main())

    assert [entry["event"] for entry in logs] == ["lease.renewal_failed"]  # and said once
    assert lease.trouble is None  # any more
    assert database.asked == 1 + 14  # every four seconds


def test_without_a_lease_nothing_is_sent_and_the_daemon_lives_on() -> None:
    async def main() -> Lease:
        lease = Lease(LoopClock(), Refusing(99), name="one", lease_s=16, sole=False)
        await lease.acquire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await lease.run()
        assert not lease.valid()
        return lease

    with capture_logs() as logs:
        lease = virtual.run(main())

    assert {entry["event"] for entry in logs} == {"lease.renewal_failed"}
    assert lease.trouble == "locked by a backup"


# -- taking over ---------------------------------------------------------------------------------


async def test_the_attempts_of_a_daemon_whose_lease_expired_are_taken_over(
    database: AnyDatabase,
) -> None:
    clock = SetClock()
    gone = await given_lease(database, clock)
    intent, placed, doubted, over = await given_claims(database, clock, gone, 4)
    await change_attempt(database, placed, state="placed", sid=sid(1), check_at=NOW + 90_000)
    await change_attempt(database, doubted, state="unknown")
    await change_attempt(database, over, state="released", closed_at=NOW)
    heir = await given_lease(database, clock, name="heir")

    clock.pass_s(10)
    still_alive = await heir.take_over(FIRST_LOOK_S)
    await heir.renew()
    clock.at += 1
    with capture_logs() as logs:
        adopted = await heir.take_over(FIRST_LOOK_S)

    assert (still_alive, adopted) == (0, 3)
    assert [entry["event"] for entry in logs] == ["attempts.adopted"]
    for claim, state, check_at in (
        (intent, "unknown", NOW + FIRST_LOOK_S * SECOND),  # looked for, never placed again
        (doubted, "unknown", NOW + FIRST_LOOK_S * SECOND),
        (placed, "placed", clock.now()),  # looked up at once
    ):
        attempt = await attempt_of(database, claim)
        assert (attempt["state"], attempt["check_at"]) == (state, check_at)
        assert (attempt["owner"], attempt["taken_over_at"]) == (heir.daemon_id, clock.now())
    left = await attempt_of(database, over)
    assert (left["owner"], left["taken_over_at"]) == (gone.daemon_id, None)
    assert await heir.take_over(FIRST_LOOK_S) == 0


async def test_what_a_daemon_left_behind_at_its_end_needs_no_rest(database: AnyDatabase) -> None:
    clock = SetClock()
    gone = await given_lease(database, clock)
    (claim,) = await given_claims(database, clock, gone, 1)
    await gone.release()
    heir = await given_lease(database, clock, name="heir")

    adopted = await heir.take_over(FIRST_LOOK_S)

    attempt = await attempt_of(database, claim)
    assert adopted == 1
    assert (attempt["state"], attempt["taken_over_at"]) == ("unknown", None)
    assert attempt["owner"] == heir.daemon_id


async def test_a_sole_daemon_takes_over_whatever_it_finds(database: AnyDatabase) -> None:
    clock = SetClock()
    killed = await given_lease(database, clock)
    claims = await given_claims(database, clock, killed)
    heir = await given_lease(database, clock, name="heir", sole=True)  # its lease still runs

    adopted = await heir.take_over(FIRST_LOOK_S)

    assert adopted == len(claims)
    assert await rows(database, "SELECT DISTINCT state, owner, taken_over_at FROM attempts") == [
        ("unknown", heir.daemon_id, None)
    ]


async def test_nobody_takes_over_what_is_their_own_or_of_somebody_alive(
    database: AnyDatabase,
) -> None:
    clock = SetClock()
    lease = await given_lease(database, clock)
    await given_claims(database, clock, lease)
    other = await given_lease(database, clock, name="other")

    clock.pass_s(9)
    await lease.renew()
    clock.pass_s(9)

    assert await other.take_over(FIRST_LOOK_S) == 0
    clock.pass_s(9)
    assert await lease.take_over(FIRST_LOOK_S) == 0


async def test_two_heirs_share_nothing(database: AnyDatabase) -> None:
    clock = SetClock()
    gone = await given_lease(database, clock)
    claims = await given_claims(database, clock, gone, 9)
    clock.pass_s(11)
    heirs = [await given_lease(database, clock, name=name) for name in ("a", "b")]

    adopted = await asyncio.gather(*(heir.take_over(FIRST_LOOK_S) for heir in heirs))

    assert sum(adopted) == len(claims)


# -- afterwards ----------------------------------------------------------------------------------


@pytest.fixture
async def heir(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    """A daemon that writes."""
    async with daemon_on(store, database) as daemon:
        yield daemon


async def given_inheritance(heir: Daemon, *, sole: bool = False) -> Claim:
    """A claim of a daemon that was believed dead, in the hands of *heir*."""
    gone = await given_lease(heir.database, heir.clock)
    (claim,) = await given_claims(heir.database, heir.clock, gone, 1)
    heir.clock.pass_s(11)
    heir.engine.lease._until_at = 2 * NOW  # renewed all the time
    assert await heir.engine.lease.take_over(FIRST_LOOK_S) == 1
    return claim


async def test_an_intent_that_was_taken_over_is_never_placed_again(heir: Daemon) -> None:
    claim = await given_inheritance(heir)
    claims, took = heir.engine.launcher, []

    async with asyncio.TaskGroup() as group:
        run = group.create_task(claims.run())
        for _ in range(20):
            heir.clock.pass_s(60)
            took += await heir.take(claim.campaign_id)
            await heir.engine.reaper.sweep()
            if (await attempt_of(heir.database, claim))["closed_at"]:
                break
        run.cancel()

    assert took == []
    assert heir.carrier.orders == []
    assert (await attempt_of(heir.database, claim))["state"] == "not_placed"
    member = await member_of(heir.database)
    assert (member["state"], member["attempts"]) == ("retry", 0)
    assert member["next_at"] >= claim.intent_at + 15 * MINUTE  # the quarantine
    await assert_sound(heir.database)


async def test_the_answer_to_a_daemon_believed_dead_is_heard_still(heir: Daemon) -> None:
    claim = await given_inheritance(heir)

    await heir.engine.calls.receive(status(claim, CarrierStatus.RINGING, heir.clock.now()))

    attempt = await attempt_of(heir.database, claim)
    assert (attempt["state"], attempt["sid"]) == ("placed", sid(1))
    assert attempt["owner"] == heir.engine.lease.daemon_id
