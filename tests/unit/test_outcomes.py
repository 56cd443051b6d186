"""What news of a call amounts to: facts whatever the order, one outcome whatever the facts."""

import itertools
import json
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amd.verdict import CARRIER_WORDS, GREETING_ENDED, Verdict, carrier_verdict
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.carriers.twilio_config import TwilioConfig
from dialer.model import (
    AmdMode,
    AttemptId,
    CallEvent,
    CallFacts,
    CallSid,
    CarrierStatus,
    EventSource,
)
from dialer.outcomes import (
    NOTHING,
    SILENT_MAX_S,
    certainly_invalid,
    greeting_is_over,
    merge,
    outcome_of,
)
from retries.outcome import Outcome

S = CarrierStatus
ATTEMPT = AttemptId("0123456789abcdef0123456789abcdef")
SID = CallSid("CA00000000000000000000000000000001")
AT = 1_767_571_200_000

PAYLOADS = json.loads(
    (Path(__file__).parents[1] / "data" / "twilio_payloads.json").read_text("utf-8")
)["items"]
BY_ID = {item["id"]: item for item in PAYLOADS}
DOOR = TwilioCallbacks(
    TwilioConfig(account_sid="AC1", auth_token="t", public_url="https://dialer.example.com")
)

FINALS = [status for status in S if status.final]
SIP_CODES = [None, 180, 200, 400, 403, 404, 408, 410, 480, 484, 486, 487, 500, 503, 600, 603, 604]
SIP_CODES += [607, 608, 999]
ERROR_CODES = [None, 0, 11200, 13223, 13224, 13226, 13227, 21211, 21217, 31603, 32017, 99999]
WORDS = [None, *CARRIER_WORDS, "MACHINE_START", "somebody_new"]


def event(status: CarrierStatus | None = None, **facts: Any) -> CallEvent:
    source = EventSource.AMD if status is None else EventSource.STATUS
    return CallEvent(ATTEMPT, SID, source, facts.pop("received_at", AT), status, **facts)


def fold(events: Iterable[CallEvent]) -> CallFacts:
    return reduce(merge, events, NOTHING)


def known_of_the_end(facts: CallFacts, amd: AmdMode) -> tuple[object, ...]:
    """Everything that does not depend on how the call came to its end."""
    return (
        outcome_of(facts, amd),
        (facts.sid, facts.status, facts.ended_at, facts.duration_s),
        (facts.sip_code, facts.error_code, facts.answered_by),
    )


times = st.integers(AT, AT + 60_000)
events = st.builds(
    CallEvent,
    attempt_id=st.just(ATTEMPT),
    sid=st.just(SID),
    source=st.sampled_from(EventSource),
    received_at=times,
    status=st.none() | st.sampled_from(S),
    occurred_at=st.none() | times,
    duration_s=st.none() | st.integers(0, 100),
    sip_code=st.sampled_from(SIP_CODES),
    error_code=st.sampled_from(ERROR_CODES),
    answered_by=st.sampled_from(WORDS),
)
calls = st.lists(events, max_size=7)
overs = st.builds(
    lambda before, end, after: [*before, end, *after],
    calls,
    events.filter(lambda each: each.status is not None and each.status.final),
    calls,
)


# -- facts are a join ----------------------------------------------------------------------------


@given(calls, events, events)
def test_news_may_come_in_either_order(
    before: Sequence[CallEvent], one: CallEvent, other: CallEvent
) -> None:
    facts = fold(before)

    assert merge(merge(facts, one), other) == merge(merge(facts, other), one)


@given(calls, events)
def test_news_may_come_twice(before: Sequence[CallEvent], one: CallEvent) -> None:
    once = merge(fold(before), one)

    assert merge(once, one) == once


@given(calls, st.randoms(use_true_random=False), st.data())
def test_any_order_with_any_repeats_gives_the_same_facts(
    told: list[CallEvent], random: Random, data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(told), max_size=5)) if told else []
    again = [*told, *repeats]
    random.shuffle(again)

    assert fold(again) == fold(told)


