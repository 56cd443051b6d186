"""Which writes of a daemon's became durable, noted below the engine and judged by nobody in it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from dialer.errors import StoreError
from dialer.model import AttemptId, DaemonId
from dialer.ports import Clock
from dialer.store.inline import Connect
from dialer.store.sqlite import SqliteDatabase, SqliteTx


class Write(NamedTuple):
    """One transaction that the store kept, or refused; with the attempts it was to make."""

    at: int
    owner: DaemonId
    kept: bool
    intents: tuple[AttemptId, ...]


class SeededIds:
    """Attempt ids that sort by time, from a generator that repeats itself; it knows all it gave."""

    def __init__(self, rng: Random) -> None:
        self.given: list[AttemptId] = []
        self._rng = rng

    def attempt(self, now: int) -> AttemptId:
        self.given.append(AttemptId(f"{now:012x}{self._rng.getrandbits(80):020x}"))
        return self.given[-1]


class WatchedDatabase(SqliteDatabase):
    """The database of one daemon, which tells *note* of every write.

    Ids are given out in the course of a transaction, and there is one at a time: those of *ids*
    that were given meanwhile are its intents. *owner* is to be set once it is known.
    """

    def __init__(
        self,
        path: Path,
        rng: Random,
        *,
        busy_timeout_s: float,
        connect: Connect,
        clock: Clock,
        ids: SeededIds,
        note: Callable[[Write], None],
    ) -> None:
        super().__init__(path, rng, busy_timeout_s=busy_timeout_s, connect=connect)
        self.owner = DaemonId(0)
        self._clock = clock
        self._ids = ids
        self._note = note

    @asynccontextmanager
    async def write(self, actor: str | None = None) -> AsyncIterator[SqliteTx]:
        before = None
        try:
            async with super().write(actor) as tx:
                before = len(self._ids.given)
                yield tx
        except StoreError:
            self._tell(before, kept=False)
            raise
        self._tell(before, kept=True)

    def _tell(self, before: int | None, *, kept: bool) -> None:
        """Note a write; what was given *before* it began is not its own, None: it never did."""
        intents = () if before is None else tuple(self._ids.given[before:])
        self._note(Write(self._clock.now(), self.owner, kept, intents))
