"""Scenarios drawn from seeds.

Every part draws from a stream of its own, so that a further draw in one part leaves the scenarios
of all seeds as they are in the others. Faults are drawn by swarm: each kind is absent, rare or
frequent for a whole run, so that no kind hides behind another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.faults import Fault
from dialer.carrier_sim.profiles import PROFILES, SCRIPTED
from dialer.model import AmdMode, OnMachine
from dialer.simulation.scenario import REGIONS, Act, Campaign, Deed, Rule, Scenario
from dialer.simulation.spells import opening_spells
from dialer.simulation.weather import CheckFault, DiskFault, Stall, WireFault
from rotation.strategies import Strategy

MS: Final = 1000

#: The end of the day in New York, where the numbers live.
EVE: Final = datetime(2026, 1, 6, 4, 40, tzinfo=UTC)
#: A plain Monday afternoon, that eve, and the minutes before clocks change in New York and Berlin,
#: forward and back.
STARTS: Final = (
    datetime(2026, 1, 5, 15, 0, tzinfo=UTC),
    EVE,
    datetime(2026, 3, 8, 6, 50, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 50, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 50, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 50, tzinfo=UTC),
)
ZONES: Final = ("UTC", "America/New_York", "Europe/Berlin")

#: The share of requests, callbacks or statements that meet each kind of fault when it is frequent.
FREQUENT: Final[Mapping[str, float]] = {
    Fault.REFUSE_429: 0.2,
    Fault.ERROR_BEFORE: 0.15,
    Fault.SLOW_ACCEPT: 0.2,
    Fault.ERROR_AFTER: 0.15,
    Fault.DROP_AFTER: 0.15,
    Fault.LOST: 0.9,
    Fault.LATE: 0.2,
    Fault.DUPLICATE: 0.4,
    Fault.REORDERED: 0.4,
    Fault.SLOW_LIST: 0.5,
    WireFault.UNREACHABLE: 0.2,
    WireFault.HALF_ANSWER: 0.15,
    WireFault.REFUSE_NUMBER: 0.05,
    WireFault.REFUSE_DESTINATION: 0.05,
    WireFault.REFUSE_ACCOUNT: 0.05,
    WireFault.REFUSE_OTHER: 0.1,
    WireFault.ASK_FAILED: 0.3,
    WireFault.NOT_KNOWN_YET: 0.3,
    DiskFault.BUSY: 0.05,
    DiskFault.FULL: 0.01,
    DiskFault.IO_ERROR: 0.005,
    Stall.AT_A_STATEMENT: 0.001,
}
#: The same for questions to an operator's check, in runs that have one.
FREQUENT_CHECK_FAULTS: Final[Mapping[str, float]] = {
    CheckFault.SLOW: 0.5,
    CheckFault.FAILED: 0.3,
    CheckFault.NEVER: 0.1,
    CheckFault.LATER: 0.3,
}
#: So many runs have no such check, and of the others so many call nobody without its answer.
UNCHECKED_SHARE: Final = 0.6
FAIL_CLOSED_SHARE: Final = 0.8
RARE_SHARE: Final = 0.2
#: How often a kind is absent, rare or frequent in a run.
SWARM: Final = (0.5, 0.25, 0.25)

#: So often everybody who is done is called again by hand, in runs in which that is done.
RETRY_STORMS: Final = (0, 1, 3, 12)

#: In so many runs some regions have hours or caps of their own, or the campaigns have narrow caps.
RULED_SHARE: Final = 0.4
CAPPED_SHARE: Final = 0.25
#: Caps that a run can live through: everybody has had all their calls within the calm.
CAPS: Final = ("1/2m", "1/5m", "2/5m")

#: First calls are made within a time like these, in seconds; so deeds are done early, mostly.
BUSY_S: Final = (30.0, 8.0)
#: Two daemons may not differ by more than a minute (A5).
FURTHEST_JUMP_S: Final = 25.0


def scenario(seed: int) -> Scenario:
    """The scenario of *seed*; the same in every process and on every machine."""
    shape = stream(seed, "shape")
    day = shape.choice(STARTS)
    start_at = int((day + timedelta(seconds=shape.randrange(600))).timestamp() * MS)
    storm_s = shape.choice((60.0, 150.0, 300.0))
    daemons = shape.choice((1, 1, 2))
    settings = _settings(stream(seed, "settings"))
    phones = _phones(stream(seed, "people"))
    numbers = [f"+1646555{1000 + i}" for i in range(shape.randint(1, 4))]
    campaigns = _campaigns(stream(seed, "campaigns"), len(phones), len(numbers), start_at)
    counts = {
        "campaigns": len(campaigns),
        "people": len(phones),
        "numbers": len(numbers),
        "daemons": daemons,
    }
    drawn = Scenario(
        seed=seed,
        start_at=start_at,
        profile=shape.choice(sorted(PROFILES)),
        phones=phones,
        numbers=numbers,
        campaigns=_scarce(campaigns, len(phones)) if day is EVE else campaigns,
        daemons=daemons,
        settings=settings,
        fallback_s=shape.choice((5.0, 20.0, 20.0)),
        carrier_cps=100.0,
        list_lag_s=shape.choice((0.0, 5.0, settings["list_bound_s"] * 0.9)),
        rates=_rates(stream(seed, "rates")),
        longest_stall_s=_longest_stall_s(settings),
        kills=shape.choice((0, 1, 3, 6)),
        effects_between_kills=shape.choice((60, 300, 1200)),
        acts=_acts(stream(seed, "acts"), storm_s, counts),
        storm_s=storm_s,
    )
    drawn = _checked(_retried(drawn, stream(seed, "retries")), stream(seed, "check"))
    drawn = _capped(_ruled(drawn, stream(seed, "rules")), stream(seed, "caps"))
    drawn = _braked(drawn, stream(seed, "brake"))
    return shape.choices((_steady, _unsteady, _asleep), (5, 4, 1))[0](drawn)


def _checked(drawn: Scenario, rng: Random) -> Scenario:
    """With an operator's check before calls, or without one."""
    if rng.random() < UNCHECKED_SHARE:
        return drawn
    settings = {
        **drawn.settings,
        "pre_dial_check": "entry:simulated",
        "pre_dial_timeout_s": rng.choice((0.5, 2.0)),
        "pre_dial_fail_closed": rng.random() < FAIL_CLOSED_SHARE,
        "pre_dial_at_once": rng.choice((1, 4, 16)),
    }
    return replace(
        drawn,
        settings=settings,
        rates=drawn.rates | _rates(rng, FREQUENT_CHECK_FAULTS),
        longest_stall_s=_longest_stall_s(settings),
    )


