"""The small languages of flags: durations, instants, choices, retry rules."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean
from retries.outcome import Outcome
from retries.policy import NEVER

Choice = TypeVar("Choice", bound=StrEnum)

_UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")
#: With its unit: a bare number may be meant as a year or a day.
_AGO: Final = re.compile(r"\d+(?:\.\d+)?[smhdw]")
_MS: Final = 1000


def duration_s(name: str, text: str) -> float:
    """Seconds of a text such as ``10s``, ``1.5h`` or ``2d``; a bare number is seconds."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(f"{name}: {text!r} is not a duration; write 30s, 5m, 1.5h or 2d")
    return float(match[1]) * _UNITS_S[match[2]]


def durations_s(name: str, text: str) -> tuple[int, ...]:
    """A list of durations in seconds, as in ``30m,2h,1d``."""
    return tuple(int(duration_s(name, part)) for part in text.split(","))


def whole(name: str, text: str) -> int:
    """A whole number, 0 or more."""
    if not text.strip().isdecimal():
        raise UsageError(f"{name}: {text!r} is not a whole number")
    return int(text)


def number(name: str, text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{name}: {text!r} is not a number") from None


def yes_or_no(name: str, text: str) -> bool:
    """True for yes, true, on and 1, False for their opposites."""
    words = {"yes": True, "true": True, "on": True, "1": True}
    words |= {"no": False, "false": False, "off": False, "0": False}
    if text.strip().lower() not in words:
        raise UsageError(f"{name}: {text!r} is neither yes nor no")
    return words[text.strip().lower()]


def callee_caps(text: str) -> tuple[int, int]:
    """Calls per callee in 24 hours and in 7 days, of a text such as ``3,7``."""
    per_day, comma, per_week = text.partition(",")
    try:
        return int(per_day), int(per_week if comma else per_day)
    except ValueError:
        raise UsageError(
            f"calls per callee: {text!r} is not two numbers; write 3,7 for at most 3 in any 24"
            " hours and 7 in any 7 days"
        ) from None


def instant(text: str) -> int:
    """UTC milliseconds of an ISO 8601 time; it must say its offset, since no zone is meant."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time; write 2026-03-02T09:00:00+01:00 or …Z") from None
    if parsed.tzinfo is None:
        raise UsageError(f"{text!r} does not say its offset; end it with Z or +01:00")
    return int(parsed.astimezone(UTC).timestamp() * 1000)


def past(text: str, now: int) -> int:
    """UTC milliseconds of a time that is looked back to: as :func:`instant` reads it, or so long
    before *now* as a duration with its unit says, such as ``10m``, ``2h`` or ``1d``.
    """
    ago = _AGO.fullmatch(text.strip().lower())
    if ago is not None:
        return max(0, now - int(duration_s("time", ago[0]) * _MS))
    try:
        return instant(text)
    except UsageError as error:
        raise UsageError(f"{error.message}, or 2h for two hours ago") from error


def choice(name: str, text: str, kind: type[Choice]) -> Choice:
    """The member of *kind* called *text*."""
    words = [member.value for member in kind]
    try:
        return kind(text.strip().lower().replace("-", "_"))
    except ValueError:
        hint = did_you_mean(close_matches(text, words)) or f"; choose one of {', '.join(words)}"
        raise UsageError(f"{name}: {text!r} is not known{hint}") from None


def retry_rules(texts: Sequence[str]) -> dict[Outcome, tuple[int, ...]]:
    """Rules such as ``busy=5m,15m`` and ``rejected=never``, by outcome."""
    rules = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise UsageError(f"retry rule {text!r}: write OUTCOME=5m,15m or OUTCOME=never")
        outcome = choice("retry rule", name, Outcome)
        never = value.strip().lower() == "never"
        rules[outcome] = NEVER if never else durations_s(f"retry rule {name}", value)
    return rules
