"""Scenes are what they are said to be, and the same for the same randomness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amd.audio import mulaw
from dialer.evaluation.recordings import Label
from dialer.training.scenes import (
    CLEAN,
    NOISY,
    RATE_HZ,
    ROUGH,
    SCENE_S,
    Cast,
    Clip,
    Kind,
    Line,
    build,
    cast,
    kinds,
    trimmed,
)


def given_voice(pitch_hz: float, lasts_s: float) -> np.ndarray:
    at_s = np.arange(int(lasts_s * RATE_HZ)) / RATE_HZ
    swing = 1 + 0.8 * np.sin(2 * np.pi * 4 * at_s)
    return swing * sum(np.sin(2 * np.pi * pitch_hz * part * at_s) / part for part in range(1, 9))


def given_cast() -> Cast:
    human, machine = Label.HUMAN, Label.MACHINE
    return cast(
        [
            *(Clip(human, "", "word", given_voice(100 + 9 * n, 0.5)) for n in range(5)),
            *(Clip(human, "ann", "sentence", given_voice(120 + n, 3.0)) for n in range(4)),
            *(Clip(machine, "prompter", "prompt", given_voice(180 + n, 4.0)) for n in range(3)),
        ]
    )


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("line", [NOISY, CLEAN, ROUGH], ids=["noisy", "clean", "rough"])
def test_the_same_randomness_makes_the_same_scene(kind: Kind, line: Line) -> None:
    one, other = (build(kind, given_cast(), line, np.random.default_rng(7)) for _ in range(2))

    assert (one, one.payload) == (other, other.payload)
    assert len(one.payload) == SCENE_S * RATE_HZ


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_person_stops_and_a_machine_does_not(seed: int) -> None:
    def spoken(kind: Kind) -> int:
        return build(kind, given_cast(), CLEAN, np.random.default_rng(seed)).spoken_ms

    assert spoken(Kind.BRIEF) <= 3000
    assert 1900 <= spoken(Kind.TALK) <= 5400
    assert spoken(Kind.PROMPTS) == spoken(Kind.PERSONAL) == SCENE_S * 1000


def test_half_are_persons_and_a_quarter_of_the_machines_somebody_s_own() -> None:
    found = kinds(4000, np.random.default_rng(3))

    shares = {kind: found.count(kind) / 2000 for kind in Kind}
    assert shares[Kind.BRIEF] + shares[Kind.TALK] == 1
    assert shares[Kind.TALK] == pytest.approx(0.28, abs=0.03)
    assert shares[Kind.PERSONAL] == pytest.approx(0.25, abs=0.03)


def test_the_silence_around_a_voice_is_cut_off() -> None:
    rng = np.random.default_rng(1)
    line = 20 * rng.standard_normal(3 * RATE_HZ)
    line[RATE_HZ : 2 * RATE_HZ] += 8000 * given_voice(120, 1.0)

    assert len(trimmed(line)) / RATE_HZ == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(50), np.zeros(RATE_HZ)])
def test_nothing_is_left_of_silence(samples: np.ndarray) -> None:
    assert len(trimmed(samples)) == 0


def test_a_noisy_line_is_louder_between_the_words() -> None:
    def quietest(line: Line) -> float:
        scene = build(Kind.BRIEF, given_cast(), line, np.random.default_rng(5))
        sound = np.abs(mulaw.decode(scene.payload)).reshape(-1, RATE_HZ // 10).mean(axis=1)
        return float(np.percentile(sound, 10) / sound.max())

    assert quietest(Line((8.0, 8.0))) > 3 * quietest(Line((40.0, 40.0)))


def test_nobody_can_play_what_nobody_is_there_for() -> None:
    with pytest.raises(ValueError, match="nobody"):
        build(Kind.PROMPTS, cast([]), CLEAN, np.random.default_rng(1))
