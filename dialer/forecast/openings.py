"""When a campaign may call somebody, somewhere: by its schedule and the rules where callees are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dialer.forecast.snapshot import Member, Setup
from dialer.hours import HORIZON_MS, HolidayProvider, Hours, Intersection
from dialer.windows import Windows

#: The windows of so many kinds of place are told apart, those of most people first.
MOST_PLACES: Final = 16


@dataclass(frozen=True, slots=True)
class Somewhere:
    """Open when any of several windows is."""

    windows: Sequence[Hours]

    def is_open(self, at: int) -> bool:
        """Whether any window is open at *at*."""
        return any(window.is_open(at) for window in self.windows)

    def next_open(self, at: int) -> int | None:
        """*at* if any is open, else when the first of them opens; None when none ever does."""
        openings = (window.next_open(at) for window in self.windows)
        return min((each for each in openings if each is not None), default=None)

    def open_until(self, at: int) -> int:
        """The first instant from *at* on at which all are closed; none within 400 days: those."""
        until_at = at
        while until_at < at + HORIZON_MS:
            ends = [each.open_until(until_at) for each in self.windows if each.is_open(until_at)]
            if not ends:
                return until_at
            until_at = max(ends)
        return until_at


def somewhere(setup: Setup, members: Sequence[Member], holidays: HolidayProvider) -> Hours:
    """When anybody of *members* may be called under *setup*."""
    return Somewhere([hours for hours, _ in by_place(setup, members, holidays)[:MOST_PLACES]])


def by_place(
    setup: Setup, members: Sequence[Member], holidays: HolidayProvider
) -> list[tuple[Hours, int]]:
    """When people may be called, and how many of *members* that is true of; most of them first.

    Places with the same rules and zones are one.
    """
    schedule, rules = setup.hours(holidays), setup.rules
    windows = Windows(rules, holidays)
    people: Counter[object] = Counter()
    hours_of: dict[object, Hours] = {}
    for key, count in Counter(member.window_key for member in members).items():
        window = windows.of(key)
        kind = (rules.rules_for(window.place.regions), window.place.zones)
        people[kind] += count
        hours_of.setdefault(kind, Intersection(schedule, window.hours))
    return [(hours_of[kind], count) for kind, count in people.most_common()]
