"""Whole contact lives per second: the real engine against the raw batch limit of SQLite.

A life is what one contact takes when its first call is answered: claim, intent, number count,
the carrier's answer, three callbacks, outcome and settlement. The engine runs as it does in a
daemon, on a durable file (WAL, synchronous=FULL), with a carrier that answers at once in the
same process. The raw limit does the same twelve statements a life straight through the standard
library's sqlite3, a thousand lives per transaction. Both run in turn, round by round, in one
process on one disk; quote the median ratio and the CPU per life.

    python -m benchmarks.lives [--contacts 50000] [--rounds 3] [--in-flight 1000]
"""

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dialer import logs
from dialer.app import Engine, engine_from
from dialer.clock import SystemClock
from dialer.daemon import tune_collector
from dialer.leases import Lease
from dialer.model import AttemptId, CallEvent, CallSid, CarrierStatus, EventSource
from dialer.ports import Accepted, CarrierCall, Order, OwnedNumber, Placement
from dialer.randomness import SystemIds
from dialer.settings import Settings
from dialer.store.opening import opened
from tests.support.given import given_campaign

MS = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """One round of one contender."""

    lives_per_s: float
    cpu_us_per_life: float


class InstantCarrier:
    """Accepts every order and reports a conversation at once."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.placed = 0
        self._accepted: list[tuple[AttemptId, CallSid]] = []
        self._reports: set[asyncio.Task[None]] = set()

    async def place(self, order: Order) -> Placement:
        self.placed += 1
        sid = CallSid(f"CA{self.placed:032x}")
        if not self._accepted:  # one task reports for all orders of this turn of the loop
            report = asyncio.get_running_loop().create_task(self._report())
            self._reports.add(report)
            report.add_done_callback(self._reports.discard)
        self._accepted.append((order.attempt_id, sid))
        return Accepted(sid)

    async def _report(self) -> None:
        assert self.engine is not None, "attached before anything is placed"
        await asyncio.sleep(0)
        accepted, self._accepted = self._accepted, []
        now = self.engine.clock.now()
        async with asyncio.TaskGroup() as callbacks:
            for status in (
                CarrierStatus.RINGING,
                CarrierStatus.IN_PROGRESS,
                CarrierStatus.COMPLETED,
            ):
                talk_s = 30 if status.final else None
                events = [
                    CallEvent(attempt_id, sid, EventSource.STATUS, now, status, duration_s=talk_s)
                    for attempt_id, sid in accepted
                ]
                callbacks.create_task(self.engine.calls.receive(*events))

    async def hang_up(self, _sid: CallSid) -> None: ...

    async def cancel(self, _sid: CallSid) -> None: ...

    async def redirect(self, _sid: CallSid, _url: str) -> bool:
        return False

    async def fetch(self, _sid: CallSid) -> CarrierCall | None:
        return None

    async def find(self, _to: str, _from: str, _since_at: int) -> Sequence[CarrierCall]:
        return []

    async def owned_numbers(self) -> Sequence[OwnedNumber]:
        return []

    async def check(self) -> None: ...


async def engine_round(folder: Path, contacts: int, in_flight: int) -> Figure:
    settings = Settings(
        database=str(folder / "engine.db"),
        calls_per_second=0,
        requests_at_once=1000,
        sweep_s=0.02,
        explain_s=600,
    )
    clock, rng = SystemClock(), random.Random(7)
    carrier = InstantCarrier()
    async with opened(settings.database, rng, busy_timeout_s=5) as database:
        campaign_id = await given_campaign(
            database,
            now=clock.now(),
            contacts=contacts,
            numbers=contacts // 1000 + 1,
            max_calls_per_day=1000,
            call_interval_s=0,
            max_concurrent=in_flight,
            completion_timeout_s=0,
        )
        lease = Lease(clock, database, name="bench", lease_s=600, sole=True)
        await lease.acquire()
        engine = engine_from(
            settings, database, carrier, clock=clock, rng=rng, ids=SystemIds(), lease=lease
        )
        carrier.engine = engine
        wall, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(each.run())
                for each in (engine.batcher, engine.launcher, engine.dispatcher, engine.reaper)
            ]
            while True:
                await asyncio.sleep(0.02)
                async with database.read() as tx:
                    row = await tx.row("claim_campaign", campaign_id=campaign_id)
                if row is not None and row["status"] == "completed":
                    break
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            for loop in loops:
                loop.cancel()
        assert carrier.placed == contacts, f"{carrier.placed} calls for {contacts} contacts"
    return Figure(contacts / wall, cpu / contacts * 1e6)


RAW_SCHEMA = """
CREATE TABLE contact(id INTEGER PRIMARY KEY, campaign_id INT, phone TEXT UNIQUE, variables TEXT,
                     priority INT, next_at INT, state INT, attempts INT);
