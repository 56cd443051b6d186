"""One run: a carrier, daemons, an operator and their misfortunes, from a scenario to an outcome.

Two phases. In the storm everything in the scenario may go wrong. Then the weather clears up, the
operator resumes what was paused, and from there on everything has to come to its end by itself.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from dialer.settings import Settings
from dialer.simulation.clock import SimClock
from dialer.simulation.commits import Write
from dialer.simulation.daemons import DaemonSite, Surroundings
from dialer.simulation.effects import KillPlan
from dialer.simulation.journal import Journal
from dialer.simulation.loop import VirtualLoop
from dialer.simulation.misfortune import Misfortune
from dialer.simulation.network import Network
from dialer.simulation.operator import Operator
from dialer.simulation.outcome import Outcome
from dialer.simulation.processes import Machine
from dialer.simulation.scenario import Act, Deed, Scenario
from dialer.simulation.weather import Weather
from dialer.store.inline import inline
from dialer.store.sqlite import SqliteDatabase

PUBLIC_URL: Final = "https://dialer.example.com"
#: How often it is looked whether everything is over, in seconds.
LOOK_S: Final = 20.0
#: A daemon that was told to end may take so much longer than its drain.
END_GRACE_S: Final = 60.0


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
        journal.now_s = loop.time
        self._scenario = scenario
        self._database = database
        self._loop = loop
        self._journal = journal
        self._settings = settings_of(scenario)
        self._weather = Weather(scenario.seed, scenario.rates)
        self._machine = Machine(loop)
        self._misfortune = Misfortune(scenario, self._machine, self._weather, journal, kill_plan)
        self._clock = SimClock(loop, scenario.start_at)
        self._sites: list[DaemonSite] = []
        self._network = Network(
            scenario, self._machine, self._weather, journal, self._clock, self._sites
        )
        self._operator_log: Sequence[Mapping[str, Any]] = ()
        self._writes: list[Write] = []

    async def run(self) -> Outcome:
        """From the first order to the last word."""
        store = SqliteDatabase(
            self._database,
            stream(self._scenario.seed, "operator"),
            busy_timeout_s=self._settings.busy_timeout_s,
            connect=inline(self._misfortune.disk),
        )
        async with store, self._network.exchange:
            operator = Operator(self._scenario, store, self._clock, self._journal)
            self._operator_log = operator.log
            await operator.set_up()
            self._sites += self._made_sites()
            await self._storm(operator)
            unfinished = [*await self._calm(operator), *await self._shut_down()]
        return self._outcome(unfinished)

    def break_off(self, why: str) -> Outcome:
        """The outcome of a run that cannot go on; nobody is left alive in it."""
        self._journal.note("broken.off", why=why)
        outcome = self._outcome(broken_off=why)
        self._machine.power_off()
        return outcome

    # -- the plot --------------------------------------------------------------------------------

    async def _storm(self, operator: Operator) -> None:
        for site in self._sites:
            site.start()
        for act in self._scenario.acts:
            self._machine.later(act.at_s, self._act, act, operator)
        await asyncio.sleep(self._scenario.storm_s)
        self._misfortune.end()
        self._weather.clear_up()
        for site in self._sites:
            site.thaw()
        self._journal.note("storm.over")

    def _act(self, act: Act, operator: Operator) -> None:
        self._journal.note("act", deed=act.deed.value, on=act.on, amount=act.amount)
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

    async def _calm(self, operator: Operator) -> list[str]:
        """Wait for the end of everything; returns what has not come to one."""
        await operator.clear_up()
        deadline = self._loop.time() + self._scenario.calm_s
        while left := await self._unfinished(operator):
            if self._loop.time() > deadline:
                return left
            await operator.resume_all()
            await operator.end_what_caps_put_off(self._scenario.over_at)
            await asyncio.sleep(LOOK_S)
        return []

    async def _unfinished(self, operator: Operator) -> list[str]:
        live = self._network.live
        return [*await operator.unfinished(), *([f"{live} calls go on"] if live else ())]

    async def _shut_down(self) -> Sequence[str]:
        """Tell the daemons to end; returns those that did not."""
        for site in self._sites:
            site.thaw()
            site.stop(for_good=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_timeout_s + END_GRACE_S):
                for site in self._sites:
                    await site.over.wait()
        return [f"daemon {site.name} does not end" for site in self._sites if site.running]

    # -- its parts -------------------------------------------------------------------------------

    def _made_sites(self) -> list[DaemonSite]:
        around = Surroundings(
            seed=self._scenario.seed,
            machine=self._machine,
            disk=self._misfortune.disk,
            trunk=self._network.trunk,
            weather=self._weather,
            last_act=self._misfortune.last_act,
            wrote=self._writes.append,
            journal=self._journal,
            database=self._database,
            settings=self._settings,
            fallback_s=self._scenario.fallback_s,
            sole=self._scenario.daemons == 1,
        )
        return [
            DaemonSite(f"daemon{index}", around, SimClock(self._loop, self._scenario.start_at))
            for index in range(self._scenario.daemons)
        ]

    def _outcome(self, unfinished: Sequence[str] = (), broken_off: str = "") -> Outcome:
        self._journal.seal()
        exchange, effects = self._network.exchange, self._misfortune.effects
        struck = Counter(self._weather.struck)
        struck.update({str(kind): times for kind, times in exchange.dice.struck.items()})
        return Outcome(
            scenario=self._scenario,
            database=self._database,
            truth=self._network.truth.events,
            operator_log=self._operator_log,
            writes=tuple(self._writes),
            journal=self._journal,
            digest=self._journal.digest,
            effects=effects.count,
            kills=effects.kills,
            struck=+struck,
            seen=Counter(entry.what for entry in self._journal.entries),
            took_s=self._loop.time(),
            unfinished=unfinished,
            broken_off=broken_off,
        )


def settings_of(scenario: Scenario) -> Settings:
    """The deployment's settings, in which no environment has a say."""
    given: dict[str, Any] = {
        "public_url": PUBLIC_URL,
        "twilio_account_sid": DEMO_ACCOUNT_SID,
        "twilio_auth_token": SecretStr(DEMO_AUTH_TOKEN),
    }
    return Settings.model_construct(None, **given, **scenario.settings)
