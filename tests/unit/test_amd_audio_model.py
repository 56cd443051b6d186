"""The model that comes along is small, knows its features, and is believed where it should be."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amd.audio import AudioDetector, mulaw
from amd.audio.model import DECIDES, NAMES, SHIPPED, Model, ModelError, features_digest, load
from amd.signals import Score
from amd.thresholds import BALANCED
from dialer.evaluation.audio import judge
from dialer.evaluation.recordings import recordings, sound

MODELS = files("amd.audio") / "models"
RATE_HZ = mulaw.RATE_HZ
CLIPS = Path(__file__).parent.parent / "data" / "amd" / "clips.csv"
MOST_BYTES = 300 * 1024
FEATURES = st.floats(-1e6, 1e6, width=32)


def test_it_is_small_and_says_what_it_was_made_of() -> None:
    content = (MODELS / SHIPPED).read_bytes()
    facts = json.loads((MODELS / "calls.json").read_text())

    assert len(content) <= MOST_BYTES
    assert facts["version"] == load().version
    assert facts["features"] == features_digest()
    digests = [each[facts["columns"].index("sha256")] for each in facts["recordings"]]
    assert {len(each) for each in digests} == {64}
    assert facts["version"] in (MODELS / "card.md").read_text()


def test_the_score_that_decides_is_that_of_the_fusion() -> None:
    assert BALANCED.score == DECIDES


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, len(NAMES), elements=FEATURES))
def test_a_score_is_a_probability_whatever_the_features(features: np.ndarray) -> None:
    assert 0 <= load().score(features) <= 1


def test_many_moments_at_once_score_as_one_by_one() -> None:
    rows = np.random.default_rng(1).normal(0, 1, (8, len(NAMES))).astype(np.float32)
    model = load()

    assert model.scores(rows).tolist() == pytest.approx([model.score(row) for row in rows])


@pytest.mark.parametrize("content", [b"", b"RIFF", bytes(1000)])
def test_a_file_that_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="not a model"):
        Model(content)


def test_a_model_of_other_features_is_refused() -> None:
    other = onnx.load_from_string((MODELS / SHIPPED).read_bytes())
    next(each for each in other.metadata_props if each.key == "features").value = "others"

    with pytest.raises(ModelError, match="other features"):
        Model(other.SerializeToString())


def test_a_file_of_one_s_own_is_read(tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    own.write_bytes((MODELS / SHIPPED).read_bytes())

    assert load(own).version == load(str(own)).version == load().version


def test_it_is_asked_once_somebody_speaks_and_only_at_the_beginning() -> None:
    (prompt,) = (sound(each) for each in recordings(CLIPS) if each.file == "prompt_1.wav")
    silence = bytes([mulaw.SILENCE]) * 8000

    signals = AudioDetector(load()).hear(silence + prompt * 4, 0)

    asked_ms = [signal.at_ms for signal in signals if isinstance(signal, Score)]
    assert min(asked_ms) > 1000
    assert 6000 < max(asked_ms) <= 6400


@pytest.mark.parametrize("file", ["word_1.wav", "word_2.wav", "sentence.wav"])
def test_no_person_of_the_clips_is_taken_for_a_machine_in_four_seconds(file: str) -> None:
    (person,) = (each for each in recordings(CLIPS) if each.file == file)

    machine_ms = judge(person, sound(person)[: 4 * RATE_HZ], load()).machine_ms

    assert machine_ms is None
