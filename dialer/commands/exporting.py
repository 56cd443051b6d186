"""`dialer contacts export` and `dialer calls export`: lists as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from dialer.commands.console import counted, emit, say

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.exporting.exports import Exported, ExportOrder
    from dialer.exporting.writers import Format

CONTACTS_EXAMPLE: Final = "Example: dialer contacts export people.xlsx -c Renewals --state retry"
CALLS_EXAMPLE: Final = (
    "Example: dialer calls export calls.csv -c Renewals --since 2026-03-01T00:00Z"
)

File = Annotated[
    Path, typer.Argument(help="The file to write; - is standard output.", show_default=False)
]
Campaign = Annotated[str | None, typer.Option("--campaign", "-c", help="Campaign name or id.")]
Form = Annotated[
    str | None,
    typer.Option(
        "--format", "-f", help="csv, csv-semicolon, xlsx, json or jsonl; else by the file's name."
    ),
]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="For programs: leave cells that a spreadsheet would take for formulas."
    ),
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B", help="These alone, as in phone,name,state."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: what was written, and where.")]


def export_contacts(
    file: File = Path("-"),
    campaign: Campaign = None,
    state: Annotated[
        list[str] | None, typer.Option(help="Members in it: pending, retry, …; repeat for more.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="With it; repeat for more.")] = None,
    form: Form = None,
    raw: Raw = False,
    columns: Columns = None,
    with_calls: Annotated[
        bool, typer.Option("--with-calls", help="In JSON: every attempt at each of them, too.")
    ] = False,
    json_: Json = False,
) -> None:
    """Write all contacts to a file, or a campaign's members with what came of them.

    dialer contacts import reads a table back as the same people; what is in columns called
    dialer_… it passes over.
    """
    from dialer.commands.parsing import choice
    from dialer.exporting.exports import ExportOrder, What
    from dialer.states import MemberState

    order = ExportOrder(
        What.CONTACTS,
        file,
        _format(file, form),
        campaign,
        states=[choice("state", each, MemberState) for each in state or []],
        tags=tag or [],
        columns=_names(columns),
        raw=raw,
        with_calls=with_calls,
    )
    _carry_out(order, "contact", as_json=json_)


def export_calls(
    file: File = Path("-"),
    campaign: Campaign = None,
    since: Annotated[
        str | None, typer.Option(help="Attempts from then on: 2026-03-01T00:00Z, or 2h, 1d ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="And before then.")] = None,
    form: Form = None,
    raw: Raw = False,
    columns: Columns = None,
    json_: Json = False,
) -> None:
    """Write every attempt to a file, oldest first, with all that is known of it."""
    from dialer.commands.session import past_of, settings_of
    from dialer.exporting.exports import ExportOrder, What

    settings = settings_of()
    order = ExportOrder(
        What.CALLS,
        file,
        _format(file, form),
        campaign,
        since_at=None if since is None else past_of(since, settings),
        until_at=None if until is None else past_of(until, settings),
        columns=_names(columns),
        raw=raw,
    )
    _carry_out(order, "call", as_json=json_)


def _carry_out(order: "ExportOrder", noun: str, *, as_json: bool) -> None:
    import asyncio

    from dialer.commands import progress
    from dialer.commands.session import working
    from dialer.errors import UsageError
    from dialer.exporting.exports import Export
    from dialer.lists.csvout import STDOUT

    if as_json and order.path == STDOUT:
        raise UsageError("--json tells of a file; to have the data as JSON: --format json")

    def by_lines(done: int, of: int, words: str) -> None:  # noqa: ARG001  as Tell has them
        say(f"{done:,} of {counted(of, noun)}")

    async def use_case(desk: "Desk") -> "Exported":
        run = Export(desk.database, desk.clock, order)
        try:
            with progress.shown(otherwise=progress.now_and_then(by_lines, desk.clock)) as tell:
                return await run.run(lambda far: tell(far.rows, far.total, counted(far.rows, noun)))
        except asyncio.CancelledError:
            if not run.whole and order.path != STDOUT:
                say(f"stopped: {order.path} is as it was")
            raise

    done = working(use_case, create=False)
    if as_json:
        emit(
            {
                "export_id": done.export_id,
                "job_id": done.job_id,
                "path": str(order.path.absolute()),
                "format": order.format,
                "rows": done.rows,
                "bytes": done.bytes,
            }
        )
        return
    written = counted(done.rows, noun)
    say(written + (f" in {order.path}, {done.bytes:,} bytes" if order.path != STDOUT else ""))
    if order.raw and order.format.is_table:
        say("raw: cells that begin with = + - or @ are as they are; open it in no spreadsheet")


def _format(file: Path, told: str | None) -> "Format":
    from dialer.commands.parsing import choice
    from dialer.exporting.writers import Format, format_of

    return format_of(file, None if told is None else choice("format", told, Format))


def _names(columns: str | None) -> Sequence[str]:
    return (
        [] if columns is None else [name for part in columns.split(",") if (name := part.strip())]
    )
