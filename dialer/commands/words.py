"""What screens and lists have in common: glyphs beside words, times and lengths as people say them.

A glyph never stands without its word, and a colour never says what neither of them does. All of
it is pure: the moment and the zone are arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum
from typing import TYPE_CHECKING, Final

from dialer.model import WaitReason
from dialer.overview import LEAST_CALLS, HoursNow
from dialer.states import CampaignStatus
from retries.outcome import Outcome
from rotation.caller import Ineligible

if TYPE_CHECKING:
    from dialer.watching import Call, Number

MS: Final = 1000
#: In place of a figure that nobody can give.
UNKNOWN: Final = "\N{EN DASH}"
#: A weekday names a moment that is closer than this; what lies further off has a date.
_WEEK_MS: Final = 6 * 86_400 * MS


class Glyph(Enum):
    """A sign, what it is where only ASCII can be shown, and one of the terminal's own colours."""

    DRAFT = "✎", "-", "bright_black"
    ACTIVE = "▶", ">", "green"
    PAUSED = "❚❚", "||", "yellow"
    COMPLETED = "✔", "+", "blue"
    GOOD = "✔", "+", "green"
    WATCH = "▲", "^", "yellow"
    BAD = "✖", "x", "red"
    NOTHING = "○", "o", "bright_black"
    MACHINE = "◆", "#", "magenta"
    LIVE = "☎", "@", "yellow"

    def __init__(self, sign: str, plain: str, colour: str) -> None:
        self.sign = sign
        self.plain = plain
        self.colour = colour

    def drawn(self, *, plain: bool) -> str:
        """The sign, or what stands for it in ASCII."""
        return self.plain if plain else self.sign


STATUS: Final[Mapping[CampaignStatus, Glyph]] = {
    CampaignStatus.DRAFT: Glyph.DRAFT,
    CampaignStatus.ACTIVE: Glyph.ACTIVE,
    CampaignStatus.PAUSED: Glyph.PAUSED,
    CampaignStatus.COMPLETED: Glyph.COMPLETED,
    CampaignStatus.CANCELLED: Glyph.BAD,
}
OUTCOME: Final[Mapping[Outcome, Glyph]] = {
    Outcome.HUMAN: Glyph.GOOD,
    Outcome.MACHINE: Glyph.MACHINE,
    Outcome.FAX: Glyph.MACHINE,
    Outcome.NO_ANSWER: Glyph.NOTHING,
    Outcome.BUSY: Glyph.NOTHING,
    Outcome.REJECTED: Glyph.BAD,
    Outcome.INVALID_NUMBER: Glyph.BAD,
    Outcome.CARRIER_FAILED: Glyph.BAD,
    Outcome.CANCELED: Glyph.NOTHING,
    Outcome.NOT_PLACED: Glyph.NOTHING,
}

#: Members that could be called this moment, were it not for a limit.
CALLABLE: Final = frozenset(
    {
        WaitReason.CALL_INTERVAL,
        WaitReason.CALLS_PER_SECOND,
        WaitReason.CAMPAIGN_CONCURRENCY,
        WaitReason.ACCOUNT_CONCURRENCY,
        WaitReason.NEXT,
    }
)
_REASONS: Final[Mapping[str, str]] = {
    WaitReason.DRAFT: "not started: a draft",
    WaitReason.NOT_STARTED: "start lies ahead",
    WaitReason.PAUSED: "paused",
    WaitReason.HELD: "everything is held",
    WaitReason.ENDED: "over",
    WaitReason.NO_DAEMON: "no daemon is running",
    WaitReason.DRAINING: "daemon is going down",
    WaitReason.OUTSIDE_HOURS: "outside its hours",
    WaitReason.CALLEE_HOURS: "outside local hours",
    WaitReason.ZONE_UNKNOWN: "time zone unknown",
    WaitReason.CALLEE_CAP: "enough calls for now",
    WaitReason.NO_NUMBER: "no number is usable",
    WaitReason.CARRIER_BACK_OFF: "carrier rests",
    WaitReason.PRE_DIAL_CHECK: "check is silent",
    WaitReason.STORE_FAILED: "database fails",
    WaitReason.RETRY_NOT_DUE: "retry not due",
    WaitReason.DEFERRED: "given back, soon due",
    WaitReason.CALLEE_BUSY: "called elsewhere",
    WaitReason.IN_CALL: "in a call",
    WaitReason.AWAITING_OUTCOME: "outcome still open",
    **dict.fromkeys(CALLABLE, "callable now"),
}


