"""What every command prints, and where: data on stdout, words on stderr."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import typer

from dialer.amounts import counted as counted
from dialer.commands import presentation
from dialer.commands.presentation import Colour, Output
from dialer.errors import DialerError, ExitCode, UsageError

#: What :func:`iso` writes, and what is written of it without its milliseconds.
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


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
        _lines([json.dumps(row, ensure_ascii=False, default=str) for row in found])
    elif output is Output.CSV:
        sys.stdout.write(rows.as_csv(found))
    elif output is Output.ID:
        _lines([*rows.ids(found)])
    elif found:
        names = list(found[0])
        cells = [[rows.cell(row.get(name)) for name in names] for row in found]
        table(names, cells, spare=names[:0:-1], folds=False)


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


def coloured() -> bool:
    """Whether words on stdout may be coloured: https://no-color.org, and by flag."""
    import os

    asked = presentation.current().colour
    if asked is not Colour.AUTO:
        return asked is Colour.ALWAYS
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _cell(text: str) -> str:
    return text if text.isprintable() else one_line(text)


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    spare: Sequence[str] = (),
    folds: bool | None = None,
) -> None:
    """Print rows under *columns*: aligned on a terminal, whole and tab-separated when piped.

    On a terminal a row is a line. Where there is no room for all of it, *spare* columns give way,
    the first one first, and long texts are cut; in one that *folds*, as a table of two columns
    does, they go on beneath themselves instead.
    """
    # A line is a row, whatever somebody is called.
    texts = [[_cell("" if value is None else str(value)) for value in row] for row in rows]
    texts = texts[: presentation.current().limit]
    if not sys.stdout.isatty():
        _lines(["\t".join(row) for row in texts])
        return
    from shutil import get_terminal_size

    from dialer.commands.fitting import fitted

    folds = len(columns) == 2 if folds is None else folds
    shown = fitted(columns, texts, get_terminal_size().columns, spare=spare, folds=folds)
    _lines(shown.lines)
    if shown.left_out or shown.cut:
        words = ", ".join([*shown.left_out, *(["the ends of long texts"] if shown.cut else [])])
        say(f"not shown for want of room: {words}; make the window wider, or add --json")


def _lines(lines: Sequence[str]) -> None:
    """Hand lines over at once: whoever reads the first one and leaves has been given them all."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def facts_table(facts: Mapping[str, object]) -> None:
    """Print what a JSON answer has told of one thing, a line each, in words."""
    rows = [[name.replace("_", " "), spoken(each)] for name, each in facts.items()]
    table(["what", "value"], rows)


def one_line(text: str) -> str:
    """*text* without what would break a line of a table, or command the terminal."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def moment(at: int | None) -> str:
    """A stored time as an operator reads it: to the second, in the zone asked for, else the
    deployment's, which is named; nothing for no time.
    """
    if at is None:
        return ""
    from dialer.commands.showing import zone_of_times

    local = datetime.fromtimestamp(at / 1000, zone_of_times()).astimezone(zone_of_times())
    return local.strftime("%Y-%m-%d %H:%M:%S %Z")


def spoken(value: object) -> object:
    """A value of a JSON answer as an operator reads it: times as :func:`moment` tells them."""
    if not isinstance(value, str) or _ISO.fullmatch(value) is None:
        return value
    return moment(int(datetime.fromisoformat(value).timestamp() * 1000))


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
        raise typer.Exit(ExitCode.FAILED)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; without a terminal only *yes* will do."""
    if yes:
        return
    if not asks():
        raise UsageError(f"{question} Nobody can be asked here; add --yes if you mean it")
    if not typer.confirm(question, err=True):
        raise typer.Exit(ExitCode.FAILED)


def asks() -> bool:
    """Whether somebody sits there who may be asked."""
    return sys.stdin.isatty() and not presentation.current().no_input
