"""A model is the same bytes for the same calls, and loses no more persons than it may."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amd.audio.model import DECIDES, NAMES, Model
from dialer.training.fitting import (
    STAGES,
    Example,
    Held,
    export,
    fit,
    machine_ms,
    thresholds,
    train,
)
from dialer.training.hearing import Heard

MOMENTS = 20


def given_calls(count: int) -> list[Example]:
    """Persons and machines that differ in two of the features; five speakers of each."""
    rng = np.random.default_rng(1)
    at_ms = np.arange(1, MOMENTS + 1) * 160
    calls = []
    for index in range(count):
        machine = bool(index % 2)
        rows = rng.normal(0, 1, (MOMENTS, len(NAMES))).astype(np.float32)
        rows[:, :2] += 3 * machine
        speaker = f"{'machine' if machine else 'human'} {index % 10}"
        calls.append(Example(Heard(at_ms, rows), machine, speaker))
    return calls


def test_the_same_calls_make_the_same_bytes() -> None:
    one, other = (train(given_calls(30), "again", seed=4) for _ in range(2))

    assert one.content == other.content


def test_a_model_that_was_written_judges_as_it_was_fitted() -> None:
    calls, rows = given_calls(60), given_calls(62)[-1].heard.rows
    forest = fit(calls, seed=1)
    fitted = forest.predict_proba(rows)[:, 1]

    model = Model(export(forest, ((6400, 0.8),), "mine"))

    assert model.version == "mine"
    odds = fitted / (1 - fitted) * (DECIDES / (1 - DECIDES)) / (0.8 / (1 - 0.8))
    assert model.scores(rows).tolist() == pytest.approx((odds / (1 + odds)).tolist(), abs=1e-5)


def test_what_is_enough_depends_on_how_much_was_heard() -> None:
    forest = fit(given_calls(60), seed=1)
    rows = np.repeat(given_calls(62)[-1].heard.rows[:1], 4, axis=0)
    rows[:, NAMES.index("timing.heard_s")] = 1.6, 3.04, 3.2, 9.0
    fitted = forest.predict_proba(rows)[:, 1]

    model = Model(export(forest, ((3040, 0.99), (6400, 0.6)), "mine"))

    enough = np.array([0.99, 0.99, 0.6, 0.6])
    assert ((model.scores(rows) >= DECIDES) == (fitted >= enough)).all()


PEAKS = st.lists(st.lists(st.floats(0, 1), min_size=40, max_size=40), min_size=1, max_size=60)


@given(PEAKS, st.integers(0, 3))
def test_no_more_persons_are_lost_than_allowed(found: list[list[float]], machines: int) -> None:
    at_ms = np.arange(1, 41) * 160
    heard = Heard(at_ms[:0], np.zeros((0, len(NAMES)), dtype=np.float32))
    people = [Example(heard, machine=False, speaker="") for _ in found]
    others = [Example(heard, machine=True, speaker="") for _ in range(machines)]
    judged = [Held(at_ms, np.array(each)) for each in found]
    loud = Held(at_ms, np.ones(40))

    at = thresholds([*people, *others], [*judged, *[loud] * machines])

    lost_ms = [machine_ms(each, at) for each in judged]
    surely = [each for each in judged if each.peak(0, 6400) >= 1 - 2e-6]
    for until_ms, allowed in STAGES:
        lost = sum(each is not None and each <= until_ms for each in lost_ms)
        assert lost <= allowed * len(found) + len(surely)


def test_a_call_too_short_to_judge_is_no_machine() -> None:
    short = Heard(np.array([160]), np.zeros((1, len(NAMES)), dtype=np.float32))
    calls = [*given_calls(30), Example(short, machine=False, speaker="brief")]

    assert train(calls, "short", seed=1).machine_ms[-1] is None
