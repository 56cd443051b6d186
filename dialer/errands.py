"""What a verdict asks the carrier to do: hang up on a machine, or go on with another document.

All of it races with the end of the call; a call that is over already is what was wanted.
"""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from dialer.errors import DialerError
from dialer.folding import Action, Connect, HangUp, Identify, LeaveMessage
from dialer.lazy_log import Log
from dialer.model import AttemptId
from dialer.ports import Carrier

log = Log()

#: By action: the topic of the address the call is sent to.
TOPICS: Final[Mapping[type[Action], str]] = MappingProxyType(
    {LeaveMessage: "message", Identify: "identify", Connect: "connect"}
)
#: The address of a topic for an attempt.
Address: TypeAlias = Callable[[str, AttemptId], str]


class Errands:
    """Runs actions as they come. :meth:`run` must be running."""

    def __init__(self, carrier: Carrier, address: Address) -> None:
        self._carrier = carrier
        self._address = address
        self._queue: asyncio.Queue[Action] = asyncio.Queue()

    def reach(self, address: Address) -> None:
        """From now on the carrier is sent to other addresses."""
        self._address = address

    def add(self, action: Action) -> None:
        self._queue.put_nowait(action)

    async def run(self) -> None:
        """Do what is asked for ever, each errand in a task of its own."""
        async with asyncio.TaskGroup() as errands:
            while True:
                errands.create_task(self._do(await self._queue.get()))

    async def _do(self, action: Action) -> None:
        try:
            if isinstance(action, HangUp):
                await self._carrier.hang_up(action.sid)
            else:
                await self._carrier.redirect(
                    action.sid, self._address(TOPICS[type(action)], action.attempt_id)
                )
        except DialerError as error:
            log.warning("errand.failed", action=type(action).__name__, error=str(error))
