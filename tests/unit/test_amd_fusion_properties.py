"""Who answered, whatever is heard: in any order, twice, late, and at times that cannot be."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from amd.fusion import MOST_ASKED, Fusion
from amd.moves import UNDECIDED
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
from amd.thresholds import BALANCED, CARRIER_ALONE, CONSERVATIVE, Thresholds
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

#: More than any call needs from its last signal to its end.
CLOCKS = 10
HINTS = [TextCue.VOICEMAIL, TextCue.REPEAT, TextCue.IVR, TextCue.UNAVAILABLE, TextCue.SCREENING]
PRESETS = st.sampled_from([BALANCED, CONSERVATIVE, CARRIER_ALONE])

usual = st.integers(0, 20_000)
absurd = st.sampled_from([-(10**18), -1, 29_999, 30_000, 44_999, 60_001, 10**9, 10**18])
times = st.one_of(usual, usual, usual, absurd)


def signals_at(at_ms: st.SearchStrategy[int]) -> st.SearchStrategy[Signal]:
    return st.one_of(
        st.builds(Text, at_ms, st.sampled_from(TextCue), st.floats(), st.just("words")),
        st.builds(Understood, at_ms),
        st.builds(Speech, at_ms, st.booleans()),
        st.builds(Speech, at_ms, st.booleans()),
        st.builds(Listened, at_ms),
        st.builds(Tone, at_ms, st.sampled_from(ToneKind), st.integers(-1000, 4000)),
        st.builds(Score, at_ms, st.one_of(st.floats(), st.sampled_from([0.97, 0.999]))),
        st.builds(CarrierWord, at_ms, st.sampled_from([*CARRIER_WORDS, "", "nobody"])),
    )


calls = st.lists(signals_at(times), max_size=30)


def in_time(signals: Sequence[Signal]) -> list[Signal]:
    return sorted(signals, key=lambda signal: signal.at_ms)


ordered_calls = st.lists(signals_at(usual), max_size=30).map(in_time)


def heard(fusion: Fusion, signals: Sequence[Signal]) -> list[Finding]:
    return [finding for signal in signals for finding in fusion.hear(signal)]


def to_the_end(fusion: Fusion) -> list[Finding]:
    """What the clocks tell; fails where they never stop."""
    told: list[Finding] = []
    for _ in range(CLOCKS):
        due_ms = fusion.due_ms
        if due_ms is None:
            return told
        told += fusion.wait(due_ms)
    raise AssertionError(f"still open: {fusion.state}")


def told_of(signals: Sequence[Signal], by: Thresholds = BALANCED) -> list[Finding]:
    fusion = Fusion(by)
    return heard(fusion, signals) + to_the_end(fusion)


def decisions(told: Sequence[Finding]) -> list[Decision]:
    return [each for each in told if isinstance(each, Decision)]


def verdicts(told: Sequence[Finding]) -> list[Verdict]:
    return [each.verdict for each in decisions(told)]


# -- always --------------------------------------------------------------------------------------


@given(calls, PRESETS)
def test_every_call_gets_a_verdict_by_its_deadline_and_the_first_thing_told_is_one(
    signals: list[Signal], by: Thresholds
) -> None:
    first = told_of(signals, by)[0]

    assert isinstance(first, Decision)
    assert 0 <= first.at_ms <= by.silence_ms + by.verdict_ms


@given(ordered_calls)
def test_the_deadline_counts_from_the_first_word_and_else_from_the_answer(
    signals: list[Signal],
) -> None:
    first = decisions(told_of(signals))[0]

    spoken = [
        each.at_ms
        for each in signals
        if isinstance(each, Text | Understood) or (isinstance(each, Speech) and each.began)
    ]
    word_ms = min(spoken, default=BALANCED.silence_ms)
    in_time = word_ms < BALANCED.silence_ms
    assert first.at_ms <= (word_ms + BALANCED.verdict_ms if in_time else BALANCED.silence_ms)


@given(calls, PRESETS, st.lists(signals_at(times), max_size=5))
def test_listening_ends_and_nothing_more_is_told(
    signals: list[Signal], by: Thresholds, later: list[Signal]
) -> None:
    fusion = Fusion(by)
    told = heard(fusion, signals) + to_the_end(fusion)

    assert heard(fusion, later) == []
    assert fusion.wait(10**18) == ()
    assert fusion.due_ms is None
    asked_ms = max(by.unknown_ms, by.human_ms, by.greeting_ms)  # an assistant, at last
    last_ms = asked_ms + MOST_ASKED * by.screening_ms
    assert all(0 <= each.at_ms <= last_ms for each in told)


@given(calls, PRESETS)
def test_the_clock_of_what_is_told_never_goes_back(signals: list[Signal], by: Thresholds) -> None:
    times_ms = [each.at_ms for each in told_of(signals, by)]

    assert times_ms == sorted(times_ms)


@given(calls, PRESETS)
def test_one_verdict_is_taken_back_at_most_and_unknown_is_none(
    signals: list[Signal], by: Thresholds
) -> None:
    told = verdicts(told_of(signals, by))

    assert Verdict.UNKNOWN not in told[1:]
    definite = [verdict for verdict, _ in groupby(told) if verdict is not Verdict.UNKNOWN]
    assert len(definite) <= 2


@given(calls, PRESETS)
def test_only_a_machine_is_told_again_as_it_asks_for_a_message_or_for_our_name(
    signals: list[Signal], by: Thresholds
) -> None:
    told = decisions(told_of(signals, by))
    repeated = [after.kind for before, after in pairwise(told) if before.verdict is after.verdict]

    assert set(repeated) <= {MachineKind.SCREENING, MachineKind.VOICEMAIL}
    assert repeated.count(MachineKind.SCREENING) <= MOST_ASKED
    assert repeated.count(MachineKind.VOICEMAIL) <= 1


@given(calls, PRESETS)
def test_a_fax_is_final(signals: list[Signal], by: Thresholds) -> None:
    told = told_of(signals, by)

    assert Verdict.FAX not in verdicts(told[:-1])


@given(calls, PRESETS)
def test_a_confidence_is_a_probability_and_a_kind_is_a_machines(
    signals: list[Signal], by: Thresholds
) -> None:
    for each in decisions(told_of(signals, by)):
        assert 0 <= each.confidence <= 1
        assert each.kind is None or each.verdict is Verdict.MACHINE


@given(calls, PRESETS)
def test_the_end_of_a_greeting_is_told_of_every_machine_that_stays_one_and_of_nobody_else(
    signals: list[Signal], by: Thresholds
) -> None:
    told = told_of(signals, by)

    over = [index for index, each in enumerate(told) if isinstance(each, GreetingOver)]
    assert all(verdicts(told[:index])[-1] is Verdict.MACHINE for index in over)
    assert verdicts(told)[-1] is not Verdict.MACHINE or over
    assert len(over) <= 2
    again = [told[index] for index in over[1:]]
    assert all(isinstance(each, GreetingOver) and each.how is GreetingEnd.BEEP for each in again)


@given(ordered_calls, st.lists(usual, max_size=20), PRESETS)
def test_looking_at_the_clock_more_often_changes_nothing(
    signals: list[Signal], looks: list[int], by: Thresholds
) -> None:
    fusion, told = Fusion(by), list[Finding]()
    for signal in signals:
        for now_ms in sorted(look for look in looks if look < signal.at_ms):
            told += fusion.wait(now_ms)
        told += fusion.hear(signal)

    assert told + to_the_end(fusion) == told_of(signals, by)


@given(calls, PRESETS)
def test_what_is_heard_twice_is_heard_once(signals: list[Signal], by: Thresholds) -> None:
    assert told_of([each for each in signals for _ in range(2)], by) == told_of(signals, by)


@given(ordered_calls, st.lists(st.tuples(st.integers(0, 40), usual, st.booleans())), PRESETS)
def test_speech_from_before_the_first_that_was_heard_changes_nothing(
    signals: list[Signal], late: list[tuple[int, int, bool]], by: Thresholds
) -> None:
    first = next(
        (at for at, each in enumerate(signals) if isinstance(each, Speech) and each.began), None
    )
    if first is None:
        return
    disturbed = list(signals)
    for place, early_ms, began in late:
        at_ms = signals[first].at_ms - 1 - early_ms
        disturbed.insert(min(first + 1 + place, len(disturbed)), Speech(at_ms, began))

    if signals[first].at_ms > 0:
        assert told_of(disturbed, by) == told_of(signals, by)


# -- persons -------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.builds(Listened, times), st.builds(Score, times, st.floats()))))
def test_silence_alone_is_never_a_machine(signals: list[Signal]) -> None:
    assert verdicts(told_of(signals)) == [Verdict.UNKNOWN]


@given(
    st.lists(
        st.one_of(
            st.builds(Understood, times),
            st.builds(
                Text,
                times,
                st.sampled_from([TextCue.BRIEF, TextCue.LIVE]),
                st.floats(0, 1),
                st.just("words"),
            ),
        ),
        max_size=80,
    )
)
def test_however_many_words_are_never_a_machine(signals: list[Signal]) -> None:
    assert set(verdicts(told_of(signals))) <= {Verdict.HUMAN, Verdict.UNKNOWN}


@given(st.lists(st.builds(Tone, times, st.just(ToneKind.BEEP), st.integers(-100, 9000))))
def test_beeps_alone_are_never_a_machine(signals: list[Signal]) -> None:
    assert verdicts(told_of(signals)) == [Verdict.UNKNOWN]


@given(st.integers(0, 9_999), st.permutations([*HINTS, TextCue.LIVE]), PRESETS)
def test_live_words_beat_every_hint_in_the_same_words(
    at_ms: int, cues: list[TextCue], by: Thresholds
) -> None:
    told = told_of([Text(at_ms, cue, 0.9, cue) for cue in cues], by)

    assert verdicts(told)[-1] is Verdict.HUMAN


@given(calls, times, calls, PRESETS)
def test_after_live_words_nobody_becomes_a_machine(
    before: list[Signal], at_ms: int, after: list[Signal], by: Thresholds
) -> None:
    fusion = Fusion(by)
    heard(fusion, before)
    fusion.wait(at_ms)
    undecided = fusion.state in UNDECIDED
    said = heard(fusion, [Text(at_ms, TextCue.LIVE, 1.0, "who is this")])
    later = verdicts([*heard(fusion, after), *to_the_end(fusion)])

    if undecided or Verdict.HUMAN in verdicts(said):
        assert fusion.due_ms is None
        assert later == []


@given(st.integers(0, 4999), st.integers(0, 2700), PRESETS)
def test_a_person_is_told_a_pause_after_their_words_and_never_late(
    began_ms: int, lasted_ms: int, by: Thresholds
) -> None:
    ended_ms = began_ms + lasted_ms
    told = decisions(told_of([Speech(began_ms, True), Speech(ended_ms, False)], by))

    assert told[0].at_ms <= began_ms + by.verdict_ms
    if by.word_ms <= lasted_ms <= by.short_ms:
        assert (told[-1].verdict, told[-1].at_ms) == (Verdict.HUMAN, ended_ms + by.pause_ms)
    else:
        assert told[-1].verdict is Verdict.UNKNOWN


utterances = st.lists(st.tuples(st.integers(1, 4000), st.integers(301, 3000)), max_size=12)


@given(utterances, st.booleans())
def test_speech_with_pauses_is_never_a_machine_by_its_rhythm(
    spans: list[tuple[int, int]], listened: bool
) -> None:
    signals: list[Signal] = []
    at_ms = 0
    for speech_ms, pause_ms in spans:
        signals += [Speech(at_ms, True), Speech(at_ms + speech_ms, False)]
        at_ms += speech_ms + pause_ms
    if listened:
        signals = in_time([*signals, *map(Listened, range(0, at_ms, 100))])

    assert Verdict.MACHINE not in verdicts(told_of(signals))


@given(st.integers(0, 20_000))
def test_a_line_that_falls_silent_amid_a_word_is_never_a_machine(began_ms: int) -> None:
    assert verdicts(told_of([Speech(began_ms, True)])) == [Verdict.UNKNOWN]


# -- whose word ----------------------------------------------------------------------------------


@given(ordered_calls, st.sampled_from([BALANCED, CONSERVATIVE]))
def test_the_model_is_believed_only_after_speech_that_lasts(
    signals: list[Signal], by: Thresholds
) -> None:
    for each in decisions(told_of(signals, by)):
        if each.cause == "model":
            began = [
                edge.at_ms
                for edge in signals
                if isinstance(edge, Speech) and edge.at_ms <= each.at_ms
            ]
            assert min(began) <= each.at_ms - by.score_speech_ms


@given(
    st.integers(0, 3000),
    st.integers(0, 4000),
    st.integers(1, 120),
    st.sampled_from([BALANCED, CONSERVATIVE]),
)
def test_the_model_holds_before_it_decides(
    began_ms: int, lasted_ms: int, step_ms: int, by: Thresholds
) -> None:
    asked = range(began_ms, began_ms + lasted_ms, step_ms)
    told = told_of([Speech(began_ms, True), *(Score(at_ms, 0.995) for at_ms in asked)], by)

    machines = [each for each in decisions(told) if each.verdict is Verdict.MACHINE]
    enough_ms = max(by.score_speech_ms, by.hold_ms)
    expected = [at_ms for at_ms in asked if at_ms - began_ms >= enough_ms]
    assert [each.at_ms for each in machines[:1]] == expected[:1]


@given(calls, st.sampled_from([BALANCED, CONSERVATIVE]))
def test_beside_others_the_carrier_only_settles_what_is_unknown(
    signals: list[Signal], by: Thresholds
) -> None:
    told = decisions(told_of(signals, by))

    for index, each in enumerate(told):
        if each.detector is Detector.CARRIER:
            assert [one.verdict for one in told[:index]] in ([], [Verdict.UNKNOWN])
            assert by is BALANCED


@given(ordered_calls)
def test_unknown_is_nobodys_word_but_the_deadlines(signals: list[Signal]) -> None:
    for each in decisions(told_of(signals)):
        assert (each.verdict is Verdict.UNKNOWN) is (each.detector is Detector.DEADLINE)
        assert each.cause
