"""The carrier's callbacks: news of calls, and the question what an answered call is to hear.

Plain routes over the raw body, because three of them come with every call. News is acknowledged
once it is durable; when it cannot be kept the answer is 500, so that the carrier sends it again.
A question is always answered with a document: somebody is on the line, and an error would be
read out to them.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dialer.errors import StoreError, UsageError
from dialer.lazy_log import Log
from dialer.meters import Meters, WebhookResult
from dialer.model import PROBE, AttemptId, CallEvent, Script
from dialer.web.services import WebServices

#: Twilio's callbacks are below 2 kB.
MAX_BODY_BYTES: Final = 64 * 1024

#: Pause before a store that failed is asked again.
ASK_AGAIN_S: Final = 0.2

_ATTEMPT_ID: Final = re.compile(r"[0-9a-f]{32}")

log = Log()

T = TypeVar("T")
Subject = TypeVar("Subject")

Parse: TypeAlias = Callable[[AttemptId, bytes, int], CallEvent]
Compose: TypeAlias = Callable[[Script], bytes]
Handle: TypeAlias = Callable[[AttemptId, bytes], Awaitable[Response]]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def callback_routes(services: WebServices) -> Sequence[BaseRoute]:
    """The addresses the carrier is given with every call; the attempt is the last segment."""
    door = services.door
    topics: tuple[tuple[str, Handle], ...] = (
        ("status", _News(services, door.status_event)),
        ("amd", _News(services, door.amd_event)),
        ("answer", _Question(services, door.document, recorded_as=door.answer_event)),
        ("message", _Question(services, door.message_document)),
        ("keypress", _Keypress(services)),
    )
    return [
        Route(
            f"/twilio/{topic}/{{attempt_id}}",
            metered(services.meters, topic, _guarded(services, topic, handle)),
            methods=["POST"],
            name=topic,
            max_body_size=MAX_BODY_BYTES,
        )
        for topic, handle in topics
    ]


def metered(meters: Meters, route: str, endpoint: Endpoint) -> Endpoint:
    """Count what the carrier asks at one of its addresses, and what it is answered."""

    async def counted(request: Request) -> Response:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        result = WebhookResult.LOST
        meters.webhook_began()
        try:
            response = await endpoint(request)
            result = _result(response.status_code)
            return response
        finally:
            meters.webhook_ended(route, result, loop.time() - began_s)

    return counted


def _result(status_code: int) -> WebhookResult:
    if status_code >= 500:
        return WebhookResult.LOST
    if status_code == 403:
        return WebhookResult.REFUSED
    return WebhookResult.REJECTED if status_code >= 400 else WebhookResult.TAKEN


def _guarded(services: WebServices, topic: str, handle: Handle) -> Endpoint:
    """Let only the carrier through to *handle*."""

    async def endpoint(request: Request) -> Response:
        attempt_id = request.path_params["attempt_id"]
        if not _ATTEMPT_ID.fullmatch(attempt_id):
            return Response(status_code=404)
        body = await admitted(services, request, topic=topic, attempt=attempt_id)
        if isinstance(body, Response):
            return body
        return await handle(AttemptId(attempt_id), body)

    return endpoint


async def admitted(services: WebServices, request: Request, **named: str) -> bytes | Response:
    """The body of a request if the carrier signed it, else the answer to whoever did not.

    A request that is refused is logged as *named*, unless it is the doctor's.
    """
    try:
        body = await request.body()
    except ClientDisconnect:
        return Response(status_code=400)
    if not services.door.authentic(_target(request), body, request.headers):
        if named.get("attempt") == PROBE:
            log.info("callback.probed", signed=False)
        else:
            log.warning("callback.refused", **named)
        return Response(status_code=403)
    return body


def _target(request: Request) -> str:
    """The path and query as they were sent: decoding and encoding again would not give them."""
    query = request.scope["query_string"]
    target = request.scope["raw_path"] + (b"?" + query if query else b"")
    return str(target, "latin-1")


class _News:
    """Keep what the carrier reports, then say so."""

    def __init__(self, services: WebServices, parse: Parse) -> None:
        self._services = services
        self._parse = parse

    async def __call__(self, attempt_id: AttemptId, body: bytes) -> Response:
        try:
            event = self._parse(attempt_id, body, self._services.clock.now())
        except UsageError as error:
            if attempt_id == PROBE:
                log.info("callback.probed", signed=True)
            else:
                log.warning("callback.rejected", attempt=attempt_id, error=error.message)
            return Response(status_code=400)
        try:
            await self._services.receive(event)
        except StoreError as error:
            # The carrier repeats what it could not deliver; should it not, the call is looked up.
            log.warning("event.refused", attempt=attempt_id, error=error.message)
            return Response(status_code=503)
        except Exception:
            log.exception("event.lost", attempt=attempt_id, source=event.source)
            return Response(status_code=500)
        return Response(status_code=204)


class _Keypress:
    """Put whoever asks for it on the do-not-call list, then say so.

    A store that fails for a moment is asked again: a key is pressed once.
    """

    def __init__(self, services: WebServices) -> None:
        self._services = services

    async def __call__(self, attempt_id: AttemptId, body: bytes) -> Response:
        return Response(await self._reply(attempt_id, body), media_type="text/xml")

    async def _reply(self, attempt_id: AttemptId, body: bytes) -> bytes:
        door = self._services.door
        try:
            async with asyncio.timeout(self._services.patience_s):
                script = await insist(self._services.heard, attempt_id)
                if script is not None and door.opts_out(script, body):
                    await insist(self._services.opt_out, attempt_id)
                    return door.opted_out(script)
        except Exception:
            # Nobody is told that they will not be called again unless it is so.
            log.exception("opt_out.failed", attempt=attempt_id)
        return door.goodbye()


async def insist(ask: Callable[[Subject], Awaitable[T]], about: Subject) -> T:
    """Ask until the store answers; the caller sets the limit."""
    while True:
        try:
            return await ask(about)
        except StoreError:
            await asyncio.sleep(ASK_AGAIN_S)


class _Question:
    """Say what the call is to hear; goodbye when that cannot be found out."""

    def __init__(
        self, services: WebServices, compose: Compose, *, recorded_as: Parse | None = None
    ) -> None:
        self._services = services
        self._compose = compose
        self._parse = recorded_as

    async def __call__(self, attempt_id: AttemptId, body: bytes) -> Response:
        if self._parse is not None:
            await self._record(self._parse, attempt_id, body)
        return Response(await self._document(attempt_id), media_type="text/xml")

    async def _record(self, parse: Parse, attempt_id: AttemptId, body: bytes) -> None:
        """Keep the answer as news; without it the status callback still tells."""
        try:
            async with asyncio.timeout(self._services.patience_s):
                await self._services.receive(parse(attempt_id, body, self._services.clock.now()))
        except Exception:
            log.exception("answer.unrecorded", attempt=attempt_id)

    async def _document(self, attempt_id: AttemptId) -> bytes:
        try:
            async with asyncio.timeout(self._services.patience_s):
                script = await self._services.script(attempt_id)
            if script is not None:
                return self._compose(script)
            log.info("answer.dismissed", attempt=attempt_id)
        except Exception:
            log.exception("answer.failed", attempt=attempt_id)
        return self._services.door.goodbye()
