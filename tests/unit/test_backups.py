"""Nightly backups: when one is due, and which ones stay."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.store.backups import Nightly, copies, kept, nightly, thin_out

DAY: Final = 86_400_000
ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def wanted(folder: Path, **changes: Any) -> Nightly:
    usual: dict[str, Any] = {"at": time(3, 30), "zone": "UTC", "keep_daily": 7, "keep_weekly": 4}
    return Nightly(folder / "dialer.db", folder / "backups", **(usual | changes))


# -- when one is due ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("UTC", "2026-01-05T03:30:00", "2026-01-05T03:30:00"),
        ("UTC", "2026-01-05T03:29:59", "2026-01-04T03:30:00"),
        ("UTC", "2026-01-05T23:00:00", "2026-01-05T03:30:00"),
        ("Europe/Berlin", "2026-01-05T02:30:00", "2026-01-05T02:30:00"),
        ("Europe/Berlin", "2026-01-05T02:29:00", "2026-01-04T02:30:00"),
        ("Europe/Berlin", "2026-03-29T05:00:00", "2026-03-29T01:30:00"),  # clocks go forward
        ("America/New_York", "2026-01-05T02:00:00", "2026-01-04T08:30:00"),
    ],
)
def test_a_copy_is_due_at_the_hour_of_the_zone(zone: str, now: str, due: str) -> None:
    assert wanted(Path(), zone=zone).last_due_at(at(now)) == at(due)


@given(st.integers(0, 4 * 10**12), st.sampled_from(ZONES), st.times())
def test_one_was_due_within_the_last_day_and_an_hour(now: int, zone: str, hour: time) -> None:
    due_at = wanted(Path(), zone=zone, at=hour.replace(microsecond=0)).last_due_at(now)

    assert now - DAY - 3_600_000 <= due_at <= now


# -- which ones stay ------------------------------------------------------------------------------


def nights(count: int) -> list[int]:
    """A copy every night from Monday 2026-01-05 on."""
    return [at("2026-01-05T03:30:00") + n * DAY for n in range(count)]


def test_of_many_the_newest_days_and_the_newest_of_each_week_stay() -> None:
    staying = kept(nights(60), "UTC", daily=7, weekly=4)

    days = [datetime.fromtimestamp(each / 1000, UTC).strftime("%m-%d") for each in sorted(staying)]
    # 60 nights end on Thursday 5 March; the Sundays before are 1 March, 22 and 15 February.
    assert days == [
        "02-15", "02-22", "02-27", "02-28", "03-01", "03-02", "03-03", "03-04", "03-05",
    ]  # fmt: skip


def test_of_a_day_the_newest_stays() -> None:
    morning, noon = at("2026-01-05T03:30:00"), at("2026-01-05T12:00:00")

    assert kept([noon, morning], "UTC", daily=1, weekly=0) == {noon}


@given(
    st.lists(st.integers(0, 10**9).map(lambda n: n * 1000), max_size=60),
    st.integers(1, 10),
    st.integers(0, 10),
    st.sampled_from(ZONES),
)
def test_the_newest_always_stays_and_no_more_than_was_asked_for(
    times: Sequence[int], daily: int, weekly: int, zone: str
) -> None:
    staying = kept(times, zone, daily=daily, weekly=weekly)

    assert staying <= set(times)
    assert len(staying) <= daily + weekly
    assert not times or max(times) in staying
    assert kept(staying, zone, daily=daily, weekly=weekly) == staying


# -- files ----------------------------------------------------------------------------------------


def test_what_is_deleted_is_a_nightly_copy_of_this_database_and_old(tmp_path: Path) -> None:
    ours = wanted(tmp_path, keep_daily=1, keep_weekly=0)
    ours.folder.mkdir()
    made = [ours.copy_at(each) for each in nights(3)]
    foreign = [
        ours.folder / name
        for name in (
            "dialer-20260101T033000Z.db",  # an operator's own
            "other.nightly-20260101T033000Z.db",
            "dialer.nightly-20260101T033000Z.db.gz",
            "dialer.nightly-yesterday.db",
            "notes.txt",
        )
    ]
    for path in (*made, *foreign):
        path.touch()
    (ours.folder / "dialer.nightly-20250101T033000Z.db").mkdir()

    gone = thin_out(ours)

    assert gone == made[:2]
    assert [copy.path for copy in copies(ours)] == made[2:]
    assert all(path.exists() for path in foreign)


def test_without_a_folder_there_are_no_copies(tmp_path: Path) -> None:
    assert copies(wanted(tmp_path)) == []


def test_a_relative_folder_lies_beside_the_database(tmp_path: Path) -> None:
    beside = nightly(tmp_path / "dialer.db", "backups", "03:30", "UTC", keep_daily=1, keep_weekly=0)
    elsewhere = nightly(
        tmp_path / "dialer.db", "/var/backups", "03:30", "UTC", keep_daily=1, keep_weekly=0
    )

    assert (beside.folder, elsewhere.folder) == (tmp_path / "backups", Path("/var/backups"))
