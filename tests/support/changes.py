"""What a test may change in a daemon it forks, from outside the product."""

import asyncio
import ctypes
import mmap
import os
import resource
import signal
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from dialer.carriers.twilio_http import Exchange, TwilioHttp
from dialer.store.postgres import PostgresDatabase, PostgresTx
from dialer.store.sqlite import SqliteDatabase, SqliteTx

Crumb = Callable[[str], None]
FALLEN: Final = "-- the blow"

PAGE: Final = 4096
#: SQLite's own default.
UNLIMITED_PAGES: Final = 1_073_741_823
#: From <linux/capability.h>: the version with 64 bits; CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
_CAPABILITIES_V3: Final = 0x20080522
_PASS_OVER_MODES: Final = 1 << 1 | 1 << 2


# -- steps ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Crumbs:
    """Every step a daemon takes is noted in a file; at its *last* one the *blow* falls.

    A step is what can be seen from outside: a commit that is about to happen or has happened,
    named by its first write, and a request to the carrier, wanted, sent or answered. Only those
    whose names begin with *kind* count. With *at_rest* the blow waits for one at which nothing is
    being written.
    """

    path: Path
    last: int | None = None
    kind: str = ""
    blow: signal.Signals = signal.SIGKILL
    at_rest: bool = False

    def __call__(self) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        transactions = _Transactions()
        counted, fallen = 0, False

        def crumb(step: str) -> None:
            nonlocal counted, fallen
            os.write(file, f"{step}\n".encode())
            if fallen or self.last is None or not step.startswith(self.kind):
                return
            counted += 1
            if counted >= self.last and not (self.at_rest and transactions.open):
                fallen = True
                os.write(file, f"{FALLEN}\n".encode())
                os.kill(os.getpid(), self.blow)

        transactions.note_in(crumb)
        _around_requests(crumb)

    def steps(self) -> list[str]:
        """Those the daemon has taken so far, in order."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [line for line in lines if line != FALLEN]

    def fallen(self) -> bool:
        """Whether the daemon has come to its last step."""
        return self.path.exists() and FALLEN in self.path.read_text().splitlines()


class _Transactions:
    """Those that write, on either database; SQLite has one at a time, PostgreSQL hardly more."""

    def __init__(self) -> None:
        self.open = 0
        self._writes: list[str] = []

    def note_in(self, crumb: Crumb) -> None:
        for database, tx in ((SqliteDatabase, SqliteTx), (PostgresDatabase, PostgresTx)):
            put(tx, "run", self._noted(tx.run))
            put(tx, "many", self._noted(tx.many))
            put(database, "write", self._write(database.write, crumb))

    def _noted(self, whole: Any) -> Any:
        async def noted(tx: object, query: str, *rows: Any, **params: Any) -> Any:
            if all(rows):  # writing no rows is nothing
                self._writes.append(query)
            return await whole(tx, query, *rows, **params)

        return noted

    def _write(self, whole: Any, crumb: Crumb) -> Any:
        @asynccontextmanager
        async def write(database: object, actor: str | None = None) -> AsyncIterator[Any]:
            self.open += 1
            try:
                async with whole(database, actor) as tx:
                    self._writes.clear()
                    yield tx
                    name = self._writes[0] if self._writes else "nothing"
                    crumb(f"commit {name}")
            finally:
                self.open -= 1
            crumb(f"committed {name}")

        return write


def _around_requests(crumb: Crumb) -> None:
    whole, send = TwilioHttp.request, aiohttp.ClientRequest.send

    async def request(self: TwilioHttp, method: str, url: str, *rest: Any, **more: Any) -> Any:
        name = _request_name(method, url)
        crumb(f"{name} wanted")
        response = await whole(self, method, url, *rest, **more)
        crumb(f"{name} answered")
        return response

    async def sent(self: aiohttp.ClientRequest, conn: Any) -> Any:
        response = await send(self, conn)
        await asyncio.sleep(0)  # the body is written by a task of its own
        crumb(f"{_request_name(self.method, self.url.path)} sent")
        return response

    put(TwilioHttp, "request", request)
    put(aiohttp.ClientRequest, "send", sent)


def _request_name(method: str, address: str) -> str:
    """``call`` for a request that makes one."""
    return "call" if method == "POST" and address.endswith("/Calls.json") else method


# -- the disk -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quota:
    """While a file named *switch* exists, the database may not grow by a page."""

    switch: Path

    def __call__(self) -> None:
        begin = SqliteDatabase._begin

        async def begin_within(self_: SqliteDatabase, connection: Any) -> None:
            pages = 1 if self.switch.exists() else UNLIMITED_PAGES  # never fewer than there are
            await connection.execute(f"PRAGMA max_page_count={pages}")
            await begin(self_, connection)

        put(SqliteDatabase, "_begin", begin_within)


def small_files() -> None:
    """No file of this process may be longer than a page; a signal would end it, but for Python."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE, resource.RLIM_INFINITY))


def ordinary_user() -> None:
    """For root too: what the mode of a file or folder forbids cannot be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the higher bits
    assert libc.capget(header, sets) == 0, os.strerror(ctypes.get_errno())
    for each in range(2):
        sets[each] &= ~_PASS_OVER_MODES
    assert libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())


# -- the time of day ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClockSet:
    """The machine's clock, as the daemon reads it, is off by what a file says.

    As when an administrator or a time server sets it: what counts seconds counts on.
    *departures* takes, whenever a request for a call leaves, the daemon's own time (UTC ms) and
    that of a clock nobody can set (real seconds).
    """

    path: Path
    departures: Path

    def by(self, real_s: float) -> None:
        """Set the clock of the daemon that runs, and of any that will."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("d", real_s))

    def __call__(self) -> None:
        with self.path.open("rb") as file:
            shown = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
        departures = os.open(self.departures, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        time_of_day, uptime = time.time, time.monotonic  # noqa: TID251  the one is to be set
        depart = Exchange.depart

        def shifted() -> float:
            (ahead_s,) = struct.unpack("d", shown[:8])
            return time_of_day() + float(ahead_s)

        def noted(self: Exchange) -> None:
            depart(self)
            if self._void_at is not None:  # a call, not a question
                os.write(departures, f"{self._clock.now()} {uptime()}\n".encode())

        put(time, "time", shifted)
        put(Exchange, "depart", noted)


# -- the means -------------------------------------------------------------------------------------


def put(owner: object, name: str, function: Callable[..., Any]) -> None:
    """Change a class or a module in this process, which runs nothing but one daemon."""
    setattr(owner, name, function)
