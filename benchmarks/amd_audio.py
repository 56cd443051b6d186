"""Persons lost and machines found by sound, by us and by the rule of Asterisk's AMD application.

Scenes are built from the clips of a manifest (columns file, label, kind, speaker), half of them
persons, and both judge the same ones. They are no calls: they rank methods and predict nothing.
A voice that the model was trained on flatters it; take others. Asterisk's rule is written from
the description of its settings: 20 ms frames, a fixed level that separates voice from silence,
and whichever of its limits is reached first.

    python -m benchmarks.amd_audio [MANIFEST.csv] [--scenes 400] [--seed 1] [--model FILE]

Without a manifest there are the few clips of the tests, which say only that it runs.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amd.audio import mulaw
from amd.audio.frames import FRAME, FRAME_MS
from amd.audio.model import load
from dialer.evaluation.audio import Judged, judge
from dialer.evaluation.intervals import Rate, percentile
from dialer.evaluation.recordings import Label, Recording, recordings
from dialer.training.built import cast_of, scenes
from dialer.training.scenes import CLEAN, NOISY, Kind, Scene, kinds

CLIPS = Path(__file__).parent.parent / "tests" / "data" / "amd" / "clips.csv"
MOMENTS_MS = (3000, 5000, 6000)


@dataclass(frozen=True, slots=True)
class Asterisk:
    """The settings of its AMD application, in milliseconds, as it comes."""

    silence_level: float = 256.0  # mean of the magnitudes of a frame
    initial_silence: int = 2500
    greeting: int = 1500
    after_greeting_silence: int = 800
    total_time: int = 5000
    min_word: int = 100
    between_words: int = 50
    max_words: int = 3

    def machine_ms(self, payload: bytes) -> int | None:
        """When it would say MACHINE of a call; None where it says anything else."""
        levels = np.abs(mulaw.decode(payload[: len(payload) // FRAME * FRAME])).reshape(-1, FRAME)
        silent = voiced = run = words = 0
        greeted = in_word = False
        for index, level in enumerate(levels.mean(axis=1)):
            now_ms = (index + 1) * FRAME_MS
            if level < self.silence_level:
                silent += FRAME_MS
                in_word = in_word and silent < self.between_words
                run = 0 if silent >= self.between_words else run
                if not greeted and silent >= self.initial_silence:
                    return now_ms
                if greeted and silent >= self.after_greeting_silence:
                    return None
            else:
                silent, voiced, run = 0, voiced + FRAME_MS, run + FRAME_MS
                if run >= self.min_word and not in_word:
                    words, in_word, greeted = words + 1, True, True
                if words >= self.max_words or voiced >= self.greeting:
                    return now_ms
            if now_ms >= self.total_time:
                return None
        return None


@dataclass(frozen=True, slots=True)
class Result:
    """When one judge said that nobody is there, scene by scene, and what it cost."""

    name: str
    machine_ms: Sequence[int | None]
    cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", nargs="?", type=Path, default=CLIPS)
    parser.add_argument("--scenes", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default=None, help="a file; else the model that comes along")
    asked = parser.parse_args()

    cast = cast_of(recordings(asked.manifest))
    able = {Kind.PROMPTS: cast.prompts, Kind.TALK: cast.talk, Kind.BRIEF: cast.brief}
    rng = np.random.default_rng(asked.seed)
    wanted = [kind for kind in kinds(asked.scenes, rng) if able.get(kind, cast.talk)]
    if not any(len(clips) >= 4 for clips in cast.talk.values()):
        wanted = [kind for kind in wanted if kind is not Kind.PERSONAL]
    for name, line in (("noisy, 8-40 dB", NOISY), ("clean, 30-45 dB", CLEAN)):
        built = list(scenes(wanted, cast, line, asked.seed))
        print(f"{name}: {len(built):,} scenes")
        _report(built, [_by_us(built, asked.model), _by_asterisk(built)])


def _by_us(built: Sequence[Scene], model_file: str | None) -> Result:
    model = load(model_file)
    began = time.process_time()
    found = [judge(_recording(scene), scene.payload, model) for scene in built]
    cpu_s = time.process_time() - began
    _print_persons(found, built)
    return Result("ours", [each.machine_ms for each in found], cpu_s)


def _by_asterisk(built: Sequence[Scene]) -> Result:
    rule = Asterisk()
    began = time.process_time()
    found = [rule.machine_ms(scene.payload) for scene in built]
    return Result("Asterisk's rule", found, time.process_time() - began)


def _recording(scene: Scene) -> Recording:
    return Recording(0, "", Path(), scene.label, scene.kind, scene.speaker, "")


def _print_persons(found: Sequence[Judged], built: Sequence[Scene]) -> None:
    """How long a person waits for a verdict, from the true end of the first words."""
    waits = [
        max(0, each.first.at_ms - scene.spoken_ms)
        for each, scene in zip(found, built, strict=True)
        if scene.label is Label.HUMAN and each.first is not None and each.machine_ms is None
    ]
    p50, p95 = percentile(waits, 0.5), percentile(waits, 0.95)
    print(f"  ours: a person's verdict {p50} ms after the words at p50, {p95} ms at p95")


def _report(built: Sequence[Scene], results: Sequence[Result]) -> None:
    heard_s = sum(len(scene.payload) for scene in built) / mulaw.RATE_HZ
    for result in results:
        cost = 1000 * result.cpu_s / heard_s
        times = [at for at, scene in zip(result.machine_ms, built, strict=True)
                 if at is not None and scene.label is Label.MACHINE]  # fmt: skip
        middle, late = percentile(times, 0.5), percentile(times, 0.9)
        print(f"  {result.name}: {cost:.2f} ms CPU per second of audio;"
              f" a machine told at {middle} ms (p50), {late} ms (p90)")  # fmt: skip
        for moment_ms in MOMENTS_MS:
            lost, recalled = (_told(result, built, label, moment_ms) for label in Label)
            print(f"    by {moment_ms / 1000:g} s: persons lost {lost}; machines found {recalled}")
        for kind in Kind:
            taken = [at is not None for at, scene in zip(result.machine_ms, built, strict=True)
                     if scene.kind is kind]  # fmt: skip
            print(f"    {kind}: told to be a machine {Rate(sum(taken), len(taken))}")


def _told(result: Result, built: Sequence[Scene], label: Label, by_ms: int) -> Rate:
    taken = [
        at is not None and at <= by_ms
        for at, scene in zip(result.machine_ms, built, strict=True)
        if scene.label is label
    ]
    return Rate(sum(taken), len(taken))


if __name__ == "__main__":
    main()
