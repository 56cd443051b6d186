"""Every call can be explained from what is stored; a stranger can redo the decision: I17."""

from collections.abc import Iterator
from typing import Final

from dialer.audit.evidence import Evidence
from dialer.audit.hours import StoredHours, local_date
from dialer.audit.records import Attempt, Call, Campaign
from dialer.audit.report import Scope, Violation, moment, of_attempt

#: Timers are coarse: a request may leave so much before its slot.
EARLY_MS: Final = 50


def i17_every_call_is_explained(evidence: Evidence) -> Iterator[Violation]:
    """Every call has its decision on record: intent, slot, number, day, campaign and hours.

    Source: a claim writes the intent with all it took in one transaction, before the request.
    """
    unreadable = {each.id: each.name for each in evidence.schedules if not _readable(each.body)}
    daemons = {daemon.id for daemon in evidence.daemons}
    for call, attempt in evidence.dialed:
        campaign = evidence.campaign_of(attempt)
        for missing in (
            *_unexplained_time(evidence, call, attempt),
            *_unexplained_number(evidence, attempt),
            *_unexplained_campaign(evidence, campaign, unreadable),
        ):
            yield of_attempt(attempt, "I17", f"{call.sid}: {missing}")
        if attempt.owner not in daemons:
            yield of_attempt(attempt, "I17", f"{call.sid}: no daemon {attempt.owner} is known")


def explained_calls(evidence: Evidence) -> Scope:
    """The calls that can be attributed; the others are orphans (I5)."""
    return Scope(len(evidence.dialed))


def _unexplained_time(evidence: Evidence, call: Call, attempt: Attempt) -> Iterator[str]:
    latest_at = call.arrived_at + evidence.bounds.skew_ms
    if attempt.intent_at > latest_at:
        yield f"asked for before its intent of {moment(attempt.intent_at)}"
    elif attempt.send_at > latest_at + EARLY_MS:
        yield f"asked for {attempt.send_at - call.arrived_at} ms before its slot"
    if attempt.send_at < attempt.intent_at:
        yield "its slot is older than its intent"


def _unexplained_number(evidence: Evidence, attempt: Attempt) -> Iterator[str]:
    number = evidence.number_by_id.get(attempt.number_id)
    if number is None:
        yield f"there is no number {attempt.number_id}"
    elif (day := local_date(number.zone, attempt.intent_at).isoformat()) != attempt.day:
        yield f"counted for {attempt.day}, claimed on {day} in {number.zone}"


def _unexplained_campaign(
    evidence: Evidence, campaign: Campaign | None, unreadable: dict[int, str]
) -> Iterator[str]:
    if campaign is None:
        yield "its campaign is not there"
    elif campaign.schedule_id is not None and campaign.schedule_id not in evidence.schedule_by_id:
        yield f"there is no schedule {campaign.schedule_id}"
    elif campaign.schedule_id in unreadable:
        yield f"schedule {unreadable[campaign.schedule_id]!r} cannot be read"


def _readable(body: str) -> bool:
    try:
        StoredHours(body, {})
    except ValueError:
        return False
    return True
