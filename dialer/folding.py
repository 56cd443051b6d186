"""Folding news of a call into its attempt: pure, and the same whatever the order of the news."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from amd.verdict import Verdict
from dialer.attempts import AttemptRecord
from dialer.model import AttemptId, CallEvent, CallSid, EventSource, FailReason, OnMachine
from dialer.outcomes import greeting_is_over, merge, outcome_of, verdict_of
from dialer.states import AttemptEvent, AttemptState, MemberEvent, MemberState

MS: Final = 1000

#: A call should have been reported over by its ring timeout and this; then the carrier is asked.
REPORT_GRACE_S: Final = 60

#: News of an attempt in one of these tells that there is a call.
_NO_CALL_KNOWN: Final = frozenset(
    {AttemptState.INTENT, AttemptState.UNKNOWN, AttemptState.NOT_PLACED}
)
_GIVEN_UP: Final = frozenset({MemberState.PENDING, MemberState.RETRY, MemberState.FAILED})


@dataclass(frozen=True, slots=True)
class HangUp:
    """A machine answered and the campaign does not talk to machines."""

    sid: CallSid


@dataclass(frozen=True, slots=True)
class LeaveMessage:
    """A machine's greeting is over and the campaign leaves a message."""

    sid: CallSid
    attempt_id: AttemptId


Action = HangUp | LeaveMessage


class Folded(NamedTuple):
    """What an event amounted to, for the inbox, and what the carrier is to be asked to do."""

    verdict: str
    action: Action | None = None


FOLDED: Final = Folded("folded")
REPEAT: Final = Folded("repeat")
CONFLICT: Final = Folded("conflict")
UNKNOWN_ATTEMPT: Final = Folded("unknown attempt")


def fold(record: AttemptRecord, news: Sequence[CallEvent], now: int) -> list[Folded]:
    """Change *record* by all *news* of its attempt; returns what each piece amounted to.

    A second call of one attempt, or one that cannot be, is a conflict: the promise that must
    never break. Nothing is guessed then, and nothing changes.
    """
    sid = (record.facts.sid or news[0].sid) if _may_be_called(record) else None
    own = [event for event in news if event.sid == sid]
    verdict = FOLDED if own and _join(record, own, now) else REPEAT
    return [
        CONFLICT
        if event.sid != sid
        else verdict
        if verdict is REPEAT or event.source is not EventSource.AMD
        else Folded(verdict.verdict, _action(record, event))
        for event in news
    ]


def _may_be_called(record: AttemptRecord) -> bool:
    """False when the request never left, or the carrier has refused it."""
    refused = record.state is AttemptState.ENDED and record.facts.sid is None
    return not refused and record.state is not AttemptState.RELEASED


def _join(record: AttemptRecord, news: Sequence[CallEvent], now: int) -> bool:
    """Take in news of the attempt's own call; False when it said nothing new."""
    before = record.facts
    facts = record.facts = merge(before, *news)
    is_new = facts != before
    if record.state in _NO_CALL_KNOWN:
        _accept(record, now)
        is_new = True
    if record.state is AttemptState.PLACED:
        if facts.final:
            _end(record, now)
    elif record.state is AttemptState.ENDED:
        record.outcome = outcome_of(facts, record.amd)
        record.changed = record.changed or is_new
    return is_new


def _accept(record: AttemptRecord, now: int) -> None:
    late = record.state is AttemptState.NOT_PLACED
    record.advance(AttemptEvent.ACCEPT)
    record.check_at = now + (record.ring_timeout_s + REPORT_GRACE_S) * MS
    record.checks = 0
    if not late:
        return
    record.closed_at, record.outcome, record.calls_back = None, None, -1
    member = record.member
    if member.follows and member.state in _GIVEN_UP:
        member.advance(MemberEvent.FOUND)
        if member.reason is not FailReason.SKIPPED:  # whoever was taken out stays out after it
            member.reason = None
        member.absent -= 1


def _end(record: AttemptRecord, now: int) -> None:
    record.advance(AttemptEvent.END)
    record.closed_at = now
    record.outcome = outcome_of(record.facts, record.amd)
    member = record.member
    if member.follows and member.state is MemberState.DIALING:
        member.advance(MemberEvent.END)
        member.next_at = now + record.completion_timeout_s * MS
        member.counted = 1


def _action(record: AttemptRecord, event: CallEvent) -> Action | None:
    """What a verdict asks of the carrier while the call goes on."""
    if record.facts.final:
        return None
    verdict = verdict_of(record.facts, record.amd)
    if verdict is Verdict.FAX or (
        verdict is Verdict.MACHINE and record.on_machine is OnMachine.HANG_UP
    ):
        return HangUp(event.sid)
    if record.on_machine is OnMachine.LEAVE_MESSAGE and greeting_is_over(event):
        return LeaveMessage(event.sid, record.id)
    return None
