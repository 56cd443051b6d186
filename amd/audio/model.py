"""The small model that judges how a call sounds, run by onnxruntime on one thread.

A model file is ONNX: one row of features in, the probability of a machine out. Its metadata name
the features it was trained for and the probabilities at which it loses as few persons as it was
asked to, each for a part of the call; a score is moved so that this point is always `DECIDES`.
"""

import hashlib
import json
import math
from importlib.resources import files
from typing import Final, Protocol, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from amd.audio import prosody, timing

NAMES: Final = tuple(f"timing.{name}" for name in timing.NAMES) + tuple(
    f"prosody.{name}" for name in prosody.NAMES
)
"""What a model is given, in this order."""

DECIDES: Final = 0.96
"""The score from which on a machine is believed: `amd.thresholds.BALANCED` has the same."""

SHIPPED: Final = "calls.onnx"
"""The model that comes along; `card.md` beside it says what it is worth."""

FEATURES_KEY: Final = "features"
THRESHOLDS_KEY: Final = "thresholds"
VERSION_KEY: Final = "version"

Thresholds: TypeAlias = tuple[tuple[int, float], ...]
"""Until how many milliseconds since the answer which probability counts, in their order."""

_HEARD_S: Final = NAMES.index("timing.heard_s")
_QUIET: Final = 3  # of onnxruntime's log: errors only
_HALF_FRAME_S: Final = 0.01  # single precision is not exact
_LEAST: Final = 1e-6  # a probability nearer to 0 or 1 is rounded to this


class ModelError(ValueError):
    """The file is no model, or one for other features."""


class Named(Protocol):
    """Anything that says where a file is."""

    def __fspath__(self) -> str: ...


def features_digest() -> str:
    """Tells features of another release from these."""
    return hashlib.sha256("\n".join(NAMES).encode()).hexdigest()[:16]


class Model:
    """Scores features; the same object serves any number of calls."""

    __slots__ = ("_input", "_offsets", "_output", "_session", "_until_s", "version")

    def __init__(self, content: bytes) -> None:
        """Raise :exc:`ModelError` for what is no model of these features."""
        self._session = _session(content)
        facts = self._session.get_modelmeta().custom_metadata_map
        if facts.get(FEATURES_KEY) != features_digest():
            raise ModelError(
                "the model was trained for other features than this release has; train it again"
            )
        self.version = facts.get(VERSION_KEY, "unnamed")
        stages: Thresholds = json.loads(facts[THRESHOLDS_KEY])
        self._until_s = np.array([until_ms / 1000 for until_ms, _ in stages[:-1]])
        self._offsets = np.array([_logit(DECIDES) - _logit(enough) for _, enough in stages])
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def score(self, features: NDArray[np.float32]) -> float:
        """The probability, 0 to 1, that a machine speaks; `DECIDES` and more is sure enough."""
        return float(self.scores(features[None])[0])

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """As :meth:`score`, for many moments at once."""
        found = self._session.run([self._output], {self._input: rows})[0][:, 0]
        machine = np.clip(found.astype(np.float64), _LEAST, 1 - _LEAST)
        stages = np.searchsorted(self._until_s, rows[:, _HEARD_S] - _HALF_FRAME_S)
        odds = np.log(machine / (1 - machine)) + self._offsets[stages]
        scores: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
        return scores


def load(path: Named | str | None = None) -> Model:
    """The model of a file, or the shipped one.

    Raises OSError where the file cannot be read, and :exc:`ModelError` where it is no model.
    """
    if path is None:
        return Model((files("amd.audio") / "models" / SHIPPED).read_bytes())
    with open(path, "rb") as file:  # noqa: PTH123  the package imports no file system
        return Model(file.read())


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base
        raise ModelError("not a model: onnxruntime cannot read it") from error


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
