"""Hours that bind between two instants only: laws begin and end on days that are known before."""

from dataclasses import dataclass

from dialer.hours import HORIZON_MS, Hours


@dataclass(frozen=True, slots=True)
class During:
    """*hours* from *from_at* up to but without *until_at* (UTC ms), open before and after."""

    hours: Hours
    from_at: int
    until_at: int

    def is_open(self, at: int) -> bool:
        """Whether it is open at *at*."""
        return not self.from_at <= at < self.until_at or self.hours.is_open(at)

    def next_open(self, at: int) -> int | None:
        """*at* if open, else the next opening, which may be the end; None after 400 days."""
        if self.is_open(at):
            return at
        opening = self.hours.next_open(at)
        if opening is None or opening > self.until_at:
            opening = self.until_at
        return opening if opening <= at + HORIZON_MS else None

    def open_until(self, at: int) -> int:
        """The first closed instant from *at* on, at most 400 days ahead."""
        limit = at + HORIZON_MS
        if at >= self.until_at:
            return limit
        closing = self.hours.open_until(max(at, self.from_at))
        return limit if closing >= self.until_at else min(closing, limit)
