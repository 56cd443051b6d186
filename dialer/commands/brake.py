"""`dialer pause` and `dialer resume`: everything at once, or campaigns by name."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import counted, emit, iso, moment, say

if TYPE_CHECKING:
    from dialer.hold import Hold, Pulled
    from dialer.ports import Row, Tx

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
    json_: Json = False,
) -> None:
    """Stop calling: everything, or the campaigns named. Needs no running daemon."""
    from dialer import campaigns, hold
    from dialer.commands.session import writing

    _check_choice(names, everything, "pause")

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
        cure = "dialer db reconcile" if hold.wants_reconciliation else "dialer resume --all"
        say(f"next:  {cure}")


def _check_choice(names: Sequence[str] | None, everything: bool, verb: str) -> None:
    from dialer.errors import UsageError

    if everything == bool(names):
        raise UsageError(
            "say what: either --all or the names of campaigns", next_step=f"dialer {verb} --all"
        )


def _tell_hold(pulled: "Pulled", *, in_json: bool) -> None:
    hold = pulled.hold
    if in_json:
        emit({"hold": as_json(hold), "new": pulled.new, "calls": pulled.calls})
        return
    if pulled.new:
        say("everything is held: nobody is called, whatever the state of their campaign")
    else:
        say(f"everything is held already, since {moment(hold.at)} by {hold.words}")
    if pulled.calls:
        calls = counted(pulled.calls, "call")
        ending = "are being ended by their daemons" if hold.hang_up_at else "run to their end"
        say(f"{calls} that go on {ending}")
    say("next:  dialer resume --all")


def _tell_campaigns(rows: "Sequence[Row]", *, in_json: bool) -> None:
    if in_json:
        emit([{"id": row["id"], "name": row["name"], "status": row["status"]} for row in rows])
    else:
        for row in rows:
            say(f"campaign {row['name']!r} is {row['status']}")
