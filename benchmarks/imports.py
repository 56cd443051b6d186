"""A long list of people into a campaign: rows per second, memory, and how near that is to SQLite.

The list is written first: numbers of five countries as people write them, 2.5 % of the rows with
something wrong and 1.6 % with a number that came before, and a do-not-call list is filled. It is
then imported into a fresh SQLite file (WAL, synchronous=FULL), in this process and with two more,
as `dialer contacts import` does it. Beside them runs what cannot be left out: the same contacts and
members by `executemany` into the same tables, with nothing asked and nothing read.

    python -m benchmarks.imports [--rows 1000000] [--dnc 1000000]
"""

import argparse
import asyncio
import os
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from dialer.clock import SystemClock
from dialer.importing.imports import Import, ImportOrder
from dialer.importing.records import ImportCounts
from dialer.lists.columns import match, parse_map
from dialer.lists.csvio import open_table
from dialer.lists.intake import MOST_ROWS
from dialer.lists.rejected_rows import RejectedRows
from dialer.model import CampaignId
from dialer.people.contacts import Enrolment
from dialer.store import migrate
from dialer.store.opening import opened

MIB = 1 << 20
REGION = "US"
BAD, TWICE = 0.025, 0.016
AREAS = (202, 212, 213, 214, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 801, 917)
CITIES = ("Bonn", "Leeds", "Pune", "Austin", "Recife", "Salem", "Kiel", "Derby")
TAGS = ("", "", "vip", "spring; north", "spring", "north")
CAMPAIGN = """
INSERT INTO agents (name, kind, target, created_at) VALUES ('Ann', 'message', 'Hi', 0);
INSERT INTO campaigns (name, status, agent_id, strategy, spam_threshold, max_calls_per_day,
                       stay_on_number, call_interval_ms, max_concurrent, ring_timeout_s, amd,
                       on_machine, max_retries, retry_intervals_s, completion_timeout_s,
                       created_at)
VALUES ('Renewals', 'draft', 1, 'round_robin', 7, 100, 1, 0, 10, 30, 'carrier', 'hang_up', 2,
        '[3600]', 0, 0);
"""
CONTACTS = """INSERT INTO contacts (phone, name, email, zone, place, language, tags, variables,
 import_id, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 0, 0)"""
MEMBERS = """INSERT INTO members (campaign_id, contact_id, window_key, state, priority, import_id,
 next_at, created_at, changed_at) VALUES (1, ?, ?, 'pending', 1, 1, 0, 0, 0)"""


def written_number(rng: random.Random) -> str:
    """A number as somebody writes it: half of them of the US, the others of four countries."""
    kind, subscriber = rng.random(), rng.randrange(10**6)
    if kind < 0.5:
        area, rest = rng.choice(AREAS), f"{rng.randrange(200, 1000)}-{subscriber % 10_000:04}"
        return rng.choice((f"({area}) {rest}", f"{area}-{rest}", f"+1 {area} {rest}"))
    if kind < 0.65:
        return f"+44 7{rng.randrange(400, 500)} {subscriber:06}"
    if kind < 0.8:
        return f"+91 98{rng.randrange(100):02} {subscriber:06}"
    if kind < 0.9:
        return f"+49 151 {rng.randrange(10, 60)}{subscriber:06}"
    return f"+55 11 9{rng.randrange(60, 100)}{subscriber:06}"


def write_list(path: Path, rows: int) -> None:
    rng, before = random.Random(11), [written_number(random.Random(1))]
    with path.open("w", encoding="utf-8") as file:
        file.write("Name,Phone,Email,City,Tags,Reference\n")
        for at in range(rows):
            drawn = rng.random()
            if drawn < BAD:
                number = rng.choice(("n/a", "0800-CALL", "", "12345"))
            elif drawn < BAD + TWICE:
                number = rng.choice(before)
            else:
                number = written_number(rng)
                before[:] = [*before[-99:], number]
            file.write(
                f'"Person {at}, Ms","{number}",p{at}@example.org,{rng.choice(CITIES)},'
                f"{rng.choice(TAGS)},R-{at:08}\n"
            )


