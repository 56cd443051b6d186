"""`dialer dnc import` and `dialer dnc export`: the do-not-call list as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.console import counted, iso, say
from dialer.commands.dnc_entries import EVERY_CAMPAIGN, scope_of
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.do_not_call_files import EntryCounts
    from dialer.ports import Row, Tx

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file; - reads standard input.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Of rows that name none; else every one.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", "-m", help="phone, campaign or note=COLUMN; repeat for more."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where rejected rows go; else FILE.rejected.csv.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Country of numbers without one; else DIALER_DEFAULT_REGION.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="How the file is written, if it is read wrongly: cp1250.")
    ] = None,
    json_: Json = False,
) -> None:
    """Put everybody in a file on the list.

    Columns are phone and, if the file has them, campaign (its name; empty: every campaign) and
    note. Who is listed already stays so: a file may be imported again at any time. Exit 7 when
    rows were rejected; the others are in.
    """
    from dialer.commands import importing
    from dialer.commands.session import settings_of, working
    from dialer.do_not_call_files import EntriesOrder, columns_of
    from dialer.lists.columns import Field
    from dialer.lists.csvio import open_table
    from dialer.lists.rejected_rows import RejectedRows, rejected_path
    from dialer.phones import check_region

    in_region = check_region(region or settings_of().default_region)
    path = report or rejected_path(file)
    importing.check_apart(file, path)
    with open_table(file, encoding=encoding) as rows:
        columns = columns_of(rows.header, map_ or [])
        importing.say_how_read(rows, columns, in_region, others="left out")
        with_campaigns = Field.CAMPAIGN in columns.fields
        with RejectedRows(path, rows.header, rows.delimiter, hints=with_campaigns) as rejected:

            async def use_case(desk: "Desk") -> "EntryCounts":
                async with desk.database.read() as tx:
                    scope, name = await scope_of(tx, campaign)
                where = repr(name) if name else EVERY_CAMPAIGN
                say(f"  rows {'that name no campaign ' if with_campaigns else ''}hold in {where}")
                order = EntriesOrder(rows, columns, in_region, scope)
                return await importing.list_in(desk, order, rejected)

            counts = working(use_case, create=campaign is None)
        importing.show_entries(counts, rejected.path, as_json=json_)
    if counts.rejected:
        raise typer.Exit(ExitCode.PARTLY)


def export(
    file: Annotated[Path, typer.Argument(help="The file to write; - is standard output.")] = Path(
        "-"
    ),
    raw: Annotated[
        bool, typer.Option("--raw", help="For programs: numbers without a leading apostrophe.")
    ] = False,
) -> None:
    """Write the whole list as CSV, the oldest entry first; dialer dnc import reads it back.

    An apostrophe keeps spreadsheets from taking a number for a formula.
    """
    from dialer import do_not_call
    from dialer.commands.session import reading
    from dialer.do_not_call_files import write_entries
    from dialer.lists.csvout import STDOUT, written

    async def use_case(tx: "Tx", _now: int) -> Sequence["Row"]:
        return await do_not_call.everything(tx)

    rows = reading(use_case)
    with written(file, raw=raw) as sheet:
        count = write_entries(rows, sheet, shown=iso, raw=raw)
    say(f"{counted(count, 'entry', 'entries')}" + (f" in {file}" if file != STDOUT else ""))
