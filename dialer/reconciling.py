"""After a restore: what the carrier has done meanwhile is taken in before anybody is called.

Theory of operation. A copy of the database knows nothing of the calls that were made after it was
taken; dialing on from it would call those people again as if nothing had happened. So a restored
database is held, and knows since when calls may be missing. The carrier lists all it has made
since; each one that no attempt claims becomes an attempt of the member it belongs to, by the same
steps as every call: an intent, the carrier's name for it, and its news, folded like any other. So
limits, caps and retries hold as if it had never been forgotten. Whoever is in doubt is left to the
reaper first. Of the others it is kept that their callees were called (``found_calls.py``). When
every call has found its place, or nobody's, a person may release the hold.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from dialer import audit_log, hold
from dialer.batching import Batcher
from dialer.callees import KEPT_MS
from dialer.calls import Calls, CallTimes
from dialer.errors import DialerError, WrongStateError
from dialer.found_calls import Found, FoundCalls, Listed, Taken
from dialer.hold import Hold
from dialer.lazy_log import Log
from dialer.masking import mask
from dialer.phones import parsed
from dialer.ports import CarrierCall, Clock, Database, Tx
from dialer.reaper import Reaper

log = Log()

MS: Final = 1000
#: The clocks that told the last time in the copy and the carrier's may differ by this much, and
#: the carrier tells whole seconds.
MARGIN_S: Final = 900
#: How often it is looked whether something is to be reconciled, and whether doubts are over.
LOOK_S: Final = 2.0
#: After the carrier could not be asked, it is asked again so much later.
ASK_AGAIN_S: Final = 30.0
_NOT_A_DIGIT: Final = re.compile(r"\D")
RESUME: Final = "dialer resume --all"
#: What the hold says once everything was taken in begins like this.
DONE: Final = "; reconciled"


class CallRecord(Protocol):
    """The carrier's own record of the account's calls."""

    def placed_since(self, since_at: int) -> AsyncIterator[Sequence[CarrierCall]]:
        """Page by page, the calls created at or after *since_at* (UTC ms) by requests."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of the carrier's list."""

    since_at: int
    listed: int
    recorded: Sequence[CarrierCall]
    strangers: Sequence[CarrierCall]
    foreign: Sequence[CarrierCall]
    shared: int  # recorded calls that may have been those of another campaign

    @property
    def words(self) -> str:
        """The result in one line."""
        parts = [f"{len(self.recorded)} calls were unknown and are recorded"]
        if self.strangers:
            parts.append(
                f"{len(self.strangers)} are to nobody in a campaign here, who rests for a day"
            )
        if self.foreign:
            parts.append(
                f"{len(self.foreign)} come from numbers that are not known here, and their callees"
                " rest for a day"
            )
        return f"{self.listed} calls listed, {', '.join(parts)}"


class Telling(Protocol):
    """Whoever is told how a reconciliation goes on."""

    def started(self, since_at: int) -> None:
        """The carrier will be asked for its calls since then (UTC ms)."""

    def listed(self, calls: int) -> None:
        """So many have been listed; more may come."""

    def taken(self, calls: int, of: int) -> None:
        """So many of all that were listed have found their place."""

    def found(self, kind: Found, call: CarrierCall) -> None:
        """A call is nobody's here."""

    def done(self, words: str) -> None:
        """Everything is taken in."""


class _Logged:
    """Tells the log of a daemon, which nobody watches for progress."""

    def started(self, since_at: int) -> None:
        log.warning("reconciliation.started", since_at=since_at)

    def listed(self, calls: int) -> None:
        pass

    def taken(self, calls: int, of: int) -> None:
        pass

    def found(self, kind: Found, call: CarrierCall) -> None:
        log.warning("reconciliation.found", kind=kind, sid=call.sid, to=mask(call.to))

    def done(self, words: str) -> None:
        log.warning("reconciliation.done", words=words, next_step=RESUME)