def fill(database: Path, entries: int) -> None:
    """A campaign, and so many people who must not be called, few of whom are in the list."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(CAMPAIGN)
        rows = ((f"+4930{at:08}",) for at in range(entries))
        connection.executemany(
            "INSERT INTO dnc (phone, source, created_at) VALUES (?, 'file', 0)", rows
        )
        connection.commit()


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


async def bring_in(database: Path, path: Path, workers: int, rows: int) -> ImportCounts:
    memory: dict[int, float] = {}

    def tell(counts: ImportCounts) -> None:
        memory.setdefault(4 * counts.rows // rows, resident_mib())

    wall, cpu = time.perf_counter(), cpu_s()
    async with opened(str(database), random.Random(7), busy_timeout_s=5) as store:
        with (
            open_table(path) as table,
            RejectedRows(path.with_suffix(".bad"), table.header, table.delimiter) as rejected,
        ):
            columns = match(table.header, parse_map([]))
            enrolment = Enrolment(CampaignId(1))
            order = ImportOrder(table, columns, REGION, enrolment, again=True, workers=workers)
            counts = await Import(store, SystemClock(), order, rejected).run(tell)
    wall, cpu = time.perf_counter() - wall, cpu_s() - cpu
    kind = "this process" if workers == 1 else f"{workers} workers"
    shown = ", ".join(f"{mib:.0f}" for mib in memory.values())
    print(
        f"{kind:<14} {rows / wall:>8,.0f} rows/s {rows / cpu:>8,.0f} rows/CPU s"
        f"   resident by quarters {shown} MiB"
    )
    return counts


def stored(database: Path) -> tuple[Sequence[Any], Sequence[Any]]:
    with closing(sqlite3.connect(database)) as connection:
        contacts = connection.execute(
            "SELECT phone, name, email, zone, place, language, tags, variables FROM contacts"
            " ORDER BY id"
        ).fetchall()
        members = connection.execute(
            "SELECT contact_id, window_key FROM members ORDER BY id"
        ).fetchall()
    return contacts, members


def bare(database: Path, contacts: Sequence[Any], members: Sequence[Any]) -> float:
    """Seconds that the same rows take by themselves, in portions of the same size."""
    started = time.perf_counter()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        connection.execute("PRAGMA cache_size=-65536")
        pairs = zip(_portions(contacts), _portions(members), strict=True)
        for people, memberships in pairs:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(CONTACTS, people)
            connection.executemany(MEMBERS, memberships)
            connection.execute("COMMIT")
    return time.perf_counter() - started


def _portions(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    left = iter(rows)
    while some := list(islice(left, MOST_ROWS)):
        yield some


async def measure(folder: Path, rows: int, entries: int) -> None:
    path, empty = folder / "people.csv", folder / "empty.db"
    write_list(path, rows)
    await migrate.upgrade(str(empty))
    fill(empty, entries)
    print(f"{rows:,} rows, {path.stat().st_size / MIB:.0f} MiB; {entries:,} must not be called")
    speeds = {}
    for workers in (1, 2):
        database = folder / f"{workers}.db"
        database.write_bytes(empty.read_bytes())
        started = time.perf_counter()
        counts = await bring_in(database, path, workers, rows)
        speeds[workers] = rows / (time.perf_counter() - started)
    contacts, members = stored(database)
    database = folder / "bare.db"
    database.write_bytes(empty.read_bytes())
    speed = len(contacts) / bare(database, contacts, members)
    print(f"{'executemany':<14} {speed:>8,.0f} rows/s, the same contacts and members")
    ratios = ", ".join(f"{speeds[workers] / speed:.2f}" for workers in speeds)
    print(f"ratio to it    {ratios}")
    print(f"{counts.added:,} added, {counts.rejected.total():,} rejected: {dict(counts.rejected)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dnc", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), given.rows, given.dnc))


if __name__ == "__main__":
    main()
