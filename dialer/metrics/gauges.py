"""What is read when somebody asks how things stand: counts that the database knows anyway.

Theory of operation. Whoever scrapes waits for a reading that is fresh enough; one loop makes
them, one at a time, on a reader's connection, so that no claim has to wait. A reading is kept for a
second at least, and where there are many members for as long as keeps the counting at a small
share of the time. A database that cannot be read, or takes too long, costs the scrape its gauges
and nothing else: what is not known is not told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dialer import numbers
from dialer.errors import DialerError
from dialer.lazy_log import Log
from dialer.model import CampaignId, NumberId, WaitReason
from dialer.ports import Clock, Database, Tx
from dialer.states import CampaignStatus, MemberState
from dialer.telling import Telling

log = Log()

#: A reading is good for so long, in real seconds.
KEPT_S: Final = 1.0
#: Counting gets one part in so many of the time.
SHARE: Final = 20
#: Whoever asks waits no longer than this, in real seconds.
PATIENCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class NumberGauge:
    """A caller id as it stands today."""

    id: NumberId
    active: bool
    spam_score: float | None
    calls_today: int


@dataclass(frozen=True, slots=True)
class Gauges:
    """How things stood at one moment."""

    campaigns: Mapping[CampaignStatus, int]
    members: Mapping[tuple[CampaignId, MemberState], int]
    open_calls: Mapping[CampaignId, int]
    waits: Mapping[tuple[CampaignId, WaitReason], int]
    doubtful: int  # attempts of which nobody knows yet whether there is a call
    unfolded: int  # news that is kept and not taken in
    numbers: Sequence[NumberGauge]
    backup_at: int | None  # UTC ms; None: there was none
    data_bytes: int
    log_bytes: int | None  # None: the log is the server's


async def read(tx: Tx, now: int, sizes: tuple[int, int | None]) -> Gauges:
    """Read them all; *sizes* are those of the database and its log."""
    data_bytes, log_bytes = sizes
    return Gauges(
        campaigns={
            CampaignStatus(row["status"]): row["campaigns"]
            for row in await tx.rows("campaigns_by_status")
        },
        members={
            (row["campaign_id"], MemberState(row["state"])): row["members"]
            for row in await tx.rows("member_counts")
        },
        open_calls={row["campaign_id"]: row["calls"] for row in await tx.rows("open_attempts")},
        waits={
            (row["campaign_id"], WaitReason(row["reason"])): row["members"]
            for row in await tx.rows("all_waits")
        },
        doubtful=await tx.value("doubtful_attempts"),
        unfolded=await tx.value("unfolded_count"),
        numbers=[_number(report) for report in await numbers.reports(tx, now)],
        backup_at=await tx.value("last_backup_at"),
        data_bytes=data_bytes,
        log_bytes=log_bytes,
    )


def _number(report: numbers.NumberReport) -> NumberGauge:
    row = report.row
    return NumberGauge(row["id"], report.active, row["spam_score"], report.calls_today)


class GaugeReader:
    """Keeps the latest reading. :meth:`run` must be running for a fresh one."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        sizes: Callable[[], Awaitable[tuple[int, int | None]]],
        *,
        speed: float = 1.0,
    ) -> None:
        """*speed* is how fast the event loop's seconds pass."""
        self._clock = clock
        self._database = database
        self._sizes = sizes
        self._speed = speed
        self._wanted = asyncio.Event()
        self._ready = asyncio.Event()
        self._latest: Gauges | None = None
        self._good_until_s = 0.0
        self._told = Telling()

    async def fresh(self) -> Gauges | None:
        """A reading that is good at this moment; None when there is none within the bound."""
        if asyncio.get_running_loop().time() >= self._good_until_s:
            self._ready.clear()
            self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S * self._speed):
                    await self._ready.wait()
            if not self._ready.is_set():
                return None
        return self._latest

    async def run(self) -> None:
        """Make readings for ever, each when somebody wants one."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            began_s = loop.time()
            self._latest = await self._read()
            ended_s = loop.time()
            self._good_until_s = ended_s + max(KEPT_S * self._speed, SHARE * (ended_s - began_s))
            self._wanted.clear()  # whoever asked meanwhile gets this one
            self._ready.set()

    async def _read(self) -> Gauges | None:
        try:
            sizes = await self._sizes()
            async with self._database.read() as tx:
                gauges = await read(tx, self._clock.now(), sizes)
        except DialerError as error:
            if self._told.is_news("gauges", str(error)):
                log.error("gauges.unreadable", error=str(error))
            return None
        self._told.over("gauges")
        return gauges
