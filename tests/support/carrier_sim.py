"""A simulated carrier in virtual time, and the other end of its webhooks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dialer.carrier_sim import truth
from dialer.carrier_sim.exchange import Exchange, Setup
from dialer.carrier_sim.hearing import AmdOrder
from dialer.carrier_sim.orders import EVENTS, CallOrder
from dialer.carrier_sim.truth import TruthList
from dialer.carrier_sim.webhook import Hook, Reply, WebRequest
from tests.support.virtual import now

ACCOUNT: Final = "AC" + "0" * 31 + "1"
CALLER: Final = "+12025550111"
HUMAN, MACHINE, FAX, SILENT, BUSY, REJECTING, INVALID, FAILING, CURT, PRESSING = (
    f"+1500555010{digit}" for digit in range(10)
)
HOLD: Final = "<Response><Connect><Stream url='wss://agent.test/'/></Connect></Response>"
STATUS_URL: Final = "http://dialer.test/status/attempt-1"
ORDER: Final = CallOrder(
    to=HUMAN,
    from_=CALLER,
    answer=Hook("http://dialer.test/answer"),
    status=Hook(STATUS_URL),
    events=frozenset(EVENTS),
    ring_timeout_s=30,
)
ASYNC_AMD: Final = AmdOrder(detect_message_end=False, asynchronous=True)
SYNC_AMD: Final = replace(ASYNC_AMD, asynchronous=False)


def order(to: str = HUMAN, **changes: Any) -> CallOrder:
    """A call to *to* with every status event subscribed."""
    return replace(ORDER, to=to, **changes)


def document(text: str) -> Callable[[WebRequest], Reply]:
    """A server that answers every request with *text*."""
    return lambda _: Reply(200, text)


@dataclass
class Mailbox:
    """A poster that keeps what it is given; *answer* decides the reply, or raises."""

    answer: Callable[[WebRequest], Reply] = field(default_factory=lambda: document(HOLD))
    requests: list[WebRequest] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)

    async def post(self, request: WebRequest) -> Reply:
        self.requests.append(request)
        self.times_s.append(asyncio.get_running_loop().time())
        return self.answer(request)

    def to(self, part: str) -> list[dict[str, str]]:
        """The forms sent to addresses that contain *part*."""
        return [dict(request.form) for request in self.requests if part in request.url]

    def statuses(self) -> list[str]:
        """The CallStatus of each status callback, in the order of arrival."""
        return [form["CallStatus"] for form in self.to("/status/")]


@dataclass
class Rig:
    """A running exchange with both its ends in view."""

    exchange: Exchange
    mailbox: Mailbox
    log: TruthList

    def calls(self) -> list[truth.Call]:
        """The truth so far, one record per call."""
        return truth.fold(self.log.events)

    async def quiet(self) -> None:
        """Let more than a day pass, after which everything is over."""
        await asyncio.sleep(100_000)
        assert self.exchange.counts()["live"] == 0


@asynccontextmanager
async def carrier(
    mailbox: Mailbox | None = None, history: Iterable[truth.Call] = (), **setup: Any
) -> AsyncIterator[Rig]:
    """An exchange in virtual time; *setup* are fields of Setup."""
    box, log = mailbox or Mailbox(), TruthList()
    options = Setup(ACCOUNT, **({"cps": 100.0} | setup))
    async with Exchange(options, now=now, poster=box, truth_log=log, history=history) as exchange:
        yield Rig(exchange, box, log)
