"""What a simulated run is made of, drawn in full from its seed before anything happens.

Everything is kept inside what the engine is promised: the carrier keeps its bounds (A1, A2), the
clocks agree to within a minute (A5), no daemon is frozen for longer than the quarantine (A4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Deed(StrEnum):
    """What is done to a run at a planned time."""

    PAUSE = "pause"  # an operator, a campaign
    RESUME = "resume"
    COMPLETE = "complete"
    CANCEL = "cancel"
    DISABLE = "disable"  # an operator, a number
    ENABLE = "enable"
    SCORE = "score"
    ENROL = "enrol"  # an operator, more people for a campaign
    RETRY = "retry"  # an operator, another call for everybody of a campaign who is done
    BLOCK = "block"  # an operator, somebody onto the do-not-call list
    CLOSE = "close"  # an operator, a region: nobody there is called
    REOPEN = "reopen"
    HOLD = "hold"  # an operator, everything: the brake
    HANG_UP = "hang_up"  # the same, and calls that go on are ended
    RELEASE = "release"
    STOP = "stop"  # SIGTERM to a daemon
    KILL = "kill"  # SIGKILL, at a time; most kills come at an effect
    FREEZE = "freeze"  # SIGSTOP for so many seconds
    JUMP = "jump"  # a daemon's wall clock is so many seconds off from now on


@dataclass(frozen=True, slots=True)
class Act:
    """One deed, so many seconds into the run.

    *on* counts campaigns, numbers, people, daemons or regions.
    """

    at_s: float
    deed: Deed
    on: int
    amount: float = 0.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign to run: *people* and *numbers* count from 0 over the whole world."""

    name: str
    people: Sequence[int]
    numbers: Sequence[int]
    hours: str | None  # as an operator writes them; None: always open
    zone: str
    fields: Mapping[str, Any]  # of NewCampaign


@dataclass(frozen=True, slots=True)
class Rule:
    """A calling rule of the operator's own: hours by the callee's clock, caps, or both."""

    region: str
    hours: str | None = None
    caps: Sequence[str] = ()  # as an operator writes them: "2/10m"


#: Where the people of a scenario live, as an operator names it, and by which clocks.
REGIONS: Final[Mapping[str, str]] = {
    "US-CA": "America/Los_Angeles",
    "US-CO": "America/Denver",
    "US-DC": "America/New_York",
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that tells one run from another."""

    seed: int
    start_at: int
    profile: str
    phones: Sequence[str]
    numbers: Sequence[str]
    campaigns: Sequence[Campaign]
    daemons: int
    settings: Mapping[str, Any]
    fallback_s: float  # how often a campaign that waits is asked about
    carrier_cps: float
    list_lag_s: float
    rates: dict[str, float]
    longest_stall_s: float
    kills: int
    effects_between_kills: int
    acts: Sequence[Act]
    storm_s: float
    rules: Sequence[Rule] = ()

    @property
    def patience_s(self) -> float:
        """How long after its slot an order may still leave."""
        return float(self.settings["patience_s"] + self.check_s)

    @property
    def check_s(self) -> float:
        """How long an operator's check may take; 0 without one."""
        return (
            float(self.settings["pre_dial_timeout_s"]) if "pre_dial_check" in self.settings else 0
        )

    @property
    def over_at(self) -> int:
        """Everything is over by this instant (UTC ms)."""
        return self.start_at + round((self.storm_s + self.calm_s) * 1000)

    @property
    def calm_s(self) -> float:
        """After the storm everything is over within this, or something hangs."""
        return 6 * 3600.0
