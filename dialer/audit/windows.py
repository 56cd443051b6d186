"""Calls keep to the hours of their campaign, and of where the callee is: I4."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import product

from dialer.audit.callee_windows import (
    callees_are_called_in_their_hours,
    changed_rules_hold_at_once,
    rules_unknown,
)
from dialer.audit.evidence import Evidence
from dialer.audit.hours import PublicHolidays, StoredHours, local_date
from dialer.audit.records import Campaign
from dialer.audit.report import Scope, Violation, moment, of_attempt


def i4_calls_keep_to_the_hours(evidence: Evidence) -> Iterator[Violation]:
    """Calls are accepted and ring when it is open for their campaign and where the callee is.

    Source: the third promise. The hours are worked out anew from the stored schedule and from the
    stored rules; before a campaign's start it is closed.
    """
    yield from _campaigns_keep_their_hours(evidence)
    yield from callees_are_called_in_their_hours(evidence)
    yield from changed_rules_hold_at_once(evidence)


def _campaigns_keep_their_hours(evidence: Evidence) -> Iterator[Violation]:
    """Calls are accepted and ring within the hours of their campaign, and not before its start."""
    windows = _windows(evidence)
    for call, attempt in evidence.dialed:
        campaign = evidence.campaign_of(attempt)
        if campaign is None:
            continue
        for what, at in (("accepted", call.accepted_at), ("ringing", call.ringing_at)):
            if at is not None and (why := _closed(evidence, campaign, windows, at)):
                yield of_attempt(attempt, "I4", f"{call.sid} to {call.to} was {what} {why}")


def calls_with_hours(evidence: Evidence) -> Scope:
    """The calls of campaigns whose hours can be worked out."""
    windows = _windows(evidence)
    campaigns = {campaign.id: campaign for campaign in evidence.campaigns}
    timed, unknown, always = 0, 0, 0
    for _, attempt in evidence.dialed:
        campaign = campaigns.get(attempt.campaign_id)
        if campaign is None or (campaign.schedule_id and campaign.schedule_id not in windows):
            unknown += 1
        elif campaign.schedule_id is None:
            always += 1
        else:
            timed += 1
    notes = ["by the schedules as they are stored now"] if timed else []
    if always:
        notes.append(f"{always} calls of campaigns without a schedule, which are always open")
    if unknown:
        notes.append(f"{unknown} calls whose schedule or calendar cannot be read")
    return Scope(timed + always, [*notes, *rules_unknown(evidence)])


def calendars_needed(evidence: Evidence) -> set[tuple[str, int]]:
    """The calendar codes and years whose public holidays the judged calls may depend on."""
    years = _years(evidence)
    return {
        key
        for schedule in evidence.schedules
        if (hours := _read(schedule.body, {})) is not None
        for key in product(hours.calendars, years)
    }


def _windows(evidence: Evidence) -> Mapping[int, StoredHours]:
    """The hours that can be worked out, by schedule."""
    days, years = evidence.public_holidays, _years(evidence)
    read = ((each.id, _read(each.body, days)) for each in evidence.schedules)
    return {
        schedule_id: hours
        for schedule_id, hours in read
        if hours is not None and all(key in days for key in product(hours.calendars, years))
    }


def _years(evidence: Evidence) -> range:
    """The years in which a judged call may lie by some zone's calendar, and those of their eves."""
    days = [local_date("UTC", call.accepted_at) for call in evidence.judged]
    return range(min(days).year - 1, max(days).year + 2) if days else range(0)


def _read(body: str, public_holidays: PublicHolidays) -> StoredHours | None:
    try:
        return StoredHours(body, public_holidays)
    except ValueError:
        return None


def _closed(
    evidence: Evidence, campaign: Campaign, windows: Mapping[int, StoredHours], at: int
) -> str | None:
    """Why nobody may be called at *at* for a campaign, whatever the skew of the clocks."""
    skew_ms = evidence.bounds.skew_ms
    if campaign.start_at is not None and at + skew_ms < campaign.start_at:
        return f"at {moment(at)}, before the campaign's start at {moment(campaign.start_at)}"
    hours = windows.get(campaign.schedule_id or 0)
    if hours is None or hours.open_near(at, skew_ms):
        return None
    schedule = evidence.schedule_by_id[campaign.schedule_id or 0]
    wall = datetime.fromtimestamp(at / 1000, hours.clocks)
    return f"at {wall:%a %Y-%m-%d %H:%M:%S} ({hours.clocks.key}), when {schedule.name!r} is closed"
