"""Who answered, call by call: what is heard, and what is told of it."""

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from amd.evidence import of_carrier
from amd.fusion import Fusion
from amd.moves import MACHINES, MOVES, OPEN, RECORDERS, UNDECIDED, VERDICTS, Heard, State, Tell
from amd.signals import (
    CarrierWord,
    Listened,
    Score,
    Signal,
    Speech,
    Text,
    TextCue,
    Tone,
    ToneKind,
    Understood,
)
from amd.thresholds import BALANCED, CARRIER_ALONE, CONSERVATIVE, CarrierVote, Thresholds
from amd.verdict import (
    CARRIER_WORDS,
    Decision,
    Detector,
    Finding,
    GreetingEnd,
    GreetingOver,
    MachineKind,
    Verdict,
)

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "who-answered.md"
CONFIRMS = replace(BALANCED, carrier=CarrierVote.CONFIRMS)
DEFINITE = {Verdict.HUMAN, Verdict.MACHINE, Verdict.FAX}
TOLD_BY = {
    Tell.HUMAN: Verdict.HUMAN,
    Tell.MACHINE: Verdict.MACHINE,
    Tell.FAX: Verdict.FAX,
    Tell.UNKNOWN: Verdict.UNKNOWN,
}


def text(at_ms: int, cue: TextCue) -> Text:
    return Text(at_ms, cue, 0.9, f"the words of {cue}")


def speech(*spans: tuple[int, int]) -> list[Signal]:
    """Speech from, until; and so on."""
    return [
        Speech(at_ms, began)
        for span in spans
        for at_ms, began in zip(span, (True, False), strict=True)
    ]


def scores(start_ms: int, end_ms: int, machine: float = 0.98) -> list[Signal]:
    return [Score(at_ms, machine) for at_ms in range(start_ms, end_ms, 40)]


def beep(at_ms: int, lasted_ms: int = 400) -> Tone:
    return Tone(at_ms, ToneKind.BEEP, lasted_ms)


def to_the_end(fusion: Fusion) -> list[Finding]:
    told: list[Finding] = []
    while (due_ms := fusion.due_ms) is not None:
        told += fusion.wait(due_ms)
    return told


def told_of(*signals: Signal, by: Thresholds = BALANCED) -> list[Finding]:
    """All that is told of a call in which these are heard, each in its time."""
    fusion = Fusion(by)
    told = [finding for signal in in_time(signals) for finding in fusion.hear(signal)]
    return told + to_the_end(fusion)


def in_time(signals: Sequence[Signal]) -> list[Signal]:
    return sorted(signals, key=lambda signal: signal.at_ms)


def short(told: Sequence[Finding]) -> list[tuple[str, int]]:
    """What was told, and when."""
    return [
        (f"over:{each.how}", each.at_ms)
        if isinstance(each, GreetingOver)
        else (f"{each.verdict}:{each.kind}" if each.kind else str(each.verdict), each.at_ms)
        for each in told
    ]


# -- persons -------------------------------------------------------------------------------------


def test_a_short_word_and_a_pause_are_a_person_as_soon_as_the_pause_is_long_enough() -> None:
    told = told_of(*speech((900, 1400)))

    expected = Decision(
        Verdict.HUMAN, None, 0.8, "short speech, then a pause", 2200, Detector.AUDIO
    )
    assert told == [expected]


def test_words_with_short_pauses_between_them_are_one_utterance() -> None:
    assert short(told_of(*speech((500, 900), (1400, 1800)))) == [("human", 2600)]
    assert short(told_of(*speech((500, 1900), (2400, 3900)))) == [("unknown", 3500)]


def test_a_click_is_no_word() -> None:
    assert short(told_of(*speech((500, 560)))) == [("unknown", 3500)]


def test_a_person_who_takes_long_to_say_little_is_unknown_first_and_a_person_then() -> None:
    assert short(told_of(*speech((500, 2850)))) == [("unknown", 3500), ("human", 3650)]


def test_a_person_who_speaks_late_is_still_told() -> None:
    assert short(told_of(*speech((6000, 6500)))) == [("unknown", 5000), ("human", 7300)]


def test_silence_is_never_a_machine() -> None:
    (told,) = told_of(*[Listened(at_ms) for at_ms in range(0, 60_000, 20)])

    assert told == Decision(Verdict.UNKNOWN, None, 0.0, "nobody spoke", 5000, Detector.DEADLINE)


