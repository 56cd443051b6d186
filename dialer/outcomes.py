"""What news of a call amounts to: facts first, then one outcome.

Callbacks come twice, late, out of order or never, so facts are a *join*: merging the same events
in any order, any number of times, gives the same facts. The outcome is a total function of the
facts; who answered is only a refinement of an answered call.
"""

from typing import Final, NamedTuple, TypeVar, assert_never

from amd.verdict import GREETING_ENDED, MachineKind, Verdict, carrier_verdict
from dialer.detection import greeting_over, kind_in, later, verdict_in
from dialer.model import AmdMode, CallEvent, CallFacts, CarrierStatus, EventSource, Judgement
from retries.outcome import Outcome

Number = TypeVar("Number", int, float)

#: A call has one final status. Should a carrier report two, the one that cost the callee most
#: of their attention is believed, whatever came first.
_FINAL_ORDER: Final = (
    CarrierStatus.COMPLETED,
    CarrierStatus.BUSY,
    CarrierStatus.NO_ANSWER,
    CarrierStatus.FAILED,
    CarrierStatus.CANCELED,
)

#: SIP finals by which a person, or a filter in their name, turned the call down (RFC 3261 §21.6.2,
#: RFC 8197, RFC 8688). Twilio reports such calls as no-answer, busy or failed.
_REJECTED_SIP: Final = frozenset({603, 607, 608})
_REJECTED_ERRORS: Final = frozenset({31603})

#: SIP finals that say the number does not exist (RFC 3261 §21.4, §21.6.3).
_NO_SUCH_NUMBER_SIP: Final = frozenset({404, 410, 484, 604})
#: Twilio's error codes for a number that can never be called.
_NO_SUCH_NUMBER_ERRORS: Final = frozenset({13223, 13224, 13226, 21202, 21211, 21214, 21217})

_VERDICT_ORDER: Final = (Verdict.HUMAN, Verdict.MACHINE, Verdict.FAX, Verdict.UNKNOWN)

#: A carrier that cannot fetch what to say ends the call within this, in seconds.
SILENT_MAX_S: Final = 5

NOTHING: Final = CallFacts()


class _Heard(NamedTuple):
    """Who answered, and what came of it."""

    answered_by: str | None
    judged: Judgement | None
    greetings: tuple[int, ...]
    message_left_at: int | None


class _End(NamedTuple):
    """What is known of how a call ended."""

    status: CarrierStatus
    ended_at: int | None
    duration_s: int | None
    sip_code: int | None
    error_code: int | None


def merge(facts: CallFacts, *events: CallEvent) -> CallFacts:
    """The facts with *events* in them; commutative, associative and idempotent."""
    sid, known, ringing_at, answered_at, asked_at, *_ = facts
    heard = _Heard(*facts[9:])
    end = _End(known, *facts[5:9]) if known is not None and known.final else None
    for event in events:
        sid, status, received_at = sid or event.sid, event.status, event.received_at
        seen_at = received_at if event.occurred_at is None else event.occurred_at
        if event.source is EventSource.ANSWER:
            asked_at = _least(asked_at, received_at)
        if status is not None:
            if status.final:
                told = _End(status, seen_at, event.duration_s, event.sip_code, event.error_code)
                end = told if end is None else _last_word(end, told)
            elif known is None or status.rank > known.rank:
                known = status
            if status is CarrierStatus.RINGING:
                ringing_at = _least(ringing_at, seen_at)
            elif status is CarrierStatus.IN_PROGRESS:
                answered_at = _least(answered_at, seen_at)
        if event.answered_by is not None or event.source is EventSource.LEFT:
            heard = _hear(heard, event)
    if end is None:
        return CallFacts(sid, known, ringing_at, answered_at, asked_at, *facts[5:9], *heard)
    return CallFacts(
        sid,
        end.status,
        ringing_at,
        answered_at,
        asked_at,
        end.ended_at,
        end.duration_s,
        end.sip_code,
        end.error_code,
        *heard,
    )


def _hear(heard: _Heard, event: CallEvent) -> _Heard:
    """What is known of who answered, with the word of *event* in it."""
    word, sequence = event.answered_by, event.sequence or 0
    if event.source is EventSource.LEFT:
        return heard._replace(message_left_at=_least(heard.message_left_at, event.received_at))
    if event.source is not EventSource.DETECTOR or word is None:
        return heard._replace(answered_by=_surer(heard.answered_by, word))
    if greeting_over(word):
        return heard._replace(greetings=tuple(sorted({*heard.greetings, sequence})))
    return heard._replace(judged=later(heard.judged, Judgement(sequence, word)))


