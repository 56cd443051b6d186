"""What there is to know of a campaign before it starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dialer.limits import AccountLimits
from dialer.permission import ClaimTimes
from dialer.plans import CampaignPlan
from dialer.preflight.audience import Reach, Spot
from dialer.preflight.bindings import Bindings
from dialer.preflight.pace import Pace
from rotation.caller import Ineligible


class Level(StrEnum):
    """How much a finding matters."""

    ERROR = "error"  # nobody would be called
    WARNING = "warning"  # somebody should decide
    INFO = "info"


class Code(StrEnum):
    """What a finding is about: names that programs may rely on."""

    ENDED = "ended"
    HELD = "held"
    NOBODY_TO_CALL = "nobody_to_call"
    EVERYBODY_SKIPPED = "everybody_skipped"
    SCHEDULE_CLOSED = "schedule_closed"
    NO_NUMBER = "no_number"
    DO_NOT_CALL = "do_not_call"
    ZONE_UNKNOWN = "zone_unknown"
    NEVER_OPEN = "never_open"
    CALLEE_CAPS = "callee_caps"
    DONE = "done"
    SHORT_WINDOW = "short_window"
    ANY_HOUR = "any_hour"
    RULES = "rules"
    NO_LAW_FOUND = "no_law_found"
    LOW_CONFIDENCE = "low_confidence"
    RULE_OFF = "rule_off"
    SCOPED_RULE = "scoped_rule"
    NUMBERS_EXCLUDED = "numbers_excluded"
    NUMBERS_DISABLED = "numbers_disabled"
    NUMBERS_AT_CAP = "numbers_at_cap"
    NUMBERS_NOT_OWNED = "numbers_not_owned"
    NUMBER_CAPS = "number_caps"
    CARRIER_NOT_SET_UP = "carrier_not_set_up"
    PLACEHOLDER_EMPTY = "placeholder_empty"
    NO_DO_NOT_CALL_LIST = "no_do_not_call_list"
    NO_SCHEDULE = "no_schedule"
    PRE_DIAL_CHECK = "pre_dial_check"
    PACE = "pace"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know, how many people (or numbers) it is about, and what would change it."""

    level: Level
    code: Code
    count: int
    text: str
    cure: str = ""  # a command, or what to do


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a campaign finds where it runs."""

    account: AccountLimits
    times: ClaimTimes
    carrier_trouble: str = ""  # what is missing to place calls
    pre_dial_check: bool = False
    owned: frozenset[str] | None = None  # the account's numbers; None: nobody has asked
    within_days: int = 5  # in which it should be over, by the numbers' daily caps


@dataclass(frozen=True, slots=True)
class Members:
    """A campaign's members; each is counted once."""

    total: int
    done: Mapping[str, int]  # by their final state
    under_way: int  # in a call, or just after one
    refused: int  # done without a further call, because they were on the do-not-call list
    listed: int  # on it, and not done yet
    zone_unknown: int
    never_open: int
    to_call: int  # sooner or later, as far as can be told
    capped: int  # among them: they have had as many calls as may be, for now

    @property
    def waiting(self) -> int:
        """Those who wait for a call, be it in vain."""
        return self.listed + self.zone_unknown + self.never_open + self.to_call

    @property
    def do_not_call(self) -> int:
        """Those who are not called because of the do-not-call list."""
        return self.refused + self.listed

    @property
    def skipped(self) -> int:
        """Those of whom somebody might think that they will be called."""
        return self.do_not_call + self.zone_unknown + self.never_open


@dataclass(frozen=True, slots=True)
class NumberPool:
    """The campaign's caller ids as they are now."""

    total: int
    usable: int
    unusable: Mapping[Ineligible, int]
    not_owned: Sequence[str] | None  # phones; None: nobody has asked

    @property
    def lasting(self) -> int:
        """Those that may call today or on another day, unless somebody changes them."""
        out = (Ineligible.DISABLED, Ineligible.EXCLUDED)
        return self.total - sum(self.unusable.get(reason, 0) for reason in out)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the findings are made from."""

    plan: CampaignPlan
    at: int
    zone: str  # that of the schedule, or UTC: in which days and times are told
    has_schedule: bool
    schedule_opens: bool  # ever again
    members: Members
    spots: Sequence[Spot]
    bindings: Bindings
    pace: Pace
    numbers: NumberPool
    unfilled: Mapping[str, int]  # placeholders that are empty, by how many people's
    anybody_listed: bool  # on the do-not-call list, in this campaign or not
    deployment: Deployment
    held: str | None  # by whom everything is held, and why; None: nothing is

    @property
    def next_at(self) -> int | None:
        """When the first of them may be called, by the calendar; None: nobody."""
        return min((spot.opens_at for spot in self.spots if spot.opens_at), default=None)

    @property
    def open_now(self) -> int:
        """How many are at places that are open at this moment."""
        return sum(spot.members for spot in self.spots if spot.open_now)

    def at_spots(self, reach: Reach) -> list[Spot]:
        """The places of one kind."""
        return [spot for spot in self.spots if spot.reach is reach]


@dataclass(frozen=True, slots=True)
class Report:
    """The facts and what they come to, errors first."""

    facts: Facts
    findings: Sequence[Finding]

    def of(self, level: Level) -> list[Finding]:
        """The findings of one level."""
        return [finding for finding in self.findings if finding.level is level]
