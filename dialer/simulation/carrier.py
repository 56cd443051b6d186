"""A carrier in the same process: the port every daemon uses, over the simulated exchange.

What an answer amounts to is judged by the very code that judges Twilio's answers, and an order is
void by the same last look at the clock.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Final, TypeVar

from dialer.carrier_sim import intake
from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.call import Call
from dialer.carrier_sim.orders import EVENTS, Form
from dialer.carriers import twilio_http
from dialer.carriers.twilio_config import TwilioConfig
from dialer.carriers.twilio_errors import NOT_FOUND, NOT_IN_PROGRESS, placement_of
from dialer.errors import UnreachableError
from dialer.model import AmdMode, CallFacts, CallSid, CarrierStatus
from dialer.ports import Accepted, CarrierCall, Clock, Order, OwnedNumber, Placement
from dialer.simulation.trunk import CONNECT_S, Answer, Trunk
from dialer.simulation.weather import WireFault

T = TypeVar("T")

MS: Final = 1000
#: What a daemon is about to do when it calls its last act.
PLACE: Final = "place"
CHANGE: Final = "change"


class SimulatedCarrier:
    """The :class:`~dialer.ports.Carrier` of one daemon at the end of a trunk.

    *last_act* is called between the last look at the clock and the bytes: where a process may die.
    """

    def __init__(
        self,
        trunk: Trunk,
        config: TwilioConfig,
        clock: Clock,
        *,
        last_act: Callable[[str], Awaitable[None]],
    ) -> None:
        self._trunk = trunk
        self._config = config
        self._clock = clock
        self._last_act = last_act

    async def place(self, order: Order) -> Placement:
        """Ask once. Never raises for what the carrier or the network does, never asks twice."""
        noted = twilio_http.Exchange(self._clock, order.void_at)
        try:
            async with asyncio.timeout(self._config.timeout_s):
                await self._connect()
                noted.depart()
                await self._last_act(PLACE)
                form = order_form(self._config, order)
                answer = await self._trunk.send(partial(self._trunk.accept, form))
            return Accepted(CallSid(_success(answer, noted).sid))
        except Exception as error:
            return placement_of(error, noted, self._clock.now())

    async def hang_up(self, sid: CallSid) -> None:
        """End the call in whatever state it is; a call that is over already is fine."""
        await self._change(sid, Status="completed")

    async def cancel(self, sid: CallSid) -> None:
        """End the call if it is still queued or ringing; no effect on a conversation."""
        await self._change(sid, Status="canceled")

    async def redirect(self, sid: CallSid, url: str) -> bool:
        """Continue the call with the document at *url*; False when the call is over already."""
        return await self._change(sid, Url=url) is not None

    async def fetch(self, sid: CallSid) -> CarrierCall | None:
        """The call as the carrier knows it, None when it says that it knows none."""
        call = await self._ask(partial(self._trunk.look_up, sid), benign={NOT_FOUND})
        return None if call is None else carrier_call(call)

    async def find(self, to: str, from_: str, since_at: int) -> Sequence[CarrierCall]:
        """Calls between the two numbers created at or after *since_at*, oldest first."""
        listed = await self._ask(partial(self._trunk.list, to, from_)) or ()
        calls = [carrier_call(call) for call in listed]
        return [call for call in calls if call.created_at // MS >= since_at // MS]

    async def owned_numbers(self) -> Sequence[OwnedNumber]:
        """Every number the account may call from."""
        numbers = self._trunk.exchange.setup.numbers
        return [OwnedNumber(phone, "") for phone in (*numbers.bought(), *numbers.caller_ids())]

    async def check(self) -> None:
        """Raise UnreachableError when the account cannot be used."""
        await self._connect()

    async def _change(self, sid: CallSid, **form: str) -> Call | None:
        await self._last_act(CHANGE)
        change = partial(self._trunk.change, sid, **form)
        return await self._ask(change, benign={NOT_IN_PROGRESS, NOT_FOUND})

    async def _ask(
        self, serve: Callable[[], Awaitable[T]], *, benign: Collection[int] = frozenset()
    ) -> T | None:
        """Ask once; None when the carrier's no is *benign*, UnreachableError for any trouble."""
        noted = twilio_http.Exchange(self._clock)
        try:
            async with asyncio.timeout(self._config.timeout_s):
                await self._connect()
                return _success(await self._trunk.send(serve), noted)
        except ApiError as error:
            if error.api_code in benign:
                return None
            raise UnreachableError(f"the carrier cannot be used: {error.message}") from error
        except OSError as error:  # a time-out is one, too
            raise UnreachableError(f"the carrier cannot be used: {error}") from error

    async def _connect(self) -> None:
        await asyncio.sleep(self._trunk.travel_s(CONNECT_S))
        if self._trunk.weather.strikes(WireFault.UNREACHABLE):
            raise ConnectionRefusedError("nobody listens there")


def order_form(config: TwilioConfig, order: Order) -> Form:
    """The fields of a request to place a call, as the carrier reads them."""
    form = {
        "To": [order.to],
        "From": [order.from_],
        "Url": [config.answer_url(order.attempt_id)],
        "StatusCallback": [config.status_url(order.attempt_id)],
        "StatusCallbackEvent": list(EVENTS),
        "Timeout": [str(order.ring_timeout_s)],
        "TimeLimit": [str(config.time_limit_s)],
    }
    if order.amd is not AmdMode.CARRIER:
        return form
    return form | {
        "MachineDetection": ["DetectMessageEnd" if order.detect_message_end else "Enable"],
        "AsyncAmd": ["true"],
        "AsyncAmdStatusCallback": [config.amd_url(order.attempt_id)],
    }


def carrier_call(call: Call) -> CarrierCall:
    """A call as the carrier's resource shows it: times in whole seconds, no time of answer."""
    status = CarrierStatus(call.status.value)
    ended_at = None if call.ended_at is None else call.ended_at // MS * MS
    completed = status is CarrierStatus.COMPLETED and ended_at is not None
    return CarrierCall(
        sid=CallSid(call.sid),
        to=call.order.to,
        from_=call.order.from_,
        created_at=call.accepted_at // MS * MS,
        facts=CallFacts(
            sid=CallSid(call.sid),
            status=status,
            answered_at=ended_at - call.duration_s * MS if completed and ended_at else None,
            ended_at=ended_at,
            duration_s=None if call.live else call.duration_s,
            answered_by=call.verdict,
        ),
    )


def _success(answer: Answer[T], noted: twilio_http.Exchange) -> T:
    """The carrier's yes; anything else is raised, with what its response said noted down."""
    if isinstance(answer, intake.DroppedConnectionError):
        raise ConnectionResetError("the answer broke off")
    if isinstance(answer, ApiError):
        noted.status, noted.body = answer.status, json.dumps(answer.body())
        if isinstance(answer, intake.ThrottledError):
            noted.headers = {"Retry-After": str(intake.RETRY_AFTER_S)}
        raise answer
    return answer
