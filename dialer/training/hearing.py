"""What the detector makes of a call: the rows that a model is fitted to, and judged by."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from amd.audio import AudioDetector
from amd.audio.frames import FRAME, FRAME_MS
from amd.audio.model import NAMES
from amd.signals import Score

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """The features of one call: a row for each moment at which a model would be asked."""

    at_ms: NDArray[np.int64]
    rows: Rows = field(repr=False)


class _Tape:
    """Stands in for a model, and keeps what it is asked."""

    def __init__(self) -> None:
        self.rows: list[Rows] = []

    def score(self, features: Rows) -> float:
        self.rows.append(features)
        return 0.0


def heard(payload: bytes) -> Heard:
    """Listen to a call, frame by frame, as it would come from the carrier."""
    tape = _Tape()
    detector = AudioDetector(tape)
    asked: list[int] = []
    for index, frame in enumerate(frames(payload)):
        signals = detector.hear(frame, index * FRAME_MS)
        asked += [signal.at_ms for signal in signals if isinstance(signal, Score)]
    rows = np.array(tape.rows, dtype=np.float32).reshape(-1, len(NAMES))
    return Heard(np.array(asked, dtype=np.int64), rows)


def frames(payload: bytes) -> Sequence[bytes]:
    """The call as 20 ms at a time."""
    return [payload[at : at + FRAME] for at in range(0, len(payload), FRAME)]
