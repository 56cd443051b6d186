"""Business hours as operators handle them: make, look at, ask."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from dialer import audit_log, calendars
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.hours import HORIZON_MS, HolidayProvider, OpeningHours, Schedule
from dialer.hours_format import (
    CLOSED,
    DAYS,
    from_json,
    from_toml,
    parse_ranges,
    parse_weekly,
    to_json,
)
from dialer.months import Day, Month, NameProvider, days_of, month_of, of_schedule
from dialer.plans import hours_from
from dialer.ports import Row, Tx, is_id
from dialer.suggestions import close_matches, did_you_mean
from dialer.timezones import zone as zone_named


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a schedule is open at an instant (UTC ms), and when that changes."""

    at: int
    is_open: bool
    next_open_at: int | None  # *at* itself while open; None: not within 400 days
    open_until_at: int | None  # None while closed, and when it stays open for 400 days


def read(
    *,
    zone: str,
    hours: str,
    closed: Sequence[str] = (),
    exceptions: Sequence[str] = (),
    calendars: Sequence[str] = (),
) -> Schedule:
    """The schedule an operator writes as texts; raises UsageError naming what cannot be read.

    *closed* are dates, *exceptions* a date and its hours each (``2026-12-31 09:00-12:00``),
    *calendars* codes of public holidays, which only their provider can check.
    """
    weekly = {
        day: [str(each) for each in ranges]
        for day, ranges in zip(DAYS, parse_weekly(hours), strict=True)
    }
    return from_json(
        {
            "zone": zone,
            "weekly": weekly,
            "exceptions": dict(_exception(text) for text in exceptions),
            "holidays": list(closed),
            "calendars": list(calendars),
        }
    )


def remarks(schedule: Schedule) -> list[str]:
    """What an operator may not have meant: ranges that overlap, dates stated twice."""
    found = []
    stated = [*zip(DAYS, schedule.weekly, strict=True), *schedule.exceptions.items()]
    for name, ranges in stated:
        for one, other in pairwise(sorted(ranges, key=lambda each: each.start_minute)):
            if one.spills or other.start_minute < one.end_minute:
                found.append(f"{name}: {one} and {other} overlap; they count as one")
    found += [
        f"{day} is closed, and has hours as an exception: the exception counts"
        for day in sorted(schedule.holidays & schedule.exceptions.keys())
    ]
    return found


def from_file(path: Path) -> Schedule:
    """The schedule in a TOML file; raises UsageError naming the file and what is wrong in it."""
    try:
        return from_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", next_step=error.next_step) from error


async def create(tx: Tx, name: str, schedule: Schedule, now: int) -> int:
    """Add a schedule and return its id; raises UsageError for a name that is taken.

    It closes on the days that the own calendars it names have now, and as soon as they change on
    those they have then.
    """
    _check_name(name)
    if await tx.row("schedule_by_name", name=name) is not None:
        raise UsageError(f"there is a schedule {name!r} already; choose another name")
    body = to_json(await calendars.filled(tx, schedule))
    schedule_id = await tx.value("add_schedule", name=name, body=json.dumps(body), now=now)
    after = {"id": schedule_id, **body}
    await audit_log.record(tx, "schedule.create", name, now, after=after)
    return int(schedule_id)


async def edit(tx: Tx, name: str, schedule: Schedule, now: int, *, rename: str = "") -> Row:
    """Let the schedule of that name be *schedule*; campaigns go by it from the next call on.

    Raises UsageError for a new name that is taken and WrongStateError when somebody else has
    changed it meanwhile.
    """
    row = await find(tx, name)
    new_name = rename or row["name"]
    if new_name != row["name"]:
        _check_name(new_name)
        if await tx.row("schedule_by_name", name=new_name) is not None:
            raise UsageError(f"there is a schedule {new_name!r} already; choose another name")
    body = to_json(await calendars.filled(tx, schedule))
    was = json.loads(row["body"])
    if (body, new_name) == (was, row["name"]):
        return row
    written = await tx.run(
        "edit_schedule",
        schedule_id=row["id"],
        name=new_name,
        body=json.dumps(body),
        was=row["body"],
    )
    if not written:
        raise WrongStateError(f"schedule {name!r} was changed by somebody else; do it again")
    await tx.run("revise_campaigns_of_schedule", schedule_id=row["id"])
    await tx.run("bump_revision")
    before, after = {"name": row["name"], **was}, {"name": new_name, **body}
    await audit_log.record(tx, "schedule.edit", row["name"], now, before=before, after=after)
    return await find(tx, new_name)


async def delete(tx: Tx, name: str, now: int) -> Row:
    """Delete a schedule; see :func:`deletable`."""
    row = await deletable(tx, name)
    await tx.run("delete_schedule", schedule_id=row["id"])
    before = {"id": row["id"], **json.loads(row["body"])}
    await audit_log.record(tx, "schedule.delete", row["name"], now, before=before)
    return row


async def deletable(tx: Tx, name: str) -> Row:
    """A schedule that no campaign has; raises WrongStateError naming those that do."""
    row = await find(tx, name)
    users = [each["name"] for each in await tx.rows("schedule_users", schedule_id=row["id"])]
    if users:
        raise WrongStateError(
            f"schedule {row['name']!r} is in use by {', '.join(map(repr, users))}",
            next_step=f"dialer campaign edit {users[0]!r} --set schedule=none",
        )
    return row


