"""Every example in a help text is a command line that is understood."""

import re
import shlex
from typing import Any

import pytest

from dialer.commands import presentation
from dialer.commands.shell import MORE_OPTIONS
from tests.support.cli import every_command

COMMANDS = dict(every_command())
EXAMPLE = re.compile(r"Examples?: (?P<lines>.+)", re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Each example with the command that shows it."""
    found = []
    for name, command in COMMANDS.items():
        text = (command.epilog or "").removesuffix(MORE_OPTIONS).strip()
        shown = EXAMPLE.fullmatch(text)
        if shown is not None:
            lines = re.split(r" · |, or the same from a file: ", shown["lines"])
            found += [(name, " ".join(line.split())) for line in lines]
        found += [(name, line) for line in re.findall(r"Example: (.+)", command.help or "")]
    return found


def understood(line: str) -> bool:
    """Whether the words of a line are those of commands; nothing is acted upon."""
    inner = re.findall(r"\$\((.*?)\)", line)
    parts = [*inner, *re.split(r" \| | && | > ", re.sub(r"\$\(.*?\)", "WORD", line))]
    ours = [words for words in map(_words, parts) if words and words[0] == "dialer"]
    for _, *words in ours:
        path = max(
            (name for name in COMMANDS if words[: len(name.split())] == name.split()), key=len
        )
        command: Any = COMMANDS[path]
        presentation.begin()
        command.make_context(path, words[len(path.split()) :])
    return bool(ours)


def _words(part: str) -> list[str]:
    words = shlex.split(part)
    while words and re.match(r"[A-Z_]+=", words[0]):  # a variable before the command
        words.pop(0)
    return words


@pytest.mark.parametrize(("name", "line"), examples(), ids=lambda each: each)
def test_an_example_is_understood(name: str, line: str) -> None:
    assert understood(line)


def test_every_command_shows_itself_at_work() -> None:
    shown = {name for name, _ in examples()}

    assert [name for name in COMMANDS if name not in shown] == []
