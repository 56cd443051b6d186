"""`dialer init`: asked on a terminal, told by flags elsewhere, and never over what is there."""

import fcntl
import os
import pty
import re
import shlex
import stat
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from dialer import first_steps
from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from dialer.clock import real_sleep
from dialer.errors import UsageError
from dialer.first_steps import Answers
from dialer.rehearsal import free_port
from tests.support.cli import Cli

FLAGS: Final = ("--region", "DE", "--zone", "Europe/Berlin")
ACCOUNT: Final = ("--account-sid", DEMO_ACCOUNT_SID, "--public-url", "http://127.0.0.1:1")
WITHIN_S: Final = 60.0
POLL_S: Final = 0.05


@pytest.fixture
def dialer(tmp_path: Path) -> Cli:
    return Cli(tmp_path).set(busy_timeout_s="5")


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


# -- by flags -------------------------------------------------------------------------------------


def test_flags_suffice_without_a_terminal(dialer: Cli) -> None:
    done = dialer.here("init", *FLAGS, "--hours", "mon-fri 09:00-18:00", "--json").ok()

    assert done.json["files"] == ["dialer.toml"]
    assert "FAIL" not in done.err
    values = {row["name"]: row["value"] for row in dialer.here("config", "show", "--json").json}
    assert (values["default_region"], values["default_zone"]) == ("DE", "Europe/Berlin")
    (schedule,) = dialer.here("schedule", "list", "--json").ok().json
    assert (schedule["name"], schedule["zone"]) == ("Office", "Europe/Berlin")
    assert dialer.database.exists()


def test_the_token_goes_to_a_file_of_its_owners_and_nowhere_else(dialer: Cli) -> None:
    token = dialer.folder / "token"
    token.write_text("hush123\n")

    done = dialer.here("init", *FLAGS, *ACCOUNT, "--token-file", token)

    assert "hush123" not in done.out + done.err
    assert "hush123" not in (dialer.folder / "dialer.toml").read_text()
    assert mode(dialer.folder / ".env") == mode(dialer.folder / "dialer.toml") == 0o600
    assert dialer.here("config", "get", "twilio_auth_token").out == "set\n"
    assert "twilio" in done.err  # nobody answers at a simulated account
    shown = {row["name"]: row for row in dialer.here("config", "show", "--json").json}
    assert shown["twilio_auth_token"]["origin"] == ".env"
    assert shown["twilio_account_sid"]["value"] == DEMO_ACCOUNT_SID


def test_a_token_may_come_through_a_pipe(dialer: Cli) -> None:
    done = dialer("init", *FLAGS, *ACCOUNT, "--token-file", "-", stdin=b"hush123\n").ok()

    assert "hush123" in (dialer.folder / ".env").read_text()
    assert "hush123" not in done.out + done.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "--region, --zone"),
        (FLAGS[:2], "--zone"),
        ((*FLAGS, "--account-sid", DEMO_ACCOUNT_SID), "--token-file, --public-url"),
        ((*FLAGS, *ACCOUNT, "--token-file", "none"), "none cannot be read"),
        (("--region", "Germany", "--zone", "UTC"), "'Germany'"),
        (("--region", "DE", "--zone", "Mars"), "'Mars'"),
        ((*FLAGS, "--hours", "always"), "always"),
    ],
)
def test_what_is_missing_or_wrong_is_named_before_anything_is_written(
    dialer: Cli, words: Sequence[str], named: str
) -> None:
    done = dialer.here("init", *words)

    assert (done.code, named in done.err) == (2, True), done
    assert list(dialer.folder.iterdir()) == []


def test_nothing_is_overwritten_and_force_keeps_it_aside(dialer: Cli) -> None:
    file = dialer.folder / "dialer.toml"
    file.write_text("port = 1\n")

    refused = dialer.here("init", *FLAGS)
    assert (refused.code, "dialer.toml is in" in refused.err) == (5, True)
    assert file.read_text() == "port = 1\n"
    assert not dialer.database.exists()

    forced = dialer.here("init", *FLAGS, "--force").ok()
    dialer.here("init", *FLAGS, "--force").ok()
    assert "kept" in forced.err
    assert (dialer.folder / "dialer.toml.bak").read_text() == "port = 1\n"
    assert (dialer.folder / "dialer.toml.bak1").exists()


def test_a_database_that_is_there_is_kept(dialer: Cli) -> None:
    dialer.here("numbers", "add", "+12025550120").ok()

    dialer.here("init", *FLAGS, "--hours", "daily 09:00-12:00").ok()
    dialer.here("init", *FLAGS, "--hours", "daily 10:00-12:00", "--force").ok()

    assert len(dialer.here("numbers", "list", "--json").ok().json) == 1
    assert len(dialer.here("schedule", "list", "--json").ok().json) == 1


def test_another_folder_is_made_for_its_owner(dialer: Cli) -> None:
    done = dialer.here("init", *FLAGS, "--dir", "new").ok()

    assert mode(dialer.folder / "new") == 0o700
    assert (dialer.folder / "new" / "dialer.db").exists()
    assert "cd new" in done.out
    (dialer.folder / "file").touch()
    assert dialer.here("init", *FLAGS, "--dir", "file/below").code == 6


@pytest.mark.parametrize("token", ["two words", "quote'", "line\nbreak", "back\\slash"])
def test_a_token_that_cannot_be_one_is_refused_unquoted(token: str) -> None:
    with pytest.raises(UsageError) as refused:
        Answers("US", "UTC", token=token).check()

    assert token not in str(refused.value)


def test_an_account_has_a_form() -> None:
    with pytest.raises(UsageError, match="AC and 32"):
        Answers("US", "UTC", account_sid="SK1").check()


