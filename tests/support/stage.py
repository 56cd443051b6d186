"""A stage for acceptance tests: real processes on a fast clock, and a seat to watch them from."""

import asyncio
import json
import random
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

import asyncpg

from dialer.carrier_sim.truth import Call, read_truth
from dialer.clock import SystemClock, real_sleep
from dialer.model import CampaignId
from dialer.rehearsal import HOST, Process, Rehearsal, free_port
from dialer.store.opening import opened
from tests.support.cli import Cli
from tests.support.given import given_campaign, given_members

T = TypeVar("T")


class Running(Protocol):
    """A process, however it was started; as :class:`subprocess.Popen` has it."""

    @property
    def args(self) -> Any: ...

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def kill(self) -> None: ...

    def terminate(self) -> None: ...


Started = TypeVar("Started", bound=Running)

#: How often a condition is looked at, and how long at the most, in real seconds.
POLL_S: Final = 0.02
WITHIN_S: Final = 90.0
ACCEPTED: Final = b'"event":"accepted"'

#: For a hundred times life, where 100 s are one of ours: requests are soon in doubt, doubt is soon
#: over, and yet a busy machine can keep the bounds on the carrier's behalf.
SHORT_DOUBT: Final = {
    "request_timeout_s": "30",
    "patience_s": "20",
    "accept_bound_s": "120",
    "list_bound_s": "200",
}


