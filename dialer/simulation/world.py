"""One run: a carrier, daemons, an operator and their misfortunes, from a scenario to an outcome.

Two phases. In the storm everything in the scenario may go wrong. Then the weather clears up, the
operator resumes what was paused, and from there on everything has to come to its end by itself.
"""

import asyncio
import gc
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydantic import SecretStr

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.exchange import Exchange, Setup
from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from dialer.carrier_sim.profiles import profile_named
from dialer.carrier_sim.truth import Event, Facts, TruthList
from dialer.settings import Settings
from dialer.simulation.carrier import PLACE
from dialer.simulation.clock import SimClock
from dialer.simulation.daemons import DaemonSite, Surroundings
from dialer.simulation.disk import Disk
from dialer.simulation.effects import Effects, KillPlan, kill_at_random
from dialer.simulation.journal import Journal
from dialer.simulation.loop import VirtualLoop, running
from dialer.simulation.loop import run as run_in_virtual_time
from dialer.simulation.operator import Operator
from dialer.simulation.outcome import Outcome
from dialer.simulation.processes import Machine, current
from dialer.simulation.scenario import Act, Deed, Scenario
from dialer.simulation.trunk import Trunk
from dialer.simulation.weather import DiskFault, Stall, Weather
from dialer.simulation.webhooks import Doors
from dialer.store import migrate
from dialer.store.inline import Fault, inline
from dialer.store.sqlite import SqliteDatabase
from dialer.timezones import pin_zone_data

PUBLIC_URL: Final = "https://dialer.example.com"
#: How often it is looked whether everything is over, in seconds.
LOOK_S: Final = 20.0
#: A daemon that was told to end may take so much longer than its drain.
END_GRACE_S: Final = 60.0

_DISK_FAULTS: Final = {
    DiskFault.BUSY: Fault.BUSY,
    DiskFault.FULL: Fault.FULL,
    DiskFault.IO_ERROR: Fault.IOERR,
}


def run(scenario: Scenario, folder: Path, kill_plan: KillPlan | None = None) -> Outcome:
    """Run *scenario* in an empty *folder*, which then holds the database.

    Daemons die at the effects the scenario draws, or else where *kill_plan* says.
    """
    pin_zone_data()
    database = folder / "dialer.db"
    database.write_bytes(_empty_database())
    journal = Journal(folder)
    with _garbage_set_aside(journal), journal.listening():
        return run_in_virtual_time(_run(scenario, database, journal, kill_plan))


async def _run(
    scenario: Scenario, database: Path, journal: Journal, kill_plan: KillPlan | None
) -> Outcome:
    return await World(scenario, database, running(), journal, kill_plan).run()


@contextmanager
def _garbage_set_aside(journal: Journal) -> Iterator[None]:
    """Collect what a run leaves behind when it is over, and nothing in its course.

    The dead are garbage, and Python unwinds what it collects: in the middle of another life, or of
    another run. What they say then is of no interest.
    """
    enabled, hook = gc.isenabled(), sys.unraisablehook
    gc.disable()
    gc.freeze()  # so that collecting looks at what the run has made only
    sys.unraisablehook = lambda said: None if journal.sealed else hook(said)
    try:
        yield
        with warnings.catch_warnings(action="ignore"):
            gc.collect()
    finally:
        sys.unraisablehook = hook
        gc.unfreeze()
        if enabled:
            gc.enable()


