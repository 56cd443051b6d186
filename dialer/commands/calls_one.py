"""`dialer calls show` and `hangup`: one call."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.calls_tail import call_json
from dialer.commands.console import emit, facts_table, iso, moment, say, table

if TYPE_CHECKING:
    from dialer.ports import Row, Tx

Call = Annotated[str, typer.Argument(help="The call's id here, or the carrier's (CA…).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show(call: Call, json_: Json = False) -> None:
    """One call with all the news there was of it."""
    from dialer import one_call
    from dialer.commands.session import reading

    row, news, verdicts = reading(lambda tx, _: one_call.with_news(tx, call))
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
        emit({**facts, "news": told, "amd_verdicts": [_verdict_json(each) for each in verdicts]})
        return
    facts_table(facts)
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
    if verdicts:
        typer.echo("")
        table(
            ["after", "who answered", "mode", "sure", "by", "because"],
            [
                [
                    f"{each['at_ms'] / 1000:.1f} s",
                    each["kind"] or each["verdict"],
                    each["mode"] if each["acting"] else f"{each['mode']} (shadow)",
                    f"{each['confidence']:.0%}",
                    each["detector"],
                    each["cause"],
                ]
                for each in verdicts
            ],
        )
    say(f"why then: dialer explain {row['contact_id']} --call {row['id']}")


def _verdict_json(row: "Row") -> dict[str, Any]:
    """What one mode of detection made of a call."""
    facts = {name: row[name] for name in ("mode", "verdict", "kind", "confidence", "cause")}
    more = {name: row[name] for name in ("at_ms", "detector", "model")}
    return {**facts, "acting": bool(row["acting"]), **more, "decided_at": iso(row["decided_at"])}


def label(
    call: Call,
    who: Annotated[str, typer.Argument(help="human, machine, fax, or unknown to take it back.")],
    json_: Json = False,
) -> None:
    """Write down who answered a call, as somebody knows who has listened to it.

    It changes nothing about the call; dialer amd report holds verdicts against it, and the same
    words are not taken for a machine's in the next call to a number where a person said them.
    """
    from amd.verdict import Verdict
    from dialer import one_call
    from dialer.commands.parsing import choice
    from dialer.commands.session import writing

    verdict = choice("who", who, Verdict)
    row = writing(lambda tx, now: one_call.label(tx, call, verdict, now))
    if json_:
        emit({name: row[name] for name in ("id", "sid", "outcome", "verdict", "label")})
        return
    say(f"call {row['id']}: {row['label']}")


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
