"""The simulations have teeth: bugs that real dialers have had are found within a few seeds."""

from pathlib import Path

import pytest

from tests.simulation.planted import BUGS, Planted, hunt

SEEDS = range(20)


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_found_and_the_engine_does_not_have_it(
    bug: Planted, tmp_path: Path
) -> None:
    hunted = hunt(bug, SEEDS, tmp_path)

    assert hunted.seed is not None, bug.plant.__doc__
    assert hunted.as_it_is == []
