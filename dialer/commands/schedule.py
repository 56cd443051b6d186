"""`dialer schedule`: business hours."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import schedule_days, schedule_edit
from dialer.commands.console import counted, emit, iso, moment, say, table

if TYPE_CHECKING:
    from dialer.hours import Schedule

app = typer.Typer(help="Business hours: when campaigns may call.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The schedule's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(
    epilog="Example: dialer schedule create Office --zone Europe/Berlin --calendar DE-BY"
    " --hours 'mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00', or the same from a file:"
    " dialer schedule create -f office.toml"
)
def create(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A name no other schedule has; else the file's name.", show_default=False
        ),
    ] = None,
    hours: Annotated[
        str | None, typer.Option(help="Days and their hours; 22:00-06:00 passes midnight.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", help="TOML with zone, weekly, exceptions, holidays, calendars."
        ),
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone; else DIALER_DEFAULT_ZONE.")] = None,
    closed: Annotated[
        list[str] | None, typer.Option(help="A date that is closed: 2026-12-24; repeat for more.")
    ] = None,
    exception: Annotated[
        list[str] | None,
        typer.Option(help="A date with hours of its own: '2026-12-31 09:00-12:00'."),
    ] = None,
    calendar: Annotated[
        list[str] | None,
        typer.Option(help="Its days are closed: DE, DE-BY, US-CA, or an own one's name."),
    ] = None,
    json_: Json = False,
) -> None:
    """Make a schedule; a date's exception goes before holidays, holidays before the week."""
    from dialer import calendars, schedules
    from dialer.commands.session import settings_of, writing
    from dialer.errors import UsageError
    from dialer.holiday_calendars import check_calendar
    from dialer.hours_format import to_json
    from dialer.ports import Tx

    if file is not None:
        if hours or zone or closed or exception or calendar:
            raise UsageError("a file states everything; leave the other options out")
        schedule, name = schedules.from_file(file), name or file.stem
    elif hours is not None and name is not None:
        schedule = schedules.read(
            zone=zone or settings_of().default_zone,
            hours=hours,
            closed=closed or [],
            exceptions=exception or [],
            calendars=calendar or [],
        )
    else:
        raise UsageError(
            "a schedule needs a name and --hours, or a file",
            next_step="dialer schedule create --help",
        )

    for remark in schedules.remarks(schedule):
        say(f"note: {remark}")

    async def use_case(tx: Tx, now: int) -> int:
        await calendars.check_known(tx, schedule.calendars, check_calendar)
        return await schedules.create(tx, name, schedule, now)

    schedule_id = writing(use_case)
    if json_:
        emit({"id": schedule_id, "name": name, **to_json(schedule)})
        return
    say(f"schedule {name!r} is made (id {schedule_id})")
    say(f"next:  dialer schedule check {name!r}")


@app.command("list", epilog="Example: dialer schedule list --json")
def list_(json_: Json = False) -> None:
    """All schedules."""
    from dialer import schedules
    from dialer.commands.session import reading
    from dialer.hours_format import format_weekly
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, _now: int) -> Sequence[Row]:
        return await schedules.listed(tx)

    rows = reading(use_case)
    if json_:
        emit([_schedule_json(row) for row in rows])
        return
    if not rows:
        say("no schedules yet; make one: dialer schedule create NAME --hours 'mon-fri 09:00-17:00'")
    found = [(row, schedules.schedule_of(row)) for row in rows]
    table(
        ["id", "name", "zone", "hours", "campaigns"],
        [
            [row["id"], row["name"], each.zone, format_weekly(each.weekly), row["campaigns"]]
            for row, each in found
        ],
        spare=("campaigns", "zone"),
    )


@app.command(epilog="Example: dialer schedule show Office --json")
def show(name: Name, json_: Json = False) -> None:
    """One schedule with its exceptions and holidays."""
    from dialer import schedules
    from dialer.commands.session import reading
    from dialer.hours_format import format_ranges, format_weekly
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, _now: int) -> Row:
        return await schedules.find(tx, name)

    row = reading(use_case)
    if json_:
        emit(_schedule_json(row))
        return
    schedule = schedules.schedule_of(row)
    lines = [("zone", schedule.zone), ("hours", format_weekly(schedule.weekly))]
    lines += [(str(day), format_ranges(each)) for day, each in sorted(schedule.exceptions.items())]
    lines += [(str(day), "closed") for day in sorted(schedule.holidays)]
    lines += [("holidays", _calendar_text(name, schedule)) for name in schedule.calendars]
    table(["what", "when"], lines)


@app.command(epilog="Example: dialer schedule check Office --at 2026-12-24T10:00:00+01:00 --json")
def check(
    name: Name,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", help="ISO 8601 with its offset; repeat for more. Else now."),
    ] = None,
    json_: Json = False,
) -> None:
    """Open or closed at an instant, and when that changes."""
    from dialer import schedules
    from dialer.commands.parsing import instant
    from dialer.commands.session import reading
    from dialer.holiday_calendars import public_holidays
    from dialer.ports import Tx

    instants = [instant(text) for text in at or []]

    async def use_case(tx: Tx, now: int) -> list[schedules.Answer]:
        return await schedules.ask(tx, name, instants or [now], public_holidays)

    answers = reading(use_case)
    if json_:
        emit(
            [
                {
                    "at": iso(each.at),
                    "open": each.is_open,
                    "next_open": iso(each.next_open_at),
                    "open_until": iso(each.open_until_at),
                }
                for each in answers
            ]
        )
        return
    table(
        ["at", "state", "next open", "open until"],
        [
            [
                moment(each.at),
                "open" if each.is_open else "closed",
                moment(each.next_open_at),
                moment(each.open_until_at),
            ]
            for each in answers
        ],
    )


app.command(epilog=schedule_edit.EDIT_EXAMPLES)(schedule_edit.edit)
app.command(epilog="Example: dialer schedule delete Office --yes")(schedule_edit.delete)
app.command("next", epilog="Example: dialer schedule next Office --count 3")(schedule_days.next_)
app.command(epilog="Example: dialer schedule preview Office --from 2026-12-21 --days 14")(
    schedule_days.preview
)


def _calendar_text(name: str, schedule: "Schedule") -> str:
    days = schedule.own_days.get(name)
    return name if days is None else f"{name} (own, {counted(len(days), 'day')})"


def _schedule_json(row: Any) -> dict[str, Any]:
    import json

    return {
        "id": row["id"],
        "name": row["name"],
        **json.loads(row["body"]),
        "created_at": iso(row["created_at"]),
    }
