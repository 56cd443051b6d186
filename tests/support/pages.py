"""The commands that a page of the documentation shows, and running them as a reader would.

Blocks of ``sh`` may stand under a comment that names them. A command that does not end with exit
code 0 says so behind itself, in a comment of the shell: ``# exit 7``.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from tests.support.cli import Cli, Done

Process: TypeAlias = "subprocess.Popen[str]"

BLOCK: Final = re.compile(
    r"(?:<!-- (?P<label>[^>]+) -->\n)?```(?P<kind>sh|toml)\n(?P<text>.*?)```", re.DOTALL
)
INDENTED: Final = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
FENCED: Final = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
#: What only a shell understands: pipes, redirections, substitutions, one command after another.
_SHELL: Final = re.compile(r" [|<>&] | && |\$[({]|<<")
_HERE: Final = re.compile(r"<<'?(\w+)'?")
_EXIT: Final = re.compile(r"\s+# exit (\d+)$")


class Shown(NamedTuple):
    """One command of a page, and the exit code the page gives it."""

    line: str
    code: int


def blocks(page: str, label: str | None, kind: str = "sh") -> list[str]:
    """The texts of all blocks under a comment that says *label*; None: of those without one."""
    found = BLOCK.finditer(page)
    return [each["text"] for each in found if (each["label"], each["kind"]) == (label, kind)]


def labels(page: str) -> list[str | None]:
    """What the blocks of ``sh`` are called, in their order."""
    return [found["label"] for found in BLOCK.finditer(page) if found["kind"] == "sh"]


def commands(script: str) -> list[Shown]:
    """The commands of a script, one by one; what a here-document holds stays with its command."""
    found: list[str] = []
    end = None
    for line in script.splitlines():
        if end is None:
            found.append(line)
            here = _HERE.search(line)
            end = here and here[1]
        else:
            found[-1] += f"\n{line}"
            end = None if line == end else end
    return [_shown(line) for line in found if line.strip()]


def indented(page: str) -> list[Shown]:
    """The commands of a page that are set off by four blanks."""
    return [_shown(line) for line in INDENTED.findall(FENCED.sub("", page))]


def _shown(line: str) -> Shown:
    code = _EXIT.search(line)
    return Shown(_EXIT.sub("", line), int(code[1]) if code else 0)


def environment() -> dict[str, str]:
    """What a terminal has once the virtualenv is active."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def typed(
    line: str, folder: Path, variables: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a line of a shell to its end, with nobody there to be asked."""
    return subprocess.run(
        ["sh", "-e", "-c", line],
        cwd=folder,
        env={**(variables or {}), **environment()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def run(shown: Shown, cli: Cli) -> Done:
    """Run one command: in this process, unless it takes a shell to understand it."""
    if shown.line.startswith("dialer ") and not _SHELL.search(shown.line):
        return cli.here(*shlex.split(shown.line)[1:])
    done = typed(shown.line, cli.folder, cli.environment)
    return Done(done.returncode, done.stdout, done.stderr)


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
        try:
            yield process
        finally:
            process.kill()
