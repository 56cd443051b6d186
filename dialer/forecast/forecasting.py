"""From a snapshot, and what might be set otherwise, to a forecast: so many runs of each setup."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.profiles import DEFAULT_PROFILE, Profile, profile_named
from dialer.forecast import history
from dialer.forecast.cards import Deck
from dialer.forecast.obstacles import obstacle
from dialer.forecast.openings import somewhere
from dialer.forecast.problem import LOOK_AHEAD_MS, Problem, scaled
from dialer.forecast.profile import Callees
from dialer.forecast.scale import open_times
from dialer.forecast.snapshot import Setup, Snapshot
from dialer.forecast.summary import Summary, summarize
from dialer.forecast.tally import Tally
from dialer.holiday_calendars import public_holidays

#: The name of the setup as it is.
TODAY: Final = "today's settings"
#: So many calls make a run of a small world. More of them move the answer by less than the runs
#: differ.
CALLS_A_RUN: Final = 200
#: A list that takes up to so many times as many calls is run as it is.
SMALL: Final = 2
RUNS: Final = 10
FULL_RUNS: Final = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked of the runs; the defaults give an answer soon."""

    runs: int | None = None
    seed: int = 1
    full: bool = False  # everybody, in place of a sample
    days: int = 365
    profile: str | None = None  # in place of the campaign's own history


@dataclass(frozen=True, slots=True)
class Case:
    """A setup to be run: its cards, and about how many calls are ahead."""

    setup: Setup
    cards: Deck | Profile
    calls: float


@dataclass(frozen=True, slots=True)
class Variant:
    """A setup and what it comes to; where that is nothing, the obstacle in its way."""

    name: str
    setup: Setup
    summary: Summary | None
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The answer; *factor* people were represented by one."""

    snapshot: Snapshot
    options: Options
    zone: str
    profile: Profile | None  # None: from the campaign's own history
    runs: int
    factor: float
    variants: Sequence[Variant]


class Runner(Protocol):
    """Who runs problems; a :class:`~dialer.forecast.workers.Crew` does many at a time."""

    def run(self, problems: Sequence[Problem], tell: Callable[[float], None]) -> Sequence[Tally]:
        """The tallies of *problems* in their order; *tell* hears which share of them is done."""


class Forecaster:
    """Forecasts the campaign of one snapshot; *script* makes an empty database."""

    def __init__(
        self, snapshot: Snapshot, options: Options, *, default_zone: str, script: str
    ) -> None:
        self._snapshot = snapshot
        self._options = options
        self._zone = snapshot.setup.zone(default_zone)
        self._script = script
        self._profile = _profile(snapshot, options)

    def run(
        self, setups: Mapping[str, Setup], runner: Runner, tell: Callable[[float], None]
    ) -> Forecast:
        """Run each of *setups* as often as the options say; *tell* hears how far it is.

        Raises WrongStateError when under none of them anybody would ever be called.
        """
        obstacles = {
            name: obstacle(self._snapshot, setup, public_holidays) for name, setup in setups.items()
        }
        cases = {
            name: self.case(setup) for name, setup in setups.items() if obstacles[name] is None
        }
        if not cases:
            raise next(error for error in obstacles.values() if error is not None)
        factor = self._factor(max(case.calls for case in cases.values()))
        summaries = self._summaries(cases, factor, runner, tell)
        return Forecast(
            snapshot=self._snapshot,
            options=self._options,
            zone=self._zone,
            profile=self._profile,
            runs=self._runs,
            factor=factor,
            variants=[
                Variant(name, setups[name], summaries.get(name), error.message if error else None)
                for name, error in obstacles.items()
            ],
        )

    @property
    def _runs(self) -> int:
        return self._options.runs or (FULL_RUNS if self._options.full else RUNS)

    def case(self, setup: Setup) -> Case:
        """The cards for a setup, and about how many calls it takes to be done with everybody."""
        deck = self._deck(setup)
        retries = setup.campaign.max_retries
        by_attempts = Counter(member.attempts for member in self._snapshot.members)
        calls = sum(deck.calls_ahead(made, retries) * n for made, n in by_attempts.items())
        return Case(setup, self._profile or deck, calls)

    def _deck(self, setup: Setup) -> Deck:
        snapshot = self._snapshot
        if self._profile is None:
            return history.deck_from(snapshot.history).cut(setup.campaign.ring_timeout_s)
        rng = stream(self._options.seed, "forecast", "ahead")
        hours = somewhere(setup, snapshot.members, public_holidays)
        times = open_times(hours, snapshot.at, LOOK_AHEAD_MS, rng)
        callees = Callees(self._profile, setup, snapshot.agent, times, rng)
        return callees.deck(snapshot.members)

    def _factor(self, calls: float) -> float:
        """How many people one of them represents where so many calls are ahead."""
        if self._options.full or calls <= SMALL * CALLS_A_RUN:
            return 1.0
        return calls / CALLS_A_RUN

    def _summaries(
        self,
        cases: Mapping[str, Case],
        factor: float,
        runner: Runner,
        tell: Callable[[float], None],
    ) -> dict[str, Summary]:
        problems = [
            self.problem(case, run, factor) for case in cases.values() for run in range(self._runs)
        ]
        tallies = runner.run(problems, tell)
        people = len(self._snapshot.members)
        summaries = {}
        for place, name in enumerate(cases):
            first = place * self._runs
            own = tallies[first : first + self._runs]
            summaries[name] = summarize(problems[first], people, own)
        return summaries

    def problem(self, case: Case, run: int, factor: float) -> Problem:
        """One run of *case* in which *factor* people are represented by one."""
        scale, pool = scaled(case.setup, factor)
        share = stream(self._options.seed, "forecast", run, "sample").random()
        return Problem(
            at=self._snapshot.at,
            days=self._options.days,
            seed=self._options.seed,
            run=run,
            zone=self._zone,
            setup=case.setup,
            agent=self._snapshot.agent,
            members=scale.sample(self._snapshot.members, share),
            cards=case.cards,
            scale=scale,
            stand_ins=pool,
            expected_calls=case.calls / factor,
            script=self._script,
        )


def _profile(snapshot: Snapshot, options: Options) -> Profile | None:
    """The profile to go by; None where the campaign has enough calls of its own."""
    if options.profile is not None:
        return profile_named(options.profile)
    enough = history.first_calls(snapshot.history) >= history.ENOUGH
    return None if enough else DEFAULT_PROFILE
