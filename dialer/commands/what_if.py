"""The language of ``--set``: NAME=VALUE, with the names and values of ``campaign create``."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dialer.commands.campaign_settings import SETTINGS, assignment
from dialer.commands.parsing import number
from dialer.errors import UsageError
from dialer.forecast.changes import Changes

#: Settings of the campaign that change what becomes of it.
_OF_THE_CAMPAIGN: Final = (
    "max_concurrent", "call_interval", "max_calls_per_day", "retries", "retry_interval",
    "retry_rule", "spam_threshold", "strategy", "stay_on_number", "ring_timeout",
    "completion_timeout", "start_at", "calls_per_callee",
)  # fmt: skip
#: What lies around the campaign: its numbers, its schedule, its account.
_AROUND: Final = ("numbers", "schedule", "calls_per_second")

NAMES: Final = (*_OF_THE_CAMPAIGN, *_AROUND)


def read_changes(texts: Sequence[str]) -> Changes:
    """What the flags ask for; UsageError names a setting nobody knows, with the closest one."""
    changes, seen = Changes(), set[str]()
    for text in texts:
        name, value = assignment(text, known=NAMES, flag="--set", example="max_concurrent=20")
        if not value:
            raise UsageError(f"--set {text!r}: write NAME=VALUE, as in max_concurrent=20")
        if name in seen:
            raise UsageError(f"--set {name} is given twice")
        seen.add(name)
        changes = _with(changes, name, value)
    return changes


def _with(changes: Changes, name: str, value: str) -> Changes:
    words = name.replace("_", " ")
    match name:
        case "numbers":
            return replace(changes, numbers=_more(value))
        case "schedule":
            return replace(changes, schedule=value)
        case "calls_per_second":
            return replace(changes, calls_per_second=_rate(words, value))
        case _:
            fields = SETTINGS[name].read(words, value)
            return replace(changes, settings={**changes.settings, **fields})


def _rate(name: str, text: str) -> float:
    rate = number(name, text)
    if not 0 <= rate <= 1000:
        raise UsageError(f"{name}: {rate:g} is not between 0 and 1000")
    return rate


def _more(text: str) -> int:
    count = text.removeprefix("+")
    if not text.startswith("+") or not count.isdecimal() or not 1 <= int(count) <= 1000:
        raise UsageError(f"numbers: {text!r}: write +2 for two more numbers, up to +1000")
    return int(count)
