"""What the web server needs from the rest of the engine."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from dialer.listening.listener import Listener
from dialer.meters import NO_METERS, Meters
from dialer.model import AttemptId, CallEvent, CallSid, InboundCall, Script
from dialer.ports import CallbackDoor, Clock

#: A name for each thing looked at, and what is wrong with it; None when it is well.
Checks: TypeAlias = Mapping[str, str | None]


class LiveCall(NamedTuple):
    """A call that goes on, as both sides name it."""

    attempt_id: AttemptId
    sid: CallSid


async def _nobody(_call: str) -> LiveCall | None:
    return None


@dataclass(frozen=True, slots=True)
class WebServices:
    """The use cases and ports behind the routes.

    *receive* returns once the event is durable. *script* gives what an answered call is to hear,
    None for an attempt that is unknown or over; *heard* gives it for a call that is over, too.
    *opt_out* returns once the callee of an attempt is on the do-not-call list. *note_inbound*
    remembers that somebody calls us, who hears *incoming_message*; *opt_out_caller* puts them on
    the list. *opt_out_by* lists the callee of a "call" or a "phone" for programs that hold
    *api_token*, and says whether there is such a call. *listener* hears what is said and sounds in
    calls; *call_named* finds one that goes on by the name either side has for it. *health* says
    what keeps the daemon from working; *daemon* is by what those know it who can read its database.
    *patience_s* is how long a person on the line may wait for each of the two steps before they
    hear something; Twilio itself waits 15 seconds and then reads an error out.
    """

    door: CallbackDoor
    clock: Clock
    receive: Callable[[CallEvent], Awaitable[None]]
    script: Callable[[AttemptId], Awaitable[Script | None]]
    heard: Callable[[AttemptId], Awaitable[Script | None]]
    opt_out: Callable[[AttemptId], Awaitable[None]]
    note_inbound: Callable[[InboundCall], Awaitable[None]]
    opt_out_caller: Callable[[InboundCall], Awaitable[None]]
    health: Callable[[], Awaitable[Checks]]
    incoming_message: str
    opt_out_by: Callable[[str, str], Awaitable[bool]]
    listener: Listener | None = None  # nobody listens
    call_named: Callable[[str], Awaitable[LiveCall | None]] = _nobody
    api_token: str = ""
    daemon: str = ""
    patience_s: float = 4.0
    meters: Meters = NO_METERS
