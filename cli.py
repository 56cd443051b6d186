"""`dialer`: the whole product without a browser. See ``dialer/commands`` for each noun."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from dialer import __version__
from dialer.commands import presentation
from dialer.commands.shell import Noun, Tree, shared_options
from dialer.errors import DialerError, ExitCode, UsageError

#: Shells set it to ask what may come next, where ``dialer completion`` has told them to.
COMPLETE_VARIABLE: Final = "_DIALER_COMPLETE"

_BEGIN: Final = "Begin"
_CALLING: Final = "Campaigns and calls"
_PEOPLE: Final = "Who is called"
_WHEN: Final = "When, and from where"
_CARE: Final = "Keeping it running"

#: Every word after ``dialer``: where it is implemented, what it is about, and its kind.
NOUNS: Final = {
    "init": Noun("init:init", "Set a folder up: settings, database, first checks.", _BEGIN),
    "demo": Noun("run:demo", "A campaign over simulated phones; no account needed.", _BEGIN),
    "run": Noun("run:run", "The daemon: places calls, takes callbacks.", _CALLING),
    "pause": Noun("brake:pause", "The brake: hold everything, or pause campaigns.", _CALLING),
    "resume": Noun("brake:resume", "Release the brake, or resume campaigns.", _CALLING),
    "status": Noun("status:status", "How it stands: daemons, campaigns, calls, backup.", _CALLING),
    "campaign": Noun("campaign:app", "Make, start, pause and end campaigns.", _CALLING),
    "explain": Noun("explain:explain", "Why a contact is, or is not, called now.", _CALLING),
    "forecast": Noun("forecast:forecast", "When a campaign will be over, and why then.", _CALLING),
    "calls": Noun("calls:app", "What was called, and what came of it.", _CALLING),
    "contacts": Noun("contacts:app", "Import people, look at them, mend them.", _PEOPLE),
    "dnc": Noun("dnc:app", "Who must not be called.", _PEOPLE),
    "erase": Noun("erase:erase", "Forget a person, and never call them again.", _PEOPLE),
    "numbers": Noun("numbers:app", "Caller ids to call from.", _WHEN),
    "agents": Noun("agents:agents", "What talks to people.", _WHEN),
    "schedule": Noun("schedule:app", "Business hours.", _WHEN),
    "holidays": Noun("holidays:app", "Public holidays, and your own days.", _WHEN),
    "rules": Noun("rules:app", "Calling rules by region.", _WHEN),
    "imports": Noun("imports:app", "Lists that were brought in, and taking one back.", _CARE),
    "exports": Noun("exports:app", "Files that lists were exported to.", _CARE),
    "jobs": Noun("jobs:app", "Long work: imports, exports, backups.", _CARE),
    "doctor": Noun("doctor:doctor", "Is it fit to call? What is wrong, and the cure.", _CARE),
    "config": Noun("config:app", "Settings: look at, change, check them.", _CARE),
    "db": Noun("db:app", "Upgrade, check, back up the database.", _CARE),
    "amd": Noun("amd:app", "Who picked up, and how well that is told.", _CARE),
    "audit": Noun("audit:audit", "Were the promises kept? By the carrier's own list.", _CARE),
    "audit-log": Noun("audit_log:app", "Who did what, and when.", _CARE),
    "logs": Noun("logs:app", "What a daemon has said.", _CARE),
    "completion": Noun("completion:app", "Let the shell complete words and names.", _CARE),
    "version": Noun("version:version", "What is installed: release, SQLite, zones, rules.", _CARE),
    "selftest": Noun("selftest:selftest", "Simulated storms, independently judged.", _CARE),
    "carrier-sim": Noun("run:carrier_sim", "A carrier that rings nobody.", _CARE),
}


class Dialer(Tree):
    """The top of the command tree."""

    nouns = NOUNS
    daily = (
        "init", "demo", "run", "doctor", "status", "campaign", "explain", "calls", "contacts",
        "dnc", "numbers", "pause",
    )  # fmt: skip
    examples = (
        "dialer demo",
        "dialer contacts import people.csv --campaign Renewals",
        "dialer explain +12025550101",
    )


app = typer.Typer(
    cls=Dialer,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dialer {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001  handled by its callback, before anything is imported
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """An outbound dialer: campaigns, caller ids, schedules, retries."""
    if ctx.invoked_subcommand is None:
        _show_short_help(ctx.command)


def _show_short_help(root: Any) -> None:
    assert isinstance(root, Tree), "it is the top of the tree"
    typer.echo(root.short_help_text(typer.Context(root, info_name="dialer")))


def tree() -> Any:
    """The whole command tree; nouns are made as they are asked for."""
    root = get_command(app)
    root.params += shared_options()
    return root


def main() -> None:
    """Run the command line; errors become one line on stderr and an exit code."""
    presentation.begin()
    try:
        code = _run()
        sys.stdout.flush()  # at the end of the process nobody could answer for a failure
    except BrokenPipeError as error:
        code = _unread(error)
    except SystemExit as end:  # which Typer and Rich make of a broken pipe
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        code = _unread(end.__context__)
    raise SystemExit(code)


def _run() -> int:
    root = tree()
    if COMPLETE_VARIABLE in os.environ:
        from dialer.commands import completing

        completing.prepare(root)
    elif not sys.argv[1:]:  # there is nothing to parse, which would load what parses
        _show_short_help(root)
        return 0
    try:
        code = root.main(standalone_mode=False)
    except DialerError as error:
        return _fail(error)
    except typer.TyperException as error:
        return _fail(_misuse(error))
    except typer.Abort:  # at a question
        sys.stderr.write("nothing was done\n")
        code = ExitCode.FAILED
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    if code == ExitCode.INTERRUPTED:
        sys.stderr.write("interrupted\n")
    return code if isinstance(code, int) else 0


def _unread(error: BrokenPipeError) -> int:
    """The exit code where nobody reads on; raises *error* if it is not one of our own streams that
    is broken. What is left in their buffers is not tried again when the process ends.
    """
    if not _nobody_reads():
        raise error
    with suppress(BrokenPipeError):
        sys.stdout.flush()  # where it is stderr that is broken
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    return ExitCode.UNREAD


def _nobody_reads() -> bool:
    import select

    poll = select.poll()
    for stream in (1, 2):
        poll.register(stream, 0)
    broken = any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    # Rich, which prints help, has let go of a broken one already.
    return broken or os.path.samestat(os.fstat(1), Path(os.devnull).stat())


def _misuse(error: typer.TyperException) -> UsageError:
    """What is wrong with the words of the command line, in the form of every error."""
    context = getattr(error, "ctx", None)
    words = error.format_message().strip().rstrip(".")
    value = _given(error)
    fault = _fault(error)
    if fault is not None:
        from dialer.value_words import refusal

        why = refusal(fault, repr(fault["input"])).rstrip(".")
        words = f"{words.partition(': ')[0]}: {why}"
    elif value is not None and repr(value) not in words:
        words = f"{words}: {value!r}"
    cure = f"{context.command_path} --help" if context else "dialer --help"
    return UsageError(words[:1].lower() + words[1:], next_step=cure)


def _fault(error: typer.TyperException) -> Mapping[str, Any] | None:
    """What pydantic, which Typer has check the values, says of the one that it refused."""
    faults = getattr(error.__cause__, "errors", None)
    return faults()[0] if faults else None


def _given(error: typer.TyperException) -> str | None:
    """The value that was refused, which the error does not keep: the words are read again."""
    context, param = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None or param is None:
        return None
    words = sys.argv[1:]
    for name in context.command_path.split()[1:]:
        if name in words:
            words.remove(name)
    with suppress(typer.TyperException):
        given, *_ = context.command.make_parser(context).parse_args(args=words)
        value = given.get(param.name)
        return value if isinstance(value, str) else None
    return None


def _fail(error: DialerError) -> int:
    """Tell of an error; returns its exit code."""
    from dialer.commands.console import report

    # The words themselves are asked: a slip may have kept them from being read as options.
    data = {"--json", "json", "jsonl", "--output=json", "--output=jsonl", "-ojson", "-ojsonl"}
    report(error, as_json=bool(data & set(sys.argv)))
    if presentation.current().verbose:
        raise error
    return error.exit_code


if __name__ == "__main__":
    main()