@dataclass(frozen=True, slots=True)
class Clock:
    """A moment, and the zone in which times are told."""

    now: int  # UTC ms
    zone: tzinfo | None  # None: the machine's

    def full(self, at: int) -> str:
        """As in ``12:31:06``."""
        return f"{self._local(at):%H:%M:%S}"

    def zone_name(self) -> str:
        """As in ``CET``."""
        return self._local(self.now).tzname() or "UTC"

    def short(self, at: int) -> str:
        """As in ``12:31``, with its day where that is not today."""
        then, today = self._local(at), self._local(self.now).date()
        if then.date() == today:
            return f"{then:%H:%M}"
        if 0 <= at - self.now < _WEEK_MS:
            return f"{then:%a %H:%M}"
        year = "" if then.year == today.year else " %Y"
        return then.strftime(f"%a %d %b{year} %H:%M")

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / MS, self.zone).astimezone(self.zone)


def reason(name: str) -> str:
    """Why members wait, in a few words."""
    return _REASONS.get(name, name.replace("_", " "))


def length(seconds: float) -> str:
    """As in ``25 s``, ``2 min 23 s``, ``1 h 05 min``, ``3 d 4 h``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest:02} min"
    days, rest = divmod(hours, 24)
    return f"{days} d {rest} h"


def percent(share: float | None) -> str:
    """As in ``31.2 %``; a dash where there is too little to say."""
    return UNKNOWN if share is None else f"{share:.1%}".replace("%", " %")


def rate(calls: int, part: int) -> str:
    """A share of *calls*, unless there are too few of them."""
    return percent(part / calls if calls >= LEAST_CALLS else None)


def hours(seen: HoursNow, clock: Clock, *, city: bool = False) -> str:
    """As in ``open until 20:00 Europe/Berlin``, in the schedule's zone; or its *city* alone."""
    if seen.zone is None:
        return "always open"
    from dialer.timezones import zone

    there = Clock(clock.now, zone(seen.zone))
    place = seen.zone.rpartition("/")[2].replace("_", " ") if city else seen.zone
    word = "open" if seen.is_open else "closed"
    if seen.changes_at is None:
        return f"always {word}, {place}"
    return f"{word} until {there.short(seen.changes_at)} {place}"


def outcome(call: "Call") -> tuple[Glyph, str]:
    """What came of a call, so far."""
    if call.outcome is not None:
        return OUTCOME[call.outcome], call.outcome.replace("_", " ")
    if call.live:
        return Glyph.LIVE, "live" if call.since_at is not None else "dialing"
    return Glyph.NOTHING, call.state.replace("_", " ")


def spam(number: "Number") -> tuple[Glyph, str]:
    """How a number stands with those who mark spam: 5 is to be watched, 7 is burnt."""
    if number.spam_score is None:
        return Glyph.NOTHING, ""
    text = f"{number.spam_score:g}"
    if number.spam_score >= 7:
        return Glyph.BAD, text
    return (Glyph.WATCH if number.spam_score >= 5 else Glyph.GOOD), text


UNUSABLE: Final[Mapping[Ineligible, str]] = {
    Ineligible.DISABLED: "disabled",
    Ineligible.EXCLUDED: "excluded",
    Ineligible.DAILY_CAP: "full",
    Ineligible.BUSY: "busy",
}


def about(seconds: float) -> str:
    """A length in its largest unit alone, as in ``3 h``."""
    first, unit, *_ = length(seconds).split()
    return f"{first} {unit}"
