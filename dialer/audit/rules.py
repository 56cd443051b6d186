"""Calling rules read a second time: does a stored set of them let a callee be called?

A row of ``rule_sets`` holds the operator's own rules and the rules that were switched off. Of the
rules that come with the program the audit knows one, the floor under all calls to the United
States: its text is short and its breach costs most.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

from dialer.audit.hours import DAYS, StoredHours, local_date

#: What a key says in place of zones, and of regions, that nobody knows.
_UNKNOWN: Final = "?"
_EVERYWHERE: Final = "*"
_UNITS_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


@dataclass(frozen=True, slots=True)
class CalleePlace:
    """Where a callee may be, by the key that an attempt keeps; see :func:`callee_place`."""

    regions: Sequence[str]
    zones: Sequence[str]


@dataclass(frozen=True, slots=True)
class StoredRule:
    """One rule: when callees of a region may be called, by their own clocks or by its zone's."""

    id: str
    region: str
    hours: str
    zone: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    caps: Sequence[str] = ()  # as in "2/24h"

    def concerns(self, place: CalleePlace) -> bool:
        """Whether the rule is about somebody who may be at *place*."""
        return self.region == _EVERYWHERE or any(
            self.region in (region, region.partition("-")[0]) for region in place.regions
        )

    def closed_in(self, place: CalleePlace, at: int, skew_ms: int) -> str | None:
        """The zone in which the rule is closed at *at*, whatever the skew; None: in none."""
        for name in [self.zone] if self.zone else place.zones:
            if self._binds(name, at, skew_ms) and not _hours(self.hours, name).open_near(
                at, skew_ms
            ):
                return name
        return None

    def _binds(self, zone_name: str, at: int, skew_ms: int) -> bool:
        """Whether it surely binds on the date that the clocks of a zone show."""
        days = {local_date(zone_name, each) for each in (at - skew_ms, at + skew_ms)}
        return all((self.first_day or day) <= day <= (self.last_day or day) for day in days)


#: 47 CFR 64.1200(c)(1): no sales call before 8:00 and after 21:00 of the called party's time.
US_FLOOR: Final = StoredRule("US", "US", "daily 08:00-21:00")


class StoredRules:
    """A row's body, as JSON; raises ValueError for one that cannot be read."""

    def __init__(self, body: str) -> None:
        try:
            changes: Mapping[str, Any] = json.loads(body)["changes"]
            own = [_own(each) for each in changes["own"]]
            off = set(changes["off"])
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a set of rules: {error!r}") from error
        self._rules = [rule for rule in (US_FLOOR, *own) if rule.id not in off]

    def closed(self, place: CalleePlace, at: int, skew_ms: int) -> str | None:
        """Why nobody at *place* may be called at *at*; None: nothing that is known here."""
        for rule in self._rules:
            if rule.concerns(place):
                zone = rule.closed_in(place, at, skew_ms)
                if zone is not None:
                    return f"when rule {rule.id} is closed in {zone}"
        return None

    def caps(self, place: CalleePlace) -> Iterator[tuple[int, int, str]]:
        """How many calls a callee there may get in how many milliseconds, and by which rule."""
        for rule in self._rules:
            if rule.concerns(place):
                yield from ((*_cap(text), f"rule {rule.id}") for text in rule.caps)


#: As they are delivered: before anybody has changed anything there is no row.
DELIVERED: Final = StoredRules('{"changes": {"own": [], "off": {}}}')


def callee_place(window_key: str) -> CalleePlace | None:
    """Where a callee may be; None where that was not recorded."""
    if not window_key:
        return None
    regions, *zones = window_key.split(" ")
    return CalleePlace(_known(regions.split("+")), _known(zones))


def _known(names: Sequence[str]) -> Sequence[str]:
    return [name for name in names if name != _UNKNOWN]


def _own(form: Mapping[str, Any]) -> StoredRule:
    first, last = (
        form[end] and date.fromisoformat(form[end]) for end in ("valid_from", "valid_to")
    )
    rule = StoredRule(
        form["id"], form["region"], form["hours"], form["zone"], first, last, form["caps"]
    )
    for text in rule.caps:
        _cap(text)  # which raises for one that cannot be read
    _hours(rule.hours, rule.zone or "UTC")  # which raises for hours or a zone that are none
    return rule


def _cap(text: str) -> tuple[int, int]:
    """The calls and the milliseconds of ``2/24h``."""
    calls, _, period = text.partition("/")
    return int(calls), int(period[:-1]) * _UNITS_MS[period[-1:]]


@lru_cache(maxsize=4096)
def _hours(text: str, zone_name: str) -> StoredHours:
    """Hours such as ``mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00`` or ``closed``."""
    weekly: dict[str, list[str]] = {}
    for part in [] if text == "closed" else text.split("; "):
        days, _, ranges = part.partition(" ")
        for day in _days(days):
            weekly.setdefault(day, []).extend(ranges.split(","))
    return StoredHours(json.dumps({"zone": zone_name, "weekly": weekly}), {})


def _days(text: str) -> Iterator[str]:
    """The days of ``daily``, ``mon-fri`` or ``sat``; ValueError for none of these."""
    first, _, last = ("mon-sun" if text == "daily" else text).partition("-")
    yield from DAYS[DAYS.index(first) : DAYS.index(last or first) + 1]