def test_somebody_who_cannot_be_told_in_time_is_unknown() -> None:
    told = told_of(*speech((700, 3600)))

    assert told == [
        Decision(Verdict.UNKNOWN, None, 0.0, "could not be told in time", 3700, Detector.DEADLINE)
    ]


def test_words_start_the_clock_as_speech_does_and_their_number_decides_nothing() -> None:
    words = [Understood(at_ms) for at_ms in range(1000, 14_000, 300)]

    assert short(told_of(*words)) == [("unknown", 4000)]


def test_a_brief_text_is_a_person() -> None:
    (told,) = told_of(Understood(800), text(1500, TextCue.BRIEF))

    assert told == Decision(Verdict.HUMAN, None, 0.9, "the words of brief", 1500, Detector.TEXT)


def test_what_only_a_living_person_says_ends_the_listening() -> None:
    fusion = Fusion()

    assert short(fusion.hear(text(1200, TextCue.LIVE))) == [("human", 1200)]
    assert fusion.due_ms is None
    assert fusion.hear(text(1300, TextCue.VOICEMAIL)) == ()
    assert fusion.hear(Tone(3000, ToneKind.FAX, 3000)) == ()


def test_a_person_confirmed_by_words_is_not_told_twice_nor_taken_back() -> None:
    said = text(2500, TextCue.LIVE), text(4000, TextCue.VOICEMAIL), beep(5000)

    assert short(told_of(*speech((900, 1400)), *said)) == [("human", 2200)]


@pytest.mark.parametrize("before", [[], speech((200, 700)), speech((200, 3000))])
def test_live_words_beat_every_hint_in_the_same_words_unless_they_came_too_late(
    before: list[Signal],
) -> None:
    both = [text(3900, TextCue.VOICEMAIL), text(3900, TextCue.LIVE)]

    assert short(told_of(*before, *reversed(both)))[-1][0] == "human"
    if VERDICTS[state_after(before, 3899)] is not Verdict.HUMAN:  # else the one reversal is spent
        assert short(told_of(*before, *both))[-1] == ("human", 3900)


def state_after(signals: Sequence[Signal], at_ms: int) -> State:
    fusion = Fusion()
    for signal in in_time(signals):
        fusion.hear(signal)
    fusion.wait(at_ms)
    return fusion.state


def test_a_person_who_answers_our_agent_at_length_stays_a_person() -> None:
    talk = speech((900, 1400), (3000, 9500))

    assert short(told_of(*talk, Listened(9400))) == [("human", 2200)]


def test_a_person_who_answers_after_we_gave_up_stays_unknown() -> None:
    talk = speech((6000, 14_000))

    assert short(told_of(*talk, *scores(6000, 14_000))) == [("unknown", 5000)]


# -- machines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cue", "told"),
    [
        (TextCue.VOICEMAIL, "machine:voicemail"),
        (TextCue.IVR, "machine:ivr"),
        (TextCue.UNAVAILABLE, "machine:unavailable"),
        (TextCue.SCREENING, "machine:screening"),
        (TextCue.REPEAT, "machine"),
    ],
)
@pytest.mark.parametrize("before", [[], speech((900, 1400))], ids=["at once", "after a person"])
def test_a_hint_is_a_machine_of_its_kind(cue: TextCue, told: str, before: list[Signal]) -> None:
    assert (told, 2500) in short(told_of(*before, text(2500, cue)))


