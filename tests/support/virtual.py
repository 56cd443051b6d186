"""Virtual time with a date, for tests of single parts."""

from dialer.simulation.loop import run, running

__all__ = ["EPOCH", "now", "run"]

#: Monday 2026-01-05 15:00 UTC, loop time 0 in virtual runs; UTC milliseconds.
EPOCH = 1_767_625_200_000


def now() -> int:
    """The time of the running loop as UTC milliseconds."""
    return EPOCH + round(running().time() * 1000)
