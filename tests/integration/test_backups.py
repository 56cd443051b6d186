"""The nightly backup of a daemon: one a night, whole, in a thread, and told by its job."""

import asyncio
import random
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from dialer.errors import StoreError
from dialer.settings import Settings
from dialer.store import backups
from dialer.store.backup import back_up
from dialer.store.backups import Backups, Nightly, copies
from dialer.store.opening import AnyDatabase, opened
from tests.support.engine import DAY, HOUR, NOW, SetClock, rows

JOBS = "SELECT kind, state, actor FROM jobs ORDER BY id"


@pytest.fixture
async def database(tmp_path: Path, sqlite_template: bytes) -> AsyncIterator[AnyDatabase]:
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    async with opened(str(path), random.Random(1), busy_timeout_s=5) as database:
        yield database


@pytest.fixture
def wanted(tmp_path: Path) -> Nightly:
    return Nightly(tmp_path / "dialer.db", tmp_path / "backups", time(3, 30), "UTC", 2, 0)


def daily(database: AnyDatabase, wanted: Nightly, clock: SetClock) -> Backups:
    return Backups(clock, database, wanted, busy_timeout_s=1)


async def test_one_is_made_a_night_and_old_ones_go(database: AnyDatabase, wanted: Nightly) -> None:
    clock = SetClock(NOW)
    made = daily(database, wanted, clock)

    first = await made.run()
    assert await made.run() is None
    for _ in range(3):
        clock.at += DAY
        assert await made.run() is not None

    assert first is not None
    assert not first.exists()
    assert [copy.at for copy in copies(wanted)] == [NOW + 2 * DAY, NOW + 3 * DAY]
    newest = copies(wanted)[-1].path
    assert stat.S_IMODE(newest.stat().st_mode) == 0o600
    assert stat.S_IMODE(wanted.folder.stat().st_mode) == 0o700
    with closing(sqlite3.connect(newest)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert await rows(database, JOBS) == [("backup", "done", "daemon")] * 4
    ((message,),) = await rows(database, "SELECT message FROM jobs WHERE id = 4")
    assert "checked; 1 old ones deleted" in message


async def test_a_night_that_was_missed_is_made_up_for(
    database: AnyDatabase, wanted: Nightly
) -> None:
    clock = SetClock(NOW)
    await daily(database, wanted, clock).run()

    clock.at = NOW + 12 * HOUR  # three in the morning
    assert await daily(database, wanted, clock).run() is None
    clock.at = NOW + 20 * HOUR
    assert await daily(database, wanted, clock).run() is not None


async def test_one_that_fails_is_told_and_costs_no_other(
    database: AnyDatabase, wanted: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock(NOW)
    await daily(database, wanted, clock).run()
    clock.at += 2 * DAY

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(backups, "back_up", full)
        with pytest.raises(StoreError, match=r"no backup was made: .*No space left"):
            await daily(database, wanted, clock).run()

    assert [copy.at for copy in copies(wanted)] == [NOW]
    assert [state for _, state, _ in await rows(database, JOBS)] == ["done", "failed"]
    assert await daily(database, wanted, clock).run() is not None


async def test_a_folder_that_cannot_be_made_is_named(
    database: AnyDatabase, wanted: Nightly
) -> None:
    wanted.folder.write_text("a file")

    with pytest.raises(StoreError, match="backups cannot be made: File exists"):
        await daily(database, wanted, SetClock(NOW)).run()


async def test_what_a_dead_daemon_left_is_cleared_away(
    database: AnyDatabase, wanted: Nightly
) -> None:
    wanted.folder.mkdir()
    left = wanted.folder / ".dialer.nightly-20260101T033000Z.db.77.partial"
    others = wanted.folder / ".dialer-20260101T033000Z.db.78.partial"
    for path in (left, others):
        path.touch()

    await daily(database, wanted, SetClock(NOW)).run()

    assert (left.exists(), others.exists()) == (False, True)


async def test_a_daemon_that_goes_down_gives_it_up(
    database: AnyDatabase, wanted: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, told = asyncio.Event(), list[bool]()
    loop = asyncio.get_running_loop()

    def slow(*_: Any, cancelled: Callable[[], bool], **__: Any) -> None:
        loop.call_soon_threadsafe(begun.set)
        while not cancelled():
            pass
        told.append(True)
        raise StoreError("interrupted")

    monkeypatch.setattr(backups, "back_up", slow)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(daily(database, wanted, SetClock(NOW)).run())
        await begun.wait()
        task.cancel()
    await loop.shutdown_default_executor()

    assert told == [True]
    assert copies(wanted) == []


def test_a_copy_nobody_wants_any_more_gets_no_name(tmp_path: Path, sqlite_template: bytes) -> None:
    source, copy = tmp_path / "dialer.db", tmp_path / "copy.db"
    source.write_bytes(sqlite_template)
    with closing(sqlite3.connect(source)) as filled, filled:
        filled.execute("CREATE TABLE filler (x)")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        filled.execute(f"{numbers} INSERT INTO filler SELECT i FROM n")

    with pytest.raises(StoreError, match="interrupted"):
        back_up(source, copy, busy_timeout_s=1, cancelled=lambda: True)

    assert [path.name for path in tmp_path.iterdir()] == ["dialer.db"]


@pytest.mark.parametrize("text", ["24:00", "3:30", "03:60", "half past three"])
def test_an_hour_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="backup_at"):
        Settings(backup_at=text)
