"""`dialer holidays`: holiday calendars, the library's and the operator's own."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import confirm, counted, emit, iso, say, table
from dialer.commands.holidays_view import (
    calendar_json,
    changed_json,
    days_json,
    read_source,
    say_added,
    say_rejected,
    say_schedules,
    show_month,
    texts,
)
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from datetime import date

    from dialer.calendars import Calendar, Changed
    from dialer.months import Month
    from dialer.ports import Tx

app = typer.Typer(
    help="Holiday calendars: public holidays by country, and lists of your own.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The name of an own calendar.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list", epilog="Example: dialer holidays list --json")
def list_(json_: Json = False) -> None:
    """The calendars of your own; those of countries need not be made."""
    from dialer import calendars
    from dialer.commands.session import reading

    async def use_case(
        tx: "Tx", now: int
    ) -> tuple[Sequence["Calendar"], Mapping[str, Sequence[str]], int]:
        return await calendars.listed(tx), await calendars.users(tx), now

    own, users, now = reading(use_case)
    if json_:
        emit([calendar_json(each, users) for each in own])
        return
    table(
        ["name", "days", "first", "last", "schedules"],
        [
            [each.name, len(each.days), each.first, each.last, ", ".join(users.get(each.name, ()))]
            for each in own
        ],
        spare=("schedules", "last"),
    )
    today = (iso(now) or "")[:10]
    for each in own:
        if each.name in users and str(each.last or "") < today:
            since = f"after {each.last}" if each.last else "at all"
            say(f"{each.name!r} has no day {since}: schedules that name it close for none")
    if not own:
        say("no calendars of your own yet; make one: dialer holidays create NAME")
    say("public holidays go by code, as in DE, DE-BY, US-CA; find one: dialer holidays search TEXT")


@app.command(epilog="Example: dialer holidays show US-LA --year 2026 --json")
def show(
    calendar: Annotated[
        str, typer.Argument(metavar="CODE|NAME", help="US-LA, or the name of an own calendar.")
    ],
    year: Annotated[
        int | None,
        typer.Option(min=1, max=9999, help="Else this year; of an own calendar all years."),
    ] = None,
    json_: Json = False,
) -> None:
    """The days of a calendar."""
    from dialer import calendars
    from dialer.commands.month_grid import weekday
    from dialer.commands.session import reading, settings_of
    from dialer.holiday_calendars import check_calendar, named_holidays
    from dialer.months import month_of

    zone = settings_of().default_zone

    async def use_case(tx: "Tx", now: int) -> tuple[dict[str, Any], Mapping["date", str]]:
        own = await calendars.listed(tx)
        await calendars.check_known(tx, [calendar], check_calendar)
        users = await calendars.users(tx)
        if not calendars.is_own(calendar, own):
            asked = year or month_of(now, zone)[0]
            facts = {"name": calendar, "own": False, "schedules": [*users.get(calendar, ())]}
            return facts, named_holidays(calendar, asked)
        found = await calendars.find(tx, calendar)
        kept = {day: label for day, label in found.days.items() if year in (None, day.year)}
        return calendar_json(found, users), kept

    facts, days = reading(use_case)
    if json_:
        shown = [{"date": str(d), "weekday": weekday(d), "name": n} for d, n in days.items()]
        emit({**facts, "days": shown})
        return
    if not days:
        say(f"{facts['name']!r} has no days" + (f" in {year}" if year else ""))
    table(["date", "day", "name"], [[day, weekday(day), name] for day, name in days.items()])


@app.command("calendar", epilog="Example: dialer holidays calendar 2026-12 --schedule Office")
def month(
    month_: Annotated[
        str | None, typer.Argument(metavar="[MONTH]", help="2026-12; else this month.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option("--schedule", "-s", help="With the hours of this schedule.")
    ] = None,
    calendar: Annotated[
        list[str] | None,
        typer.Option("--calendar", help="US-LA or an own one; repeat for more. Else all own."),
    ] = None,
    json_: Json = False,
) -> None:
    """A month on one screen: what is closed and why and, for a schedule, what is open."""
    from dialer import calendars, schedules
    from dialer.calendar_days import parse_month
    from dialer.commands.session import reading, settings_of
    from dialer.errors import UsageError
    from dialer.holiday_calendars import check_calendar, named_holidays, public_holidays
    from dialer.months import month_of

    if schedule is not None and calendar:
        raise UsageError("a schedule has calendars of its own; leave --schedule or --calendar out")
    when = parse_month(month_) if month_ is not None else None
    zone = settings_of().default_zone

    async def use_case(tx: "Tx", now: int) -> tuple[dict[str, Any], "Month"]:
        if schedule is not None:
            row, found = await schedules.month(
                tx, schedule, when, now, public_holidays, named_holidays
            )
            read = schedules.schedule_of(row)
            names: Sequence[str] = read.calendars
            return {"schedule": row["name"], "zone": read.zone, "calendars": [*names]}, found
        await calendars.check_known(tx, calendar or [], check_calendar)
        year, number = when or month_of(now, zone)
        names, found = await calendars.month(tx, calendar or [], year, number, named_holidays)
        return {"schedule": None, "zone": None, "calendars": [*names]}, found

    facts, found = reading(use_case)
    if json_:
        emit({"month": f"{found.days[0].date:%Y-%m}", **facts, "days": days_json(found)})
        return
    show_month(facts, found)


@app.command(epilog="Example: dialer holidays create 'LA PSC'")
def create(name: Name, json_: Json = False) -> None:
    """Make an empty calendar; name it in schedules as you name countries."""
    from dialer import calendars
    from dialer.commands.session import writing

    async def use_case(tx: "Tx", now: int) -> "Calendar":
        return await calendars.create(tx, name, now)

    made = writing(use_case)
    if json_:
        emit(calendar_json(made, {}))
        return
    say(f"calendar {made.name!r} is made")
    say(f"next:  dialer holidays add {made.name!r} 2026-12-24 'Christmas Eve'")


@app.command(epilog="Example: dialer holidays add 'LA PSC' 2026-12-24..2026-12-26 Christmas")
def add(
    name: Name,
    dates: Annotated[
        str, typer.Argument(metavar="DATE[..DATE]", help="2026-12-24, or a first and a last day.")
    ],
    label: Annotated[list[str], typer.Argument(metavar="LABEL...", help="What the days are.")],
    json_: Json = False,
) -> None:
    """Close one day or several in a row, in every schedule that names the calendar, at once."""
    from dialer import calendars
    from dialer.calendar_days import parse_days
    from dialer.commands.session import writing

    days = dict.fromkeys(parse_days(dates), " ".join(label))

    async def use_case(tx: "Tx", now: int) -> "Changed":
        return await calendars.put(tx, name, days, now)

    changed = writing(use_case)
    if json_:
        emit(changed_json(changed))
        return
    say_added(changed)


@app.command(epilog="Example: dialer holidays remove 'LA PSC' 2026-11-03")
def remove(
    name: Name,
    dates: Annotated[
        str | None,
        typer.Argument(metavar="[DATE[..DATE]]", help="These days; else the whole calendar."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Open days again, or remove a calendar that no schedule names."""
    from dialer import calendars
    from dialer.calendar_days import parse_days
    from dialer.commands.session import reading, writing

    if dates is None:

        async def look(tx: "Tx", _now: int) -> "Calendar":
            return await calendars.removable(tx, name)

        found = reading(look)
        days_text = counted(len(found.days), "day")
        confirm(f"Remove calendar {found.name!r} with {days_text}?", yes=yes or not found.days)

    days = None if dates is None else parse_days(dates)

    async def use_case(tx: "Tx", now: int) -> "Changed | Calendar":
        if days is None:
            return await calendars.remove(tx, name, now)
        return await calendars.take_out(tx, name, days, now)

    done = writing(use_case)
    if isinstance(done, calendars.Calendar):
        if json_:
            emit({"name": done.name, "removed": texts(done.days), "schedules": []})
        say(f"calendar {done.name!r} is removed")
        return
    if json_:
        emit(changed_json(done))
        return
    for day, label in done.removed.items():
        say(f"{day} {label!r} is out of {done.calendar.name!r}")
    say_schedules(done, "no longer close on them, from now on")


