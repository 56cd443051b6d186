"""Beeps, fax and special information tones are heard; everything else on a line is not."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from amd.audio.tones import LONE_PROGRESS_HZ, MAX_BEEP_FRAMES
from amd.signals import Tone, ToneKind
from tests.support.sounds import Sound, clip, mixed, noise, signals_of, silence, tone, vowel

BEFORE_S = 0.5
NEAR_MS = 40


def tones_in(sound: Sound, *, noise_dbfs: float | None = -45.0) -> list[Tone]:
    """What is heard of *sound*, between two stretches of the line's noise."""
    line = np.concatenate([silence(BEFORE_S), sound, silence(0.6)])
    if noise_dbfs is not None:
        line = mixed(line, noise(len(line) / 8000 + 0.1, dbfs=noise_dbfs))
    return [signal for signal in signals_of(line) if isinstance(signal, Tone)]


def after(*sounds: Sound, gap_s: float = 0.0) -> Sound:
    return np.concatenate([part for sound in sounds for part in (sound, silence(gap_s))])


def assert_one(tones: list[Tone], kind: ToneKind, *, seconds: float) -> None:
    (heard,) = tones
    assert heard.kind is kind
    assert heard.at_ms == pytest.approx((BEFORE_S + seconds) * 1000, abs=NEAR_MS)
    assert heard.lasted_ms == pytest.approx(seconds * 1000, abs=NEAR_MS)


# -- beeps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("hz", [440, 620, 700, 850, 869, 1000, 1100, 1400, 1760, 2000])
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("noise_dbfs", [None, -50.0, -27.0])
def test_beeps_are_heard_with_their_end_and_length(
    hz: float, seconds: float, noise_dbfs: float | None
) -> None:
    tones = tones_in(tone([hz], seconds), noise_dbfs=noise_dbfs)

    assert_one(tones, ToneKind.BEEP, seconds=seconds)


def _is_no_network_tone(hz: float) -> bool:
    return all(abs(hz - known) > 15 for known in LONE_PROGRESS_HZ)


@settings(max_examples=60)
@given(
    hz=st.floats(400, 2050).filter(_is_no_network_tone),
    seconds=st.floats(0.2, 0.8),
    late_s=st.floats(0, 0.04),
    seed=st.integers(0, 99),
)
def test_a_beep_is_heard_wherever_it_lies(
    hz: float, seconds: float, late_s: float, seed: int
) -> None:
    line = after(silence(0.4 + late_s), tone([hz], seconds), silence(0.4))

    told = signals_of(mixed(line, noise(2.0, dbfs=-28.0, seed=seed)))

    (beep,) = [signal for signal in told if isinstance(signal, Tone)]
    assert beep.kind is ToneKind.BEEP
    assert beep.at_ms == pytest.approx((0.4 + late_s + seconds) * 1000, abs=NEAR_MS)


@pytest.mark.parametrize("pair", [(600, 900), (1000, 1500), (850, 1700), (500, 2000)])
def test_beeps_of_two_lines_are_heard(pair: tuple[float, float]) -> None:
    assert_one(tones_in(tone(pair, 0.4)), ToneKind.BEEP, seconds=0.4)


def test_a_beep_that_fades_is_heard() -> None:
    fading = tone([800], 0.5) * np.exp(-np.arange(4000) / 8000 * math.log(10) / 0.5)

    assert [heard.kind for heard in tones_in(fading)] == [ToneKind.BEEP]


def test_a_real_beep_is_heard() -> None:
    (beep,) = tones_in(clip("beep.wav"))

    assert beep.kind is ToneKind.BEEP
    assert beep.lasted_ms == pytest.approx(420, abs=NEAR_MS)


def test_a_beep_right_after_a_greeting_is_heard() -> None:
    line = after(clip("prompt_2.wav"), silence(0.3), tone([1000], 0.4))

    assert [heard.kind for heard in tones_in(line)] == [ToneKind.BEEP]


def test_each_of_several_beeps_is_told() -> None:
    line = after(tone([1000], 0.3), tone([1000], 0.3), gap_s=0.7)

    assert [heard.kind for heard in tones_in(line)] == [ToneKind.BEEP] * 2


@pytest.mark.parametrize("milliseconds", [20, 60, 120])
def test_what_is_shorter_than_a_beep_is_none(milliseconds: int) -> None:
    assert tones_in(tone([1000], milliseconds / 1000)) == []


def test_what_goes_on_and_on_is_no_beep() -> None:
    assert tones_in(tone([1000], MAX_BEEP_FRAMES * 0.02 + 0.5)) == []


# -- fax -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hz", [2085, 2100, 2115])
@pytest.mark.parametrize("noise_dbfs", [None, -35.0])
def test_the_answering_tone_of_a_fax_is_told_while_it_lasts(
    hz: float, noise_dbfs: float | None
) -> None:
    (fax,) = tones_in(tone([hz], 2.6), noise_dbfs=noise_dbfs)

    assert fax.kind is ToneKind.FAX
    assert 600 <= fax.lasted_ms <= 660
    assert fax.at_ms < (BEFORE_S + 0.7) * 1000


def test_a_modem_that_turns_its_phase_is_a_fax_once() -> None:
    times = np.arange(24_000) / 8000
    turning = np.sin(2 * np.pi * 2100 * times + np.pi * np.floor(times / 0.45))
    wobbling = 4000 * turning * (1 + 0.2 * np.sin(2 * np.pi * 15 * times))

    assert [heard.kind for heard in tones_in(wobbling)] == [ToneKind.FAX]


