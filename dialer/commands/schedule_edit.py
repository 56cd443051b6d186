"""`dialer schedule edit` and `delete`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import confirm, emit, say, table

if TYPE_CHECKING:
    from dialer.hours import Schedule
    from dialer.ports import Row, Tx

Name = Annotated[str, typer.Argument(help="The schedule's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

EDIT_EXAMPLES = (
    "Examples: dialer schedule edit Office --hours 'mon-fri 09:00-17:00' ·"
    " dialer schedule edit Office --closed 2026-12-24 --without 2026-05-02"
)


def edit(
    name: Name,
    hours: Annotated[
        str | None, typer.Option(help="The week's hours, in place of what is.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Another time zone.")] = None,
    closed: Annotated[
        list[str] | None, typer.Option(help="A further date that is closed; repeat for more.")
    ] = None,
    exception: Annotated[
        list[str] | None,
        typer.Option(help="A further date with hours of its own: '2026-12-31 09:00-12:00'."),
    ] = None,
    calendar: Annotated[
        list[str] | None, typer.Option(help="A further calendar whose days are closed.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Take away a date or a calendar; repeat for more.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="TOML that states all of it anew.")
    ] = None,
    rename: Annotated[str, typer.Option(help="Another name.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Change nothing; say what would change.")
    ] = False,
    json_: Json = False,
) -> None:
    """Change a schedule; campaigns go by it from the next call on."""
    from dialer import calendars, schedules
    from dialer.commands.session import reading, writing
    from dialer.holiday_calendars import check_calendar
    from dialer.hours_format import to_json

    added = {
        "zone": zone,
        "hours": hours,
        "closed": closed,
        "exceptions": exception,
        "calendars": calendar,
        "without": without,
    }
    changes: dict[str, Any] = {key: value for key, value in added.items() if value}
    _check_stated(name, changes, file, rename)

    async def planned(tx: "Tx") -> tuple["Schedule", "Schedule"]:
        before = schedules.schedule_of(await schedules.find(tx, name))
        after = schedules.from_file(file) if file else schedules.changed(before, **changes)
        await calendars.check_known(tx, after.calendars, check_calendar)
        return before, after

    async def look(tx: "Tx", _: int) -> tuple["Schedule", "Schedule", str]:
        return *await planned(tx), rename or name

    async def make(tx: "Tx", now: int) -> tuple["Schedule", "Schedule", str]:
        before, after = await planned(tx)
        row = await schedules.edit(tx, name, after, now, rename=rename)
        return before, after, row["name"]

    before, after, new_name = (reading if dry_run else writing)(look if dry_run else make)
    for remark in schedules.remarks(after):
        say(f"note: {remark}")
    if json_:
        emit({"name": new_name, "dry_run": dry_run, **to_json(after)})
        return
    rows = _differences(to_json(before), to_json(after))
    table(["what", "before", "after"], rows, folds=True)
    if dry_run:
        say("nothing was changed; without --dry-run it is")
    elif not rows and new_name == name:
        say("nothing changes: all of it is so already")
    else:
        say(f"schedule {new_name!r} is changed")


def _check_stated(name: str, changes: Mapping[str, Any], file: Path | None, rename: str) -> None:
    from dialer.errors import UsageError

    if file is not None and changes:
        raise UsageError("a file states everything; leave the other options out")
    if not (changes or file or rename):
        raise UsageError(
            "there is nothing to change", next_step=f"dialer schedule edit {name!r} --help"
        )


def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Delete a schedule that no campaign has."""
    from dialer import schedules
    from dialer.commands.session import reading, writing

    row = reading(lambda tx, _: schedules.deletable(tx, name))
    confirm(f"Delete schedule {row['name']!r}?", yes=yes)

    async def use_case(tx: "Tx", now: int) -> "Row":
        return await schedules.delete(tx, name, now)

    gone = writing(use_case)
    if json_:
        emit({"id": gone["id"], "name": gone["name"]})
    else:
        say(f"schedule {gone['name']!r} is deleted")


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Sequence[Sequence[str]]:
    """What is not as it was, a line for each day or list."""
    flat_before, flat_after = _flat(before), _flat(after)
    keys = dict.fromkeys([*flat_before, *flat_after])
    return [
        [key, flat_before.get(key, ""), flat_after.get(key, "")]
        for key in keys
        if flat_before.get(key) != flat_after.get(key)
    ]


def _flat(form: dict[str, Any]) -> dict[str, str]:
    lines: dict[str, str] = {}
    for key, value in form.items():
        if key in ("weekly", "exceptions"):
            lines |= {day: ", ".join(ranges) or "closed" for day, ranges in value.items()}
        elif isinstance(value, list):
            lines[key] = ", ".join(value)
        elif isinstance(value, str):
            lines[key] = value
    return lines
