"""Nobody is lost and everything comes to its end: I3, I7, I20, and the counters of the numbers.

The promises are those of ``docs/explanation/promises.md``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from dialer.audit.evidence import Evidence
from dialer.audit.records import (
    ACTIVE,
    DONE,
    ENDED,
    OPEN,
    RESTING,
    WAITING,
    Attempt,
    Daemon,
    Member,
)
from dialer.audit.report import Scope, Violation, moment, of_attempt

MS: Final = 1000


def i3_nobody_is_lost(evidence: Evidence) -> Iterator[Violation]:
    """No contact is lost, and no call to a contact goes unrecorded.

    Source: the second promise; every state is in the store, and every open attempt has an instant
    at which its silence is asked about.
    """
    for member in evidence.members:
        if lost := _lost(evidence, member):
            yield Violation("I3", lost, member.attempt_id, member.phone, member.campaign_id)
    followers = {member.id: member for member in evidence.members}
    for attempt in evidence.attempts:
        follower = followers.get(attempt.member_id)
        if attempt.closed_at is None and not _followed(attempt, follower):
            yield of_attempt(attempt, "I3", "an open attempt that its member does not follow")
    yield from _unrecorded(evidence)


def members(evidence: Evidence) -> Scope:
    """The members, all of them or those of the period's attempts."""
    if evidence.over:
        return Scope(len(evidence.members))
    note = "whether everybody reaches a final state shows when everything is over"
    return Scope(len(evidence.members), (note,))


def i7_no_attempt_stays_open(evidence: Evidence) -> Iterator[Violation]:
    """No attempt stays open for longer than a call and all doubt can last.

    Source: assumptions A1 and A2; every open attempt has an instant at which its silence is asked
    about, as long as a daemon lives.
    """
    for attempt in _open(evidence):
        if evidence.over:
            yield of_attempt(attempt, "I7", f"still {attempt.state} when everything was over")
        elif _open_too_long(evidence, attempt):
            since = moment(attempt.intent_at)
            yield of_attempt(
                attempt, "I7", f"{attempt.state} since {since}, longer than a call can last"
            )


def open_attempts(evidence: Evidence) -> Scope:
    """The attempts that are open; their age says nothing while nobody looks after them."""
    attempts = _open(evidence)
    if evidence.over:
        return Scope(len(evidence.attempts))
    if evidence.bounds.open_ms is None:
        return Scope(blind="how long an attempt may be open was not given")
    if attempts and not _living(evidence):
        return Scope(blind=f"no daemon runs; {len(attempts)} attempts stay open until one does")
    return Scope(len(attempts))


def i20_everything_ends_in_time(evidence: Evidence) -> Iterator[Violation]:
    """Everything is over by the instant that was promised.

    Source: every member reaches a final state once faults have ended (liveness).
    """
    finish_by_at = evidence.bounds.finish_by_at
    assert finish_by_at is not None, "the scope asks for it"
    for attempt in evidence.attempts:
        if attempt.closed_at is None or attempt.closed_at > finish_by_at:
            yield of_attempt(attempt, "I20", f"still open at {moment(finish_by_at)}")
    for member in evidence.members:
        if member.state not in DONE:
            text = f"member {member.id} is still {member.state}"
            yield Violation("I20", text, member.attempt_id, member.phone, member.campaign_id)
    for campaign in evidence.campaigns:
        if campaign.status in ENDED and (campaign.ended_at or 0) > finish_by_at:
            text = f"campaign {campaign.name!r} ended after {moment(finish_by_at)}"
            yield Violation("I20", text, campaign=campaign.id)
        elif campaign.status not in ENDED:
            text = f"campaign {campaign.name!r} is still {campaign.status}"
            yield Violation("I20", text, campaign=campaign.id)


def everything_that_ends(evidence: Evidence) -> Scope:
    """Attempts, members and campaigns, where a bound was given."""
    if evidence.bounds.finish_by_at is None:
        return Scope(blind="no instant was given by which everything is to be over")
    return Scope(len(evidence.attempts) + len(evidence.members) + len(evidence.campaigns))


