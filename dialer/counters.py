"""How many calls a caller id has made on a calendar day of its own zone."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final

from dialer.model import NumberId
from dialer.ports import Tx
from dialer.timezones import zone

MS: Final = 1000


def local_day(zone_name: str, at: int) -> tuple[str, int]:
    """The calendar day at *at* in a zone, and the instant (UTC ms) at which it ends."""
    clocks = zone(zone_name)
    day = datetime.fromtimestamp(at / MS, clocks).date()
    midnight = datetime.combine(day + timedelta(days=1), time.min, clocks)
    return day.isoformat(), int(midnight.timestamp() * MS)


def local_hour(zone_name: str, at: int) -> tuple[int, int]:
    """The weekday (0 is Monday) and the hour that clocks in a zone show at *at*."""
    shown = datetime.fromtimestamp(at / MS, zone(zone_name))
    return shown.weekday(), shown.hour


async def count_calls(tx: Tx, calls: Sequence[tuple[NumberId, str, int]]) -> None:
    """Add (number, day, calls) to the counts; a negative count gives back."""
    by_day: Counter[tuple[NumberId, str]] = Counter()
    totals: Counter[NumberId] = Counter()
    for number_id, day, count in calls:
        by_day[number_id, day] += count
        totals[number_id] += count
    days = [{"number_id": n, "day": day, "calls": c} for (n, day), c in sorted(by_day.items())]
    await tx.many("count_number_calls", days)
    await tx.many(
        "count_number_totals", [{"number_id": n, "calls": c} for n, c in sorted(totals.items())]
    )
