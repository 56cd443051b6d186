"""A backup is whole, private, and never in the way."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from dialer.errors import NotFoundError, StoreBusyError, StoreError, UsageError
from dialer.store import backup
from dialer.store.backup import back_up


@pytest.fixture
def source(tmp_path: Path, sqlite_template: bytes) -> Path:
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    return path


def agents(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name FROM agents").fetchall()


ADD = "INSERT INTO agents (name, kind, target, created_at) VALUES (?, 'message', 'Hi', 0)"


def test_a_copy_holds_what_was_committed_when_it_was_made(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute(ADD, ["committed"])
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(ADD, ["in doubt"])

        back_up(source, copy, busy_timeout_s=1)

        writer.execute("COMMIT")

    assert agents(copy) == [("committed",)]
    assert agents(source) == [("committed",), ("in doubt",)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_copy_never_replaces_a_file(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("precious")

    with pytest.raises(UsageError, match=r"copy\.db is there already"):
        back_up(source, copy, busy_timeout_s=1)

    assert copy.read_text() == "precious"


def test_a_copy_that_is_not_whole_leaves_nothing(source: Path, tmp_path: Path) -> None:
    damaged = bytearray(source.read_bytes())
    damaged[4096 * 2 : 4096 * 12] = b"\xff" * 4096 * 10
    source.write_bytes(damaged)

    with pytest.raises(StoreError):
        back_up(source, tmp_path / "copy.db", busy_timeout_s=1)

    assert [path.name for path in tmp_path.iterdir()] == ["dialer.db"]


def test_a_copy_found_damaged_gets_no_name(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = backup._check

    def after_a_bad_sector(copy: Path) -> None:
        with copy.open("r+b") as file:
            file.seek(4096 * 3)
            file.write(b"\xff" * 4096)
        check(copy)

    monkeypatch.setattr(backup, "_check", after_a_bad_sector)
    with pytest.raises(StoreError, match=r"the copy is damaged|cannot be copied"):
        back_up(source, tmp_path / "copy.db", busy_timeout_s=1)

    assert [path.name for path in tmp_path.iterdir()] == ["dialer.db"]


def test_a_locked_database_is_told_apart(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        with pytest.raises(StoreBusyError, match="locked by another program"):
            back_up(source, tmp_path / "copy.db", busy_timeout_s=0.01)

    assert not (tmp_path / "copy.db").exists()


def test_what_cannot_be_copied_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no database .*nowhere\.db"):
        back_up(tmp_path / "nowhere.db", tmp_path / "copy.db", busy_timeout_s=1)
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        back_up(source, tmp_path / "missing" / "copy.db", busy_timeout_s=1)
