"""The simulator as a process: one loop, one listening socket, one line of JSON when ready."""

import asyncio
import json
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final, cast

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dialer import clock
from dialer.carrier_sim.callee_hours import hour_at
from dialer.carrier_sim.exchange import Exchange, Setup
from dialer.carrier_sim.http_poster import HttpPoster
from dialer.carrier_sim.http_sockets import HttpSockets
from dialer.carrier_sim.intake import Intake
from dialer.carrier_sim.numbers import Numbers
from dialer.carrier_sim.options import SimOptions
from dialer.carrier_sim.server import CONNECTION, Credentials, create_app
from dialer.carrier_sim.truth import Call, TruthFile, TruthLog, TruthNowhere, read_truth
from dialer.errors import UnreachableError

#: Idle connections are kept for longer than any client of ours does, in real seconds.
KEEP_ALIVE_S: Final = 75
BACKLOG: Final = 2048
DRAIN_S: Final = 1


def serve(options: SimOptions) -> None:
    """Run until SIGTERM or SIGINT.

    Raises UnreachableError when the port cannot be had, WrongStateError when another simulator
    writes the truth file.
    """
    _log_to_stderr(options.log_level)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(options.host, options.port))
        truth_log, history = _truth(options, stack)
        clock.run(_serve(options, listener, truth_log, history), options.scale)


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket; UnreachableError names the port and what to do when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise UnreachableError(
                f"cannot listen on {host}:{port}: {error.strerror}; "
                "stop what uses the port, choose another one, or give port 0 for any free one"
            ) from error
        yield listener


async def _serve(
    options: SimOptions, listener: socket.socket, truth_log: TruthLog, history: list[Call]
) -> None:
    async with (
        HttpPoster(options.auth_token) as poster,
        HttpSockets(options.auth_token, options.scale.speed) as sockets,
        Exchange(
            _setup(options),
            now=clock.SystemClock(options.scale).now,
            poster=poster,
            truth_log=truth_log,
            hour_at=hour_at,
            history=history,
            sockets=sockets,
        ) as exchange,
    ):
        door = Intake(exchange, options.accept_bound_s)
        credentials = Credentials(
            options.account_sid, options.auth_token, options.api_key, options.api_secret
        )
        server = SimServer(create_app(exchange, door, credentials), options.scale.speed)
        server.when_listening = partial(_announce, options, listener)
        await server.serve(sockets=[listener])


class _Protocol(HttpToolsProtocol):
    """Lets the application see and cut the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast(dict[str, Any], self.scope)[CONNECTION] = self.transport


class SimServer(uvicorn.Server):
    """Serves *app* on a clock *speed* times as fast as life, until a signal or :meth:`stop`.

    It waits for the end rather than looking for it ten times a second of that clock.
    """

    def __init__(self, app: ASGIApp, speed: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=max(1, round(KEEP_ALIVE_S * speed)),
                timeout_graceful_shutdown=DRAIN_S,
                backlog=BACKLOG,
            )
        )
        self.when_listening: Callable[[], None] = _nothing
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.when_listening()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    def handle_exit(self, sig: int, frame: object) -> None:
        del sig, frame
        self.force_exit = self.should_exit
        self.stop()

    def stop(self) -> None:
        """Answer what is being asked, then end."""
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._stopping.set)


def _nothing() -> None:
    pass


def _announce(options: SimOptions, listener: socket.socket) -> None:
    facts = {"url": url_of(listener), "account_sid": options.account_sid}
    print(json.dumps(facts), flush=True)


def _log_to_stderr(level: str) -> None:
    """Stdout carries the announcement and nothing else."""
    logging.basicConfig(level=level.upper(), stream=sys.stderr)
    if not structlog.is_configured():
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def _truth(options: SimOptions, stack: ExitStack) -> tuple[TruthLog, list[Call]]:
    """Where truth goes, and what it holds from earlier runs."""
    if options.truth is None:
        return TruthNowhere(), []
    file = TruthFile(options.truth)
    stack.callback(file.close)
    return file, read_truth(options.truth)


def _setup(options: SimOptions) -> Setup:
    return Setup(
        account_sid=options.account_sid,
        seed=options.seed,
        profile=options.profile,
        faults=options.faults,
        cps=options.cps,
        numbers=Numbers(options.numbers, options.caller_ids),
        patience=options.scale.speed,
    )


def url_of(listener: socket.socket) -> str:
    """The address a bound socket is reached at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
