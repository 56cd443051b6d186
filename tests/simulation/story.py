"""A run in which everything happens that could tell one run from another; prints its digest.

``python -m tests.simulation.story FOLDER``: the digest depends on nothing but this text.
"""

import asyncio
import hashlib
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

from dialer.simulation.disk import Disk
from dialer.simulation.effects import Effects, kill_at_random
from dialer.simulation.loop import run, running
from dialer.simulation.processes import Machine, Process
from dialer.store.inline import Fault, inline
from dialer.store.sqlite import SqliteDatabase
from tests.support.given import read, write

#: Kills in all; each process that dies comes back a moment later.
KILLS: Final = 12
LIFE_S: Final = 300.0


class Story:
    """Three daemons that fail, race, stall and die over one file."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.events: list[str] = []
        self.machine = Machine(running())
        self.effects = Effects(
            self.machine, kill_at_random(Random(f"{seed}:kills"), kills=KILLS, apart=150)
        )
        self.weather = Random(f"{seed}:weather")
        self.connect = inline(Disk(self.effects, self.fault))
        self.world = Random(f"{seed}:world")

    def note(self, *words: object) -> None:
        self.events.append(f"{asyncio.get_running_loop().time()!r} {words}")

    def fault(self, statement: str) -> Fault | None:
        if statement.startswith("BEGIN") and self.weather.random() < 0.2:
            return Fault.BUSY
        return None

    def start(self, name: str, life: int) -> None:
        def again(dead: Process) -> None:
            self.note("over", name, life, dead.killed, repr(dead.error))
            self.machine.later(self.world.uniform(0.1, 3), self.start, name, life + 1)

        self.note("start", name, life)
        self.machine.spawn(name, self.daemon(name, life)).when_over(again)

    async def daemon(self, name: str, life: int) -> None:
        rng = Random(f"{name}:{life}")
        async with SqliteDatabase(
            self.path, rng, busy_timeout_s=5, connect=self.connect
        ) as database:
            while True:
                try:
                    async with asyncio.TaskGroup() as group:
                        for worker in range(5):
                            group.create_task(self.work(database, name, worker, rng))
                except* LookupError as failed:
                    self.note("aborted", name, [str(error) for error in failed.exceptions])

    async def work(self, database: SqliteDatabase, name: str, worker: int, rng: Random) -> None:
        try:
            while True:
                await asyncio.sleep(rng.choice([1.0, 1.0, 2.5]))
                async with database.write() as tx:
                    await write(tx, "INSERT INTO notes (who) VALUES (?)", [(f"{name}{worker}",)])
                async with database.read() as tx:
                    rows = await read(tx, "SELECT count(*) FROM notes")
                self.note(name, worker, rows)
                if rng.random() < 0.1:
                    raise LookupError(f"{name}{worker}")
        finally:
            self.note("finally", name, worker)


async def tell(path: Path, seed: int) -> list[str]:
    story = Story(path, seed)
    for name in ("north", "south", "east"):
        story.start(name, 0)
    await asyncio.sleep(LIFE_S)
    assert len(story.effects.kills) == KILLS
    story.machine.power_off()
    return list(story.events)


def digest(folder: Path, seed: int) -> str:
    """The digest of everything that happened, in its order."""
    path = folder / f"{seed}.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, who TEXT NOT NULL)")
    events = run(tell(path, seed), shuffle=Random(f"{seed}:order"))
    return hashlib.sha256("\n".join(events).encode()).hexdigest()


if __name__ == "__main__":
    print(digest(Path(sys.argv[1]), 1))
