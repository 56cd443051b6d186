"""A run as the independent checker wants to see it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dialer.audit import sqlite, truth_file
from dialer.audit.check import check
from dialer.audit.evidence import Evidence
from dialer.audit.records import Account, Bounds, Command
from dialer.audit.report import Violation
from dialer.carrier_sim.truth import Event
from dialer.simulation.outcome import Outcome
from dialer.simulation.scenario import Deed, Scenario
from dialer.simulation.trunk import CONNECT_S, ONE_WAY_S
from dialer.simulation.weather import Stall
from dialer.states import CampaignEvent

MS: Final = 1000
NO_CONTENT: Final = 204

#: Which of an operator's deeds let a campaign dial, and which stop it.
MAY_DIAL: Final = {
    str(CampaignEvent.START): True,
    str(CampaignEvent.RESUME): True,
    str(Deed.ENROL): True,  # reopens a completed one
    str(CampaignEvent.PAUSE): False,
    str(CampaignEvent.COMPLETE): False,
    str(CampaignEvent.CANCEL): False,
}


def violations(outcome: Outcome) -> list[Violation]:
    """Everything that is wrong with a run: promises broken, defects met, ends never reached."""
    evidence = evidence_of(outcome)
    return [
        *check(evidence).violations,
        *_unkept_news(outcome, evidence),
        *(Violation("defect", text) for text in outcome.journal.defects),
        *(Violation("I20", text) for text in outcome.unfinished),
    ]


def evidence_of(outcome: Outcome) -> Evidence:
    """The database a run has left behind, the carrier's own record, and what was promised."""
    scenario = outcome.scenario
    ended_at = scenario.start_at + round(outcome.took_s * MS)
    return replace(
        sqlite.read(outcome.database),
        calls=truth_file.calls_from(outcome.truth),
        commands=list(_commands(outcome)),
        account=Account(scenario.settings["calls_per_second"], scenario.settings["max_concurrent"]),
        bounds=bounds_of(scenario),
        as_of_at=ended_at,
        over=True,
    )


def bounds_of(scenario: Scenario) -> Bounds:
    """How exact a simulated run is: requests travel, clocks are off, daemons freeze."""
    travel_ms = round((CONNECT_S[1] + ONE_WAY_S[1]) * MS)
    late_ms = travel_ms + round(_asleep_s(scenario) * MS)
    skew_s = max((abs(a.amount) for a in scenario.acts if a.deed is Deed.JUMP), default=0.0)
    return Bounds(
        skew_ms=round(skew_s * MS),
        reaction_ms=max(250, late_ms),
        jitter_ms=late_ms,
        late_ms=late_ms + round(scenario.patience_s * MS),
        finish_by_at=scenario.start_at + round((scenario.storm_s + scenario.calm_s) * MS),
    )


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


def _unkept_news(outcome: Outcome, evidence: Evidence) -> Iterator[Violation]:
    """News that was acknowledged and is not in the inbox: it was not durable when it should be."""
    kept = {(news.sid, "amd" if news.source == "amd" else news.status) for news in evidence.news}
    for event in outcome.truth:
        acknowledged = event["event"] == Event.CALLBACK and event["http"] == NO_CONTENT
        if acknowledged and (event["sid"], event["label"]) not in kept:
            text = f"{event['sid']}: {event['label']!r} was acknowledged and is not kept"
            yield Violation("acknowledged", text)
