"""Who picks up: the scripted behaviour of callees, drawn from a seed.

Pure. A plan depends on the seed, the number called, how often it was called before and the
circumstances of the dial, never on the order in which calls arrive; the same campaign therefore
meets the same people every time. Rates and times are a synthesis of published campaign figures
(cold B2B answer rates, voicemail pickup delays, call lengths); where none was found the constant
says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Final, TypeAlias

from dialer.carrier_sim.chance import stream
from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean

Range: TypeAlias = tuple[float, float]


class Fate(StrEnum):
    """What becomes of a dial when nobody intervenes."""

    HUMAN = "human"
    MACHINE = "machine"
    FAX = "fax"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"  # declined by the callee or the network: SIP 603, 607, 608
    INVALID = "invalid"  # no such number; true of every call to it
    FAILED = "failed"  # the carrier could not place it this time


ANSWERED: Final = frozenset({Fate.HUMAN, Fate.MACHINE, Fate.FAX})


class Machine(StrEnum):
    """What kind of machine picks up."""

    VOICEMAIL = "voicemail"
    IVR = "ivr"  # a menu of a business
    SCREENING = "screening"  # an assistant asks who is calling; a person may follow
    UNAVAILABLE = "unavailable"  # an announcement of the network


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often machine detection errs, as shares of the calls it hears."""

    human_as_machine: float = 0.03
    machine_as_human: float = 0.06
    unknown: float = 0.04


#: The numbers with a fixed fate are told apart without fail.
FLAWLESS: Final = Confusion(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Profile:
    """Outcomes in percent of first dials that ring for 30 s, and what changes them."""

    name: str
    human: float
    machine: float
    no_answer: float
    busy: float
    rejected: float
    invalid: float
    failed: float
    fax_share: float  # of the machines; own estimate, as are the next three
    screening_share: float = 0.10
    ivr_share: float = 0.06
    unavailable_share: float = 0.08
    local_match: float = 1.5  # answer odds when both numbers share a +1 area code
    amd: Confusion = Confusion()


PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        "cold_b2b": Profile("cold_b2b", 6, 46, 30, 4, 5, 7, 2, fax_share=0.02, ivr_share=0.15),
        "mixed": Profile("mixed", 18, 40, 24, 5, 5, 5, 3, fax_share=0.01),
        "warm": Profile("warm", 35, 33, 20, 4, 4, 2, 2, fax_share=0.005),
    }
)
DEFAULT_PROFILE: Final = PROFILES["mixed"]


def profile_named(name: str) -> Profile:
    """The profile called *name*; UsageError with the nearest ones when there is none."""
    if profile := PROFILES.get(name):
        return profile
    hint = did_you_mean(close_matches(name, PROFILES))
    raise UsageError(f"unknown carrier profile {name!r} (one of {', '.join(PROFILES)}){hint}")


