"""`dialer calls tail`: the newest calls, and those that come."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dialer.commands.console import iso

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.ports import Row

EXAMPLES: Final = "Examples: dialer calls tail · dialer calls tail -f -c Renewals --json"
#: How often is looked for news, in real seconds.
LOOK_S: Final = 0.5
#: So many of the newest calls are looked at each time: what is live is among them.
SEEN: Final = 500


def tail(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on: a line as a call begins, and as it ends.")
    ] = False,
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Only of this campaign.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", min=0, help="How many to begin with.")] = 10,
    json_: Annotated[bool, typer.Option("--json", help="A call each line, as JSON.")] = False,
) -> None:
    """The newest calls, oldest first; with -f those that come, until Ctrl-C.

    Numbers of who was called are masked, as in every list of calls that people look at; --json has
    them in full.
    """
    from dialer.commands.session import working

    async def use_case(desk: "Desk") -> None:
        await _follow(desk, campaign, lines, follow=follow, in_json=json_)

    working(use_case, create=False)


async def _follow(
    desk: "Desk", campaign: str | None, lines: int, *, follow: bool, in_json: bool
) -> None:
    import asyncio
    import signal
    from contextlib import suppress

    from dialer import campaigns, watching
    from dialer.commands.console import say
    from dialer.commands.watch_run import Pipe
    from dialer.errors import StoreError, UnreachableError

    async def newest(limit: int) -> "list[Row]":
        async with desk.database.read() as tx:
            rows = await watching.newest_calls(tx, campaign_id=campaign_id, limit=limit)
        return [*reversed(rows)]

    async with desk.database.read() as tx:
        campaign_id = (await campaigns.find(tx, campaign))["id"] if campaign else 0
    pipe, seen = Pipe(), CallsTold()
    rows = await newest(max(lines, SEEN) if follow else lines)
    first = seen.news(rows)[max(0, len(rows) - lines) :]
    if not follow:
        pipe.write(*[_line(row, in_json=in_json) for row in first])
        return
    left = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, left.set)
    while pipe.write(*[_line(row, in_json=in_json) for row in first]) and not pipe.closed():
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await left.wait()
        if left.is_set():
            return
        first = []
        try:
            first = seen.news(await newest(SEEN))
        except (StoreError, UnreachableError) as error:
            say(f"error: {error.message}")


class CallsTold:
    """Calls that have been told of, and what was told."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, ...]] = {}

    def news(self, rows: "list[Row]") -> "list[Row]":
        """Those of *rows*, oldest first, that are new or have ended; they are the newest of all."""
        told = {row["id"]: (row["outcome"], row["ended_at"] is not None) for row in rows}
        oldest = min(self._known, default="")
        found = [
            row
            for row in rows
            if row["id"] >= oldest and self._known.get(row["id"]) != told[row["id"]]
        ]
        self._known = told or self._known
        return found


def _line(row: "Row", *, in_json: bool) -> str:
    from dialer.commands.console import moment, one_line
    from dialer.commands.showing import zone_of_times
    from dialer.commands.watch_text import call_line
    from dialer.commands.words import Clock
    from dialer.watching import call_of

    if in_json:
        return json.dumps(call_json(row), ensure_ascii=False, default=str)
    clock = Clock(row["intent_at"], zone_of_times())
    campaign = one_line(row["campaign"])
    return f"{moment(row['intent_at'])}  {campaign}  {call_line(call_of(row), clock)}"


def call_json(row: "Row") -> dict[str, Any]:
    """One call of a list, with every fact a program may want."""
    return {
        "id": row["id"],
        "campaign": row["campaign"],
        "contact": row["contact"],
        "from": row["from_"],
        "to": row["phone"],
        "state": row["state"],
        "outcome": row["outcome"],
        "machine_kind": row["machine_kind"],
        "message_left_at": iso(row["message_left_at"]),
        "label": row["label"],
        "detail": row["detail"],
        "started_at": iso(row["intent_at"]),
        "answered_at": iso(row["answered_at"]),
        "ended_at": iso(row["ended_at"]),
        "duration_s": row["duration_s"],
        "sid": row["sid"],
    }