@app.command(
    "import", epilog="Example: dialer holidays import US-LA --years 2026-2028 --into PSC-LA"
)
def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CODE|FILE", help="US-LA, or a CSV file with date and label; - reads stdin."
        ),
    ],
    into: Annotated[str, typer.Option("--into", help="An own calendar; made if there is none.")],
    years: Annotated[
        str | None, typer.Option(help="Of a country's holidays: 2026 or 2026-2028.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="How the file is written, if it is read wrongly: cp1250.")
    ] = None,
    json_: Json = False,
) -> None:
    """Fill a calendar with a country's public holidays, to be edited, or from a file.

    Days that are there already take the new label; none is removed. Exit 7 when rows of the file
    were rejected; the others are in.
    """
    from dialer import calendars
    from dialer.commands.session import writing

    days, bad_rows = read_source(source, years, encoding)
    rejected = [
        {"row": each.number, "column": each.column, "value": each.value, "reason": each.reason}
        for each in bad_rows
    ]
    if not days:
        if json_:
            emit({"made": False, "added": 0, "renamed": 0, "rejected": rejected})
        say_rejected(bad_rows)
        say(f"{source} has no row that says a day; nothing was changed")
        raise typer.Exit(ExitCode.PARTLY)

    async def use_case(tx: "Tx", now: int) -> tuple[bool, "Changed"]:
        return await calendars.bring_in(tx, into, days, now)

    made, changed = writing(use_case)
    if json_:
        emit({**changed_json(changed), "made": made, "rejected": rejected})
    else:
        if made:
            say(f"calendar {changed.calendar.name!r} is made")
        say_added(changed)
    say_rejected(bad_rows)
    if bad_rows:
        raise typer.Exit(ExitCode.PARTLY)


@app.command(epilog="Example: dialer holidays search louisiana")
def search(
    text: Annotated[str, typer.Argument(help="Part of a country's or subdivision's name.")],
    json_: Json = False,
) -> None:
    """Find the code of a country or subdivision; subdivisions go by their own names (Bayern)."""
    from dialer.holiday_calendars import names_like
    from dialer.holiday_calendars import search as look_for

    found = look_for(text)
    if json_:
        emit([{"code": each.code, "name": each.name} for each in found])
        return
    table(["code", "name"], [[each.code, each.name] for each in found])
    if not found:
        near = " or ".join(f"{each.name} ({each.code})" for each in names_like(text))
        hint = f"; did you mean {near}?" if near else ""
        say(f"no country or subdivision is called {text!r}{hint}")