def _last_word(one: _End, other: _End) -> _End:
    """Of two reports of a call's end the one that counts, or what both know of one status."""
    if one.status is not other.status:
        return min(one, other, key=lambda end: _FINAL_ORDER.index(end.status))
    return _End(
        one.status,
        _least(one.ended_at, other.ended_at),
        _most(one.duration_s, other.duration_s),
        _least(one.sip_code, other.sip_code),
        _least(one.error_code, other.error_code),
    )


def outcome_of(facts: CallFacts, amd: AmdMode) -> Outcome:
    """The outcome of a call that is over; raises ValueError for one that is not."""
    status = facts.status
    if status is None or not status.final:
        raise ValueError(f"call {facts.sid} is not over: {status}")
    if status is CarrierStatus.COMPLETED:
        return Outcome.CARRIER_FAILED if _heard_nothing(facts) else _answered(facts, amd)
    if facts.sip_code in _REJECTED_SIP or facts.error_code in _REJECTED_ERRORS:
        return Outcome.REJECTED
    if status is CarrierStatus.BUSY:
        return Outcome.BUSY
    if status is CarrierStatus.NO_ANSWER:
        return Outcome.NO_ANSWER
    if status is CarrierStatus.CANCELED:
        return Outcome.CANCELED
    if facts.error_code in _NO_SUCH_NUMBER_ERRORS or facts.sip_code in _NO_SUCH_NUMBER_SIP:
        return Outcome.INVALID_NUMBER
    return Outcome.CARRIER_FAILED


def _heard_nothing(facts: CallFacts) -> bool:
    """Answered, but the carrier never got from us what the callee was to hear, and gave up."""
    brief = facts.duration_s is not None and facts.duration_s < SILENT_MAX_S
    return facts.asked_at is None and brief


def certainly_invalid(error_code: int | None) -> bool:
    """True when the carrier condemns the number; a SIP code may be a fault on the way."""
    return error_code in _NO_SUCH_NUMBER_ERRORS


def greeting_is_over(event: CallEvent) -> bool:
    """True when a message spoken now would be recorded by the machine."""
    return event.source is EventSource.AMD and event.answered_by in GREETING_ENDED


def ring_s(facts: CallFacts) -> float | None:
    """From the first ring to the answer or the end, in seconds; None when nobody told."""
    until_at = facts.answered_at or facts.ended_at
    if facts.ringing_at is None or until_at is None:
        return None
    return max(0, until_at - facts.ringing_at) / 1000


def verdict_of(facts: CallFacts, amd: AmdMode) -> Verdict:
    """Who picked up, as far as anybody has told; nobody is asked where detection is off.

    The carrier is believed where it is the one to detect, and nowhere else.
    """
    if amd is AmdMode.OFF:
        return Verdict.HUMAN
    if amd is AmdMode.CARRIER:
        return carrier_verdict(facts.answered_by)
    return verdict_in(facts.judged)


def machine_kind(facts: CallFacts, amd: AmdMode) -> MachineKind | None:
    """What kind of machine picked up, where one did and its kind is known."""
    return None if amd in (AmdMode.OFF, AmdMode.CARRIER) else kind_in(facts.judged)


def _answered(facts: CallFacts, amd: AmdMode) -> Outcome:
    verdict = verdict_of(facts, amd)
    match verdict:
        case Verdict.HUMAN | Verdict.UNKNOWN:
            return Outcome.HUMAN
        case Verdict.MACHINE:
            return Outcome.MACHINE
        case Verdict.FAX:
            return Outcome.FAX
        case _:
            assert_never(verdict)


def _surer(one: str | None, other: str | None) -> str | None:
    """Of two words for who answered the one that decides; a person before a machine."""
    if one is None or other is None or one == other:
        return one or other
    return min(
        one,
        other,
        key=lambda word: (
            _VERDICT_ORDER.index(carrier_verdict(word)),
            word not in GREETING_ENDED,
            word,
        ),
    )


def _least(one: Number | None, other: Number | None) -> Number | None:
    return one if other is None else other if one is None else min(one, other)


def _most(one: Number | None, other: Number | None) -> Number | None:
    return one if other is None else other if one is None else max(one, other)
