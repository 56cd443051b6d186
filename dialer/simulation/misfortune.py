"""What befalls daemons from below: they die, fall asleep, and their disk fails them."""

import asyncio
from typing import Final

from dialer.carrier_sim.chance import stream
from dialer.simulation.carrier import PLACE
from dialer.simulation.disk import Disk
from dialer.simulation.effects import Effects, KillPlan, kill_at_random
from dialer.simulation.journal import Journal
from dialer.simulation.processes import Machine, current
from dialer.simulation.scenario import Scenario
from dialer.simulation.weather import DiskFault, Stall, Weather
from dialer.store.inline import Fault

_FAULTS: Final = {
    DiskFault.BUSY: Fault.BUSY,
    DiskFault.FULL: Fault.FULL,
    DiskFault.IO_ERROR: Fault.IOERR,
}
#: How much of a statement the journal tells.
_TOLD: Final = 40


class Misfortune:
    """Strikes as the weather says, and kills as is drawn, for as long as the storm lasts.

    A kill plan that is given takes the place of the drawn one, and knows no end.
    """

    def __init__(
        self,
        scenario: Scenario,
        machine: Machine,
        weather: Weather,
        journal: Journal,
        kill_plan: KillPlan | None,
    ) -> None:
        self._machine = machine
        self._weather = weather
        self._journal = journal
        self._longest_stall_s = scenario.longest_stall_s
        self._given_plan = kill_plan
        self._drawn_plan = kill_at_random(
            stream(scenario.seed, "kills"),
            kills=scenario.kills,
            apart=scenario.effects_between_kills,
        )
        self._over = False
        self.effects = Effects(machine, self._dies_at)
        self.disk = Disk(self.effects, self._disk_fault)

    def end(self) -> None:
        """Kill nobody any more by chance; the weather ends by itself."""
        self._over = True

    async def last_act(self, what: str) -> None:
        """Where a daemon may die, or fall asleep, between its last look and the socket."""
        await self.effects.survive(what)
        if what == PLACE and self._weather.strikes(Stall.AT_THE_DOOR):
            self._stall(Stall.AT_THE_DOOR)
            await asyncio.sleep(0)

    def _dies_at(self, effect: int) -> bool:
        if self._given_plan is not None:
            return self._given_plan(effect)
        return not self._over and self._drawn_plan(effect)

    def _disk_fault(self, statement: str) -> Fault | None:
        """A statement of a daemon's may fail, or be the last for a while; the operator's never."""
        if current() is None:
            return None
        if self._weather.strikes(Stall.AT_A_STATEMENT):
            self._stall(Stall.AT_A_STATEMENT)
        for kind, fault in _FAULTS.items():
            if _may_fail(statement, kind) and self._weather.strikes(kind):
                self._journal.note("disk.fault", kind=kind.value, at=statement[:_TOLD])
                return fault
        return None

    def _stall(self, kind: Stall) -> None:
        seconds = self._weather.between(kind, 1.0, self._longest_stall_s)
        process = current()
        assert process is not None, "the world never stalls"
        self._journal.note(kind.value, seconds=seconds)
        self._machine.pause(process)
        self._machine.later(seconds, self._machine.resume, process)


def _may_fail(statement: str, kind: DiskFault) -> bool:
    """Whether SQLite could answer *statement* so: once a transaction has begun, the lock is its
    own, and to roll back takes no room."""
    match kind:
        case DiskFault.BUSY:
            return statement.startswith(("BEGIN", "PRAGMA"))
        case DiskFault.FULL:
            return statement != "ROLLBACK"
    return True
