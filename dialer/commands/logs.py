"""`dialer logs`: what a daemon has said."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands import presentation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.log_reading import Line, Wanted

app = typer.Typer(help="What a daemon has said.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object each line.")]

STDIN = "-"
#: Lines that are shown of a file when nothing else bounds them.
FEW = 100
#: What needs a look stands out on a terminal.
_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
#: How often a file is looked at for new lines, in seconds.
POLL_S = 0.2


@app.callback()
def logs() -> None:
    """What a daemon has said, line by line."""


@app.command(epilog="Example: journalctl -u dialer -o cat | dialer logs tail - --level warning")
def tail(
    file: Annotated[
        str | None,
        typer.Argument(help="A log file, or - for standard input; else DIALER_LOG_FILE."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error, and what is worse.")
    ] = None,
    call: Annotated[
        str | None, typer.Option(help="One call: an attempt's id or the carrier's SID.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="From then on: 10m, 2h, 1d ago, or ISO 8601.")
    ] = None,
    lines: Annotated[
        int | None,
        typer.Option("--lines", "-n", min=0, help="So many at most, the latest; else 100."),
    ] = None,
    json_: Json = False,
) -> None:
    """The latest lines of a log: one file's, or whatever comes in by standard input.

    A daemon logs to stderr, which systemd and Docker keep, and to a file if DIALER_LOG_FILE names
    one. Numbers are masked once more. With --since, files the log has given way to are read too;
    with it or with --call there is no bound on the lines.
    """
    from dialer import log_reading

    wanted = _wanted(level, call, since)
    as_json = json_ or presentation.current().wants_data
    if file == STDIN:
        _show(log_reading.last(log_reading.wanted_lines(sys.stdin, wanted), lines), as_json)
        return
    path = _path(file)
    few = FEW if wanted.since_at is None and wanted.call is None else None
    texts = log_reading.texts_of(path, since_at=wanted.since_at)
    found = log_reading.wanted_lines(texts, wanted)
    _show(log_reading.last(found, few if lines is None else lines), as_json)
    if follow:
        from dialer.clock import real_sleep

        coming = log_reading.followed(path, lambda: real_sleep(POLL_S))
        _show(log_reading.wanted_lines(coming, wanted), as_json)


def _wanted(level: str | None, call: str | None, since: str | None) -> "Wanted":
    from dialer.commands.parsing import choice
    from dialer.commands.session import past_of, settings_of
    from dialer.log_reading import Wanted
    from dialer.logs import Level

    since_at = None if since is None else past_of(since, settings_of())
    least = None if level is None else choice("level", level, Level)
    return Wanted(least, call, since_at)


def _path(file: str | None) -> Path:
    from dialer.commands.session import settings_of
    from dialer.errors import UsageError

    name = file or settings_of().log_file
    if not name:
        raise UsageError(
            "which log? name a file, set DIALER_LOG_FILE, or pipe one in with -",
            next_step="journalctl -u dialer -o cat | dialer logs tail -",
        )
    return Path(name)


def _show(lines: "Iterable[Line]", as_json: bool) -> None:
    """Print lines as they come."""
    for line in lines:
        typer.echo(line.as_json() if as_json else _in_colour(line))


def _in_colour(line: "Line") -> str:
    from dialer.commands.console import coloured

    text = line.as_text()
    colour = _COLOURS.get(str((line.entry or {}).get("level")))
    return typer.style(text, fg=colour) if colour and coloured() else text