@given(overs, st.sampled_from(AmdMode), st.data())
def test_what_says_nothing_of_the_end_may_be_lost(
    told: list[CallEvent], amd: AmdMode, data: st.DataObject
) -> None:
    def decides(each: CallEvent) -> bool:
        ends = each.status is not None and each.status.final
        return ends or each.answered_by is not None or each.source is EventSource.ANSWER

    kept = [each for each in told if decides(each) or data.draw(st.booleans())]

    assert known_of_the_end(fold(kept), amd) == known_of_the_end(fold(told), amd)


@given(calls, events)
def test_a_status_never_goes_back(before: Sequence[CallEvent], one: CallEvent) -> None:
    facts, after = fold(before), merge(fold(before), one)

    assert facts.status is None or (after.status is not None)
    assert not facts.status or not after.status or after.status.rank >= facts.status.rank
    assert after.final >= facts.final


@given(calls)
def test_what_is_known_of_the_end_is_known_when_it_is_over_alone(told: list[CallEvent]) -> None:
    facts = fold(told)

    if not facts.final:
        assert (facts.ended_at, facts.duration_s) == (None, None)
        assert (facts.sip_code, facts.error_code) == (None, None)


@given(st.permutations([*FINALS]))
def test_of_several_ends_the_one_that_cost_the_callee_most_is_believed(
    order: list[CarrierStatus],
) -> None:
    facts = fold(event(status, sip_code=600 + at) for at, status in enumerate(order))

    assert facts.status is S.COMPLETED
    assert facts.sip_code == 600 + order.index(S.COMPLETED)


def test_times_are_the_carriers_where_it_states_them_and_ours_elsewhere() -> None:
    facts = fold(
        [
            event(S.RINGING, received_at=AT + 900),
            event(S.RINGING, received_at=AT + 1_500, occurred_at=AT + 500),
            event(S.IN_PROGRESS, received_at=AT + 5_000),
            event(S.COMPLETED, received_at=AT + 9_900, occurred_at=AT + 9_000),
        ]
    )

    assert (facts.ringing_at, facts.answered_at, facts.ended_at) == (
        AT + 500,
        AT + 5_000,
        AT + 9_000,
    )


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
def test_a_person_is_believed_before_a_machine(words: list[str | None]) -> None:
    facts = fold(event(answered_by=word) for word in words)
    verdicts = {carrier_verdict(word) for word in words if word is not None}

    assert facts.answered_by in words
    for verdict in (Verdict.HUMAN, Verdict.MACHINE, Verdict.FAX, Verdict.UNKNOWN):
        if verdict in verdicts:
            assert carrier_verdict(facts.answered_by) is verdict
            break


# -- the outcome ---------------------------------------------------------------------------------


@pytest.mark.parametrize("amd", AmdMode)
@pytest.mark.parametrize("status", FINALS)
def test_every_call_that_is_over_has_one_outcome(status: CarrierStatus, amd: AmdMode) -> None:
    for sip, error, word in itertools.product(SIP_CODES, ERROR_CODES, WORDS):
        facts = CallFacts(SID, status, sip_code=sip, error_code=error, answered_by=word)

        outcome = outcome_of(facts, amd)

        assert isinstance(outcome, Outcome)
        answered = outcome in {Outcome.HUMAN, Outcome.MACHINE, Outcome.FAX}
        assert answered == (status is S.COMPLETED), facts
        assert outcome is not Outcome.NOT_PLACED, facts


@pytest.mark.parametrize("status", [None, *(status for status in S if not status.final)])
def test_a_call_that_goes_on_has_none(status: CarrierStatus | None) -> None:
    with pytest.raises(ValueError, match="not over"):
        outcome_of(CallFacts(SID, status), AmdMode.CARRIER)


