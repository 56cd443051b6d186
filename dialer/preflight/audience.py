"""The people of a campaign by where they may be, and when they may be called there."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from itertools import chain
from typing import Final, TypeAlias

from dialer.hours import DAY_MS, Hours
from dialer.permission import ClaimTimes, next_opening, outside_window
from dialer.place import Place
from dialer.plans import CampaignPlan
from dialer.timezones import zone

MS: Final = 1000
HOUR_MS: Final = 3_600_000
WEEK_MS: Final = 7 * DAY_MS
WEEK_HOURS: Final = 168.0
#: A place that is open for less than so many hours a day leaves hardly time for a call and a retry.
SHORT_HOURS: Final = 2.0

#: From one instant (UTC ms) until another.
Span: TypeAlias = tuple[int, int]


class Reach(StrEnum):
    """Whether people at a place will ever be called."""

    REACHABLE = "reachable"
    ZONE_UNKNOWN = "zone_unknown"  # not before somebody gives them a time zone
    NEVER_OPEN = "never_open"  # rules and schedule leave no opening long enough for a call


@dataclass(frozen=True, slots=True)
class Group:
    """Members at one place who wait for a call and are not on the do-not-call list."""

    window_key: str
    members: int
    attempts: int  # calls they have had between them
    next_at: int  # when the first of them is due


@dataclass(frozen=True, slots=True)
class Spot:
    """A place with its people, and when rules and schedule together let them be called."""

    window_key: str
    place: Place
    members: int
    attempts: int
    reach: Reach
    open_now: bool
    today: Sequence[Span]  # of the calendar day in the campaign's zone
    week: Sequence[Span]  # of seven days from the start on
    opens_at: int | None  # when the first of them may be called

    @property
    def hours_a_week(self) -> float:
        """For how long it is open in the week."""
        return open_hours(self.week)

    @property
    def is_short(self) -> bool:
        """Whether it is open too shortly on the days on which it opens, or on no day at all."""
        if self.reach is not Reach.REACHABLE:
            return False
        days = {opens_at // DAY_MS for opens_at, _ in self.week}
        return self.hours_a_week < SHORT_HOURS * max(1, len(days))

    @property
    def is_always_open(self) -> bool:
        """Whether nothing closes it, not even at night."""
        return self.reach is Reach.REACHABLE and self.hours_a_week == WEEK_HOURS


def spots(
    plan: CampaignPlan, groups: Iterable[Group], zone_name: str, now: int, times: ClaimTimes
) -> list[Spot]:
    """Every place with its people, most people first; days are those of the zone of that name."""
    found = [_spot(plan, group, zone_name, now, times) for group in groups]
    return sorted(found, key=lambda spot: (-spot.members, spot.window_key))


def _spot(plan: CampaignPlan, group: Group, zone_name: str, now: int, times: ClaimTimes) -> Spot:
    key = group.window_key
    start_at = max(now, plan.start_at or 0)
    hours = plan.hours_at(key)
    opens_at = next_opening(plan, key, max(start_at, group.next_at), times)
    place = plan.window(key).place
    reach = Reach.REACHABLE
    if not place.zones:
        reach = Reach.ZONE_UNKNOWN
    elif opens_at is None:
        reach = Reach.NEVER_OPEN
    return Spot(
        window_key=key,
        place=place,
        members=group.members,
        attempts=group.attempts,
        reach=reach,
        open_now=outside_window(plan, key, now, times) is None,
        today=tuple(openings(hours, *day_of(now, zone_name))),
        week=tuple(openings(hours, start_at, start_at + WEEK_MS)),
        opens_at=opens_at,
    )


def day_of(at: int, zone_name: str) -> Span:
    """The calendar day of a zone that holds *at*."""
    clocks = zone(zone_name)
    today = datetime.fromtimestamp(at / MS, clocks).date()
    midnights = (datetime.combine(day, time(), clocks) for day in (today, today + timedelta(1)))
    begins, ends = (int(midnight.timestamp()) * MS for midnight in midnights)
    return begins, ends


def openings(hours: Hours, from_at: int, until_at: int) -> Iterator[Span]:
    """The spans between two instants in which it is open, in order."""
    at = from_at
    while at < until_at:
        opens_at = hours.next_open(at)
        if opens_at is None or opens_at >= until_at:
            return
        at = hours.open_until(opens_at)
        yield opens_at, min(at, until_at)


def united(spans: Iterable[Span]) -> list[Span]:
    """The same time without overlaps, in order."""
    joined: list[Span] = []
    for opens_at, closes_at in sorted(spans):
        if joined and opens_at <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(closes_at, joined[-1][1]))
        else:
            joined.append((opens_at, closes_at))
    return joined


def open_hours(spans: Iterable[Span]) -> float:
    """How long spans without overlaps are together."""
    return sum(closes_at - opens_at for opens_at, closes_at in spans) / HOUR_MS


def open_somewhere(found: Iterable[Spot]) -> float:
    """For how many hours of the week anybody at all may be called."""
    return open_hours(united(chain.from_iterable(spot.week for spot in found)))
