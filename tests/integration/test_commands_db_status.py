"""`dialer db status` and `dialer version`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dialer import __version__
from dialer.store.exclusive import sole_daemon
from dialer.store.opening import SCHEMA
from tests.integration.conftest import migrated
from tests.support.cli import Cli
from tests.support.postgres import Databases


@pytest.fixture
def dialer(tmp_path: Path, sqlite_template: bytes) -> Cli:
    dialer = Cli(tmp_path)
    dialer.database.write_bytes(sqlite_template)
    return dialer


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_databases: Databases) -> Iterator[Cli]:
    with postgres_databases.fresh(migrated) as dsn:
        yield Cli(tmp_path, {"DIALER_DATABASE": dsn})


def test_it_tells_of_schema_size_tables_backup_key_and_holder(dialer: Cli) -> None:
    dialer.here("numbers", "add", "+12025550120").ok()
    (dialer.folder / "dialer.db.key").write_text("x")
    with closing(sqlite3.connect(dialer.database)) as connection:
        connection.execute(
            "INSERT INTO jobs (kind, subject, state, actor, worker, started_at, beat_at, ended_at)"
            " VALUES ('backup', '/b/1.db', 'done', 'me', 'here:1', 1, 1, 60000)"
        )
        connection.commit()

    with sole_daemon(dialer.database):
        found = dialer.here("db", "status", "--json").ok().json

    assert (found["schema"], found["needs"], found["current"]) == (SCHEMA, SCHEMA, True)
    assert found["bytes"] == dialer.database.stat().st_size
    assert (found["rows"]["numbers"], found["rows"]["audit_log"]) == (1, 1)
    assert found["backup"] == {"at": "1970-01-01T00:01:00.000Z", "file": "/b/1.db"}
    assert found["key"] == str(dialer.folder / "dialer.db.key")
    assert found["held_by"].startswith("process ")
    free = dialer.here("db", "status").ok()
    assert "held by\tno daemon" in free.out
    assert "numbers\t1" in free.out


def test_every_table_with_facts_is_counted(dialer: Cli) -> None:
    with closing(sqlite3.connect(dialer.database)) as connection:
        tables = {
            name for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        }  # fmt: skip
    own = {
        "alembic_version", "campaign_numbers", "campaign_waits", "control", "dnc_history",
        "erased_phones", "holiday_calendars", "lanes", "number_days", "rule_sets",
    }  # fmt: skip

    assert set(dialer.here("db", "status", "--json").ok().json["rows"]) >= {"members", "dnc"}
    assert set(dialer.here("db", "status", "--json").ok().json["rows"]) <= tables - own


def test_another_schema_is_told_of_without_its_contents(dialer: Cli) -> None:
    with closing(sqlite3.connect(dialer.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()

    done = dialer.here("db", "status", "--json")

    assert (done.code, done.json["schema"], done.json["rows"]) == (5, "0001", None)
    assert "dialer db upgrade" in done.err


def test_an_empty_file_has_no_schema_and_no_file_is_not_found(tmp_path: Path) -> None:
    dialer = Cli(tmp_path)

    assert dialer.here("db", "status").code == 3
    dialer.database.touch()
    assert dialer.here("db", "status", "--json").json["schema"] is None
    dialer.database.write_text("no database" * 1000)
    assert dialer.here("db", "status").code == 1


def test_postgresql_tells_what_it_knows(on_postgres: Cli) -> None:
    found = on_postgres.here("db", "status", "--json").ok().json

    assert (found["current"], found["key"], found["held_by"]) == (True, None, None)
    assert "members" in found["rows"]
    assert found["log_bytes"] is None


def test_the_version_and_what_it_stands_on(tmp_path: Path) -> None:
    dialer = Cli(tmp_path)

    found = dialer.here("version", "--json").ok().json

    assert found["version"] == __version__
    assert set(found) == {"version", "python", "sqlite", "schema", "tzdata", "rules"}
    assert dialer.here("version").ok().out.startswith(f"dialer {__version__}\n")