def test_the_model_counts_after_speech_and_for_as_long_as_it_must_hold() -> None:
    (told, *_) = told_of(Speech(500, True), *scores(500, 3500))

    assert told == Decision(Verdict.MACHINE, None, 0.98, "model", 2020, Detector.AUDIO)


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param([Speech(500, True), *scores(500, 3400, 0.95)], id="not sure"),
        pytest.param([Speech(500, True), *scores(500, 3400, float("nan"))], id="no number"),
        pytest.param([Speech(500, True), *scores(500, 3400, 1.5)], id="no probability"),
        pytest.param([Speech(2200, True), *scores(500, 3400)], id="too little speech"),
        pytest.param(scores(500, 3400), id="no speech"),
        pytest.param(
            [Speech(500, True), *(Score(at, 0.98) for at in range(2000, 3400, 240))],
            id="asked too rarely",
        ),
        pytest.param(
            [
                Speech(500, True),
                *(Score(at, (0.98, 0.2)[at // 40 % 2]) for at in range(2000, 3400, 40)),
            ],
            id="does not hold",
        ),
        pytest.param([Speech(500, True), *[Score(2500, 0.98)] * 9], id="one score again and again"),
    ],
)
def test_otherwise_the_model_is_not_believed(heard: list[Signal]) -> None:
    assert Verdict.MACHINE not in {
        each.verdict for each in told_of(*heard) if isinstance(each, Decision)
    }


def test_a_score_that_comes_late_neither_holds_nor_breaks_what_holds() -> None:
    fusion = Fusion()
    fusion.hear(Speech(500, True))

    told = [
        finding
        for score in (Score(1980, 0.98), Score(2020, 0.98), Score(1500, 0.1), Score(2060, 0.98))
        for finding in fusion.hear(score)
    ]

    assert short(told) == [("machine", 2060)]


def test_speech_without_a_pause_is_a_machine_when_it_was_really_heard_for_that_long() -> None:
    heard = [Listened(at_ms) for at_ms in range(600, 8000, 500)]

    told = told_of(*speech((600, 8000)), *heard)

    assert short(told[:2]) == [("unknown", 3600), ("machine", 5600)]
    assert short(told_of(Speech(600, True))) == [("unknown", 3600)]  # then the line fell silent
    assert short(told_of(*speech((600, 5700))))[1] == ("machine", 5700)


def test_a_greeting_that_goes_on_at_once_takes_back_a_person() -> None:
    told = told_of(*speech((500, 1000), (1900, 9000)), Listened(7000))

    assert short(told[:2]) == [("human", 1800), ("machine", 7000)]


def test_special_information_tones_are_the_network() -> None:
    told = told_of(Tone(1200, ToneKind.SIT, 1000))

    assert short(told) == [("machine:unavailable", 1200), ("over:cap", 13_200)]


@pytest.mark.parametrize("before", [[], speech((200, 700)), [text(900, TextCue.VOICEMAIL)]])
def test_a_fax_is_final(before: list[Signal]) -> None:
    fusion = Fusion()
    for signal in before:
        fusion.hear(signal)
    fusion.wait(2000)

    assert short(fusion.hear(Tone(2500, ToneKind.FAX, 700)))[-1] == ("fax", 2500)
    assert fusion.due_ms is None


def test_a_whistle_is_no_fax() -> None:
    assert short(told_of(Tone(1500, ToneKind.FAX, 500))) == [("unknown", 5000)]


# -- beeps and the end of a greeting -------------------------------------------------------------


def test_a_beep_before_anything_else_says_nothing() -> None:
    assert short(told_of(beep(900), beep(7000))) == [("unknown", 5000)]
    assert short(told_of(beep(900), Speech(480, True), Speech(900, False)))[0][0] == "human"


def test_a_beep_after_speech_is_a_machine_that_records() -> None:
    told = told_of(*speech((500, 3000)), beep(3400))

    assert short(told) == [("machine:voicemail", 3400), ("over:beep", 3400)]


def test_a_beep_takes_back_a_person() -> None:
    told = told_of(*speech((500, 1000)), beep(4000))

    assert short(told) == [("human", 1800), ("machine:voicemail", 4000), ("over:beep", 4000)]


@pytest.mark.parametrize("lasted_ms", [-5, 0, 199])
def test_a_tone_too_short_is_no_beep(lasted_ms: int) -> None:
    assert "machine:voicemail" not in dict(
        short(told_of(*speech((500, 3000)), beep(3400, lasted_ms)))
    )


def test_a_second_beep_starts_the_message_again_and_a_third_does_not() -> None:
    beeps = [beep(at_ms) for at_ms in (8000, 8000, 8900, 12_000, 16_000)]

    told = told_of(text(3000, TextCue.VOICEMAIL), *beeps)

    assert short(told[1:]) == [("over:beep", 8000), ("over:beep", 12_000)]


def test_silence_ends_a_greeting_and_a_beep_may_follow() -> None:
    told = told_of(*speech((500, 6000)), text(2500, TextCue.VOICEMAIL), beep(9000))

    assert short(told[1:]) == [("over:silence", 8000), ("over:beep", 9000)]


def test_silence_counts_from_the_hint_where_that_is_later() -> None:
    told = told_of(*speech((500, 2000)), text(3000, TextCue.VOICEMAIL))

    assert short(told)[-1] == ("over:silence", 5000)


def test_without_sound_silence_is_told_by_words_that_stay_away_if_every_word_is_told() -> None:
    hint, more = text(2500, TextCue.VOICEMAIL), [Understood(3500), Understood(4500)]

    assert short(told_of(Understood(1000), hint, *more))[-1] == ("over:silence", 7500)
    assert short(told_of(hint))[-1] == ("over:cap", 30_000)


def test_words_that_stay_away_are_no_silence_while_somebody_is_heard_to_speak() -> None:
    told = told_of(Understood(1000), Speech(1000, True), text(2500, TextCue.VOICEMAIL))

    assert short(told)[-1] == ("over:cap", 30_000)


def test_where_nothing_tells_the_end_of_a_greeting_time_does() -> None:
    assert short(told_of(CarrierWord(1000, "machine_start"))) == [
        ("machine", 5000),
        ("over:cap", 30_000),
    ]


@pytest.mark.parametrize("cue", [TextCue.IVR, TextCue.UNAVAILABLE, TextCue.SCREENING])
def test_silence_of_what_does_not_record_is_not_an_end(cue: TextCue) -> None:
    told = short(told_of(*speech((500, 2500)), text(2000, cue)))

    assert [how for how, _ in told[1:]] == ["over:cap"]
    assert ("over:beep", 9000) in short(told_of(text(2000, cue), beep(9000)))


def test_an_announcement_that_asks_for_a_message_is_told_to_be_a_voicemail() -> None:
    said = text(2000, TextCue.UNAVAILABLE), text(4000, TextCue.VOICEMAIL)

    assert short(told_of(*speech((500, 5000)), *said)) == [
        ("machine:unavailable", 2000),
        ("machine:voicemail", 4000),
        ("over:silence", 7000),
    ]
    patient = replace(BALANCED, announcement_ms=40_000)
    assert short(told_of(text(2000, TextCue.IVR), by=patient))[-1] == ("over:cap", 30_000)


def test_the_words_of_an_earlier_call_do_not_make_an_announcement_ask_for_a_message() -> None:
    said = text(2000, TextCue.IVR), text(4000, TextCue.REPEAT)

    assert short(told_of(*said)) == [("machine:ivr", 2000), ("over:cap", 14_000)]


def test_a_person_who_picks_up_while_the_machine_speaks_takes_it_back() -> None:
    told = told_of(text(2000, TextCue.VOICEMAIL), beep(6000), text(8000, TextCue.LIVE))

    assert short(told)[-1] == ("human", 8000)


# -- screening -----------------------------------------------------------------------------------


def test_a_person_whom_the_screening_assistant_puts_through_is_told() -> None:
    screened = *speech((300, 6000)), text(2500, TextCue.SCREENING)

    assert short(told_of(*screened, *speech((12_000, 12_600)))) == [
        ("machine:screening", 2500),
        ("human", 15_600),
    ]
    assert short(told_of(*screened, text(9000, TextCue.LIVE)))[-1] == ("human", 9000)
    assert short(told_of(*screened, text(9000, TextCue.BRIEF)))[-1] == ("human", 9000)


def test_somebody_may_pick_up_late_behind_an_assistant_that_asked_late() -> None:
    told = told_of(text(9000, TextCue.SCREENING), text(66_000, TextCue.LIVE))

    assert short(told)[-1] == ("human", 66_000)


def test_what_the_assistant_says_itself_is_no_person() -> None:
    screened = text(2500, TextCue.SCREENING), text(2600, TextCue.BRIEF)

    assert short(told_of(*speech((300, 4500), (5500, 6500)), *screened)) == [
        ("machine:screening", 2500),
        ("over:cap", 62_500),
    ]


def test_while_words_come_a_short_sound_is_no_person_behind_an_assistant() -> None:
    screened = *speech((300, 6000)), text(2500, TextCue.SCREENING)
    assistant = *speech((12_000, 12_600)), Understood(12_900)

    assert "human" not in dict(short(told_of(*screened, *assistant)))


def test_an_assistant_that_asks_again_is_told_again_but_not_for_ever() -> None:
    asked = [text(at_ms, TextCue.SCREENING) for at_ms in range(2500, 40_000, 5000)]

    told = short(told_of(*asked, text(3000, TextCue.SCREENING)))

    assert told == [
        ("machine:screening", 2500),
        ("machine:screening", 7500),
        ("machine:screening", 12_500),
        ("over:cap", 72_500),
    ]


def test_a_machine_that_turns_out_to_be_a_screening_assistant_is_told_so() -> None:
    told = told_of(
        Speech(300, True), *scores(300, 2400), text(3000, TextCue.SCREENING),
        text(3500, TextCue.SCREENING), text(12_000, TextCue.LIVE),
    )  # fmt: skip

    assert short(told) == [("machine", 1820), ("machine:screening", 3000), ("human", 12_000)]


def test_one_verdict_is_taken_back_and_no_second() -> None:
    told = told_of(
        *speech((300, 800)), text(3000, TextCue.VOICEMAIL), text(4000, TextCue.LIVE),
        Tone(6000, ToneKind.FAX, 3000),
    )  # fmt: skip

    assert short(told) == [("human", 1600), ("machine:voicemail", 3000), ("over:silence", 6000)]


# -- the carrier ---------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [*CARRIER_WORDS, "MACHINE_START", "somebody_new", ""])
def test_alone_the_carrier_decides(word: str) -> None:
    told = told_of(CarrierWord(3000, word), by=CARRIER_ALONE)

    first = told[0]
    assert isinstance(first, Decision)
    assert first.verdict is CARRIER_WORDS.get(word.lower(), Verdict.UNKNOWN)
    assert (first.at_ms, first.detector) == (3000, Detector.CARRIER)
    ended = [each for each in told if isinstance(each, GreetingOver) and each.at_ms == 3000]
    assert bool(ended) is word.startswith("machine_end")


def test_alone_the_carrier_settles_late_and_prefers_a_person_to_a_machine() -> None:
    late = told_of(CarrierWord(33_000, "machine_end_silence"), by=CARRIER_ALONE)
    both = CarrierWord(4000, "machine_start"), CarrierWord(4100, "human")

    assert short(late) == [("unknown", 5000), ("machine", 33_000), ("over:silence", 33_000)]
    assert isinstance(late[0], Decision)
    assert late[0].cause == "the carrier has not said"
    assert short(told_of(*both, by=CARRIER_ALONE)) == [("machine", 4000), ("human", 4100)]
    assert short(told_of(CarrierWord(4000, "human"), both[0], by=CARRIER_ALONE)) == [
        ("human", 4000)
    ]


def test_beside_others_the_carrier_settles_what_nobody_could_tell() -> None:
    unclear = speech((500, 3200))

    assert short(told_of(*unclear, CarrierWord(2500, "machine_start")))[0] == ("machine", 3500)
    assert short(told_of(*unclear, CarrierWord(4000, "fax")))[:2] == [
        ("unknown", 3500),
        ("fax", 4000),
    ]
    assert short(told_of(*unclear, CarrierWord(4000, "unknown"))) == [("unknown", 3500)]


def test_of_two_words_before_a_verdict_a_person_is_kept() -> None:
    words = CarrierWord(2000, "human"), CarrierWord(2500, "machine_start")

    assert short(told_of(*speech((500, 3200)), *words)) == [("human", 3500)]


@pytest.mark.parametrize("word", CARRIER_WORDS)
def test_beside_others_the_carrier_takes_nothing_back(word: str) -> None:
    human = told_of(*speech((500, 1000)), CarrierWord(4000, word))
    machine = told_of(text(2000, TextCue.VOICEMAIL), CarrierWord(4000, word))

    assert short(human) == [("human", 1800)]
    assert short(machine)[0] == ("machine:voicemail", 2000)
    assert "human" not in dict(short(machine))


def test_the_carrier_may_tell_that_a_greeting_is_over_but_once() -> None:
    ends = CarrierWord(8000, "machine_end_beep"), CarrierWord(9500, "machine_end_silence")

    told = told_of(text(2000, TextCue.VOICEMAIL), *ends, by=CONFIRMS)

    assert short(told) == [("machine:voicemail", 2000), ("over:beep", 8000)]


def test_where_the_carrier_only_confirms_it_settles_nothing() -> None:
    said = CarrierWord(2000, "machine_start"), CarrierWord(6000, "machine_end_beep")

    assert short(told_of(*said, by=CONFIRMS)) == [("unknown", 5000)]


def test_an_unheard_of_word_does_not_get_into_a_cause() -> None:
    assert of_carrier("<b>+49301234567</b>").cause == "carrier: unknown"


# -- the clock -----------------------------------------------------------------------------------


def test_a_call_is_waited_for_from_its_first_instant() -> None:
    assert Fusion().due_ms == 5000


def test_what_comes_late_moves_no_clock_back() -> None:
    fusion = Fusion()
    fusion.hear(Speech(2000, True))
    fusion.wait(2900)

    assert fusion.hear(text(1000, TextCue.VOICEMAIL))[0].at_ms == 2900
    assert fusion.hear(Speech(900, False)) == ()  # speech goes on as far as is known
    assert fusion.due_ms == 30_000


def test_a_late_first_word_brings_the_deadline_forward_and_no_further_than_now() -> None:
    fusion = Fusion()
    fusion.wait(4500)

    assert short(fusion.hear(Understood(1000))) == [("unknown", 4500)]


def test_the_first_word_is_the_earliest_whenever_it_was_told() -> None:
    fusion = Fusion()
    fusion.hear(Speech(2000, True))
    fusion.hear(Understood(1200))

    assert fusion.due_ms == 4200


def test_a_pause_that_was_over_before_it_was_told_is_a_person_now() -> None:
    fusion = Fusion()
    fusion.hear(Speech(500, True))
    fusion.wait(2400)

    assert short(fusion.hear(Speech(1000, False))) == [("human", 2400)]


# -- the table -----------------------------------------------------------------------------------


def test_every_state_is_reached_and_left() -> None:
    reached = {State.WAITING} | {move.to for move in MOVES.values()}

    assert reached == set(State)
    assert {state for state, _ in MOVES} == set(State) - {State.CLOSED}


def test_everything_the_table_knows_is_heard_somewhere() -> None:
    assert {heard for _, heard in MOVES} == set(Heard)


def test_a_clock_leads_out_of_every_state() -> None:
    for state in set(State) - {State.CLOSED}:
        clock = Heard.UNTOLD if state in OPEN else Heard.END
        assert MOVES[state, clock].to not in {state, *OPEN}


def test_a_row_tells_the_verdict_of_the_state_it_leads_to() -> None:
    for (state, heard), move in MOVES.items():
        verdicts = [TOLD_BY[tell] for tell in move.tells if tell is not Tell.OVER]
        if move.to is State.CLOSED:
            assert set(verdicts) <= {Verdict.HUMAN, Verdict.FAX}, (state, heard)
        elif VERDICTS[move.to] is not VERDICTS[state]:
            assert verdicts == [VERDICTS[move.to]], (state, heard)


def test_a_definite_verdict_changes_only_by_a_row_that_reverses() -> None:
    for (state, heard), move in MOVES.items():
        before = VERDICTS[state]
        after = {TOLD_BY[tell] for tell in move.tells if tell is not Tell.OVER} - {before}
        assert move.reverses is (before in DEFINITE and bool(after)), (state, heard)


def test_the_end_of_a_greeting_is_told_of_machines_only() -> None:
    for (state, heard), move in MOVES.items():
        if Tell.OVER in move.tells:
            machine = Tell.MACHINE in move.tells or state in (*MACHINES, *RECORDERS)
            assert machine, (state, heard)
            assert move.tells[-1] is Tell.OVER


def test_no_silence_and_no_time_leads_to_a_machine() -> None:
    for (state, heard), move in MOVES.items():
        if heard in {Heard.PAUSE, Heard.SHORT, Heard.UNTOLD, Heard.END, Heard.QUIET}:
            assert Tell.MACHINE not in move.tells, (state, heard)


def test_a_person_is_believed_by_their_words_wherever_something_is_believed() -> None:
    for state in set(State) - {State.CLOSED}:
        assert MOVES[state, Heard.LIVE].to is State.CLOSED
    assert set(UNDECIDED) == {state for state in State if VERDICTS[state] not in DEFINITE} - {
        State.CLOSED
    }


# -- thresholds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"pause_ms": -1}, {"score": 0.5}, {"score": 1.1}, {"score": float("nan")}]
)
def test_a_threshold_that_cannot_be_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(BALANCED, **wrong)


def test_the_conservative_preset_wants_more_of_everything_that_makes_a_machine() -> None:
    for name in ("long_ms", "score", "hold_ms", "score_speech_ms", "beep_ms", "short_ms"):
        assert getattr(CONSERVATIVE, name) > getattr(BALANCED, name)
    for name in ("reply_ms", "unknown_ms"):
        assert getattr(CONSERVATIVE, name) < getattr(BALANCED, name)


def test_the_page_names_every_threshold_with_its_values() -> None:
    page = PAGE.read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` (\|.*\|.*\|).*\|$", page, re.MULTILINE))

    for each in fields(Thresholds):
        balanced, conservative = getattr(BALANCED, each.name), getattr(CONSERVATIVE, each.name)
        assert rows[each.name].split("|")[1:3] == [f" {balanced} ", f" {conservative} "], each.name


def test_the_kinds_and_ends_on_the_page_are_those_of_the_code() -> None:
    page = PAGE.read_text("utf-8")

    for name in (*Verdict, *MachineKind, *GreetingEnd, *Detector):
        assert f"`{name}`" in page, name