#: For reconciliations that nobody has asked to be told of otherwise.
LOGGED: Final[Telling] = _Logged()


class Reconciler:
    """Takes in the calls that a restored database lacks. Batcher, lease and reaper must run."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        batcher: Batcher,
        calls: Calls,
        reaper: Reaper,
        found: FoundCalls,
        times: CallTimes,
        record: Callable[[], AbstractAsyncContextManager[CallRecord]],
    ) -> None:
        """*record* opens the carrier's record for one reading."""
        self._clock = clock
        self._database = database
        self._batcher = batcher
        self._calls = calls
        self._reaper = reaper
        self._found = found
        self._times = times
        self._record = record

    async def run(self) -> None:
        """Reconcile whenever that is wanted, for ever; trouble is told and tried again."""
        while True:
            try:
                held = await self._wanted()
                if held is not None:
                    await self.reconcile(held)
            except DialerError as error:
                log.error("reconciliation.failed", error=error.message)
                await asyncio.sleep(ASK_AGAIN_S)
            await asyncio.sleep(LOOK_S)

    def begins_at(self, held: Hold) -> int:
        """By when (UTC ms) the carrier lists all that was asked for before the hold."""
        return held.at + round((self._times.ask_s + self._times.settled_s) * MS)

    async def reconcile(self, held: Hold, telling: Telling = LOGGED) -> Reconciled:
        """Take in every call since then; returns when none is in doubt any more.

        *telling* hears how it goes on.

        When something else is wanted by then, such as calls from longer ago, it begins again.
        Raises WrongStateError when nothing is wanted any more.
        """
        while True:
            done = await self._round(held, telling)
            async with self._database.write() as tx:
                noted = await _note(tx, held, done, self._clock.now())
            if noted:
                telling.done(done.words)
                return done
            wanted = await self._wanted()
            if wanted is None:
                raise WrongStateError("the hold has changed: nothing is to be reconciled any more")
            held = wanted

    async def _round(self, held: Hold, telling: Telling) -> Reconciled:
        assert held.reconcile_since_at is not None, "it is wanted"
        since_at = held.reconcile_since_at - MARGIN_S * MS
        telling.started(since_at)
        await asyncio.sleep(max(0, self.begins_at(held) - self._clock.now()) / MS)
        listed = await self._listed(since_at, telling)
        return await self._taken_in(held, since_at, listed, telling)

    async def _wanted(self) -> Hold | None:
        async with self._database.read() as tx:
            held = await hold.standing(tx)
        return held if held is not None and held.wants_reconciliation else None

    async def _listed(self, since_at: int, telling: Telling) -> Sequence[CarrierCall]:
        """The carrier's calls, oldest first, each once."""
        calls: dict[str, CarrierCall] = {}
        async with self._record() as record:
            async for page in record.placed_since(since_at):
                calls |= {
                    call.sid: replace(call, to=_e164(call.to), from_=_e164(call.from_))
                    for call in page
                }
                telling.listed(len(calls))
        return sorted(calls.values(), key=lambda call: (call.created_at, call.sid))

    async def _taken_in(
        self, held: Hold, since_at: int, listed: Sequence[CarrierCall], telling: Telling
    ) -> Reconciled:
        by_kind: dict[Found, list[CarrierCall]] = {kind: [] for kind in Found}
        left, shared = listed, 0
        while True:
            doubtful = []
            for call in left:
                taken = await self._take(Listed(call, held))
                if taken.found is Found.IN_DOUBT:
                    doubtful.append(call)
                else:
                    by_kind[taken.found].append(call)
                    shared += taken.shared
                    telling.taken(sum(map(len, by_kind.values())), len(listed))
            if not doubtful:
                break
            left = doubtful
            await asyncio.sleep(LOOK_S)
        for kind in (Found.STRANGER, Found.FOREIGN):
            for call in by_kind[kind]:
                telling.found(kind, call)
        return Reconciled(
            since_at,
            len(listed),
            by_kind[Found.RECORDED],
            by_kind[Found.STRANGER],
            by_kind[Found.FOREIGN],
            shared,
        )

    async def _take(self, listed: Listed) -> Taken:
        (taken,) = await self._batcher.apply(self._found.take, [listed], alone=True)
        if taken.attempt_id is not None:
            await self._calls.adopt(taken.attempt_id, listed.call.sid)
            await self._reaper.report(taken.attempt_id, listed.call)
        return taken


