"""What the carrier told us, read again and compared with what was made of it: I13.

The reading asks each question of all the news at once, so no order can matter to it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from dialer.audit.evidence import Evidence
from dialer.audit.records import FINAL_STATUSES, Attempt, News
from dialer.audit.report import Scope, Violation, of_attempt

#: News that became facts of its attempt; news of a second call never does.
_FACTS: Final = frozenset({"folded", "repeat"})
#: Should a carrier report two ends, the one that took most of the callee's attention counts.
_FINAL_ORDER: Final = ("completed", "busy", "no-answer", "failed", "canceled")
_ORDER: Final = ("queued", "initiated", "ringing", "in-progress")
#: Who is believed to have answered when two words were told: a person first.
_WHO: Final = {
    "human": 0,
    "machine": 1,
    "machine_start": 1,
    "machine_end_beep": 1,
    "machine_end_silence": 1,
    "machine_end_other": 1,
    "fax": 2,
}
_NOBODY_KNOWS: Final = 3
#: Our own detection's words, and who answered by them; a kind of machine is one, too.
_KINDS: Final = frozenset({"voicemail", "ivr", "screening", "unavailable"})
_VERDICTS: Final = frozenset({"human", "machine", "fax"})
_GREETING_OVER: Final = frozenset(f"greeting_over_{how}" for how in ("beep", "silence", "cap"))
_UNKNOWN: Final = "unknown"
#: What may be said of a call that ended so.
_OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    "completed": frozenset({"human", "machine", "fax", "carrier_failed"}),
    "busy": frozenset({"busy", "rejected"}),
    "no-answer": frozenset({"no_answer", "rejected"}),
    "canceled": frozenset({"canceled", "rejected"}),
    "failed": frozenset({"carrier_failed", "invalid_number", "rejected"}),
}

Value: TypeAlias = int | str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that the news of one call say."""

    status: str | None
    ringing_at: int | None
    answered_at: int | None
    ended_at: int | None
    duration_s: int | None
    sip_code: int | None
    error_code: int | None
    answered_by: str | None
    verdict: str | None
    verdict_seq: int | None
    machine_kind: str | None
    message_left_at: int | None


def i13_facts_are_what_was_told(evidence: Evidence) -> Iterator[Violation]:
    """What is stored of an ended call is what its callbacks and look-ups say, in any order.

    Source: the sixth promise; callbacks may come twice, late or out of order. Facts are a join.
    """
    inbox = defaultdict(list)
    for news in evidence.news:
        inbox[news.attempt_id].append(news)
    for attempt in evidence.judged_attempts:
        told = inbox[attempt.id]
        if evidence.over and any(news.folded_at is None for news in told):
            yield of_attempt(attempt, "I13", "news of its call was taken in and never read")
        if attempt.state == "ended" and attempt.sid:
            yield from _misread(attempt, [news for news in told if news.verdict in _FACTS])


def ended_calls(evidence: Evidence) -> Scope:
    """The attempts that became calls and are over."""
    return Scope(sum(each.state == "ended" and bool(each.sid) for each in evidence.judged_attempts))


def read(told: Sequence[News]) -> Reading:
    """What the news of one call amount to."""
    statuses = {news.status for news in told if news.status}
    status = _first(statuses, (*_FINAL_ORDER, *reversed(_ORDER)))
    last = [news for news in told if news.status == status and status in FINAL_STATUSES]
    words = {news.answered_by for news in _of_the_carrier(told) if news.answered_by}
    sequence, word = _judged(told) or (None, None)
    return Reading(
        status=status,
        ringing_at=_of(min, [_seen_at(news) for news in told if news.status == "ringing"]),
        answered_at=_of(min, [_seen_at(news) for news in told if news.status == "in-progress"]),
        ended_at=_of(min, [_seen_at(news) for news in last]),
        duration_s=_of(max, [news.duration_s for news in last]),
        sip_code=_of(min, [news.sip_code for news in last]),
        error_code=_of(min, [news.error_code for news in last]),
        answered_by=min(words, key=_surest, default=None),
        verdict=None if word is None else _verdict(word),
        verdict_seq=sequence,
        machine_kind=word if word in _KINDS else None,
        message_left_at=_of(min, [news.received_at for news in told if news.source == "left"]),
    )


def _of_the_carrier(told: Sequence[News]) -> list[News]:
    return [news for news in told if news.source not in {"detector", "left"}]


def _judged(told: Sequence[News]) -> tuple[int, str] | None:
    """The last word of our own detection; that nobody could tell takes no other word back."""
    words = [
        (news.sequence or 0, news.answered_by)
        for news in told
        if news.source == "detector" and news.answered_by is not None
    ]
    about_who = [each for each in words if each[1] not in _GREETING_OVER]
    return max(about_who, key=lambda each: (_verdict(each[1]) != _UNKNOWN, *each), default=None)


def _verdict(word: str) -> str:
    if word in _KINDS:
        return "machine"
    return word if word in _VERDICTS else _UNKNOWN


def _misread(attempt: Attempt, told: Sequence[News]) -> Iterator[Violation]:
    if any(news.sid != attempt.sid for news in told):
        yield of_attempt(attempt, "I13", f"{attempt.sid} was given the news of another call")
    reading = read(told)
    if reading.status not in FINAL_STATUSES:
        yield of_attempt(attempt, "I13", f"{attempt.sid} is over, and nobody has told so")
        return
    for name in Reading.__slots__:
        stored, said = getattr(attempt, name), getattr(reading, name)
        if stored != said:
            text = f"{attempt.sid}: {name} is {stored!r}, its news say {said!r}"
            yield of_attempt(attempt, "I13", text)
    if attempt.outcome not in _OUTCOMES[reading.status]:
        text = f"{attempt.sid}: {attempt.outcome!r} cannot come of {reading.status!r}"
        yield of_attempt(attempt, "I13", text)


def _seen_at(news: News) -> int:
    return news.received_at if news.occurred_at is None else news.occurred_at


def _first(found: set[str], order: Sequence[str]) -> str | None:
    return next((each for each in order if each in found), None)


def _of(choose: Callable[[list[int]], int], values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return choose(known) if known else None


def _surest(word: str) -> tuple[int, bool, str]:
    """A person before a machine; of a machine's words those at the end of its greeting."""
    rank = _WHO.get(word.lower(), _NOBODY_KNOWS)
    return rank, not word.startswith("machine_end_"), word
