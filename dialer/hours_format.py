"""Opening hours as text for people, as TOML for their files and as JSON for the database.

Text: ``mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00``. Rules are separated by ``;`` and add
up; days not named are closed; ``22:00-06:00`` passes midnight.

JSON: ``{"zone": …, "weekly": {"mon": ["09:00-12:00"], …}, "exceptions": {"2026-12-24": []},
"holidays": ["2026-12-31"], "calendars": ["DE-BY", "LA PSC"], "own_days": {"LA PSC":
["2026-02-17"]}}``; only zone and weekly are needed.

TOML: the same fields without ``own_days``, which only the calendars themselves can tell. Dates may
be TOML's own, and hours the text for people, in one piece (``weekly = "mon-fri 09:00-17:00"``) or
day by day (``weekly.mon = "09:00-12:00,13:00-18:00"``).
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import groupby
from typing import Any, Final

from dialer.errors import UsageError
from dialer.hours import Range, Ranges, Schedule, Week
from dialer.suggestions import close_matches, did_you_mean
from dialer.value_words import said_of, text_in

CLOSED: Final = "closed"
DAILY: Final = "daily"

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_NUMBER: Final = {
    name: number for names in (DAYS, _FULL_NAMES) for number, name in enumerate(names)
}
_DAY_WORDS: Final = (*DAYS, *_FULL_NAMES, DAILY)

_OWN_DAYS: Final = "own_days"
_WRITTEN_KEYS: Final = ("zone", "weekly", "exceptions", "holidays", "calendars")
_KEYS: Final = (*_WRITTEN_KEYS, _OWN_DAYS)
_NEEDED_KEYS: Final = ("zone", "weekly")

_EXAMPLE: Final = "mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00"
_CLOCK_TIME: Final = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?")
_SPACED_MARK: Final = re.compile(r"\s*([-,])\s*")
_LONG_DASHES: Final = str.maketrans("\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}", "---")


def parse_weekly(text: str) -> Week:
    """Read the hours of a week; :exc:`UsageError` names the part that cannot be read.

    A day may be given hours by several rules, but not be ``closed`` by one and open by another.
    """
    rules = [rule.strip() for rule in _plain(text).split(";") if rule.strip()]
    if not rules:
        raise UsageError(f"no hours in {text!r} (as in '{_EXAMPLE}', or '{CLOSED}')")
    if rules == [CLOSED]:
        return ((),) * len(DAYS)
    given: list[list[Ranges]] = [[] for _ in DAYS]
    for rule in rules:
        days, ranges = _parse_rule(rule)
        for day in days:
            given[day].append(ranges)
    return tuple(_added_up(name, parts) for name, parts in zip(DAYS, given, strict=True))


def format_weekly(week: Week) -> str:
    """The text :func:`parse_weekly` reads back to the same week."""
    runs = [(ranges, [*days]) for ranges, days in groupby(range(len(DAYS)), key=week.__getitem__)]
    rules = [f"{_format_days(days)} {format_ranges(ranges)}" for ranges, days in runs if ranges]
    return "; ".join(rules) or CLOSED


def parse_ranges(text: str) -> Ranges:
    """Read the hours of one day, as in ``09:00-12:00,13:00-18:00`` or ``closed``."""
    plain = _plain(text).strip()
    if plain == CLOSED:
        return ()
    return tuple(parse_range(part) for part in plain.split(","))


def format_ranges(ranges: Ranges) -> str:
    """The text :func:`parse_ranges` reads back to the same ranges."""
    return ",".join(str(each) for each in ranges) or CLOSED


def parse_range(text: str) -> Range:
    """Read ``09:00-18:00``; an end before the start, as in ``22:00-06:00``, passes midnight."""
    start, dash, end = _plain(text).strip().partition("-")
    if not dash:
        raise UsageError(f"not a range of hours: {text!r} (as in 09:00-18:00)")
    return Range(_parse_clock(start), _parse_clock(end))


def to_json(schedule: Schedule) -> dict[str, object]:
    """The form :func:`from_json` reads back to an equal schedule; equal ones look the same."""
    own_days = {name: _day_texts(days) for name, days in sorted(schedule.own_days.items())}
    return {
        "zone": schedule.zone,
        "weekly": {
            name: _range_texts(ranges) for name, ranges in zip(DAYS, schedule.weekly, strict=True)
        },
        "exceptions": {
            day.isoformat(): _range_texts(ranges)
            for day, ranges in sorted(schedule.exceptions.items())
        },
        "holidays": _day_texts(schedule.holidays),
        "calendars": [*schedule.calendars],
        **({_OWN_DAYS: own_days} if own_days else {}),
    }


def from_json(form: object) -> Schedule:
    """Read a schedule; :exc:`UsageError` says where and which value cannot be used.

    Calendar codes are taken as they are: only their provider knows which exist.
    """
    fields = _mapping(form, "schedule")
    _check_keys(fields, _KEYS)
    for key in _NEEDED_KEYS:
        if key not in fields:
            raise UsageError(f"schedule: {key!r} is missing")
    return Schedule(
        zone=text_in(fields["zone"], "zone"),
        weekly=_week_from_json(fields["weekly"]),
        exceptions=_exceptions_from_json(fields.get("exceptions", {})),
        holidays=_dates_from_json(fields.get("holidays", []), "holidays"),
        calendars=tuple(_texts(fields.get("calendars", []), "calendars")),
        own_days={
            name: _dates_from_json(days, f"{_OWN_DAYS}, {name}")
            for name, days in _mapping(fields.get(_OWN_DAYS, {}), _OWN_DAYS).items()
        },
    )


def from_toml(text: str) -> Schedule:
    """Read a schedule from a file's text; :exc:`UsageError` says where and which value is wrong."""
    try:
        fields: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"schedule: not TOML: {error}") from error
    _check_keys(fields, _WRITTEN_KEYS)
    if isinstance(weekly := fields.get("weekly"), str):
        with said_of("weekly"):
            week = parse_weekly(weekly)
        fields["weekly"] = {day: _range_texts(hours) for day, hours in zip(DAYS, week, strict=True)}
    for name in ("weekly", "exceptions"):
        if isinstance(days := fields.get(name), dict):
            fields[name] = {day: _as_list(hours, f"{name}, {day}") for day, hours in days.items()}
    if isinstance(holidays := fields.get("holidays"), list):
        fields["holidays"] = [_as_text(day) for day in holidays]
    return from_json(fields)


