"""Zones come from the package that is installed with the project, never from the machine."""

import struct
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from dialer import timezones
from dialer.errors import UsageError
from dialer.hours import SAMPLE_MS
from dialer.timezones import pin_zone_data, zone, zone_data_version, zone_names


@pytest.fixture
def machine_zones(tmp_path: Path) -> Iterator[Path]:
    """Stand-in for the zone files of an operating system, preferred by the process."""
    kept = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([tmp_path])
    forget()
    yield tmp_path
    zoneinfo.reset_tzpath(kept)
    forget()


def forget() -> None:
    zoneinfo.ZoneInfo.clear_cache()
    timezones.zone.cache_clear()
    timezones.zone_names.cache_clear()


def packaged(name: str) -> bytes:
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def test_zones_are_read_from_the_package_even_if_the_machine_has_its_own(
    machine_zones: Path,
) -> None:
    (machine_zones / "Europe").mkdir()
    (machine_zones / "Europe" / "Berlin").write_bytes(packaged("Asia/Tokyo"))
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert noon.astimezone(zoneinfo.ZoneInfo("Europe/Berlin")).hour == 21

    assert noon.astimezone(zone("Europe/Berlin")).hour == 13
    assert noon.astimezone(zoneinfo.ZoneInfo("Europe/Berlin")).hour == 13


def test_the_rules_are_those_of_the_installed_release() -> None:
    january = datetime(2027, 1, 15, 12, tzinfo=zone("America/Vancouver"))

    assert zone_data_version() >= "2026.6"
    assert january.utcoffset() == timedelta(hours=-7)  # before release 2026b it was -8


def test_pinning_twice_changes_nothing() -> None:
    pin_zone_data()
    berlin = zone("Europe/Berlin")

    pin_zone_data()

    assert zone("Europe/Berlin") is berlin
    assert zoneinfo.TZPATH == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Berlin", r"not a time zone: 'Berlin' .*did you mean 'Europe/Berlin'\?"),
        ("europe/berlin", r"did you mean 'Europe/Berlin'\?"),
        ("New York", r"did you mean 'America/New_York'\?"),
        ("Europe/Berln", r"did you mean 'Europe/Berlin' or "),
        ("PST", r"as in 'Europe/Berlin'\)$"),  # too short to guess at
        ("", "not a time zone: ''"),
        ("Europe", "not a time zone: 'Europe'"),
        ("../zones", "not a time zone: '../zones'"),
        ("Factory", "not a time zone: 'Factory'"),  # stands for an unknown zone
    ],
)
def test_an_unknown_zone_is_refused_with_what_was_probably_meant(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        zone(name)


def test_every_zone_that_is_named_can_be_read() -> None:
    assert len(zone_names()) > 400
    assert {zone(name).key for name in zone_names()} == zone_names()


def test_no_zone_changes_its_clocks_twice_between_two_samples() -> None:
    closest_s = min(
        later - earlier
        for name in zone_names()
        for earlier, later in pairwise(changes_since_1970(packaged(name)))
    )

    assert closest_s > 6 * 24 * 3600 > SAMPLE_MS // 1000


def changes_since_1970(data: bytes) -> list[int]:
    """When the offset changes, in Unix seconds, from the 64-bit half of a zone file (RFC 8536)."""
    header = struct.Struct(">4s c 15x 6l")
    _, _, utc, std, leap, times, types, chars = header.unpack_from(data)
    half = header.size + times * 5 + types * 6 + chars + leap * 8 + std + utc
    *_, times, types, _ = header.unpack_from(data, half)
    at = half + header.size
    instants = struct.unpack_from(f">{times}q", data, at)
    kinds = data[at + 8 * times : at + 9 * times]
    offsets = [
        struct.unpack_from(">l", data, at + 9 * times + 6 * kind)[0] for kind in range(types)
    ]
    before = [0, *kinds][:times]
    return [
        instant
        for instant, kind, earlier in zip(instants, kinds, before, strict=True)
        if instant >= 0 and offsets[kind] != offsets[earlier]
    ]
