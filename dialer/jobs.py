"""Periodic work by APScheduler's triggers, on our clock.

The trigger classes know calendars and clock changes; the loop that waits for them is ours, so
that the same jobs run live, in scaled time and in virtual time. Facts live in tables: a job is
only ever a question whether something is due, and a missed one is run once, not once per miss.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from dialer.errors import DialerError
from dialer.lazy_log import Log
from dialer.ports import Clock

log = Log()

MS: Final = 1000
#: After the start calls come first.
SOON_S: Final = 60


@dataclass(frozen=True, slots=True)
class Job:
    """What runs when."""

    name: str
    trigger: BaseTrigger
    work: Callable[[], Awaitable[object]]
    at_start: bool = False  # soon after the start, too: nobody knows when it was done last


def nightly(
    name: str,
    work: Callable[[], Awaitable[object]],
    *,
    hour: int,
    minute: int,
    zone: tzinfo = UTC,
    at_start: bool = False,
) -> Job:
    """A job for a quiet hour, in UTC or another *zone*; *at_start* is for one that must be done,
    daemon at night or not.
    """
    return Job(name, CronTrigger(hour=hour, minute=minute, timezone=zone), work, at_start)


class Jobs:
    """Runs jobs one at a time, each when its trigger says. :meth:`run` must be running."""

    def __init__(self, clock: Clock, jobs: Sequence[Job]) -> None:
        self._clock = clock
        now = self._now()
        soon = now + timedelta(seconds=SOON_S)
        self._next = {
            job.name: (min(soon, fire_at) if job.at_start else fire_at, job)
            for job in jobs
            if (fire_at := job.trigger.get_next_fire_time(None, now)) is not None
        }

    async def run(self) -> None:
        """Run jobs for ever; one that fails is logged and waits for its next time."""
        while self._next:
            fire_at, job = min(self._next.values(), key=lambda entry: entry[0])
            await asyncio.sleep(max(0.0, (fire_at - self._now()).total_seconds()))
            try:
                await job.work()
                log.info("job.done", job=job.name)
            except DialerError as error:
                log.error("job.failed", job=job.name, error=str(error))
            self._schedule(job, fire_at)

    def _schedule(self, job: Job, fired_at: datetime) -> None:
        # Times that passed meanwhile are left out, and a clock set back repeats none.
        after = max(fired_at, self._now())
        following = job.trigger.get_next_fire_time(after, after)
        if following is None:
            del self._next[job.name]
        else:
            self._next[job.name] = (following, job)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now() / MS, UTC)
