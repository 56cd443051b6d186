"""The language of ``--set``: NAME=VALUE, with the names and values of ``campaign create``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from dialer.commands.parsing import (
    callee_caps,
    choice,
    duration_s,
    durations_s,
    instant,
    retry_rules,
)
from dialer.errors import UsageError
from dialer.forecast.changes import Changes
from dialer.suggestions import close_matches, did_you_mean
from rotation.strategies import Strategy

#: What a name of ``--set`` changes, and how its value is read.
_SETTINGS: Final[Mapping[str, tuple[str, Callable[[str, str], Any]]]] = {
    "max_concurrent": ("max_concurrent", lambda name, text: _whole(name, text)),
    "call_interval": ("call_interval_s", duration_s),
    "max_calls_per_day": ("max_calls_per_day", lambda name, text: _whole(name, text)),
    "max_retries": ("max_retries", lambda name, text: _whole(name, text)),
    "retry_intervals": ("retry_intervals_s", durations_s),
    "retry_rule": ("retry_rules", lambda _, text: retry_rules([text])),
    "spam_threshold": ("spam_threshold", lambda name, text: _number(name, text)),
    "strategy": ("strategy", lambda name, text: choice(name, text, Strategy)),
    "stay_on_number": ("stay_on_number", lambda name, text: _yes_or_no(name, text)),
    "ring_timeout": ("ring_timeout_s", lambda name, text: int(duration_s(name, text))),
    "completion_timeout": ("completion_timeout_s", lambda name, text: int(duration_s(name, text))),
    "start_at": ("start_at", lambda _, text: instant(text)),
}
#: What ``calls_per_callee`` changes: calls in any 24 hours and in any 7 days.
_CALLEE_FIELDS: Final = ("callee_calls_per_day", "callee_calls_per_week")
#: What lies around the campaign: its numbers, its schedule, its account.
_AROUND: Final = ("numbers", "schedule", "calls_per_second")
#: The names that ``campaign create`` has for some of them.
_ALSO_CALLED: Final = {"retries": "max_retries", "retry_interval": "retry_intervals"}

NAMES: Final = (*_SETTINGS, "calls_per_callee", *_AROUND)


def read_changes(texts: Sequence[str]) -> Changes:
    """What the flags ask for; UsageError names a setting nobody knows, with the closest one."""
    changes, seen = Changes(), set[str]()
    for text in texts:
        given, equals, value = (part.strip() for part in text.partition("="))
        name = _name(given)
        if not equals or not value:
            raise UsageError(f"--set {text!r}: write NAME=VALUE, as in max_concurrent=20")
        if name in seen:
            raise UsageError(f"--set {name} is given twice")
        seen.add(name)
        changes = _with(changes, name, value)
    return changes


def _name(given: str) -> str:
    name = given.lower().replace("-", "_")
    name = _ALSO_CALLED.get(name, name)
    if name not in NAMES:
        hint = did_you_mean(close_matches(name, NAMES)) or f"; there are {', '.join(NAMES)}"
        raise UsageError(f"--set: unknown setting {given!r}{hint}")
    return name


def _with(changes: Changes, name: str, value: str) -> Changes:
    words = name.replace("_", " ")
    match name:
        case "numbers":
            return replace(changes, numbers=_more(value))
        case "schedule":
            return replace(changes, schedule=value)
        case "calls_per_second":
            return replace(changes, calls_per_second=_rate(words, value))
        case "calls_per_callee":
            caps = zip(_CALLEE_FIELDS, callee_caps(value), strict=True)
            return replace(changes, settings={**changes.settings, **dict(caps)})
        case _:
            field, read = _SETTINGS[name]
            return replace(changes, settings={**changes.settings, field: read(words, value)})


def _whole(name: str, text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{name}: {text!r} is not a whole number")
    return int(text)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{name}: {text!r} is not a number") from None


def _rate(name: str, text: str) -> float:
    rate = _number(name, text)
    if not 0 <= rate <= 1000:
        raise UsageError(f"{name}: {rate:g} is not between 0 and 1000")
    return rate


def _more(text: str) -> int:
    count = text.removeprefix("+")
    if not text.startswith("+") or not count.isdecimal() or not 1 <= int(count) <= 1000:
        raise UsageError(f"numbers: {text!r}: write +2 for two more numbers, up to +1000")
    return int(count)


def _yes_or_no(name: str, text: str) -> bool:
    words = {"yes": True, "true": True, "on": True, "1": True}
    words |= {"no": False, "false": False, "off": False, "0": False}
    if text.lower() not in words:
        raise UsageError(f"{name}: {text!r} is neither yes nor no")
    return words[text.lower()]
