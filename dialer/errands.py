"""What a verdict asks the carrier to do: hang up on a machine, or leave it a message.

Both race with the end of the call; a call that is over already is what was wanted.
"""

import asyncio
from collections.abc import Callable

from dialer.errors import DialerError
from dialer.folding import Action, HangUp
from dialer.lazy_log import Log
from dialer.model import AttemptId
from dialer.ports import Carrier

log = Log()


class Errands:
    """Runs actions as they come. :meth:`run` must be running."""

    def __init__(self, carrier: Carrier, message_url: Callable[[AttemptId], str]) -> None:
        self._carrier = carrier
        self._message_url = message_url
        self._queue: asyncio.Queue[Action] = asyncio.Queue()

    def reach(self, message_url: Callable[[AttemptId], str]) -> None:
        """From now on the carrier is sent to other addresses."""
        self._message_url = message_url

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
                await self._carrier.redirect(action.sid, self._message_url(action.attempt_id))
        except DialerError as error:
            log.warning("errand.failed", action=type(action).__name__, error=str(error))
