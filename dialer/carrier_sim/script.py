"""What an answered call does: fetches its TwiML and follows it, one document at a time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urljoin

from dialer.carrier_sim.courier import Courier
from dialer.carrier_sim.errands import Errands
from dialer.carrier_sim.twiml import Next, Then, TwimlError, follow
from dialer.carrier_sim.webhook import Hook, Reply

MAX_FETCHES: Final = 100  # a document that redirects to itself ends the call, not the simulator
FETCH_FAILED: Final = "11200"
NOT_TWIML: Final = "12100"


class Script:
    """The documents of one call; the newest one rules."""

    __slots__ = (
        "_courier",
        "_digits",
        "_errands",
        "_fallback",
        "_fetches",
        "_form",
        "_hang_up",
        "_loop",
        "_sid",
        "_timer",
        "_turn",
    )

    def __init__(
        self,
        sid: str,
        courier: Courier,
        errands: Errands,
        *,
        form: Callable[[], dict[str, str]],
        hang_up: Callable[[], None],
        fallback: Hook | None,
        digits: str,
    ) -> None:
        self._sid = sid
        self._courier = courier
        self._errands = errands
        self._form = form
        self._hang_up = hang_up
        self._fallback = fallback
        self._digits = digits
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._turn = 0
        self._fetches = 0

    def run(self, source: Hook | str, extra: Mapping[str, str] | None = None) -> None:
        """Do what *source*, an address or a document, says, and nothing of an earlier one."""
        self.stop()
        if isinstance(source, str):
            self._follow(source, None)
        elif self._fetches < MAX_FETCHES:
            self._fetches += 1
            self._errands.start(self._fetch, source, extra or {}, self._turn)
        else:
            self._hang_up()

    def stop(self) -> None:
        """Do nothing more."""
        self._turn += 1
        if self._timer:
            self._timer.cancel()

    async def _fetch(self, source: Hook, extra: Mapping[str, str], turn: int) -> None:
        reply = await self._courier.fetch(self._sid, source, self._form() | dict(extra))
        if turn != self._turn:
            return  # the call ended or was redirected meanwhile
        if isinstance(reply, Reply) and reply.ok:
            self._follow(reply.body, source)
        else:
            self._fail(source, FETCH_FAILED)

    def _follow(self, document: str, source: Hook | None) -> None:
        try:
            coming = follow(document, self._digits)
        except TwimlError:
            self._fail(source, NOT_TWIML)
            return
        if coming.then is not Then.HOLD:
            self._timer = self._loop.call_later(coming.after_s, self._step, coming, source)

    def _step(self, coming: Next, source: Hook | None) -> None:
        url = urljoin(source.url, coming.url) if source else coming.url
        if coming.then is Then.FETCH and url:
            self.run(Hook(url, coming.method), coming.form)
        else:
            self._hang_up()

    def _fail(self, source: Hook | None, code: str) -> None:
        """Ask the fallback address once, then give up."""
        fallback, self._fallback = self._fallback, None
        if fallback:
            self.run(fallback, {"ErrorCode": code, "ErrorUrl": source.url if source else ""})
        else:
            self._hang_up()