def counters_are_exact(evidence: Evidence) -> Iterator[Violation]:
    """Each number has been counted for exactly the calls it made.

    Source: the limits are counted in the one transaction that takes a contact; what becomes no
    call is given back. While calls go on, more may be counted than made, never less.
    """
    made = Counter(call.from_ for call in evidence.judged)
    days = Counter((attempt.number_id, attempt.day) for _, attempt in evidence.dialed)
    by_day = {(each.number_id, each.day): each.calls for each in evidence.number_days}
    sums: Counter[int] = Counter()
    for (number_id, _), calls in by_day.items():
        sums[number_id] += calls
    for number in evidence.numbers:
        told = (number.calls_total, sums[number.id])
        if _miscounted(evidence, made[number.phone], *told):
            text = (
                f"{number.phone} made {made[number.phone]} calls; "
                f"{told[0]} are counted in all, {told[1]} by day"
            )
            yield Violation("counters", text)
    for number_id, day in sorted(days.keys() | by_day.keys()):
        calls, counted = days[number_id, day], by_day.get((number_id, day), 0)
        if _miscounted(evidence, calls, counted):
            text = f"number {number_id} made {calls} calls on {day}; {counted} are counted"
            yield Violation("counters", text)


def counted_numbers(evidence: Evidence) -> Scope:
    """The numbers, where all of their calls are in evidence."""
    if not evidence.whole:
        return Scope(blind="the counters count more than the calls of a period")
    return Scope(len(evidence.numbers))


def _lost(evidence: Evidence, member: Member) -> str | None:
    """How a member got out of the reach of everybody who could move it on."""
    if member.state not in ACTIVE | DONE:
        return f"member {member.id} is in no known state: {member.state!r}"
    campaign = evidence.campaign_by_id.get(member.campaign_id)
    begun = campaign is None or campaign.status not in RESTING or member.state not in WAITING
    if evidence.over and begun and member.state in ACTIVE:
        return f"member {member.id} is still {member.state}"
    if campaign is not None and campaign.status in ENDED and member.state in WAITING:
        return f"member {member.id} is {member.state}, and its campaign is {campaign.status}"
    attempt = evidence.attempt_by_id.get(member.attempt_id or "")
    if member.state == "dialing" and (attempt is None or attempt.closed_at is not None):
        return f"member {member.id} is being dialed by no attempt"
    if member.state == "called" and evidence.whole and (attempt is None or not attempt.outcome):
        return f"member {member.id} was called, and no attempt has an outcome"
    return None


def _followed(attempt: Attempt, member: Member | None) -> bool:
    return member is not None and member.state == "dialing" and member.attempt_id == attempt.id


def _unrecorded(evidence: Evidence) -> Iterator[Violation]:
    """Callees that were called otherwise than is recorded."""
    made = Counter(call.to for call in evidence.judged)
    recorded = _recorded(evidence)
    exact = evidence.over and evidence.whole
    for callee in sorted(made.keys() | recorded.keys()):
        calls, known = made[callee], recorded.get(callee, 0)
        if calls > known or (exact and calls != known):
            yield Violation(
                "I3", f"{callee} was called {calls} times, {known} are recorded", callee=callee
            )


def _recorded(evidence: Evidence) -> Mapping[str, int]:
    """Calls per callee: those of the members once all is over, before that what may be a call."""
    recorded: Counter[str] = Counter()
    if evidence.over and evidence.whole:
        for member in evidence.members:
            recorded[member.phone] += member.attempts
        return recorded
    return Counter(each.phone for each in evidence.attempts if each.sid or each.state in OPEN)


def _open(evidence: Evidence) -> list[Attempt]:
    return [attempt for attempt in evidence.attempts if attempt.closed_at is None]


def _open_too_long(evidence: Evidence, attempt: Attempt) -> bool:
    """Judged from when somebody began to look after it: nobody may have lived for days."""
    watched_from_at = min(daemon.started_at for daemon in _living(evidence))
    campaign = evidence.campaign_of(attempt)
    ring_ms = campaign.ring_timeout_s * MS if campaign else 0
    open_ms = evidence.as_of_at - max(attempt.intent_at, watched_from_at)
    return open_ms > ring_ms + (evidence.bounds.open_ms or 0)


def _living(evidence: Evidence) -> list[Daemon]:
    return [
        daemon
        for daemon in evidence.daemons
        if daemon.ended_at is None and daemon.lease_until >= evidence.as_of_at
    ]


def _miscounted(evidence: Evidence, made: int, *counted: int) -> bool:
    return any(each != made if evidence.over else each < made for each in counted)