@dataclass(frozen=True, slots=True)
class Dial:
    """The circumstances of one call."""

    to: str
    from_: str
    ring_timeout_s: float = 30.0
    attempts_before: int = 0  # calls to this number so far
    number_calls_today: int = 0  # calls from this caller id so far today
    local_hour: int | None = None  # at the callee, 0-23; None when unknown


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What the network and the callee will do with one call, in seconds from step to step."""

    fate: Fate
    setup_s: float  # accepted and out of the queue -> initiated
    post_dial_s: float  # initiated -> ringing, or -> the end of a call that never rings
    sip: int  # final SIP response
    rings: bool = True
    ring_s: float = 0.0  # ringing -> answered, or -> the end
    on_line_s: float = 0.0  # answered -> the callee hangs up
    greeting_s: float = 0.0  # answered -> the beep of a machine, or where it would be
    digits: str = ""  # keys the callee presses when asked for one
    machine: Machine | None = None  # of machines only
    beeps: bool = True  # a voicemail's greeting ends with a beep, else with silence
    picks_up: bool = False  # the person behind an assistant that asks who is calling

    @property
    def answered(self) -> bool:
        """True when somebody or something picks up."""
        return self.fate in ANSWERED


# -- constants ------------------------------------------------------------------------------------

SETUP_S: Final[Range] = (0.02, 0.3)  # may be shorter than the answer to the request takes
POST_DIAL_S: Final[Range] = (1.0, 4.0)
HUMAN_PICKUP_S: Final = (11.0, 0.5, (3.0, 27.0))  # log-normal: median, sigma (own), clip
PHONE_OFF_SHARE: Final = 0.15  # machines that pick up at once
PHONE_OFF_PICKUP_S: Final[Range] = (1.0, 4.0)
MACHINE_PICKUP_S: Final[Range] = (20.0, 28.0)
FAX_PICKUP_S: Final[Range] = (2.0, 8.0)  # own estimate
BUSY_S: Final[Range] = (1.0, 3.0)
REJECTED_S: Final[Range] = (4.0, 12.0)
INVALID_S: Final[Range] = (1.0, 3.0)
FAILED_S: Final[Range] = (0.0, 2.0)
QUICK_HANG_UP_SHARE: Final = 0.12
QUICK_HANG_UP_S: Final[Range] = (1.0, 5.0)
TALK_S: Final = (58.0, 0.717, (5.0, 600.0))  # sigma gives a mean of about 75 s
GREETING_S: Final[Range] = (10.0, 20.0)
MAILBOX_S: Final = 120.0  # recording time of a mailbox; own estimate
NO_BEEP_SHARE: Final = 0.1  # voicemails that record without a beep; own estimate
MENUS: Final = 3  # how often a menu is read out before it gives up; own estimate
QUESTION_S: Final[Range] = (6.0, 9.0)  # until an assistant has asked; own estimate
PATIENCE_S: Final = 22.0  # for which an assistant then waits for an answer; own estimate
PICKS_UP_SHARE: Final = 0.4  # people who take a call that was announced; own estimate
FAX_ON_LINE_S: Final = 45.0  # own estimate
BUSY_AS_487: Final = 0.1  # recorded live: a busy callee with SIP 487; share is an own estimate
REFUSED_BY_ANALYTICS: Final = 0.1  # rejections that carry 607 or 608; own estimate

FURTHER_ATTEMPT: Final = 0.85  # answer odds of each further call to the same callee
RESTED_CALLS: Final = 75  # a caller id is trusted up to here ...
BURNT_CALLS: Final = 300  # ... and worn out from here, calls a day
BURNT_ODDS: Final = 0.4
FAVOURITE_SHARE: Final = 0.7  # callees who answer best in one part of the day
FAVOURITE_ODDS: Final = 2.0
DAY_PARTS: Final = ((8, 11), (11, 14), (14, 17), (17, 21))
HUMAN_CEILING: Final = 0.95  # of the calls that are not busy, refused or failed

#: Numbers with a fixed fate, for rehearsals and tests; +1 500 555 is reserved by Twilio for tests.
SCRIPTED: Final[Mapping[str, CallPlan]] = MappingProxyType(
    {
        "+15005550100": CallPlan(Fate.HUMAN, 0.05, 1.0, 200, ring_s=3.0, on_line_s=20.0),
        "+15005550101": CallPlan(
            *(Fate.MACHINE, 0.05, 1.0, 200),
            ring_s=4.0,
            on_line_s=60.0,
            greeting_s=12.0,
            machine=Machine.VOICEMAIL,
        ),
        "+15005550102": CallPlan(Fate.FAX, 0.05, 1.0, 200, ring_s=2.0, on_line_s=30.0),
        "+15005550103": CallPlan(Fate.NO_ANSWER, 0.05, 1.0, 487, ring_s=math.inf),
        "+15005550104": CallPlan(Fate.BUSY, 0.05, 1.0, 486, ring_s=1.0),
        "+15005550105": CallPlan(Fate.REJECTED, 0.05, 1.0, 603, ring_s=5.0),
        "+15005550106": CallPlan(Fate.INVALID, 0.05, 1.0, 404, rings=False),
        "+15005550107": CallPlan(Fate.FAILED, 0.05, 1.0, 503, rings=False),
        "+15005550108": CallPlan(Fate.HUMAN, 0.05, 1.0, 200, ring_s=3.0, on_line_s=2.0),
        "+15005550109": CallPlan(Fate.HUMAN, 0.05, 1.0, 200, ring_s=3.0, on_line_s=60, digits="9"),
    }
)
#: The same for the further kinds of machines.
SCRIPTED_MACHINES: Final[Mapping[str, CallPlan]] = MappingProxyType(
    {
        "+15005550110": CallPlan(
            *(Fate.MACHINE, 0.05, 1.0, 200),
            ring_s=4.0,
            on_line_s=30.0,
            greeting_s=8.0,
            machine=Machine.SCREENING,
            picks_up=True,
        ),
        "+15005550111": CallPlan(
            *(Fate.MACHINE, 0.05, 1.0, 200),
            ring_s=4.0,
            on_line_s=30.0,
            greeting_s=8.0,
            machine=Machine.SCREENING,
        ),
        "+15005550112": CallPlan(
            *(Fate.MACHINE, 0.05, 1.0, 200),
            ring_s=2.0,
            on_line_s=45.0,
            greeting_s=14.0,
            machine=Machine.IVR,
        ),
        "+15005550113": CallPlan(
            *(Fate.MACHINE, 0.05, 1.0, 200),
            ring_s=2.0,
            on_line_s=16.0,
            greeting_s=14.0,
            machine=Machine.UNAVAILABLE,
        ),
        "+15005550114": CallPlan(
            *(Fate.MACHINE, 0.05, 1.0, 200),
            ring_s=4.0,
            on_line_s=60.0,
            greeting_s=12.0,
            machine=Machine.VOICEMAIL,
            beeps=False,
        ),
    }
)

# -- decisions ------------------------------------------------------------------------------------


def plan_call(profile: Profile, seed: int, dial: Dial) -> CallPlan:
    """The script of one call; equal arguments always give equal plans."""
    plan = scripted(dial.to) or _drawn(profile, seed, dial)
    return _within(plan, dial.ring_timeout_s)


def scripted(phone: str) -> CallPlan | None:
    """The fixed plan of a number, if it has one."""
    return SCRIPTED.get(phone) or SCRIPTED_MACHINES.get(phone)


def answer_odds(profile: Profile, favourite: int | None, dial: Dial) -> float:
    """The factor on the share of people who answer; 1.0 for a first call on a rested number."""
    odds = FURTHER_ATTEMPT**dial.attempts_before * number_odds(dial.number_calls_today)
    if dial.to.startswith("+1") and dial.to[:5] == dial.from_[:5]:
        odds *= profile.local_match
    if dial.local_hour is not None:
        odds *= _day_odds(favourite, dial.local_hour)
    return odds


def number_odds(calls_today: int) -> float:
    """How far the answer odds of a caller id have fallen by the calls it made today."""
    worn = (calls_today - RESTED_CALLS) / (BURNT_CALLS - RESTED_CALLS)
    return 1.0 - (1.0 - BURNT_ODDS) * min(1.0, max(0.0, worn))


def fates(profile: Profile, odds: float) -> dict[Fate, float]:
    """Percent of each fate that may change from call to call, with *odds* applied to people.

    What people gain or lose is taken from or given to machines and unanswered calls.
    """
    machine = profile.machine * (1 - profile.fax_share)
    open_share = profile.human + machine + profile.no_answer
    human = min(profile.human * odds, open_share * HUMAN_CEILING)
    scale = (open_share - human) / (machine + profile.no_answer)
    return {
        Fate.HUMAN: human,
        Fate.MACHINE: machine * scale,
        Fate.NO_ANSWER: profile.no_answer * scale,
        Fate.BUSY: profile.busy,
        Fate.REJECTED: profile.rejected,
        Fate.FAILED: profile.failed,
    }


def _drawn(profile: Profile, seed: int, dial: Dial) -> CallPlan:
    callee = stream(seed, "callee", dial.to)
    fixed = _fixed_fate(profile, callee.uniform(0, 100))
    favourite = _favourite(callee)
    rng = stream(seed, "dial", dial.to, dial.attempts_before)
    shares = fates(profile, answer_odds(profile, favourite, dial))
    fate = fixed or rng.choices(list(shares), list(shares.values()))[0]
    plan = _plan(fate, rng)
    return _as_machine(plan, profile, seed, dial) if fate is Fate.MACHINE else plan


def _as_machine(plan: CallPlan, profile: Profile, seed: int, dial: Dial) -> CallPlan:
    """The plan of a machine by its kind, which is the same in every call to one number."""
    callee = stream(seed, "machine", dial.to)
    kind, beeps = _machine(profile, callee.random()), callee.random() >= NO_BEEP_SHARE
    rng = stream(seed, "machine", dial.to, dial.attempts_before)
    match kind:
        case Machine.VOICEMAIL:
            return replace(plan, machine=kind, beeps=beeps)
        case Machine.IVR:
            return replace(plan, machine=kind, on_line_s=MENUS * plan.greeting_s + 2.0)
        case Machine.UNAVAILABLE:
            return replace(plan, machine=kind, on_line_s=plan.greeting_s + 1.0)
        case Machine.SCREENING:
            asked_s, picks_up = rng.uniform(*QUESTION_S), rng.random() < PICKS_UP_SHARE
            on_line_s = asked_s + PATIENCE_S
            return replace(
                plan, machine=kind, picks_up=picks_up, greeting_s=asked_s, on_line_s=on_line_s
            )


def _machine(profile: Profile, roll: float) -> Machine:
    shares = (
        (Machine.SCREENING, profile.screening_share),
        (Machine.IVR, profile.ivr_share),
        (Machine.UNAVAILABLE, profile.unavailable_share),
    )
    for kind, share in shares:
        if roll < share:
            return kind
        roll -= share
    return Machine.VOICEMAIL


def _fixed_fate(profile: Profile, roll: float) -> Fate | None:
    """What a number is for good: invalid, a fax, or (None) an ordinary line."""
    if roll < profile.invalid:
        return Fate.INVALID
    return Fate.FAX if roll < profile.invalid + profile.machine * profile.fax_share else None


def _favourite(callee: Random) -> int | None:
    """The part of the day in which a callee answers best, if there is one."""
    has_one, part = callee.random() < FAVOURITE_SHARE, callee.randrange(len(DAY_PARTS))
    return part if has_one else None


def _day_odds(favourite: int | None, hour: int) -> float:
    """Mean 1 over all callees and parts of the day, so that the profile's rates hold."""
    at_best = favourite is not None and DAY_PARTS[favourite][0] <= hour < DAY_PARTS[favourite][1]
    mean = 1 + FAVOURITE_SHARE / len(DAY_PARTS) * (FAVOURITE_ODDS - 1)
    return (FAVOURITE_ODDS if at_best else 1.0) / mean