class Stage:
    """A deployment of a test's own, on a clock *speed* times as fast as life.

    Leaving its block ends, by their ids, all processes it has started.
    """

    def __init__(self, folder: Path, speed: float, **settings: str) -> None:
        self.rehearsal = Rehearsal(folder, speed, **settings)
        self.clock = SystemClock(self.rehearsal.scale)
        self.port = free_port()
        self.database = settings.get("database", str(self.rehearsal.database))
        ours = self.rehearsal.environment().items()
        self.cli = Cli(folder, {name: value for name, value in ours if name.startswith("DIALER_")})
        self._stack = ExitStack()
        self._cast: set[Running] = set()  # everybody who was started here
        self._alive: set[Running] = set()  # those who must not end by themselves

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
        print(self.story())  # which pytest shows when the test has failed

    def close(self) -> None:
        """End what is still running; what it is doing is of no use to anybody."""
        for process in self._cast:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._cast.clear()
        self._alive.clear()
        self._stack.close()

    # -- the cast --------------------------------------------------------------------------------

    def given_campaign(self, **fields: Any) -> CampaignId:
        """A started campaign, written straight down; see :func:`tests.support.given`."""

        async def give() -> CampaignId:
            async with opened(self.database, random.Random(1), busy_timeout_s=10) as database:
                return await given_campaign(database, **{"now": self.clock.now(), **fields})

        return asyncio.run(give())

    def add_members(self, campaign_id: CampaignId, count: int) -> None:
        """Import further contacts; the first ones were given with the campaign."""

        async def give() -> None:
            async with (
                opened(self.database, random.Random(1), busy_timeout_s=10) as database,
                database.write() as tx,
            ):
                first = self.value("SELECT max(id) FROM contacts") + 1
                now = self.clock.now()
                await given_members(tx, campaign_id, count, now=now, first=first)

        asyncio.run(give())

    def carrier(self, *flags: str) -> Process:
        """Start the carrier simulator; it is listening when this returns."""
        return self.watched(self._stack.enter_context(self.rehearsal.carrier(*flags)))

    def daemon(self, port: int | None = None, log: str = "daemon.log") -> Process:
        """Start a daemon and return at once."""
        at = self.port if port is None else port
        return self.watched(self._stack.enter_context(self.rehearsal.daemon(at, log)))

    def ready_daemon(self, port: int | None = None, log: str = "daemon.log") -> Process:
        """Start a daemon and wait until it says that it can work."""
        process = self.daemon(port, log)
        self.until(lambda: self.troubles(port) == {})
        return process

    def kill(self, process: Running) -> None:
        """End a process as a power cut would."""
        self._alive.discard(process)
        self._cast.discard(process)
        process.kill()
        process.wait()

    def end(self, process: Running, within_s: float = WITHIN_S) -> int:
        """Ask a process to end and return its exit code."""
        self._alive.discard(process)
        process.terminate()
        return process.wait(within_s)

    def expect_end(self, process: Running) -> None:
        """The end of *process* is no surprise from here on."""
        self._alive.discard(process)

    def watched(self, process: Started) -> Started:
        """*process* ends with the stage, and must not end by itself before."""
        self._cast.add(process)
        self._alive.add(process)
        return process

    @contextmanager
    def held(self) -> Iterator[None]:
        """Somebody else has the database for themselves."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as somebody:
            while True:
                try:
                    somebody.execute("BEGIN IMMEDIATE")
                    break
                except sqlite3.OperationalError:
                    real_sleep(0.001)
            yield
            somebody.execute("ROLLBACK")

    # -- what can be seen ------------------------------------------------------------------------

    def until(self, happened: Callable[[], T], within_s: float = WITHIN_S) -> T:
        """Wait, in real time, for something that happens on its own; what it gave, if true."""
        for _ in range(round(within_s / POLL_S)):
            if result := happened():
                return result
            for process in self._alive:
                assert process.poll() is None, f"ended by itself: {process.args!r}"
            real_sleep(POLL_S)
        raise AssertionError(f"it did not happen within {within_s:g} s")

    def until_over(self, campaign: str = "Renewals", within_s: float = WITHIN_S) -> None:
        """Wait until the campaign has come to its end by itself."""
        self.until(lambda: self.status(campaign) == "completed", within_s)

    def until_accepted(self, calls: int) -> None:
        """Wait until the carrier has accepted so many calls in all."""
        self.until(lambda: self.accepted() >= calls)

    def status(self, campaign: str = "Renewals") -> str:
        """The state a campaign is in."""
        return str(self.value(f"SELECT status FROM campaigns WHERE name = '{campaign}'"))

    def waiting(self, campaign: str = "Renewals") -> dict[str, Any]:
        """Why members are not being dialed, as an operator is told: details by reason."""
        told = self.cli("campaign", "status", campaign, "--json").ok().json
        return {each["reason"]: each["detail"] for each in told["waiting"]}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a stranger sees who asks the database."""
        return [tuple(row.values()) for row in self.records(query)]

    def records(self, query: str) -> list[dict[str, Any]]:
        """The same by column."""
        if "://" in self.database:
            return asyncio.run(_fetched(self.database, query))
        uri = f"file:{self.database}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query)]

    def value(self, query: str) -> Any:
        """The one value a query asks for."""
        ((value,),) = self.rows(query)
        return value

    def truth(self) -> list[Call]:
        """What really happened, call by call."""
        return read_truth(self.rehearsal.truth)

    def accepted(self) -> int:
        """How many calls the carrier has accepted."""
        truth = self.rehearsal.truth
        return truth.read_bytes().count(ACCEPTED) if truth.exists() else 0

    def log(self, name: str = "daemon.log") -> list[dict[str, Any]]:
        """What a daemon has said, line by line; what is no JSON, or half of it, is left out."""
        said: list[dict[str, Any]] = []
        path = self.rehearsal.folder / name
        for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
            with suppress(ValueError):
                said.append(json.loads(line))
        return said

    def events(self, name: str = "daemon.log") -> list[str]:
        """The names of what a daemon has said."""
        return [line["event"] for line in self.log(name)]

    def troubles(self, port: int | None = None) -> dict[str, str] | None:
        """What keeps a daemon from working, as ``/readyz`` tells; None when nobody answers."""
        url = f"http://{HOST}:{self.port if port is None else port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                told = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                told = json.load(error)
        except OSError:
            return None
        return dict(told["failed"])

    def story(self, lines: int = 25) -> str:
        """The last words of every process, the routine ones left out."""
        told = []
        for path in sorted(self.rehearsal.folder.glob("*.log")):
            words = path.read_text(errors="replace").splitlines()
            notable = [each for each in words if '"level": "info"' not in each]
            told += [f"-- {path.name}", *notable[-lines:]]
        return "\n".join(told)


async def _fetched(dsn: str, query: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()
