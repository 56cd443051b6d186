"""Holiday calendars of the operator's own, beside the library's: make, edit, look up.

A schedule names own calendars as it names countries. Their days are copied into each schedule
that names them, in the transaction that changes them, and the campaigns' plans are made stale:
the engine reads one text, and never one half of an edit.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from dialer import audit_log
from dialer.calendar_days import checked_label, span_text
from dialer.errors import DialerError, NotFoundError, UsageError, WrongStateError
from dialer.hours import Schedule
from dialer.hours_format import from_json, to_json
from dialer.months import Month, NameProvider, of_calendars
from dialer.ports import Row, Tx
from dialer.suggestions import close_matches, did_you_mean

NAME_LENGTH: Final = 60
#: Ten years without one working day; more is a mistake, and is carried by every plan.
MOST_DAYS: Final = 3_660

#: What a country's code, alone or before a subdivision's, could be one day.
_LIKE_A_CODE: Final = re.compile(r"[a-z]{2,3}(-.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Closed days, each with what it is."""

    id: int
    name: str
    days: Mapping[date, str]  # in order
    created_at: int

    @property
    def first(self) -> date | None:
        """The earliest day."""
        return min(self.days, default=None)

    @property
    def last(self) -> date | None:
        """The latest day; nothing is closed by this calendar after it."""
        return max(self.days, default=None)


@dataclass(frozen=True, slots=True)
class Changed:
    """What an edit came to, and the schedules that are closed or open differently by it."""

    calendar: Calendar
    added: int = 0
    renamed: int = 0  # days that were there with another label
    removed: Mapping[date, str] = field(default_factory=dict)
    schedules: Sequence[str] = ()


# -- looking -------------------------------------------------------------------------------------


async def listed(tx: Tx) -> list[Calendar]:
    """Every own calendar, oldest first."""
    return [_calendar(row) for row in await tx.rows("list_calendars")]


async def find(tx: Tx, name: str) -> Calendar:
    """The own calendar of that name, in upper or lower case; raises NotFoundError."""
    return _named(name, await listed(tx))


async def users(tx: Tx) -> Mapping[str, Sequence[str]]:
    """The names of the schedules that name a calendar, by the calendar's name."""
    found: dict[str, list[str]] = {}
    for row, schedule in await _schedules(tx):
        for name in schedule.calendars:
            found.setdefault(name, []).append(row["name"])
    return found


async def check_known(tx: Tx, names: Iterable[str], check_code: Callable[[str], None]) -> None:
    """Raise for the first of *names* that is no own calendar, and no code to *check_code*."""
    own = await listed(tx)
    for name in names:
        if not is_own(name, own):
            if like_a_code(name):
                check_code(name)
            else:
                raise _unknown(name, own)


def is_own(name: str, own: Iterable[Calendar]) -> bool:
    """Whether *name* is that of an own calendar, in upper or lower case."""
    return _fold(name) in {_fold(each.name) for each in own}


def like_a_code(name: str) -> bool:
    """Whether *name* could be a code of the library's; own calendars are never called so."""
    return _LIKE_A_CODE.fullmatch(name) is not None


async def month(
    tx: Tx, names: Sequence[str], year: int, number: int, library: NameProvider
) -> tuple[Sequence[str], Month]:
    """A month as calendars have it, own ones and the *library*'s, and their names as written.

    Without *names* they are all own ones.
    """
    own = await listed(tx)
    spelled = {_fold(each.name): each.name for each in own}
    meant = [spelled.get(_fold(name), name) for name in names] or [each.name for each in own]
    return meant, of_calendars(year, number, meant, names_from(own, library))


def names_from(own: Iterable[Calendar], library: NameProvider) -> NameProvider:
    """The names of the days of own calendars and, for every other code, of the library's."""
    days = {_fold(each.name): each.days for each in own}

    def provider(name: str, year: int) -> Mapping[date, str]:
        if _fold(name) not in days:
            return library(name, year)
        return {day: label for day, label in days[_fold(name)].items() if day.year == year}

    return provider


