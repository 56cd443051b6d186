"""The running daemon: every loop in one task group, the web server, signals, the drain."""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial

import structlog
import uvicorn

from dialer import clock
from dialer.app import App, Engine, build
from dialer.errors import DialerError, UnreachableError
from dialer.settings import Settings
from dialer.timezones import pin_zone_data

log = structlog.get_logger()

#: How often the drain looks whether the last call has ended.
DRAIN_POLL_S = 0.05
#: A loop that failed starts again after this.
LOOP_REST_S = 1.0
#: Idle connections of the carrier are kept this long, in real seconds.
KEEP_ALIVE_S = 75
#: Requests under way at the end may take this long.
GRACE_S = 5


class _Server(uvicorn.Server):
    """uvicorn without signals of its own, and without a clock that ticks while nothing happens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self._stopping.wait()

    def stop(self) -> None:
        """Answer what is being asked, then end."""
        self.should_exit = True
        self._stopping.set()


def run(settings: Settings) -> None:
    """Run a daemon until it is told to end; raises DialerError when it cannot start or go on."""
    pin_zone_data()
    tune_collector()
    try:
        clock.run(_main(settings), settings.scale)
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


async def _main(settings: Settings) -> None:
    listener = listen(settings.host, settings.port)
    with listener:
        async with build(settings) as app:
            await _serve(app, listener)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises UnreachableError naming the port that is taken."""
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise UnreachableError(
            f"port {port} on {host} cannot be used: {error.strerror}",
            next_step="choose another with --port, or stop the program that has it",
        ) from error


async def _serve(app: App, listener: socket.socket) -> None:
    server = _web_server(app)
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(stop, hurry)
    port, daemon_id = listener.getsockname()[1], app.engine.lease.daemon_id
    async with at_work(app) as (loops, unfolded):
        web = loops.create_task(server.serve(sockets=[listener]))
        log.info("daemon.started", port=port, daemon=daemon_id, unfolded=unfolded)
        await stop.wait()
        await drain(app, hurry)
        server.stop()
        await web
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
                for name, work in (
                    ("dispatcher", engine.dispatcher.run),
                    ("launcher", engine.launcher.run),
                    ("reaper", engine.reaper.run),
                    ("errands", engine.errands.run),
                    ("jobs", app.jobs.run),
                    ("adoption", partial(_adopt, engine, app.settings)),
                )
            ),
        ]
        yield group, unfolded
        for loop in loops:
            loop.cancel()
        await engine.batcher.settled()
        writer.cancel()


async def _persistent(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Keep a loop running through troubles of the store and the carrier; a defect ends it."""
    while True:
        try:
            await work()
        except* DialerError as errors:
            log.error("loop.failed", loop=name, error=str(_first(errors)))
        await asyncio.sleep(LOOP_REST_S)


def _web_server(app: App) -> _Server:
    config = uvicorn.Config(
        app.web,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="httptools",
        timeout_keep_alive=max(1, round(KEEP_ALIVE_S * app.settings.scale.speed)),
        timeout_graceful_shutdown=GRACE_S,
    )
    return _Server(config)


def _on_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    def ask_to_stop() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop)


async def _adopt(engine: Engine, settings: Settings) -> None:
    """Where several daemons share a store, look after those that are gone."""
    while not engine.lease.sole:
        await asyncio.sleep(settings.lease_s / 2)
        await engine.lease.take_over(engine.times.first_look_s, engine.times.settled_s)


async def drain(app: App, hurry: asyncio.Event) -> None:
    """No new calls; running ones may end, up to the limit; those that still ring then are ended.

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
            # Looked at again and again, because the end of a call is a fact of the store.
            while not hurry.is_set() and (engine.launcher.busy or await _live(engine)):  # noqa: ASYNC110
                await asyncio.sleep(DRAIN_POLL_S)
    if await _live(engine):
        # Whoever picked up now would hear nothing, with nobody here to say it.
        with suppress(TimeoutError, DialerError):
            async with asyncio.timeout(GRACE_S):
                await engine.reaper.end_unanswered()


async def _live(engine: Engine) -> bool:
    """Whether calls of ours go on; while the store does not say, they may."""
    try:
        async with engine.database.read() as tx:
            return bool(await tx.value("live_attempts", owner=engine.lease.daemon_id))
    except DialerError:
        return True