async def want(tx: Tx, now: int, *, since_at: int | None = None, narrow: bool = False) -> Hold:
    """Ask for a reconciliation, again or for the first time, and return the hold.

    Raises WrongStateError when nothing is held, when nobody has said since when, and, unless it is
    to be made *narrow*, when it would leave out calls that are wanted already.
    """
    held = await _held(tx)
    since_at = held.reconcile_since_at if since_at is None else since_at
    if since_at is None:
        raise WrongStateError(
            "this database was not restored here: say since when calls may be missing",
            next_step="dialer db reconcile --since 2026-01-31T12:00:00Z",
        )
    if narrows(held, since_at) and not narrow:
        raise WrongStateError(
            "calls from longer ago are to be taken in, and would be left out",
            next_step="dialer db reconcile",
        )
    await tx.run("want_reconciliation", since_at=since_at)
    before = {"since_at": held.reconcile_since_at}
    after = {"since_at": since_at}
    await audit_log.record(tx, "db.reconcile", "database", now, before=before, after=after)
    return await _held(tx)


def narrows(held: Hold | None, since_at: int) -> bool:
    """Whether taking in calls since then leaves out some that *held* still waits for."""
    if held is None or not held.wants_reconciliation:
        return False
    return held.reconcile_since_at is not None and since_at > held.reconcile_since_at


async def give_up(tx: Tx, now: int) -> None:
    """Count a restored database as complete without asking the carrier.

    Raises WrongStateError when nothing is held, or nothing is to be reconciled.
    """
    held = await _held(tx)
    if not held.wants_reconciliation:
        raise WrongStateError("nothing is to be reconciled", next_step=RESUME)
    if not await _tick_off(tx, held, f"{_reason(held)}; not reconciled, by choice", now):
        raise WrongStateError("the hold was changed by somebody else; look again")
    await audit_log.record(tx, "db.reconcile-skip", "database", now)


async def _note(tx: Tx, held: Hold, done: Reconciled, now: int) -> bool:
    """Write down what became of what *held* wants, and return whether it still does."""
    stands = await hold.standing(tx)
    if stands is None or not await _tick_off(
        tx, held, f"{_reason(stands)}{DONE}: {done.words}", now
    ):
        return False
    await tx.run("forget_old_found_calls", before_at=now - KEPT_MS)
    after = {
        "since_at": held.reconcile_since_at,
        "listed": done.listed,
        "recorded": len(done.recorded),
        "strangers": len(done.strangers),
        "foreign": len(done.foreign),
        "shared": done.shared,
    }
    await audit_log.record(tx, "db.reconciled", "database", now, after=after)
    return True


async def _tick_off(tx: Tx, held: Hold, reason: str, now: int) -> bool:
    """Compare and set: only what *held* wants is ticked off, and only once."""
    noted = await tx.run(
        "note_reconciled",
        held_at=held.at,
        since_at=held.reconcile_since_at,
        reason=reason,
        now=now,
    )
    if noted:
        await tx.run("bump_revision")
    return bool(noted)


async def _held(tx: Tx) -> Hold:
    held = await hold.standing(tx)
    if held is None:
        raise WrongStateError(
            "nothing may be called while calls are being taken in", next_step="dialer pause --all"
        )
    return held


def _reason(held: Hold) -> str:
    return held.reason.partition(DONE)[0]


def _e164(party: str) -> str:
    """A party of a call as numbers are kept: compatible servers write them in their own way."""
    digits = _NOT_A_DIGIT.sub("", party)
    return parsed(party, None) or (f"+{digits}" if digits else party)
