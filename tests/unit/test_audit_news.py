"""The inbox is read a second time: order-free, as the engine's join, and held against the rows."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.audit.news import Reading, read
from dialer.audit.records import News
from dialer.detection import kind_in, verdict_in
from dialer.model import AmdMode, AttemptId, CallEvent, CallSid, CarrierStatus, EventSource
from dialer.outcomes import NOTHING, merge, outcome_of
from tests.support.evidence import NOW, SECOND, Dial, dial, evidence, found, news

SID = dial().call.sid
TIMES = st.none() | st.integers(0, 5)
CODES = st.none() | st.integers(1, 3)
CARRIERS = [
    "human",
    "machine_start",
    "machine_end_beep",
    "machine_end_other",
    "fax",
    "unknown",
    "?",
]
OURS = ["machine", "voicemail", "screening", "greeting_over_beep", "greeting_over_cap"]
WORDS = [*CARRIERS, *OURS]


events = st.builds(
    News,
    attempt_id=st.just("attempt-1"),
    sid=st.just(SID),
    source=st.sampled_from(["status", "answer", "amd", "lookup", "detector", "left"]),
    status=st.none() | st.sampled_from([str(status) for status in CarrierStatus]),
    occurred_at=TIMES,
    duration_s=CODES,
    sip_code=st.none() | st.sampled_from([200, 486, 487, 603]),
    error_code=st.none() | st.sampled_from([13224, 31603]),
    answered_by=st.none() | st.sampled_from(WORDS),
    received_at=st.integers(0, 5),
    folded_at=st.just(9),
    verdict=st.just("folded"),
    sequence=st.none() | st.integers(0, 4),
)


def merged(told: Sequence[News]) -> Any:
    """What the engine makes of the same news."""
    as_events = (
        CallEvent(
            AttemptId(each.attempt_id),
            CallSid(each.sid),
            EventSource(each.source),
            each.received_at,
            CarrierStatus(each.status) if each.status else None,
            each.sequence,
            each.occurred_at,
            each.duration_s,
            each.sip_code,
            each.error_code,
            each.answered_by,
        )
        for each in told
    )
    return reduce(merge, as_events, NOTHING)


def stored_of(told: Sequence[News]) -> dict[str, Any]:
    """What the engine writes down of the same news, by column."""
    facts = merged(told)
    judged = facts.judged
    ours = {
        "verdict": judged and str(verdict_in(judged)),
        "verdict_seq": judged and judged.sequence,
        "machine_kind": kind_in(judged),
    }
    rest = {name: getattr(facts, name) for name in Reading.__slots__ if name not in ours}
    return rest | ours


@given(st.lists(events, max_size=8))
def test_the_second_reading_agrees_with_the_engines_join(told: list[News]) -> None:
    assert asdict(read(told)) == stored_of(told)


@given(st.lists(events, max_size=8), st.randoms(use_true_random=False))
def test_no_order_and_no_repetition_changes_the_reading(told: list[News], rng: Any) -> None:
    shuffled = [*told, *rng.choices(told, k=3)] if told else []
    rng.shuffle(shuffled)

    assert read(shuffled) == read(told)


@given(st.lists(events, min_size=1, max_size=8), st.sampled_from(AmdMode))
def test_whatever_the_engine_stores_of_an_ended_call_passes(told: list[News], amd: AmdMode) -> None:
    facts = merged(told)
    if not facts.final:
        return
    one = Dial(
        dial().call, dial().but(**stored_of(told), outcome=outcome_of(facts, amd)).attempt, told
    )

    assert found(evidence(one), "I13") == []


# -- I13: what is stored is what was told ---------------------------------------------------------


def test_a_call_whose_news_were_understood_passes() -> None:
    assert found(evidence(dial()), "I13") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "busy"}, "status is 'busy', its news say 'completed'"),
        ({"ringing_at": NOW}, "ringing_at is"),
        ({"ringing_at": None}, "ringing_at is None"),
        ({"answered_at": NOW}, "answered_at is"),
        ({"ended_at": NOW}, "ended_at is"),
        ({"duration_s": 7}, "duration_s is 7, its news say 25"),
        ({"sip_code": None}, "sip_code is None, its news say 200"),
        ({"error_code": 13224}, "error_code is 13224, its news say None"),
        ({"answered_by": "machine_start"}, "answered_by is 'machine_start', its news say 'human'"),
        ({"verdict": "machine"}, "verdict is 'machine', its news say None"),
        ({"machine_kind": "ivr"}, "machine_kind is 'ivr', its news say None"),
        ({"message_left_at": NOW}, "message_left_at is"),
        ({"outcome": "busy"}, "'busy' cannot come of 'completed'"),
        ({"outcome": None}, "None cannot come of 'completed'"),
    ],
)
def test_what_is_stored_otherwise_than_told_is_named(change: dict[str, Any], said: str) -> None:
    (violation,) = found(evidence(dial().but(**change)), "I13")

    assert violation.attempt == "attempt-1"
    assert said in violation.text


def test_an_end_nobody_told_of_is_found() -> None:
    one = dial()

    (violation,) = found(evidence(one, news=one.news[:-1]), "I13")

    assert "nobody has told so" in violation.text


def test_news_of_another_call_are_found_unless_they_were_kept_apart() -> None:
    one = dial()
    strange = news("attempt-1", "CA9", "ringing", NOW + 9 * SECOND)

    mixed = found(evidence(one, news=[*one.news, strange]), "I13")
    apart = evidence(one, news=[*one.news, replace(strange, verdict="conflict")])

    assert ["another call" in each.text for each in mixed] == [True]
    assert found(apart, "I13") == []


def test_news_that_were_never_read_are_found_at_the_end() -> None:
    one = dial()
    waiting = news("attempt-1", SID, "ringing", NOW, folded_at=None, verdict=None)
    given_ = evidence(one, news=[*one.news, waiting])

    assert len(found(given_, "I13")) == 1
    assert found(replace(given_, over=False), "I13") == []


@pytest.mark.parametrize(
    "one",
    [
        dial().but(state="placed", closed_at=None, status=None),
        dial().but(state="ended", sid=None, status=None, outcome="invalid_number"),
    ],
)
def test_an_attempt_that_goes_on_or_became_no_call_is_not_read(one: Dial) -> None:
    assert found(evidence(one, news=()), "I13") == []
