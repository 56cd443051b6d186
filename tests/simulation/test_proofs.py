"""The figures of `python -m benchmarks.proofs`: what they add up, and that they can be bad."""

import sys
from collections.abc import Callable, Mapping

import pytest

from benchmarks import proofs
from benchmarks.proofs import Figure, Found, Storm
from dialer.audit.report import Violation
from dialer.simulation.effects import Kill
from dialer.simulation.seeds import SeedResult
from dialer.simulation.sweep import Death

GOOD = SeedResult(
    seed=3,
    violations=(),
    complaint="",
    checked={"I1": 4, "I7": 0},
    struck={"full": 2, "lost": 1},
    seen={},
    kills=1,
    effects=100,
    calls=4,
    took_s=7200.0,
    digest="f00d",
)
BAD = SeedResult(4, ["I1: rung twice"], "seed 4", {"I1": 2}, {}, {}, 0, 50, 2, 3600.0, "beef")

SURVIVED = Death(Kill(1, "daemon0.1", "before COMMIT"), ())
RUNG_TWICE = Death(Kill(2, "daemon0.1", "after COMMIT"), [Violation("I1", "rung twice")])

NOTICED = Found("place again on doubt", 7, ["I1"], innocent=True)
ONE_DIGEST = {("python3", "0", 0): "f00d", ("python3", "1", 1): "f00d"}


def named(figures: list[Figure]) -> Mapping[str, Figure]:
    return {figure.name.split()[0]: figure for figure in figures}


def test_storms_are_added_up() -> None:
    told = named(proofs.of_storms([Storm(GOOD, 1.5), Storm(GOOD, 0.5)]))

    assert {name: figure.value for name, figure in told.items()} == {
        "M1": 2, "M2": 2, "M4": 6, "M5": 1, "speed": 7200,
    }  # fmt: skip
    assert told["M4"].details["kinds"] == {"full": 4, "lost": 2}
    assert "busy" in told["M4"].details["never"]
    assert told["M5"].details["checked"] == {"I1": 8, "I7": 0}
    assert [name for name, figure in told.items() if not figure.ok] == ["M5"]  # I7 was not seen


@pytest.mark.parametrize(
    "figure",
    [
        lambda: proofs.of_storms([Storm(GOOD, 1.0), Storm(BAD, 1.0)])[0],
        lambda: proofs.of_deaths([SURVIVED, RUNG_TWICE], 10),
        lambda: proofs.of_deaths([SURVIVED, None], 10),
        lambda: proofs.of_bugs([NOTICED, Found("it hides", None, [], innocent=True)])[0],
        lambda: proofs.of_bugs([Found("it is there", 1, ["I1"], innocent=False)])[0],
        lambda: proofs.of_digests({**ONE_DIGEST, ("python3", "2", 2): "beef"}, 1),
        lambda: proofs.of_digests({("python3", "0", 0): "exit 1: no such module"}, 1),
    ],
)
def test_what_is_not_as_it_should_be_is_said(figure: Callable[[], Figure]) -> None:
    told = figure()

    assert not told.ok
    assert " NO\n" in f"{proofs.as_text([told])}\n"


def test_what_is_as_it_should_be_is_good() -> None:
    figures = [
        proofs.of_deaths([SURVIVED], 4),
        *proofs.of_bugs([NOTICED]),
        proofs.of_digests(ONE_DIGEST, 1),
    ]

    assert [(figure.value, figure.ok) for figure in figures] == [
        (1, True), (1, True), (7, True), (2, True),
    ]  # fmt: skip
    assert "1 tried, 25% of all 4" in proofs.as_text(figures)


def test_a_fresh_process_comes_to_the_digest_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "SAME_SEEDS", 1)
    digests = {proofs.digest(sys.executable, hash_seed) for hash_seed in ("0", "random")}

    assert len(digests) == 1
    assert not digests.pop().startswith("exit")


def test_an_interpreter_that_cannot_run_it_is_told_from_one_that_differs() -> None:
    assert proofs.digest(sys.executable, "no hash seed").startswith("exit 1: Fatal")
