"""The running daemon: every loop in one task group, the web server, signals, the drain."""

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import uvicorn

from dialer import clock
from dialer.app import App, Engine, Monitoring, build
from dialer.errors import DialerError, UnreachableError
from dialer.lazy_log import Log
from dialer.meters import Meters
from dialer.notify import ServiceManager
from dialer.reloading import Reloading
from dialer.settings import Settings
from dialer.store.exclusive import refuse_second
from dialer.supervision import (
    Signals,
    dump_when_asked,
    reload_when_asked,
    tell_status,
    watched,
)
from dialer.timezones import pin_zone_data
from dialer.web.current import CurrentWeb
from dialer.web.media import MOST_CHARS

log = Log()

#: What goes on for ever.
Loop: TypeAlias = Callable[[], Awaitable[None]]

#: How often the drain looks whether the last call has ended.
DRAIN_POLL_S = 0.05
#: A loop that failed starts again after this.
LOOP_REST_S = 1.0
#: Idle connections of the carrier are kept this long, in real seconds.
KEEP_ALIVE_S = 75
#: Requests under way at the end may take this long.
GRACE_S = 5
#: How often it is looked how late the event loop is, in real seconds.
LAG_PAUSE_S = 0.25


class _Server(uvicorn.Server):
    """uvicorn without signals of its own, and without a clock that ticks while nothing happens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._stopping = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    def stop(self) -> None:
        """Answer what is being asked, then end."""
        self.should_exit = True
        self._stopping.set()


def run(settings: Settings, reread: Callable[[], Settings]) -> None:
    """Run a daemon until it is told to end; raises DialerError when it cannot start or go on.

    When it is told to read its settings again, *reread* gives them.
    """
    pin_zone_data()
    tune_collector()
    try:
        clock.run(_main(settings, reread), settings.scale)
    except* DialerError as errors:
        raise _first(errors) from errors


def tune_collector() -> None:
    """Look for cycles less often: a busy engine makes many small records and hardly a cycle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _first(errors: BaseExceptionGroup[DialerError]) -> DialerError:
    """The first of the errors that ended the loops; the others follow from it."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, DialerError), "only these were caught"
    return found


async def _main(settings: Settings, reread: Callable[[], Settings]) -> None:
    signals = Signals()
    signals.heed_reload()  # which would end the process; it is carried out when the daemon is up
    settings.require_carrier()
    if not settings.is_postgres:
        refuse_second(Path(settings.database))  # whoever runs on it already has the port, too
    listener = listen(settings.host, settings.port)
    with listener:
        async with build(settings) as app:
            await _serve(app, listener, signals, reread)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises UnreachableError naming the port that is taken."""
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise UnreachableError(
            f"port {port} on {host} cannot be used: {error.strerror}",
            next_step="choose another with --port, or stop the program that has it",
        ) from error


async def _serve(
    app: App, listener: socket.socket, signals: Signals, reread: Callable[[], Settings]
) -> None:
    web = CurrentWeb(app.web)
    server = _web_server(app, web)
    manager = ServiceManager.of(os.environ, os.getpid())
    signals.heed()
    turning = watched(app, manager)
    port, daemon_id = listener.getsockname()[1], app.engine.lease.daemon_id
    async with at_work(app) as (loops, unfolded):
        serving = loops.create_task(server.serve(sockets=[listener]))
        log.info("daemon.started", port=port, daemon=daemon_id, unfolded=unfolded)
        servants = [
            loops.create_task(tell_status(app, manager, server.listening, turning)),
            loops.create_task(reload_when_asked(signals, Reloading(app, web, reread), manager)),
            loops.create_task(dump_when_asked(signals, app)),
        ]
        await signals.stop.wait()
        manager.tell("STOPPING=1")
        await drain(app, signals.hurry)
        server.stop()
        await serving
        for servant in servants:
            servant.cancel()
    with suppress(DialerError):
        await app.engine.lease.release()
    log.info("daemon.ended")


@asynccontextmanager
async def at_work(app: App) -> AsyncIterator[tuple[asyncio.TaskGroup, int]]:
    """Run every loop of the engine while the block lasts.

    Gives the group they run in, and how much news an earlier process had left unfolded.
    """
    engine = app.engine
    await engine.lease.take_over(engine.times.first_look_s, engine.times.settled_s)
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(engine.batcher.run())
        async with engine.database.read() as tx:
            unfolded = await engine.calls.refold(tx)
        loops = [
            group.create_task(engine.lease.run()),
            *((group.create_task(app.watch.run()),) if app.watch else ()),
            *(
                group.create_task(_persistent(name, work))
                for name, work in (*_dialing(app), *_monitoring(app))
            ),
        ]
        yield group, unfolded
        for loop in loops:
            loop.cancel()
        await engine.batcher.settled()
        writer.cancel()


