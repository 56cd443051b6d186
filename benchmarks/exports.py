"""Taking a list out in each format: rows per second, and memory, beside a bare ``csv.writer``.

A SQLite file is filled with members of a campaign, who are exported as `dialer contacts export`
does it, each format in a process of its own, whose peak resident set
(Linux) is told. The bare writer gets the very cells of the CSV export from memory: what it takes is
the price of writing alone. The machine's speed varies, so look at the ratios.

    python -m benchmarks.exports [--rows 100000]
"""

import argparse
import asyncio
import csv
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from dialer import agents, campaigns, numbers
from dialer.clock import SystemClock
from dialer.exporting.exports import Export, ExportOrder, What
from dialer.exporting.writers import Format
from dialer.model import CampaignId
from dialer.people import contacts
from dialer.people.contacts import Enrolment
from dialer.people.person import Person
from dialer.ports import Tx
from dialer.store import migrate
from dialer.store.opening import AnyDatabase, opened

MIB: Final = 1 << 20
KIB: Final = 1 << 10
CAMPAIGN: Final = "Renewals"
PORTION: Final = 5_000
FIRST: Final = 4_915_110_000_000
BARE: Final = "bare csv"


def person(at: int) -> Person:
    return Person(
        f"+{FIRST + at}",
        name=f"Somebody {at}",
        email=f"somebody.{at}@example.org",
        tags=("march", f"group {at % 100}"),
        variables={"City": f"City {at % 1000}", "Contract": f"{at:010}"},
    )


async def add_campaign(tx: Tx, now: int) -> None:
    agent_id = await agents.add_message(tx, "Ann", "Hi", now)
    number_id, _ = await numbers.add(
        tx, numbers.NewNumber("+12025550199"), now, region="US", default_zone="UTC"
    )
    await campaigns.create(tx, campaigns.NewCampaign(CAMPAIGN, agent_id, [(number_id, 1)]), now)


async def fill(database: AnyDatabase, rows: int, now: int) -> None:
    async with database.write() as tx:
        await add_campaign(tx, now)
    for first in range(0, rows, PORTION):
        people = [person(at) for at in range(first, min(first + PORTION, rows))]
        async with database.write() as tx:
            await contacts.put(tx, people, now)
            await contacts.enrol(tx, people, Enrolment(CampaignId(1)), now)


async def make(name: str, rows: int) -> None:
    await migrate.upgrade(name)
    async with opened(name, random.Random(7), busy_timeout_s=5) as database:
        await fill(database, rows, SystemClock().now())


async def export(name: str, kind: Format, path: Path) -> int:
    async with opened(name, random.Random(7), busy_timeout_s=5) as database:
        order = ExportOrder(What.CONTACTS, path, kind, CAMPAIGN)
        return (await Export(database, SystemClock(), order).run()).rows


def write_bare(source: Path, path: Path) -> tuple[int, float]:
    """Write the cells of an exported table once more; the rows, and the seconds that took."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        cells = list(csv.reader(file))
    started = time.perf_counter()
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(cells)
    return len(cells) - 1, time.perf_counter() - started


def one(kind: str, folder: Path) -> None:
    """Write one file in this process, and print what it took."""
    path = folder / f"out.{kind}"
    before = peak_mib()
    if kind == BARE:
        rows, wall = write_bare(folder / f"out.{Format.CSV}", path)
    else:
        started = time.perf_counter()
        rows = asyncio.run(export(str(folder / "dialer.db"), Format(kind), path))
        wall = time.perf_counter() - started
    size = path.stat().st_size / MIB
    print(
        f"{kind:<14}{rows / wall:>10,.0f} rows/s {size:>7.1f} MiB file"
        f" {before:>7.1f} MiB before, {peak_mib():>7.1f} MiB at most",
        flush=True,
    )


def peak_mib() -> float:
    """Of this program alone; what ``getrusage`` tells begins with the one that started it."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / KIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--one", choices=[*Format, BARE], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one, given.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(make(str(Path(folder, "dialer.db")), given.rows))
        for kind in (*Format, BARE):
            again = [sys.executable, "-m", "benchmarks.exports", "--one", kind, "--folder", folder]
            subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
