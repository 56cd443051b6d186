"""`dialer db restore`: all of it or nothing, and never as if nothing had happened."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dialer.commands import restoring
from dialer.store import migrate
from dialer.store.exclusive import sole_daemon
from tests.support.cli import Cli, Done

ANN, BOB, CAT = "+12025550101", "+12025550102", "+12025550103"
OWN = "+12025550123"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """A deployment with one campaign; a backup of it is copy.db."""
    cli = Cli(tmp_path, {"DIALER_ACTOR": "ana"})
    cli.database.write_bytes(sqlite_template)
    cli.here("numbers", "add", OWN).ok()
    cli.here("campaign", "create", "Renewals", "--number", OWN, "--say", "Hello").ok()
    for phone in (ANN, BOB):
        cli.here("contacts", "add", phone, "--campaign", "Renewals").ok()
    cli.here("db", "backup", "copy.db").ok()
    return cli


def restore(cli: Cli, *words: str) -> Done:
    return cli.here("db", "restore", "copy.db", *words)


def restored(cli: Cli) -> dict[str, Any]:
    told: dict[str, Any] = restore(cli, "--yes", "--json").ok().json
    return told


def ask(file: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)


def files(folder: Path) -> list[str]:
    """The names of all files but locks."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".daemon"))


def dump(file: Path) -> str:
    """Everything a database says."""
    with closing(sqlite3.connect(file)) as database:
        return "\n".join(database.iterdump())


# -- what it does ---------------------------------------------------------------------------------


def test_the_backup_takes_the_place_and_what_was_there_is_kept(cli: Cli) -> None:
    copy = (cli.folder / "copy.db").read_bytes()
    cli.here("contacts", "add", CAT, "--campaign", "Renewals").ok()

    told = restored(cli)

    contacts = "SELECT phone FROM contacts ORDER BY id"
    assert ask(cli.database, contacts) == [(ANN,), (BOB,)]
    assert ask(Path(told["replaced"]), contacts) == [(ANN,), (BOB,), (CAT,)]
    assert (cli.folder / "copy.db").read_bytes() == copy
    stops = {"campaigns": 0, "numbers": 0, "skipped": 0, "rules": 0}
    assert told["carried"] == {"dnc": 0, "dnc_history": 0, "erased": 0, "stops": stops}
    assert (told["paused"], told["hold"]) == ([], True)
    assert Path(told["replaced"]).name.startswith("dialer.db.replaced-")
    assert files(cli.folder) == ["copy.db", "dialer.db", Path(told["replaced"]).name]
    cli.here("db", "check").ok()


def test_everything_is_held_until_it_is_reconciled(cli: Cli) -> None:
    newest = ask(cli.folder / "copy.db", "SELECT max(at) FROM audit_log")
    restored(cli)

    status = cli.here("campaign", "status", "Renewals", "--json").ok().json
    refused = cli.here("resume", "--all", "--json")

    assert status["hold"]["by"] == "ana"
    assert status["hold"]["reason"].startswith("restored from copy.db")
    assert ask(cli.database, "SELECT reconcile_since_at FROM control") == newest
    assert (refused.code, refused.error["next"]) == (5, "dialer db reconcile")
    actions = [each["action"] for each in cli.here("audit-log", "list", "--json").ok().json]
    assert actions[:3] == ["db.restore", "db.reconcile", "dialing.hold"]
    cli.here("audit-log", "verify").ok()


def test_who_must_not_be_called_is_carried_over(cli: Cli) -> None:
    cli.here("dnc", "add", BOB, "--campaign", "Renewals", "--note", "no").ok()
    cli.here("db", "backup", "copy2.db").ok()
    cli.here("dnc", "add", ANN).ok()
    cli.here("dnc", "remove", BOB, "--campaign", "Renewals", "--yes").ok()
    cli.here("campaign", "create", "Later", "--number", OWN, "--say", "Hello").ok()
    cli.here("dnc", "add", CAT, "--campaign", "Later").ok()

    told = cli.here("db", "restore", "copy2.db", "--yes", "--json").ok().json

    listed = "SELECT phone, campaign_id FROM dnc ORDER BY phone"
    # Of a campaign that is not there any more; and BOB's removal is safer forgotten.
    assert ask(cli.database, listed) == [(ANN, None), (BOB, 1), (CAT, None)]
    assert (told["carried"]["dnc"], told["carried"]["dnc_history"]) == (2, 2)
    history = "SELECT phone, event FROM dnc_history ORDER BY id"
    assert ask(cli.database, history) == [(BOB, "added"), (ANN, "added"), (CAT, "added")]


