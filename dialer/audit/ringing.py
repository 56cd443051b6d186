"""Who was rung, and whether both sides tell the same: I1, I2, I5 and the call by call agreement.

The promises are those of ``docs/explanation/promises.md``.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from dialer.audit.evidence import Evidence
from dialer.audit.records import Attempt, Call
from dialer.audit.report import Scope, Violation, moment, of_attempt, of_call


def i1_an_attempt_rings_at_most_once(evidence: Evidence) -> Iterator[Violation]:
    """One attempt never becomes two calls.

    Source: the first promise; an intent is durable before its one request, and doubt is resolved
    by looking. A call belongs to the attempt in the address of its callbacks.
    """
    calls_of = defaultdict(list)
    for call in evidence.calls:
        attempt = evidence.attempt_of(call)
        if token := call.token or (attempt and attempt.id):
            calls_of[token].append(call)
    for token, calls in calls_of.items():
        if len(calls) > 1 and any(evidence.in_period(call.accepted_at) for call in calls):
            sids = ", ".join(call.sid for call in calls)
            text = f"{calls[0].to} was called {len(calls)} times by one attempt: {sids}"
            yield Violation("I1", text, token, calls[0].to, _campaign(evidence, token))


def calls_by_attempt(evidence: Evidence) -> Scope:
    """All calls; where the carrier repeats nothing of ours, some can be told by their sid only."""
    if all(call.token is not None for call in evidence.judged):
        return Scope(len(evidence.judged))
    note = (
        "the carrier does not repeat which attempt a call was placed for; a second call of an "
        "attempt shows here when it called back, and otherwise as a call nobody knows (I5)"
    )
    return Scope(len(evidence.judged), (note,))


def i2_no_callee_is_in_two_calls(evidence: Evidence) -> Iterator[Violation]:
    """No two calls to one callee overlap, across campaigns and daemons.

    Source: the fourth promise; a claim passes over callees with an open attempt.
    """
    by_callee = defaultdict(list)
    for call in sorted(evidence.calls, key=lambda call: (call.accepted_at, call.sid)):
        by_callee[call.to].append(call)
    for callee, calls in by_callee.items():
        for earlier, later in _overlapping(calls):
            if evidence.in_period(later.accepted_at):
                text = (
                    f"{callee} was called by {later.sid} at {moment(later.accepted_at)} "
                    f"while {earlier.sid} was not over"
                )
                yield of_call(evidence, later, "I2", text)


def judged_calls(evidence: Evidence) -> Scope:
    """Every call of the period."""
    return Scope(len(evidence.judged))


def i5_no_orphans_and_no_phantoms(evidence: Evidence) -> Iterator[Violation]:
    """Every call of the carrier's is known here, and every call known here was made.

    Source: the first two promises; whatever became of a request, its call is found and adopted.
    """
    made = {call.sid for call in evidence.calls}
    claimed = Counter(attempt.sid for attempt in evidence.attempts if attempt.sid)
    for call in evidence.judged:
        if call.sid not in claimed:
            text = f"{call.sid} to {call.to} at {moment(call.accepted_at)}: no attempt knows it"
            guilty = evidence.attempt_of(call) or _near(evidence, call)
            if guilty is None:
                yield Violation("I5", text, callee=call.to)
            else:
                yield of_attempt(guilty, "I5", text)
    for attempt in evidence.judged_attempts:
        if attempt.sid and attempt.sid not in made:
            text = f"{attempt.sid}: an attempt claims this call, the carrier made none"
            yield of_attempt(attempt, "I5", text)
        elif attempt.sid and claimed[attempt.sid] > 1:
            text = f"{attempt.sid}: claimed by {claimed[attempt.sid]} attempts"
            yield of_attempt(attempt, "I5", text)


def calls_and_claims(evidence: Evidence) -> Scope:
    """The calls made and the calls claimed."""
    claims = sum(attempt.sid is not None for attempt in evidence.judged_attempts)
    return Scope(len(evidence.judged) + claims)


def both_sides_agree(evidence: Evidence) -> Iterator[Violation]:
    """What is stored of a call is what the carrier says of it.

    Source: ``docs/explanation/promises.md``; facts are a join, and silent calls are looked up.
    The status is compared once the call is over on both sides.
    """
    for call in evidence.judged:
        if attempt := evidence.attempt_by_sid.get(call.sid):
            for what, true, stored in _told_twice(evidence, call, attempt):
                if true != stored:
                    text = f"{call.sid}: {what} is {true!r} at the carrier, {stored!r} here"
                    yield of_attempt(attempt, "agreement", text)


def compared_calls(evidence: Evidence) -> Scope:
    """The calls both sides know."""
    return Scope(sum(call.sid in evidence.attempt_by_sid for call in evidence.judged))


def _told_twice(
    evidence: Evidence, call: Call, attempt: Attempt
) -> Iterator[tuple[str, str | None, str | None]]:
    number = evidence.number_by_id.get(attempt.number_id)
    if call.token is not None:
        yield "attempt", call.token, attempt.id
    yield "to", call.to, attempt.phone
    yield "from", call.from_, number.phone if number else None
    if attempt.closed_at is not None and (evidence.over or call.over_at is not None):
        yield "status", call.status, attempt.status


def _overlapping(calls: Iterable[Call]) -> Iterator[tuple[Call, Call]]:
    """Each call that began before an earlier one of *calls*, which are in order, was over."""
    longest: Call | None = None
    for call in calls:
        if longest is not None and (longest.over_at is None or call.accepted_at < longest.over_at):
            yield longest, call
        if longest is None or _outlasts(call, longest):
            longest = call


def _outlasts(call: Call, other: Call) -> bool:
    if other.over_at is None:
        return False
    return call.over_at is None or call.over_at > other.over_at


def _near(evidence: Evidence, call: Call) -> Attempt | None:
    """The latest attempt at a callee before a call that nobody knows: likely the guilty one."""
    latest_at = call.accepted_at + evidence.bounds.skew_ms
    tried = [
        attempt
        for attempt in evidence.attempts_by_phone.get(call.to, ())
        if attempt.intent_at <= latest_at
    ]
    return max(tried, key=lambda attempt: attempt.intent_at, default=None)


def _campaign(evidence: Evidence, attempt_id: str) -> int | None:
    attempt = evidence.attempt_by_id.get(attempt_id)
    return attempt.campaign_id if attempt else None
