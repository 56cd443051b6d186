"""Runs of the whole world: they repeat themselves, and what goes wrong in one is told."""

import asyncio
import gc
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dialer.leases import Lease
from dialer.simulation.complaint import complaint
from dialer.simulation.daemons import DaemonSite
from dialer.simulation.drawing import scenario
from dialer.simulation.evidence import judge, violations
from dialer.simulation.loop import VirtualLoop
from dialer.simulation.outcome import Outcome
from dialer.simulation.run import run
from dialer.simulation.scenario import REGIONS, Act, Deed, Rule, Scenario
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


WASHINGTON, DENVER = "+12025550101", "+13035550102"


def two_towns(**fields: Any) -> Scenario:
    """A campaign that calls somebody in Washington and somebody in Denver, one after the other."""
    small = small_campaign()
    (campaign,) = small.campaigns
    fields = {**campaign.fields, "max_retries": 2, **fields}
    campaign = replace(campaign, people=(0, 1), fields=fields)
    return replace(small, phones=(WASHINGTON, DENVER), campaigns=(campaign,))


def called(outcome: Outcome, phone: str) -> list[float]:
    """When somebody was called, in seconds into the run."""
    return [
        (event["at"] - outcome.scenario.start_at) / 1000
        for event in outcome.truth
        if event["event"] == "accepted" and event["to"] == phone
    ]


def test_nobody_is_called_in_a_region_while_it_is_closed(tmp_path: Path) -> None:
    assert sorted(REGIONS) == ["US-CA", "US-CO", "US-DC"]
    acts = [Act(0.0, Deed.CLOSE, 2), Act(500.0, Deed.REOPEN, 2), Act(600.0, Deed.CLOSE, 2)]

    outcome = run(replace(two_towns(), acts=acts, storm_s=700.0), tmp_path)

    assert violations(outcome) == []
    assert [entry["deed"] for entry in outcome.operator_log if entry["on"] == "US-DC"] == [
        "close", "reopen", "close", "reopen",
    ]  # fmt: skip
    assert min(called(outcome, DENVER)) < 10
    assert 500 < min(called(outcome, WASHINGTON)) < 570  # a look at the control row later


def test_a_region_has_its_own_hours_and_caps(tmp_path: Path) -> None:
    # The run begins at 15:00 UTC: ten in Washington, eight in Denver.
    rules = (
        Rule("US-DC", "daily 10:05-10:06,10:20-24:00"),
        Rule("US-CO", caps=("1/10m",)),
    )

    outcome = run(replace(two_towns(), profile="cold_b2b", rules=rules), tmp_path)

    assert violations(outcome) == []
    assert min(called(outcome, WASHINGTON)) >= 300
    times = called(outcome, DENVER)
    assert all(later - earlier > 600 for earlier, later in pairwise(times))


def test_a_campaign_whose_people_have_had_their_calls_for_the_day_is_ended(tmp_path: Path) -> None:
    silent = ("+15005550103",)  # rings and nobody answers
    drawn = replace(two_towns(callee_calls_per_day=1), phones=silent)
    campaigns = [replace(each, people=(0,)) for each in drawn.campaigns]

    outcome = run(replace(drawn, campaigns=campaigns), tmp_path)

    assert violations(outcome) == []
    assert len(called(outcome, *silent)) == 1
    assert outcome.operator_log[-1]["deed"] == "complete"
    assert outcome.took_s < 3600


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