def _ruled(drawn: Scenario, rng: Random) -> Scenario:
    """With rules of the operator's own, and emergency stops for whole regions."""
    rules = [
        Rule(
            region,
            hours=opening_spells(rng, drawn.start_at, zone_name),
            caps=rng.choice(((), (rng.choice(CAPS),))),
        )
        for region, zone_name in REGIONS.items()
        if rng.random() < RULED_SHARE
    ]
    stops = [
        Act(round(at_s, 3), deed, rng.randrange(len(REGIONS)))
        for deed in (Deed.CLOSE, Deed.REOPEN)
        for at_s in _moments(rng, drawn.storm_s, rng.choice((0, 0, 1, 2)))
    ]
    acts = sorted([*drawn.acts, *stops], key=lambda act: act.at_s)
    return replace(drawn, rules=[each for each in rules if each.hours or each.caps], acts=acts)


def _braked(drawn: Scenario, rng: Random) -> Scenario:
    """With an operator who pulls the brake for everything, and releases it, or without one."""
    deeds = (Deed.HOLD, Deed.HANG_UP, Deed.RELEASE)
    most = rng.choice((0, 0, 1, 3))
    brakes = [
        Act(round(at_s, 3), deed, 0)
        for deed in deeds
        for at_s in _moments(rng, drawn.storm_s, most)
    ]
    return replace(drawn, acts=sorted([*drawn.acts, *brakes], key=lambda act: act.at_s))


