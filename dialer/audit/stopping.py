"""What stops dialing stops it: an operator's word for a campaign or for all, I11, and a store that
keeps nothing, I16."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dialer.audit.evidence import Evidence
from dialer.audit.records import ENDED, Attempt, Call, StoreEffect
from dialer.audit.report import Scope, Violation, moment, of_attempt

_HOLD: Final = "dialing.hold"


def i11_a_pause_stops_new_calls(evidence: Evidence) -> Iterator[Violation]:
    """No call is asked for before its campaign's start, in a pause, under a hold or after its end.

    Source: the fifth promise; every request asks the store right before it leaves. A word holds
    within the reaction time after it is durable.
    """
    bounds = evidence.bounds
    stops: dict[int | None, list[_Stop]] = {}
    for stop in (*_stops(evidence), *_holds(evidence)):
        stops.setdefault(stop.campaign_id, []).append(stop)
    for call, attempt in evidence.dialed:
        at = call.arrived_at
        for stop in (*stops.get(attempt.campaign_id, ()), *stops.get(None, ())):
            after = stop.from_at is None or at > stop.from_at + bounds.reaction_ms + bounds.skew_ms
            if after and (stop.to_at is None or at < stop.to_at - bounds.skew_ms):
                yield of_attempt(
                    attempt, "I11", f"{call.sid} was asked for at {moment(at)}, {stop.why}"
                )


def calls_under_command(evidence: Evidence) -> Scope:
    """The calls that belong to a campaign."""
    notes = () if evidence.commands is not None else ("the database keeps the latest pause alone",)
    return Scope(len(evidence.dialed), notes)


def i16_a_failed_store_stops_new_calls(evidence: Evidence) -> Iterator[Violation]:
    """After the store refused a write nobody new is called until it keeps one again.

    Source: what cannot be confirmed is not sent; an intent is durable before its request. Whoever
    was claimed before may still be called, for as long as their order is good.
    """
    effects = sorted(evidence.store_effects or (), key=lambda effect: effect.at)
    lost = {effect.attempt_id for effect in effects if not effect.committed and effect.attempt_id}
    outages = list(_outages(effects))
    for call in evidence.judged:
        attempt = evidence.attempt_of(call)
        if call.token and call.token in lost:
            text = f"{call.sid} was placed although its intent was lost"
            yield Violation("I16", text, call.token, call.to)
        elif any(_within(evidence, call, attempt, outage) for outage in outages):
            text = f"{call.sid} was asked for at {moment(call.arrived_at)}, when nothing was kept"
            yield Violation("I16", text, attempt.id if attempt else call.token, call.to)


def watched_commits(evidence: Evidence) -> Scope:
    """All calls, where somebody has watched the commits."""
    if evidence.store_effects is None:
        return Scope(blind="nobody has noted which commits succeeded; simulations do")
    return Scope(len(evidence.judged))


@dataclass(frozen=True, slots=True)
class _Stop:
    """A campaign must not dial from one instant to the other; None: from ever, or for good."""

    campaign_id: int | None  # None: no campaign may
    from_at: int | None
    to_at: int | None
    why: str


@dataclass(frozen=True, slots=True)
class _Outage:
    owner: int | None
    from_at: int
    to_at: int | None


def _stops(evidence: Evidence) -> Iterator[_Stop]:
    for campaign in evidence.campaigns:
        if campaign.started_at is not None:
            yield _Stop(campaign.id, None, campaign.started_at, "before the campaign was started")
        if campaign.status == "paused" and campaign.paused_at is not None:
            why = f"paused since {moment(campaign.paused_at)}"
            yield _Stop(campaign.id, campaign.paused_at, None, why)
        if campaign.status in ENDED and campaign.ended_at is not None:
            why = f"{campaign.status} since {moment(campaign.ended_at)}"
            yield _Stop(campaign.id, campaign.ended_at, None, why)
    since: dict[int, int] = {}
    for command in sorted(evidence.commands or (), key=lambda command: command.at):
        if not command.may_dial:
            since.setdefault(command.campaign_id, command.at)
        elif (from_at := since.pop(command.campaign_id, None)) is not None:
            why = f"stopped at {moment(from_at)}"
            yield _Stop(command.campaign_id, from_at, command.at, why)
    for campaign_id, from_at in since.items():
        yield _Stop(campaign_id, from_at, None, f"stopped at {moment(from_at)}")


def _holds(evidence: Evidence) -> Iterator[_Stop]:
    """From each hold to its release; one that takes the place of another goes on with it."""
    since_at: int | None = None
    for brake in sorted(evidence.brakes, key=lambda brake: brake.id):
        if brake.action == _HOLD:
            since_at = brake.at if since_at is None else since_at
        elif since_at is not None:
            yield _Stop(None, since_at, brake.at, f"held since {moment(since_at)}")
            since_at = None
    if since_at is not None:
        yield _Stop(None, since_at, None, f"held since {moment(since_at)}")


def _outages(effects: list[StoreEffect]) -> Iterator[_Outage]:
    """From each daemon's failed commit to its next that succeeded."""
    since: dict[int | None, int] = {}
    for effect in effects:
        if not effect.committed:
            since.setdefault(effect.owner, effect.at)
        elif (from_at := since.pop(effect.owner, None)) is not None:
            yield _Outage(effect.owner, from_at, effect.at)
    yield from (_Outage(owner, from_at, None) for owner, from_at in since.items())


def _within(evidence: Evidence, call: Call, attempt: Attempt | None, outage: _Outage) -> bool:
    """Whether a call was claimed and asked for in an outage; what had left by then is let through.

    Claims and outages are told by the clock of one daemon, requests by the carrier's.
    """
    if attempt is not None and attempt.intent_at <= outage.from_at:
        return False
    if outage.owner is not None and (attempt is None or attempt.owner != outage.owner):
        return False
    bounds = evidence.bounds
    after = call.arrived_at > outage.from_at + bounds.reaction_ms + bounds.skew_ms
    return after and (outage.to_at is None or call.arrived_at < outage.to_at - bounds.skew_ms)