def _check_keys(fields: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in fields:
        if key not in known:
            hint = did_you_mean(close_matches(key, known))
            raise UsageError(f"schedule: no such field: {key!r} ({' '.join(known)}){hint}")


def _as_list(hours: object, where: str) -> object:
    """A day's hours in one piece, as :func:`from_json` wants them."""
    if not isinstance(hours, str):
        return hours
    with said_of(where):
        return _range_texts(parse_ranges(hours))


def _as_text(day: object) -> object:
    return day.isoformat() if isinstance(day, date) else day


def _plain(text: str) -> str:
    """Lower case, one kind of dash, and no blanks around dashes and commas."""
    return _SPACED_MARK.sub(r"\1", text.casefold().translate(_LONG_DASHES).replace("\n", ";"))


def _parse_rule(rule: str) -> tuple[list[int], Ranges]:
    words = rule.split()
    if len(words) != len(("days", "ranges")):
        raise UsageError(
            f"not days and their hours: {rule.strip()!r} (as in 'mon-fri 09:00-18:00')"
        )
    days, ranges = words
    return [day for part in days.split(",") for day in _parse_days(part)], parse_ranges(ranges)


def _parse_days(text: str) -> list[int]:
    """Read ``mon``, ``mon-fri`` or ``daily``; ``sat-mon`` goes over the end of the week."""
    if text == DAILY:
        return [*range(len(DAYS))]
    first, dash, last = text.partition("-")
    start = _parse_day(first)
    end = _parse_day(last) if dash else start
    return [(start + step) % len(DAYS) for step in range((end - start) % len(DAYS) + 1)]


def _parse_day(text: str) -> int:
    if text not in _DAY_NUMBER:
        hint = did_you_mean(close_matches(text, _DAY_WORDS))
        raise UsageError(f"not a day: {text!r} ({' '.join(DAYS)}, or {DAILY}){hint}")
    return _DAY_NUMBER[text]


def _parse_clock(text: str) -> int:
    """Minutes since midnight; ``9`` is ``09:00``."""
    found = _CLOCK_TIME.fullmatch(text)
    hour, minute = (int(found[1]), int(found[2] or 0)) if found else (0, 60)
    if minute >= 60 or hour * 60 + minute > 24 * 60:
        raise UsageError(f"not a time of day: {text!r} (24-hour clock, as in 09:30 or 24:00)")
    return hour * 60 + minute


def _added_up(name: str, parts: list[Ranges]) -> Ranges:
    """What the rules give to one day in all."""
    if () in parts and any(parts):
        raise UsageError(f"{name} is both {CLOSED} and open; leave one of the two out")
    return tuple(each for ranges in parts for each in ranges)


def _format_days(days: list[int]) -> str:
    """The name of a run of days."""
    if len(days) == len(DAYS):
        return DAILY
    return DAYS[days[0]] if len(days) == 1 else f"{DAYS[days[0]]}-{DAYS[days[-1]]}"


def _range_texts(ranges: Ranges) -> list[str]:
    return [str(each) for each in ranges]


def _day_texts(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in sorted(days)]


def _week_from_json(value: object) -> Week:
    days = _mapping(value, "weekly")
    for name in days:
        if name not in DAYS:
            raise UsageError(f"weekly: not a day: {name!r} ({' '.join(DAYS)})")
    return tuple(_ranges_from_json(days.get(name, []), f"weekly, {name}") for name in DAYS)


def _exceptions_from_json(value: object) -> dict[date, Ranges]:
    return {
        _date(day, "exceptions"): _ranges_from_json(ranges, f"exceptions, {day}")
        for day, ranges in _mapping(value, "exceptions").items()
    }


def _dates_from_json(value: object, where: str) -> frozenset[date]:
    return frozenset(_date(text, where) for text in _texts(value, where))


def _ranges_from_json(value: object, where: str) -> Ranges:
    texts = _texts(value, where)
    with said_of(where):
        return tuple(parse_range(text) for text in texts)


def _date(text: str, where: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # other spellings would name one date twice
        raise UsageError(f"{where}: not a date: {text!r} (as in 2026-12-24)")
    return day


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"{where}: not an object with named fields: {value!r}")
    return value


def _texts(value: object, where: str) -> list[str]:
    if not isinstance(value, list):
        raise UsageError(f"{where}: not a list: {value!r}")
    return [text_in(each, where) for each in value]
