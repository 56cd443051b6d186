"""Imports in processes of their own, which end at a moment that was aimed at."""

import asyncio
import multiprocessing
import os
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dialer.importing import imports
from dialer.importing import records as import_records
from dialer.importing.imports import Import, ImportOrder
from dialer.lists.columns import match, parse_map
from dialer.lists.csvio import open_table
from dialer.lists.intake import Pace
from dialer.lists.rejected_rows import RejectedRows
from dialer.model import CampaignId
from dialer.people import contacts
from dialer.people.contacts import Enrolment
from dialer.store.opening import opened
from tests.support import forked  # noqa: F401  its processes are forked off the same server

NOW: Final = 1_800_000_000_000
KILLED: Final = -signal.SIGKILL

_FORKING: Final = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Cut:
    """The end of a process: at the *step*-th moment, or at the *step*-th of that *kind*."""

    step: int
    kind: str = ""


@dataclass(frozen=True)
class ListImport:
    """An import of a list into a campaign of a database, in portions of a few rows."""

    store: str
    path: Path
    rejects: Path
    campaign_id: CampaignId
    portion: int = 5

    def run(self, cut: Cut | None = None) -> int:
        """Run it in a process; returns its exit code."""
        process = _FORKING.Process(target=_run, args=(self, cut), daemon=True)
        process.start()
        process.join(60)
        assert process.exitcode is not None, "it hangs"
        return process.exitcode

    async def bring_in(self) -> None:
        async with opened(self.store, random.Random(1), busy_timeout_s=5) as database:
            with open_table(self.path) as table:
                columns = match(table.header, parse_map([]))
                order = ImportOrder(table, columns, "US", Enrolment(self.campaign_id))
                with RejectedRows(self.rejects, table.header, table.delimiter) as rejected:
                    run = Import(database, _Stopped(), order, rejected, pace=Pace(self.portion))
                    await run.run(lambda _: _MOMENTS.pass_by("committed"))


class _Stopped:
    def now(self) -> int:
        return NOW


class _Moments:
    """Counts what happens, and ends the process when it is time."""

    def __init__(self) -> None:
        self.cut: Cut | None = None
        self._passed = 0

    def pass_by(self, kind: str) -> None:
        if self.cut is None or self.cut.kind not in ("", kind):
            return
        self._passed += 1
        if self._passed == self.cut.step:
            os.kill(os.getpid(), signal.SIGKILL)


_MOMENTS: Final = _Moments()


def _run(order: ListImport, cut: Cut | None) -> None:
    _MOMENTS.cut = cut
    _told(imports.Import, "_begin", "begun")
    _told(import_records, "checkpoint", "checkpointed")
    _told(contacts, "put_listed", "put")
    flush = RejectedRows.flush

    def flushed(self: RejectedRows) -> int:
        size = flush(self)
        _MOMENTS.pass_by("flushed")
        return size

    RejectedRows.flush = flushed  # type: ignore[method-assign]  # in a process of its own
    asyncio.run(order.bring_in())


def _told(where: Any, name: str, kind: str) -> None:
    """Have *kind* passed by whenever a function is done."""
    function: Callable[..., Awaitable[Any]] = getattr(where, name)

    async def followed(*given: Any, **named: Any) -> Any:
        found = await function(*given, **named)
        _MOMENTS.pass_by(kind)
        return found

    setattr(where, name, followed)