def _dialing(app: App) -> Sequence[tuple[str, Loop]]:
    """The loops by which calls come about and are brought to their end."""
    engine = app.engine
    return (
        ("dispatcher", engine.dispatcher.run),
        ("launcher", engine.launcher.run),
        ("reaper", engine.reaper.run),
        ("errands", engine.errands.run),
        ("listener", engine.listener.run),
        ("jobs", app.jobs.run),
        ("adoption", partial(_adopt, engine, app.settings)),
        *((("reconciliation", app.reconciler.run),) if app.reconciler else ()),
    )


def _monitoring(app: App) -> Sequence[tuple[str, Loop]]:
    """The loops by which a daemon is watched, where somebody may."""
    monitoring = app.monitoring
    if monitoring is None:
        return ()
    return (
        ("gauges", monitoring.gauges.run),
        ("lag", partial(_watch_lag, monitoring.metrics, app.settings.scale.speed)),
        ("metrics", partial(_tell_metrics, monitoring, app.settings)),
    )


async def _watch_lag(meters: Meters, speed: float) -> None:
    """Count how late a timer of the event loop comes, again and again."""
    loop = asyncio.get_running_loop()
    pause_s = LAG_PAUSE_S * speed
    while True:
        due_s = loop.time() + pause_s
        await asyncio.sleep(pause_s)
        meters.loop_lagged(max(0.0, loop.time() - due_s))


async def _tell_metrics(monitoring: Monitoring, settings: Settings) -> None:
    """Serve the metrics until cancelled. Nobody goes uncalled because nobody can watch."""
    try:
        listener = listen(settings.metrics_host, settings.metrics_port)
    except UnreachableError as error:
        log.warning("metrics.unavailable", error=error.message)
        await asyncio.Event().wait()
        return
    config = uvicorn.Config(
        monitoring.web, log_config=None, access_log=False, lifespan="off", http="httptools",
        timeout_graceful_shutdown=GRACE_S,
    )  # fmt: skip
    server = _Server(config)
    with listener:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[listener]))
            try:
                await asyncio.shield(serving)
            finally:
                server.stop()
                await serving


async def _persistent(name: str, work: Loop) -> None:
    """Keep a loop running through troubles of the store and the carrier; a defect ends it."""
    while True:
        try:
            await work()
        except* DialerError as errors:
            log.error("loop.failed", loop=name, error=str(_first(errors)))
        await asyncio.sleep(LOOP_REST_S)


def _web_server(app: App, web: CurrentWeb) -> _Server:
    config = uvicorn.Config(
        web,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=MOST_CHARS,
        ws_per_message_deflate=False,
        timeout_keep_alive=max(1, round(KEEP_ALIVE_S * app.settings.scale.speed)),
        timeout_graceful_shutdown=GRACE_S,
    )
    return _Server(config)


async def _adopt(engine: Engine, settings: Settings) -> None:
    """Where several daemons share a store, look after those that are gone."""
    while not engine.lease.sole:
        await asyncio.sleep(settings.lease_s / 2)
        await engine.lease.take_over(engine.times.first_look_s, engine.times.settled_s)


async def drain(app: App, hurry: asyncio.Event) -> None:
    """No new calls, and none that the carrier has not begun; running ones may end, up to the limit;
    those that still ring then are ended.

    Whatever is left can be recovered.
    """
    engine, limit_s = app.engine, app.settings.drain_timeout_s
    log.info("daemon.draining", limit_s=limit_s)
    engine.dispatcher.drain()
    await engine.launcher.drain()
    with suppress(Exception):
        await engine.dispatcher.explain_now()
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await _end_queued(engine, hurry)
            # Looked at again and again, because the end of a call is a fact of the store.
            while not hurry.is_set() and (engine.launcher.busy or await _live(engine)):  # noqa: ASYNC110
                await asyncio.sleep(DRAIN_POLL_S)
    if await _live(engine):
        # Whoever picked up now would hear nothing, with nobody here to say it.
        with suppress(TimeoutError, DialerError):
            async with asyncio.timeout(GRACE_S):
                await engine.reaper.end_unanswered()


async def _end_queued(engine: Engine, hurry: asyncio.Event) -> None:
    """End what the carrier has yet to dial: it might ring when nobody is here any more."""
    while engine.launcher.busy and not hurry.is_set():  # noqa: ASYNC110  a request may add to it
        await asyncio.sleep(DRAIN_POLL_S)
    with suppress(DialerError):
        await engine.batcher.settled()
        await engine.reaper.end_queued()


async def _live(engine: Engine) -> bool:
    """Whether calls of ours go on; while the store does not say, they may."""
    try:
        async with engine.database.read() as tx:
            return bool(await tx.value("live_attempts", owner=engine.lease.daemon_id))
    except DialerError:
        return True
