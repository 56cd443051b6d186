"""A set of scenes built from clips and listened to, on as many processes as asked for."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np

from amd.audio import mulaw
from dialer.evaluation.recordings import Recording, sound
from dialer.training.hearing import Heard, heard
from dialer.training.scenes import Cast, Clip, Kind, Line, Scene, build, cast, trimmed

_AT_ONCE: Final = 16  # scenes handed to a process


@dataclass(frozen=True, slots=True)
class Listened:
    """What is kept of a scene that was listened to."""

    kind: Kind
    speaker: str
    spoken_ms: int
    heard: Heard = field(repr=False)


def cast_of(recordings: Iterable[Recording]) -> Cast:
    """Whoever speaks in *recordings*; raises UsageError for a recording that cannot be read."""
    return cast(
        [
            Clip(
                each.label,
                each.speaker,
                each.kind,
                trimmed(mulaw.decode(sound(each)).astype(np.float64)),
            )
            for each in recordings
        ]
    )


def wanted(counts: Mapping[Kind, int]) -> list[Kind]:
    """So many scenes of each kind, in the order of the kinds."""
    return [kind for kind in Kind for _ in range(counts.get(kind, 0))]


def scenes(kinds: Sequence[Kind], cast: Cast, line: Line, seed: int) -> Iterable[Scene]:
    """A scene for each of *kinds*; every one has a seed of its own, so that order is nothing."""
    for kind, each in zip(kinds, np.random.SeedSequence(seed).spawn(len(kinds)), strict=True):
        yield build(kind, cast, line, np.random.default_rng(each))


def listened(
    kinds: Sequence[Kind], cast: Cast, line: Line, seed: int, workers: int = 1
) -> list[Listened]:
    """Scenes as :func:`scenes` makes them, heard; the same for any number of *workers*."""
    seeds = np.random.SeedSequence(seed).spawn(len(kinds))
    one = partial(_one, cast, line)
    if workers == 1:
        return list(map(one, kinds, seeds))
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(one, kinds, seeds, chunksize=_AT_ONCE))


def _one(cast: Cast, line: Line, kind: Kind, seed: np.random.SeedSequence) -> Listened:
    scene = build(kind, cast, line, np.random.default_rng(seed))
    return Listened(kind, scene.speaker, scene.spoken_ms, heard(scene.payload))
