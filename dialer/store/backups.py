"""Nightly copies of a SQLite database: made once a night, thinned out as they grow old.

Theory of operation. Facts are files: a copy is due when none was made since the last time it should
have been, so a daemon that was down that night makes up for it when it starts. A copy has its name
only if it is whole (see ``backup.py``), and old ones go only after a new one has got its own. What
is deleted is known by its name; files of anybody else, an operator's own copies among them, stay.
The work is done in a thread: calls do not wait for it.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from dialer.errors import DialerError, StoreError, UsageError
from dialer.ports import Clock, Database
from dialer.store.backup import back_up
from dialer.timezones import zone
from dialer.work import Job, JobKind, JobState

MS: Final = 1000
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r"(?P<stem>.+)\.nightly-(?P<stamp>\d{8}T\d{6}Z)(?P<suffix>\.[^.]*)?")


@dataclass(frozen=True, slots=True)
class Nightly:
    """When copies are made, where, and for how long each is kept."""

    database: Path
    folder: Path
    at: time  # by the clocks of the zone
    zone: str
    keep_daily: int  # the newest of so many days
    keep_weekly: int  # the newest of so many weeks

    def last_due_at(self, now: int) -> int:
        """When the last copy should have been made (UTC ms)."""
        clocks = zone(self.zone)
        today = datetime.fromtimestamp(now / MS, clocks).date()
        due = (_instant(today - timedelta(days=days), self.at, self.zone) for days in (0, 1))
        return next(at for at in due if at <= now)

    def copy_at(self, at: int) -> Path:
        """The file of a copy made at *at*."""
        stamp = datetime.fromtimestamp(at / MS, UTC).strftime(_STAMP)
        return self.folder / f"{self.database.stem}.nightly-{stamp}{self.database.suffix}"


class Copy(NamedTuple):
    """A nightly copy, and when it was made (UTC ms)."""

    path: Path
    at: int


def nightly(
    database: Path, folder: str, at: str, zone_name: str, *, keep_daily: int, keep_weekly: int
) -> Nightly:
    """What settings say; a relative *folder* lies beside the database, *at* is as in ``03:30``."""
    beside = database.resolve().parent
    return Nightly(
        database, beside / folder, time.fromisoformat(at), zone_name, keep_daily, keep_weekly
    )


def copies(wanted: Nightly) -> list[Copy]:
    """The nightly copies there are of this database, oldest first."""
    found = []
    for path in wanted.folder.glob("*") if wanted.folder.is_dir() else ():
        known = _NAME.fullmatch(path.name)
        if known and known["stem"] == wanted.database.stem and path.is_file():
            made = datetime.strptime(known["stamp"], _STAMP).replace(tzinfo=UTC)
            found.append(Copy(path, int(made.timestamp()) * MS))
    return sorted(found, key=lambda copy: copy.at)


def kept(times: Iterable[int], zone_name: str, *, daily: int, weekly: int) -> frozenset[int]:
    """Which copies stay: the newest of each of the last *daily* days and *weekly* weeks that have
    one, and the newest of all in any case.
    """
    clocks = zone(zone_name)
    newest_first = sorted(times, reverse=True)
    days: dict[date, int] = {}
    weeks: dict[tuple[int, int], int] = {}
    for at in newest_first:
        day = datetime.fromtimestamp(at / MS, clocks).date()
        days.setdefault(day, at)
        weeks.setdefault(day.isocalendar()[:2], at)
    staying = [*[*days.values()][:daily], *[*weeks.values()][:weekly], *newest_first[:1]]
    return frozenset(staying)


def thin_out(wanted: Nightly) -> list[Path]:
    """Delete the nightly copies that have had their time; returns them."""
    there = copies(wanted)
    staying = kept(
        (copy.at for copy in there),
        wanted.zone,
        daily=wanted.keep_daily,
        weekly=wanted.keep_weekly,
    )
    gone = [copy.path for copy in there if copy.at not in staying]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


class Backups:
    """Makes the nightly copy of a daemon's own database."""

    def __init__(
        self, clock: Clock, database: Database, wanted: Nightly, *, busy_timeout_s: float
    ) -> None:
        self._clock = clock
        self._database = database
        self._wanted = wanted
        self._busy_timeout_s = busy_timeout_s

    async def run(self) -> Path | None:
        """Make a copy if one is due, and return it; a failure is told by the job's row and raised
        as a DialerError.
        """
        now = self._clock.now()
        newest = max((copy.at for copy in copies(self._wanted)), default=0)
        if newest >= self._wanted.last_due_at(now):
            return None
        copy = self._wanted.copy_at(now)
        async with self._database.write() as tx:
            job = await Job.start(tx, JobKind.BACKUP, str(copy), now)
        try:
            words = await self._in_a_thread(copy)
        except (DialerError, OSError) as error:
            await self._finish(job, JobState.FAILED, str(error))
            raise StoreError(f"no backup was made: {error}") from error
        await self._finish(job, JobState.DONE, words)
        return copy

    async def _in_a_thread(self, copy: Path) -> str:
        stop = threading.Event()
        try:
            return await asyncio.to_thread(self._make, copy, stop.is_set)
        except asyncio.CancelledError:
            stop.set()  # the daemon goes down, and nobody waits for the rest of it
            raise

    def _make(self, copy: Path, cancelled: Callable[[], bool]) -> str:
        folder = self._wanted.folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder} cannot be made: {error.strerror}") from error
        _clear_away(folder.glob(f".{self._wanted.database.stem}.nightly-*.partial*"))
        back_up(
            self._wanted.database, copy, busy_timeout_s=self._busy_timeout_s, cancelled=cancelled
        )
        gone = thin_out(self._wanted)
        return f"{copy.stat().st_size:,} bytes, checked; {len(gone)} old ones deleted"

    async def _finish(self, job: Job, state: JobState, message: str) -> None:
        async with self._database.write() as tx:
            await job.finish(tx, self._clock.now(), state=state, message=message)


def _clear_away(leftovers: Iterable[Path]) -> None:
    """Delete what a daemon left that died over it: one daemon at a time has a database."""
    for path in leftovers:
        path.unlink(missing_ok=True)


def _instant(day: date, at: time, zone_name: str) -> int:
    return int(datetime.combine(day, at, zone(zone_name)).timestamp() * MS)
