"""What the documentation says is so: pages follow from the code, and every command runs."""

import json
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from dialer.clock import real_sleep
from dialer.configuration import OTHER_VARIABLES
from dialer.rehearsal import free_port
from dialer.settings import Settings
from tests.support import tutorial
from tests.support.cli import ROOT, Cli
from tests.support.pages import blocks, environment, labels, terminal

README: Final = (ROOT / "README.md").read_text()
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ACTIVATE: Final = ". .venv/bin/activate"
#: The longest thing waited for is a call after `campaign start`, in real seconds.
WITHIN_S: Final = 60.0
POLL_S: Final = 0.05


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


def test_the_readme_leads_to_every_page() -> None:
    linked = {(ROOT / link).resolve() for link in re.findall(r"\]\(([^)#\s]+)", README)}
    decisions = ROOT / "docs" / "adr"

    pages = {page for page in PAGES if page.parent != decisions and page.name != "README.md"}
    assert pages - linked == set()


def test_every_test_an_explanation_names_is_there() -> None:
    page = (ROOT / "docs" / "explanation" / "how-a-contact-is-dialed.md").read_text()
    files = re.findall(r"\]\(\.\./\.\./(tests/[\w/]+\.py)\)", page)
    tests = "".join((ROOT / file).read_text() for file in files)
    named = re.findall(r"`(test_\w+)`", page)

    assert len(named) > 10
    assert [name for name in named if f"def {name}(" not in tests] == []


# -- the recording --------------------------------------------------------------------------------


def test_the_recording_is_one_and_names_no_machine() -> None:
    header, *events = map(json.loads, (ROOT / "docs" / "tutorial.cast").read_text().splitlines())
    times = [at_s for at_s, _, _ in events]
    shown = "".join(text for _, _, text in events)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)

    assert (header["version"], header["width"], header["height"]) == (2, 100, 30)
    assert {kind for _, kind, _ in events} == {"o"}
    assert all(0 <= after - before <= 2.001 for before, after in pairwise(times))
    assert re.findall(r"(?<![\w.:/])/(?:\w+/)+\w*", plain) == []
    assert re.findall(r"\w+@[\w.-]+", plain) == ["ann@desk"]
    assert set(re.findall(r"([\w.-]+),? process \d+", plain)) == {"desk"}
    assert "0 broken" in plain


def test_the_recording_shows_the_tutorial_as_it_is() -> None:
    events = (ROOT / "docs" / "tutorial.cast").read_text().splitlines()[1:]
    shown = "".join(json.loads(line)[2] for line in events).replace("\r\n> ", "\n")

    missing = [each.line for each in tutorial.operator() if each.line not in shown]
    assert missing == [], "record it anew: python -m docs.record"


# -- the commands of the README -------------------------------------------------------------------


def test_no_command_of_the_readme_is_left_out() -> None:
    make, account = blocks(README, None)

    assert list(filter(None, labels(README))) == ["terminal 1", "terminal 2", "terminal 3"]
    assert all(line.startswith("make ") for line in make.splitlines())  # judged above
    assert "DIALER_TWILIO_ACCOUNT_SID=AC…" in account  # judged below: it wants a real account


def test_what_the_readme_says_about_an_account_can_be_said(tmp_path: Path) -> None:
    _, account = blocks(README, None)
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
        (text,) = blocks(README, label)
        first, *commands = text.replace("8091", carrier_port).replace("8090", port).splitlines()
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


def wait_for_calls(truth: Path, calls: int) -> None:
    for _ in range(round(WITHIN_S / POLL_S)):
        if truth.read_text().count('"event":"accepted"') >= calls:
            return
        real_sleep(POLL_S)
    raise AssertionError(f"no {calls} calls within {WITHIN_S:g} s")
