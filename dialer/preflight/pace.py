"""How many calls a campaign needs, how long they take, and how many numbers they take up.

A forecast runs the campaign ahead; here are the bounds between which it must end up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialer.limits import AccountLimits
from dialer.plans import CampaignPlan
from dialer.preflight.audience import Reach, Spot, open_somewhere

_HOUR_S: Final = 3600
#: Fewer calls, or people who are done, than this say less than no experience does.
ENOUGH: Final = 300


class Bound(StrEnum):
    """What holds the pace back most."""

    CALL_INTERVAL = "call_interval"
    CALLS_PER_SECOND = "calls_per_second"
    CALLS_AT_ONCE = "calls_at_once"


@dataclass(frozen=True, slots=True)
class Experience:
    """What the calls so far have shown; None where there are too few of them."""

    calls_each: float | None  # to people of this campaign who are done
    held_s: float | None  # how long a call keeps its line, in any campaign


@dataclass(frozen=True, slots=True)
class Calls:
    """So many calls, and what making them takes."""

    calls: int
    hours: float  # of dialing at this pace
    weeks: float | None  # of open hours; None: it is never open
    number_days: float  # a number makes no more calls in a day than its cap


@dataclass(frozen=True, slots=True)
class Pace:
    """What the campaign's settings make of its people."""

    people: int
    spacing_s: float  # from the start of a call to the start of the next, at the quickest
    bound: Bound
    held_s: float
    is_held_known: bool  # else it is as long as a call may ring
    open_hours_a_week: float
    least: Calls  # everybody is done after one call
    most: Calls  # everybody needs all retries
    expected: Calls | None  # as it has been for those who are done
    daily_cap: int


def pace(
    plan: CampaignPlan, account: AccountLimits, found: Sequence[Spot], known: Experience
) -> Pace:
    """The pace of *plan* for those who will be called at all."""
    callable_ = [spot for spot in found if spot.reach is Reach.REACHABLE]
    held_s = plan.ring_timeout_s if known.held_s is None else known.held_s
    spacing_s, bound = _spacing(plan, account, held_s)
    people = sum(spot.members for spot in callable_)
    open_a_week = open_somewhere(callable_)

    def taking(calls_each: Sequence[int]) -> Calls:
        hours = [calls * spacing_s / _HOUR_S for calls in calls_each]
        total = sum(calls_each)
        return Calls(
            calls=total,
            hours=sum(hours),
            weeks=_weeks(callable_, hours, open_a_week),
            number_days=total / plan.limits.max_calls_per_day,
        )

    each = known.calls_each
    return Pace(
        people=people,
        spacing_s=spacing_s,
        bound=bound,
        held_s=held_s,
        is_held_known=known.held_s is not None,
        open_hours_a_week=open_a_week,
        least=taking([spot.members for spot in callable_]),
        most=taking([_most(plan, spot) for spot in callable_]),
        expected=None if each is None else taking([_like(plan, spot, each) for spot in callable_]),
        daily_cap=plan.limits.max_calls_per_day,
    )


def numbers_for(calls: Calls, days: int) -> int:
    """How many numbers make these calls within so many days, each at its daily cap."""
    return math.ceil(calls.number_days / days)


def _spacing(plan: CampaignPlan, account: AccountLimits, held_s: float) -> tuple[float, Bound]:
    """The least time between two starts, and what makes it so long."""
    lines = plan.max_concurrent
    if account.max_concurrent:
        lines = min(lines, account.max_concurrent)
    per_second = account.calls_per_second
    return max(
        (plan.interval_us / 1_000_000, Bound.CALL_INTERVAL),
        (1 / per_second if per_second else 0.0, Bound.CALLS_PER_SECOND),
        (held_s / lines, Bound.CALLS_AT_ONCE),
    )


def _most(plan: CampaignPlan, spot: Spot) -> int:
    """Calls to people who answer none of them; who waits has at least one left."""
    left = spot.members * (1 + plan.policy.max_retries) - spot.attempts
    return max(spot.members, left)


def _like(plan: CampaignPlan, spot: Spot, calls_each: float) -> int:
    """Calls to people who take as many as others took, had they none before."""
    left = round(spot.members * calls_each) - spot.attempts
    return min(max(spot.members, left), _most(plan, spot))


def _weeks(found: Sequence[Spot], hours: Sequence[float], open_a_week: float) -> float | None:
    """At least so many weeks: all calls need the hours in which it is open anywhere, and those of
    each place the hours in which it is open there."""
    if not open_a_week:
        return None
    slowest = max(
        (
            need / spot.hours_a_week
            for spot, need in zip(found, hours, strict=True)
            if spot.hours_a_week
        ),
        default=0.0,
    )
    return max(slowest, sum(hours) / open_a_week)