def _retried(drawn: Scenario, rng: Random) -> Scenario:
    """With an operator who has everybody called again who is done or has failed, or without."""
    count = rng.choices(RETRY_STORMS, (6, 1, 1, 1))[0]
    again = [
        Act(round(rng.uniform(0.0, drawn.storm_s), 3), Deed.RETRY, on)
        for on in (rng.randrange(len(drawn.campaigns)) for _ in range(count))
    ]
    return replace(drawn, acts=sorted([*drawn.acts, *again], key=lambda act: act.at_s))


def _moments(rng: Random, storm_s: float, count: int) -> list[float]:
    return [rng.uniform(0.0, rng.choice((storm_s, *BUSY_S))) for _ in range(count)]


def _capped(drawn: Scenario, rng: Random) -> Scenario:
    """With caps per callee that some will not have left behind when the run is over, or without."""
    if rng.random() >= CAPPED_SHARE:
        return drawn
    campaigns = [
        replace(each, fields={**each.fields, "callee_calls_per_day": rng.choice((1, 2, 3))})
        for each in drawn.campaigns
    ]
    return replace(drawn, campaigns=campaigns)


def _steady(drawn: Scenario) -> Scenario:
    """With true clocks and daemons that are awake: what happens when can be judged sharply."""
    acts = [act for act in drawn.acts if act.deed not in (Deed.FREEZE, Deed.JUMP)]
    return replace(drawn, acts=acts, rates=_without_stalls(drawn))


def _unsteady(drawn: Scenario) -> Scenario:
    """With clocks that are off, and daemons that fall asleep wherever they are."""
    return drawn


def _asleep(drawn: Scenario) -> Scenario:
    """With daemons that fall asleep between their last look and the socket (A4).

    Such a call comes when it comes, so no campaign and no region has hours.
    """
    rules = [replace(rule, hours=None) for rule in drawn.rules if rule.caps]
    campaigns = [replace(campaign, hours=None) for campaign in drawn.campaigns]
    rates = drawn.rates | {Stall.AT_THE_DOOR.value: 0.25}
    return replace(drawn, campaigns=campaigns, rules=rules, rates=rates)


def _without_stalls(drawn: Scenario) -> dict[str, float]:
    return {kind: rate for kind, rate in drawn.rates.items() if kind != Stall.AT_A_STATEMENT}


def _settings(rng: Random) -> dict[str, Any]:
    return {
        "calls_per_second": rng.choice((0, 1, 2, 10)),
        "max_concurrent": rng.choice((0, 0, 2, 5)),
        "call_time_limit_s": rng.choice((60, 300, 1800)),
        "request_timeout_s": rng.choice((3.0, 10.0)),
        "accept_bound_s": rng.choice((12.0, 30.0)),
        "list_bound_s": rng.choice((20.0, 60.0)),
        "quarantine_s": rng.choice((60.0, 120.0, 300.0)),
        "requests_at_once": rng.choice((1, 4, 32)),
        "lease_s": rng.choice((15.0, 40.0)),
        "patience_s": 3.0,
        "look_ahead_s": rng.choice((0.1, 0.5, 3.0)),
        "control_poll_s": rng.choice((2.0, 8.0)),
        "sweep_s": rng.choice((5.0, 15.0)),
        "explain_s": rng.choice((30.0, 300.0)),
        "drain_timeout_s": rng.choice((0.0, 5.0, 120.0)),
        "busy_timeout_s": rng.choice((1.0, 10.0)),
    }


def _longest_stall_s(settings: Mapping[str, Any]) -> float:
    """How long a daemon may sleep with a request in hand (A4): by the end of the quarantine the
    request has left and the carrier has accepted it, or never will."""
    bounds = ("look_ahead_s", "patience_s", "accept_bound_s")
    checked_s = 2 * settings.get("pre_dial_timeout_s", 0.0)
    return float(settings["quarantine_s"] - sum(settings[bound] for bound in bounds) - checked_s)


def _phones(rng: Random) -> list[str]:
    people = [f"+1{rng.choice((202, 303, 415))}{5550100 + i}" for i in range(rng.randint(2, 9))]
    known = rng.sample(sorted(SCRIPTED), rng.randint(0, 4))
    return sorted({*people, *known})


