"""A run as the independent checker wants to see it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dialer.audit import sqlite, truth_file
from dialer.audit.check import check
from dialer.audit.evidence import Evidence
from dialer.audit.records import Account, Bounds, Command, StoreEffect
from dialer.audit.report import Violation, of_attempt
from dialer.carrier_sim.truth import Event
from dialer.simulation.operator import REVIVE
from dialer.simulation.outcome import Outcome
from dialer.simulation.scenario import Deed, Scenario
from dialer.simulation.trunk import CONNECT_S, ONE_WAY_S
from dialer.simulation.weather import Stall
from dialer.states import CampaignEvent

MS: Final = 1000
NO_CONTENT: Final = 204
#: An operator's word holds so soon, unless requests travel or daemons sleep for longer.
REACTION_MS: Final = 250

#: Which of an operator's deeds let a campaign dial, and which stop it.
MAY_DIAL: Final = {
    str(CampaignEvent.START): True,
    str(CampaignEvent.RESUME): True,
    str(Deed.ENROL): True,  # reopens a completed one
    REVIVE: True,  # so does this
    str(CampaignEvent.PAUSE): False,
    str(CampaignEvent.COMPLETE): False,
    str(CampaignEvent.CANCEL): False,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a run, and how often each promise was looked at."""

    violations: Sequence[Violation]
    checked: Mapping[str, int]


def violations(outcome: Outcome) -> Sequence[Violation]:
    """Everything that is wrong with a run."""
    return judge(outcome).violations


def judge(outcome: Outcome) -> Verdict:
    """Hold a run against every promise; so are its defects, and what never came to an end."""
    evidence = evidence_of(outcome)
    report = check(evidence)
    calls = len(evidence.calls)
    own = {"I9": calls, "acknowledged": calls, "void": calls, "defect": 1}
    return Verdict(
        violations=[
            *(Violation("I20", text) for text in _endless(outcome)),
            *(Violation("defect", text) for text in outcome.journal.defects),
            *(each for each in report.violations if each.invariant not in _not_judged(outcome)),
            *_unkept_news(outcome, evidence),
            *_called_in_spite(outcome, evidence),
            *_sent_too_late(evidence),
        ],
        checked={each.invariant.name: each.scope.checked for each in report.results} | own,
    )


def _not_judged(outcome: Outcome) -> Collection[str]:
    """A call that a sleeper makes minutes late comes beside those that took its place (I8)."""
    return {"I8"} if Stall.AT_THE_DOOR in outcome.scenario.rates else ()


def _endless(outcome: Outcome) -> Sequence[str]:
    return [outcome.broken_off] if outcome.broken_off else outcome.unfinished


def evidence_of(outcome: Outcome) -> Evidence:
    """The database a run has left behind, the carrier's own record, and what was promised."""
    scenario = outcome.scenario
    ended_at = scenario.start_at + round(outcome.took_s * MS)
    return replace(
        sqlite.read(outcome.database),
        calls=truth_file.calls_from(outcome.truth),
        commands=list(_commands(outcome)),
        store_effects=list(_store_effects(outcome)),
        account=Account(
            scenario.settings["calls_per_second"], scenario.settings.get("max_concurrent", 0)
        ),
        bounds=bounds_of(scenario),
        as_of_at=ended_at,
        over=not outcome.broken_off,
    )


def bounds_of(scenario: Scenario) -> Bounds:
    """How exact a simulated run is: requests travel, clocks are off, daemons freeze."""
    travel_ms = round((CONNECT_S[1] + ONE_WAY_S[1]) * MS)
    late_ms = travel_ms + round(_asleep_s(scenario) * MS)
    skew_s = max((abs(a.amount) for a in scenario.acts if a.deed is Deed.JUMP), default=0.0)
    skew_ms = round(skew_s * MS)
    # Daemons whose clocks differ keep one pace between them, but each by its own clock.
    apart_ms = 2 * skew_ms if scenario.daemons > 1 else 0
    return Bounds(
        skew_ms=skew_ms,
        reaction_ms=max(REACTION_MS, late_ms),
        jitter_ms=travel_ms + apart_ms,
        late_ms=late_ms + round(scenario.patience_s * MS) + apart_ms,
        claimed_ms=round(_claimed_s(scenario) * MS) + late_ms + apart_ms,
        finish_by_at=scenario.over_at,
    )


def _claimed_s(scenario: Scenario) -> float:
    """How long after its claim the carrier may accept a call."""
    settings = scenario.settings
    slot_s = float(settings["look_ahead_s"]) + scenario.check_s
    return slot_s + scenario.patience_s + float(settings["accept_bound_s"])


def _asleep_s(scenario: Scenario) -> float:
    """For how long a daemon may sleep on a request: at the door, or until the order is void."""
    if Stall.AT_THE_DOOR in scenario.rates:
        return scenario.longest_stall_s
    freezes = any(act.deed is Deed.FREEZE for act in scenario.acts)
    return scenario.patience_s if freezes or Stall.AT_A_STATEMENT in scenario.rates else 0.0


def _commands(outcome: Outcome) -> Iterator[Command]:
    ids = {campaign.name: n for n, campaign in enumerate(outcome.scenario.campaigns, 1)}
    for entry in outcome.operator_log:
        may_dial = MAY_DIAL.get(entry["deed"])
        if may_dial is not None and entry["refused"] is None:
            yield Command(ids[entry["on"]], entry["done_at"], may_dial)


def _store_effects(outcome: Outcome) -> Iterator[StoreEffect]:
    for write in outcome.writes:
        lost: Sequence[str | None] = () if write.kept else write.intents
        for attempt_id in lost or (None,):
            yield StoreEffect(write.at, write.kept, write.owner, attempt_id)


def _unkept_news(outcome: Outcome, evidence: Evidence) -> Iterator[Violation]:
    """News that was acknowledged and is not in the inbox: it was not durable when it should be."""
    kept = {(news.sid, "amd" if news.source == "amd" else news.status) for news in evidence.news}
    for event in outcome.truth:
        acknowledged = event["event"] == Event.CALLBACK and event["http"] == NO_CONTENT
        if acknowledged and (event["sid"], event["label"]) not in kept:
            text = f"{event['sid']}: {event['label']!r} was acknowledged and is not kept"
            yield Violation("acknowledged", text)


def _called_in_spite(outcome: Outcome, evidence: Evidence) -> Iterator[Violation]:
    """Calls asked for when their callee was on the do-not-call list (I9)."""
    grace_ms = evidence.bounds.reaction_ms
    listed_at = {
        entry["on"]: entry["done_at"]
        for entry in reversed(outcome.operator_log)
        if entry["deed"] == Deed.BLOCK and entry["refused"] is None
    }
    for call in evidence.calls:
        if call.arrived_at > listed_at.get(call.to, call.arrived_at) + grace_ms:
            text = f"{call.to} was called by {call.sid}, listed as not to be called by then"
            yield Violation("I9", text, call.token, call.to)


def _sent_too_late(evidence: Evidence) -> Iterator[Violation]:
    """Orders that left when they were void: so long after their slot nobody may be called."""
    latest_ms = evidence.bounds.late_ms + 2 * evidence.bounds.skew_ms  # it may jump in between
    for call, attempt in evidence.dialed:
        late_ms = call.arrived_at - attempt.send_at
        if late_ms > latest_ms:
            text = f"{call.sid} was asked for {late_ms} ms after its slot"
            yield of_attempt(attempt, "void", text)
