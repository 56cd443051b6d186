"""What the facts come to, in words: what is in the way, what wants a decision, what to know."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dialer.amounts import counted, few
from dialer.model import WaitReason
from dialer.permission import not_active
from dialer.preflight.audience import SHORT_HOURS, Reach, Spot
from dialer.preflight.bindings import Concern
from dialer.preflight.facts import Code, Facts, Finding, Level
from dialer.preflight.pace import Bound, Pace, numbers_for
from rotation.caller import Ineligible

#: So many rules, places or numbers are named; the others are counted.
NAMED: Final = 5

_BOUND: Final = {
    Bound.CALL_INTERVAL: "the call interval",
    Bound.CALLS_PER_SECOND: "the account's calls per second",
    Bound.CALLS_AT_ONCE: "the calls at once",
}


def findings(facts: Facts) -> list[Finding]:
    """Everything there is to say, errors first."""
    found = [
        *_errors(facts),
        *_held(facts),
        *_skipped(facts),
        *_windows(facts),
        *_rules(facts),
        *_numbers(facts),
        *_settings(facts),
        *_pace(facts),
    ]
    return sorted(found, key=lambda finding: [*Level].index(finding.level))


# -- what is in the way ---------------------------------------------------------------------------


def _errors(facts: Facts) -> Iterator[Finding]:
    name, members = facts.plan.name, facts.members
    bring_in = f"dialer contacts import FILE.csv --campaign {name!r}"
    wait = not_active(facts.plan)
    if wait is not None and wait.reason is WaitReason.ENDED:
        yield _error(Code.ENDED, 0, f"the campaign is {facts.plan.status}", "dialer campaign list")
    elif members.waiting + members.under_way == 0:
        yield _error(Code.NOBODY_TO_CALL, 0, f"campaign {name!r} has nobody to call", bring_in)
    elif members.to_call + members.under_way == 0:
        yield _error(
            Code.EVERYBODY_SKIPPED,
            members.skipped,
            f"none of the {_people(members.waiting)} who wait can ever be called",
            bring_in,
        )
    if not facts.schedule_opens:
        yield _error(
            Code.SCHEDULE_CLOSED, 0, "the schedule does not open any more", "dialer schedule list"
        )
    if not facts.numbers.lasting:
        yield _error(
            Code.NO_NUMBER,
            facts.numbers.total,
            f"no number may call: {_unusable(facts)}",
            "dialer numbers list",
        )


def _unusable(facts: Facts) -> str:
    counts = facts.numbers.unusable.items()
    return ", ".join(f"{n} {_INELIGIBLE[reason]}" for reason, n in counts) or "there is none"


_INELIGIBLE: Final = {
    Ineligible.DISABLED: "disabled",
    Ineligible.EXCLUDED: "excluded by their spam score",
    Ineligible.DAILY_CAP: "at the daily cap",
    Ineligible.BUSY: "busy",
}


def _held(facts: Facts) -> Iterator[Finding]:
    if facts.held is not None:
        yield _warning(
            Code.HELD,
            0,
            f"everything is held ({facts.held}): nobody is called until it is released",
            "dialer resume --all",
        )


# -- who is skipped -------------------------------------------------------------------------------


def _skipped(facts: Facts) -> Iterator[Finding]:
    name, members = facts.plan.name, facts.members
    if members.do_not_call:
        text = f"{_are(members.do_not_call)} not called because of the do-not-call list"
        yield _info(Code.DO_NOT_CALL, members.do_not_call, text)
    if members.zone_unknown:
        yield _warning(
            Code.ZONE_UNKNOWN,
            members.zone_unknown,
            f"{_are(members.zone_unknown)} skipped: nobody knows what time it is where they are",
            f"dialer campaign check {name!r} --zones-unknown zones.csv,"
            " fill in the time zones, then: dialer contacts import zones.csv",
        )
    if members.never_open:
        yield _warning(
            Code.NEVER_OPEN,
            members.never_open,
            f"{_are(members.never_open)} skipped: rules and schedule together never let them be"
            f" called ({_places(facts.at_spots(Reach.NEVER_OPEN))})",
            "dialer rules check PHONE",
        )
    if members.capped:
        yield _info(
            Code.CALLEE_CAPS,
            members.capped,
            f"{_have(members.capped)} had as many calls as may be and will be called later",
        )
    if done := sum(members.done.values()):
        states = ", ".join(f"{count:,} {state}" for state, count in members.done.items())
        yield _info(Code.DONE, done, f"{_are(done)} done already: {states}")


# -- when they may be called ----------------------------------------------------------------------


def _windows(facts: Facts) -> Iterator[Finding]:
    short = [spot for spot in facts.spots if spot.is_short]
    if short:
        people = _members(short)
        yield _warning(
            Code.SHORT_WINDOW,
            people,
            f"for {_people(people)} schedule and rules leave less than {SHORT_HOURS:g} hours a day"
            f" ({_places(short)})",
            "dialer schedule list",
        )
    if night := [spot for spot in facts.spots if spot.is_always_open]:
        people = _members(night)
        yield _warning(
            Code.ANY_HOUR,
            people,
            f"{_people(people)} may be called at any hour, at night too ({_places(night)})",
            "dialer rules list",
        )


def _places(found: Sequence[Spot]) -> str:
    return few([spot.place.key for spot in found], NAMED)


def _members(found: Iterable[Spot]) -> int:
    return sum(spot.members for spot in found)


# -- the rules ------------------------------------------------------------------------------------


def _rules(facts: Facts) -> Iterator[Finding]:
    found = facts.bindings
    if found.binding:
        yield _info(Code.RULES, _most(found.binding), f"rules that bind: {_ids(found.binding)}")
    if found.no_law_found:
        yield _warning(
            Code.NO_LAW_FOUND,
            _most(found.no_law_found),
            f"no law was found for {_where(found.no_law_found)}: the hours there are a careful"
            " choice, not the law; look it up and decide",
            _decide(found.no_law_found),
        )
    if found.low_confidence:
        yield _warning(
            Code.LOW_CONFIDENCE,
            _most(found.low_confidence),
            f"could not be verified: {_ids(found.low_confidence)}; look it up and decide",
            _decide(found.low_confidence),
        )
    for each in found.switched_off:
        text = f"rule {each.rule.id} is switched off: {each.off_because}"
        yield _info(Code.RULE_OFF, each.members, text, f"dialer rules on '{each.rule.id}'")
    for each in found.hints:
        yield _info(
            Code.SCOPED_RULE,
            each.members,
            f"rule {each.rule.id} is about {each.rule.scope} calls, as these may be, and is not"
            " in force; this is a hint and not legal advice",
            f"dialer rules show {each.rule.id}",
        )


def _decide(concerns: Sequence[Concern]) -> str:
    region = concerns[0].regions[0] if concerns[0].regions else "*"
    return f"dialer rules add '{region}' --hours TEXT --note SOURCE"


def _where(concerns: Sequence[Concern]) -> str:
    regions = dict.fromkeys(region for each in concerns for region in each.regions)
    return few([*regions] or ["places nobody knows"], NAMED)


def _ids(concerns: Sequence[Concern]) -> str:
    return few([f"{each.rule.id} ({each.members:,})" for each in concerns], NAMED)


def _most(concerns: Sequence[Concern]) -> int:
    """How many people at least: several rules may be about the same."""
    return max(each.members for each in concerns)


# -- the numbers ----------------------------------------------------------------------------------


def _numbers(facts: Facts) -> Iterator[Finding]:
    pool = facts.numbers
    if excluded := pool.unusable.get(Ineligible.EXCLUDED, 0):
        yield _warning(
            Code.NUMBERS_EXCLUDED,
            excluded,
            f"{excluded} of {pool.total} numbers excluded by their spam score",
            "dialer numbers list",
        )
    if disabled := pool.unusable.get(Ineligible.DISABLED, 0):
        text = f"{disabled} of {pool.total} numbers disabled by hand"
        yield _info(Code.NUMBERS_DISABLED, disabled, text, "dialer numbers enable PHONE")
    if at_cap := pool.unusable.get(Ineligible.DAILY_CAP, 0):
        yield _info(
            Code.NUMBERS_AT_CAP, at_cap, f"{at_cap} of {pool.total} numbers at their daily cap"
        )
    if pool.not_owned:
        yield _warning(
            Code.NUMBERS_NOT_OWNED,
            len(pool.not_owned),
            f"the carrier's account does not own {few(pool.not_owned, NAMED)}",
            "dialer numbers sync",
        )
    pace, days = facts.pace, facts.deployment.within_days
    if pace.people and pool.lasting:
        least, most = (numbers_for(calls, days) for calls in (pace.least, pace.most))
        yield _info(
            Code.NUMBER_CAPS,
            pool.lasting,
            f"{counted(pool.lasting, 'number')} at {pace.daily_cap} calls a day: {_days(facts)};"
            f" {_range(least, most)} would make it in {counted(days, 'day')}",
        )


def _days(facts: Facts) -> str:
    """How many days the caps make of the calls, at the least and at the most."""
    pace, numbers = facts.pace, facts.numbers.lasting
    least, most = (math.ceil(c.number_days / numbers) for c in (pace.least, pace.most))
    return f"at least {_range(least, most)} {'day' if most == 1 else 'days'}"


# -- settings -------------------------------------------------------------------------------------


def _settings(facts: Facts) -> Iterator[Finding]:
    plan, deployment = facts.plan, facts.deployment
    if deployment.carrier_trouble:
        yield _warning(
            Code.CARRIER_NOT_SET_UP,
            0,
            f"{deployment.carrier_trouble}, as far as this command can see",
            "set them for the daemon, too",
        )
    for name, count in facts.unfilled.items():
        yield _warning(
            Code.PLACEHOLDER_EMPTY,
            count,
            f"{{{{{name}}}}} is empty for {_people(count)}: nothing will be said in its place",
            f"dialer contacts import FILE.csv --campaign {plan.name!r}",
        )
    if not facts.anybody_listed:
        yield _warning(
            Code.NO_DO_NOT_CALL_LIST,
            0,
            "nobody at all is on the do-not-call list; bring yours in",
            "dialer dnc import FILE.csv",
        )
    if not facts.has_schedule:
        yield _info(Code.NO_SCHEDULE, 0, "no schedule: the campaign itself is always open")
    check = "is asked before every call" if deployment.pre_dial_check else "is not set"
    yield _info(Code.PRE_DIAL_CHECK, 0, f"a check of your own {check}")


# -- the pace -------------------------------------------------------------------------------------


def _pace(facts: Facts) -> Iterator[Finding]:
    pace = facts.pace
    if not pace.people:
        return
    yield _info(
        Code.PACE,
        pace.people,
        f"{_range(pace.least.calls, pace.most.calls)} calls to {_people(pace.people)}, one every"
        f" {pace.spacing_s:.3g} s at the quickest ({_BOUND[pace.bound]}):"
        f" {_hours(pace.least.hours)} to {_hours(pace.most.hours)} of dialing{_expected(pace)};"
        f" {pace.open_hours_a_week:.3g} hours a week are open{_weeks(pace)}",
        f"dialer forecast {facts.plan.name!r}",
    )


def _expected(pace: Pace) -> str:
    calls = pace.expected
    return "" if calls is None else f", about {_hours(calls.hours)} if it goes on as so far"


def _weeks(pace: Pace) -> str:
    weeks = pace.most.weeks
    if weeks is None:
        return ""
    return (
        ", enough within a week"
        if weeks <= 1
        else f", so it may take {_figure(weeks)} weeks or more"
    )


def _hours(hours: float) -> str:
    minutes = math.ceil(hours * 60)
    return counted(minutes, "minute") if minutes < 120 else f"{_figure(hours)} hours"


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


# -- words ----------------------------------------------------------------------------------------


def _error(code: Code, count: int, text: str, cure: str) -> Finding:
    return Finding(Level.ERROR, code, count, text, cure)


def _warning(code: Code, count: int, text: str, cure: str) -> Finding:
    return Finding(Level.WARNING, code, count, text, cure)


def _info(code: Code, count: int, text: str, cure: str = "") -> Finding:
    return Finding(Level.INFO, code, count, text, cure)


def _people(count: int) -> str:
    return counted(count, "contact")


def _are(count: int) -> str:
    return f"{_people(count)} {'is' if count == 1 else 'are'}"


def _have(count: int) -> str:
    return f"{_people(count)} {'has' if count == 1 else 'have'}"


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
