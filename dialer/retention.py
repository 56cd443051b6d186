"""How long what is kept, and deleting what is older: a portion at a time, beside running calls."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Final, TypeAlias

from dialer import audit_log, rule_book
from dialer.callees import KEPT_MS
from dialer.counters import count_calls
from dialer.lazy_log import Log
from dialer.ports import Clock, Database, Tx
from dialer.retention_days import Kind, Retention

log = Log()

MS: Final = 1000
DAY_MS: Final = 24 * 3600 * MS
#: Rows that one transaction deletes at the most: a few milliseconds, which calls wait without harm.
PORTION: Final = 500
#: Between two portions whoever else wants to write has a turn, in seconds.
REST_S: Final = 0.02
#: The action in the audit log.
PURGE: Final = "privacy.purge"

Counts: TypeAlias = dict[Kind, int]


async def in_force(tx: Tx, retention: Retention) -> Retention:
    """*retention* with calls kept at least as long as a cap of a rule that is on counts them."""
    if not retention.calls_days:
        return retention
    rules = await rule_book.load(tx)
    on = [rule for rule in rules.rules if rules.is_on(rule)]
    longest_s = max((cap.period_s for rule in on for cap in rule.caps), default=0)
    least = ceil(longest_s * MS / DAY_MS)
    return replace(retention, calls_days=max(retention.calls_days, least))


async def overdue(tx: Tx, retention: Retention, now: int) -> Counts:
    """How many rows :func:`purge` would delete."""
    kept = await in_force(tx, retention)
    return {
        kind: int(await tx.value(_COUNTS[kind], before=now - days * DAY_MS))
        for kind, days in kept.days.items()
    }


async def purge(database: Database, clock: Clock, retention: Retention) -> Counts:
    """Delete what is kept too long already, oldest first; returns what was deleted.

    What is about to go is in the audit log before it goes. Whenever it is interrupted, whole
    portions are gone and the rest goes next time. Calls that were found at the carrier's and are
    nobody's here go when no cap counts them any more.
    """
    now = clock.now()
    async with database.write() as tx:  # of them there are few, and no setting keeps them longer
        await tx.run("forget_old_found_calls", before_at=now - KEPT_MS)
    async with database.read() as tx:
        kept = await in_force(tx, retention)
        due = await overdue(tx, kept, now)
    if not any(due.values()):
        return due
    async with database.write() as tx:
        days = {f"{kind}_days": number for kind, number in kept.days.items()}
        await audit_log.record(
            tx, PURGE, "retention", now, before=days, after={str(k): n for k, n in due.items()}
        )
    return {
        kind: await _WALKS[kind](database, now - days * DAY_MS) for kind, days in kept.days.items()
    }


async def purge_tonight(database: Database, clock: Clock, retention: Retention) -> None:
    """As :func:`purge`, for a daemon, whose log says what was deleted."""
    deleted = await purge(database, clock, retention)
    log.info("purge.done", **{str(kind): number for kind, number in deleted.items()})


async def _purge_calls(database: Database, before: int) -> int:
    deleted, after = 0, ""
    while ids := await _ids(database, "old_attempts", before, after):
        async with database.write() as tx:
            rows = await tx.rows("attempts_to_purge", ids=json.dumps(ids))
            await _purge_news(tx, [row["id"] for row in rows])
            await tx.many("purge_attempts", [{"id": row["id"]} for row in rows])
            # The counts of a number stay those of the calls that are kept.
            gone = [(row["number_id"], row["day"], -1) for row in rows if row["counted"]]
            await count_calls(tx, gone)
        deleted, after = deleted + len(rows), ids[-1]
        await asyncio.sleep(REST_S)
    return deleted


async def _purge_events(database: Database, before: int) -> int:
    deleted, after = 0, ""
    while ids := await _ids(database, "attempts_with_old_events", before, after):
        async with database.write() as tx:
            deleted += await _purge_news(tx, ids)
        after = ids[-1]
        await asyncio.sleep(REST_S)
    return deleted


async def _purge_news(tx: Tx, ids: Sequence[str]) -> int:
    """Delete the news of calls, and what was heard in them; returns how much news it was."""
    listed = json.dumps(ids)
    await tx.run("purge_verdicts", ids=listed)
    await tx.run("forget_said", ids=listed)
    return await tx.run("purge_events", ids=listed)


async def _ids(database: Database, query: str, before: int, after: str) -> list[str]:
    """The next attempts of a walk; looked for outside of a writing transaction."""
    async with database.read() as tx:
        rows = await tx.rows(query, before=before, after=after, limit=PORTION)
    return [row["id"] for row in rows]


async def _purge_import_rows(database: Database, before: int) -> int:
    deleted = 0
    while True:
        async with database.read() as tx:
            rows = await tx.rows("old_import_rows", before=before, limit=PORTION)
        if not rows:
            return deleted
        keys = [{name: row[name] for name in ("import_id", "row_number")} for row in rows]
        async with database.write() as tx:
            await tx.many("purge_import_rows", keys)
        deleted += len(rows)
        await asyncio.sleep(REST_S)


async def _purge_dnc_history(database: Database, before: int) -> int:
    deleted, after = 0, 0
    while True:
        async with database.read() as tx:
            rows = await tx.rows("old_dnc_history", before=before, after=after, limit=PORTION)
        if not rows:
            return deleted
        async with database.write() as tx:
            await tx.many("purge_dnc_history", [{"id": row["id"]} for row in rows])
        deleted, after = deleted + len(rows), rows[-1]["id"]
        await asyncio.sleep(REST_S)


_COUNTS: Final[Mapping[Kind, str]] = {
    Kind.EVENTS: "count_old_events",
    Kind.CALLS: "count_old_attempts",
    Kind.IMPORT_ROWS: "count_old_import_rows",
    Kind.DNC_HISTORY: "count_old_dnc_history",
}
_WALKS: Final[Mapping[Kind, Callable[[Database, int], Awaitable[int]]]] = {
    Kind.EVENTS: _purge_events,
    Kind.CALLS: _purge_calls,
    Kind.IMPORT_ROWS: _purge_import_rows,
    Kind.DNC_HISTORY: _purge_dnc_history,
}