def test_whoever_was_erased_since_is_erased_again(cli: Cli) -> None:
    cli.here("erase", ANN, "--yes")  # which says that the backup has the number still

    told = restored(cli)

    assert told["carried"]["erased"] == 2  # the number and the mark of the key
    assert ANN not in str(ask(cli.database, "SELECT * FROM contacts"))
    assert ANN[1:].encode() not in cli.database.read_bytes()
    assert ask(cli.database, "SELECT state, reason FROM members WHERE contact_id = 1") == [
        ("failed", "do_not_call")
    ]
    assert cli.here("contacts", "add", ANN).code == 5


def test_an_older_backup_is_brought_to_this_schema(cli: Cli) -> None:
    old = cli.folder / "old.db"
    asyncio.run(migrate.upgrade(str(old), to="0003"))

    told = cli.here("db", "restore", "old.db", "--yes", "--json").ok().json

    assert (told["schema_before"], told["schema"]) == ("0003", migrate.head())
    assert cli.here("campaign", "list", "--json").ok().json == []
    assert ask(old, "SELECT version_num FROM alembic_version") == [("0003",)]


def test_a_database_that_is_gone_is_put_back(cli: Cli) -> None:
    cli.database.unlink()

    told = restored(cli)

    assert (told["replaced"], told["carried"]) == (None, None)
    assert len(ask(cli.database, "SELECT * FROM contacts")) == 2


def test_a_damaged_one_is_kept_and_what_is_lost_is_said(cli: Cli) -> None:
    cli.database.write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
    (cli.folder / "dialer.db-wal").write_bytes(b"its log")

    done = restore(cli, "--yes").ok()

    assert "requests not to be called that were made since are LOST" in done.err
    (kept,) = cli.folder.glob("dialer.db.replaced-*Z")
    assert kept.read_bytes().startswith(b"SQLite format 3\0\xff")
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"its log"
    assert not (cli.folder / "dialer.db-wal").exists()
    assert len(ask(cli.database, "SELECT * FROM contacts")) == 2


# -- what had been stopped ------------------------------------------------------------------------


def started(cli: Cli, name: str) -> None:
    """Another campaign, under way in the copy as it is made next."""
    cli.here("campaign", "create", name, "--number", OWN, "--say", "Hello").ok()
    for phone in (ANN, BOB):
        cli.here("contacts", "add", phone, "--campaign", name).ok()
    cli.here("campaign", "start", name).ok()


def test_every_campaign_that_was_active_comes_back_paused(cli: Cli) -> None:
    cli.here("campaign", "start", "Renewals").ok()
    cli.here("db", "backup", "later.db").ok()

    done = cli.here("db", "restore", "later.db", "--yes").ok()

    status = cli.here("campaign", "status", "Renewals", "--json").ok().json
    assert (status["status"], status["paused_by"]) == ("paused", "ana")
    assert status["pause_reason"] == "restored from later.db; look before you resume"
    assert "paused, since nobody can tell what else was stopped: Renewals" in done.err
    assert "NOT carried over: imports" in done.err


