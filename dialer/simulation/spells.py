"""Opening hours with many edges within an hour."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final

from dialer.timezones import zone

MS: Final = 1000
SPELLS: Final = 6
#: Minutes of a day.
MIDNIGHT: Final = 24 * 60


def opening_spells(rng: Random, start_at: int, zone_name: str) -> str | None:
    """Short spells of open and closed, so that a run meets many edges without a night."""
    if rng.random() < 0.5:
        return None
    start = datetime.fromtimestamp(start_at / MS, UTC).astimezone(zone(zone_name))
    open_min, closed_min = rng.randint(5, 25), rng.randint(1, 8)
    first = start.hour * 60 + start.minute - rng.randint(0, open_min)
    edges = [first + n * (open_min + closed_min) for n in range(SPELLS)]
    spells = [(at, at + open_min) for at in edges if 1 < at < MIDNIGHT - open_min - 1]
    return "daily " + ",".join(f"{_clock(a)}-{_clock(b)}" for a, b in _with_the_rest(spells))


def _with_the_rest(spells: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Open for the rest of the day as well: a run that takes long shall not wait for tomorrow."""
    if not spells:
        return [(0, MIDNIGHT)]
    return [(0, spells[0][0] - 1), *spells, (spells[-1][1] + 1, MIDNIGHT)]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