def test_a_short_whistle_at_that_pitch_is_no_fax() -> None:
    assert ToneKind.FAX not in [heard.kind for heard in tones_in(tone([2100], 0.4))]


# -- special information tones ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        (950, 1400, 1800),
        (913.8, 1370.6, 1776.7),
        (985.2, 1428.5, 1776.7),
        (985.2, 1370.6, 1776.7),
        (913.8, 1428.5, 1776.7),
    ],
)
@pytest.mark.parametrize("lengths_s", [(0.33, 0.33, 0.33), (0.276, 0.276, 0.38)])
@pytest.mark.parametrize("gap_s", [0.0, 0.03])
def test_the_three_tones_are_one_signal_and_no_beeps(
    steps: tuple[float, ...], lengths_s: tuple[float, ...], gap_s: float
) -> None:
    parts = [tone([hz], long_s) for hz, long_s in zip(steps, lengths_s, strict=True)]

    heard = tones_in(after(*parts, gap_s=gap_s))

    assert [one.kind for one in heard] == [ToneKind.SIT]


def test_the_last_two_of_the_three_are_enough() -> None:
    heard = tones_in(after(tone([1400], 0.33), tone([1800], 0.33)))

    assert [one.kind for one in heard] == [ToneKind.SIT]


def test_the_first_of_the_three_alone_is_a_beep() -> None:
    assert_one(tones_in(tone([950], 0.33)), ToneKind.BEEP, seconds=0.33)


def test_the_three_in_another_order_are_no_special_information() -> None:
    steps = [tone([hz], 0.33) for hz in (1800, 1400, 950)]

    assert ToneKind.SIT not in [one.kind for one in tones_in(after(*steps))]


# -- what is none of them --------------------------------------------------------------------------

NETWORK = {
    "American ringing": after(tone([440, 480], 2.0), gap_s=4.0),
    "European ringing": after(*[tone([425], 1.0)] * 2, gap_s=4.0),
    "British ringing": after(*[tone([400, 450], 0.4)] * 2, gap_s=0.2),
    "American busy": after(*[tone([480, 620], 0.5)] * 4, gap_s=0.5),
    "European busy": after(*[tone([425], 0.5)] * 4, gap_s=0.5),
    "congestion": after(*[tone([480, 620], 0.25)] * 6, gap_s=0.25),
    "European congestion": after(*[tone([425], 0.25)] * 6, gap_s=0.25),
    "American dial tone": tone([350, 440], 4.0),
    "European dial tone": tone([425], 4.0),
}


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("noise_dbfs", [None, -40.0])
def test_the_networks_own_tones_are_no_beeps(name: str, noise_dbfs: float | None) -> None:
    assert tones_in(NETWORK[name], noise_dbfs=noise_dbfs) == []


@pytest.mark.parametrize("low", [697, 770, 852, 941])
@pytest.mark.parametrize("high", [1209, 1336, 1477, 1633])
def test_keys_are_no_beeps(low: float, high: float) -> None:
    keys = [tone([low, high], seconds) for seconds in (0.1, 0.25, 1.0)]

    assert tones_in(after(*keys, gap_s=0.2)) == []


@pytest.mark.parametrize("pitch_hz", [90.0, 130.0, 180.0, 240.0, 300.0, 380.0])
def test_held_vowels_are_no_beeps(pitch_hz: float) -> None:
    vowels = [vowel(pitch_hz, seconds, dbfs=-15.0) for seconds in (0.25, 0.5, 1.0)]

    assert tones_in(after(*vowels, gap_s=0.3)) == []


def test_a_tune_is_no_beep() -> None:
    notes = [tone([hz], 0.25) for hz in (523, 587, 659, 698, 784, 659, 523)]

    assert tones_in(after(*notes)) == []


def test_chords_are_no_beeps() -> None:
    chords = [
        tone([root * step for step in (1, 1.25, 1.5, 2, 2.5, 3)], 0.5) for root in (262, 349, 392)
    ]

    assert tones_in(after(*chords, gap_s=0.1)) == []


def test_hum_is_no_beep() -> None:
    hum = tone([100], 1.0) + 0.5 * tone([150], 1.0) + 0.4 * tone([250, 350], 1.0)

    assert tones_in(after(hum, hum, gap_s=0.3)) == []


@pytest.mark.parametrize("dbfs", [-60.0, -30.0, -10.0])
def test_noise_is_no_tone(dbfs: float) -> None:
    assert tones_in(noise(10.0, dbfs=dbfs, pink=True), noise_dbfs=None) == []


@pytest.mark.parametrize(
    "name", ["word_1.wav", "word_2.wav", "sentence.wav", "prompt_1.wav", "prompt_2.wav"]
)
def test_real_speech_is_no_tone(name: str) -> None:
    assert tones_in(clip(name), noise_dbfs=None) == []


@given(st.floats(330, 2600), st.floats(330, 2600))
@settings(max_examples=30)
def test_two_tones_that_sound_in_turn_are_at_most_one_beep_each(one: float, other: float) -> None:
    assume(abs(one - other) > 60)

    heard = tones_in(after(tone([one], 0.3), tone([other], 0.3)))

    assert len(heard) <= 2