def test_what_was_stopped_since_is_stopped_again(cli: Cli) -> None:
    for name in ("Paused", "Cancelled", "Completed"):
        started(cli, name)
    cli.here("campaign", "start", "Renewals").ok()
    cli.here("rules", "off", "GB", "--reason", "counsel").ok()
    cli.here("db", "backup", "later.db").ok()
    cli.here("campaign", "pause", "Paused", "--reason", "wrong list").ok()
    cli.here("campaign", "cancel", "Cancelled", "--yes").ok()
    cli.here("campaign", "complete", "Completed", "--yes").ok()
    cli.here("contacts", "skip", BOB, "--campaign", "Renewals").ok()
    cli.here("numbers", "disable", OWN).ok()
    cli.here("rules", "add", "FR", "--closed").ok()
    cli.here("rules", "on", "GB").ok()
    cli.here("rules", "off", "DE", "--reason", "later than the copy").ok()

    told = cli.here("db", "restore", "later.db", "--yes", "--json").ok().json

    assert told["carried"]["stops"] == {"campaigns": 3, "numbers": 1, "skipped": 1, "rules": 1}
    assert told["paused"] == ["Renewals"]
    found = {name: (status, why) for name, status, why in ask(
        cli.database, "SELECT name, status, pause_reason FROM campaigns")}  # fmt: skip
    assert {name: status for name, (status, _) in found.items()} == {
        "Renewals": "paused", "Paused": "paused", "Cancelled": "cancelled",
        "Completed": "completed",
    }  # fmt: skip
    assert found["Paused"][1] == "was paused in the database that was replaced: wrong list"
    members = "SELECT state, reason FROM members WHERE campaign_id = 1 ORDER BY id"
    assert ask(cli.database, members) == [("pending", None), ("failed", "skipped")]
    assert ask(cli.database, "SELECT disabled_at IS NULL FROM numbers") == [(0,)]
    ((rules,),) = ask(cli.database, "SELECT body FROM rule_sets ORDER BY id DESC LIMIT 1")
    changes = json.loads(rules)["changes"]
    assert ([rule["region"] for rule in changes["own"]], changes["off"]) == (["FR"], {})
    cli.here("db", "check").ok()
    cli.here("audit-log", "verify").ok()


def forget_replaced(cli: Cli) -> None:
    """Make room for the next: their names are to the second."""
    for replaced in cli.folder.glob("*.replaced-*"):
        replaced.unlink()


def test_a_copy_that_was_never_reconciled_still_wants_what_it_lacked(cli: Cli) -> None:
    wanted = "SELECT reconcile_since_at FROM control"
    restored(cli)
    first = ask(cli.database, wanted)
    cli.here("contacts", "add", CAT).ok()  # it hears of something later
    cli.here("db", "backup", "copy2.db").ok()
    forget_replaced(cli)

    cli.here("db", "restore", "copy2.db", "--yes").ok()
    assert ask(cli.database, wanted) == first
    forget_replaced(cli)
    cli.here("db", "reconcile", "--skip", "--yes").ok()
    cli.here("db", "backup", "copy3.db").ok()
    cli.here("db", "restore", "copy3.db", "--yes").ok()

    assert ask(cli.database, wanted) > first


def test_fewer_calls_than_are_wanted_are_taken_in_by_choice_alone(cli: Cli) -> None:
    restored(cli)
    wanted = "SELECT reconcile_since_at FROM control"
    before = ask(cli.database, wanted)
    change(
        cli.database,
        "INSERT INTO daemons (name, started_at, lease_until) VALUES ('one', 0, 9000000000000)",
    )

    later = ("db", "reconcile", "--since", "2200-01-01T00:00:00Z")
    with sole_daemon(cli.database):
        unasked = cli.here(*later)
        assert ask(cli.database, wanted) == before
        chosen = cli.here(*later, "--yes").ok()

    assert unasked.code == 2
    assert "to 2200-01-01 00:00:00 UTC would be" in unasked.err
    assert "to 2200-01-01 00:00:00 UTC" in chosen.err
    assert ask(cli.database, wanted) == [(7_258_118_400_000,)]


# -- what it refuses, with nothing changed --------------------------------------------------------


@contextmanager
def unchanged(cli: Cli) -> Iterator[None]:
    before = files(cli.folder), dump(cli.database)
    yield
    assert (files(cli.folder), dump(cli.database)) == before


def test_nothing_is_done_without_a_word(cli: Cli) -> None:
    with unchanged(cli):
        asked, misnamed = restore(cli), restore(cli, "--confirm", "other.db")

    assert (asked.code, misnamed.code) == (2, 2)
    assert "knows of nothing after" in asked.err
    assert "--confirm other.db: the database is dialer.db" in misnamed.err
    restore(cli, "--confirm", "dialer.db").ok()


def test_it_waits_for_no_daemon(cli: Cli) -> None:
    with unchanged(cli), sole_daemon(cli.database):
        done = restore(cli, "--yes", "--json")

    assert (done.code, done.error["code"]) == (5, "wrong_state")
    assert "another daemon" in done.error["message"]


