"""What every command prints, and where: data on stdout, words on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import typer

from dialer.commands import presentation
from dialer.commands.presentation import Colour, Output
from dialer.errors import DialerError, UsageError

#: Exit code of a command that did part of what it was asked for and says what is missing.
PARTLY = 7


def emit(data: Any) -> None:
    """Print *data* on stdout in the form that was asked for, JSON unless another one was."""
    asked = presentation.current()
    output = asked.output or (Output.TABLE if asked.shapes_rows else Output.JSON)
    if output is Output.JSON and not asked.shapes_rows:
        _json(data if asked.limit is None or not isinstance(data, list) else data[: asked.limit])
        return
    from dialer.commands import rows

    found = rows.shaped(
        rows.rows_of(data),
        columns=asked.columns,
        where=asked.where,
        sort=asked.sort,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    if output is Output.JSON:
        _json(found)
    elif output is Output.JSONL:
        for row in found:
            typer.echo(json.dumps(row, ensure_ascii=False, default=str))
    elif output is Output.CSV:
        sys.stdout.write(rows.as_csv(found))
    elif output is Output.ID:
        for name in rows.ids(found):
            typer.echo(name)
    elif found:
        names = list(found[0])
        table(names, [[rows.cell(row.get(name)) for name in names] for row in found])


#: Rows of a list that a person sees when they say nothing; ``--limit`` says otherwise.
USUAL: Final = 25
#: More than any table has.
ALL: Final = 2**62


def rows_wanted(*, as_json: bool) -> int:
    """How many rows a list has to read: what was asked for, all for programs and for whoever
    chooses or orders them, a screenful for people at a terminal.
    """
    asked = presentation.current()
    if asked.shapes_rows:
        return ALL
    if asked.limit is not None:
        return asked.limit
    return USUAL if sys.stdout.isatty() and not as_json else ALL


def say_more(shown: int) -> None:
    """Tell whoever sees as many rows as were read that there may be more."""
    asked = presentation.current().limit
    usual = USUAL if sys.stdout.isatty() else None
    if shown and shown == (usual if asked is None else asked):
        say(f"the first {shown}; see more with --limit")


def _json(data: Any) -> None:
    json.dump(data, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def say(words: str) -> None:
    """Tell the operator something, unless they want to be left alone; never mixed into data."""
    if not presentation.current().quiet:
        typer.echo(words, err=True)


def coloured(stream: Any = None) -> bool:
    """Whether words on *stream* (stdout) may be coloured: https://no-color.org, and by flag."""
    import os

    asked = presentation.current().colour
    if asked is not Colour.AUTO:
        return asked is Colour.ALWAYS
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream or sys.stdout).isatty()


def _cell(text: str) -> str:
    return text if text.isprintable() else one_line(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under *columns*: aligned on a terminal, tab-separated when piped."""
    # A line is a row, whatever somebody is called.
    texts = [[_cell("" if value is None else str(value)) for value in row] for row in rows]
    texts = texts[: presentation.current().limit]
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
    """A stored time as an operator reads it: to the second, in the zone asked for, which is named;
    nothing for no time.
    """
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1000, _zone()).strftime("%Y-%m-%d %H:%M:%S %Z")


def _zone() -> tzinfo | None:
    name = presentation.current().zone
    if not name:
        return UTC
    if name == presentation.LOCAL:
        return None  # as datetime has it
    from dialer.timezones import zone

    return zone(name)


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
        typer.echo(json.dumps(body, ensure_ascii=False), err=True)
        return
    typer.echo(f"error: {error.message}", err=True)
    if error.next_step:
        typer.echo(f"next:  {error.next_step}", err=True)


def confirm_typed(
    question: str, word: str, *, yes: bool, declined: str, confirmed: str | None = None
) -> None:
    """Have *word* typed, on a terminal, before what nobody can bring back; elsewhere *yes* or the
    word itself, *confirmed* by a flag, will do. *declined* is said when something else is typed.
    """
    if confirmed is not None and confirmed != word:
        raise UsageError(f"--confirm {confirmed!r} is not {word!r}; {declined}")
    if yes or confirmed == word:
        return
    if not asks():
        raise UsageError(f"{question} Nobody can be asked here; add --yes if you mean it")
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
    if not asks():
        raise UsageError(f"{question} Nobody can be asked here; add --yes if you mean it")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def asks() -> bool:
    """Whether somebody sits there who may be asked."""
    return sys.stdin.isatty() and not presentation.current().no_input
