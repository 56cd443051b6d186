"""The engine as tests drive it: a clock that stands still, names in order, a scripted carrier."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from dialer.app import Engine, engine_from
from dialer.attempts import Attempts
from dialer.batching import Batcher
from dialer.claims import ClaimRequest, ClaimResult, Claims
from dialer.errors import DialerError
from dialer.holiday_calendars import public_holidays
from dialer.leases import Lease
from dialer.limits import AccountLimits
from dialer.meters import NO_METERS, Meters
from dialer.model import (
    AttemptId,
    CallEvent,
    CallFacts,
    CallSid,
    CampaignId,
    CarrierStatus,
    Claim,
    DaemonId,
    EventSource,
    WaitReason,
)
from dialer.permission import ClaimTimes
from dialer.plans import Plans
from dialer.ports import (
    Accepted,
    CarrierCall,
    Clock,
    Database,
    Order,
    OwnedNumber,
    Placement,
    PreDialCheck,
    Row,
)
from dialer.settings import Settings
from dialer.store.checks import check
from tests.support.given import read

#: Monday 2026-01-05 15:00 UTC.
NOW: Final = 1_767_625_200_000
MS: Final = 1000
SECOND: Final = MS
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

#: Calls that start at once, any number of them.
UNLIMITED: Final = AccountLimits(calls_per_second=0, max_concurrent=0)
TIMES: Final = ClaimTimes(look_ahead_s=0.1, patience_s=3, accept_bound_s=30, answer_s=40)


class SetClock:
    """Shows the time it was last set to."""

    def __init__(self, at: int = NOW) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += round(seconds * MS)


class CountedIds:
    """Attempt ids in order; give each daemon a *series* of its own."""

    def __init__(self, series: int = 0) -> None:
        self._series = series
        self._count = 0

    def attempt(self, now: int) -> AttemptId:
        self._count += 1
        return AttemptId(f"{now:012x}{self._series:04x}{self._count:016x}")


class NoChance:
    """Always the least: no jitter."""

    def random(self) -> float:
        return 0.0


class ScriptedCarrier:
    """Takes down what it is asked and answers as told; accepts orders it was told nothing about."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.placements: list[Placement] = []  # for the next orders, in turn
        self.while_placing: Callable[[Order], Awaitable[None]] | None = None
        self.known: dict[CallSid, CarrierCall] = {}
        self.listed: list[CarrierCall] = []
        self.hung_up: list[CallSid] = []
        self.cancelled: list[CallSid] = []
        self.redirected: list[tuple[CallSid, str]] = []
        self.fetched: list[CallSid] = []
        self.searched: list[tuple[str, str, int]] = []
        self.trouble: DialerError | None = None

    async def place(self, order: Order) -> Placement:
        self.orders.append(order)
        if self.while_placing is not None:
            await self.while_placing(order)
        if self.placements:
            return self.placements.pop(0)
        return Accepted(sid(len(self.orders)))

    async def hang_up(self, sid: CallSid) -> None:
        self._ask()
        self.hung_up.append(sid)

    async def cancel(self, sid: CallSid) -> None:
        self._ask()
        self.cancelled.append(sid)

    async def redirect(self, sid: CallSid, url: str) -> bool:
        self._ask()
        self.redirected.append((sid, url))
        return True

    async def fetch(self, sid: CallSid) -> CarrierCall | None:
        self._ask()
        self.fetched.append(sid)
        return self.known.get(sid)

    async def find(self, to: str, from_: str, since_at: int) -> Sequence[CarrierCall]:
        self._ask()
        self.searched.append((to, from_, since_at))
        between = (c for c in self.listed if (c.to, c.from_) == (to, from_))
        return sorted(
            (call for call in between if call.created_at >= since_at), key=lambda c: c.created_at
        )

    async def owned_numbers(self) -> Sequence[OwnedNumber]:
        return []

    async def check(self) -> None:
        self._ask()

    def _ask(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def sid(number: int) -> CallSid:
    """The carrier's name for its call of that number."""
    return CallSid(f"CA{number:032x}")


def call_between(
    order: Claim, number: int, *, created_at: int, facts: CallFacts | None = None
) -> CarrierCall:
    """A call of the carrier's that an order may have become."""
    named = CallFacts(sid=sid(number), status=CarrierStatus.RINGING) if facts is None else facts
    return CarrierCall(sid(number), order.to, order.from_, created_at, named)


def status(
    claim: Claim | AttemptId,
    said: CarrierStatus,
    at: int,
    *,
    call: CallSid | None = None,
    source: EventSource = EventSource.STATUS,
    **facts: Any,
) -> CallEvent:
    """News of the call of a claim, which is call 1 unless told otherwise."""
    attempt_id = claim.attempt_id if isinstance(claim, Claim) else claim
    return CallEvent(attempt_id, call or sid(1), source, at, said, **facts)


def verdict(
    claim: Claim | AttemptId, word: str, at: int, *, call: CallSid | None = None
) -> CallEvent:
    """The carrier's word for who answered, in a callback of its own."""
    attempt_id = claim.attempt_id if isinstance(claim, Claim) else claim
    return CallEvent(attempt_id, call or sid(1), EventSource.AMD, at, answered_by=word)


@asynccontextmanager
async def running(*loops: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run *loops* beside the block; what the block raises leaves as it is."""
    trouble: BaseException | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop()) for loop in loops]
        try:
            yield
        except BaseException as error:
            if any(task.done() for task in tasks):
                raise
            trouble = error
        finally:
            for task in tasks:
                task.cancel()
    if trouble is not None:
        raise trouble


async def until(true: Callable[[], bool]) -> None:
    """Let the loops run until something is true; fails after five seconds."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110  the loops tell nobody how far they are
            await asyncio.sleep(0)


async def given_daemon(
    database: Database, *, now: int = NOW, lease_s: float = 3600, name: str = "test"
) -> DaemonId:
    """A daemon that is alive."""
    async with database.write() as tx:
        lease_until = now + round(lease_s * MS)
        return DaemonId(await tx.value("add_daemon", name=name, now=now, lease_until=lease_until))


@dataclass
class Claimer:
    """One daemon that takes members and does nothing else."""

    database: Database
    clock: Clock
    owner: DaemonId
    claims: Claims
    plans: Plans = field(default_factory=lambda: Plans(public_holidays))

    async def claim(self, *campaigns: CampaignId, limit: int = 200) -> list[ClaimResult]:
        """Ask for *limit* members of each campaign in one transaction."""
        async with self.database.write() as tx:
            requests = [ClaimRequest(await self.plans.of(tx, each), limit) for each in campaigns]
            return await self.claims.claim(tx, requests)

    async def take(self, campaign: CampaignId, limit: int = 200) -> list[Claim]:
        """The members that a campaign may call now."""
        (result,) = await self.claim(campaign, limit=limit)
        return [*result.claims]

    async def why_not(self, campaign: CampaignId, limit: int = 200) -> WaitReason:
        """The reason why a campaign may call nobody now."""
        (result,) = await self.claim(campaign, limit=limit)
        assert not result.claims, f"{len(result.claims)} members were taken"
        assert result.wait is not None
        return result.wait.reason


async def given_claimer(
    database: Database,
    clock: Clock,
    *,
    series: int = 0,
    account: AccountLimits = UNLIMITED,
    times: ClaimTimes = TIMES,
) -> Claimer:
    """A daemon's claims, with ids of a *series* of its own."""
    owner = await given_daemon(database, now=clock.now())
    attempts = Attempts(sole=False)
    claims = Claims(clock, CountedIds(series), owner, attempts, account, times)
    return Claimer(database, clock, owner, claims)


@dataclass
class Daemon:
    """A whole engine around a scripted carrier; its batcher is running."""

    engine: Engine
    clock: SetClock
    carrier: ScriptedCarrier
    claimer: Claimer

    @property
    def database(self) -> Database:
        return self.engine.database

    @property
    def batcher(self) -> Batcher:
        return self.engine.batcher

    async def take(self, campaign: CampaignId, limit: int = 200) -> list[Claim]:
        """The members that a campaign may call now, taken as the dispatcher does."""
        async with self.database.read() as tx:
            plan = await self.claimer.plans.of(tx, campaign)
        claims = self.claimer.claims.claim
        (result,) = await self.batcher.apply(claims, [ClaimRequest(plan, limit)])
        return [*result.claims]

    async def settle(self) -> int:
        """Decide about members whose completion timeout has passed."""
        return await self.engine.calls.settle()


@asynccontextmanager
async def daemon_on(
    store: str,
    database: Any,
    *,
    clock: SetClock | None = None,
    carrier: ScriptedCarrier | None = None,
    series: int = 0,
    check: PreDialCheck | None = None,
    meters: Meters = NO_METERS,
    fingerprint: Callable[[str], str] | None = None,
    **changes: Any,
) -> AsyncIterator[Daemon]:
    """A daemon on an open *database* whose name is *store*; *changes* are settings.

    With a *check* it is asked before every call, whatever the settings name.
    """
    if check is not None:
        changes = {"pre_dial_check": "entry:the test's own"} | changes
    clock, carrier = clock or SetClock(), carrier or ScriptedCarrier()
    settings = settings_for(store, **changes)
    lease = Lease(
        clock, database, name="test", lease_s=settings.lease_s, sole=not settings.is_postgres
    )
    await lease.acquire()
    engine = engine_from(
        settings,
        database,
        carrier,
        clock=clock,
        rng=NoChance(),
        ids=CountedIds(series or lease.daemon_id),
        lease=lease,
        check=check,
        meters=meters,
        fingerprint=fingerprint,
    )
    claimer = Claimer(database, clock, lease.daemon_id, engine.dispatcher._claims)
    # Not in a group: a fixture enters and leaves this block in tasks of its own.
    writer = asyncio.get_running_loop().create_task(engine.batcher.run())
    try:
        yield Daemon(engine, clock, carrier, claimer)
    finally:
        writer.cancel()
        with suppress(asyncio.CancelledError):
            await writer


def settings_for(store: str, **changes: Any) -> Settings:
    """Settings that no environment has a say in."""
    given: dict[str, Any] = {"calls_per_second": 0, "lease_s": 3600} | changes
    return Settings(database=store, public_url="https://dialer.example.com", **given)


# -- what is in the store ------------------------------------------------------------------------


async def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query of the test's own."""
    async with database.read() as tx:
        return await read(tx, query)


async def attempt_of(database: Database, claim: Claim | AttemptId) -> Row:
    """The row of an attempt."""
    attempt_id = claim.attempt_id if isinstance(claim, Claim) else claim
    names = (
        "state, sid, status, ringing_at, answered_at, ended_at, duration_s, sip_code, error_code,"
        " answered_by, outcome, detail, closed_at, check_at, checks, owner, taken_over_at,"
        " intent_at, number_id"
    )
    query = f"SELECT {names} FROM attempts WHERE id = '{attempt_id}'"
    (found,) = await rows(database, query)
    return dict(zip(re.split(r",\s*", names), found, strict=True))


async def member_of(database: Database, member_id: int = 1) -> Row:
    """The row of a member."""
    names = "state, next_at, attempts, rejections, not_placed, reason, last_outcome, attempt_id"
    (found,) = await rows(database, f"SELECT {names} FROM members WHERE id = {member_id}")
    return dict(zip(names.split(", "), found, strict=True))


async def assert_sound(database: Database) -> None:
    """Nothing in the store contradicts anything else."""
    assert [f"{r.name}: {r.examples}" for r in await check(database) if not r.ok] == []
