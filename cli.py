"""`dialer`: the whole product without a browser. See ``dialer/commands`` for each noun."""

import sys
from typing import Annotated

import typer

from dialer import __version__
from dialer.commands import (
    audit_log,
    calls,
    campaign,
    contacts,
    db,
    dnc,
    holidays,
    numbers,
    rules,
    run,
    schedule,
)
from dialer.commands.agents import agents
from dialer.commands.audit import audit
from dialer.commands.console import report, say
from dialer.commands.erase import erase
from dialer.commands.explain import EXAMPLES, explain
from dialer.commands.forecast import forecast
from dialer.commands.selftest import selftest
from dialer.commands.session import Options
from dialer.errors import DialerError

INTERRUPTED = 130

app = typer.Typer(
    help="An outbound dialer: campaigns, caller ids, schedules, retries.",
    epilog="First steps: dialer demo · dialer numbers add · dialer campaign create",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(campaign.app, name="campaign")
app.add_typer(contacts.app, name="contacts")
app.add_typer(dnc.app, name="dnc")
app.add_typer(numbers.app, name="numbers")
app.add_typer(rules.app, name="rules")
app.add_typer(schedule.app, name="schedule")
app.add_typer(holidays.app, name="holidays")
app.add_typer(agents, name="agents")
app.add_typer(calls.app, name="calls")
app.add_typer(db.app, name="db")
app.add_typer(audit_log.app, name="audit-log")
app.command(name="audit")(audit)
app.command(name="erase")(erase)
app.command(name="explain", epilog=EXAMPLES)(explain)
app.command(name="forecast")(forecast)
app.command(name="selftest")(selftest)
app.command(name="run")(run.run)
app.command(name="carrier-sim")(run.carrier_sim)
app.command(name="demo")(run.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dialer {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            "-d",
            help="SQLite file or PostgreSQL DSN; else DIALER_DATABASE, else dialer.db.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001  handled by its callback
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Options that go for every command."""
    ctx.obj = Options(database)


def main() -> None:
    """Run the command line; errors become one line on stderr and an exit code."""
    try:
        app()
    except DialerError as error:
        report(error, as_json="--json" in sys.argv)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
