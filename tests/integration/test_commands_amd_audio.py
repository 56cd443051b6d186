"""`dialer amd evaluate --audio` and `dialer amd train`, as an operator runs them."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from amd.audio import mulaw
from dialer.training.making import LEAST_CALLS
from tests.support.cli import ROOT, Cli

CLIPS = ROOT / "tests" / "data" / "amd" / "clips.csv"
RATE_HZ = 8000


def wav(data: bytes, *, form: int = 7, channels: int = 1, rate_hz: int = RATE_HZ) -> bytes:
    bits = 16 if form == 1 else 8
    fmt = struct.pack("<HHIIHH", form, channels, rate_hz, rate_hz * bits // 8, bits // 8, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data


def given_call(path: Path, *, machine: bool, seed: int) -> None:
    """A voice of sorts: a machine's goes on, a person's stops after half a second."""
    rng = np.random.default_rng(seed)
    at_s = np.arange(int(2.6 * RATE_HZ)) / RATE_HZ
    pitch_hz = rng.uniform(110, 190)
    voice = sum(np.sin(2 * np.pi * pitch_hz * part * at_s) / part for part in range(1, 9))
    voice *= 3000 * (1.1 + np.sin(2 * np.pi * rng.uniform(3, 5) * at_s))
    voice[at_s < 0.3] = 0
    if not machine:
        voice[at_s > 0.9] = 0
    path.write_bytes(wav(mulaw.encode(voice + 15 * rng.standard_normal(len(at_s)))))


def given_calls(folder: Path, each: int = LEAST_CALLS) -> Path:
    rows = ["file,label"]
    for index in range(2 * each):
        label = ("human", "machine")[index % 2]
        given_call(folder / f"{index}.wav", machine=label == "machine", seed=index)
        rows.append(f"{index}.wav,{label}")
    manifest = folder / "calls.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def given_manifest(folder: Path, *rows: str, header: str = "file,label") -> str:
    manifest = folder / "calls.csv"
    manifest.write_text("\n".join([header, *rows]) + "\n")
    return str(manifest)


def test_recordings_are_judged_and_counted(tmp_path: Path) -> None:
    figures = Cli(tmp_path).here("amd", "evaluate", "--audio", str(CLIPS), "--json").ok().json

    assert (figures["humans"], figures["machines"]) == (3, 2)
    assert figures["per_kind"]["word"]["false_machine"]["hits"] == 0
    assert figures["per_kind"]["word"]["false_machine"]["high"] > 0.5  # two prove little
    assert set(figures["by_ms"]) == {"3000", "5000"}
    assert sum(figures["first_verdicts"].values()) == 5
    assert figures["per_label"]["machine"]["recordings"] == 2
    assert set(figures["per_kind"]) == {"word", "sentence", "prompt"}


def test_people_read_a_table(tmp_path: Path) -> None:
    done = Cli(tmp_path).here("amd", "evaluate", "--audio", str(CLIPS), "--errors").ok()

    assert done.out.splitlines()[0].startswith("all\t5\t")
    assert "5 recordings judged" in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"ID3 something else entirely", "is not a WAV file"),
        (wav(b"\xff" * 800, channels=2), "has 2 channels"),
        (wav(b"\xff" * 800, rate_hz=44_100), "has 44100 samples a second"),
        (wav(b"\xff" * 800, form=6), "is neither mu-law nor 16-bit"),
        (wav(b"\xff" * 800)[:300], "is cut off"),
        (wav(b"\xff" * 800)[:30], "is cut off"),
        (wav(b""), "holds no sound"),
        (None, "does not exist"),
    ],
)
def test_a_recording_that_is_none_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "odd.wav").write_bytes(content)
    manifest = given_manifest(tmp_path, "odd.wav,human")

    done = Cli(tmp_path).here("amd", "evaluate", "--audio", manifest)

    assert done.code == 2
    assert "row 2: odd.wav" in done.err
    assert said in done.err


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("file,label", "one.wav,person", "'person'; it must be human or machine"),
        ("file,label", ",human", "row 2: no file is named"),
        ("file,verdict", "one.wav,human", "has no column 'label'"),
        ("file,label", "", "holds no rows"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_where(
    tmp_path: Path, header: str, row: str, said: str
) -> None:
    manifest = given_manifest(tmp_path, row, header=header)

    done = Cli(tmp_path).here("amd", "evaluate", "--audio", manifest)

    assert (done.code, said in done.err) == (2, True), done.err


def test_16_bit_sound_is_judged_as_mu_law_is(tmp_path: Path) -> None:
    given_call(tmp_path / "a.wav", machine=True, seed=1)
    samples = mulaw.decode((tmp_path / "a.wav").read_bytes()[44:]).astype("<i2")
    (tmp_path / "b.wav").write_bytes(wav(samples.tobytes(), form=1))
    manifest = given_manifest(
        tmp_path, "a.wav,machine,one", "b.wav,machine,other", header="file,label,kind"
    )

    figures = Cli(tmp_path).here("amd", "evaluate", "--audio", manifest, "--json").ok().json

    one, other = figures["per_kind"]["one"], figures["per_kind"]["other"]
    assert one == other


def test_a_model_of_one_s_own_is_the_same_each_time_and_judges(tmp_path: Path) -> None:
    manifest, runs = given_calls(tmp_path), Cli(tmp_path)
    train = ["amd", "train", str(manifest), "--out"]

    made = runs.here(*train, str(tmp_path / "own.onnx"), "--json").ok().json
    (tmp_path / "again").mkdir()
    runs.here(*train, str(tmp_path / "again" / "own.onnx")).ok()
    judged = runs.here(
        "amd", "evaluate", "--audio", str(manifest), "--model", str(tmp_path / "own.onnx"), "--json"
    )

    assert made["unheard_voices"]["false_machine"]["of"] == LEAST_CALLS
    facts = json.loads((tmp_path / "own.json").read_text())
    assert len(facts["recordings"]) == 2 * LEAST_CALLS
    own, again = (tmp_path / name / "own.onnx" for name in (".", "again"))
    assert own.read_bytes() == again.read_bytes()
    assert judged.ok().json["false_machine"]["hits"] == 0


def test_too_few_calls_are_refused_with_how_many_it_takes(tmp_path: Path) -> None:
    manifest = given_calls(tmp_path, each=3)

    done = Cli(tmp_path).here("amd", "train", str(manifest), "--out", str(tmp_path / "own.onnx"))

    assert done.code == 2
    assert f"3 recordings are labelled human; it takes {LEAST_CALLS} of each" in done.err
    assert not (tmp_path / "own.onnx").exists()


def test_calls_in_which_nobody_speaks_are_refused(tmp_path: Path) -> None:
    for index in range(2 * LEAST_CALLS):
        (tmp_path / f"{index}.wav").write_bytes(wav(mulaw.encode(np.zeros(RATE_HZ))))
    labels = (f"{index}.wav,{('human', 'machine')[index % 2]}" for index in range(2 * LEAST_CALLS))
    manifest = given_manifest(tmp_path, *labels)

    done = Cli(tmp_path).here("amd", "train", manifest, "--out", str(tmp_path / "own.onnx"))

    assert done.code == 2
    assert f"no speech was heard in the {LEAST_CALLS} recordings labelled human" in done.err
    assert not (tmp_path / "own.onnx").exists()


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_text("no model")

    done = Cli(tmp_path).here(
        "amd", "evaluate", "--audio", str(CLIPS), "--model", str(tmp_path / "own.onnx")
    )

    assert done.code == 2
    assert "not a model" in done.err
