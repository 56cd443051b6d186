"""Time zones by IANA name, always from the ``tzdata`` package.

The operating system's zone files are as old as its last update; with rules that changed since,
callees of a whole region are rung an hour off. The package is pinned and updated with the
project, so every machine gives the same answer.
"""

import zoneinfo
from functools import lru_cache
from importlib.metadata import version
from zoneinfo import ZoneInfo

from dialer.errors import UsageError
from dialer.suggestions import MEANT_AT_MOST, close_matches, did_you_mean

_NOT_A_PLACE = frozenset({"Factory"})
"""The zone of a machine nobody has set up: it stands for "unknown", and unknown must close."""


def pin_zone_data() -> None:
    """Make the whole process read zones from the ``tzdata`` package; cheap to repeat."""
    if zoneinfo.TZPATH:
        zoneinfo.reset_tzpath(())
        ZoneInfo.clear_cache()


def zone_data_version() -> str:
    """The release of the zone data in use, as in ``2026.6``; ``.6`` is the year's release f."""
    return version("tzdata")


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every zone a schedule or a contact may name."""
    pin_zone_data()
    return frozenset(zoneinfo.available_timezones()) - _NOT_A_PLACE


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone called *name*, spelled exactly; :exc:`UsageError` with close names otherwise."""
    if name not in zone_names():
        hint = did_you_mean(_resembling(name))
        raise UsageError(
            f"not a time zone: {name!r} (an IANA name, as in 'Europe/Berlin'){hint}",
        )
    pin_zone_data()
    return ZoneInfo(name)


def _resembling(name: str) -> list[str]:
    """Zones of that city or spelling; words too short to resemble anything have none."""
    city = name.strip().replace(" ", "_").casefold()
    same_city = sorted(
        known for known in zone_names() if city in (known.casefold(), _city(known).casefold())
    )
    if same_city or len(city) < len("UTC+1"):
        return same_city[:MEANT_AT_MOST]
    return close_matches(city, zone_names())


def _city(name: str) -> str:
    return name.rpartition("/")[2]
