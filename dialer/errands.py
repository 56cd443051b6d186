"""What a verdict asks the carrier to do: hang up on a machine, or go on with another document.

All of it races with the end of the call; a call that is over already is what was wanted. What is
asked of one call races with itself as well: a request that was put off and is made again could come
after a later one, and send a person who is connected already to the words for a machine. So the
newest errand of a call ends those before it, and waits for their end.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from dialer.errors import DialerError
from dialer.folding import Action, Connect, HangUp, Identify, LeaveMessage
from dialer.lazy_log import Log
from dialer.model import AttemptId, CallSid
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
        self._under_way: dict[CallSid, set[asyncio.Task[None]]] = {}

    def reach(self, address: Address) -> None:
        """From now on the carrier is sent to other addresses."""
        self._address = address

    def add(self, action: Action) -> None:
        self._queue.put_nowait(action)

    async def run(self) -> None:
        """Do what is asked for ever: calls beside one another, and of each the newest errand."""
        async with asyncio.TaskGroup() as errands:
            while True:
                action = await self._queue.get()
                earlier = tuple(self._under_way.get(action.sid, ()))
                _call_off(earlier)
                errand = errands.create_task(self._after(earlier, action))
                self._under_way.setdefault(action.sid, set()).add(errand)
                errand.add_done_callback(partial(self._forget, action.sid))

    def _forget(self, sid: CallSid, errand: asyncio.Task[None]) -> None:
        of_call = self._under_way[sid]
        of_call.discard(errand)
        if not of_call:
            del self._under_way[sid]

    async def _after(self, earlier: Collection[asyncio.Task[None]], action: Action) -> None:
        """Do what is asked when all *earlier* errands of the call have ended."""
        if earlier:
            await asyncio.wait(earlier)
        await self._do(action)

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


def _call_off(errands: Collection[asyncio.Task[None]]) -> None:
    """Cancel each once: a second time would break into its tidying up."""
    for errand in errands:
        if not errand.cancelling():
            errand.cancel()
