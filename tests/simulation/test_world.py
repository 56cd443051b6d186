"""Runs of the whole world: they repeat themselves, and what goes wrong in one is told."""

import asyncio
import gc
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dialer.leases import Lease
from dialer.simulation.complaint import complaint
from dialer.simulation.daemons import DaemonSite
from dialer.simulation.drawing import scenario
from dialer.simulation.evidence import judge, violations
from dialer.simulation.loop import VirtualLoop
from dialer.simulation.outcome import Outcome
from dialer.simulation.run import run
from dialer.simulation.scenario import Act, Deed, Scenario
from dialer.simulation.sweep import small_campaign
from dialer.simulation.world import World

ROOT = Path(__file__).parents[2]
#: Two daemons, kills, stalls and every kind of trouble.
STORMY = 77


def played(drawn: Scenario, folder: Path) -> Outcome:
    folder.mkdir()
    return run(drawn, folder)


def test_the_same_seed_gives_the_same_history(tmp_path: Path) -> None:
    first = played(scenario(STORMY), tmp_path / "first")
    other = played(scenario(STORMY + 1), tmp_path / "other")
    again = played(scenario(STORMY), tmp_path / "again")

    assert first.scenario.daemons == 2
    assert first.kills
    assert again.journal.entries == first.journal.entries
    assert again.digest == first.digest != other.digest


def test_of_a_run_its_outcome_is_left_and_nothing_else(tmp_path: Path) -> None:
    gc.collect()  # what other tests have left

    outcome = run(scenario(STORMY), tmp_path)

    left = [each for each in gc.get_objects() if type(each) in (World, VirtualLoop)]
    assert (left, outcome.unfinished) == ([], [])


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_another_process_tells_the_same_history(hash_seed: str, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from dialer.simulation.drawing import scenario; from dialer.simulation.run import run;"
        f"print(run(scenario({STORMY}), Path(sys.argv[1])).digest)"
    )
    there = tmp_path / "there"
    there.mkdir()
    told = subprocess.run(
        [sys.executable, "-c", code, str(there)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert told.stdout.strip() == played(scenario(STORMY), tmp_path / "here").digest


def test_no_environment_has_a_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = played(small_campaign(), tmp_path / "plain")

    monkeypatch.setenv("DIALER_CALLS_PER_SECOND", "1000")
    monkeypatch.setenv("DIALER_PATIENCE_S", "99")

    assert played(small_campaign(), tmp_path / "set").digest == plain.digest


@pytest.mark.parametrize("deed", [Deed.STOP, Deed.KILL, Deed.FREEZE])
def test_daemons_come_back_and_the_campaign_comes_to_its_end(deed: Deed, tmp_path: Path) -> None:
    acts = [Act(at_s, deed, 0, 30.0) for at_s in (0.5, 40.0, 80.0)]

    outcome = run(replace(small_campaign(), acts=acts, storm_s=120.0), tmp_path)

    assert violations(outcome) == []
    assert outcome.seen["daemon.spawned"] == (1 if deed is Deed.FREEZE else 4)


def test_a_run_in_which_all_is_busy_without_end_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def spin(self: DaemonSite) -> None:
        while True:  # noqa: ASYNC110  this is what it is about
            await asyncio.sleep(0)

    monkeypatch.setattr(DaemonSite, "_live", spin)

    outcome = run(small_campaign(), tmp_path)

    assert "turns" in outcome.broken_off
    assert str(judge(outcome).violations[0]).startswith("I20")


def test_a_defect_is_a_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(self: DaemonSite) -> None:
        if self.lives < 3:
            raise ZeroDivisionError
        await live(self)

    live = DaemonSite._live
    monkeypatch.setattr(DaemonSite, "_live", crash)

    found = violations(run(small_campaign(), tmp_path))

    assert [str(each) for each in found] == [
        f"defect: daemon0.{life} died of ZeroDivisionError: " for life in (1, 2)
    ]


def test_a_complaint_says_how_to_see_it_again_and_who_is_guilty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(self: Lease, first_look_s: float, settled_s: float) -> int:
        return 0

    monkeypatch.setattr(Lease, "take_over", nobody)  # whoever is called at a kill is forgotten
    outcome = run(replace(small_campaign(), acts=[Act(2.0, Deed.KILL, 0)], storm_s=3.0), tmp_path)
    found = violations(outcome)

    told = complaint(outcome, found)

    assert found
    assert "dialer selftest --seeds 1 --from-seed 1\n" in told
    assert "acts = [Act(at_s=2.0" in told
    guilty = next(each.attempt for each in found if each.attempt)
    assert any("carrier." in line and guilty in line for line in told.splitlines())
