"""`dialer status`: how the deployment stands, and whether it can work."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dialer.commands.campaign_list import look, print_campaigns
from dialer.commands.console import emit, iso, moment, say
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.ports import Tx
    from dialer.standing import Daemon, Standing

EXAMPLES: Final = "Examples: dialer status · dialer status --json · dialer status --ready -q"
MS: Final = 1000


def status(
    ready: Annotated[
        bool,
        typer.Option("--ready", help="Ask only whether a daemon is at work: exit 0, or 6."),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Daemons, campaigns, live calls, limits, the last backup.

    With --ready, for containers, only the database is asked: is its schema this release's, and
    does a daemon's lease hold?
    """
    from dialer import __version__
    from dialer.commands.brake import say_held
    from dialer.commands.session import working

    if ready:
        _ready(in_json=json_)
        return
    stands = working(look, create=False)
    if json_:
        emit(as_json(stands))
        return
    typer.echo(f"dialer    {__version__}, {moment(stands.at)}")
    for line in lines(stands):
        typer.echo(line)
    if stands.campaigns:
        typer.echo("")
        print_campaigns(stands, [each for each in stands.campaigns if each.archived_at is None])
    say_held(stands.held)
    if not stands.daemons:
        say("no daemon is running, so nothing is dialed; start one: dialer run")


def _ready(*, in_json: bool) -> None:
    from dialer.commands.session import reading
    from dialer.errors import DialerError
    from dialer.standing import daemons

    async def use_case(tx: "Tx", now: int) -> int:
        return len(await daemons(tx, now))

    try:
        alive = reading(use_case)
        trouble = None if alive else "no daemon is running"
    except DialerError as error:
        trouble = error.message
    if in_json:
        emit({"ready": trouble is None, "trouble": trouble})
    elif trouble is not None:
        say(f"not ready: {trouble}")
    if trouble is not None:
        raise typer.Exit(ExitCode.UNREACHABLE)


def lines(stands: "Standing") -> Iterator[str]:
    """Everything but the campaigns, a line each."""
    from dialer.commands import words
    from dialer.standing import by_status

    if not stands.daemons:
        yield "daemon    none"
    for daemon in stands.daemons:
        yield f"daemon    {_daemon(daemon, stands.at)}"
    busy = "" if stands.lines is None else f" of {stands.lines:,} lines busy"
    yield f"calls     {stands.live:,}{busy}, events {stands.behind_ms / MS:.1f} s behind"
    yield f"limits    {_limits(stands)}"
    counts = ", ".join(f"{count} {status}" for status, count in by_status(stands.campaigns).items())
    yield f"campaigns {counts or 'none'}"
    if stands.backup_at is None:
        yield "backup    none: dialer db backup FILE"
    else:
        ago = words.about(max(0, stands.at - stands.backup_at) / MS)
        yield f"backup    {ago} ago: {stands.backup}"


def _daemon(daemon: "Daemon", now: int) -> str:
    from dialer.commands import words

    process = f", process {daemon.pid}" if daemon.pid is not None else ""
    version = f", version {daemon.version}" if daemon.version else ""
    running = words.length(max(0, now - daemon.since_at) / MS)
    return f"running {running} on {daemon.host}{process}{version}"


def _limits(stands: "Standing") -> str:
    account = stands.account
    starts = f"{account.calls_per_second:g} starts per second"
    at_once = f"{account.max_concurrent:,} calls at once"
    return ", ".join(
        [
            starts if account.calls_per_second else "any number of starts per second",
            at_once if account.max_concurrent else "any number of calls at once",
        ]
    )


def as_json(stands: "Standing") -> dict[str, Any]:
    """Everything as programs read it."""
    from dialer import __version__
    from dialer.commands import brake, campaign_list
    from dialer.standing import by_status

    return {
        "at": iso(stands.at),
        "version": __version__,
        "daemons": [
            {
                "id": daemon.id,
                "host": daemon.host,
                "pid": daemon.pid,
                "version": daemon.version,
                "since": iso(daemon.since_at),
                "lease_until": iso(daemon.lease_until),
            }
            for daemon in stands.daemons
        ],
        "hold": brake.as_json(stands.held),
        "live": stands.live,
        "lines": stands.lines,
        "behind_s": stands.behind_ms / MS,
        "limits": {
            "calls_per_second": stands.account.calls_per_second,
            "max_concurrent": stands.account.max_concurrent,
        },
        "backup": (
            None
            if stands.backup_at is None
            else {"at": iso(stands.backup_at), "file": stands.backup}
        ),
        "campaigns_by_status": by_status(stands.campaigns),
        "campaigns": [campaign_list.as_json(each) for each in stands.campaigns],
    }
