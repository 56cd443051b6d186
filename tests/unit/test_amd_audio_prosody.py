"""How somebody speaks is told alike however loud it is, and whatever is fed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amd.audio.prosody import MAX_FRAMES, NAMES, Prosody
from amd.audio.spectrum import FFT

BINS = FFT // 2 + 1


def given_speech(seed: int, frames: int, level: float = 1e5) -> np.ndarray:
    """Powers that rise and fall four times a second, as those of speech do."""
    rng = np.random.default_rng(seed)
    swing = 1 + 0.9 * np.sin(np.arange(frames) * 0.02 * 2 * np.pi * 4)
    power: np.ndarray = level * swing[:, None] * rng.uniform(0.2, 1, (frames, BINS))
    return power.astype(np.float32)


def features_of(power: np.ndarray, voice: list[bool], pieces: int = 1) -> np.ndarray:
    prosody = Prosody()
    for part in np.array_split(np.arange(len(power)), pieces):
        prosody.hear(power[part], [voice[index] for index in part])
    return prosody.features()


def test_every_feature_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES) == len(Prosody().features())


def test_with_next_to_no_voice_nothing_is_told() -> None:
    power = given_speech(1, 40)

    assert not features_of(power, [True] * 9 + [False] * 31).any()


def test_loudness_changes_nothing() -> None:
    power = given_speech(2, 120)
    voice = [index % 30 < 22 for index in range(120)]

    quiet, loud = features_of(power, voice), features_of(power * np.float32(50), voice)

    np.testing.assert_allclose(quiet, loud, rtol=0.02, atol=0.02)


def test_a_line_that_colours_the_sound_changes_no_melody_and_no_articulation() -> None:
    power = given_speech(3, 120)
    tilt = np.linspace(1.0, 4.0, BINS, dtype=np.float32)
    voice = [True] * 120

    plain, tilted = features_of(power, voice), features_of(power * tilt, voice)

    kept = [index for index, name in enumerate(NAMES) if name.startswith("cepstrum")]
    np.testing.assert_allclose(plain[kept], tilted[kept], rtol=0.1, atol=0.05)


@pytest.mark.parametrize("pieces", [2, 7, 60])
def test_it_is_the_same_however_the_sound_arrives(pieces: int) -> None:
    power = given_speech(4, 120)
    voice = [index % 25 < 20 for index in range(120)]

    np.testing.assert_allclose(
        features_of(power, voice, pieces), features_of(power, voice), rtol=1e-4, atol=1e-4
    )


def test_what_comes_after_the_first_seconds_is_left_out() -> None:
    power = given_speech(5, MAX_FRAMES + 200)
    voice = [True] * len(power)

    whole, beginning = features_of(power, voice), features_of(power[:MAX_FRAMES], voice)

    np.testing.assert_array_equal(whole, beginning)


def test_speech_that_was_noticed_late_counts_from_its_beginning() -> None:
    power = given_speech(6, 60)
    late = Prosody()
    late.hear(power[:20], [False] * 20)
    late.began(5)
    late.hear(power[20:], [True] * 40)

    expected = features_of(power, [False] * 15 + [True] * 45)

    np.testing.assert_allclose(late.features(), expected, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    frames=st.integers(0, MAX_FRAMES + 20),
    level=st.sampled_from([0.0, 1e-3, 1.0, 1e4, 1e9]),
    data=st.data(),
)
def test_every_value_is_finite(seed: int, frames: int, level: float, data: st.DataObject) -> None:
    voice = data.draw(st.lists(st.booleans(), min_size=frames, max_size=frames))

    found = features_of(given_speech(seed, frames, level), voice)

    assert np.isfinite(found).all()


def test_a_gap_counts_as_silence() -> None:
    power = given_speech(7, 40)
    gap, silence = Prosody(), Prosody()
    for each in (gap, silence):
        each.hear(power, [True] * 40)
    gap.skip(30)
    silence.hear(np.zeros((30, BINS), dtype=np.float32), [False] * 30)

    np.testing.assert_array_equal(gap.features(), silence.features())
