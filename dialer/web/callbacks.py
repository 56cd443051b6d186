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
from starlette.types import Scope

from dialer.errors import StoreError, UsageError
from dialer.lazy_log import Log
from dialer.meters import Meters, WebhookResult
from dialer.model import PROBE, AttemptId, CallEvent, Script
from dialer.web.services import WebServices

#: Twilio's callbacks are below 2 kB.
MAX_BODY_BYTES: Final = 64 * 1024

#: Pause before a store that failed is asked again.
ASK_AGAIN_S: Final = 0.2

ATTEMPT_ID: Final = re.compile(r"[0-9a-f]{32}")

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
        ("status", _News(services, door.status_event, then=_nothing)),
        ("amd", _News(services, door.amd_event, then=_tell_word(services))),
        ("answer", _Answer(services)),
        ("connect", _Question(services, door.connect_document)),
        ("identify", _Question(services, door.identify_document)),
        ("message", _Question(services, door.message_document)),
        ("left", _Left(services)),
        ("keypress", _Keypress(services)),
    )
    return [topic_route(services, topic, handle) for topic, handle in topics]


def topic_route(services: WebServices, topic: str, handle: Handle) -> BaseRoute:
    """The address of *topic* for every attempt, open to the carrier alone."""
    return Route(
        f"/twilio/{topic}/{{attempt_id}}",
        metered(services.meters, topic, _guarded(services, topic, handle)),
        methods=["POST"],
        name=topic,
        max_body_size=MAX_BODY_BYTES,
    )


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
        if not ATTEMPT_ID.fullmatch(attempt_id):
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
    if not services.door.authentic(target_of(request.scope), body, request.headers):
        if named.get("attempt") == PROBE:
            log.info("callback.probed", signed=False)
        else:
            log.warning("callback.refused", **named)
        return Response(status_code=403)
    return body


def target_of(scope: Scope) -> str:
    """The path and query as they were sent: decoding and encoding again would not give them."""
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    return str(target, "latin-1")


class _News:
    """Keep what the carrier reports, then say so."""

    def __init__(
        self, services: WebServices, parse: Parse, *, then: Callable[[CallEvent], Awaitable[None]]
    ) -> None:
        self._services = services
        self._parse = parse
        self._then = then

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
        try:
            await self._then(event)
        except Exception:
            log.exception("listening.failed", attempt=attempt_id)
        return Response(status_code=204)


async def _nothing(_event: CallEvent) -> None:
    """For news that nobody else waits for."""


def _tell_word(services: WebServices) -> Callable[[CallEvent], Awaitable[None]]:
    """Let whoever listens to a call know what the carrier makes of it."""

    async def tell(event: CallEvent) -> None:
        if services.listener is not None and event.answered_by is not None:
            await services.listener.carrier_word(event.attempt_id, event.sid, event.answered_by)

    return tell


class _Keypress:
    """Put whoever asks for it on the do-not-call list, then say so.

    A store that fails for a moment is asked again: a key is pressed once.
    """

    def __init__(self, services: WebServices) -> None:
        self._services = services

    async def __call__(self, attempt_id: AttemptId, body: bytes) -> Response:
        return _document(await self._reply(attempt_id, body))

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

    def __init__(self, services: WebServices, compose: Compose) -> None:
        self._services = services
        self._compose = compose

    async def __call__(self, attempt_id: AttemptId, body: bytes) -> Response:  # noqa: ARG002  every handler has it
        script = await self._script(attempt_id)
        return _document(self._services.door.goodbye() if script is None else self.say(script))

    def say(self, script: Script) -> bytes:
        """What the call is to hear; somebody is on the line, so goodbye whatever is wrong."""
        try:
            return self._compose(script)
        except Exception:
            log.exception("answer.failed", attempt=script.attempt_id)
            return self._services.door.goodbye()

    async def _script(self, attempt_id: AttemptId) -> Script | None:
        try:
            async with asyncio.timeout(self._services.patience_s):
                script = await self._services.script(attempt_id)
        except Exception:
            log.exception("answer.failed", attempt=attempt_id)
            return None
        if script is None:
            log.info("answer.dismissed", attempt=attempt_id)
        return script


class _Answer(_Question):
    """Say what an answered call is to hear, note that it was answered, and begin to listen."""

    def __init__(self, services: WebServices) -> None:
        super().__init__(services, services.door.document)

    async def __call__(self, attempt_id: AttemptId, body: bytes) -> Response:
        event = await self._record(attempt_id, body)
        script = await self._script(attempt_id)
        if script is None:
            return _document(self._services.door.goodbye())
        listener = self._services.listener
        if listener is not None and event is not None and (script.by_words or script.by_sound):
            listener.answered(event.attempt_id, event.sid)
        return _document(self.say(script))

    async def _record(self, attempt_id: AttemptId, body: bytes) -> CallEvent | None:
        """Keep the answer as news; without it the status callback still tells."""
        try:
            event = self._services.door.answer_event(attempt_id, body, self._services.clock.now())
            async with asyncio.timeout(self._services.patience_s):
                await self._services.receive(event)
        except Exception:
            log.exception("answer.unrecorded", attempt=attempt_id)
            return None
        return event


class _Left:
    """Keep that a message was spoken to its end, then end the call.

    A store that fails for a moment is asked again: nobody says so twice.
    """

    def __init__(self, services: WebServices) -> None:
        self._services = services

    async def __call__(self, attempt_id: AttemptId, body: bytes) -> Response:
        services = self._services
        try:
            event = services.door.left_event(attempt_id, body, services.clock.now())
            async with asyncio.timeout(services.patience_s):
                await insist(services.receive, event)
        except Exception:
            log.exception("message.unrecorded", attempt=attempt_id)
        return _document(services.door.goodbye())


def _document(document: bytes) -> Response:
    return Response(document, media_type="text/xml")
