"""What an answered call does: fetches its TwiML and follows it, one document at a time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit

from dialer.carrier_sim.courier import Courier
from dialer.carrier_sim.errands import Errands
from dialer.carrier_sim.twiml import Fork, Next, Said, Then, TwimlError, read
from dialer.carrier_sim.webhook import Hook, Reply

MAX_FETCHES: Final = 100  # a document that redirects to itself ends the call, not the simulator
FETCH_FAILED: Final = "11200"
NOT_TWIML: Final = "12100"
MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Speech:
    """A text that was spoken to the callee; times are UTC milliseconds."""

    document: str  # the path it came from
    redirected: bool  # by a request; else the call came there by itself
    text: str
    began_at: int
    ended_at: int
    full: bool  # to its end


class Stage(Protocol):
    """Where a document is played."""

    def fork(self, order: Fork, base_url: str) -> None:
        """Begin or end to listen; addresses are relative to *base_url*."""

    def spoken(self, speech: Speech) -> None:
        """Something was said, or was cut short."""


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
        "_now",
        "_page",
        "_redirected",
        "_said",
        "_sid",
        "_stage",
        "_timers",
        "_turn",
    )

    def __init__(
        self,
        sid: str,
        courier: Courier,
        errands: Errands,
        stage: Stage,
        *,
        now: Callable[[], int],
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
        self._timers: list[asyncio.TimerHandle] = []
        self._turn = 0
        self._fetches = 0
        self._stage = stage
        self._now = now
        self._page = ""
        self._redirected = False
        self._said: list[tuple[int, Said]] = []  # with the instant its document began

    def redirect(self, source: Hook | str) -> None:
        """Do what *source* says because a request wants it."""
        self.stop()
        self._redirected = True
        self.run(source)

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
        """Do nothing more; who is speaking falls silent."""
        self._turn += 1
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for began_at, said in self._said:
            if began_at + said.begins_s * MS <= self._now():
                self._tell(began_at, said, full=False)
        self._said.clear()

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
            reading = read(document, self._digits)
        except TwimlError:
            self._fail(source, NOT_TWIML)
            return
        self._page = urlsplit(source.url).path if source else ""
        self._speak(reading.said)
        for after_s, fork in reading.forks:
            self._later(after_s, self._stage.fork, fork, source.url if source else "")
        if reading.coming.then is not Then.HOLD:
            self._later(reading.coming.after_s, self._step, reading.coming, source)

    def _speak(self, texts: Sequence[Said]) -> None:
        began_at = self._now()
        self._said = [(began_at, said) for said in texts]
        for said in texts:
            self._later(said.ends_s, self._ended, began_at, said)

    def _ended(self, began_at: int, said: Said) -> None:
        self._said.remove((began_at, said))
        self._tell(began_at, said, full=True)

    def _tell(self, began_at: int, said: Said, *, full: bool) -> None:
        ended_at = began_at + round(said.ends_s * MS) if full else self._now()
        self._stage.spoken(
            Speech(
                document=self._page,
                redirected=self._redirected,
                text=said.text,
                began_at=began_at + round(said.begins_s * MS),
                ended_at=ended_at,
                full=full,
            )
        )

    def _later(self, seconds: float, do: Callable[..., None], *args: object) -> None:
        self._timers.append(self._loop.call_later(seconds, do, *args))

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