CREATE INDEX due ON contact(campaign_id, priority, next_at, id) WHERE state = 0;
CREATE TABLE attempt(id INTEGER PRIMARY KEY, contact_id INT, sid TEXT, state INT, at INT);
CREATE TABLE event(id INTEGER PRIMARY KEY, attempt_id INT, kind INT, body TEXT);
CREATE TABLE number(id INTEGER PRIMARY KEY, used INT, done INT);
"""


def raw_round(folder: Path, contacts: int, per_transaction: int = 1000) -> Figure:
    db = sqlite3.connect(folder / "raw.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(RAW_SCHEMA)
    db.execute("BEGIN")
    db.executemany(
        'INSERT INTO contact VALUES(?, 1, ?, \'{"city": "Springf"}\', 1, 0, 0, 0)',
        ((i, f"+1202{i:07d}") for i in range(1, contacts + 1)),
    )
    db.executemany("INSERT INTO number VALUES(?, 0, 0)", ((i,) for i in range(10)))
    db.execute("COMMIT")
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, contacts, per_transaction):
        _raw_batch(db, min(per_transaction, contacts - start))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    db.close()
    return Figure(contacts / wall, cpu / contacts * 1e6)


def _raw_batch(db: sqlite3.Connection, count: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    ids = [
        (row[0],)
        for row in db.execute(
            "SELECT id FROM contact WHERE campaign_id=1 AND priority=1 AND next_at<=1 AND state=0 "
            "ORDER BY next_at, id LIMIT ?",
            (count,),
        )
    ]
    db.executemany("UPDATE contact SET state=1, attempts=attempts+1 WHERE id=?", ids)
    db.executemany("INSERT INTO attempt VALUES(?, ?, NULL, 0, 1)", ((i, i) for (i,) in ids))
    db.executemany("UPDATE number SET used=used+1 WHERE id=?", ((i % 10,) for (i,) in ids))
    db.execute("COMMIT")
    db.execute("BEGIN IMMEDIATE")
    db.executemany("UPDATE attempt SET sid=? WHERE id=?", ((f"CA{i:032x}", i) for (i,) in ids))
    db.execute("COMMIT")
    for kind in (1, 2):
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            "INSERT INTO event(attempt_id, kind, body) VALUES(?, ?, ?)",
            ((i, kind, "x" * 100) for (i,) in ids),
        )
        db.executemany("UPDATE attempt SET state=? WHERE id=?", ((kind, i) for (i,) in ids))
        db.execute("COMMIT")
    db.execute("BEGIN IMMEDIATE")
    db.executemany(
        "INSERT INTO event(attempt_id, kind, body) VALUES(?, 3, ?)",
        ((i, "x" * 100) for (i,) in ids),
    )
    db.executemany("UPDATE attempt SET state=3 WHERE id=?", ids)
    db.executemany("UPDATE contact SET state=2 WHERE id=?", ids)
    db.executemany("UPDATE number SET done=done+1 WHERE id=?", ((i % 10,) for (i,) in ids))
    db.execute("COMMIT")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contacts", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=1000)
    given = parser.parse_args()
    logs.configure("json", "error")
    tune_collector()
    pairs = []
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory() as name:
            raw = raw_round(Path(name), given.contacts)
            engine = asyncio.run(engine_round(Path(name), given.contacts, given.in_flight))
        pairs.append((engine, raw))
        print(
            f"round {number + 1}: engine {engine.lives_per_s:8,.0f} lives/s "
            f"{engine.cpu_us_per_life:6.0f} us CPU | raw {raw.lives_per_s:8,.0f} lives/s "
            f"{raw.cpu_us_per_life:6.0f} us CPU | ratio {engine.lives_per_s / raw.lives_per_s:.3f}"
        )
    wall = statistics.median(e.lives_per_s / r.lives_per_s for e, r in pairs)
    cpu = statistics.median(e.cpu_us_per_life / r.cpu_us_per_life for e, r in pairs)
    print(f"median: engine/raw lives per second {wall:.3f}, CPU per life {cpu:.1f} x")


if __name__ == "__main__":
    main()
