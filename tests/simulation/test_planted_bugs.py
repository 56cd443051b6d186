"""The simulations have teeth: bugs that real dialers have had are found within a few seeds."""

from pathlib import Path

import pytest

from dialer.simulation.drawing import scenario
from dialer.simulation.evidence import violations
from dialer.simulation.run import run
from tests.simulation.planted import BUGS, Planted

SEEDS = 20


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_found_and_the_engine_does_not_have_it(
    bug: Planted, tmp_path: Path
) -> None:
    for seed in range(SEEDS):
        drawn = bug.sharpen(scenario(seed))
        with pytest.MonkeyPatch.context() as patch:
            bug.plant(patch)
            found = violations(run(drawn, _folder(tmp_path, f"planted{seed}")))
        if bug.breaks & {each.invariant for each in found}:
            break
    else:
        pytest.fail(f"not found in {SEEDS} seeds: {bug.plant.__doc__}")

    assert violations(run(drawn, _folder(tmp_path, "as it is"))) == []


def _folder(within: Path, name: str) -> Path:
    folder = within / name
    folder.mkdir()
    return folder
