"""`dialer calls show` and `hangup`: one call."""

from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.calls_tail import call_json
from dialer.commands.console import emit, iso, moment, say, table

if TYPE_CHECKING:
    from dialer.ports import Row, Tx

Call = Annotated[str, typer.Argument(help="The call's id here, or the carrier's (CA…).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show(call: Call, json_: Json = False) -> None:
    """One call with all the news there was of it."""
    from dialer import one_call
    from dialer.commands.session import reading

    row, news = reading(lambda tx, _: one_call.with_news(tx, call))
    facts = call_json(row)
    if json_:
        told = [
            {
                "source": each["source"],
                "status": each["status"],
                "occurred_at": iso(each["occurred_at"]),
                "received_at": iso(each["received_at"]),
                "answered_by": each["answered_by"],
                "sip_code": each["sip_code"],
                "error_code": each["error_code"],
                "verdict": each["verdict"],
            }
            for each in news
        ]
        emit({**facts, "news": told})
        return
    table(["what", "value"], [[key.replace("_", " "), value] for key, value in facts.items()])
    if news:
        typer.echo("")
        table(
            ["told at", "by", "status", "answered by", "codes"],
            [
                [
                    moment(each["received_at"]),
                    each["source"],
                    each["status"],
                    each["answered_by"],
                    " ".join(str(c) for c in (each["sip_code"], each["error_code"]) if c),
                ]
                for each in news
            ],
        )
    say(f"why then: dialer explain {row['contact_id']} --attempt {row['id']}")


def hangup(
    call: Call,
    json_: Json = False,
) -> None:
    """End a call that goes on; the daemon whose call it is does so at once.

    One that is not made yet is not made: its contact is called no sooner than after the campaign's
    retry interval, and no attempt is counted.
    """
    from dialer import one_call
    from dialer.commands.session import writing
    from dialer.states import AttemptState

    async def use_case(tx: "Tx", now: int) -> "tuple[Row, bool]":
        row = await one_call.hang_up(tx, call, now)
        return row, bool(await tx.rows("live_daemons", now=now))

    row, served = writing(use_case)
    if json_:
        facts = {name: row[name] for name in ("id", "sid", "state")}
        emit({**facts, "asked": True, "daemon": served})
        return
    if row["state"] == AttemptState.INTENT:
        say(f"call {row['id']} is not to be made; if it is on its way, it ends at once")
        say("its contact is called again no sooner than after the campaign's retry interval")
        say(f"next:  dialer contacts skip {row['contact_id']} --campaign {row['campaign']!r}")
    else:
        say(f"call {row['id']} is to end")
    if not served:
        say("no daemon is running; it is ended when one is: dialer run")