# -- what is guessed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"LANG": "de_AT.UTF-8"}, "AT"),
        ({"LC_ALL": "pt_BR", "LANG": "de_AT.UTF-8"}, "BR"),
        ({"LANG": "C.UTF-8"}, "US"),
        ({}, "US"),
    ],
)
def test_the_region_is_that_of_the_language(environment: Mapping[str, str], region: str) -> None:
    assert first_steps.guessed_region(environment) == region


def test_the_zone_is_the_machines(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Europe/Lisbon")

    assert first_steps.guessed_zone({}, link) == "Europe/Lisbon"
    assert first_steps.guessed_zone({"TZ": ":Asia/Tokyo"}, link) == "Asia/Tokyo"
    assert first_steps.guessed_zone({"TZ": "Mars"}, tmp_path / "none") == "UTC"


# -- on a terminal --------------------------------------------------------------------------------


def typed(dialer: Cli, answers: Sequence[tuple[str, str]]) -> str:
    """What a terminal shows while each question is answered; the command must succeed."""
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "init"],
        cwd=dialer.folder,
        env=dialer.environment | {"TZ": "Europe/Berlin", "LANG": "de_DE.UTF-8", "LC_ALL": ""},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    shown = ""
    with process:
        for question, answer in answers:
            while question not in shown.rpartition("\x00")[2]:
                shown += os.read(ours, 4096).decode()
            real_sleep(POLL_S)  # what is typed before the question is asked is thrown away
            shown += "\x00"
            os.write(ours, f"{answer}\n".encode())
        with suppress(OSError):  # the terminal is gone with its last process
            while more := os.read(ours, 4096):
                shown += more.decode()
    os.close(ours)
    assert process.returncode == 0, shown
    return shown


def test_on_a_terminal_it_asks_and_never_shows_the_token(dialer: Cli) -> None:
    shown = typed(
        dialer,
        [
            ("account SID", DEMO_ACCOUNT_SID),
            ("auth token", "hush123"),
            ("Outside address", "http://127.0.0.1:1"),
            ("Country", ""),
            ("Time zone", ""),
            ("When may people be called", ""),
        ],
    )

    assert "hush123" not in shown
    assert "hush123" in (dialer.folder / ".env").read_text()
    toml = (dialer.folder / "dialer.toml").read_text()
    assert 'default_region = "DE"' in toml
    assert 'default_zone = "Europe/Berlin"' in toml
    (schedule,) = dialer.here("schedule", "list", "--json").ok().json
    assert schedule["zone"] == "Europe/Berlin"


def test_a_wrong_answer_is_asked_for_again_and_the_others_are_kept(dialer: Cli) -> None:
    shown = typed(
        dialer,
        [
            ("account SID", "AC1"),
            ("not an account SID: 'AC1'", DEMO_ACCOUNT_SID),
            ("auth token", "two words"),
            ("the auth token has blanks", "hush123"),
            ("Outside address", "dial.example.org"),
            ("public url 'dial.example.org'", "http://127.0.0.1:1"),
            ("Country", "Germany"),
            ("default region 'Germany'", "DE"),
            ("Time zone", "Mars"),
            ("default zone 'Mars'", "Europe/Lisbon"),
            ("When may people be called", "always"),
            ("When may people be called", "mon-fri 10:00-12:00"),
        ],
    )

    assert "two words" not in shown
    assert "hush123" in (dialer.folder / ".env").read_text()
    assert DEMO_ACCOUNT_SID in (dialer.folder / "dialer.toml").read_text()
    (schedule,) = dialer.here("schedule", "list", "--json").ok().json
    assert schedule["zone"] == "Europe/Lisbon"


# -- the trial ------------------------------------------------------------------------------------


def test_the_commands_of_the_trial_lead_to_calls(dialer: Cli) -> None:
    trial = Cli(dialer.folder / "dialer-demo")
    steps = dialer.here("init", "--demo", "--json").ok().json["next"]
    carrier, port = str(free_port()), str(free_port())
    for name, value in (
        ("port", port), ("metrics_port", "0"), ("public_url", f"http://127.0.0.1:{port}"),
        ("twilio_base_url", f"http://127.0.0.1:{carrier}"),
    ):  # fmt: skip
        trial.here("config", "set", name, value).ok()
    (_, simulator), (_, daemon), (enter, *commands) = steps
    assert enter == "cd dialer-demo"
    assert (trial.folder / ".env").read_text().count(DEMO_AUTH_TOKEN) == 1

    with running(trial, simulator.replace("8091", carrier)), running(trial, daemon):
        for command in commands:
            program, *words = shlex.split(command)
            assert program == "dialer"
            trial.here(*words).ok()
        truth = trial.folder / "truth.jsonl"
        for _ in range(round(WITHIN_S / POLL_S)):
            if truth.exists() and truth.read_text().count('"event":"accepted"') == 3:
                break
            real_sleep(POLL_S)
        else:
            raise AssertionError("nobody was called")


@contextmanager
def running(dialer: Cli, command: str) -> Iterator[None]:
    """A command that stays, as long as the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *shlex.split(command)[1:]],
        cwd=dialer.folder,
        env=dialer.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_the_trial_says_what_to_type_where(dialer: Cli) -> None:
    done = dialer.here("init", "--demo", "--dir", "trial").ok()

    assert re.findall(r"# terminal \d", done.out) == [f"# terminal {n}" for n in (1, 2, 3)]
    assert (dialer.folder / "trial" / "people.csv").read_text().count("+1") == 3
    assert dialer.here("init", "--demo", "--dir", "trial").code == 5