class _NotedTruth(TruthList):
    """The carrier's own record, in the journal as well."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def record(self, event: Event, at: int, facts: Facts) -> None:
        super().record(event, at, facts)
        self._journal.note(f"carrier.{event}", **facts)


class World:
    """What no process can take with it when it dies."""

    def __init__(
        self,
        scenario: Scenario,
        database: Path,
        loop: VirtualLoop,
        journal: Journal,
        kill_plan: KillPlan | None,
    ) -> None:
        seed = scenario.seed
        self.journal = journal
        self._scenario = scenario
        self._loop = loop
        self._stormy = True
        self._weather = Weather(seed, scenario.rates)
        self._machine = Machine(loop)
        self._drawn_plan = kill_plan or kill_at_random(
            stream(seed, "kills"), kills=scenario.kills, apart=scenario.effects_between_kills
        )
        self._effects = Effects(self._machine, self._dies_at)
        self._disk = Disk(self._effects, self._disk_fault)
        self._truth = _NotedTruth(self.journal)
        self._settings = settings_of(scenario)
        self._database = database
        self._sites: list[DaemonSite] = []
        self._clock = SimClock(loop, scenario.start_at)
        self._exchange = self._make_exchange()

    async def run(self) -> Outcome:
        """From the first order to the last word."""
        store = SqliteDatabase(
            self._database,
            stream(self._scenario.seed, "operator"),
            busy_timeout_s=self._settings.busy_timeout_s,
            connect=inline(self._disk),
        )
        async with store, self._exchange:
            operator = Operator(self._scenario, store, self._clock, self.journal)
            await operator.set_up()
            self._open_sites()
            await self._storm(operator)
            unfinished = [*await self._calm(operator), *await self._shut_down()]
        self.journal.seal()
        return self._outcome(operator, unfinished)

    async def _storm(self, operator: Operator) -> None:
        for site in self._sites:
            site.start()
        for act in self._scenario.acts:
            self._machine.later(act.at_s, self._act, act, operator)
        await asyncio.sleep(self._scenario.storm_s)
        self._stormy = False
        self._weather.clear_up()
        for site in self._sites:
            site.thaw()
        self.journal.note("storm.over")

    async def _calm(self, operator: Operator) -> list[str]:
        """Wait for the end of everything; returns what has not come to one."""
        await operator.clear_up()
        deadline = self._loop.time() + self._scenario.calm_s
        while left := await self._unfinished(operator):
            if self._loop.time() > deadline:
                return left
            await operator.resume_all()
            await asyncio.sleep(LOOK_S)
        return []

    async def _unfinished(self, operator: Operator) -> list[str]:
        live = self._exchange.counts()["live"]
        return [*await operator.unfinished(), *([f"{live} calls go on"] if live else ())]

    async def _shut_down(self) -> Sequence[str]:
        """Tell the daemons to end; returns those that did not."""
        for site in self._sites:
            site.thaw()
            site.stop(for_good=True)
        limit_s = self._settings.drain_timeout_s + END_GRACE_S
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                for site in self._sites:
                    await site.over.wait()
        return [f"daemon {site.name} does not end" for site in self._sites if site.running]

    def _act(self, act: Act, operator: Operator) -> None:
        self.journal.note("act", deed=act.deed, on=act.on, amount=act.amount)
        match act.deed:
            case Deed.STOP:
                self._sites[act.on].stop()
            case Deed.KILL:
                self._sites[act.on].kill()
            case Deed.FREEZE:
                self._sites[act.on].freeze(act.amount)
            case Deed.JUMP:
                self._sites[act.on].clock.skew_s = act.amount
            case _:
                self._machine.start(operator.do(act))

    def _dies_at(self, effect: int) -> bool:
        return self._stormy and self._drawn_plan(effect)

    def _disk_fault(self, statement: str) -> Fault | None:
        """A statement of a daemon's may fail, or be the last for a while; the operator's never."""
        if current() is None:
            return None
        if self._weather.strikes(Stall.AT_A_STATEMENT):
            self._stall(Stall.AT_A_STATEMENT)
        for kind, fault in _DISK_FAULTS.items():
            if self._weather.strikes(kind):
                self.journal.note("disk.fault", kind=kind.value, at=statement[:40])
                return fault
        return None

    async def _last_act(self, what: str) -> None:
        """Where a daemon may die, or fall asleep, between its last look and the socket."""
        await self._effects.survive(what)
        if what == PLACE and self._weather.strikes(Stall.AT_THE_DOOR):
            self._stall(Stall.AT_THE_DOOR)
            await asyncio.sleep(0)

    def _stall(self, kind: Stall) -> None:
        seconds = self._weather.between(kind, 1.0, self._scenario.longest_stall_s)
        process = current()
        assert process is not None, "the world never stalls"
        self.journal.note(kind.value, seconds=seconds)
        self._machine.pause(process)
        self._machine.later(seconds, self._machine.resume, process)

    # -- made once -------------------------------------------------------------------------------

    def _make_exchange(self) -> Exchange:
        scenario = self._scenario
        doors = Doors(
            self._machine, self._sites, DEMO_AUTH_TOKEN, stream(scenario.seed, "internet")
        )
        setup = Setup(
            account_sid=DEMO_ACCOUNT_SID,
            seed=scenario.seed,
            profile=profile_named(scenario.profile),
            faults=Faults(self._weather.carrier_rates, scenario.list_lag_s),
            cps=scenario.carrier_cps,
        )
        return Exchange(setup, now=self._clock.now, poster=doors, truth_log=self._truth)

    def _open_sites(self) -> None:
        scenario = self._scenario
        trunk = Trunk(
            self._exchange,
            self._weather,
            accept_bound_s=self._settings.accept_bound_s,
            outside=lambda do, *args: self._machine.later(0, do, *args),
        )
        around = Surroundings(
            seed=scenario.seed,
            machine=self._machine,
            disk=self._disk,
            trunk=trunk,
            last_act=self._last_act,
            journal=self.journal,
            database=self._database,
            settings=self._settings,
            sole=scenario.daemons == 1,
        )
        for index in range(scenario.daemons):
            clock = SimClock(self._loop, scenario.start_at)
            self._sites.append(DaemonSite(f"daemon{index}", around, clock))

    def _outcome(self, operator: Operator, unfinished: Sequence[str]) -> Outcome:
        struck = Counter(self._weather.struck)
        struck.update({str(kind): n for kind, n in self._exchange.dice.struck.items()})
        return Outcome(
            scenario=self._scenario,
            database=self._database,
            truth=self._truth.events,
            operator_log=operator.log,
            journal=self.journal,
            digest=self.journal.digest,
            effects=self._effects.count,
            kills=self._effects.kills,
            struck=+struck,
            seen=Counter(entry.what for entry in self.journal.entries),
            took_s=self._loop.time(),
            unfinished=unfinished,
        )


def settings_of(scenario: Scenario) -> Settings:
    """The deployment's settings, in which no environment has a say."""
    given: dict[str, Any] = {
        "public_url": PUBLIC_URL,
        "twilio_account_sid": DEMO_ACCOUNT_SID,
        "twilio_auth_token": SecretStr(DEMO_AUTH_TOKEN),
    }
    return Settings.model_construct(None, **given, **scenario.settings)


@lru_cache(maxsize=1)
def _empty_database() -> bytes:
    """A file with the schema and nothing else."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "empty.db")
        migrate.upgrade_blocking(str(path))
        return path.read_bytes()