@pytest.mark.parametrize(
    ("status", "sip", "error", "outcome"),
    [
        (S.BUSY, 486, None, Outcome.BUSY),
        (S.BUSY, 487, None, Outcome.BUSY),  # recorded so: the code alone never decides
        (S.BUSY, 603, None, Outcome.REJECTED),
        (S.BUSY, 404, None, Outcome.BUSY),
        (S.NO_ANSWER, 487, None, Outcome.NO_ANSWER),
        (S.NO_ANSWER, 603, None, Outcome.REJECTED),
        (S.NO_ANSWER, 607, None, Outcome.REJECTED),
        (S.NO_ANSWER, 608, None, Outcome.REJECTED),
        (S.NO_ANSWER, None, 31603, Outcome.REJECTED),
        (S.FAILED, None, None, Outcome.CARRIER_FAILED),
        (S.FAILED, 503, 32017, Outcome.CARRIER_FAILED),
        (S.FAILED, 603, None, Outcome.REJECTED),
        (S.FAILED, 404, None, Outcome.INVALID_NUMBER),
        (S.FAILED, 604, None, Outcome.INVALID_NUMBER),
        (S.FAILED, None, 13224, Outcome.INVALID_NUMBER),
        (S.FAILED, 404, 13224, Outcome.INVALID_NUMBER),
        (S.CANCELED, 487, None, Outcome.CANCELED),
        (S.CANCELED, 404, None, Outcome.CANCELED),
        (S.COMPLETED, 603, None, Outcome.HUMAN),
        (S.COMPLETED, 404, 13224, Outcome.HUMAN),
    ],
)
def test_the_carriers_codes_refine_its_status(
    status: CarrierStatus, sip: int | None, error: int | None, outcome: Outcome
) -> None:
    facts = CallFacts(SID, status, sip_code=sip, error_code=error)

    assert outcome_of(facts, AmdMode.CARRIER) is outcome


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        (None, Outcome.HUMAN),
        ("human", Outcome.HUMAN),
        ("unknown", Outcome.HUMAN),
        ("somebody_new", Outcome.HUMAN),
        ("machine", Outcome.MACHINE),
        ("machine_start", Outcome.MACHINE),
        ("MACHINE_START", Outcome.MACHINE),
        ("machine_end_beep", Outcome.MACHINE),
        ("machine_end_silence", Outcome.MACHINE),
        ("machine_end_other", Outcome.MACHINE),
        ("fax", Outcome.FAX),
    ],
)
def test_whoever_nobody_can_tell_from_a_person_is_one(word: str | None, outcome: Outcome) -> None:
    facts = CallFacts(SID, S.COMPLETED, answered_by=word)

    assert outcome_of(facts, AmdMode.CARRIER) is outcome
    assert outcome_of(facts, AmdMode.OFF) is Outcome.HUMAN


@pytest.mark.parametrize("amd", AmdMode)
@pytest.mark.parametrize(
    ("talk_s", "asked", "heard_nothing"),
    [
        (0, False, True),
        (SILENT_MAX_S - 1, False, True),
        (SILENT_MAX_S, False, False),
        (None, False, False),
        (0, True, False),
        (SILENT_MAX_S - 1, True, False),
    ],
)
def test_whoever_answered_and_heard_nothing_was_not_reached(
    talk_s: int | None, asked: bool, heard_nothing: bool, amd: AmdMode
) -> None:
    question = [CallEvent(ATTEMPT, SID, EventSource.ANSWER, AT, S.IN_PROGRESS)]
    end = event(S.COMPLETED, duration_s=talk_s)

    for order in itertools.permutations([*(question if asked else []), end]):
        outcome = outcome_of(fold(order), amd)
        assert outcome is (Outcome.CARRIER_FAILED if heard_nothing else Outcome.HUMAN)


def test_only_the_carriers_own_word_condemns_a_number_at_once() -> None:
    assert certainly_invalid(13224)
    assert not certainly_invalid(None)
    assert not certainly_invalid(404)  # a SIP code, in the wrong place


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("source", EventSource)
def test_a_greeting_is_over_when_the_verdict_says_so(source: EventSource, word: str | None) -> None:
    told = CallEvent(ATTEMPT, SID, source, AT, answered_by=word)

    assert greeting_is_over(told) == (source is EventSource.AMD and word in GREETING_ENDED)


