"""`dialer completion`, and what a shell with its script is answered."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from dialer.commands import completing
from tests.support.cli import Cli

NAMES = ("Renewals", "Recall")


@pytest.fixture
def dialer(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """A folder with two campaigns, a schedule and a number."""
    dialer = Cli(tmp_path)
    dialer.database.write_bytes(sqlite_template)
    dialer.here("numbers", "add", "+16465550100").ok()
    dialer.here("schedule", "create", "Office", "--hours", "daily 08:00-20:00").ok()
    for name in NAMES:
        dialer.here("campaign", "create", name, "--number", "+16465550100", "--say", "Hi").ok()
    return dialer


def completed(dialer: Cli, *words: str) -> list[str]:
    """What bash is answered when the last of *words* is begun."""
    asking = {
        "_DIALER_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("dialer", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = Cli(dialer.folder, dialer.variables | asking).here()
    assert done.err == "", done
    return [line for line in done.out.splitlines() if line]


def test_both_places_know_the_variable() -> None:
    assert cli.COMPLETE_VARIABLE == completing.VARIABLE


def test_words_of_the_tree_are_completed(dialer: Cli) -> None:
    assert completed(dialer, "camp") == ["campaign"]
    assert completed(dialer, "campaign", "sta") == ["start", "status"]
    assert "--json" in completed(dialer, "campaign", "list", "--js")
    assert completed(dialer, "--vers") == ["--version"]
    assert set(completed(dialer, "")) == set(cli.NOUNS)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("campaign", "start", "Re"), ["Renewals", "Recall"]),
        (("campaign", "settings", "get", "Ren"), ["Renewals"]),
        (("pause", "Rec"), ["Recall"]),
        (("forecast", "Ren"), ["Renewals"]),
        (("contacts", "list", "--campaign", "Ren"), ["Renewals"]),
        (("explain", "+12025550101", "-c", "Rec"), ["Recall"]),
        (("schedule", "show", ""), ["Office"]),
        (("campaign", "create", "New", "--schedule", "Off"), ["Office"]),
        (("campaign", "create", "New", "--number", "+1"), ["+16465550100"]),
        (("campaign", "create", "New", "--agent", "Rec"), ["Recall"]),
        (("numbers", "enable", "+1"), ["+16465550100"]),
        (("agents", "show", "Rec"), ["Recall"]),
        (("campaign", "create", "Re"), []),
        (("numbers", "add", "+1"), []),
        (("carrier-sim", "--number", "+1"), []),
    ],
)
def test_names_come_from_the_database(
    dialer: Cli, words: tuple[str, ...], names: list[str]
) -> None:
    assert completed(dialer, *words) == names


@pytest.mark.parametrize(
    "settings",
    [
        {"database": "none.db"},
        {"database": "postgresql://nobody@192.0.2.1/none"},
        {"port": "x"},
    ],
)
def test_where_the_database_cannot_be_read_nothing_is_said(
    dialer: Cli, settings: dict[str, str]
) -> None:
    assert completed(dialer.set(**settings), "campaign", "start", "Re") == []


def test_a_file_that_is_no_database_has_no_names_and_none_is_made(dialer: Cli) -> None:
    dialer.database.write_text("nonsense" * 1000)
    before = sorted(dialer.folder.iterdir())

    assert completed(dialer, "campaign", "start", "Re") == []
    assert sorted(dialer.folder.iterdir()) == before


def test_zsh_and_fish_are_answered_with_help(dialer: Cli) -> None:
    def asked(**more: str) -> str:
        return Cli(dialer.folder, {"_TYPER_COMPLETE_ARGS": "dialer camp", **more}).here().out

    zsh = asked(_DIALER_COMPLETE="complete_zsh")
    fish = asked(_DIALER_COMPLETE="complete_fish", _TYPER_COMPLETE_FISH_ACTION="get-args")

    assert '"campaign":"Make, start' in zsh
    assert fish.startswith("campaign\tMake, start")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(dialer: Cli, shell: str) -> None:
    script = dialer.here("completion", "show", shell).ok().out

    assert f"_DIALER_COMPLETE=complete_{shell}" in script
    program = shutil.which(shell)
    if program:  # it has no words against it
        subprocess.run([program, "-n"], input=script, text=True, check=True)


def test_bash_with_the_script_completes_a_name(dialer: Cli) -> None:
    script = dialer.here("completion", "show", "bash").ok().out
    ask = "COMP_WORDS=(dialer campaign start Ren); COMP_CWORD=3; _dialer_completion dialer"
    program = dialer.folder / "bin" / "dialer"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{_AS_INSTALLED}" "$@"\n')
    program.chmod(0o755)

    done = subprocess.run(
        ["bash", "--norc", "-c", f'{script}\n{ask}\necho "${{COMPREPLY[@]}}"'],
        cwd=dialer.folder,
        env=dialer.environment | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("Renewals\n", "")


_AS_INSTALLED = "import sys, cli; sys.argv[0] = 'dialer'; cli.main()"


@pytest.mark.parametrize(
    ("shell", "file", "start"),
    [
        ("bash", ".bash_completions/dialer.sh", ".bashrc"),
        ("zsh", ".zfunc/_dialer", ".zshrc"),
        ("fish", ".config/fish/completions/dialer.fish", ".config/fish/completions/dialer.fish"),
    ],
)
def test_the_script_is_put_where_its_shell_looks(
    dialer: Cli, shell: str, file: str, start: str
) -> None:
    at_home = Cli(dialer.folder, {"HOME": str(dialer.folder), "SHELL": f"/bin/{shell}"})

    done = at_home.here("completion", "install").ok()

    assert done.out == f"{dialer.folder / file}\n"
    assert "_DIALER_COMPLETE" in (dialer.folder / file).read_text()
    assert (dialer.folder / start).exists()


def test_a_shell_without_a_script_is_misuse(dialer: Cli) -> None:
    assert dialer.here("completion", "show", "tcsh").code == 2
    assert Cli(dialer.folder, {"SHELL": "/bin/tcsh"}).here("completion", "show").code == 2
    assert Cli(dialer.folder, {"SHELL": ""}).here("completion", "install").code == 2


def test_a_home_nobody_may_write_is_an_error(dialer: Cli) -> None:
    (dialer.folder / "home").touch()
    homeless = Cli(dialer.folder, {"HOME": str(dialer.folder / "home")})

    assert homeless.here("completion", "install", "fish").code == 6
