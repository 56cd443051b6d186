"""`dialer erase` and `dialer db purge`, as an operator runs them."""

import re
import signal
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dialer.store import wiping
from dialer.store.exclusive import sole_daemon
from tests.integration.conftest import migrated
from tests.support.cli import Cli
from tests.support.postgres import Databases

ANN, BOB = "+12025550143", "+12025550144"
NATIONAL = b"2025550143"
LIST = (
    "name,phone,email,city,second phone\n"
    "Ann Quiterare,(202) 555-0143,ann@quiterare.example,Rareville,\n"
    "Ann Again,+1 202 555 0143,,,\n"
    f"Bob,{BOB},,,202.555.0143\n"
    "Carl,+12025550145,,,,call (202) 555-0143\n"
)
#: What may tell of Ann, as bytes.
TRACES = (NATIONAL, b"(202) 555-0143", b"202.555.0143", b"uiterare", b"Rareville", b"asked by Ann")
SECRET = "not a secret, but long enough for one"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """A deployment in a folder of its own, whose list was brought in from elsewhere."""
    folder = tmp_path / "deployment"
    folder.mkdir()
    cli = Cli(folder)
    cli.database.write_bytes(sqlite_template)
    return cli


@pytest.fixture
def story(cli: Cli) -> Cli:
    given_story(cli)
    return cli


def given_story(cli: Cli) -> None:
    """Ann and many others were imported; Ann was listed, called and written about."""
    people = cli.folder.parent / "people.csv"
    crowd = "".join(f"Person {i},+1303555{i:04},p{i}@mail.example,Town {i},\n" for i in range(600))
    people.write_text(LIST + crowd)
    cli.here("numbers", "add", "+13105550001").ok()
    cli.here("campaign", "create", "R", "--number", "+13105550001", "--say", "Hi").ok()
    done = cli.here(
        "contacts", "import", people, "-c", "R", "--rejects", people.with_suffix(".bad")
    )
    assert done.code == 7, done
    cli.here("dnc", "add", ANN, "-c", "R", "--note", "asked by Ann").ok()
    cli.here("dnc", "add", BOB, "--note", "husband of 202.555.0143").ok()


def given_call(cli: Cli, *, closed_at: int | None) -> None:
    with closing(sqlite3.connect(cli.database)) as connection, connection:
        connection.execute(
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (1, 'd', 0, 0)"
        )
        connection.execute(
            "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,"
            " intent_at, send_at, check_at, sid, detail, closed_at)"
            " VALUES ('a1', 1, 1, 1, 1, ?, ?, '2026-01-05', 0, 0, 0, 'CA1', ?, ?)",
            [ANN, "ended" if closed_at else "placed", f"the number {ANN} is odd", closed_at],
        )
        connection.execute("INSERT INTO number_days VALUES (1, '2026-01-05', 1)")
        connection.execute("UPDATE numbers SET calls_total = 1")


