"""Everything a process does to the world, counted: the moments at which a crash makes a difference.

Between two effects a crash leaves the same world behind, wherever it strikes. So a run is tried
by killing it before and after each statement and each carrier request: at every single one, for a
short run, or at random ones.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from dialer.simulation.processes import Machine, current

#: Asked at each effect, by its number from 1: does the process die here?
KillPlan: TypeAlias = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Kill:
    """Where a plan struck."""

    number: int
    process: str
    effect: str


class Effects:
    """Counts effects across all processes of a machine, and kills as *plan* says."""

    def __init__(self, machine: Machine, plan: KillPlan | None = None) -> None:
        self._machine: Final = machine
        self._plan = plan or (lambda _number: False)
        self.count = 0
        self.kills: list[Kill] = []

    def reach(self, name: str) -> bool:
        """Count an effect; False when the process is dead and must not go on.

        Whoever hears False waits for something that never comes, at once. Outside every process
        nothing is counted.
        """
        process = current()
        if process is None:
            return True
        if not process.alive:
            return False
        self.count += 1
        if self._plan(self.count):
            self.kills.append(Kill(self.count, process.name, name))
            self._machine.kill(process)
        return process.alive

    async def survive(self, name: str) -> None:
        """Count an effect, and return only to the living."""
        if not self.reach(name):
            await asyncio.get_running_loop().create_future()


def kill_at(numbers: Collection[int]) -> KillPlan:
    """Die at these effects."""
    return frozenset(numbers).__contains__


def kill_at_random(rng: Random, *, kills: int, apart: int) -> KillPlan:
    """Die up to *kills* times, each at most *apart* effects after the one before."""
    numbers = set[int]()
    number = 0
    for _ in range(kills):
        number += rng.randint(1, apart)
        numbers.add(number)
    return kill_at(numbers)
