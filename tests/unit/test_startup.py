"""A command that only talks answers at once: it imports nothing that takes long."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent.parent

HEAVY: Final = {
    "aiohttp", "aiosql", "aiosqlite", "alembic", "apscheduler", "asyncio", "asyncpg", "fastapi",
    "holidays", "phonenumbers", "sqlalchemy", "sqlite3", "starlette", "structlog", "twilio",
    "uvicorn",
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


def imported(*words: str) -> set[str]:
    """The top-level modules that a command line has imported when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *words],
        cwd=ROOT,
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
    "words", [("contacts", "import", "--help"), ("campaign", "create"), ("contakts",)]
)
def test_a_question_or_a_slip_imports_no_engine(words: tuple[str, ...]) -> None:
    assert imported(*words) & HEAVY == set()
