"""A small world that takes as long as the large one.

In it, one person stands for *factor* people, called one after the other on the same line: there
are *factor* times fewer people and calls, so the call interval is *factor* times as long, and a
caller id may make *factor* times fewer calls a day. Lines cannot be divided below one: where there
are not enough of them to leave out all but every *factor*-th, those that are left are held by
each call for longer instead. Windows, retries and timeouts stay what they are.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Self

from dialer.forecast.snapshot import Member
from dialer.hours import Hours

MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Scale:
    """*kept* of every *parts* lines remain; each call holds its own *hold* times as long."""

    factor: float
    parts: int = 1
    kept: int = 1

    @classmethod
    def of(cls, factor: float, lines: int, lines_per_number: Sequence[int]) -> Self:
        """The scale by *factor*, at least 1, of a campaign with so many lines."""
        if factor <= 1:
            return cls(1.0)
        parts = math.gcd(lines, *lines_per_number)
        return cls(factor, parts, math.ceil(parts / factor))

    @property
    def hold(self) -> float:
        """How many times as long a call keeps its line."""
        return self.factor * self.kept / self.parts

    def lines(self, lines: int) -> int:
        """What is left of so many lines."""
        return lines * self.kept // self.parts

    def cap(self, calls: int) -> int:
        """Calls a day that no number passes; :meth:`allowed` says who may make how many."""
        return math.ceil(calls / self.factor)

    def allowed(self, calls: int, day: int, share: float) -> int:
        """How many of *calls* a number may make on its *day*-th day, 0 being today.

        Days and numbers take turns, by a *share* in [0, 1) of its own for each number, so that
        over days and over numbers no call is lost to rounding.
        """
        daily = calls / self.factor
        return math.floor((day + 1) * daily + share) - math.floor(day * daily + share)

    def sample(self, members: Sequence[Member], share: float) -> list[Member]:
        """Every *factor*-th member, in the order of their turns within each kind of member.

        *share* in [0, 1) says which: the first, or the last, of each *factor*.
        """
        if self.factor == 1:
            return [*members]
        ordered = sorted(members, key=_kind_and_turn)
        picked = (int((n + share) * self.factor) for n in range(len(ordered)))
        return [ordered[index] for index in _below(picked, len(ordered))]


def _below(indices: Iterator[int], end: int) -> Iterator[int]:
    for index in indices:
        if index >= end:
            return
        yield index


def _kind_and_turn(member: Member) -> tuple[str, int, str, int, int, int]:
    return (
        member.window_key,
        member.priority,
        member.state,
        member.attempts,
        member.next_at,
        member.id,
    )


def after_open_time(hours: Hours, at: int, ms: float) -> int:
    """The instant by which it has been open for *ms* since *at*; time closed does not count.

    Where it never opens again, the closed time counts after all.
    """
    left = round(ms)
    while left:
        opens_at = hours.next_open(at)
        if opens_at is None:
            return at + left
        closes_at = hours.open_until(opens_at)
        if opens_at + left <= closes_at:
            return opens_at + left
        left -= closes_at - opens_at
        at = closes_at
    return at


def open_times(hours: Hours, at: int, ms: float, rng: Random) -> Iterator[int]:
    """Instants drawn evenly from the first *ms* since *at* in which it is open, without end."""
    while True:
        yield after_open_time(hours, at, rng.random() * ms)


def open_time(hours: Hours, from_at: int, until_at: int) -> int:
    """For how many milliseconds between two instants it is open."""
    total, at = 0, from_at
    while at < until_at:
        opens_at = hours.next_open(at)
        if opens_at is None or opens_at >= until_at:
            break
        at = hours.open_until(opens_at)
        total += min(at, until_at) - opens_at
    return total
