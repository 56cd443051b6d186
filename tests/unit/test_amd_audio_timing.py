"""The rhythm of a call in numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amd.audio.timing import HOLE_FRAMES, MAX_S, NAMES, Timing

LEVEL_DB = -20.0


def features_of(timing: Timing) -> dict[str, float]:
    return dict(zip(NAMES, map(float, timing.features()), strict=True))


def given_call(*stretches: tuple[bool, int]) -> Timing:
    """A call of stretches: voice or not, and how many frames; each voice begins an utterance."""
    timing = Timing()
    for voice, frames in stretches:
        if voice:
            timing.begin(0)
        for _ in range(frames):
            timing.hear(voice, LEVEL_DB)
    return timing


def test_a_call_of_silence_has_only_a_delay() -> None:
    features = features_of(given_call((False, 100)))

    assert features.pop("heard_s") == pytest.approx(2.0)
    assert features.pop("start_delay_s") == pytest.approx(2.0)
    assert set(features.values()) == {0.0}


def test_a_short_answer_and_the_pause_after_it() -> None:
    features = features_of(given_call((False, 25), (True, 30), (False, 45)))

    assert features["start_delay_s"] == pytest.approx(0.5)
    assert features["since_start_s"] == pytest.approx(1.5)
    assert features["speech_s"] == pytest.approx(0.6)
    assert features["speech_share"] == pytest.approx(0.4)
    assert (features["runs"], features["utterances"]) == (1, 1)
    assert features["run_s"] == 0
    assert features["first_run_s"] == pytest.approx(0.6)
    assert features["pause_s"] == pytest.approx(0.9)


def test_runs_and_the_pauses_between_them() -> None:
    features = features_of(
        given_call((True, 50), (False, 20), (True, 100), (False, 40), (True, 15))
    )

    assert features["runs"] == 3
    assert features["run_s"] == pytest.approx(0.3)
    assert features["first_run_s"] == pytest.approx(1.0)
    assert features["longest_run_s"] == pytest.approx(2.0)
    assert features["mean_run_s"] == pytest.approx(1.1)
    assert features["pause_s"] == 0
    assert features["first_pause_s"] == pytest.approx(0.4)
    assert features["longest_pause_s"] == pytest.approx(0.8)
    assert features["mean_pause_s"] == pytest.approx(0.6)


def test_a_hole_in_a_word_is_no_pause() -> None:
    timing = Timing()
    timing.begin(0)
    for voice, frames in ((True, 20), (False, HOLE_FRAMES), (True, 20)):
        for _ in range(frames):
            timing.hear(voice, LEVEL_DB)

    features = features_of(timing)

    assert features["runs"] == 1
    assert features["run_s"] == pytest.approx((40 + HOLE_FRAMES) * 0.02)
    assert features["speech_s"] == pytest.approx(0.8)


def test_speech_that_is_told_late_begins_when_it_did() -> None:
    timing = given_call((False, 30))

    timing.begin(5)
    timing.hear(True, LEVEL_DB)

    features = features_of(timing)
    assert features["start_delay_s"] == pytest.approx(0.5)
    assert features["speech_s"] == pytest.approx(0.12)


def test_syllables_are_counted_with_their_rhythm() -> None:
    timing = Timing()
    timing.begin(0)
    for _ in range(8):
        for step in (0, 4, 8, 8, 8, 8, 4, 0, -4, -8):
            timing.hear(True, LEVEL_DB + step)

    features = features_of(timing)

    assert features["syllables"] == 8
    assert features["syllable_rate"] == pytest.approx(5.0)
    assert features["syllable_gap_s"] == pytest.approx(0.2)
    assert features["syllable_spread"] == pytest.approx(0.0, abs=0.01)
    assert 6 < features["swing_db"] <= 12


@given(st.floats(-60, 20))
def test_loudness_changes_nothing(louder_db: float) -> None:
    quiet, loud = Timing(), Timing()
    quiet.begin(0)
    loud.begin(0)

    for step in [0.0, 5.0, 9.0, 5.0, -2.0, -7.0] * 6:
        quiet.hear(True, LEVEL_DB + step)
        loud.hear(True, LEVEL_DB + louder_db + step)

    assert features_of(quiet) == pytest.approx(features_of(loud), abs=1e-3)


calls = st.lists(st.tuples(st.booleans(), st.integers(0, 200)), max_size=12)


@given(calls)
def test_every_feature_is_bounded_and_shares_are_shares(stretches: list[tuple[bool, int]]) -> None:
    features = features_of(given_call(*stretches))

    assert all(0 <= value <= 60 for value in features.values())
    assert features["speech_share"] <= 1
    assert features["speech_s"] <= features["since_start_s"] <= features["heard_s"] + 1e-6
    assert features["longest_run_s"] <= MAX_S


@given(calls, st.integers(0, 10_000))
def test_silence_at_once_is_silence_frame_by_frame(
    stretches: list[tuple[bool, int]], frames: int
) -> None:
    skipped, heard = given_call(*stretches), given_call(*stretches)

    skipped.skip(frames)
    for _ in range(frames):
        heard.hear(False, LEVEL_DB)

    assert features_of(skipped) == features_of(heard)
