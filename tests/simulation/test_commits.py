"""What a simulated daemon's database tells of its writes, whatever the daemon makes of them."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from dialer.errors import StoreError
from dialer.model import AttemptId, DaemonId
from dialer.simulation.clock import SimClock
from dialer.simulation.commits import SeededIds, WatchedDatabase, Write
from dialer.simulation.disk import Disk
from dialer.simulation.effects import Effects
from dialer.simulation.loop import run, running
from dialer.simulation.processes import Machine
from dialer.store.inline import Fault, inline

EPOCH_AT = 1_767_625_200_000
OWNER = DaemonId(7)


class Story:
    """A database whose statements fail as *faults* say, by their first word."""

    def __init__(self, path: Path) -> None:
        self.faults: dict[str, Fault] = {}
        self.noted: list[Write] = []
        self.ids = SeededIds(Random("ids"))
        effects = Effects(Machine(running()))
        self.database = WatchedDatabase(
            path / "watched.db",
            Random("busy"),
            busy_timeout_s=1.0,
            connect=inline(Disk(effects, lambda text: self.faults.get(text.split()[0]))),
            clock=SimClock(running(), EPOCH_AT),
            ids=self.ids,
            note=self.noted.append,
        )
        self.database.owner = OWNER

    async def claim(self) -> AttemptId:
        """What a claim is: an id within a transaction."""
        async with self.database.write():
            attempt_id = self.ids.attempt(EPOCH_AT)
            await asyncio.sleep(1)
        return attempt_id


def test_a_write_that_was_kept_is_told_with_its_intents(tmp_path: Path) -> None:
    async def story() -> None:
        told = Story(tmp_path)
        async with told.database:
            attempt_id = await told.claim()

        assert told.noted == [Write(EPOCH_AT + 1000, OWNER, kept=True, intents=(attempt_id,))]

    run(story())


@pytest.mark.parametrize("fault", [Fault.FULL, Fault.IOERR])
def test_a_write_that_was_refused_is_told_with_what_was_lost(fault: Fault, tmp_path: Path) -> None:
    async def story() -> None:
        told = Story(tmp_path)
        async with told.database:
            told.faults["COMMIT"] = fault
            with pytest.raises(StoreError):
                await told.claim()

        (lost,) = told.ids.given
        assert told.noted == [Write(EPOCH_AT + 1000, OWNER, kept=False, intents=(lost,))]

    run(story())


def test_a_write_that_never_began_lost_nothing_of_another(tmp_path: Path) -> None:
    async def story() -> None:
        told = Story(tmp_path)
        async with told.database, asyncio.TaskGroup() as group:
            first = group.create_task(told.claim())
            await asyncio.sleep(0.5)
            told.faults["BEGIN"] = Fault.FULL
            with pytest.raises(StoreError):
                await told.claim()
            attempt_id = await first

        assert [(write.kept, write.intents) for write in told.noted] == [
            (True, (attempt_id,)),
            (False, ()),
        ]

    run(story())


def test_a_write_that_its_caller_gave_up_is_the_callers_affair(tmp_path: Path) -> None:
    async def story() -> None:
        told = Story(tmp_path)
        async with told.database:
            with pytest.raises(LookupError):
                async with told.database.write():
                    raise LookupError("nobody of that name")

        assert told.noted == []

    run(story())
