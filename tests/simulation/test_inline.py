"""The real store in virtual time: the same SQL, no thread, and every way to fail on demand."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import aiosqlite
import aiosqlite.core
import pytest

from dialer.errors import StoreBusyError, StoreError
from dialer.simulation.disk import Disk, FaultPlan
from dialer.simulation.effects import Effects, KillPlan, kill_at
from dialer.simulation.loop import run, running
from dialer.simulation.processes import Machine
from dialer.store import inline as inline_module
from dialer.store.inline import Connect, Fault, counted, inline
from dialer.store.sqlite import SqliteDatabase
from tests.support.given import read, write

BUSY_TIMEOUT_S: Final = 5.0
INSERT: Final = "INSERT INTO steps (number) VALUES (?)"
#: Some tens of milliseconds of real work.
HEAVY: Final = (
    "WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 200000)"
    " SELECT count(*) FROM n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "steps.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE steps (number INTEGER PRIMARY KEY)")
    return path


def stored(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM steps")]


def database(path: Path, connect: Connect) -> SqliteDatabase:
    return SqliteDatabase(path, Random(1), busy_timeout_s=BUSY_TIMEOUT_S, connect=connect)


async def count_steps(opened: SqliteDatabase, numbers: range, done: list[int]) -> None:
    """Store one number per transaction, and note it when the store has promised to keep it."""
    for number in numbers:
        async with opened.write() as tx:
            await write(tx, INSERT, [(number,)])
        done.append(number)


class Bench:
    """A machine whose processes share a database."""

    def __init__(
        self, path: Path, *, kills: KillPlan | None = None, faults: FaultPlan | None = None
    ) -> None:
        self.path = path
        self.machine = Machine(running())
        self.effects = Effects(self.machine, kills)
        self.connect = inline(Disk(self.effects, faults))

    def database(self) -> SqliteDatabase:
        return database(self.path, self.connect)

    async def count(self, numbers: range, done: list[int]) -> None:
        async with self.database() as opened:
            await count_steps(opened, numbers, done)


# -- as with a thread ----------------------------------------------------------------------------


def by_inline() -> Connect:
    return inline(Disk(Effects(Machine(running()))))


def by_a_counted_thread() -> Connect:
    return counted(running().owe_until)


both = pytest.mark.parametrize("connect", [by_inline, by_a_counted_thread])


@both
def test_the_store_works_as_ever_and_no_time_passes(
    path: Path, connect: Callable[[], Connect]
) -> None:
    async def main() -> tuple[list[Any], float]:
        async with database(path, connect()) as opened:
            await count_steps(opened, range(5), [])
            with suppress(KeyError):
                async with opened.write() as tx:
                    await write(tx, INSERT, [(99,)])
                    raise KeyError
            with pytest.raises(StoreError, match="UNIQUE"):
                await count_steps(opened, range(1), [])
            async with opened.read() as tx:
                rows = await read(tx, "SELECT number FROM steps")
            return rows, asyncio.get_running_loop().time()

    assert run(main()) == ([(0,), (1,), (2,), (3,), (4,)], 0.0)


@both
def test_a_long_query_never_runs_into_a_timeout(path: Path, connect: Callable[[], Connect]) -> None:
    async def heartbeat() -> None:
        for _ in range(10_000):
            await asyncio.sleep(0.001)

    async def main() -> None:
        async with database(path, connect()) as opened, asyncio.TaskGroup() as group:
            beating = group.create_task(heartbeat())
            async with asyncio.timeout(0.0005), opened.read() as tx:
                assert await read(tx, HEAVY) == [(200_000,)]
            beating.cancel()

    run(main())


@both
def test_a_statement_whose_caller_gave_up_runs_all_the_same(
    path: Path, connect: Callable[[], Connect]
) -> None:
    async def main() -> None:
        async with database(path, connect()) as opened:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(count_steps(opened, range(1), []))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                writing.cancel()
            await count_steps(opened, range(1, 2), [])

    run(main())

    assert stored(path) == [1]


@both
def test_a_query_whose_caller_gave_up_harms_nobody(
    path: Path, connect: Callable[[], Connect]
) -> None:
    async def main() -> None:
        async with database(path, connect()) as opened:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(read_heavily(opened))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                reading.cancel()
            await asyncio.sleep(1)
            await count_steps(opened, range(3), [])

    async def read_heavily(opened: SqliteDatabase) -> None:
        async with opened.read() as tx:
            await read(tx, HEAVY)

    run(main())

    assert stored(path) == [0, 1, 2]


def test_a_connection_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(sqlite3.OperationalError):
            await by_inline()(tmp_path / "missing" / "steps.db")

    run(main())


# -- several processes ---------------------------------------------------------------------------


def test_processes_take_turns_at_the_write_lock_in_virtual_time(path: Path) -> None:
    done: list[int] = []

    async def hold(bench: Bench) -> None:
        async with bench.database() as opened, opened.write() as tx:
            await write(tx, INSERT, [(7,)])
            await asyncio.sleep(3)

    async def main() -> float:
        bench = Bench(path)
        bench.machine.spawn("holder", hold(bench))
        await asyncio.sleep(1)
        await bench.machine.spawn("other", bench.count(range(1), done)).ended.wait()
        return asyncio.get_running_loop().time()

    assert 3 <= run(main()) < 3.1
    assert stored(path) == [0, 7]


def test_a_paused_process_keeps_its_locks_and_a_killed_one_loses_them(path: Path) -> None:
    async def hold(bench: Bench) -> None:
        async with bench.database() as opened, opened.write() as tx:
            await write(tx, INSERT, [(7,)])
            cursor = await tx._connection.execute("SELECT number FROM steps")
            await asyncio.sleep(3_600)
            await cursor.close()

    async def main() -> None:
        bench = Bench(path)
        holder = bench.machine.spawn("holder", hold(bench))
        await asyncio.sleep(1)
        bench.machine.pause(holder)
        async with bench.database() as opened:
            with pytest.raises(StoreBusyError):
                await count_steps(opened, range(1), [])
            assert asyncio.get_running_loop().time() >= 1 + BUSY_TIMEOUT_S
            bench.machine.kill(holder)
            await count_steps(opened, range(1), [])

    run(main())

    assert stored(path) == [0]


# -- kills ---------------------------------------------------------------------------------------


def killed_at(number: int, path: Path) -> tuple[list[int], bool]:
    """What a process was promised before it died at an effect, and whether it died at all.

    Another one then finds a database it can go on with.
    """
    done: list[int] = []

    async def main() -> bool:
        bench = Bench(path, kills=kill_at({number}))
        first = bench.machine.spawn("first", bench.count(range(3), done))
        await first.ended.wait()
        if first.killed:
            await bench.machine.spawn("second", bench.count(range(7, 8), [])).ended.wait()
        return first.killed

    return done, run(main())


def test_a_kill_at_any_statement_keeps_what_was_promised_and_nothing_halfway(
    tmp_path: Path, path: Path
) -> None:
    empty = path.read_bytes()
    outcomes = set()

    for number in range(1, 1_000):
        (attempt := tmp_path / f"{number}.db").write_bytes(empty)
        done, died = killed_at(number, attempt)
        if not died:
            break
        kept = stored(attempt)
        assert kept in ([*done, 7], [*done, len(done), 7]), number
        outcomes.add((len(done), len(kept) - 1))

    # Before each commit, and after it but before anybody heard of it.
    assert outcomes == {(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3)}


# -- faults --------------------------------------------------------------------------------------


def failing(statement: str, fault: Fault, *, times: int = 1) -> FaultPlan:
    left = [fault] * times

    def plan(text: str) -> Fault | None:
        return left.pop() if left and text.startswith(statement) else None

    return plan


def counted_under(faults: FaultPlan, path: Path) -> tuple[list[int], Exception | None]:
    done: list[int] = []

    async def main() -> Exception | None:
        async with Bench(path, faults=faults).database() as opened:
            try:
                await count_steps(opened, range(2), done)
            except StoreError as error:
                await count_steps(opened, range(8, 9), done)
                return error
        return None

    error = run(main())
    return done, error


def test_a_busy_database_is_asked_again(path: Path) -> None:
    assert counted_under(failing("BEGIN", Fault.BUSY, times=3), path) == ([0, 1], None)


@pytest.mark.parametrize("fault", [Fault.FULL, Fault.IOERR])
@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
def test_an_ailing_disk_keeps_nothing_of_the_transaction(
    statement: str, fault: Fault, path: Path
) -> None:
    done, error = counted_under(failing(statement, fault), path)

    assert done == stored(path) == [8]
    assert isinstance(error, StoreError)
    assert isinstance(error.__cause__, sqlite3.OperationalError)
    assert error.__cause__.sqlite_errorcode == fault


def test_a_busy_commit_is_rolled_back(path: Path) -> None:
    done, error = counted_under(failing("COMMIT", Fault.BUSY), path)

    assert done == stored(path) == [8]
    assert isinstance(error, StoreBusyError)


# -- what aiosqlite keeps to itself --------------------------------------------------------------


def test_every_private_name_of_aiosqlite_is_there() -> None:
    connection = aiosqlite.connect(":memory:")
    owners = {"Connection()": connection, "core": aiosqlite.core}

    for owner, names in inline_module.RELIED_ON.items():
        assert [name for name in names if not hasattr(owners[owner], name)] == []
