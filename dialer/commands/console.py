"""What every command prints, and where: data on stdout, words on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from dialer.errors import DialerError

#: Exit code of a command that did part of what it was asked for and says what is missing.
PARTLY = 7


def emit(data: Any) -> None:
    """Print *data* as one JSON document on stdout."""
    json.dump(data, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def say(words: str) -> None:
    """Tell the operator something; never mixed into data."""
    typer.echo(words, err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under *columns*: aligned on a terminal, tab-separated when piped."""
    texts = [["" if value is None else str(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in texts:
            typer.echo("\t".join(row))
        return
    widths = [max(map(len, cells)) for cells in zip(columns, *texts, strict=True)]
    for row in ([column.upper() for column in columns], *texts):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())


def counted(count: int, one: str, many: str = "") -> str:
    """As in ``1 day``, ``2 days`` and, with *many* of them, ``1,000 entries``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def one_line(text: str) -> str:
    """*text* without what would break a line of a table, or command the terminal."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def moment(at: int | None) -> str:
    """A stored time as an operator reads it: UTC, to the second; nothing for no time."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at: int | None) -> str | None:
    """A stored time as programs read it: ISO 8601 with milliseconds, UTC."""
    if at is None:
        return None
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def report(error: DialerError, *, as_json: bool) -> None:
    """Print *error* on stderr: what is wrong, and the command that may cure it."""
    if as_json:
        body: Mapping[str, Any] = {
            "error": {"code": error.code, "message": error.message, "next": error.next_step}
        }
        say(json.dumps(body, ensure_ascii=False))
        return
    say(f"error: {error.message}")
    if error.next_step:
        say(f"next:  {error.next_step}")


def confirm_typed(question: str, word: str, *, yes: bool, declined: str) -> None:
    """Have *word* typed, on a terminal, before what nobody can bring back; elsewhere only *yes*
    will do. *declined* is said when something else is typed.
    """
    if yes or not sys.stdin.isatty():
        confirm(question, yes=yes)
        return
    typed = typer.prompt(
        f"{question} Type {word} to do it", default="", show_default=False, err=True
    )
    if typed.strip() != word:
        say(declined)
        raise typer.Exit(1)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; without a terminal only *yes* will do."""
    if yes:
        return
    if not sys.stdin.isatty():
        from dialer.errors import UsageError

        raise UsageError(f"{question} Nobody can be asked here; add --yes if you mean it")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)
