"""`dialer contacts import`: a list of people, taken in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.importing.imports import Import

EXAMPLE: Final = "Example: dialer contacts import people.csv -c Renewals --region DE"


def import_(
    file: Annotated[Path, typer.Argument(help="CSV or .xlsx; - reads standard input.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Campaign name or id.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", "-m", help="FIELD=COLUMN, as phone=Telefon; repeat for more."),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Country of numbers without one; else DIALER_DEFAULT_REGION.")
    ] = None,
    priority: Annotated[
        str, typer.Option(help="Of rows that state none: high, normal or low.")
    ] = "normal",
    existing: Annotated[
        str,
        typer.Option(help="Of people who are known: merge, keep, replace (also empty) or skip."),
    ] = "merge",
    skip_in_other_campaigns: Annotated[
        bool,
        typer.Option(
            "--skip-in-other-campaigns", help="Refuse who waits for a call of another campaign."
        ),
    ] = False,
    encoding: Annotated[
        str | None, typer.Option(help="How the file is written, if it is read wrongly: cp1250.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="What separates its cells: comma, semicolon, tab, bar.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Of a workbook; else its first one.")] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected rows go; else FILE.rejected.csv.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Change nothing; say what would happen.")
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="As --dry-run, and show the first 20 rows.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew, though this list is in, or half of it.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that read rows: 2 for long lists.")
    ] = 1,
    static: Annotated[
        bool, typer.Option("--static", help="Tell progress in lines, not as a bar.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring in a list of people, and make them members of a campaign.

    Known numbers are updated, none is added twice. An import that was cut short goes on where it
    was when the same command runs again; one that is done is not done again.
    Exit 7 when rows were rejected; the others are in.
    """
    from dialer.commands import importing
    from dialer.commands.parsing import choice
    from dialer.commands.session import settings_of, working
    from dialer.importing.imports import Ending, ImportOrder
    from dialer.lists.columns import parse_map
    from dialer.lists.csvio import delimiter_named
    from dialer.lists.files import open_list
    from dialer.lists.rejected_rows import RejectedRows, rejected_path
    from dialer.people.person import Priority
    from dialer.people.rows import Existing
    from dialer.phones import check_region

    in_region = check_region(region or settings_of().default_region)
    named = parse_map(map_ or [])
    rank = choice("priority", priority, Priority)
    rule = choice("existing", existing, Existing)
    mark = None if delimiter is None else delimiter_named(delimiter)
    dry_run = dry_run or preview
    path = rejects or (None if dry_run else rejected_path(file))
    importing.check_apart(file, path)
    with open_list(file, encoding=encoding, delimiter=mark, sheet=sheet) as rows:
        columns = importing.matched(rows, named, in_region)
        with RejectedRows(path, rows.header, rows.delimiter) as rejected:

            async def use_case(desk: "Desk") -> "Import":
                row = None if campaign is None else await importing.joined(desk, campaign)
                importing.say_how_read(rows, columns, in_region)
                sure = yes or dry_run
                enrolment = None if row is None else importing.enrolment(row, rank, yes=sure)
                order = ImportOrder(
                    rows,
                    columns,
                    in_region,
                    enrolment,
                    dry_run,
                    rule,
                    skip_in_other_campaigns,
                    again,
                    workers,
                )
                return await importing.bring_in(desk, order, rejected, static=static)

            run = working(use_case, create=campaign is None)  # else there is nobody to join
        if preview:
            importing.show_glimpses(run)
        report = Path(run.report_path) if run.report_path else rejected.path
        importing.show_outcome(run, report, dry_run=dry_run, as_json=json_)
    if run.ending is Ending.STOPPED:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if run.counts.rejected:
        raise typer.Exit(ExitCode.PARTLY)
