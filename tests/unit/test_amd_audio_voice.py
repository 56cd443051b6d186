"""When somebody speaks on a line: whatever its noise, its level and its losses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amd.audio.voice import BEGIN_FRAMES, EDGE_FRAMES, HANGOVER_FRAMES, Turns
from amd.signals import Speech
from tests.support.sounds import (
    Sound,
    at_level,
    clip,
    mixed,
    noise,
    signals_of,
    silence,
    tone,
    vowel,
)

BEFORE_S, WORD_S, AFTER_S = 0.8, 0.6, 1.2
NEAR_MS = 100


def speech_in(sound: Sound) -> list[Speech]:
    return [signal for signal in signals_of(sound) if isinstance(signal, Speech)]


def given_word(*, dbfs: float = -20.0, pitch_hz: float = 120.0) -> Sound:
    return np.concatenate([silence(BEFORE_S), vowel(pitch_hz, WORD_S, dbfs=dbfs), silence(AFTER_S)])


def assert_the_word_alone(turns: list[Speech]) -> None:
    assert [turn.began for turn in turns] == [True, False]
    began, ended = turns
    assert began.at_ms == pytest.approx(BEFORE_S * 1000, abs=NEAR_MS)
    assert ended.at_ms == pytest.approx((BEFORE_S + WORD_S) * 1000, abs=NEAR_MS)


@pytest.mark.parametrize("dbfs", [-30.0, -19.0, -8.0])
@pytest.mark.parametrize("snr_db", [10.0, 20.0, 40.0])
@pytest.mark.parametrize("pink", [False, True])
def test_a_word_begins_and_ends_where_it_does_at_any_level_and_noise(
    dbfs: float, snr_db: float, pink: bool
) -> None:
    background = noise(3.0, dbfs=dbfs - snr_db, pink=pink)

    turns = speech_in(mixed(given_word(dbfs=dbfs), background))

    assert_the_word_alone(turns)


@pytest.mark.parametrize("pitch_hz", [85.0, 120.0, 220.0, 320.0])
def test_deep_and_high_voices_are_heard(pitch_hz: float) -> None:
    assert_the_word_alone(speech_in(given_word(pitch_hz=pitch_hz)))


def test_an_offset_of_the_line_changes_nothing() -> None:
    sound = mixed(given_word(), noise(3.0, dbfs=-45.0)) + 3000.0

    assert_the_word_alone(speech_in(sound))


def test_a_clipped_voice_is_heard() -> None:
    assert_the_word_alone(speech_in(given_word(dbfs=3.0).clip(-32000, 32000)))


def test_lost_packets_do_not_cut_a_word_in_two() -> None:
    sound = mixed(given_word(), noise(3.0, dbfs=-45.0))
    for lost_ms in range(0, 2600, 200):
        sound[lost_ms * 8 : lost_ms * 8 + 320] = 0.0

    assert_the_word_alone(speech_in(sound))


@pytest.mark.parametrize("dbfs", [-70.0, -50.0, -30.0, -15.0])
@pytest.mark.parametrize("pink", [False, True])
def test_noise_alone_is_not_speech(dbfs: float, pink: bool) -> None:
    assert speech_in(noise(10.0, dbfs=dbfs, pink=pink)) == []


def test_a_noise_that_begins_suddenly_is_not_speech() -> None:
    sound = np.concatenate([noise(2.0, dbfs=-55.0), noise(6.0, dbfs=-30.0, seed=2)])

    assert speech_in(sound) == []


def test_hum_is_not_speech() -> None:
    hum = at_level(tone([50], 6.0) + 0.3 * tone([100], 6.0) + 0.2 * tone([150], 6.0), -30.0)

    assert speech_in(mixed(hum, noise(7.0, dbfs=-50.0))) == []


def test_knocks_are_not_speech() -> None:
    sound = noise(6.0, dbfs=-50.0)
    for at_s in range(1, 6):
        knock = noise(0.06, dbfs=-12.0, seed=at_s)
        sound[at_s * 8000 : at_s * 8000 + len(knock)] += knock

    assert speech_in(sound) == []


def test_digital_silence_is_not_speech() -> None:
    assert speech_in(silence(60.0)) == []


def test_a_voice_is_heard_again_after_a_louder_noise_set_in() -> None:
    before = mixed(given_word(), noise(3.0, dbfs=-50.0))
    after = mixed(
        np.concatenate([silence(3.0), given_word(dbfs=-15.0)]), noise(6.0, dbfs=-32.0, seed=3)
    )

    turns = speech_in(np.concatenate([before, after]))

    offset_ms = round((len(before) / 8) + 3000)
    late = [Speech(turn.at_ms - offset_ms, turn.began) for turn in turns if turn.at_ms > offset_ms]
    assert_the_word_alone(late)


@pytest.mark.parametrize(
    ("name", "begins_ms", "ends_ms"), [("word_1.wav", 400, 1020), ("word_2.wav", 420, 1200)]
)
def test_real_words_are_told_from_their_rooms(name: str, begins_ms: int, ends_ms: int) -> None:
    turns = speech_in(np.concatenate([clip(name), silence(0.6)]))

    assert turns[0].at_ms == pytest.approx(begins_ms, abs=NEAR_MS)
    assert turns[-1].at_ms == pytest.approx(ends_ms, abs=NEAR_MS)
    assert not turns[-1].began


# -- turns ---------------------------------------------------------------------------------------


def turns_of(frames: list[tuple[bool, float]]) -> list[Speech]:
    turns = Turns()
    heard = [turns.hear(*frame, at * 20) for at, frame in enumerate(frames)]
    return [turn for turn in heard if turn is not None]


VOICE, HISS, QUIET = (True, 0.9), (True, 0.1), (False, 0.0)


def test_speech_is_told_late_but_with_its_own_times() -> None:
    turns = turns_of([QUIET] * 5 + [VOICE] * 20 + [QUIET] * 30)

    assert turns == [Speech(100, began=True), Speech(500, began=False)]


def test_a_hole_shorter_than_the_hangover_is_inside_the_speech() -> None:
    turns = turns_of([VOICE] * 10 + [QUIET] * (HANGOVER_FRAMES - 1) + [VOICE] * 10 + [QUIET] * 30)

    assert [turn.began for turn in turns] == [True, False]


def test_a_hiss_belongs_to_the_voice_beside_it() -> None:
    turns = turns_of([QUIET] * 5 + [HISS] * 5 + [VOICE] * 10 + [HISS] * 5 + [QUIET] * 30)

    assert turns == [Speech(100, began=True), Speech(500, began=False)]


def test_a_hiss_goes_on_without_the_voice_only_for_a_moment() -> None:
    turns = turns_of([VOICE] * 10 + [HISS] * 50)

    assert turns[-1] == Speech((10 + EDGE_FRAMES) * 20, began=False)


def test_a_hiss_alone_is_never_speech() -> None:
    assert turns_of([HISS] * 200) == []


@settings(max_examples=200)
@given(st.lists(st.sampled_from([VOICE, HISS, QUIET]), max_size=150))
def test_turns_alternate_in_time_and_last_as_long_as_they_must(
    frames: list[tuple[bool, float]],
) -> None:
    turns = turns_of(frames)

    assert [turn.began for turn in turns] == [at % 2 == 0 for at in range(len(turns))]
    times = [turn.at_ms for turn in turns]
    assert times == sorted(times)
    for began, ended in zip(turns[::2], turns[1::2], strict=False):
        assert ended.at_ms - began.at_ms >= BEGIN_FRAMES * 20
    for ended, began in zip(turns[1::2], turns[2::2], strict=False):
        assert began.at_ms >= ended.at_ms