def _plan(fate: Fate, rng: Random) -> CallPlan:
    setup_s, post_dial_s = rng.uniform(*SETUP_S), rng.uniform(*POST_DIAL_S)
    match fate:
        case Fate.HUMAN:
            ring_s, on_line_s = _log_normal(rng, *HUMAN_PICKUP_S), _talk_s(rng)
            return CallPlan(fate, setup_s, post_dial_s, 200, ring_s=ring_s, on_line_s=on_line_s)
        case Fate.MACHINE:
            at_once = rng.random() < PHONE_OFF_SHARE
            ring_s = rng.uniform(*(PHONE_OFF_PICKUP_S if at_once else MACHINE_PICKUP_S))
            greeting_s = rng.uniform(*GREETING_S)
            on_line_s = greeting_s + MAILBOX_S
            return CallPlan(fate, setup_s, post_dial_s, 200, True, ring_s, on_line_s, greeting_s)
        case Fate.FAX:
            ring_s = rng.uniform(*FAX_PICKUP_S)
            return CallPlan(fate, setup_s, post_dial_s, 200, True, ring_s, FAX_ON_LINE_S)
        case Fate.NO_ANSWER:
            return CallPlan(fate, setup_s, post_dial_s, 487, ring_s=math.inf)
        case Fate.BUSY:
            sip = 487 if rng.random() < BUSY_AS_487 else 486
            return CallPlan(fate, setup_s, post_dial_s, sip, ring_s=rng.uniform(*BUSY_S))
        case Fate.REJECTED:
            sip = rng.choice((607, 608)) if rng.random() < REFUSED_BY_ANALYTICS else 603
            return CallPlan(fate, setup_s, post_dial_s, sip, ring_s=rng.uniform(*REJECTED_S))
        case Fate.INVALID:
            return CallPlan(fate, setup_s, rng.uniform(*INVALID_S), 404, rings=False)
        case Fate.FAILED:
            return CallPlan(fate, setup_s, rng.uniform(*FAILED_S), 503, rings=False)


def _within(plan: CallPlan, ring_timeout_s: float) -> CallPlan:
    """The plan as the ring timeout cuts it: what would take longer becomes a call unanswered."""
    if not plan.rings or plan.ring_s <= ring_timeout_s:
        return plan
    return CallPlan(Fate.NO_ANSWER, plan.setup_s, plan.post_dial_s, 487, ring_s=ring_timeout_s)


def _log_normal(rng: Random, median: float, sigma: float, clip: Range) -> float:
    return min(clip[1], max(clip[0], rng.lognormvariate(math.log(median), sigma)))


def _talk_s(rng: Random) -> float:
    if rng.random() < QUICK_HANG_UP_SHARE:
        return rng.uniform(*QUICK_HANG_UP_S)
    return _log_normal(rng, *TALK_S)
