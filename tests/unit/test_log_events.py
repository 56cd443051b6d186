"""The log speaks of a closed set of events, and never about people."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dialer.log_events import EVENTS
from tests.support.cli import ROOT

METHODS: Final = {"debug", "info", "warning", "error", "critical", "exception", "log"}
#: What is known of a person; a number is masked on its way, these are not to set out.
PERSONAL: Final = {"contact_name", "email", "full_name", "note", "notes", "tags", "variables"}
#: Who may name something: a campaign has a name of the operator's.
NAMED: Final = {"campaign.completed"}


def files() -> Iterator[Path]:
    yield ROOT / "cli.py"
    for package in ("dialer", "rotation", "amd", "retries"):
        yield from sorted((ROOT / package).rglob("*.py"))


def logged() -> Iterator[tuple[str, ast.Call, ast.expr]]:
    """Every call of a logger: where it stands, the call, and what it says the event is."""
    for path in files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            speaker, method = ast.unparse(node.func.value), node.func.attr
            if method in METHODS and (speaker == "log" or speaker.startswith("structlog.")):
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield where, node, node.args[1 if method == "log" else 0]


def test_every_event_is_fixed_text_of_the_closed_set() -> None:
    said = {where: event for where, _, event in logged()}
    assert len(said) > 50

    loose = [
        where
        for where, event in said.items()
        if not isinstance(event, ast.Constant) or event.value not in EVENTS
    ]

    assert loose == []


def test_nothing_is_in_the_closed_set_that_is_never_said() -> None:
    said = {event.value for _, _, event in logged() if isinstance(event, ast.Constant)}

    assert set(EVENTS) - said == set()


def test_no_event_is_about_a_person() -> None:
    about = [
        (where, word.arg)
        for where, call, event in logged()
        for word in call.keywords
        if word.arg in PERSONAL or (word.arg == "name" and ast.literal_eval(event) not in NAMED)
    ]

    assert about == []


def test_a_meaning_is_one_sentence() -> None:
    assert [name for name, words in EVENTS.items() if not words.endswith(".")] == []
    assert [name for name in EVENTS if name.count(".") != 1] == []