async def find(tx: Tx, name: str) -> Row:
    """The schedule of that name or id; raises NotFoundError with the closest one."""
    row = await tx.row("schedule_by_name", name=name)
    if row is None and is_id(name):
        row = await tx.row("schedule_by_id", schedule_id=int(name))
    if row is None:
        names = [each["name"] for each in await listed(tx)]
        raise NotFoundError(
            f"there is no schedule {name!r}{did_you_mean(close_matches(name, names))}",
            next_step="dialer schedule list",
        )
    return row


async def listed(tx: Tx) -> Sequence[Row]:
    """Every schedule, oldest first, with how many campaigns use it."""
    return await tx.rows("list_schedules")


def schedule_of(row: Row) -> Schedule:
    """A stored schedule."""
    return from_json(json.loads(row["body"]))


async def ask(
    tx: Tx, name: str, instants: Sequence[int], holidays: HolidayProvider
) -> list[Answer]:
    """Whether the schedule is open at each of *instants* (UTC ms), and when that changes."""
    hours = hours_from((await find(tx, name))["body"], holidays)
    answers = []
    for at in instants:
        is_open, until_at = hours.is_open(at), hours.open_until(at)
        ends = is_open and until_at < at + HORIZON_MS
        answers.append(Answer(at, is_open, hours.next_open(at), until_at if ends else None))
    return answers


async def month(
    tx: Tx,
    name: str,
    when: tuple[int, int] | None,
    now: int,
    holidays: HolidayProvider,
    names: NameProvider,
) -> tuple[Row, Month]:
    """The schedule of that name and its month: year and number, else that of *now* in its zone.

    *names* has the names of public holidays.
    """
    row = await find(tx, name)
    schedule = schedule_of(row)
    year, number = when or month_of(now, schedule.zone)
    named = calendars.names_from(await calendars.listed(tx), names)
    return row, of_schedule(year, number, OpeningHours(schedule, holidays), named)


async def openings(
    tx: Tx, name: str, since: int, count: int, holidays: HolidayProvider
) -> list[tuple[int, int | None]]:
    """The next *count* times the schedule is open from *since* on: from and until when (UTC ms).

    Until None: for the next 400 days. Fewer where it never opens again.
    """
    hours = hours_from((await find(tx, name))["body"], holidays)
    found: list[tuple[int, int | None]] = []
    at = since
    while len(found) < count and (opens_at := hours.next_open(at)) is not None:
        at = hours.open_until(opens_at)
        if at >= opens_at + HORIZON_MS:
            return [*found, (opens_at, None)]
        found.append((opens_at, at))
    return found


async def days(
    tx: Tx,
    name: str,
    first: date | None,
    count: int,
    now: int,
    holidays: HolidayProvider,
    names: NameProvider,
) -> tuple[Schedule, tuple[Day, ...]]:
    """The schedule of that name, and *count* days of it from *first*, else from today, on."""
    schedule = schedule_of(await find(tx, name))
    today = datetime.fromtimestamp(now / 1000, zone_named(schedule.zone)).date()
    dates = [(first or today) + timedelta(days=ahead) for ahead in range(count)]
    named = calendars.names_from(await calendars.listed(tx), names)
    return schedule, days_of(dates, OpeningHours(schedule, holidays), named)


def changed(
    schedule: Schedule,
    *,
    zone: str | None = None,
    hours: str | None = None,
    closed: Sequence[str] = (),
    exceptions: Sequence[str] = (),
    calendars: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Schedule:
    """*schedule* with what an operator adds to it as texts; see :func:`read`.

    *hours* and *zone* take the place of what was; dates and calendars are added to those there
    are, and taken away *without* them: dates or names of calendars. Raises UsageError for what
    cannot be read and for what there is none of.
    """
    stated = read(
        zone=zone or schedule.zone,
        hours=hours or CLOSED,
        closed=closed,
        exceptions=exceptions,
        calendars=calendars,
    )
    exceptional = {**schedule.exceptions, **stated.exceptions}
    holidays = schedule.holidays | stated.holidays
    named = dict.fromkeys([*schedule.calendars, *stated.calendars])
    gone = set(without)
    known = {*map(str, exceptional), *map(str, holidays), *named}
    for text in sorted(gone - known):
        hint = did_you_mean(close_matches(text, known))
        raise UsageError(f"the schedule has no {text!r} to take away{hint}")
    return replace(
        schedule,
        zone=stated.zone,
        weekly=schedule.weekly if hours is None else stated.weekly,
        exceptions={day: each for day, each in exceptional.items() if str(day) not in gone},
        holidays=frozenset(day for day in holidays if str(day) not in gone),
        calendars=tuple(name for name in named if name not in gone),
        own_days={name: days for name, days in schedule.own_days.items() if name not in gone},
    )


def _check_name(name: str) -> None:
    if not name.strip():
        raise UsageError("a schedule needs a name")
    if name.strip().isdecimal():
        raise UsageError(f"{name!r} would be taken for an id; choose a name with a letter in it")


def _exception(text: str) -> tuple[str, list[str]]:
    day, _, hours = text.strip().partition(" ")
    if not hours.strip():
        raise UsageError(
            f"not a date and its hours: {text!r} (as in '2026-12-31 09:00-12:00', or 'closed')"
        )
    return day, [str(each) for each in parse_ranges(hours)]
