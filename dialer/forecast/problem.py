"""What one run is about: a campaign, people, cards and a scale, all of it to be sent elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from dialer.campaigns import NewCampaign
from dialer.carrier_sim.profiles import Profile
from dialer.counters import local_day
from dialer.forecast.cards import Deck
from dialer.forecast.openings import somewhere
from dialer.forecast.scale import Scale
from dialer.forecast.snapshot import Member, Setup
from dialer.forecast.stand_ins import StandIn, stand_ins
from dialer.holiday_calendars import public_holidays
from dialer.hours import Hours
from dialer.model import Agent
from rotation.caller import why_not

MS: Final = 1000
DAY_MS: Final = 86_400 * MS
#: How long a call holds its line, about.
USUAL_CALL_S: Final = 35.0
#: The hours of the day of calls are those of this much open time; after that they repeat.
LOOK_AHEAD_MS: Final = 40 * 3600 * MS


@dataclass(frozen=True, slots=True)
class Problem:
    """One run from *at* (UTC ms), for *days* days at the most."""

    at: int
    days: int
    seed: int
    run: int  # numbers the runs of one seed; the same chances for every setup
    zone: str  # in which days are counted
    setup: Setup
    agent: Agent
    members: Sequence[Member]  # a sample, by the scale
    cards: Deck | Profile  # the campaign's own calls, or those of others
    scale: Scale
    stand_ins: Sequence[StandIn]
    expected_calls: float
    script: str  # that makes an empty database

    @property
    def campaign(self) -> NewCampaign:
        return self.setup.campaign

    @property
    def hours(self) -> Hours:
        """When anybody may be called: by the schedule and by the rules where people are."""
        return somewhere(self.setup, self.members, public_holidays)

    @property
    def busy_ms(self) -> float:
        """About how long it takes until all calls are made, in open time; a week's at the most."""
        held_s = USUAL_CALL_S / self.setup.lines * self.scale.factor
        return min(self.expected_calls * max(self.spacing_s, held_s) * MS, LOOK_AHEAD_MS)

    @property
    def spacing_s(self) -> float:
        """The least time from the start of a call to the start of the next, in the small world."""
        setup = self.setup
        account_s = 1 / setup.calls_per_second if setup.calls_per_second else 0.0
        return max(setup.campaign.call_interval_s, account_s) * self.scale.factor


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many calls a stand-in may make, day by day, in the small world."""

    stand_in: StandIn
    cap: int  # of one number, in the large world
    scale: Scale
    share: float
    first_day: int  # ordinal of the number's own calendar day at the start

    @property
    def most(self) -> int:
        """The calls that are never passed."""
        return self.scale.cap(self.cap * len(self.stand_in.numbers))

    def on(self, day: int) -> int:
        """The calls allowed on the calendar day with that ordinal."""
        ahead = day - self.first_day
        if ahead > 0:
            return self.scale.allowed(self.cap * len(self.stand_in.numbers), ahead, self.share)
        return self.scale.allowed(self.stand_in.left_today(self.cap), 0, self.share)


def allowances(problem: Problem, share: float) -> list[Allowance]:
    """One for each stand-in that may be used; *share* moves all of their turns."""
    limits = problem.setup.limits
    usable = [s for s in problem.stand_ins if why_not(s.numbers[0].rested, limits) is None]
    return [
        Allowance(
            stand_in,
            problem.campaign.max_calls_per_day,
            problem.scale,
            (share + place / len(usable)) % 1.0,
            date.fromisoformat(local_day(stand_in.zone, problem.at)[0]).toordinal(),
        )
        for place, stand_in in enumerate(usable)
    ]


def scaled(setup: Setup, factor: float) -> tuple[Scale, list[StandIn]]:
    """The scale by *factor* for a setup, and who stands in for its numbers.

    Limits per number only count where they limit.
    """
    pool = stand_ins(setup.numbers, scaled=factor > 1)
    per_number = [s.max_live for s in pool if s.max_live and s.max_live < setup.lines]
    return Scale.of(factor, setup.lines, per_number), pool
