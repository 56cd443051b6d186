"""Rows read by other processes: the same people in the same order, and nobody is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialer.errors import DialerError
from dialer.lists.columns import match
from dialer.lists.csvio import open_table
from dialer.lists.intake import Batch, batches
from dialer.lists.row_workers import Found, Reading, reader
from tests.support.cli import ROOT

ROWS = 700


def a_list(folder: Path) -> Path:
    path = folder / "people.csv"
    lines = [f"+1202555{at:04},Name {at},{'x' if at % 3 else 'zone'}" for at in range(ROWS)]
    lines[5] = 'nonsense,"open'
    path.write_text("\n".join(["phone,name,timezone", *lines]))
    return path


def read(path: Path, workers: int) -> list[tuple[Batch, Found]]:
    with open_table(path) as table:
        reading = Reading(match(table.header, {}), "US")
        with reader(reading, workers) as work:
            return list(work(batches(table, 100, edge=42)))


def test_two_processes_read_what_one_does(tmp_path: Path) -> None:
    path = a_list(tmp_path)

    alone, together = read(path, 1), read(path, 2)

    assert together == alone
    assert [batch.rows[-1].number for batch, _ in alone][:2] == [42, 142]
    assert sum(len(found) for _, found in alone) == ROWS


def test_a_process_that_ends_is_told(tmp_path: Path) -> None:
    with open_table(a_list(tmp_path)) as table:
        reading = Reading(match(table.header, {}), "US")
        with reader(reading, 2) as work:
            found = work(_until_killed(batches(table, 10)))
            with pytest.raises(DialerError, match="a process that reads rows ended by itself"):
                list(found)


def _until_killed(some: Iterator[Batch]) -> Iterator[Batch]:
    for at, batch in enumerate(some):
        if at == 3:
            for pid in children(os.getpid()):
                os.kill(pid, signal.SIGKILL)
        yield batch


def children(pid: int) -> list[int]:
    """The processes that read rows for another one."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat, command = (path / "stat").read_text(), (path / "cmdline").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == pid and "spawn_main" in command:
            found.append(int(path.name))
    return found


ENDLESS = """
import sys
from dialer.lists.columns import match
from dialer.lists.csvio import Position, TableRow
from dialer.lists.intake import Batch
from dialer.lists.row_workers import Reading, reader

def rows():
    while True:
        yield Batch([TableRow(2, ["+12025550101"])], Position(0, 2))

if __name__ == "__main__":
    with reader(Reading(match(["phone"], {}), "US"), 2) as work:
        for _ in work(rows()):
            print("ready", flush=True)
"""


def test_whoever_reads_rows_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    asking = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert asking.stdout is not None
    assert asking.stdout.readline() == b"ready\n"
    readers = children(asking.pid)

    asking.kill()
    asking.wait()
    asking.stdout.close()

    assert len(readers) == 2
    deadline = time.perf_counter() + 60
    while any(Path(f"/proc/{pid}/cmdline").exists() and running(pid) for pid in readers):
        assert time.perf_counter() < deadline, "they go on for ever"
        time.sleep(0.02)


def running(pid: int) -> bool:
    """Whether a process is more than the memory of one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
