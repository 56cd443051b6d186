"""What the documentation says is so: pages follow from the code, and every command runs."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from dialer.clock import real_sleep
from dialer.configuration import OTHER_VARIABLES
from dialer.rehearsal import free_port
from dialer.settings import Settings
from tests.support.cli import ROOT, Cli

Process: TypeAlias = "subprocess.Popen[str]"

README: Final = (ROOT / "README.md").read_text()
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ACTIVATE: Final = ". .venv/bin/activate"
BLOCK: Final = re.compile(r"(?:<!-- (?P<label>[^>]+) -->\n)?```sh\n(?P<text>.*?)```", re.DOTALL)
#: The longest thing waited for is a call after `campaign start`, in real seconds.
WITHIN_S: Final = 60.0
POLL_S: Final = 0.05


def block(label: str) -> str:
    """The shell commands under a comment that names them."""
    (text,) = [found["text"] for found in BLOCK.finditer(README) if found["label"] == label]
    return text


def unlabelled() -> list[str]:
    return [found["text"] for found in BLOCK.finditer(README) if not found["label"]]


# -- pages ----------------------------------------------------------------------------------------


def test_the_reference_pages_say_what_the_code_says() -> None:
    check = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#\s]+)[^)]*\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_variable_named_is_a_setting() -> None:
    settings = {f"DIALER_{name.upper()}" for name in Settings.model_fields}
    named = {name for page in PAGES for name in re.findall(r"\bDIALER_[A-Z_]+\b", page.read_text())}

    assert named - settings - OTHER_VARIABLES == set()
    assert settings - named == set()


def test_every_make_target_named_exists() -> None:
    named = {
        target
        for page in PAGES
        for line in re.findall(r"(?:^ {4}|^|`)make((?: [a-z]+)+)", page.read_text(), re.MULTILINE)
        for target in line.split()
    }
    assert {"demo", "test", "check"} <= named

    for target in sorted(named):
        dry = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert dry.returncode == 0, dry.stderr


def test_every_command_named_exists(tmp_path: Path) -> None:
    named = {
        " ".join(words.split())
        for page in PAGES
        for words in re.findall(r"`dialer((?:\s+[a-z][a-z-]+)+)", page.read_text())
    }
    assert {"campaign status", "db backup", "agents add"} <= named

    unknown = [words for words in named if Cli(tmp_path).here(*words.split(), "--help").code]
    assert unknown == []


# -- the commands of the README -------------------------------------------------------------------


def test_no_command_of_the_readme_is_left_out() -> None:
    labels = [found["label"] for found in BLOCK.finditer(README) if found["label"]]
    make, account = unlabelled()

    assert labels == ["terminal 1", "terminal 2", "terminal 3"]
    assert all(line.startswith("make ") for line in make.splitlines())  # judged above
    assert "DIALER_TWILIO_ACCOUNT_SID=AC…" in account  # judged below: it wants a real account


def test_what_the_readme_says_about_an_account_can_be_said(tmp_path: Path) -> None:
    _, account = unlabelled()
    for line in account.splitlines():
        program, *words = shlex.split(line)
        if program == "export":
            name = words[0].partition("=")[0].removeprefix("DIALER_").lower()
            assert name in Settings.model_fields
        else:
            assert program == "dialer"
            flags = [word for word in words if word.startswith("--")]
            command = words[: words.index(flags[0])] if flags else words
            shown = Cli(tmp_path).here(*command, "--help").ok().out
            assert all(flag in shown for flag in flags)


def test_the_campaign_of_the_readme_runs_as_it_says(tmp_path: Path) -> None:
    carrier_port, port = str(free_port()), str(free_port())

    def script(label: str) -> str:
        text = block(label).replace("8091", carrier_port).replace("8090", port)
        first, *commands = text.splitlines()
        assert first == ACTIVATE
        return "\n".join(commands)

    with ExitStack() as stack:
        carrier = stack.enter_context(terminal(script("terminal 1"), tmp_path))
        assert carrier.stdout is not None
        assert json.loads(carrier.stdout.readline())["url"].endswith(carrier_port)
        # The port is a default that the README has no reason to name.
        daemon = stack.enter_context(
            terminal(script("terminal 2"), tmp_path, DIALER_PORT=port, DIALER_LOG_FORMAT="json")
        )
        assert daemon.stderr is not None
        assert json.loads(daemon.stderr.readline())["event"] == "daemon.started"

        done = subprocess.run(
            ["sh", "-e", "-c", script("terminal 3")],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr
        assert "Renewals\tactive" in done.stdout
        wait_for_calls(tmp_path / "truth.jsonl", 3)
        assert (carrier.poll(), daemon.poll()) == (None, None)


@contextmanager
def terminal(commands: str, folder: Path, **variables: str) -> Iterator[Process]:
    """A terminal whose last command stays."""
    *before, last = commands.splitlines()
    process = subprocess.Popen(
        ["sh", "-e", "-c", "\n".join([*before, f"exec {last}"])],
        cwd=folder,
        env=environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def environment() -> dict[str, str]:
    """What a terminal has once the virtualenv is active."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def wait_for_calls(truth: Path, calls: int) -> None:
    for _ in range(round(WITHIN_S / POLL_S)):
        if truth.read_text().count('"event":"accepted"') >= calls:
            return
        real_sleep(POLL_S)
    raise AssertionError(f"no {calls} calls within {WITHIN_S:g} s")
