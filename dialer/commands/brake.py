"""`dialer pause` and `dialer resume`: everything at once, or campaigns by name."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import emit, iso, moment, say
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.hold import Hold, Pulled
    from dialer.ports import Row, Tx
    from dialer.restored import Begun

EXAMPLES = "Examples: dialer pause --all --reason 'script is wrong' · dialer resume --all"

Names = Annotated[list[str] | None, typer.Argument(help="Campaign names or ids.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def pause(
    names: Names = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Hold everything: nobody is called, in any campaign.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; shown wherever it matters.")] = "",
    hang_up: Annotated[
        bool, typer.Option("--hang-up", help="End the calls that go on, too.")
    ] = False,
    restored: Annotated[
        str | None,
        typer.Option(
            help="With --all: the database was restored, and calls since then, ISO 8601 or 2h ago,"
            " may be missing. Pauses every campaign, and wants dialer db reconcile."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Stop calling: everything, or the campaigns named. Needs no running daemon."""
    from dialer import campaigns, hold
    from dialer.commands.session import writing

    _check_choice(names, everything, "pause")
    if restored is not None:
        _hold_restored(restored, everything=everything, reason=reason, hang_up=hang_up, json_=json_)
        return

    async def held(tx: "Tx", now: int) -> "Pulled":
        return await hold.pull(tx, now, reason=reason, hang_up=hang_up)

    async def paused(tx: "Tx", now: int) -> "list[Row]":
        return [
            await campaigns.pause(tx, name, now, reason=reason or None, hang_up=hang_up)
            for name in names or ()
        ]

    if everything:
        _tell_hold(writing(held), in_json=json_)
    else:
        _tell_campaigns(writing(paused), in_json=json_)


def resume(
    names: Names = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Release the hold; campaigns go on as they were.")
    ] = False,
    json_: Json = False,
) -> None:
    """Let everything go on that was held, or the campaigns named that were paused."""
    from dialer import campaigns, hold
    from dialer.commands.session import writing
    from dialer.states import CampaignEvent

    _check_choice(names, everything, "resume")

    async def released(tx: "Tx", now: int) -> "Hold":
        return await hold.release(tx, now)

    async def resumed(tx: "Tx", now: int) -> "list[Row]":
        return [await campaigns.move(tx, name, CampaignEvent.RESUME, now) for name in names or ()]

    if not everything:
        _tell_campaigns(writing(resumed), in_json=json_)
        return
    was = writing(released)
    if json_:
        emit({"hold": None, "was": as_json(was)})
    else:
        say(f"released; everything had been held since {moment(was.at)} ({was.words})")


def as_json(hold: "Hold | None") -> Mapping[str, Any] | None:
    """The hold as programs read it; None when nothing is held."""
    if hold is None:
        return None
    return {
        "at": iso(hold.at),
        "by": hold.by,
        "reason": hold.reason,
        "hang_up": hold.hang_up_at is not None,
        "reconcile_since": iso(hold.reconcile_since_at),
        "reconciled": iso(hold.reconciled_at),
    }


def say_held(hold: "Hold | None") -> None:
    """Tell that everything is held, by whom, why and what releases it; nothing when it is not."""
    if hold is not None:
        say(f"everything is held since {moment(hold.at)} by {hold.words}")
        say(f"next:  {_cure(hold)}")


def _check_choice(names: Sequence[str] | None, everything: bool, verb: str) -> None:
    from dialer.errors import UsageError

    if everything == bool(names):
        raise UsageError(
            "say what: either --all or the names of campaigns", next_step=f"dialer {verb} --all"
        )


def _hold_restored(
    since: str, *, everything: bool, reason: str, hang_up: bool, json_: bool
) -> None:
    """Hold a database that another tool has put back, before a daemon sees it."""
    from dialer import restored
    from dialer.commands.session import past_of, settings_of, writing
    from dialer.errors import UsageError

    if not everything:
        raise UsageError(
            "--restored is about the whole database",
            next_step=f"dialer pause --all --restored {since}",
        )
    since_at = past_of(since, settings_of())

    async def begun(tx: "Tx", now: int) -> "Begun":
        why = reason or "restored"
        return await restored.begin(tx, now, since_at=since_at, reason=why, hang_up=hang_up)

    done = writing(begun)
    if not json_ and done.paused:
        say(f"paused, since nobody can tell what else was stopped: {', '.join(done.paused)}")
    _tell_hold(done.pulled, in_json=json_, paused=done.paused)


def _tell_hold(pulled: "Pulled", *, in_json: bool, paused: Sequence[str] | None = None) -> None:
    """Say what stands; exit code 7 when a daemon goes on all the same."""
    hold = pulled.hold
    if in_json:
        told = {"hold": as_json(hold), "new": pulled.new, "calls": pulled.calls}
        emit(told | {"deaf": [*pulled.deaf]} | ({} if paused is None else {"paused": [*paused]}))
    else:
        _say_pulled(pulled)
    if pulled.deaf:
        names = ", ".join(pulled.deaf)
        typer.echo(
            f"NOT HELD: {names}: an earlier release runs there, which knows of no hold and GOES ON"
            " CALLING; stop it now (process ids follow the machine's name)",
            err=True,
        )
        raise typer.Exit(ExitCode.PARTLY)


def _say_pulled(pulled: "Pulled") -> None:
    hold = pulled.hold
    if pulled.new:
        say("everything is held: nobody is called, whatever the state of their campaign")
    else:
        say(f"everything is held already, since {moment(hold.at)} by {hold.words}")
    if pulled.calls:
        ending = "ended by their daemons" if hold.hang_up_at else "left to end by themselves"
        say(f"live calls: {pulled.calls:,}, {ending}")
    say(f"next:  {_cure(hold)}")


def _cure(hold: "Hold") -> str:
    return "dialer db reconcile" if hold.wants_reconciliation else "dialer resume --all"


def _tell_campaigns(rows: "Sequence[Row]", *, in_json: bool) -> None:
    if in_json:
        emit([{"id": row["id"], "name": row["name"], "status": row["status"]} for row in rows])
    else:
        for row in rows:
            say(f"campaign {row['name']!r} is {row['status']}")