def traces(folder: Path) -> dict[str, list[bytes]]:
    """Every file below *folder* that tells of Ann, with what it tells."""
    found = {
        str(file.relative_to(folder)): [each for each in TRACES if each in file.read_bytes()]
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    return {name: told for name, told in found.items() if told}


# -- what is left ---------------------------------------------------------------------------------


def test_no_file_of_the_database_tells_of_somebody_who_was_erased(story: Cli) -> None:
    given_call(story, closed_at=1)
    assert traces(story.folder) == {"dialer.db": list(TRACES)}

    done = story("erase", ANN, "--yes", "--json").ok()

    assert traces(story.folder) == {}
    facts = done.json
    assert facts["pseudonym"].startswith("erased:")
    counted = ("contacts", "members", "attempts", "dnc_entries", "dnc_history", "mentions")
    assert [facts[name] for name in counted] == [1, 1, 1, 1, 1, 5]
    assert (facts["wiped"], facts["remains"]) == (True, [])
    assert facts["elsewhere"] == [str(story.folder.parent / "people.bad")]
    (call,) = story.here("calls", "list", "--json").ok().json
    assert (call["to"], call["contact"]) == (facts["pseudonym"], "")
    assert story.here("db", "check").ok()


def test_with_connections_open_the_log_is_emptied_all_the_same(story: Cli) -> None:
    with closing(sqlite3.connect(story.database)) as reader:
        reader.execute("SELECT count(*) FROM contacts").fetchall()  # and keeps its place in the log

        story.here("erase", ANN, "--yes").ok()

        assert (story.folder / "dialer.db-wal").stat().st_size == 0
        assert traces(story.folder) == {}


def test_somebody_who_reads_on_and_on_delays_the_end_of_an_erasure(story: Cli) -> None:
    hasty = story.set(busy_timeout_s="0.1")
    with closing(sqlite3.connect(story.database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM contacts").fetchall()

        held_up = hasty.here("erase", ANN, "--yes", "--json")

    assert (held_up.code, held_up.error["code"]) == (1, "store_busy")
    assert "erase again" in held_up.error["next"]
    hasty.here("erase", ANN, "--yes").ok()
    assert traces(story.folder) == {}


def test_deleted_rows_from_before_are_wiped_too(cli: Cli) -> None:
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute(
            "INSERT INTO contacts (phone, name, created_at, changed_at)"
            " VALUES (?, 'Ann Quiterare', 0, 0)",
            [ANN],
        )
        connection.commit()
        connection.execute("DELETE FROM contacts")
        connection.commit()
    assert traces(cli.folder)

    cli.here("erase", ANN, "--yes").ok()

    assert traces(cli.folder) == {}


def test_backups_and_lists_beside_the_database_are_named(story: Cli) -> None:
    story.here("db", "backup", "copy.backup").ok()
    (story.folder / "people.csv").write_text(LIST)
    (story.folder / "innocent.csv").write_text(f"phone\n{BOB}\n")

    done = story.here("erase", ANN, "--yes").ok()
    as_json = story.here("erase", ANN, "--yes", "--json").ok()

    names = [Path(file).name for file in as_json.json["elsewhere"]]
    assert names == ["copy.backup", "people.csv", "people.bad"]
    assert all(f"still holds it: {file}" in done.err for file in as_json.json["elsewhere"])


def test_files_that_lists_were_written_to_are_named_wherever_they_lie(story: Cli) -> None:
    far = story.folder.parent / "far"
    far.mkdir()
    for name in ("all.csv", "all.xlsx", "gone.csv"):
        story.here("contacts", "export", far / name).ok()
    story.here("contacts", "export", "-").ok()
    (far / "gone.csv").unlink()
    (far / "nobody's.csv").write_text(LIST)
    story.here("contacts", "export", far / "overwritten.csv").ok()
    (far / "overwritten.csv").write_text(f"phone\n{BOB}\n")

    done = story.here("erase", ANN, "--yes", "--json").ok()

    named = {Path(file).name for file in done.json["elsewhere"]}
    assert named == {"all.csv", "all.xlsx", "people.bad"}


def test_a_file_that_is_named_after_somebody_is_named_as_well(story: Cli) -> None:
    far = story.folder.parent / "2025550143.csv"
    story.here("contacts", "export", far).ok()

    done = story.here("erase", ANN, "--yes", "--json").ok()

    assert str(far) in done.json["elsewhere"]


def test_what_cannot_be_unpacked_may_hold_a_number(tmp_path: Path) -> None:
    book = tmp_path / "people.xlsx"
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet1.xml", "nobody " * 100)
    assert not wiping.holds(book, re.compile(b"2025550143"))
    whole = book.read_bytes()
    book.write_bytes(whole[:45] + b"\xff" * 8 + whole[53:])

    assert wiping.holds(book, re.compile(b"2025550143"))


def test_a_large_file_is_not_written_anew_beside_a_daemon(
    story: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiping, "BESIDE_CALLS_BYTES", 1)
    with sole_daemon(story.database):
        beside = story.here("erase", ANN, "--yes", "--json")
        words = story.here("erase", ANN, "--yes")
    alone = story.here("erase", ANN, "--yes", "--json")

    assert (beside.code, beside.json["wiped"]) == (7, False)
    assert f"next:  stop the daemon, then: dialer erase {ANN}" in words.err
    assert (alone.code, alone.json["wiped"]) == (0, True)
    assert traces(story.folder) == {}


def test_a_name_that_holds_the_number_is_told_of_once(story: Cli) -> None:
    named = f"Call {ANN}"
    story.here("campaign", "create", named, "--number", "+13105550001", "--say", "Hi").ok()

    words = story.here("erase", ANN, "--yes")
    facts = story.here("erase", ANN, "--yes", "--json")

    assert (words.code, facts.code) == (7, 7)
    assert "campaign 2's name holds it; rename it" in words.err
    assert "next:  dialer erase" not in words.err
    assert "traces are left" not in words.err
    assert facts.json["kept"][0] == {"kind": "campaign", "id": "2", "column": "name"}
    with closing(sqlite3.connect(story.database)) as connection, connection:
        for table in ("campaigns", "agents"):
            connection.execute(f"UPDATE {table} SET name = 'Renewals' WHERE name LIKE '%2025%'")
    story.here("erase", ANN, "--yes").ok()
    assert traces(story.folder) == {}


def test_a_caller_id_of_ours_stays_and_nothing_else(story: Cli) -> None:
    story.here("dnc", "add", "+13105550001").ok()

    words = story.here("erase", "+13105550001", "--yes").ok()
    facts = story.here("erase", "+13105550001", "--yes", "--json").ok()

    assert "what remains is the caller id" in words.err
    assert "next:" not in words.err
    told = [facts.json[name] for name in ("own_number", "wiped", "kept", "remains")]
    assert told == [True, True, [], []]


# -- killed in the middle -------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
import cli
from dialer import audit_log, erasure
from dialer.store import phone_key, wiping

def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

{planted}
sys.argv = ["dialer", "erase", {phone!r}, "--yes"]
cli.main()
"""


@pytest.mark.parametrize(
    ("planted", "done"),
    [
        ("phone_key._name = die", False),
        ("audit_log.record = die", False),
        ("erasure._mend_mentions = die", True),
        ("wiping.wipe_file = die", True),
        ("wiping._compact = die", True),
        ("wiping.own_files = die", True),
    ],
)
def test_an_erasure_that_was_killed_is_finished_by_asking_again(
    story: Cli, planted: str, done: bool
) -> None:
    script = _KILLED.format(planted=planted, phone=ANN)

    killed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=story.folder,
        env=story.environment,
        capture_output=True,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert story.here("dnc", "check", ANN).code == 1  # listed before, or erased
    erased_at = story.here("erase", ANN, "--dry-run", "--json").ok().json["erased_at"]
    assert (erased_at is not None) == done
    story.here("erase", ANN, "--yes").ok()
    (story.folder / "dialer.db.daemon").unlink(missing_ok=True)
    assert traces(story.folder) == {}


# -- asked first ----------------------------------------------------------------------------------


def test_without_a_terminal_it_must_be_said_twice(story: Cli) -> None:
    done = story("erase", ANN)

    assert done.code == 2
    assert "--yes" in done.err
    assert traces(story.folder)


def test_a_dry_run_says_what_would_go_and_changes_nothing(story: Cli) -> None:
    before = story.database.read_bytes()

    words = story.here("erase", "(202) 555-0143", "--dry-run").ok()
    facts = story.here("erase", ANN, "-n", "--json").ok().json

    assert "contacts\t1\nmembers\t1\n" in words.out
    assert (facts["dry_run"], facts["contacts"], facts["erased_at"]) == (True, 1, None)
    assert story.database.read_bytes() == before
    assert not (story.folder / "dialer.db.key").exists()


def test_who_is_being_called_is_not_erased(story: Cli) -> None:
    given_call(story, closed_at=None)

    done = story.here("erase", ANN, "--yes", "--json")

    assert (done.code, done.error["code"]) == (5, "wrong_state")
    assert "CA1" in done.error["message"]
    assert traces(story.folder)


def test_what_is_no_number_is_not_erased(cli: Cli) -> None:
    assert cli.here("erase", "12", "--yes").code == 2


# -- kept out -------------------------------------------------------------------------------------


def test_whoever_was_erased_does_not_come_back(story: Cli) -> None:
    story.here("erase", ANN, "--yes").ok()
    people = story.folder.parent / "again.csv"
    people.write_text("\n".join(LIST.splitlines()[:3]))

    again = story.here("contacts", "import", people, "--rejects", people.with_suffix(".bad"))
    added = story.here("contacts", "add", ANN, "--json")
    listed = story.here("dnc", "add", ANN, "--json")
    (story.folder.parent / "stop.csv").write_text(f"phone\n{ANN}\n")
    by_file = story.here("dnc", "import", story.folder.parent / "stop.csv", "--json")
    checked = story.here("dnc", "check", ANN, "--json")
    words = story.here("dnc", "check", ANN)

    assert "2 erased" in again.err
    assert (added.code, listed.code) == (5, 5)
    assert f"{ANN} was erased" in added.error["message"]
    assert by_file.json["rejected"] == {"erased": 1}
    assert (checked.code, checked.json["listed"]) == (1, False)
    assert checked.json["erased_at"].endswith("Z")
    assert f"{ANN} was erased on" in words.err
    assert traces(story.folder) == {}


def test_the_key_is_its_owners_and_must_not_be_lost(story: Cli) -> None:
    story.here("erase", ANN, "--yes").ok()
    key = story.folder / "dialer.db.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    text = key.read_text()

    key.unlink()
    lost = [story.here("contacts", "add", BOB), story.here("erase", BOB, "--yes")]
    key.touch(mode=0o600)
    key.write_text("another key, as long as the one that was made for this")
    other = story.here("contacts", "add", BOB)
    other_look = story.here("erase", ANN, "--dry-run")
    by_setting = story.set(privacy_key=text.strip()).here("contacts", "add", BOB)
    moved = story.folder.parent / "moved.key"
    moved.touch(mode=0o600)
    moved.write_text(text)
    by_file = story.set(privacy_key_file=str(moved)).here("contacts", "add", BOB)
    moved.chmod(0o604)
    open_to_all = story.set(privacy_key_file=str(moved)).here("contacts", "add", BOB, "--json")

    assert [done.code for done in lost] == [2, 2]
    assert "dialer.db.key" in lost[0].err
    assert (other.code, by_setting.code, by_file.code) == (5, 0, 0)
    assert "privacy key is not the one" in other.err
    assert (other_look.code, other_look.err) == (other.code, other.err)
    assert (open_to_all.code, open_to_all.error["next"]) == (2, f"chmod 600 {moved}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"privacy_key": "short"}, "shorter than 32 characters"),
        ({"privacy_key_file": "nowhere.key"}, "cannot be read"),
    ],
)
def test_a_key_that_is_none_is_refused(story: Cli, settings: dict[str, str], said: str) -> None:
    done = story.set(**settings).here("erase", ANN, "--yes")

    assert done.code == 2
    assert said in done.err
    assert "short\n" not in done.err


# -- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_databases: Databases) -> Iterator[Cli]:
    folder = tmp_path / "deployment"
    folder.mkdir()
    with postgres_databases.fresh(migrated) as dsn:
        yield Cli(folder, {"DIALER_DATABASE": dsn})


def test_postgres_wants_its_key_from_a_setting(on_postgres: Cli) -> None:
    given_story(on_postgres)

    without = on_postgres.here("erase", ANN, "--yes", "--json")
    keyed = on_postgres.set(privacy_key=SECRET)
    done = keyed.here("erase", ANN, "--yes", "--json").ok()

    assert without.code == 2
    assert "DIALER_PRIVACY_KEY is not set" in without.error["message"]
    assert (done.json["contacts"], done.json["mentions"]) == (1, 5)
    assert keyed.here("dnc", "check", ANN).code == 1
    assert on_postgres.here("contacts", "add", ANN).code == 2
    assert keyed.here("contacts", "add", ANN).code == 5
    shown = keyed.here("contacts", "list", "--limit", "1000", "--json").ok()
    assert not re.search("2025550143|uiterare|Rareville", shown.out)
    assert list(on_postgres.folder.iterdir()) == []


# -- purge ----------------------------------------------------------------------------------------


def test_what_is_kept_too_long_goes_when_it_is_asked_for(story: Cli) -> None:
    given_call(story, closed_at=1)
    kept = story.set(retain_calls_days="400")

    dry = kept.here("db", "purge", "--dry-run", "--json").ok().json
    words = kept.here("db", "purge", "-n").ok()
    done = kept.here("db", "purge", "--yes", "--json").ok().json
    again = kept.here("db", "purge", "--yes").ok()

    assert dry == {"dry_run": True, "kinds": {"calls": {"days": 400, "rows": 1}}}
    assert words.out == "calls\t400\t1\n"
    assert "nothing was deleted" in words.err
    assert done == {"dry_run": False, "kinds": {"calls": {"days": 400, "rows": 1}}}
    assert "0 rows were deleted" in again.err
    assert story.here("calls", "list", "--json").ok().json == []


def test_calls_stay_as_long_as_a_cap_counts_them_and_it_is_said(story: Cli) -> None:
    given_call(story, closed_at=1)
    story.here("rules", "add", "US", "--cap", "300/366d").ok()
    kept = story.set(retain_calls_days="40")

    dry = kept.here("db", "purge", "--dry-run", "--json").ok().json
    words = kept.here("db", "purge", "--yes").ok()

    assert dry["kinds"]["calls"] == {"days": 366, "rows": 1}
    assert words.out == "calls\t366\t1\n"
    assert "a rule's cap looks back so far that calls are kept 366 days" in words.err


def test_without_settings_nothing_is_purged_and_it_is_said(story: Cli) -> None:
    done = story.here("db", "purge", "--yes").ok()

    assert "everything is kept for ever" in done.err
    assert story.here("db", "purge", "--yes", "--json").ok().json["kinds"] == {}
