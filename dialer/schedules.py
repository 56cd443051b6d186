"""Business hours as operators handle them: make, look at, ask."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from dialer import audit_log, calendars
from dialer.errors import NotFoundError, UsageError
from dialer.hours import HORIZON_MS, HolidayProvider, OpeningHours, Schedule
from dialer.hours_format import DAYS, from_json, from_toml, parse_ranges, parse_weekly, to_json
from dialer.months import Month, NameProvider, month_of, of_schedule
from dialer.plans import hours_from
from dialer.ports import Row, Tx
from dialer.suggestions import close_matches, did_you_mean


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
    if not name.strip():
        raise UsageError("a schedule needs a name")
    if name.strip().isdecimal():
        raise UsageError(f"{name!r} would be taken for an id; choose a name with a letter in it")
    if await tx.row("schedule_by_name", name=name) is not None:
        raise UsageError(f"there is a schedule {name!r} already; choose another name")
    body = to_json(await calendars.filled(tx, schedule))
    schedule_id = await tx.value("add_schedule", name=name, body=json.dumps(body), now=now)
    after = {"id": schedule_id, **body}
    await audit_log.record(tx, "schedule.create", name, now, after=after)
    return int(schedule_id)


async def find(tx: Tx, name: str) -> Row:
    """The schedule of that name; raises NotFoundError with the closest one."""
    row = await tx.row("schedule_by_name", name=name)
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


def _exception(text: str) -> tuple[str, list[str]]:
    day, _, hours = text.strip().partition(" ")
    if not hours.strip():
        raise UsageError(
            f"not a date and its hours: {text!r} (as in '2026-12-31 09:00-12:00', or 'closed')"
        )
    return day, [str(each) for each in parse_ranges(hours)]
