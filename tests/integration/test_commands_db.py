"""`dialer db`, as an operator runs it."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.conftest import migrated
from tests.support.cli import Cli
from tests.support.postgres import Databases


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_databases: Databases) -> Iterator[Cli]:
    with postgres_databases.fresh(migrated) as dsn:
        yield Cli(tmp_path, {"DIALER_DATABASE": dsn})


def test_a_database_is_made_once(cli: Cli) -> None:
    first, again = cli("db", "upgrade", "--json").ok(), cli("db", "upgrade", "--json").ok()

    assert first.json["before"] is None
    assert again.json["before"] == again.json["after"] == first.json["after"]
    assert stat.S_IMODE(cli.database.stat().st_mode) == 0o600


def test_a_sound_database_passes_every_check(cli: Cli) -> None:
    cli("db", "upgrade").ok()

    done = cli("db", "check", "--json").ok()

    assert done.json["ok"]
    assert all(each["ok"] and each["faults"] == 0 for each in done.json["checks"])


def test_a_contradiction_makes_the_check_fail(cli: Cli) -> None:
    cli("numbers", "add", "+12025550123").ok()
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute("UPDATE numbers SET calls_total = 3")
        connection.commit()

    done, as_json = cli("db", "check"), cli("db", "check", "--json")

    assert (done.code, as_json.code, as_json.json["ok"]) == (1, 1, False)
    assert "FAIL\tcalls per number are the sum of its days\t1\tnumber 1\n" in done.out
    assert "1 of 10 checks failed" in done.err


def test_a_database_that_is_not_there_is_not_made_by_looking(cli: Cli) -> None:
    done = cli("db", "check", "--json")

    assert (done.code, done.error["code"]) == (3, "not_found")
    assert list(cli.folder.iterdir()) == []


def test_a_backup_can_be_worked_with(cli: Cli) -> None:
    cli("numbers", "add", "+12025550123").ok()
    (cli.folder / "backups").mkdir()

    named = cli("db", "backup", "copy.db", "--json").ok().json
    dated = cli("db", "backup", "backups").ok()

    assert named == {"path": "copy.db", "bytes": (cli.folder / "copy.db").stat().st_size}
    path = Path(dated.out.strip())
    assert (path.parent.name, path.suffix) == ("backups", ".db")
    jobs = cli.here("jobs", "list", "--kind", "backup", "--json").ok().json
    assert [job["state"] for job in jobs] == ["done", "done"]
    (number,) = cli("-d", "copy.db", "numbers", "list", "--json").ok().json
    assert number["phone"] == "+12025550123"


def test_a_backup_replaces_nothing_and_needs_a_database(cli: Cli) -> None:
    missing = cli("db", "backup", "copy.db")
    cli("db", "upgrade").ok()
    cli("db", "backup", "copy.db").ok()
    again = cli("db", "backup", "copy.db")

    assert (missing.code, again.code) == (3, 2)
    assert "copy.db is there already" in again.err


def test_postgres_is_checked_here_and_backed_up_by_its_own_tool(on_postgres: Cli) -> None:
    check, backup = on_postgres("db", "check"), on_postgres("db", "backup", "--json")

    assert check.ok().code == 0
    assert (backup.code, backup.error["code"]) == (5, "wrong_state")
    assert "pg_dump" in backup.error["message"]
    assert backup.error["next"].startswith("pg_dump --format=custom")
