"""Makes a model file out of a manifest: of calls as they are, or of scenes built from clips.

Beside the model a JSON file says what it was made of: the SHA-256 of every recording, the seed,
the releases of the libraries, and how it fared on voices that it had not heard.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from amd.audio.model import features_digest
from dialer.errors import UsageError
from dialer.evaluation.audio import MOMENTS_MS
from dialer.evaluation.intervals import Rate
from dialer.evaluation.recordings import Label, Recording, digest, recordings, sound
from dialer.training.built import cast_of, listened, wanted
from dialer.training.fitting import STAGES, Example, Trained, train
from dialer.training.hearing import heard
from dialer.training.scenes import MACHINES, ROUGH, TALK_SHARE, Kind

LEAST_CALLS: Final = 20
"""Of each label: with fewer nothing can be said about calls that were not among them."""

SCENES: Final[Mapping[Kind, int]] = {
    Kind.BRIEF: 900,
    Kind.TALK: 1700,
    Kind.PROMPTS: 1800,
    Kind.PERSONAL: 350,
}
"""How many are built: most of what is hard, which is neither the most frequent nor the longest."""

COLUMNS: Final = ("file", "sha256", "label", "kind", "speaker", "licence")
"""Of the list of recordings beside a model."""

#: What a kind counts in fitting, all its scenes together.
_WEIGHTS: Final[Mapping[Kind, float]] = {
    Kind.BRIEF: 0.30,
    Kind.TALK: 0.40,
    Kind.PROMPTS: 0.40,
    Kind.PERSONAL: 0.18,
}
_LIBRARIES: Final = ("numpy", "onnx", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Made:
    """A model that was written, and what is known of it."""

    out: Path
    version: str
    size: int
    facts: Mapping[str, Any]


def make(
    manifest: Path,
    out: Path,
    *,
    scenes: float = 0,
    seed: int = 1,
    workers: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> Made:
    """Train on *manifest* and write *out* and its facts; the same bytes for the same input.

    *scenes* is 0 for recordings of whole calls; else scenes are built from clips, that many times
    as `SCENES` says. Raises :exc:`UsageError` for what cannot be trained on.
    """
    rows = recordings(manifest)
    digests = {each.file: _digest(each) for each in rows}
    examples = _of_scenes(rows, scenes, seed, workers, tell) if scenes else _of_calls(rows, tell)
    named = f"{out.stem}-{_named(digests, scenes, seed)}"
    _require_speech(examples)
    tell(f"fitting {len(examples):,} calls")
    trained = train(examples, named, seed)
    facts = {
        "version": named,
        "seed": seed,
        "scenes": scenes,
        "features": features_digest(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "unheard_voices": _unheard(examples, trained),
        "columns": COLUMNS,
        "recordings": [
            [
                Path(each.file).name,
                digests[each.file],
                each.label.value,
                each.kind,
                each.speaker,
                each.licence,
            ]
            for each in rows
        ],
    }
    _write(out, trained.content, facts)
    return Made(out, named, len(trained.content), facts)


def _require_speech(examples: Sequence[Example]) -> None:
    for label in Label:
        of_label = [each for each in examples if each.machine is (label is Label.MACHINE)]
        if not any(len(each.heard.at_ms) for each in of_label):
            raise UsageError(
                f"no speech was heard in the {len(of_label)} recordings labelled {label.value}: are"
                " they silent, or too soft?"
            )


def _of_calls(rows: Sequence[Recording], tell: Callable[[str], None]) -> list[Example]:
    for label in Label:
        count = sum(row.label is label for row in rows)
        if count < LEAST_CALLS:
            raise UsageError(
                f"{count} recordings are labelled {label.value}; it takes {LEAST_CALLS} of each"
            )
    tell(f"listening to {len(rows):,} calls")
    return [
        Example(heard(sound(row)), row.label is Label.MACHINE, row.speaker, kind=row.kind)
        for row in rows
    ]


def _of_scenes(
    rows: Sequence[Recording], scenes: float, seed: int, workers: int, tell: Callable[[str], None]
) -> list[Example]:
    counts = {kind: max(1, round(count * scenes)) for kind, count in SCENES.items()}
    tell(f"building {sum(counts.values()):,} scenes from {len(rows):,} clips, and listening")
    try:
        found = listened(wanted(counts), cast_of(rows), ROUGH, seed, workers)
    except ValueError as error:
        raise UsageError(
            "the clips do not make up a cast: scenes need short and long ones of persons (4 of"
            " one speaker at least) and prompts of machines"
        ) from error
    shares = {Kind.BRIEF: 1 - TALK_SHARE, Kind.TALK: TALK_SHARE}
    return [
        Example(
            each.heard,
            each.kind in MACHINES,
            each.speaker if each.kind is not Kind.BRIEF else "",
            _WEIGHTS[each.kind] / counts[each.kind],
            shares.get(each.kind, 0.0) / counts[each.kind],
            each.kind,
        )
        for each in found
    ]


def _digest(recording: Recording) -> str:
    sound(recording)  # tells what is wrong with it
    return digest(recording)


def _named(digests: Mapping[str, str], scenes: float, seed: int) -> str:
    """A short name for exactly this input."""
    text = json.dumps([sorted(digests.values()), scenes, seed, features_digest()])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _unheard(examples: Sequence[Example], trained: Trained) -> dict[str, Any]:
    """How many persons were lost and machines found by models that had not heard them."""
    kinds = sorted({each.kind for each in examples} - {""})
    told = list(zip(examples, trained.machine_ms, strict=True))
    return {
        "thresholds": trained.thresholds,
        "lost_share_allowed": STAGES,
        "false_machine": _rate([at for each, at in told if not each.machine]),
        "recall": _rate([at for each, at in told if each.machine]),
        "told_by_ms": {
            str(until_ms): {
                kind: _rate([at for each, at in told if each.kind == kind], until_ms)
                for kind in kinds
            }
            for until_ms in MOMENTS_MS
        },
    }


def _rate(machine_ms: Sequence[int | None], until_ms: int | None = None) -> dict[str, Any]:
    hits = sum(at is not None and (until_ms is None or at <= until_ms) for at in machine_ms)
    return Rate(hits, len(machine_ms)).as_json()


def _write(out: Path, content: bytes, facts: Mapping[str, Any]) -> None:
    try:
        out.write_bytes(content)
        out.with_suffix(".json").write_text(as_text(facts), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{str(out)!r} cannot be written: {error.strerror}") from error


def as_text(facts: Mapping[str, Any]) -> str:
    """The facts as JSON, a line for each fact and for each recording."""
    lines = [
        f" {json.dumps(key)}: {json.dumps(value)}"
        for key, value in facts.items()
        if key != "recordings"
    ]
    rows = ",\n".join(f"  {json.dumps(each)}" for each in facts["recordings"])
    return "{\n" + ",\n".join([*lines, f' "recordings": [\n{rows}\n ]']) + "\n}\n"
