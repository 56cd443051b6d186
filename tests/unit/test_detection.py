"""Our own verdicts as news: a join in any order, and what they ask of the carrier, once each."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amd.verdict import Decision, Detector, GreetingEnd, GreetingOver, MachineKind, Verdict
from dialer.attempts import AttemptRecord, MemberRecord
from dialer.detection import greeting_over, kind_in, later, verdict_in, word_of
from dialer.folding import Action, Connect, HangUp, Identify, LeaveMessage, fold
from dialer.model import (
    AmdMode,
    AttemptId,
    CallEvent,
    CallSid,
    CampaignId,
    CarrierStatus,
    EventSource,
    Judgement,
    MemberId,
    NumberId,
    OnMachine,
)
from dialer.outcomes import NOTHING, machine_kind, merge, outcome_of, verdict_of
from dialer.states import AttemptState, MemberState
from retries.outcome import Outcome

SID = CallSid("CA1")
ATTEMPT = AttemptId("a" * 32)
NOW = 1_767_625_200_000
OWN_MODES = (AmdMode.TEXT, AmdMode.ML, AmdMode.FUSED)
WORDS = (
    *("human", "unknown", "fax", "machine"),
    *("voicemail", "ivr", "screening", "unavailable"),
    *("greeting_over_beep", "greeting_over_silence", "greeting_over_cap"),
)


def told(word: str, sequence: int, at: int = NOW) -> CallEvent:
    return CallEvent(ATTEMPT, SID, EventSource.DETECTOR, at, sequence=sequence, answered_by=word)


def decision(verdict: Verdict, kind: MachineKind | None = None) -> Decision:
    return Decision(verdict, kind, 0.9, "a test", 1000, Detector.TEXT)


LEFT = CallEvent(ATTEMPT, SID, EventSource.LEFT, NOW + 9, CarrierStatus.IN_PROGRESS)
OVER = CallEvent(ATTEMPT, SID, EventSource.STATUS, NOW + 99, CarrierStatus.COMPLETED, duration_s=20)
ANSWERED = CallEvent(ATTEMPT, SID, EventSource.ANSWER, NOW, CarrierStatus.IN_PROGRESS)
BY_CARRIER = CallEvent(ATTEMPT, SID, EventSource.AMD, NOW + 5, answered_by="machine_start")

events = st.one_of(
    st.builds(told, st.sampled_from(WORDS), st.integers(1, 6), st.just(NOW)),
    st.sampled_from([LEFT, OVER, ANSWERED, BY_CARRIER]),
)


def record(on_machine: OnMachine, amd: AmdMode = AmdMode.TEXT) -> AttemptRecord:
    """An attempt whose call the carrier has named."""
    return AttemptRecord(
        id=ATTEMPT,
        phone="+12025550101",
        was=AttemptState.PLACED,
        state=AttemptState.PLACED,
        facts=NOTHING._replace(sid=SID),
        number_id=NumberId(1),
        day="2026-01-05",
        intent_at=NOW,
        check_at=NOW,
        checks=0,
        taken_over_at=None,
        outcome=None,
        detail=None,
        closed_at=None,
        campaign_id=CampaignId(1),
        amd=amd,
        completion_timeout_s=900,
        ring_timeout_s=30,
        on_machine=on_machine,
        member=MemberRecord(
            id=MemberId(1),
            was=MemberState.DIALING,
            state=MemberState.DIALING,
            next_at=0,
            attempts=0,
            rejections=0,
            not_placed=0,
            reason=None,
            last_outcome=None,
            window_key="",
            follows=True,
        ),
    )


def asked(record: AttemptRecord, *portions: Sequence[CallEvent]) -> list[Action]:
    """What news that comes in *portions* asks of the carrier."""
    folded = [each for news in portions for each in fold(record, news, NOW)]
    return [each.action for each in folded if each.action is not None]


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("kind", [None, *MachineKind])
def test_a_decision_is_read_back_from_its_word(verdict: Verdict, kind: MachineKind | None) -> None:
    if kind is not None and verdict is not Verdict.MACHINE:
        return
    judged = Judgement(1, word_of(decision(verdict, kind)))

    assert (verdict_in(judged), kind_in(judged)) == (verdict, kind)
    assert not greeting_over(judged.word)


@pytest.mark.parametrize("how", GreetingEnd)
def test_the_end_of_a_greeting_is_no_verdict(how: GreetingEnd) -> None:
    word = word_of(GreetingOver(1000, how))

    assert greeting_over(word)
    assert verdict_in(Judgement(1, word)) is Verdict.UNKNOWN


@pytest.mark.parametrize("word", ["", "dreaming", "MACHINE"])
def test_a_word_nobody_knows_is_a_persons(word: str) -> None:
    assert verdict_in(Judgement(1, word)) is Verdict.UNKNOWN


def test_the_latest_verdict_counts_and_not_knowing_takes_nothing_back() -> None:
    machine, human = Judgement(1, "voicemail"), Judgement(2, "human")

    assert later(machine, human) == later(human, machine) == human
    assert later(machine, Judgement(9, "unknown")) == machine
    assert later(None, machine) == later(machine, None) == machine


@given(st.lists(events, max_size=8), st.data())
def test_our_verdicts_are_joined_in_any_order_and_twice(
    news: list[CallEvent], data: st.DataObject
) -> None:
    order = data.draw(st.permutations([*news, *news]))

    once = merge(NOTHING, *news)

    again = NOTHING
    for event in order:
        again = merge(again, event)
    assert again == once
    assert merge(merge(NOTHING, *order[:3]), *order[3:]) == once


@given(st.lists(events, max_size=8), st.sampled_from(AmdMode))
def test_only_the_mode_that_acts_says_who_answered(news: list[CallEvent], amd: AmdMode) -> None:
    facts = merge(NOTHING, *news, ANSWERED, OVER)

    outcome = outcome_of(facts, amd)

    if amd is AmdMode.OFF:
        assert outcome is Outcome.HUMAN
    elif amd is AmdMode.CARRIER:
        assert outcome is (Outcome.MACHINE if BY_CARRIER in news else Outcome.HUMAN)
    else:
        words = [event for event in news if event.source is EventSource.DETECTOR]
        judged = [w for w in words if not greeting_over(w.answered_by)]
        sure = [w for w in judged if w.answered_by != "unknown"]
        if not sure:
            assert outcome is Outcome.HUMAN
        assert verdict_of(facts, amd) is verdict_in(facts.judged)
    if outcome is not Outcome.MACHINE:
        assert machine_kind(facts, amd) is None


HANG, LEAVE, GO_ON = OnMachine.HANG_UP, OnMachine.LEAVE_MESSAGE, OnMachine.CONTINUE


@pytest.mark.parametrize(
    ("on_machine", "words", "actions"),
    [
        (HANG, ["voicemail"], [HangUp]),
        (HANG, ["machine"], [HangUp]),
        (HANG, ["unavailable"], [HangUp]),
        (HANG, ["fax"], [HangUp]),
        (HANG, ["unknown"], []),
        (HANG, ["human"], []),
        (HANG, ["unknown", "ivr"], [HangUp]),
        (HANG, ["voicemail", "human"], [HangUp]),
        (HANG, ["voicemail", "greeting_over_beep"], [HangUp]),
        (HANG, ["screening"], [Identify]),
        (HANG, ["screening", "human"], [Identify, Connect]),
        (HANG, ["human", "voicemail"], [HangUp]),  # the one reversal
        (LEAVE, ["voicemail"], []),
        (LEAVE, ["voicemail", "greeting_over_beep"], [LeaveMessage]),
        (LEAVE, ["voicemail", "greeting_over_cap"], [LeaveMessage]),
        (LEAVE, ["voicemail", "greeting_over_silence", "greeting_over_beep"], [LeaveMessage] * 2),
        (LEAVE, ["ivr", *["greeting_over_beep"] * 4], [LeaveMessage] * 2),
        (LEAVE, ["voicemail", "human", "greeting_over_beep"], []),
        (LEAVE, ["voicemail", "greeting_over_beep", "human"], [LeaveMessage, Connect]),
        (LEAVE, ["greeting_over_beep"], []),
        (LEAVE, ["unavailable"], []),
        (LEAVE, ["unavailable", "greeting_over_cap"], [HangUp]),
        (LEAVE, ["ivr", "greeting_over_cap"], [HangUp]),
        (LEAVE, ["unavailable", "greeting_over_beep"], [LeaveMessage]),
        (LEAVE, ["unavailable", "voicemail", "greeting_over_cap"], [LeaveMessage]),
        (LEAVE, ["screening", "screening"], [Identify] * 2),
        (LEAVE, ["screening", "greeting_over_beep"], [Identify]),
        (LEAVE, ["fax"], [HangUp]),
        (GO_ON, ["voicemail", "greeting_over_beep", "human"], []),
        (GO_ON, ["screening", "human"], []),
        (GO_ON, ["fax"], [HangUp]),
    ],
)
@pytest.mark.parametrize("amd", OWN_MODES)
def test_a_verdict_asks_for_what_the_campaign_says(
    amd: AmdMode, on_machine: OnMachine, words: list[str], actions: list[type]
) -> None:
    news = [told(word, sequence) for sequence, word in enumerate(words, 1)]

    one_by_one = asked(record(on_machine, amd), *([event] for event in news))

    assert [type(action) for action in one_by_one] == actions
    assert all(action.sid == SID for action in one_by_one)


@pytest.mark.parametrize(
    ("known", "together", "actions"),
    [
        ([], ["machine", "greeting_over_beep"], [LeaveMessage]),  # told by the beep itself
        (["voicemail"], ["greeting_over_silence", "greeting_over_beep"], [LeaveMessage] * 2),
        (["voicemail"], ["greeting_over_beep", "human"], []),  # no message was ever begun
        ([], ["screening", "human"], []),
    ],
)
def test_news_that_come_together_ask_for_nothing_twice(
    known: list[str], together: list[str], actions: list[type]
) -> None:
    news = [told(word, sequence) for sequence, word in enumerate([*known, *together], 1)]

    batches = [news[: len(known)], news[len(known) :]]
    asked_for = asked(record(LEAVE), *filter(None, batches))

    assert [type(action) for action in asked_for] == actions


@pytest.mark.parametrize("amd", [AmdMode.CARRIER, AmdMode.OFF])
def test_our_verdicts_ask_for_nothing_where_another_acts(amd: AmdMode) -> None:
    assert asked(record(HANG, amd), [told("voicemail", 1)], [told("fax", 2)]) == []


def test_a_verdict_that_comes_after_a_later_one_asks_for_nothing() -> None:
    screened_late = asked(record(HANG), [told("human", 2)], [told("screening", 1)])
    machine_late = asked(record(HANG), [told("human", 2)], [told("voicemail", 1)])

    assert screened_late == machine_late == []


def test_a_message_waits_for_whichever_comes_last() -> None:
    late = asked(record(LEAVE), [told("greeting_over_beep", 2)], [told("voicemail", 1)])

    assert [type(action) for action in late] == [LeaveMessage]


def test_a_message_that_was_left_is_not_said_again() -> None:
    news = [told("voicemail", 1), told("greeting_over_beep", 2), LEFT, told("greeting_over_cap", 3)]

    assert len(asked(record(LEAVE), *([event] for event in news))) == 1


@given(st.sampled_from(OnMachine), st.lists(events, max_size=8), st.data())
def test_every_errand_is_asked_for_at_most_once_per_finding(
    on_machine: OnMachine, news: list[CallEvent], data: st.DataObject
) -> None:
    order = data.draw(st.permutations([*news, *news]))
    cut = data.draw(st.integers(0, len(order)))

    actions = asked(record(on_machine), order[:cut], order[cut:])

    findings = {event.news for event in news if event.source is EventSource.DETECTOR}
    assert len(actions) <= len(findings)
    assert sum(isinstance(action, LeaveMessage) for action in actions) <= 3
    if on_machine is OnMachine.CONTINUE:
        assert all(isinstance(action, HangUp) for action in actions)


@given(st.sampled_from(OnMachine), st.lists(events, max_size=8))
def test_a_call_that_is_over_asks_for_nothing(on_machine: OnMachine, news: list[CallEvent]) -> None:
    over = record(on_machine)
    fold(over, [ANSWERED, OVER], NOW)

    assert asked(over, *([event] for event in news)) == []


@given(st.lists(events, max_size=6), st.sampled_from(OWN_MODES))
def test_a_person_is_never_hung_up_on(news: list[CallEvent], amd: AmdMode) -> None:
    people = [
        replace_word(event) if event.source is EventSource.DETECTOR else event for event in news
    ]

    actions = asked(record(OnMachine.HANG_UP, amd), *([event] for event in people))

    assert actions == []


def replace_word(event: CallEvent) -> CallEvent:
    """The same finding about a person."""
    return event._replace(answered_by="human" if (event.sequence or 0) % 2 else "unknown")
