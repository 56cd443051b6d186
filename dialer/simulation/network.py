"""The carrier and everything between it and the daemons, in one world."""

from collections.abc import Sequence

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.exchange import Exchange, Setup
from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from dialer.carrier_sim.profiles import profile_named
from dialer.carrier_sim.truth import Event, Facts, TruthList
from dialer.ports import Clock
from dialer.simulation.journal import Journal
from dialer.simulation.processes import Machine
from dialer.simulation.scenario import Scenario
from dialer.simulation.trunk import Trunk
from dialer.simulation.weather import Weather
from dialer.simulation.webhooks import Doors, Site


class Network:
    """An exchange, its trunk and its own record of what happened."""

    def __init__(
        self,
        scenario: Scenario,
        machine: Machine,
        weather: Weather,
        journal: Journal,
        clock: Clock,
        sites: Sequence[Site],
    ) -> None:
        """*sites* is where callbacks go; it may be filled later."""
        seed = scenario.seed
        self.truth = _NotedTruth(journal)
        self.exchange = Exchange(
            Setup(
                account_sid=DEMO_ACCOUNT_SID,
                seed=seed,
                profile=profile_named(scenario.profile),
                faults=Faults(weather.carrier_rates, scenario.list_lag_s),
                cps=scenario.carrier_cps,
            ),
            now=clock.now,
            poster=Doors(machine, sites, DEMO_AUTH_TOKEN, stream(seed, "internet")),
            truth_log=self.truth,
        )
        self.trunk = Trunk(
            self.exchange,
            weather,
            accept_bound_s=scenario.settings["accept_bound_s"],
            outside=lambda do, *args: machine.later(0, do, *args),
        )

    @property
    def live(self) -> int:
        """How many calls have not ended."""
        calls = self.exchange.counts()["live"]
        assert isinstance(calls, int), "it is a count"
        return calls


class _NotedTruth(TruthList):
    """The carrier's own record, in the journal as well."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def record(self, event: Event, at: int, facts: Facts) -> None:
        super().record(event, at, facts)
        self._journal.note(f"carrier.{event}", **facts)
