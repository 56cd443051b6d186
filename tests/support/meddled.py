"""A database in which somebody does something at a moment of one's choice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dialer.ports import Database, Tx


class Meddled:
    """Has somebody *meddle* before the transaction of that number."""

    def __init__(
        self, database: Database, write: int, meddle: Callable[[], Awaitable[None]]
    ) -> None:
        self._database = database
        self._writes_left = write
        self._meddle = meddle
        self.read = database.read
        self.snapshot = database.snapshot

    @asynccontextmanager
    async def write(self, actor: str | None = None) -> AsyncIterator[Tx]:
        self._writes_left -= 1
        if not self._writes_left:
            await self._meddle()
        async with self._database.write(actor) as tx:
            yield tx
