"""Whether this daemon can do its work right now."""

from collections.abc import Mapping
from typing import Final

from dialer.dispatcher import Dispatcher
from dialer.errors import DialerError
from dialer.leases import Lease
from dialer.ports import Clock, Database

#: A dispatcher that has not turned for so long is stuck.
TICK_BOUND_S: Final = 10.0


class Health:
    """Looks at what keeps a daemon from working."""

    def __init__(
        self, clock: Clock, database: Database, dispatcher: Dispatcher, lease: Lease
    ) -> None:
        self._clock = clock
        self._database = database
        self._dispatcher = dispatcher
        self._lease = lease

    async def checks(self) -> Mapping[str, str | None]:
        """A name for each thing looked at, and what is wrong with it; None when it is well."""
        return {
            "database": await self._database_trouble(),
            "dispatcher": self._dispatcher_trouble(),
            "lease": None if self._lease.valid() else "expired",
        }

    async def _database_trouble(self) -> str | None:
        try:
            async with self._database.read() as tx:
                await tx.row("revision")
        except DialerError as error:
            return error.message
        # On a full disk reading goes well.
        return self._lease.trouble or self._dispatcher.store_trouble

    def _dispatcher_trouble(self) -> str | None:
        if self._dispatcher.draining:
            return "draining"
        silent_s = (self._clock.now() - self._dispatcher.ticked_at) / 1000
        return f"no tick for {silent_s:.0f} s" if silent_s > TICK_BOUND_S else None
