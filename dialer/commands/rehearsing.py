"""A command for show: what it writes is taken back as each of its transactions ends."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from dialer.errors import UsageError
from dialer.ports import Database, Tx


class _TakenBack(Exception):  # noqa: N818  it is no error: it ends the transaction
    """The transaction is to leave nothing."""


class Rehearsal:
    """A :class:`~dialer.ports.Database` that keeps nothing of what is written to it.

    A use case of several transactions would not find what the earlier ones did, so only one is
    allowed, unless *whole* says that the command is one by nature.
    """

    def __init__(self, database: Database, *, whole: bool) -> None:
        self._database = database
        self._whole = whole

    def read(self) -> AbstractAsyncContextManager[Tx]:
        return self._database.read()

    def snapshot(self) -> AbstractAsyncContextManager[Tx]:
        return self._database.snapshot()

    @asynccontextmanager
    async def write(self, actor: str | None = None) -> AsyncIterator[Tx]:
        """One transaction, rolled back when its block ends; raises UsageError where that will not
        do.
        """
        if not self._whole:
            raise UsageError("this command cannot be tried out: it writes in several steps")
        try:
            async with self._database.write(actor) as tx:
                yield tx
                raise _TakenBack
        except _TakenBack:
            return