def test_whoever_else_has_it_open_is_named(cli: Cli) -> None:
    script = (
        "import sqlite3, sys; held = sqlite3.connect('dialer.db');"
        "held.execute('SELECT count(*) FROM contacts').fetchall();"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=cli.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as somebody:
        assert somebody.stdout is not None
        somebody.stdout.readline()
        done = cli.set(busy_timeout_s="0.1").here("db", "restore", "copy.db", "--yes")
        somebody.communicate()

    assert done.code != 0
    assert f"is open in process {somebody.pid} ({sys.executable}" in done.err
    assert f"end it: kill {somebody.pid}, then restore again" in done.err


def test_two_restores_in_a_second_keep_both_databases(cli: Cli) -> None:
    now = 1_800_000_000_000
    first = restoring._replaced(cli.database, now)
    first.touch()

    assert restoring._replaced(cli.database, now).name == f"{first.name}-2"


def test_nobody_else_may_have_it_open(cli: Cli) -> None:
    with closing(sqlite3.connect(cli.database)) as somebody:
        somebody.execute("SELECT count(*) FROM contacts").fetchall()
        done = cli.set(busy_timeout_s="0.1").here("db", "restore", "copy.db", "--yes")

    assert done.code != 0
    assert "another program has" in done.err
    assert len(ask(cli.database, "SELECT * FROM contacts")) == 2
    assert [path.name for path in cli.folder.glob("*.replaced-*")] == []


@pytest.mark.parametrize(
    ("make", "code", "why"),
    [
        (lambda copy: copy.unlink(), 3, "there is no file copy.db"),
        (lambda copy: copy.write_text("not a database"), 2, "copy.db is no SQLite database"),
        (lambda copy: copy.write_bytes(b""), 2, "copy.db is no SQLite database"),
        (lambda copy: change(copy, "DROP TABLE control"), 2, "no copy of a dialer's database"),
        (
            lambda copy: change(copy, "UPDATE alembic_version SET version_num = '9999'"),
            5,
            "schema 9999, which this release does not know",
        ),
        (
            lambda copy: copy.write_bytes(copy.read_bytes()[:8192] + b"\xff" * 40_000),
            1,
            "copy",
        ),
    ],
)
def test_what_is_no_whole_backup_is_refused(cli: Cli, make: Any, code: int, why: str) -> None:
    make(cli.folder / "copy.db")
    with unchanged(cli):
        done = restore(cli, "--yes")

    assert done.code == code
    assert why in done.err
    assert "Traceback" not in done.err


def test_the_database_itself_is_no_backup(cli: Cli) -> None:
    done = cli.here("db", "restore", "dialer.db", "--yes")

    assert (done.code, "is the database itself" in done.err) == (2, True)


def test_a_copy_made_by_hand_with_its_log_is_whole(cli: Cli) -> None:
    with closing(sqlite3.connect(cli.database, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("UPDATE contacts SET name = 'in the log'")
        for side in ("", "-wal"):
            shutil.copy(f"{cli.database}{side}", cli.folder / f"copy.db{side}")

    restored(cli)

    assert ask(cli.database, "SELECT DISTINCT name FROM contacts") == [("in the log",)]


def test_reconciling_wants_a_hold_and_can_be_done_without(cli: Cli) -> None:
    too_early = cli.here("db", "reconcile")
    restored(cli)

    unasked = cli.here("db", "reconcile", "--skip")
    skipped = cli.here("db", "reconcile", "--skip", "--yes").ok()

    assert (too_early.code, unasked.code) == (5, 2)
    assert "dialer resume --all" in skipped.err
    cli.here("resume", "--all").ok()


def test_a_daemon_that_runs_is_asked_to_do_it(cli: Cli) -> None:
    restored(cli)
    change(
        cli.database,
        "INSERT INTO daemons (name, started_at, lease_until) VALUES ('one', 0, 9000000000000)",
    )

    with sole_daemon(cli.database):
        done = cli.here("db", "reconcile", "--since", "2026-01-05T00:00:00Z", "--json").ok()

    assert done.json == {"asked": True, "done": None}
    assert ask(cli.database, "SELECT reconcile_since_at FROM control") == [(1_767_571_200_000,)]


def test_an_erasure_names_the_nightly_backups_that_hold_the_number(cli: Cli) -> None:
    backups = cli.folder / "backups"
    backups.mkdir()
    (cli.folder / "copy.db").rename(backups / "dialer.nightly-20260105T033000Z.db")

    done = cli.here("erase", ANN, "--yes")

    assert f"still holds it: {backups / 'dialer.nightly-20260105T033000Z.db'}" in done.err