# -- editing -------------------------------------------------------------------------------------


async def create(tx: Tx, name: str, now: int) -> Calendar:
    """Add a calendar without days; raises UsageError for a name that is taken or may not be."""
    name = _checked_name(name)
    own = await _held(tx)
    if is_own(name, own):
        raise UsageError(
            f"there is a calendar {_named(name, own).name!r} already; choose another name"
        )
    calendar_id = await tx.value("add_calendar", name=name, body=_body({}), now=now)
    await audit_log.record(tx, "holidays.create", name, now)
    return Calendar(int(calendar_id), name, {}, now)


async def removable(tx: Tx, name: str) -> Calendar:
    """The calendar of that name; raises WrongStateError while a schedule names it."""
    calendar = await find(tx, name)
    names = (await users(tx)).get(calendar.name, ())
    if names:
        raise WrongStateError(
            f"calendar {calendar.name!r} is used by {_listing(names)}; schedules that need it"
            " come first",
            next_step=f"dialer schedule show {names[0]!r}",
        )
    return calendar


async def remove(tx: Tx, name: str, now: int) -> Calendar:
    """Remove a calendar with all its days, as far as it is :func:`removable`."""
    await _held(tx)
    calendar = await removable(tx, name)
    await tx.run("remove_calendar", calendar_id=calendar.id)
    await audit_log.record(tx, "holidays.remove", calendar.name, now, before=_said(calendar.days))
    return calendar


async def put(
    tx: Tx, name: str, days: Mapping[date, str], now: int, *, action: str = "holidays.add"
) -> Changed:
    """Add *days* with their labels; a day that is there already takes the new label.

    *action* is what the audit log calls it.
    """
    calendar = _named(name, await _held(tx))
    labelled = {day: checked_label(label) for day, label in sorted(days.items())}
    new = {day: label for day, label in labelled.items() if calendar.days.get(day) != label}
    renamed = {day: calendar.days[day] for day in new if day in calendar.days}
    changed = await _save(tx, calendar, {**calendar.days, **new})
    if new:
        before, after = _said(renamed), _said(new, changed.schedules)
        await audit_log.record(tx, action, calendar.name, now, before=before, after=after)
    return replace(changed, added=len(new) - len(renamed), renamed=len(renamed))


async def bring_in(tx: Tx, name: str, days: Mapping[date, str], now: int) -> tuple[bool, Changed]:
    """As :func:`put`, into a calendar that is made, and said to be, when there is none yet."""
    made = not is_own(name, await _held(tx))
    if made:
        await create(tx, name, now)
    return made, await put(tx, name, days, now, action="holidays.import")


async def take_out(tx: Tx, name: str, days: Collection[date], now: int) -> Changed:
    """Remove *days*: schedules have their weekly hours then. Raises NotFoundError for none."""
    calendar = _named(name, await _held(tx))
    removed = {day: label for day, label in calendar.days.items() if day in days}
    if not removed:
        raise NotFoundError(
            f"calendar {calendar.name!r} has no day {span_text(days)}",
            next_step=f"dialer holidays show {calendar.name!r}",
        )
    left = {day: label for day, label in calendar.days.items() if day not in removed}
    changed = await _save(tx, calendar, left)
    await audit_log.record(
        tx,
        "holidays.remove",
        calendar.name,
        now,
        before=_said(removed),
        after=_said({}, changed.schedules),
    )
    return replace(changed, removed=removed)


async def filled(tx: Tx, schedule: Schedule) -> Schedule:
    """*schedule* with the days of the own calendars it names, as they are now.

    Their names are written as the calendars have them. Whoever stores the schedule does it in the
    same transaction, or an edit of a calendar would be lost.
    """
    own = {_fold(each.name): each for each in await _held(tx)}
    meant = {name: own.get(_fold(name)) for name in schedule.calendars}
    names = dict.fromkeys(found.name if found else name for name, found in meant.items())
    days = {found.name: frozenset(found.days) for found in meant.values() if found}
    return replace(schedule, calendars=tuple(names), own_days=days)


# -- inside --------------------------------------------------------------------------------------


