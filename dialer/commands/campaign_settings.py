"""The settings of a campaign as operators write them: names, values, and how they are shown.

One table serves ``campaign edit``, ``campaign settings``, campaigns as TOML files and ``forecast
--set``; what they change are fields of :class:`~dialer.campaigns.NewCampaign`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from dialer.campaigns import NewCampaign
from dialer.commands.console import iso
from dialer.commands.parsing import (
    callee_caps,
    choice,
    duration_s,
    durations_s,
    instant,
    number,
    retry_rules,
    whole,
    yes_or_no,
)
from dialer.errors import UsageError
from dialer.model import AmdMode, OnMachine
from dialer.suggestions import close_matches, did_you_mean
from retries.outcome import Outcome
from retries.policy import NEVER
from rotation.strategies import Strategy

#: In place of a schedule or a start: there is none.
NONE: Final = "none"


class Setting(NamedTuple):
    """How one setting is written."""

    about: str
    read: Callable[[str, str], Mapping[str, Any]]  # (its name in words, text) → fields
    show: Callable[[NewCampaign], str]  # the text that reads as the same


def span(seconds: float) -> str:
    """A duration as it is written, in the largest unit that fits: ``90s``, ``2h``, ``1.5s``."""
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{seconds}s"


def _one(field: str, read: Callable[[str, str], Any]) -> Callable[[str, str], Mapping[str, Any]]:
    return lambda words, text: {field: read(words, text)}


def _plain(field: str) -> Callable[[NewCampaign], str]:
    return lambda campaign: f"{getattr(campaign, field):g}"


def _rules(text: str) -> dict[Outcome, tuple[int, ...]]:
    """Rules as in ``busy=5m,15m; rejected=never``; an empty text or ``none``: no rules."""
    wanted = "" if text.strip().lower() == NONE else text
    return retry_rules([part.strip() for part in wanted.split(";") if part.strip()])


def _rules_text(campaign: NewCampaign) -> str:
    return "; ".join(
        f"{outcome}={'never' if waits == NEVER else ','.join(map(span, waits))}"
        for outcome, waits in campaign.retry_rules.items()
    )


def _caps(_: str, text: str) -> Mapping[str, int]:
    per_day, per_week = callee_caps(text)
    return {"callee_calls_per_day": per_day, "callee_calls_per_week": per_week}


def _start(_: str, text: str) -> int | None:
    return None if text.strip().lower() in ("", NONE) else instant(text)


def _words(_: str, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _modes(words: str, text: str) -> tuple[AmdMode, ...]:
    names = () if text.strip().lower() == NONE else _words(words, text)
    return tuple(dict.fromkeys(choice(words, name, AmdMode) for name in names))


SETTINGS: Final[Mapping[str, Setting]] = {
    "name": Setting(
        "A name no other campaign has.", _one("name", lambda _, text: text), lambda c: c.name
    ),
    "notes": Setting("Free text.", _one("notes", lambda _, text: text), lambda c: c.notes),
    "labels": Setting(
        "Words to find it by: a,b.", _one("labels", _words), lambda c: ",".join(c.labels)
    ),
    "start_at": Setting(
        "Not before this time, ISO 8601; none = at once.",
        _one("start_at", _start),
        lambda c: iso(c.start_at) or NONE,
    ),
    "strategy": Setting(
        "round_robin, lowest_spam, least_used_today or weighted.",
        _one("strategy", lambda words, text: choice(words, text, Strategy)),
        lambda c: str(c.strategy),
    ),
    "spam_threshold": Setting(
        "Numbers with this score or more are left out, 1-9.",
        _one("spam_threshold", number),
        _plain("spam_threshold"),
    ),
    "max_calls_per_day": Setting(
        "Per number, 1-1000.", _one("max_calls_per_day", whole), _plain("max_calls_per_day")
    ),
    "stay_on_number": Setting(
        "Call a callee again from the same number: yes or no.",
        _one("stay_on_number", yes_or_no),
        lambda c: "yes" if c.stay_on_number else "no",
    ),
    "call_interval": Setting(
        "From start to start of calls: 10s, 2m, 0.5s; 0s = none.",
        _one("call_interval_s", duration_s),
        lambda c: span(c.call_interval_s),
    ),
    "max_concurrent": Setting(
        "Calls at once, 1-10000.", _one("max_concurrent", whole), _plain("max_concurrent")
    ),
    "ring_timeout": Setting(
        "How long a call may ring, 5-120 seconds.",
        _one("ring_timeout_s", lambda words, text: int(duration_s(words, text))),
        lambda c: span(c.ring_timeout_s),
    ),
    "amd": Setting(
        "Who tells machines: text, ml, fused, carrier or off.",
        _one("amd", lambda words, text: choice(words, text, AmdMode)),
        lambda c: str(c.amd),
    ),
    "amd_shadow": Setting(
        "Modes that judge the same calls and never act: ml,carrier; none = no others.",
        _one("amd_shadow", _modes),
        lambda c: ",".join(c.amd_shadow) or NONE,
    ),
    "on_machine": Setting(
        "hang_up, leave_message or continue.",
        _one("on_machine", lambda words, text: choice(words, text, OnMachine)),
        lambda c: str(c.on_machine),
    ),
    "retries": Setting(
        "Further attempts after the first, 0-10.",
        _one("max_retries", whole),
        _plain("max_retries"),
    ),
    "retry_interval": Setting(
        "Wait before a retry; a list gives one each: 30m,2h,1d.",
        _one("retry_intervals_s", durations_s),
        lambda c: ",".join(map(span, c.retry_intervals_s)),
    ),
    "retry_rule": Setting(
        "Per outcome: busy=5m,15m; rejected=never.",
        _one("retry_rules", lambda _, text: _rules(text)),
        _rules_text,
    ),
    "completion_timeout": Setting(
        "After a call, how long its outcome stays open.",
        _one("completion_timeout_s", lambda words, text: int(duration_s(words, text))),
        lambda c: span(c.completion_timeout_s),
    ),
    "calls_per_callee": Setting(
        "At most so many in any 24 hours and in any 7 days, all campaigns counted: 3,7.",
        _caps,
        lambda c: f"{c.callee_calls_per_day},{c.callee_calls_per_week}",
    ),
}
#: Settings that name something else, which is looked up in the database.
LOOKED_UP: Final[Mapping[str, str]] = {
    "agent": "An agent made with: dialer agents add",
    "say": "In place of an agent: a text to speak; {{name}} is filled in.",
    "schedule": "Business hours; none = always open.",
    "numbers": "Caller ids with their weights: +15550100,+15550101=3",
}
NAMES: Final = (*SETTINGS, *LOOKED_UP)
#: Other words for some of them.
_ALSO_CALLED: Final = {"max_retries": "retries", "retry_intervals": "retry_interval"}


def setting_name(given: str, *, known: tuple[str, ...] = NAMES, flag: str = "") -> str:
    """The name meant by *given*; UsageError with the closest one for a name nobody knows."""
    name = given.strip().lower().replace("-", "_")
    name = _ALSO_CALLED.get(name, name)
    if name not in known:
        hint = did_you_mean(close_matches(name, known)) or f"; there are {', '.join(known)}"
        prefix = f"{flag}: " if flag else ""
        raise UsageError(
            f"{prefix}unknown setting {given.strip()!r}{hint}",
            next_step="dialer campaign settings get NAME",
        )
    return name


def assignment(
    text: str, *, known: tuple[str, ...] = NAMES, flag: str = "", example: str
) -> tuple[str, str]:
    """Name and value of ``NAME=VALUE``; UsageError for what is none."""
    given, equals, value = (part.strip() for part in text.partition("="))
    name = setting_name(given, known=known, flag=flag)
    if not equals:
        lead = f"{flag} {text!r}" if flag else repr(text)
        raise UsageError(f"{lead}: write NAME=VALUE, as in {example}")
    return name, value


def read_fields(texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields that settings written as *texts* change; those to be looked up are left out."""
    fields: dict[str, Any] = {}
    for name, text in texts.items():
        if name in SETTINGS:
            fields |= SETTINGS[name].read(name.replace("_", " "), text)
    return fields


def shown(campaign: NewCampaign) -> dict[str, str]:
    """Every setting of the table as it is written."""
    return {name: setting.show(campaign) for name, setting in SETTINGS.items()}
