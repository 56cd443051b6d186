"""A command that only talks answers at once: it imports nothing that takes long."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from dialer.store import migrate
from dialer.store.opening import make_file

ROOT: Final = Path(__file__).parent.parent.parent

HEAVY: Final = {
    "aiohttp", "aiosql", "aiosqlite", "alembic", "apscheduler", "asyncio", "asyncpg", "fastapi",
    "holidays", "phonenumbers", "prometheus_client", "pydantic_settings", "python_calamine",
    "sqlalchemy", "sqlite3", "starlette", "structlog", "twilio", "uvicorn", "xlsxwriter",
}  # fmt: skip
#: What looking at campaigns does without, as long as they lie in a file and have no calendars.
NOT_TO_LOOK: Final = {
    "aiohttp", "alembic", "apscheduler", "asyncpg", "fastapi", "holidays", "phonenumbers",
    "prometheus_client", "python_calamine", "rich", "sqlalchemy", "starlette", "structlog",
    "twilio", "uvicorn", "xlsxwriter",
}  # fmt: skip
#: Typer's own: rich prints its help, pydantic reads the types of a command's parameters.
TYPERS: Final = {"pydantic", "rich"}

_SCRIPT: Final = """
import sys
sys.argv[0] = "dialer"
import cli
try:
    cli.main()
finally:
    print("imported:", *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def imported(
    *words: str, folder: Path = ROOT, variables: Mapping[str, str] = MappingProxyType({})
) -> set[str]:
    """The top-level modules that a command line has imported when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    *_, last = done.stderr.splitlines()
    heading, *names = last.split()
    assert heading == "imported:", done.stderr
    return set(names)


def test_the_version_costs_next_to_nothing() -> None:
    assert imported("--version") & (HEAVY | TYPERS) == set()


def test_help_imports_nothing_but_what_prints_it() -> None:
    assert imported("--help") & (HEAVY | {"pydantic"}) == set()


@pytest.mark.parametrize(
    "words",
    [
        ("contacts", "import", "--help"),
        ("campaign", "create"),
        ("contakts",),
        ("doctor", "--help"),
        ("init", "--help"),
        ("config", "set", "--help"),
        ("completion", "show", "bash"),
    ],
)
def test_a_question_or_a_slip_imports_no_engine(words: tuple[str, ...]) -> None:
    assert imported(*words) & HEAVY == set()


def test_alone_it_parses_nothing() -> None:
    assert imported() & (HEAVY | TYPERS) == set()


async def test_looking_at_campaigns_imports_no_more_than_it_takes(tmp_path: Path) -> None:
    make_file(tmp_path / "dialer.db")
    await migrate.upgrade(str(tmp_path / "dialer.db"))

    words = ("campaign", "list", "--json")

    assert imported(*words, folder=tmp_path) & NOT_TO_LOOK == set()


@pytest.mark.parametrize("words", ["dialer camp", "dialer campaign sta", "dialer campaign list --"])
def test_a_shell_that_asks_for_words_waits_for_no_engine(words: str) -> None:
    asked = {"_DIALER_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": words}

    assert imported(variables=asked) & HEAVY == set()
