"""Running a scenario: a loop and a database of its own, and nothing left behind."""

import asyncio
import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

from dialer.simulation.effects import KillPlan
from dialer.simulation.journal import Journal
from dialer.simulation.loop import DeadlockError, LivelockError, VirtualLoop
from dialer.simulation.outcome import Outcome
from dialer.simulation.scenario import Scenario
from dialer.simulation.world import World
from dialer.store import migrate
from dialer.timezones import pin_zone_data

#: More turns at one instant than a run of this size needs, by far.
MOST_TURNS: Final = 50_000


def run(scenario: Scenario, folder: Path, kill_plan: KillPlan | None = None) -> Outcome:
    """Run *scenario* in an empty *folder*, which then holds the database.

    Daemons die at the effects the scenario draws, or else where *kill_plan* says. A run that can
    not go on, because all is idle for ever or busy without end, is an outcome as well.
    """
    pin_zone_data()
    journal = Journal(folder)
    with _garbage_set_aside(journal), journal.listening():
        return _played(scenario, folder / "dialer.db", journal, kill_plan)


def _played(
    scenario: Scenario, database: Path, journal: Journal, kill_plan: KillPlan | None
) -> Outcome:
    """The outcome; nothing but that is left of the world and its loop on return."""
    database.write_bytes(_empty_database())
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(most_turns=MOST_TURNS)) as runner:
        loop = cast(VirtualLoop, runner.get_loop())
        loop.set_exception_handler(lambda _, said: journal.note("asyncio", said=said["message"]))
        world = World(scenario, database, loop, journal, kill_plan)
        try:
            return runner.run(world.run())
        except (DeadlockError, LivelockError) as error:
            return world.break_off(str(error))


@contextmanager
def _garbage_set_aside(journal: Journal) -> Iterator[None]:
    """Collect what a run leaves behind when it is over, and nothing in its course.

    The dead are garbage, and Python unwinds what it collects: in the middle of another life, or of
    another run. What they say then is of no interest.
    """
    enabled, hook = gc.isenabled(), sys.unraisablehook
    gc.disable()
    gc.freeze()  # so that collecting looks at what the run has made only
    sys.unraisablehook = lambda said: None if journal.sealed else hook(said)
    try:
        yield
        with warnings.catch_warnings(action="ignore"):
            gc.collect()
    finally:
        sys.unraisablehook = hook
        gc.unfreeze()
        if enabled:
            gc.enable()


@lru_cache(maxsize=1)
def _empty_database() -> bytes:
    """A file with the schema and nothing else."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "empty.db")
        migrate.upgrade_blocking(str(path))
        return path.read_bytes()
