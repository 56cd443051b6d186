"""Folding news of a call into its attempt: pure, and the same whatever the order of the news."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from amd.verdict import MachineKind, Verdict
from dialer.attempts import AttemptRecord
from dialer.detection import beeped, greeting_over, kind_in, verdict_in
from dialer.model import (
    AmdMode,
    AttemptId,
    CallEvent,
    CallFacts,
    CallSid,
    EventSource,
    FailReason,
    Judgement,
    OnMachine,
)
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
class Redirect:
    """The call is to go on with another document of its attempt."""

    sid: CallSid
    attempt_id: AttemptId


class LeaveMessage(Redirect):
    """A machine's greeting is over and the campaign leaves a message."""

    __slots__ = ()


class Identify(Redirect):
    """A screening assistant asks who is calling."""

    __slots__ = ()


class Connect(Redirect):
    """A person has taken over from the machine that was being talked to."""

    __slots__ = ()


Action = HangUp | LeaveMessage | Identify | Connect

#: A machine that beeps again after its greeting may have cut the message off: it is said once more.
MOST_MESSAGES: Final = 2
#: Machines that record nothing unless they beep.
_ANNOUNCEMENTS: Final = frozenset({MachineKind.IVR, MachineKind.UNAVAILABLE})
#: News of these may ask something of the carrier.
_TELLS_WHO: Final = frozenset({EventSource.AMD, EventSource.DETECTOR})


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
    at_first = known = record.facts
    verdict = FOLDED if own and _join(record, own, now) else REPEAT
    folded = []
    for event in news:
        if event.sid != sid:
            folded.append(CONFLICT)
        elif verdict is REPEAT or event.source not in _TELLS_WHO:
            folded.append(verdict)
        else:
            before, known = known, merge(known, event)
            action = None if known == before else _action(record, event, at_first)
            folded.append(Folded(verdict.verdict, action))
    return folded


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


def _action(record: AttemptRecord, event: CallEvent, before: CallFacts) -> Action | None:
    """What a verdict asks of the carrier while the call goes on; *before* is what was known."""
    if record.facts.final:
        return None
    if record.amd is AmdMode.CARRIER:
        return _on_carriers_word(record, event) if event.source is EventSource.AMD else None
    if record.amd is AmdMode.OFF or event.source is not EventSource.DETECTOR:
        return None
    if greeting_over(event.answered_by):
        return _on_greeting_over(record, event)
    judged = record.facts.judged
    if judged is None or judged != Judgement(event.sequence or 0, event.answered_by or ""):
        return None  # a later verdict counts
    if verdict_in(judged) is Verdict.HUMAN:
        return Connect(event.sid, record.id) if _diverted(record, before) else None
    return _on_machine(record, judged, event.sid, before)


def _on_carriers_word(record: AttemptRecord, event: CallEvent) -> Action | None:
    verdict = verdict_of(record.facts, record.amd)
    if verdict is Verdict.FAX or (
        verdict is Verdict.MACHINE and record.on_machine is OnMachine.HANG_UP
    ):
        return HangUp(event.sid)
    leaves = verdict is Verdict.MACHINE and record.on_machine is OnMachine.LEAVE_MESSAGE
    if leaves and greeting_is_over(event):
        return LeaveMessage(event.sid, record.id)
    return None


def _on_machine(
    record: AttemptRecord, judged: Judgement, sid: CallSid, before: CallFacts
) -> Action | None:
    verdict, kind = verdict_in(judged), kind_in(judged)
    if verdict is Verdict.FAX:
        return HangUp(sid)
    if verdict is not Verdict.MACHINE or record.on_machine is OnMachine.CONTINUE:
        return None
    if kind is MachineKind.SCREENING:
        return Identify(sid, record.id)
    if record.on_machine is OnMachine.HANG_UP:
        return HangUp(sid)
    return _message(record, sid) if before.greetings else None  # else its end asks for it


def _on_greeting_over(record: AttemptRecord, event: CallEvent) -> Action | None:
    """What the end of a greeting asks for; of an announcement that has not beeped, the end."""
    announced = kind_in(record.facts.judged) in _ANNOUNCEMENTS
    if announced and record.on_machine is OnMachine.LEAVE_MESSAGE and not beeped(event.answered_by):
        return HangUp(event.sid)
    return _message(record, event.sid)


def _message(record: AttemptRecord, sid: CallSid) -> Action | None:
    """Leave a message, if this is a machine that takes one and has not got it."""
    facts = record.facts
    if record.on_machine is not OnMachine.LEAVE_MESSAGE or facts.message_left_at is not None:
        return None
    screened = kind_in(facts.judged) is MachineKind.SCREENING
    takes = verdict_in(facts.judged) is Verdict.MACHINE and not screened
    return LeaveMessage(sid, record.id) if takes and len(facts.greetings) <= MOST_MESSAGES else None


def _diverted(record: AttemptRecord, before: CallFacts) -> bool:
    """Whether the callee hears something else than the agent by now."""
    if record.on_machine is OnMachine.CONTINUE or verdict_in(before.judged) is not Verdict.MACHINE:
        return False
    screened = kind_in(before.judged) is MachineKind.SCREENING
    return screened or (record.on_machine is OnMachine.LEAVE_MESSAGE and bool(before.greetings))
