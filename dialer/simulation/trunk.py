"""Requests between daemons and the carrier, and what the carrier does with each.

A request is its sender's until the bytes leave; from then on it belongs to the :class:`Trunk`,
which outlives every daemon: whoever dies or gives up waiting changes nothing about what the
carrier does with it. Requests and answers take virtual time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, TypeVar

from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.call import Call
from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.exchange import Exchange
from dialer.carrier_sim.faults import Fault
from dialer.carrier_sim.intake import DroppedConnectionError, Intake, Request
from dialer.carrier_sim.orders import Form
from dialer.carrier_sim.server import SLOW_LIST_S
from dialer.carriers.twilio_errors import NOT_FOUND
from dialer.model import CallSid
from dialer.simulation.weather import Weather, WireFault

T = TypeVar("T")

#: What came back: what was asked for, or the carrier's error.
Answer: TypeAlias = T | ApiError | DroppedConnectionError

#: One way between a daemon and the carrier, in seconds.
ONE_WAY_S: Final = (0.01, 0.08)
#: Opening a connection, in seconds; most requests find one open.
CONNECT_S: Final = (0.0, 0.06)

#: What the carrier says no with when it is to refuse.
REFUSALS: Final = {
    WireFault.REFUSE_NUMBER: 21211,
    WireFault.REFUSE_DESTINATION: 21215,
    WireFault.REFUSE_ACCOUNT: 21210,
    WireFault.REFUSE_OTHER: 32018,
}


class Trunk:
    """Requests between daemons and the carrier; once sent they outlive their sender.

    *outside* runs a function where no daemon's end reaches it.
    """

    def __init__(
        self,
        exchange: Exchange,
        weather: Weather,
        *,
        accept_bound_s: float,
        outside: Callable[..., object],
    ) -> None:
        self.exchange = exchange
        self.weather = weather
        self._intake = Intake(exchange, accept_bound_s)
        self._outside = outside
        self._travel = stream(exchange.setup.seed, "travel")

    def travel_s(self, bounds: tuple[float, float] = ONE_WAY_S) -> float:
        """How long one way takes this time."""
        return self._travel.uniform(*bounds)

    def send(self, serve: Callable[[], Awaitable[T]]) -> "asyncio.Future[Answer[T]]":
        """Have the carrier *serve* a request; an error of its is a result, too."""
        answer: asyncio.Future[Answer[T]] = asyncio.get_running_loop().create_future()
        self._outside(self.exchange.errands.start, self._carry, serve, answer)
        return answer

    async def _carry(
        self, serve: Callable[[], Awaitable[T]], answer: "asyncio.Future[Answer[T]]"
    ) -> None:
        await asyncio.sleep(self.travel_s())
        result: Answer[T]
        try:
            result = await serve()
        except (ApiError, DroppedConnectionError) as error:
            result = error
        await asyncio.sleep(self.travel_s())
        if not answer.done():
            answer.set_result(result)

    # -- what the carrier does with a request ----------------------------------------------------

    async def accept(self, form: Form) -> Call:
        """Make a call of an order, with the faults it meets."""
        for fault, code in REFUSALS.items():
            if self.weather.strikes(fault):
                raise ApiError(code, *form["To"])
        loop = asyncio.get_running_loop()
        request = Request(form, self.exchange.now(), loop.time(), _read_at_once)
        call = await self._intake.place(request)
        if self.weather.strikes(WireFault.HALF_ANSWER):
            raise DroppedConnectionError
        return call

    async def list(self, to: str, from_: str) -> Sequence[Call]:
        """The calls between two numbers that lists show by now, oldest first."""
        self._serve_or_fail()
        if self.exchange.dice.strikes(Fault.SLOW_LIST):
            await asyncio.sleep(self.exchange.dice.between(Fault.SLOW_LIST, *SLOW_LIST_S))
        newest_first = self.exchange.newest_first(to)
        return [call for call in newest_first if call.order.from_ == from_][::-1]

    async def look_up(self, sid: CallSid) -> Call:
        """One call."""
        self._serve_or_fail()
        if self.weather.strikes(WireFault.NOT_KNOWN_YET):
            raise ApiError(NOT_FOUND, sid)
        return self.exchange.call(sid)

    async def change(self, sid: CallSid, **form: str) -> Call:
        """Hang up, cancel or redirect a call."""
        self._serve_or_fail()
        return self.exchange.update(sid, {name: [value] for name, value in form.items()})

    def _serve_or_fail(self) -> None:
        if self.weather.strikes(WireFault.ASK_FAILED):
            raise ApiError(20503)


async def _read_at_once() -> bool:
    """Bytes that have arrived are read, whoever has hung up meanwhile."""
    return False
