"""A place where a daemon runs: the real engine on simulated ports, and whoever restarts it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from dialer.app import app_from, carrier_config, engine_from
from dialer.carrier_sim.chance import stream
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.clock_watch import ClockWatch
from dialer.daemon import at_work, drain
from dialer.errors import DialerError
from dialer.leases import Lease
from dialer.settings import Settings
from dialer.simulation.carrier import SimulatedCarrier
from dialer.simulation.checking import simulated_check
from dialer.simulation.clock import SimClock
from dialer.simulation.commits import SeededIds, WatchedDatabase, Write
from dialer.simulation.disk import Disk
from dialer.simulation.journal import Journal
from dialer.simulation.processes import Machine, Process
from dialer.simulation.trunk import Trunk
from dialer.simulation.weather import Weather
from dialer.store.inline import inline

#: A daemon that has ended is started again after so many seconds.
RESTART_S: Final = (0.5, 30.0)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all daemons of a world share."""

    seed: int
    machine: Machine
    disk: Disk
    trunk: Trunk
    weather: Weather
    last_act: Callable[[str], Awaitable[None]]
    wrote: Callable[[Write], None]
    journal: Journal
    database: Path
    settings: Settings
    fallback_s: float
    sole: bool


class DaemonSite:
    """A machine with its own clock on which one daemon after another runs."""

    def __init__(self, name: str, around: Surroundings, clock: SimClock) -> None:
        self.name = name
        self.clock = clock
        self.process: Process | None = None
        self.web: ASGIApp | None = None
        self.lives = 0
        self._around = around
        self._chance = stream(around.seed, "supervisor", name)
        self._stop = asyncio.Event()
        self._closing = False
        #: Set once nobody will ever run here again.
        self.over = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether a daemon runs here, frozen ones included."""
        return self.process is not None and self.process.alive

    def start(self) -> None:
        """Start a daemon, unless one runs."""
        if self.running or self._closing:
            return
        self.lives += 1
        self._stop = asyncio.Event()
        self._around.journal.note("daemon.spawned", on=self.name, life=self.lives)
        self.process = self._around.machine.spawn(f"{self.name}.{self.lives}", self._live())
        self.process.owns(self._hang_up_the_line)
        self.process.when_over(self._over)

    def stop(self, *, for_good: bool = False) -> None:
        """As SIGTERM; *for_good*: nobody starts it again."""
        self._closing = self._closing or for_good
        self._stop.set()
        if self._closing and not self.running:
            self.over.set()

    def kill(self) -> None:
        """As SIGKILL."""
        if self.process is not None:
            self._around.machine.kill(self.process)

    def freeze(self, seconds: float) -> None:
        """As SIGSTOP, and SIGCONT after so many seconds."""
        if self.process is not None and self.running:
            self._around.machine.pause(self.process)
            self._around.machine.later(seconds, self.thaw)

    def thaw(self) -> None:
        """As SIGCONT."""
        if self.process is not None and self.process.paused:
            self._around.machine.resume(self.process)

    async def _live(self) -> None:
        """What ``dialer run`` does, on ports of the world's."""
        around, settings, clock = self._around, self._around.settings, self.clock.started()
        rng = stream(around.seed, "daemon", self.name, self.lives)
        ids = SeededIds(stream(around.seed, "ids", self.name, self.lives))
        async with WatchedDatabase(
            around.database,
            rng,
            busy_timeout_s=settings.busy_timeout_s,
            connect=inline(around.disk),
            clock=clock,
            ids=ids,
            note=around.wrote,
        ) as database:
            lease = Lease(
                clock, database, name=self.name, lease_s=settings.lease_s, sole=around.sole
            )
            await lease.acquire()
            database.owner = lease.daemon_id
            config = carrier_config(settings)
            carrier = SimulatedCarrier(around.trunk, config, clock, last_act=around.last_act)
            engine = engine_from(
                settings,
                database,
                carrier,
                clock=clock,
                rng=rng,
                ids=ids,
                lease=lease,
                check=simulated_check(settings, around.weather, clock),
                fallback_s=around.fallback_s,
            )
            watch = ClockWatch(clock, engine.dispatcher, hold_s=engine.times.last_look_s)
            door = TwilioCallbacks(config)
            app = replace(app_from(settings, engine, carrier, door), watch=watch)
            async with at_work(app):
                self.web = app.web
                await self._stop.wait()
                await drain(app, asyncio.Event())
                self.web = None
            with suppress(DialerError):
                await lease.release()

    def _hang_up_the_line(self) -> None:
        self.web = None

    def _over(self, process: Process) -> None:
        note = self._around.journal.note
        errors = list(_leaves(process.error))
        why = "killed" if process.killed else "; ".join(map(_words, errors)) or "stopped"
        note("daemon.over", on=self.name, life=self.lives, why=why)
        if not all(isinstance(error, DialerError) for error in errors):
            self._around.journal.defects.append(f"{process.name} died of {why}")
        if self._closing:
            self.over.set()
        else:
            self._around.machine.later(self._chance.uniform(*RESTART_S), self.start)


def _leaves(error: BaseException | None) -> Iterator[BaseException]:
    """The errors that a daemon died of, each by itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    elif error is not None:
        yield error


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
