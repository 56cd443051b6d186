"""Somebody calls one of our numbers: what they hear, and how they ask to be left alone.

The carrier finds these addresses in the settings of a number, where an operator has put them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dialer.errors import UsageError
from dialer.lazy_log import Log
from dialer.model import InboundCall
from dialer.web.callbacks import MAX_BODY_BYTES, Endpoint, admitted, insist, metered
from dialer.web.services import WebServices

INCOMING: Final = "/twilio/incoming"

log = Log()

Compose: TypeAlias = Callable[[InboundCall, bytes], Awaitable[bytes]]


def incoming_routes(services: WebServices) -> Sequence[BaseRoute]:
    """The address for a number's voice calls, and the one for a key pressed in them."""
    caller = _Caller(services)
    return [
        Route(
            path,
            metered(services.meters, topic, _answered(services, topic, compose)),
            methods=["POST"],
            name=topic,
            max_body_size=MAX_BODY_BYTES,
        )
        for path, topic, compose in (
            (INCOMING, "incoming", lambda call, _: caller.greet(call)),
            (f"{INCOMING}/keypress", "incoming_keypress", caller.press),
        )
    ]


def _answered(services: WebServices, topic: str, compose: Compose) -> Endpoint:
    """Let only the carrier through; whoever is on the line gets a document, whatever happens."""

    async def endpoint(request: Request) -> Response:
        body = await admitted(services, request, topic=topic)
        if isinstance(body, Response):
            return body
        try:
            call = services.door.inbound_call(body)
        except UsageError as error:
            log.warning("callback.rejected", topic=topic, error=error.message)
            return Response(status_code=400)
        return Response(await compose(call, body), media_type="text/xml")

    return endpoint


class _Caller:
    """Greets whoever calls, and puts them on the do-not-call list if they ask for it."""

    def __init__(self, services: WebServices) -> None:
        self._services = services

    async def greet(self, call: InboundCall) -> bytes:
        """What they hear; that a listed callee called is remembered on the way."""
        log.info("call.inbound", sid=call.sid, caller=call.from_, called=call.to)
        try:
            async with asyncio.timeout(self._services.patience_s):
                await insist(self._services.note_inbound, call)
        except Exception:
            log.exception("call.inbound_unrecorded", sid=call.sid)
        return self._services.door.greeting(self._services.incoming_message)

    async def press(self, call: InboundCall, body: bytes) -> bytes:
        """What they hear after a key: nobody is told that it is done unless it is."""
        door = self._services.door
        if call.from_ is None or not door.greeted_opts_out(body):
            return door.goodbye()
        try:
            async with asyncio.timeout(self._services.patience_s):
                await insist(self._services.opt_out_caller, call)
        except Exception:
            log.exception("opt_out.failed", sid=call.sid)
            return door.goodbye()
        return door.greeted_opted_out()
