"""Between the daemon and whoever runs it: signals, the service manager, a look inside.

SIGTERM or Ctrl-C asks for the end, a second one hurries; SIGHUP has the configuration read again;
SIGUSR1 has the log take down what every task is at. The service manager hears when the daemon is
ready and what it does; its watchdog hears the engine itself, and nobody else.
"""

import asyncio
import math
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dialer.amounts import counted
from dialer.app import App
from dialer.errors import DialerError
from dialer.lazy_log import Log
from dialer.notify import FEEDINGS, ServiceManager, feeding
from dialer.reloading import Reloading

log = Log()

#: How often the service manager is told what the daemon does, if that has changed.
STATUS_S: Final = 2.0
#: Calls within one another that are taken down of a task.
DEEPEST: Final = 40


@dataclass(frozen=True, slots=True)
class Signals:
    """What the daemon is asked for from outside."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)
    dump: asyncio.Event = field(default_factory=asyncio.Event)

    def heed_reload(self) -> None:
        """Take SIGHUP from here on, and one that has been kept until now."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def heed(self) -> None:
        """Take the process's other signals from here on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)
        loop.add_signal_handler(signal.SIGUSR1, self.dump.set)

    def _ask_to_stop(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()


def watched(app: App, manager: ServiceManager) -> asyncio.Event:
    """Have the engine's own turns feed the watchdog; gives what is set at the first of them.

    Nothing else feeds it: a daemon whose engine is stuck does no good by being alive.
    """
    turning = asyncio.Event()
    feed = feeding(manager, app.engine.clock)

    def turned() -> None:
        turning.set()
        feed()

    patience_s = manager.watchdog_s * app.settings.scale.speed
    app.engine.dispatcher.at_every_turn(turned, within_s=patience_s / FEEDINGS or math.inf)
    return turning


async def tell_status(app: App, manager: ServiceManager, *conditions: asyncio.Event) -> None:
    """Tell the service manager that the daemon is ready, once *conditions* hold, and what it does.

    Runs until it is cancelled, where anybody listens.
    """
    for each in conditions:
        await each.wait()
    manager.tell("READY=1", f"MAINPID={os.getpid()}")
    told = ""
    while manager.address:
        status = await _status(app)
        if status != told:
            manager.tell(f"STATUS={status}")
            told = status
        await asyncio.sleep(STATUS_S)


async def reload_when_asked(
    signals: Signals, reloading: Reloading, manager: ServiceManager
) -> None:
    """Read the configuration again at every SIGHUP, for ever."""
    while True:
        await signals.reload.wait()
        signals.reload.clear()
        manager.tell("RELOADING=1")
        await reloading.reload()
        manager.tell("READY=1")


async def dump_when_asked(signals: Signals, app: App) -> None:
    """Take down the daemon's state at every SIGUSR1, for ever."""
    while True:
        await signals.dump.wait()
        signals.dump.clear()
        log.info(
            "daemon.dumped", **await state_of(app), tasks=sorted(map(where, asyncio.all_tasks()))
        )


async def state_of(app: App) -> Mapping[str, Any]:
    """How the engine stands, in names and counts."""
    engine = app.engine
    return {
        "status": await _status(app),
        "launching": engine.launcher.busy,
        "ticked_at": engine.dispatcher.ticked_at,
        "lease_until": engine.lease.until_at,
        "store_trouble": engine.lease.trouble or engine.dispatcher.store_trouble,
    }


def where(task: "asyncio.Task[Any]") -> str:
    """What a task is at: the coroutines that wait for one another, without any value of theirs."""
    steps: list[str] = []
    awaited: Any = task.get_coro()
    while awaited is not None and len(steps) < DEEPEST:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is not None:
            steps.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return " > ".join(steps)


async def _status(app: App) -> str:
    """What the daemon does, in a few words."""
    engine = app.engine
    try:
        async with engine.database.read() as tx:
            calls = await tx.value("live_attempts", owner=engine.lease.daemon_id)
    except DialerError:
        return "the database cannot be read"
    doing = "draining, " if engine.dispatcher.draining else ""
    campaigns = counted(engine.dispatcher.campaigns, "campaign")
    return f"{doing}{counted(calls, 'call')}, {campaigns}"
