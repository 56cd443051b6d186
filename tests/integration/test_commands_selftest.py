"""`dialer selftest`: what it prints, how it ends, and that nothing is left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dialer.clock import real_sleep
from dialer.simulation import seeds
from dialer.simulation.seeds import SeedResult
from tests.support.cli import Cli

FAILED = SeedResult(
    seed=7,
    violations=["I1: rung twice", "I5: no attempt knows it"],
    complaint="seed 7 breaks a promise",
    checked={"I1": 3, "I5": 4},
    struck={"lost": 2},
    seen={},
    kills=1,
    effects=100,
    calls=3,
    took_s=7200.0,
    digest="f00d",
)


def test_a_few_seeds_in_good_order(tmp_path: Path) -> None:
    done = Cli(tmp_path).here("selftest", "--seeds", "2", "--processes", "1", "--json").ok()

    told = done.json
    assert (told["seeds"], told["from_seed"], told["violations"], told["failed"]) == (2, 0, 0, [])
    assert told["effects"] > 100
    assert told["checked"]["I1"] > 0
    assert list(tmp_path.iterdir()) == []


def test_people_get_a_table(tmp_path: Path) -> None:
    done = Cli(tmp_path).here("selftest", "--seeds", "1", "--from-seed", "3").ok()

    told = dict(line.split("\t", 1) for line in done.out.splitlines())
    assert told["seeds"] == "1 from 3"
    assert told["violations"] == "0"


def test_the_same_seeds_give_the_same_digest_in_whatever_order_they_end() -> None:
    digest = seeds.digest_of({1: "one", 2: "two"})

    assert seeds.digest_of({2: "two", 1: "one"}) == digest
    assert len({digest, seeds.digest_of({1: "one"}), seeds.digest_of({1: "two", 2: "one"})}) == 3


@pytest.mark.parametrize("as_json", [False, True])
def test_a_broken_promise_exits_1_and_says_how_to_see_it_again(
    as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "try_seeds", lambda wanted, processes: iter([FAILED]))

    done = Cli(tmp_path).here("selftest", *(["--json"] if as_json else []))

    assert done.code == 1
    assert "seed 7 breaks a promise" in done.err
    if as_json:
        (failed,) = done.json["failed"]
        assert failed["violations"] == FAILED.violations
        assert failed["replay"] == "dialer selftest --seeds 1 --from-seed 7"
        assert done.json["faults"] == {"lost": 2}
    else:
        assert "  seed 7\tI1: rung twice" in done.out


@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupt_leaves_nothing_behind(processes: int, tmp_path: Path) -> None:
    words = ["selftest", "--seeds", "5000", "--processes", str(processes)]
    environment = Cli(tmp_path, {"TMPDIR": str(tmp_path)}).environment
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that the interrupt reaches its children, as a terminal's does
    ) as process:
        while not any(tmp_path.glob("dialer-selftest-*/dialer.db")):
            assert process.poll() is None
            real_sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert (out, b"Traceback" in err) == (b"", False)
    assert list(tmp_path.iterdir()) == []


def test_the_help_shows_how_a_seed_is_run_again(tmp_path: Path) -> None:
    shown = Cli(tmp_path).here("selftest", "--help").ok().out

    assert "dialer selftest --seeds 1 --from-seed 4711" in shown
