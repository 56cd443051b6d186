"""`dialer calls`: what was dialed, and what came of it."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dialer.commands import calls_one, calls_tail, exporting
from dialer.commands.calls_tail import call_json
from dialer.commands.console import emit, moment, rows_wanted, say, say_more, table

__all__ = ["app", "call_json"]

app = typer.Typer(help="What was dialed, and what came of it.", no_args_is_help=True)


@app.callback()
def _calls() -> None:
    """What was dialed, and what came of it."""


@app.command("list", epilog="Example: dialer calls list --campaign Renewals --limit 100")
def list_(
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Only of this campaign.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The most recent calls, newest first.

    Lists of calls that people look at mask the numbers of who was called, as watch and tail do;
    --json, calls show and exports have them in full.
    """
    from dialer import campaigns
    from dialer.commands.session import reading
    from dialer.masking import mask
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, _now: int) -> Sequence[Row]:
        campaign_id = (await campaigns.find(tx, campaign))["id"] if campaign else 0
        return await tx.rows(
            "list_calls", campaign_id=campaign_id, limit=rows_wanted(as_json=json_)
        )

    rows = reading(use_case)
    if json_:
        emit([call_json(row) for row in rows])
        return
    if not rows:
        say("no calls yet")
    table(
        ["started", "from", "to", "contact", "campaign", "state", "outcome", "seconds"],
        [
            [
                moment(row["intent_at"]),
                row["from_"],
                mask(row["phone"]),
                row["contact"],
                row["campaign"],
                row["state"],
                row["outcome"],
                row["duration_s"],
            ]
            for row in rows
        ],
        spare=("state", "from", "seconds"),
    )
    say_more(len(rows))


app.command("tail", epilog=calls_tail.EXAMPLES)(calls_tail.tail)
app.command("export", epilog=exporting.CALLS_EXAMPLE)(exporting.export_calls)
app.command(epilog="Example: dialer calls show CA0123456789abcdef0123456789abcdef")(calls_one.show)
app.command(epilog="Example: dialer calls label CA0123456789abcdef0123456789abcdef machine")(
    calls_one.label
)
app.command(epilog="Example: dialer calls hangup CA0123456789abcdef0123456789abcdef")(
    calls_one.hangup
)
