"""Fits the model, finds the point from which on it may be believed, and writes it down.

The model is a forest of small trees grown one after another. It is believed from the probability
at which it loses no more persons than allowed, measured on voices that it had not heard: the calls
are cut into folds by speaker, and each fold is judged by a model fitted to the others.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from amd.audio.model import (
    FEATURES_KEY,
    NAMES,
    THRESHOLDS_KEY,
    VERSION_KEY,
    Thresholds,
    features_digest,
)
from dialer.training.hearing import Heard

STAGES: Final = ((3040, 0.003), (4480, 0.004), (5120, 0.0115), (6400, 0.012))
"""By when, in milliseconds since the answer, at most which share of the persons may be lost.

The aim is 0.015 on voices never heard. Little of it is spent early: before 4.5 s few machines
are found for a person lost, and around 5 s most are.
"""

FOLDS: Final = 3
_LEAST_MS: Final = 640  # nothing is learned from less of a call
_EVERY: Final = 2  # moments of a call that are learned from: neighbours hold the same
_STEP: Final = 1e-6  # a probability this much higher is another one
_LIMITS: Final = (0.5, 1 - 1e-6)
_OPSETS: Final = (("", 17), ("ai.onnx.ml", 3))
_PAUSE: Final = NAMES.index("timing.pause_s")
_HOLE_S: Final = 0.24  # what the voice detector bridges: speech goes on
_IR_VERSION: Final = 8  # of ONNX 1.12 and later
_GROWN: Final[Mapping[str, Any]] = {
    "max_iter": 150,
    "max_leaf_nodes": 12,
    "learning_rate": 0.07,
    "min_samples_leaf": 60,
    "l2_regularization": 3.0,
    "max_features": 0.3,
    "early_stopping": False,
}


@dataclass(frozen=True, slots=True)
class Example:
    """One call that was heard, who it was, and how much it counts.

    Calls of one *speaker* are never on both sides of a test. *share* is what it counts among the
    persons when it is told how many were lost.
    """

    heard: Heard = field(repr=False)
    machine: bool
    speaker: str
    weight: float = 1.0
    share: float = 1.0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """At each moment of a call, the least probability of the steps in a row that it takes."""

    at_ms: NDArray[np.int64]
    scores: NDArray[np.float64]

    def peak(self, after_ms: int, until_ms: int) -> float:
        """The highest between two moments; 0 where nobody spoke for long enough."""
        within = self.scores[(self.at_ms > after_ms) & (self.at_ms <= until_ms)]
        return float(within.max(initial=0.0))


@dataclass(frozen=True, slots=True)
class Trained:
    """A model as it is written, and when each example was sure by one that had not heard it."""

    content: bytes = field(repr=False)
    thresholds: Thresholds
    machine_ms: Sequence[int | None] = field(repr=False)


def train(examples: Sequence[Example], version: str, seed: int) -> Trained:
    """The model for *examples*; the same bytes for the same examples and seed."""
    with threadpool_limits(limits=1):
        unheard = _held_unheard(examples, seed)
        found = thresholds(examples, unheard)
        content = export(fit(examples, seed), found, version)
    return Trained(content, found, [machine_ms(each, found) for each in unheard])


def fit(examples: Sequence[Example], seed: int) -> HistGradientBoostingClassifier:
    """Grow the forest on every second moment of each call."""
    rows, machine, weight = [], [], []
    for example in examples:
        chosen = example.heard.rows[example.heard.at_ms >= _LEAST_MS][::_EVERY]
        rows.append(chosen)
        machine += [example.machine] * len(chosen)
        weight += [example.weight / max(1, len(chosen))] * len(chosen)
    weights = np.array(weight)
    forest = HistGradientBoostingClassifier(random_state=seed, **_GROWN)
    forest.fit(np.concatenate(rows), machine, sample_weight=weights / weights.mean())
    return forest


def held(forest: HistGradientBoostingClassifier, heard: Sequence[Heard]) -> list[Held]:
    """What the forest makes of each call, only while somebody speaks: only then it is believed."""
    rows = np.concatenate([each.rows for each in heard])
    found = np.zeros(len(rows))
    if len(rows):
        found = forest.predict_proba(rows)[:, 1] * (rows[:, _PAUSE] < _HOLE_S)
    ends = np.cumsum([len(each.rows) for each in heard]).tolist()
    return [
        Held(each.at_ms[1:], np.minimum(scores[1:], scores[:-1]))
        for each, end in zip(heard, ends, strict=True)
        for scores in [found[end - len(each.rows) : end]]
    ]


def thresholds(examples: Sequence[Example], unheard: Sequence[Held]) -> Thresholds:
    """Stage by stage the lowest probability at which no more persons are lost than allowed."""
    humans = [its for each, its in zip(examples, unheard, strict=True) if not each.machine]
    shares = np.array([each.share for each in examples if not each.machine])
    shares /= shares.sum()
    lost = np.zeros(len(humans), dtype=np.bool_)
    found: list[tuple[int, float]] = []
    after_ms = 0
    for until_ms, allowed in STAGES:
        peaks = np.array([each.peak(after_ms, until_ms) for each in humans])
        enough = _enough(peaks, np.where(lost, 0.0, shares), allowed - shares[lost].sum())
        lost |= peaks >= enough
        found.append((until_ms, enough))
        after_ms = until_ms
    return tuple(found)


def machine_ms(held: Held, found: Thresholds) -> int | None:
    """When a call would be told to be a machine; None when it would not."""
    moments = [
        held.at_ms[(held.at_ms > after_ms) & (held.at_ms <= until_ms) & (held.scores >= enough)]
        for (after_ms, _), (until_ms, enough) in pairwise(((0, 1.0), *found))
    ]
    first = next((stage for stage in moments if len(stage)), None)
    return None if first is None else int(first[0])


def _enough(peaks: NDArray[np.float64], shares: NDArray[np.float64], allowed: float) -> float:
    """The lowest probability that peaks with *allowed* of the shares at most come up to."""
    ordered = np.argsort(-peaks)
    kept = int(np.searchsorted(np.cumsum(shares[ordered]), allowed + 1e-12, side="right"))
    first_kept = peaks[ordered[kept]] if kept < len(ordered) else 0.0
    return float(np.clip(first_kept + _STEP, *_LIMITS))


def _held_unheard(examples: Sequence[Example], seed: int) -> list[Held]:
    folds = _folds(examples, seed)
    found = [Held(np.zeros(0, np.int64), np.zeros(0))] * len(examples)
    for fold in range(FOLDS):
        judged = np.flatnonzero(folds == fold).tolist()
        forest = fit([each for each, its in zip(examples, folds, strict=True) if its != fold], seed)
        scores = held(forest, [examples[index].heard for index in judged]) if judged else []
        for index, its in zip(judged, scores, strict=True):
            found[index] = its
    return found


def _folds(examples: Sequence[Example], seed: int) -> NDArray[np.int64]:
    """Speakers dealt out to the folds; calls of nobody in particular are dealt out one by one.

    Voices that are only ever machines are dealt out apart, so that no fold takes all of them away;
    fewer than folds stay in all of them (fold -1), for a model that knows no machine judges nobody.
    """
    rng = np.random.default_rng(seed)
    people = {each.speaker for each in examples if not each.machine} - {""}
    voices = {each.speaker for each in examples if each.machine} - people - {""}
    dealt = _dealt(people, rng) | _dealt(voices, rng)
    if len(voices) < FOLDS:
        dealt.update(dict.fromkeys(voices, -1))
    each_alone = rng.integers(FOLDS, size=len(examples))
    return np.array(
        [
            dealt[example.speaker] if example.speaker else alone
            for example, alone in zip(examples, each_alone, strict=True)
        ]
    )


def _dealt(speakers: Collection[str], rng: np.random.Generator) -> dict[str, int]:
    folds = (rng.permutation(len(speakers)) % FOLDS).tolist()
    return dict(zip(sorted(speakers), folds, strict=True))


def export(forest: HistGradientBoostingClassifier, found: Thresholds, version: str) -> bytes:
    """The forest as ONNX, with what `amd.audio.model` must know of it."""
    rows = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(NAMES)])
    machine = helper.make_tensor_value_info("machine", TensorProto.FLOAT, [None, 1])
    trees = helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["odds"],
        domain="ai.onnx.ml",
        n_targets=1,
        base_values=[float(forest._baseline_prediction[0, 0])],  # noqa: SLF001  shown to nobody
    )
    grown = _trees([each[0].nodes for each in forest._predictors])  # noqa: SLF001  as above
    trees.attribute.extend(helper.make_attribute(*each) for each in grown.items())
    nodes = [trees, helper.make_node("Sigmoid", ["odds"], ["machine"])]
    made = helper.make_model(
        helper.make_graph(nodes, "calls", [rows], [machine]),
        producer_name="dialer",
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid(*each) for each in _OPSETS],
    )
    facts = {
        FEATURES_KEY: features_digest(),
        THRESHOLDS_KEY: json.dumps(found),
        VERSION_KEY: version,
    }
    helper.set_model_props(made, facts)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString(deterministic=True))


def _trees(trees: Sequence[NDArray[Any]]) -> dict[str, list[Any]]:
    """The nodes of all trees side by side, as the operator takes them."""
    leaves = [np.flatnonzero(tree["is_leaf"]) for tree in trees]
    numbers = [np.arange(len(tree)) for tree in trees]
    every = np.concatenate(trees)
    return {
        "nodes_treeids": np.repeat(np.arange(len(trees)), list(map(len, trees))).tolist(),
        "nodes_nodeids": np.concatenate(numbers).tolist(),
        "nodes_featureids": every["feature_idx"].astype(np.int64).tolist(),
        "nodes_modes": ["LEAF" if leaf else "BRANCH_LEQ" for leaf in every["is_leaf"]],
        "nodes_values": _rounded_down(np.where(every["is_leaf"], 0, every["num_threshold"])),
        "nodes_truenodeids": every["left"].astype(np.int64).tolist(),
        "nodes_falsenodeids": every["right"].astype(np.int64).tolist(),
        "target_treeids": np.repeat(np.arange(len(trees)), list(map(len, leaves))).tolist(),
        "target_nodeids": np.concatenate(leaves).tolist(),
        "target_ids": [0] * sum(map(len, leaves)),
        "target_weights": every["value"][every["is_leaf"].astype(bool)].tolist(),
    }


def _rounded_down(values: NDArray[np.float64]) -> list[float]:
    """As single precision that is never above: what was not below a value still is not."""
    single = values.astype(np.float32)
    lower = np.nextafter(single, np.float32(-np.inf))
    return [float(each) for each in np.where(single > values, lower, single)]