def _campaigns(rng: Random, people: int, numbers: int, start_at: int) -> list[Campaign]:
    everybody = list(range(people))
    return [
        Campaign(
            name=f"Campaign {index + 1}",
            people=sorted(rng.sample(everybody, rng.randint(1, people))),
            numbers=sorted(rng.sample(range(numbers), rng.randint(1, numbers))),
            zone=(zone_name := rng.choice(ZONES)),
            hours=opening_spells(rng, start_at, zone_name),
            fields=_fields(rng),
        )
        for index in range(rng.choice((1, 1, 1, 2, 2, 3)))
    ]


def _scarce(campaigns: Sequence[Campaign], people: int) -> list[Campaign]:
    """With daily caps that hold everybody up today, and can be lived with tomorrow."""
    calls = sum(people * (1 + campaign.fields["max_retries"]) for campaign in campaigns)
    return [
        replace(campaign, fields={**campaign.fields, "max_calls_per_day": max(2, calls * 2 // 3)})
        for campaign in campaigns
    ]


def _fields(rng: Random) -> dict[str, Any]:
    return {
        "strategy": rng.choice(sorted(Strategy)),
        "spam_threshold": rng.choice((5.0, 7.0)),
        "stay_on_number": rng.random() < 0.5,
        "call_interval_s": rng.choice((0.0, 0.0, 1.0, 10.0)),
        "max_concurrent": rng.choice((1, 2, 4, 10)),
        "ring_timeout_s": rng.choice((10, 25, 30)),
        "amd": rng.choice((AmdMode.CARRIER, AmdMode.OFF)),  # no words travel in this world
        "on_machine": rng.choice(sorted(OnMachine)),
        "max_retries": rng.choice((0, 1, 2)),
        "retry_intervals_s": (rng.choice((20, 60, 120)),),
        "completion_timeout_s": rng.choice((0, 5, 30)),
        # A run is over within hours, and most people are to be done by then.
        "callee_calls_per_day": 100,
        "callee_calls_per_week": 100,
    }


def _rates(rng: Random, frequent: Mapping[str, float] = FREQUENT) -> dict[str, float]:
    levels = (0.0, RARE_SHARE, 1.0)
    rates = {str(kind): most * rng.choices(levels, SWARM)[0] for kind, most in frequent.items()}
    return {kind: rate for kind, rate in rates.items() if rate}


def _acts(rng: Random, storm_s: float, counts: Mapping[str, int]) -> Sequence[Act]:
    kinds: Sequence[tuple[Deed, str, float, float, int]] = (
        # (deed, on one of these, least and most amount, at most so often)
        (Deed.PAUSE, "campaigns", 0.0, 0.0, 5),
        (Deed.RESUME, "campaigns", 0.0, 0.0, 5),
        (Deed.COMPLETE, "campaigns", 0.0, 0.0, 1),
        (Deed.CANCEL, "campaigns", 0.0, 0.0, 1),
        (Deed.ENROL, "campaigns", 0.0, 0.0, 1),
        (Deed.BLOCK, "people", 0.0, 0.0, 3),
        (Deed.DISABLE, "numbers", 0.0, 0.0, 1),
        (Deed.ENABLE, "numbers", 0.0, 0.0, 1),
        (Deed.SCORE, "numbers", 0.0, 10.0, 2),
        (Deed.STOP, "daemons", 0.0, 0.0, 2),
        (Deed.KILL, "daemons", 0.0, 0.0, 2),
        (Deed.FREEZE, "daemons", 1.0, storm_s / 2, 2),
        (Deed.JUMP, "daemons", -FURTHEST_JUMP_S, FURTHEST_JUMP_S, 3),
    )
    acts = [
        Act(
            at_s=round(rng.uniform(0.0, rng.choice((storm_s, *BUSY_S))), 3),
            deed=deed,
            on=rng.randrange(counts[what]),
            amount=round(rng.uniform(least, most), 3),
        )
        for deed, what, least, most, often in kinds
        for _ in range(rng.choice((0, rng.randint(0, often))))
    ]
    return sorted(acts, key=lambda act: act.at_s)
