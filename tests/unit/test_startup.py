"""A command that only talks answers at once: it imports nothing that takes long."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent.parent

HEAVY: Final = {
    "aiohttp", "aiosql", "aiosqlite", "alembic", "apscheduler", "asyncio", "asyncpg", "fastapi",
    "holidays", "phonenumbers", "prometheus_client", "pydantic_settings", "python_calamine",
    "sqlalchemy", "sqlite3", "starlette", "structlog", "twilio", "uvicorn", "xlsxwriter",
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


def imported(*words: str, **variables: str) -> set[str]:
    """The top-level modules that a command line has imported when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *words],
        cwd=ROOT,
        env=os.environ | variables,
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


def test_alone_it_imports_no_engine() -> None:
    assert imported() & (HEAVY | {"rich"}) == set()


@pytest.mark.parametrize("words", ["dialer camp", "dialer campaign sta", "dialer campaign list --"])
def test_a_shell_that_asks_for_words_waits_for_no_engine(words: str) -> None:
    asked = {"_DIALER_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": words}

    assert imported(**asked) & HEAVY == set()