async def _held(tx: Tx) -> list[Calendar]:
    """Every own calendar; nobody else edits one before the transaction ends."""
    return [_calendar(row) for row in await tx.rows("hold_calendars")]


async def _save(tx: Tx, calendar: Calendar, days: Mapping[date, str]) -> Changed:
    """Write the days of a calendar, and the copies in the schedules that name it."""
    if len(days) > MOST_DAYS:
        raise UsageError(
            f"calendar {calendar.name!r} would have {len(days):,} days, more than {MOST_DAYS:,}"
        )
    saved = replace(calendar, days=dict(sorted(days.items())))
    if saved.days == calendar.days:
        return Changed(calendar)
    await tx.run("save_calendar", calendar_id=calendar.id, body=_body(saved.days))
    if saved.days.keys() == calendar.days.keys():
        return Changed(saved)
    return Changed(saved, schedules=await _rewrite_schedules(tx, saved))


async def _rewrite_schedules(tx: Tx, calendar: Calendar) -> list[str]:
    """Copy a calendar's days into the schedules that name it, and make their plans stale."""
    rewritten = []
    for row, schedule in await _schedules(tx):
        if calendar.name not in schedule.calendars:
            continue
        own_days = {**schedule.own_days, calendar.name: frozenset(calendar.days)}
        body = json.dumps(to_json(replace(schedule, own_days=own_days)))
        written = await tx.run(
            "save_schedule_body", schedule_id=row["id"], body=body, was=row["body"]
        )
        if not written:
            raise WrongStateError(
                f"schedule {row['name']!r} was changed by somebody else; do it again"
            )
        await tx.run("revise_campaigns_of_schedule", schedule_id=row["id"])
        rewritten.append(row["name"])
    if rewritten:
        await tx.run("bump_revision")
    return rewritten


async def _schedules(tx: Tx) -> list[tuple[Row, Schedule]]:
    """Every schedule that can be read; one that cannot is closed, whatever its calendars say."""
    found = []
    for row in await tx.rows("schedule_bodies"):
        try:
            found.append((row, from_json(json.loads(row["body"]))))
        except (DialerError, ValueError):
            continue
    return found


def _calendar(row: Row) -> Calendar:
    days = json.loads(row["body"])["days"]
    labels = {date.fromisoformat(day): str(label) for day, label in days.items()}
    return Calendar(row["id"], row["name"], labels, row["created_at"])


def _body(days: Mapping[date, str]) -> str:
    return json.dumps({"days": _texts(days)})


def _texts(days: Mapping[date, str]) -> dict[str, str]:
    return {str(day): label for day, label in days.items()}


def _said(days: Mapping[date, str], schedules: Sequence[str] = ()) -> dict[str, object]:
    """What the audit log keeps of one side of an edit."""
    return {"days": _texts(days), **({"schedules": [*schedules]} if schedules else {})}


def _named(name: str, own: Sequence[Calendar]) -> Calendar:
    for calendar in own:
        if _fold(calendar.name) == _fold(name):
            return calendar
    raise _unknown(name, own)


def _unknown(name: str, own: Sequence[Calendar]) -> NotFoundError:
    near = close_matches(name, [each.name for each in own])
    return NotFoundError(
        f"there is no holiday calendar {name!r}{did_you_mean(near)}",
        next_step="dialer holidays list" if near else f"dialer holidays search {name!r}",
    )


def _checked_name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise UsageError("a calendar needs a name")
    if len(name) > NAME_LENGTH or not name.isprintable():
        raise UsageError(
            f"not a name: {name[:NAME_LENGTH]!r} (at most {NAME_LENGTH} letters, on one line)"
        )
    if like_a_code(name):
        raise UsageError(
            f"{name!r} looks like the code of a country or subdivision, as in DE or US-CA; choose"
            f" a longer name, as in '{name} days'"
        )
    return name


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()


def _listing(names: Sequence[str]) -> str:
    word = "schedule" if len(names) == 1 else "schedules"
    return f"{word} {', '.join(repr(name) for name in names)}"
