"""One run: the engine that dials, around a private database, in virtual time, to the end."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final, TypeAlias

from dialer.app import Engine, engine_from
from dialer.carrier_sim.chance import stream
from dialer.forecast.cards import Dealer, Deck
from dialer.forecast.carrier import ForecastCarrier
from dialer.forecast.problem import DAY_MS, MS, Problem, allowances
from dialer.forecast.profile import Callees
from dialer.forecast.scale import after_open_time, open_times
from dialer.forecast.tally import Tally, tally
from dialer.forecast.world import Keeper, furnish
from dialer.hours import Hours
from dialer.leases import Lease
from dialer.model import AttemptId, CampaignId, OnMachine
from dialer.ports import Clock, Database
from dialer.settings import Settings
from dialer.simulation.clock import SimClock
from dialer.simulation.loop import run as run_in_virtual_time
from dialer.simulation.loop import running
from dialer.states import CampaignStatus
from dialer.store.direct import MemoryDatabase

#: Told now and then how many calls a run has made.
Tell: TypeAlias = Callable[[int], None]

#: Longer than any run: for what there is nobody to look out for.
FOREVER_S: Final = 10 * 366 * 86_400.0
#: How often it is looked whether the campaign is over; its end is known to the millisecond.
LOOK_S: Final = 4 * 3600.0
#: A daemon looks so often for outcomes that have become final.
SETTLE_S: Final = 0.5


class CountedIds:
    """Attempt ids that sort by time, in the order of their making."""

    def __init__(self) -> None:
        self._count = 0

    def attempt(self, now: int) -> AttemptId:
        self._count += 1
        return AttemptId(f"{now:012x}{self._count:020x}")


def simulate(problem: Problem, tell: Tell) -> Tally:
    """Run *problem* to its end, or to its last day; equal problems give equal tallies."""
    return run_in_virtual_time(_simulate(problem, tell))


async def _simulate(problem: Problem, tell: Tell) -> Tally:
    clock = SimClock(running(), problem.at)
    hours = problem.hours
    shares = allowances(problem, _stream(problem, "caps").random())
    carrier = _carrier(problem, clock, hours)
    async with MemoryDatabase(problem.script) as database:
        lease = Lease(clock, database, name="forecast", lease_s=FOREVER_S, sole=True)
        await lease.acquire()
        async with database.write() as tx:
            campaign_id = await furnish(tx, problem, shares, lease.daemon_id)
        engine = _engine(problem, database, carrier, clock, lease)
        ended = asyncio.Event()
        work: list[Coroutine[Any, Any, None]] = [
            engine.batcher.run(),
            engine.dispatcher.run(),
            engine.launcher.run(),
            carrier.report(engine.calls.receive, ended),
            _settle_in_time(engine, ended),
        ]
        if problem.scale.factor > 1:
            keeper = Keeper(database, clock, hours, campaign_id, shares)
            work += [keeper.open_days(), keeper.carry_pace()]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            await _over(problem, database, campaign_id, lambda: tell(carrier.placed))
            for task in tasks:
                task.cancel()
        return await tally(database, problem, campaign_id, shares, carrier.busy_s)


def _stream(problem: Problem, purpose: str) -> Random:
    return stream(problem.seed, "forecast", problem.run, purpose)


def _carrier(problem: Problem, clock: Clock, hours: Hours) -> ForecastCarrier:
    """A carrier whose calls keep their lines for as long as the scale says."""
    longer = problem.scale.hold - 1

    def ends_at(total_s: float) -> int:
        over_at = clock.now() + round(total_s * MS)
        return after_open_time(hours, over_at, longer * total_s * MS)

    deck, rng = _deck(problem, hours), _stream(problem, "cards")
    dealer = Dealer(deck, rng, evenly=problem.scale.factor > 1)
    calls_before = {member.phone: member.attempts for member in problem.members}
    leaves_message = problem.campaign.on_machine is OnMachine.LEAVE_MESSAGE
    return ForecastCarrier(clock, dealer, calls_before, ends_at, leaves_message=leaves_message)


def _deck(problem: Problem, hours: Hours) -> Deck:
    """This run's own cards: how calls really go is known only so well."""
    rng, factor = _stream(problem, "deck"), problem.scale.factor
    calls = math.inf if factor == 1 else problem.expected_calls * factor
    if isinstance(problem.cards, Deck):
        return problem.cards.resampled(rng, calls)
    times = open_times(hours, problem.at, problem.busy_ms, rng)
    callees = Callees(problem.cards, problem.setup, problem.agent, times, rng)
    return callees.deck(problem.members, calls)


def _engine(
    problem: Problem,
    database: MemoryDatabase,
    carrier: ForecastCarrier,
    clock: Clock,
    lease: Lease,
) -> Engine:
    """The engine of a daemon that is alone: nobody gives commands, no news is lost."""
    quiet: dict[str, Any] = {
        "calls_per_second": 0.0,  # in the call interval, which knows the scale
        "max_concurrent": 0,  # likewise
        "control_poll_s": FOREVER_S,
        "explain_s": FOREVER_S,
    }
    return engine_from(
        Settings.model_construct(None, **quiet),
        database,
        carrier,
        clock=clock,
        rng=_stream(problem, "engine"),
        ids=CountedIds(),
        lease=lease,
        fallback_s=FOREVER_S,
    )


async def _settle_in_time(engine: Engine, ended: asyncio.Event) -> None:
    """Settle outcomes when they become final, which is all that a sweep would find to do here.

    The timeout is the same for all, so that no call which has *ended* later is due earlier.
    """
    while True:
        ended.clear()
        async with engine.database.read() as tx:
            due_at = await tx.value("next_outcome_due")
        if due_at is None:
            await ended.wait()
            continue
        await asyncio.sleep(max((due_at - engine.clock.now()) / MS, SETTLE_S))
        await engine.reaper.settle()


async def _over(
    problem: Problem, database: Database, campaign_id: CampaignId, look: Callable[[], None]
) -> None:
    """Wait until the campaign is completed, or its days are over."""
    left_s = problem.days * DAY_MS / MS
    while left_s > 0:
        await asyncio.sleep(min(LOOK_S, left_s))
        left_s -= LOOK_S
        look()
        async with database.read() as tx:
            row = await tx.row("forecast_campaign_end", campaign_id=campaign_id)
        if row is not None and row["status"] == CampaignStatus.COMPLETED:
            return
