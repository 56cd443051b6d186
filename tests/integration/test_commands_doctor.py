"""`dialer doctor` where things are well, and where each of them is not."""

import asyncio
import errno
import os
import resource
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from dialer.clock import SystemClock, real_sleep
from dialer.doctor import examination, gathering
from dialer.doctor.findings import Check, Level
from dialer.rehearsal import HOST, Rehearsal, free_port
from dialer.settings import Settings
from dialer.store import inspecting
from tests.integration.conftest import migrated
from tests.support.cli import Cli, Done
from tests.support.postgres import Databases

NUMBER: Final = "+12025550120"
WITHIN_S: Final = 60.0
POLL_S: Final = 0.05


@pytest.fixture
def dialer(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """A folder with a database and no account, whose ports nobody has."""
    cli = Cli(tmp_path).set(port=str(free_port()), metrics_port="0")
    cli.database.write_bytes(sqlite_template)
    cli.database.chmod(0o600)
    return cli


def looked(dialer: Cli, *words: str) -> tuple[Done, dict[str, dict[str, Any]]]:
    """What `dialer doctor` did, and its findings by their checks."""
    done = dialer.here("doctor", "--json", *words)
    return done, {each["check"]: each for each in done.json["findings"]}


def finding(dialer: Cli, check: str, *words: str) -> dict[str, Any]:
    return looked(dialer, check, *words)[1][check]


def levels(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {check: each["level"] for check, each in found.items()}


# -- a deployment at work -------------------------------------------------------------------------


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """A carrier simulator at its address; no daemon yet."""
    staged = Rehearsal(tmp_path, 1)
    with staged.carrier():
        yield staged


def operator(staged: Rehearsal, port: int, **changes: str) -> Cli:
    """The command line beside a daemon at *port*."""
    at = {"port": str(port), "public_url": f"http://{HOST}:{port}"}
    variables = staged.environment(**(at | changes))
    ours = {name: value for name, value in variables.items() if name.startswith("DIALER_")}
    return Cli(staged.folder, ours)


@contextmanager
def at_work(staged: Rehearsal) -> Iterator[Cli]:
    """A daemon that is ready, with one number to call from."""
    port = free_port()
    dialer = operator(staged, port)
    dialer.here("numbers", "add", NUMBER).ok()
    with staged.daemon(port):
        for _ in range(round(WITHIN_S / POLL_S)):
            if dialer.here("status", "--ready", "-q").code == 0 and answers(port):
                break
            real_sleep(POLL_S)
        else:
            raise AssertionError((staged.folder / "daemon.log").read_text())
        yield dialer


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def test_a_deployment_at_work_passes_and_each_wrong_setting_is_found(
    rehearsal: Rehearsal,
) -> None:
    with at_work(rehearsal) as dialer:
        done, found = looked(dialer)
        wrong_url = finding(dialer.set(public_url=rehearsal.carrier_url), "webhook")
        wrong_token = finding(dialer.set(twilio_auth_token="6" * 32), "webhook")
        nobody = finding(dialer.set(public_url=f"http://{HOST}:1"), "webhook")
        offline = looked(dialer, "--offline")[1]
        elsewhere = finding(dialer.set(database="another.db"), "ports")
        beside = dialer("run")
        told = (rehearsal.folder / "daemon.log").read_text()

    assert done.code == 0, found
    assert set(found) == set(Check)
    for check in ("config", "data", "database", "disk", "ports", "daemon", "twilio", "webhook"):
        assert found[check]["level"] == "ok", found[check]
    assert "ours" in found["ports"]["text"]
    assert "1,000.00 USD" in found["twilio"]["text"]
    assert "elsewhere" in found["numbers"]["text"]
    assert "answered 404, expected 403" in wrong_url["text"]
    assert "refuses what our auth token signs (403)" in wrong_token["text"]
    assert "does not answer" in nobody["text"]
    assert {each["level"] for each in (wrong_url, wrong_token, nobody)} == {"fail"}
    assert {offline[check]["level"] for check in ("twilio", "numbers", "webhook")} == {"skip"}
    assert (elsewhere["level"], "somebody else" in elsewhere["text"]) == ("warn", True)
    assert "dialer config set port" in elsewhere["fix"]
    assert (beside.code, "another daemon (process" in beside.err) == (5, True), beside
    assert "callback.probed" in told
    assert "callback.refused" not in told
    assert "callback.rejected" not in told


def test_credentials_that_are_refused_are_told_from_a_carrier_that_is_away(
    rehearsal: Rehearsal, sqlite_template: bytes
) -> None:
    rehearsal.database.write_bytes(sqlite_template)
    dialer = operator(rehearsal, free_port())

    token = looked(dialer.set(twilio_auth_token="6" * 32), "twilio")
    key = finding(dialer.set(twilio_api_key="SK" + "1" * 32, twilio_api_secret="hush"), "twilio")
    half = finding(dialer.set(twilio_auth_token=""), "twilio")
    away = finding(dialer.set(twilio_base_url=f"http://{HOST}:1"), "twilio")
    numbers = finding(dialer.set(twilio_base_url=f"http://{HOST}:1"), "numbers")

    assert token[0].code == 1
    assert "refuses DIALER_TWILIO_AUTH_TOKEN" in token[1]["twilio"]["text"]
    assert "DIALER_TWILIO_API_KEY and DIALER_TWILIO_API_SECRET" in key["text"]
    assert "hush" not in str(key)
    assert "DIALER_TWILIO_AUTH_TOKEN missing" in half["text"]
    assert "cannot be reached" in away["text"]
    assert numbers["level"] == "skip"


def test_numbers_that_are_not_the_accounts_are_named(
    tmp_path: Path, sqlite_template: bytes
) -> None:
    staged = Rehearsal(tmp_path, 1)
    staged.database.write_bytes(sqlite_template)
    with staged.carrier("--number", NUMBER):
        dialer = operator(staged, free_port())
        nothing = finding(dialer, "numbers")
        dialer.here("numbers", "add", NUMBER).ok()
        dialer.here("numbers", "add", "+12025550199").ok()
        foreign = finding(dialer, "numbers")
        dialer.here("numbers", "disable", "+12025550199").ok()
        own = finding(dialer, "numbers")

    assert (nothing["level"], foreign["level"], own["level"]) == ("warn", "fail", "warn")
    assert "+12025550199 not the account's" in foreign["text"]
    assert "1 of 1 send their callers elsewhere" in own["text"]


# -- the database ---------------------------------------------------------------------------------


def test_a_fresh_deployment_has_nothing_wrong(dialer: Cli) -> None:
    done, found = looked(dialer)

    assert done.code == 0
    assert levels(found) | {"clock": "ok"} == {
        "config": "ok", "data": "ok", "database": "ok", "clock": "ok", "disk": "ok", "ports": "ok",
        "daemon": "skip", "twilio": "skip", "numbers": "skip", "webhook": "skip",
        "schedules": "ok", "holds": "ok",
    }  # fmt: skip
    assert "quick check" in found["database"]["text"]


def test_looking_leaves_the_folder_as_it_is(dialer: Cli) -> None:
    before = sorted(path.name for path in dialer.folder.iterdir())

    looked(dialer)

    assert sorted(path.name for path in dialer.folder.iterdir()) == before


def test_a_database_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    done, found = looked(Cli(tmp_path), "database", "schedules", "daemon", "holds")

    assert (done.code, looked(Cli(tmp_path), "database", "--strict")[0].code) == (0, 7)
    assert levels(found) == {
        "database": "warn", "schedules": "skip", "daemon": "skip", "holds": "skip",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_damage_is_a_failure(dialer: Cli) -> None:
    body = bytearray(dialer.database.read_bytes())
    page = 4096
    with closing(sqlite3.connect(dialer.database)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'contacts'"
        ).fetchone()
    body[page * (root - 1) : page * root] = b"\xff" * page
    dialer.database.write_bytes(body)

    done, found = looked(dialer, "database")

    assert (done.code, found["database"]["level"]) == (1, "fail")


def test_another_releases_schema_is_a_failure(dialer: Cli) -> None:
    with closing(sqlite3.connect(dialer.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()

    found = finding(dialer, "database")

    assert (found["level"], found["fix"]) == ("fail", "dialer db upgrade")


def test_a_file_that_is_no_database_is_a_failure(dialer: Cli) -> None:
    dialer.database.write_text("not a database" * 1000)

    assert finding(dialer, "database")["level"] == "fail"


def test_a_full_disk_is_a_failure(dialer: Cli) -> None:
    """No file may grow at all, as on a disk without room; the file itself can be read."""
    words = [sys.executable, "-m", "cli", "doctor", "disk", "--json"]
    done = subprocess.run(
        words,
        cwd=dialer.folder,
        env=dialer.environment,
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )

    result = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
    (found,) = result.json["findings"]
    assert (result.code, found["level"]) == (1, "fail")
    assert "cannot be written" in found["text"]


def read_only(*_arguments: object, **_options: object) -> int:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_disk_that_is_read_only_is_a_failure(
    dialer: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(Path, "unlink", read_only)  # even of what is not there

    found = finding(dialer, "disk", "--offline")

    assert (found["level"], "Read-only file system" in found["text"]) == ("fail", True)
    assert "let this user write its folder" in found["fix"]


def test_a_check_that_cannot_look_takes_no_other_down(
    dialer: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "modes", read_only)
    monkeypatch.setattr(gathering, "view", read_only)

    done, found = looked(dialer, "--offline")

    assert (done.code, set(found)) == (1, set(Check))
    assert (found["data"]["level"], found["database"]["level"]) == ("fail", "fail")
    assert "Read-only file system" in found["data"]["text"]
    assert "dialer doctor data" in found["data"]["fix"]
    assert (found["disk"]["level"], found["daemon"]["level"]) == ("ok", "skip")


def test_a_daemon_that_cannot_write_its_log_ends_at_once(dialer: Cli) -> None:
    account = dialer.set(twilio_account_sid="AC" + "5" * 32, twilio_auth_token="5" * 32)

    done = account.set(log_file=str(dialer.folder / "none" / "log"))("run")

    assert (done.code, "DIALER_LOG_FILE" in done.err) == (6, True)


def test_data_that_everybody_may_read_is_a_warning(dialer: Cli) -> None:
    (dialer.folder / ".env").write_text("DIALER_TWILIO_AUTH_TOKEN=x\n")
    (dialer.folder / ".env").chmod(0o644)

    found = finding(dialer, "data")

    assert (found["level"], found["fix"]) == ("warn", "chmod o= .env")


def test_a_missed_backup_is_a_warning(dialer: Cli) -> None:
    with closing(sqlite3.connect(dialer.database)) as connection:
        connection.execute(
            "INSERT INTO jobs (kind, subject, state, actor, worker, started_at, beat_at, ended_at)"
            " VALUES ('backup', 'x', 'done', 'me', 'here:1', 1, 1, 1)"
        )
        connection.commit()

    assert finding(dialer, "database")["level"] == "warn"
    assert finding(dialer.set(backup_dir=""), "database")["level"] == "ok"


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_databases: Databases) -> Iterator[Cli]:
    with postgres_databases.fresh(migrated) as dsn:
        yield Cli(tmp_path, {"DIALER_DATABASE": dsn, "DIALER_METRICS_PORT": "0"})


def test_postgresql_is_looked_at_as_far_as_it_is_ours(on_postgres: Cli) -> None:
    found = looked(on_postgres, "database", "data", "disk", "schedules")[1]

    assert set(levels(found).values()) == {"ok"}
    assert "postgresql" in found["database"]["text"]
    away = on_postgres.set(database=f"postgresql://nobody:hush@{HOST}:1/none")
    assert finding(away, "database")["level"] == "fail"
    assert "hush" not in str(finding(away, "database"))


# -- the rest -------------------------------------------------------------------------------------


def test_settings_that_cannot_be_read_are_told_whole(dialer: Cli) -> None:
    (dialer.folder / "dialer.toml").write_text('prot = 1\nport = "x"\n')

    done, found = looked(dialer, "database")

    assert done.code == 1
    assert levels(found) == {"config": "fail", "database": "skip"}
    assert "did you mean port?" in found["config"]["text"]
    assert "and 1 more" in found["config"]["text"]


def test_a_fault_that_is_overridden_is_a_warning_and_a_zone_nobody_knows_is_not(
    dialer: Cli,
) -> None:
    (dialer.folder / "dialer.toml").write_text('port = "x"\n')

    assert finding(dialer, "config")["level"] == "warn"
    assert finding(dialer.set(default_zone="Mars"), "config")["level"] == "fail"


def test_a_port_somebody_has_is_a_failure_and_one_nobody_can_have(dialer: Cli) -> None:
    with socket.create_server((HOST, 0)) as other:
        taken = dialer.set(port=str(other.getsockname()[1]))
        assert finding(taken, "ports")["level"] == "fail"
    assert finding(dialer.set(host="192.0.2.1"), "ports")["level"] == "fail"


def test_a_schedule_that_cannot_be_read_is_a_failure(dialer: Cli) -> None:
    dialer.here("schedule", "create", "Day", "--hours", "daily 08:00-20:00").ok()
    with closing(sqlite3.connect(dialer.database)) as connection:
        connection.execute('UPDATE schedules SET body = \'{"zone": "Mars", "weekly": {}}\'')
        connection.commit()

    broken = finding(dialer, "schedules")

    assert (broken["level"], "'Day'" in broken["text"], "Mars" in broken["text"]) == (
        "fail", True, True,
    )  # fmt: skip


def test_rules_that_cannot_be_read_are_a_failure(dialer: Cli) -> None:
    with closing(sqlite3.connect(dialer.database)) as connection:
        connection.execute("INSERT INTO rule_sets (body, created_at) VALUES ('nonsense', 1)")
        connection.commit()

    found = finding(dialer, "schedules")

    assert (found["level"], "calling rules" in found["text"]) == ("fail", True)


def test_a_hold_is_a_warning(dialer: Cli) -> None:
    dialer.here("pause", "--all", "--reason", "the script is wrong").ok()

    held = finding(dialer, "holds")

    assert (held["level"], held["fix"]) == ("warn", "dialer resume --all")
    assert "the script is wrong" in held["text"]


def test_a_public_url_is_asked_for_and_a_webhook_needs_a_daemon(dialer: Cli) -> None:
    account = dialer.set(twilio_account_sid="AC" + "5" * 32, twilio_auth_token="5" * 32)

    assert finding(account, "webhook")["level"] == "fail"
    assert finding(account.set(public_url="http://127.0.0.1:1"), "webhook")["level"] == "skip"


def test_a_check_nobody_knows_is_misuse(dialer: Cli) -> None:
    done = dialer.here("doctor", "databse")

    assert (done.code, "database" in done.err) == (2, True)


def test_piped_it_is_fields_and_on_a_terminal_it_has_glyphs(dialer: Cli) -> None:
    plain = dialer.here("doctor", "holds")
    script = "import sys, cli; sys.stdout.isatty = lambda: True; cli.main()"
    drawn = subprocess.run(
        [sys.executable, "-c", script, "doctor", "holds", "daemon"],
        cwd=dialer.folder,
        env=dialer.environment | {"DIALER_ASCII": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert plain.out == "ok\tholds\tnothing is held\t\t\n"
    assert plain.err == "1 check: 1 ok\n"
    assert drawn.stdout.splitlines()[-1] == " + ok    holds   nothing is held"
    assert " o skip  daemon  no daemon is running" in drawn.stdout


# -- patience -------------------------------------------------------------------------------------


def test_a_carrier_that_never_answers_is_not_waited_for(
    dialer: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "ANSWER_S", 0.1)
    with socket.create_server((HOST, 0)) as silent:
        address = f"http://{HOST}:{silent.getsockname()[1]}"
        found = finding(
            dialer.set(
                twilio_base_url=address,
                twilio_account_sid="AC" + "5" * 32,
                twilio_auth_token="5" * 32,
                public_url=address,
            ),
            "twilio",
        )

    assert (found["level"], "cannot be reached" in found["text"]) == ("fail", True)


async def test_a_check_that_takes_too_long_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(_settings: Settings, _daemons: Collection[str]) -> Mapping[str, str]:
        await asyncio.Event().wait()
        raise AssertionError("it never happens")

    monkeypatch.setattr(gathering, "ports", stuck)
    settings = Settings(database=str(tmp_path / "none.db"))

    (found,) = await examination.examined(
        settings, SystemClock(), Random(1), checks=[Check.PORTS], offline=True, limit_s=0.01
    )

    assert (found.level, found.text) == (Level.FAIL, "it took longer than 0.01 s")


def test_a_quick_check_without_time_is_left_unfinished(
    dialer: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspecting, "_STEPS", 1)
    ticks = count()

    found = inspecting.inspect(dialer.database, elapsed=lambda: next(ticks), limit_s=0)

    assert (found.journal, found.check_s) == ("delete", None)
