"""What time it is where a callee lives, as far as the number tells."""

from datetime import UTC, datetime

from dialer.places import zone_of
from dialer.timezones import zone


def hour_at(phone: str, at: int) -> int | None:
    """The hour of the day (0-23) at UTC milliseconds *at*; None when the zone is not certain."""
    name = zone_of(phone)
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone(name)).hour if name else None
