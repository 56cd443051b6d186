"""The door for new calls: where requests are accepted within a stated time, or never.

A caller who heard nothing waits out that bound and then asks what there is. It therefore has to
hold whatever happens to this process: a request that lay unread for too long, or whose sender has
hung up before it was read, makes no call.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.call import Call
from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.exchange import Exchange
from dialer.carrier_sim.faults import Fault
from dialer.carrier_sim.orders import CallOrder, Form, parse_order
from dialer.carrier_sim.truth import Event

ACCEPT_BOUND_S: Final = 30.0
LATENCY_S: Final = (0.08, 0.4)  # of the live API, acceptance to answer
SLOW_SHARE: Final = (0.35, 0.9)  # of the bound, until a slow request is accepted
RETRY_AFTER_S: Final = 1


class Why(StrEnum):
    """Why a request made no call."""

    INVALID = "invalid"
    INJECTED = "injected"
    TOO_LATE = "too_late"
    SENDER_GONE = "sender_gone"


class ThrottledError(ApiError):
    """429, never processed; may be repeated after RETRY_AFTER_S."""

    def __init__(self) -> None:
        super().__init__(20429)


class DroppedConnectionError(Exception):
    """The answer to give is none: close the connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """A create request; *arrived_s* is loop time, *gone* tells whether its sender has hung up."""

    form: Form
    arrived_at: int
    arrived_s: float
    gone: Callable[[], Awaitable[bool]]


class Intake:
    """Takes create requests, with the faults they meet."""

    def __init__(self, exchange: Exchange, accept_bound_s: float = ACCEPT_BOUND_S) -> None:
        self._exchange = exchange
        self._bound_s = accept_bound_s
        self._latency = stream(exchange.setup.seed, "latency")

    async def place(self, request: Request) -> Call:
        """Make a call of *request*.

        Raises ApiError for a refusal, and for an injected failure after acceptance too;
        DroppedConnectionError when the sender shall hear nothing.
        """
        order = self._read(request)
        self._meet(Fault.REFUSE_429, order, ThrottledError())
        self._meet(Fault.ERROR_BEFORE, order, ApiError(20503))
        await self._check_sender(request, order)
        call = self._exchange.accept(order, request.arrived_at)
        self._meet(Fault.ERROR_AFTER, order, ApiError(20500), call)
        self._meet(Fault.DROP_AFTER, order, DroppedConnectionError(), call)
        await asyncio.sleep(self._latency.uniform(*LATENCY_S))
        return call

    def _read(self, request: Request) -> CallOrder:
        try:
            return parse_order(request.form, self._exchange.setup.numbers)
        except ApiError as error:
            self._refused(Why.INVALID, None, error.api_code)
            raise

    def _meet(
        self, fault: Fault, order: CallOrder, error: Exception, call: Call | None = None
    ) -> None:
        """Fail with *error* as often as *fault* strikes."""
        if not self._exchange.dice.strikes(fault):
            return
        if call is None:
            self._refused(Why.INJECTED, order, error.api_code if isinstance(error, ApiError) else 0)
        self._fault(fault, order, call)
        raise error

    async def _check_sender(self, request: Request, order: CallOrder) -> None:
        """Let pass only what may still be accepted; a slow request is held back first."""
        dice = self._exchange.dice
        if dice.strikes(Fault.SLOW_ACCEPT):
            self._fault(Fault.SLOW_ACCEPT, order, None)
            await asyncio.sleep(self._bound_s * dice.between(Fault.SLOW_ACCEPT, *SLOW_SHARE))
        elif await request.gone():
            self._refused(Why.SENDER_GONE, order, 20503)
            raise ApiError(20503)
        if asyncio.get_running_loop().time() - request.arrived_s > self._bound_s:
            self._refused(Why.TOO_LATE, order, 20503)
            raise ApiError(20503)

    def _refused(self, why: Why, order: CallOrder | None, code: int) -> None:
        facts = {"why": why, "code": code, **_who(order)}
        self._exchange.truth.record(Event.REFUSED, self._exchange.now(), facts)

    def _fault(self, fault: Fault, order: CallOrder, call: Call | None) -> None:
        facts = {"kind": fault, **({"sid": call.sid} if call else {}), **_who(order)}
        self._exchange.truth.record(Event.FAULT, self._exchange.now(), facts)


def _who(order: CallOrder | None) -> dict[str, str]:
    if order is None:
        return {}
    return {"to": order.to, "from_": order.from_, "token": order.token}
