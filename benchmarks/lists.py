"""Bringing a long list in, every second row of which is bad: rows per second, and memory.

The file is written first, one row in two with a number that is none, then imported into a fresh
SQLite file (WAL, synchronous=FULL) as `dialer dnc import` or `dialer contacts import` does it, with
the file of rejected rows. Memory is this process's resident set (Linux), told as the import goes
on: it should grow by what the numbers already seen take, and by nothing else.

    python -m benchmarks.lists [--rows 1000000] [--kind entries|people]
"""

import argparse
import asyncio
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dialer.clock import SystemClock
from dialer.do_not_call_files import EntriesImport, EntriesOrder, columns_of
from dialer.importing.imports import Import, ImportOrder
from dialer.lists.columns import match, parse_map
from dialer.lists.csvio import open_table
from dialer.lists.intake import RowCounts
from dialer.lists.rejected_rows import RejectedRows
from dialer.store import migrate
from dialer.store.opening import AnyDatabase, opened

MIB = 1 << 20
PARTS = 10
REGION = "US"
#: Numbers of Germany that can be called, a million and more of them, in no order.
FIRST, STEP, NUMBERS = 4_915_110_000_000, 7_919, 9_999_991


def write_list(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("phone,note\n")
        for at in range(rows):
            number = f"+{FIRST + at * STEP % NUMBERS}" if at % 2 else f"extension {at}"
            file.write(f"{number},asked by letter {at}\n")


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def teller(rows: int) -> Callable[[RowCounts], None]:
    """Prints speed and memory whenever a part of the list is in."""
    started, before, part = time.perf_counter(), [0.0, 0], rows // PARTS

    def tell(counts: RowCounts) -> None:
        if counts.rows < before[1] + part and counts.rows < rows:
            return
        passed = time.perf_counter() - started
        speed = (counts.rows - before[1]) / (passed - before[0])
        print(f"{counts.rows:>10,} rows {speed:>8,.0f} rows/s {resident_mib():>7.1f} MiB")
        before[:] = passed, counts.rows

    return tell


async def bring_in(database: AnyDatabase, kind: str, path: Path, rows: int) -> RowCounts:
    clock = SystemClock()
    with (
        open_table(path) as table,
        RejectedRows(path.with_suffix(".bad"), table.header, table.delimiter) as rejected,
    ):
        if kind == "entries":
            entries = EntriesOrder(table, columns_of(table.header, []), REGION)
            return await EntriesImport(database, clock, entries, rejected).run(teller(rows))
        people = ImportOrder(table, match(table.header, parse_map([])), REGION)
        return await Import(database, clock, people, rejected).run(teller(rows))


async def measure(folder: Path, kind: str, rows: int) -> None:
    path, name = folder / "list.csv", str(folder / "dialer.db")
    write_list(path, rows)
    await migrate.upgrade(name)
    async with opened(name, random.Random(7), busy_timeout_s=5) as database:
        print(f"{kind}, {path.stat().st_size / MIB:.0f} MiB; before it {resident_mib():.1f} MiB")
        wall, cpu = time.perf_counter(), time.process_time()
        counts = await bring_in(database, kind, path, rows)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert counts.rejected.total() == (rows + 1) // 2, counts
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
    print(
        f"{rows / wall:,.0f} rows/s, {rows / cpu:,.0f} rows per CPU second;"
        f" at most {most:.1f} MiB resident"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=["entries", "people"], default="entries")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), given.kind, given.rows))


if __name__ == "__main__":
    main()
