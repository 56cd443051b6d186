"""One calling rule: for whom it is, its hours, holidays and caps, and where it comes from."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from dialer.errors import UsageError
from dialer.hours import DAYS_OF_A_WEEK, Week
from dialer.timezones import zone

EVERYWHERE: Final = "*"
"""The region of a rule for countries without one, and of an own rule for everybody."""

OWN_PREFIX: Final = "own/"
"""How the ids of the operator's own rules begin; no region does."""

COUNTRY_CALENDAR: Final = "country"
"""In place of a calendar's code: the public holidays of the callee's country."""

_REGION: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")  # the forms of ISO 3166-1 and 3166-2
_CAP: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})([mhdw])")
_UNITS_S: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST_PERIOD_S: Final = 366 * 86_400


class Scope(StrEnum):
    """Which calls a rule is about."""

    TELEMARKETING = "telemarketing"  # sales calls: binds unless it is switched off
    DEBT = "debt"  # collection
    RESEARCH = "research"  # opinion polls
    AUTOMATED = "automated"  # dialed by a machine, whoever talks then
    PRERECORDED = "prerecorded"  # a recording talks
    CAUTIOUS = "cautious"  # tighter than any text that was found


class Confidence(StrEnum):
    """How sure it is that the rule is so."""

    HIGH = "high"  # the text itself, or several pages that agree
    MEDIUM = "medium"  # one good page
    LOW = "low"  # could not be verified
    OWN = "own"  # the operator's word


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many calls to one callee in any *period_s* seconds, whoever gets through."""

    calls: int
    period_s: int

    def __post_init__(self) -> None:
        if self.calls < 1:
            raise UsageError(f"a cap of {self.calls} calls would be none; close the hours instead")
        if not 0 < self.period_s <= _LONGEST_PERIOD_S:
            raise UsageError(f"a cap's period is up to 366 days, not {self.period_s} s")

    def __str__(self) -> str:
        for unit, unit_s in (("d", 86_400), ("h", 3600), ("m", 60)):
            if self.period_s % unit_s == 0 and (unit != "d" or self.period_s > unit_s):
                return f"{self.calls}/{self.period_s // unit_s}{unit}"
        return f"{self.calls}/{self.period_s}s"


def parse_cap(text: str) -> Cap:
    """Read ``3/24h``: three calls in any 24 hours; :exc:`UsageError` for anything else."""
    found = _CAP.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"not a cap: {text!r} (calls and a period, as in '3/24h' or '4/30d')")
    return Cap(int(found[1]), int(found[2]) * _UNITS_S[found[3]])


@dataclass(frozen=True, slots=True)
class Rule:
    """When and how often callees of a region may be called, by one law or by the operator's word.

    Raises :exc:`UsageError` for a region that is none, an unknown zone, and dates in disorder.
    """

    id: str
    region: str  # "DE", "US-FL" or "*"
    weekly: Week
    scope: Scope = Scope.TELEMARKETING
    holidays: tuple[str, ...] = ()  # calendars whose days are closed, or COUNTRY_CALENDAR
    caps: tuple[Cap, ...] = ()
    zone: str | None = None  # where a law names the zone; else the callee's
    note: str = ""
    source: str = ""
    confidence: Confidence = Confidence.OWN
    law_found: bool = True  # else a careful choice where no text was found
    valid_from: date | None = None
    valid_to: date | None = None  # the last day

    def __post_init__(self) -> None:
        check_form(self.region)
        if len(self.weekly) != DAYS_OF_A_WEEK:
            raise UsageError(f"a week has 7 days, not {len(self.weekly)}")
        if self.zone is not None:
            zone(self.zone)
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise UsageError(f"a rule cannot end {self.valid_to}, before it begins")

    @property
    def is_own(self) -> bool:
        """Whether the operator made it."""
        return self.id.startswith(OWN_PREFIX)

    @property
    def on_by_default(self) -> bool:
        """Whether it binds without having been switched on."""
        return self.scope is Scope.TELEMARKETING

    @property
    def is_closed(self) -> bool:
        """Whether it leaves no hours at all."""
        return not any(self.weekly)

    @property
    def is_dated(self) -> bool:
        """Whether there are days on which it does not bind."""
        return self.valid_from is not None or self.valid_to is not None

    def binds_on(self, day: date) -> bool:
        """Whether *day* lies within the dates between which it binds."""
        return (self.valid_from or day) <= day <= (self.valid_to or day)


def check_form(region: str) -> None:
    """Raise :exc:`UsageError` unless *region* has the form of one; it may still not exist."""
    if region != EVERYWHERE and not _REGION.fullmatch(region):
        raise UsageError(
            f"not a region: {region!r} (a country, as in 'DE', a country and its subdivision, as"
            f" in 'US-FL', or '{EVERYWHERE}' for everybody)"
        )
