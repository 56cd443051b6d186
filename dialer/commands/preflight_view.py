"""What a preflight has found, as people and as programs read it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from dialer.commands.console import iso, moment, say, table

if TYPE_CHECKING:
    from dialer.preflight.audience import Span, Spot
    from dialer.preflight.bindings import Concern
    from dialer.preflight.facts import Facts, Finding, Report
    from dialer.preflight.pace import Calls

#: So many places are shown; JSON has them all.
SHOWN: Final = 20


# -- as people read it ----------------------------------------------------------------------------


def show(report: "Report") -> None:
    """All of it, on standard output."""
    facts = report.facts
    typer.echo(f"{facts.plan.name}  {facts.plan.status}  as of {moment(facts.at)}")
    typer.echo(_summary(facts))
    typer.echo("")
    for finding in report.findings:
        typer.echo(f"{finding.level:<8} {finding.text}")
        if finding.cure:
            typer.echo(f"{'':<8} next:  {finding.cure}")
    if not facts.spots:
        return
    typer.echo("")
    table(
        ["people", "where", f"open today ({facts.zone})", "hours a week", "now"],
        [
            [
                spot.members,
                spot.window_key or "not worked out",
                _spans(spot.today, facts.zone),
                f"{spot.hours_a_week:.3g}",
                _now(spot),
            ]
            for spot in facts.spots[:SHOWN]
        ],
    )
    if len(facts.spots) > SHOWN:
        say(f"the first {SHOWN} of {len(facts.spots)} places; --json has them all")


def show_briefly(report: "Report") -> None:
    """What somebody who starts the campaign should not miss, on standard error."""
    from dialer.preflight.facts import Level

    say(_summary(report.facts))
    for finding in report.findings:
        if finding.level is not Level.INFO:
            say(f"{finding.level}: {finding.text}")
    say(f"all of it:  dialer campaign check {report.facts.plan.name!r}")


def _summary(facts: "Facts") -> str:
    members = facts.members
    text = f"{members.to_call:,} of {members.total:,} contacts will be called"
    if members.skipped:
        text += f", {members.skipped:,} will be skipped"
    if facts.next_at is None:
        return text
    first = "now" if facts.next_at <= facts.at else moment(facts.next_at)
    return f"{text}; it is open for {facts.open_now:,} now, the first may be called {first}"


def _now(spot: "Spot") -> str:
    if spot.opens_at is None:
        return spot.reach.value.replace("_", " ")
    return "open" if spot.open_now else f"from {moment(spot.opens_at)}"


def _spans(spans: "Sequence[Span]", zone_name: str) -> str:
    return " ".join(
        "-".join(_clock(at, zone_name, end=at == to) for at in (of, to)) for of, to in spans
    )


def _clock(at: int, zone_name: str, *, end: bool) -> str:
    from dialer.timezones import zone

    text = datetime.fromtimestamp(at / 1000, zone(zone_name)).strftime("%H:%M")
    return "24:00" if end and text == "00:00" else text


# -- as programs read it --------------------------------------------------------------------------


def as_json(report: "Report") -> dict[str, Any]:
    """All of it; names stay what they are."""
    facts = report.facts
    members, numbers = facts.members, facts.numbers
    return {
        "campaign": facts.plan.name,
        "id": facts.plan.id,
        "status": facts.plan.status,
        "at": iso(facts.at),
        "zone": facts.zone,
        "next_at": iso(facts.next_at),
        "open_now": facts.open_now,
        "members": {
            "total": members.total,
            "done": dict(members.done),
            "under_way": members.under_way,
            "to_call": members.to_call,
            "capped": members.capped,
            "do_not_call": members.do_not_call,
            "zone_unknown": members.zone_unknown,
            "never_open": members.never_open,
        },
        "places": [_spot(spot) for spot in facts.spots],
        "rules": {
            "binding": [_concern(each) for each in facts.bindings.binding],
            "no_law_found": [_concern(each) for each in facts.bindings.no_law_found],
            "low_confidence": [_concern(each) for each in facts.bindings.low_confidence],
            "switched_off": [_concern(each) for each in facts.bindings.switched_off],
            "hints": [_concern(each) for each in facts.bindings.hints],
        },
        "pace": _pace(facts),
        "numbers": {
            "total": numbers.total,
            "usable": numbers.usable,
            "unusable": {reason.value: count for reason, count in numbers.unusable.items()},
            "not_owned": None if numbers.not_owned is None else [*numbers.not_owned],
        },
        "placeholders_empty": dict(facts.unfilled),
        "findings": [_finding(each) for each in report.findings],
    }


def _spot(spot: "Spot") -> dict[str, Any]:
    return {
        "regions": [*spot.place.regions],
        "zones": [*spot.place.zones],
        "members": spot.members,
        "reach": spot.reach,
        "open_now": spot.open_now,
        "open_today": [[iso(opens_at), iso(closes_at)] for opens_at, closes_at in spot.today],
        "open_hours_a_week": round(spot.hours_a_week, 3),
        "next_at": iso(spot.opens_at),
    }


def _concern(each: "Concern") -> dict[str, Any]:
    return {
        "rule": each.rule.id,
        "members": each.members,
        "regions": [*each.regions],
        "confidence": each.rule.confidence,
        "law_found": each.rule.law_found,
        "scope": each.rule.scope,
        "off_because": each.off_because,
    }


def _pace(facts: "Facts") -> dict[str, Any]:
    pace, days = facts.pace, facts.deployment.within_days
    return {
        "seconds_between_calls": round(pace.spacing_s, 3),
        "bound_by": pace.bound,
        "seconds_a_call": round(pace.held_s, 3),
        "seconds_a_call_known": pace.is_held_known,
        "open_hours_a_week": round(pace.open_hours_a_week, 3),
        "least": _calls(pace.least, days),
        "most": _calls(pace.most, days),
        "expected": None if pace.expected is None else _calls(pace.expected, days),
        "within_days": days,
    }


def _calls(calls: "Calls", days: int) -> dict[str, Any]:
    from dialer.preflight.pace import numbers_for

    return {
        "calls": calls.calls,
        "hours": round(calls.hours, 3),
        "weeks": None if calls.weeks is None else round(calls.weeks, 3),
        "number_days": round(calls.number_days, 3),
        "numbers_needed": numbers_for(calls, days),
    }


def _finding(each: "Finding") -> dict[str, Any]:
    return {
        "level": each.level,
        "code": each.code,
        "count": each.count,
        "text": each.text,
        "cure": each.cure or None,
    }
