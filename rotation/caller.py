"""What rotation knows of a number, and why that number may not carry a call."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class CallerId(NamedTuple):
    """One number within one campaign, as it stands inside the claim's transaction.

    The counters count the calls of every campaign the number serves; ``weight``, ``last_turn``
    and ``credit`` belong to this campaign alone. ``calls_today`` is the count of the calendar
    day that ends at ``day_ends_at``, so the loader picks the day that holds the present instant.
    """

    id: int
    phone: str  # E.164
    weight: int  # at least 1
    enabled: bool  # False when an operator has switched the number off
    spam_score: float | None  # 0 (clean) to 10; None when nobody has scored it
    calls_today: int
    live_calls: int  # placed or about to be placed, and not over
    max_live: int | None  # None: no limit
    day_ends_at: int  # UTC ms: the first instant of the number's next calendar day
    last_turn: int  # the campaign's turn counter at this number's last turn; 0: never had one
    credit: int  # what smooth weighted round robin owes the number; see strategies
    last_used_at: int | None  # UTC ms; None: never used


@dataclass(frozen=True, slots=True)
class Limits:
    """What a campaign allows each of its numbers."""

    spam_threshold: float  # a score that reaches it excludes the number
    max_calls_per_day: int  # at least 1


class Ineligible(StrEnum):
    """Why a number may not carry a call, in the order in which the reasons are looked for."""

    DISABLED = "disabled"  # by hand
    EXCLUDED = "excluded"  # its spam score has reached the threshold
    DAILY_CAP = "daily_cap"  # it has had its calls for today
    BUSY = "busy"  # it carries as many calls at once as it may


def why_not(caller: CallerId, limits: Limits) -> Ineligible | None:
    """Return the first reason that keeps *caller* from one more call, or None if there is none.

    A number that nobody has scored counts as clean.
    """
    if not caller.enabled:
        return Ineligible.DISABLED
    if caller.spam_score is not None and caller.spam_score >= limits.spam_threshold:
        return Ineligible.EXCLUDED
    if caller.calls_today >= limits.max_calls_per_day:
        return Ineligible.DAILY_CAP
    if caller.max_live is not None and caller.live_calls >= caller.max_live:
        return Ineligible.BUSY
    return None
