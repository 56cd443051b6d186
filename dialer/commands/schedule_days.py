"""`dialer schedule next` and `preview`: when it opens, day by day."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.console import emit, iso, moment, say, table

if TYPE_CHECKING:
    from dialer.hours import Schedule
    from dialer.months import Day
    from dialer.ports import Tx

Name = Annotated[str, typer.Argument(help="The schedule's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def next_(
    name: Name,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 5,
    at: Annotated[str | None, typer.Option("--at", help="From this time on; else now.")] = None,
    json_: Json = False,
) -> None:
    """The next times it is open, the one that goes on first."""
    from dialer import schedules
    from dialer.commands.parsing import instant
    from dialer.commands.session import reading
    from dialer.holiday_calendars import public_holidays

    since = None if at is None else instant(at)

    async def use_case(tx: "Tx", now: int) -> list[tuple[int, int | None]]:
        since_at = now if since is None else since
        return await schedules.openings(tx, name, since_at, count, public_holidays)

    found = reading(use_case)
    if json_:
        emit([{"opens": iso(opens), "closes": iso(closes)} for opens, closes in found])
        return
    table(
        ["opens", "closes"],
        [[moment(opens), moment(closes) or "not for 400 days"] for opens, closes in found],
    )
    if not found:
        say("it does not open within 400 days")


def preview(
    name: Name,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days.")] = 14,
    from_: Annotated[
        str | None, typer.Option("--from", help="First day, as 2026-12-21; else today.")
    ] = None,
    json_: Json = False,
) -> None:
    """Its hours day by day, with the holidays and exceptions that make them so."""
    from dialer import schedules
    from dialer.commands.session import reading
    from dialer.errors import UsageError
    from dialer.holiday_calendars import named_holidays, public_holidays
    from dialer.hours_format import format_ranges

    try:
        first = None if from_ is None else date.fromisoformat(from_)
    except ValueError:
        raise UsageError(f"--from {from_!r} is not a date; write 2026-12-21") from None

    async def use_case(tx: "Tx", now: int) -> "tuple[Schedule, tuple[Day, ...]]":
        return await schedules.days(tx, name, first, days, now, public_holidays, named_holidays)

    schedule, found = reading(use_case)
    if json_:
        emit(
            {
                "zone": schedule.zone,
                "days": [
                    {
                        "date": str(day.date),
                        "weekday": f"{day.date:%A}".lower(),
                        "hours": [str(each) for each in day.hours],
                        "mark": day.mark,
                        "holidays": [each.name for each in day.holidays],
                    }
                    for day in found
                ],
            }
        )
        return
    table(
        ["date", "day", f"hours ({schedule.zone})", "why"],
        [
            [
                day.date,
                f"{day.date:%a}",
                format_ranges(day.hours),
                "; ".join([*(each.name for each in day.holidays)])
                or ("exception" if day.mark == "exception" else ""),
            ]
            for day in found
        ],
    )
