"""One seed, one run: whatever Python's hashes, addresses and collections are this time."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.story import digest

ROOT = Path(__file__).parents[2]


def test_a_run_repeats_itself_in_this_process(tmp_path: Path) -> None:
    first = digest(tmp_path, 1)
    elsewhere = [bytearray(50) for _ in range(10_000)]  # what is made next gets other addresses
    gc.collect()

    assert digest(tmp_path, 1) == first
    assert digest(tmp_path, 2) != first
    assert elsewhere


@pytest.mark.parametrize("hash_seed", ["0", "1", "42", "random"])
def test_a_run_repeats_itself_in_another_process(hash_seed: str, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.simulation.story", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert told.stdout.strip() == digest(tmp_path, 1)