# -- what carriers have really said --------------------------------------------------------------


def body_of(form: object) -> bytes:
    return (form if isinstance(form, str) else urlencode(form)).encode()  # type: ignore[arg-type]  # a mapping otherwise


@pytest.mark.parametrize(
    ("item", "outcome"),
    [
        ("status.initiated.seq0", None),
        ("status.ringing.compat_server", None),
        ("status.busy.sip487", Outcome.BUSY),
        ("status.busy.sip486.2022", Outcome.BUSY),
        ("status.busy.minimal.2015", Outcome.BUSY),
        ("status.no_answer.sip487.seq0", Outcome.NO_ANSWER),
        ("status.completed.human.2018", Outcome.HUMAN),
        ("status.completed.minimal.2015", Outcome.HUMAN),
        ("status.completed.seq0.2026", Outcome.HUMAN),
        ("status.failed.error_fields", Outcome.INVALID_NUMBER),
    ],
)
def test_a_recorded_status_gives_its_outcome(item: str, outcome: Outcome | None) -> None:
    told = DOOR.status_event(ATTEMPT, body_of(BY_ID[item]["payload"]), AT)
    facts = fold([CallEvent(ATTEMPT, told.sid, EventSource.ANSWER, AT), told])

    assert facts.final == (outcome is not None)
    if outcome is not None:
        assert outcome_of(facts, AmdMode.CARRIER) is outcome


def test_no_recorded_status_is_left_out_above() -> None:
    recorded = {item["id"] for item in PAYLOADS if item["kind"] == "status_callback"}
    marks: Any = test_a_recorded_status_gives_its_outcome
    (mark,) = marks.pytestmark

    assert {item for item, _ in mark.args[1]} == recorded


@pytest.mark.parametrize(
    ("item", "outcome"),
    [
        ("amd.async.human", Outcome.HUMAN),
        ("amd.async.unknown", Outcome.HUMAN),
        ("amd.async.machine_start", Outcome.MACHINE),
        ("amd.async.machine_end_beep", Outcome.MACHINE),
    ],
)
def test_a_recorded_verdict_refines_a_completed_call(item: str, outcome: Outcome) -> None:
    completed = event(S.COMPLETED)
    told = DOOR.amd_event(ATTEMPT, body_of(BY_ID[item]["payload"]), AT)

    for order in itertools.permutations([completed, told]):
        assert outcome_of(fold(order), AmdMode.CARRIER) is outcome


def test_the_recorded_events_out_of_order_end_alike_in_all_orders() -> None:
    steps = BY_ID["sequence.out_of_order"]["payload"]
    told = [DOOR.status_event(ATTEMPT, body_of(step["form"]), AT) for step in steps]

    ends = {fold(order) for order in itertools.permutations(told)}

    (end,) = ends
    assert len(list(itertools.permutations(told))) == 24
    assert (end.status, end.duration_s) == (S.COMPLETED, 38)
    assert end.answered_at is not None
    assert end.ringing_at is not None
    assert end.ringing_at < end.answered_at < (end.ended_at or 0)
    assert outcome_of(end, AmdMode.CARRIER) is Outcome.HUMAN


def test_a_recorded_machine_is_not_overwritten_by_the_plain_end_of_the_call() -> None:
    question, end = BY_ID["sequence.amd_then_completed"]["payload"]
    told = [
        DOOR.answer_event(ATTEMPT, body_of(question["form"]), AT),
        DOOR.status_event(ATTEMPT, body_of(end["form"]), AT + 50_000),
    ]

    ends = {fold(order) for order in itertools.permutations(told)}

    (facts,) = ends
    assert facts.duration_s == 50
    assert outcome_of(facts, AmdMode.CARRIER) is Outcome.MACHINE
