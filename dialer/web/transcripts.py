"""What is said in calls, from the carrier's transcription and from agents that hear the callee."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from json import JSONDecodeError
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dialer.errors import DialerError, UsageError
from dialer.lazy_log import Log
from dialer.masking import mask
from dialer.model import AttemptId
from dialer.ports import Deaf, Words
from dialer.web.callbacks import MAX_BODY_BYTES, Handle, topic_route
from dialer.web.services import LiveCall, WebServices

PROMPTS: Final = "/api/v1/calls/{call}/prompts"
_BEARER: Final = "Bearer "
#: Of the carrier's own words a log keeps so many characters.
_MOST_WHY: Final = 200

log = Log()


def transcript_routes(services: WebServices) -> Sequence[BaseRoute]:
    """The addresses for the words of calls: one for the carrier, one for agents."""
    return [topic_route(services, "transcript", _transcript(services)), *_prompt_routes(services)]


def _transcript(services: WebServices) -> Handle:
    """Take what the carrier's transcription says was said; it is not asked to repeat it."""

    async def take(attempt_id: AttemptId, body: bytes) -> Response:
        try:
            told = services.door.words(body)
        except UsageError as error:
            log.warning("callback.rejected", attempt=attempt_id, error=error.message)
            return Response(status_code=400)
        if isinstance(told, Deaf):
            log.error("transcription.failed", attempt=attempt_id, error=mask(told.why)[:_MOST_WHY])
        elif told is not None and services.listener is not None:
            try:
                await services.listener.words(attempt_id, "transcription", told)
            except DialerError as error:  # the next words say these again
                log.warning("event.refused", attempt=attempt_id, error=error.message)
        return Response(status_code=204)

    return take


def _prompt_routes(services: WebServices) -> Sequence[BaseRoute]:
    """The address for agents that hold the token; none where no token is set."""
    if not services.api_token or services.listener is None:
        return ()
    endpoint = _endpoint(services)
    return [
        Route(PROMPTS, endpoint, methods=["POST"], name="prompts", max_body_size=MAX_BODY_BYTES)
    ]


def _endpoint(services: WebServices) -> Callable[[Request], Awaitable[Response]]:
    listener = services.listener
    assert listener is not None, "there is a route only where somebody listens"

    async def endpoint(request: Request) -> Response:
        given = request.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode(), f"{_BEARER}{services.api_token}".encode()):
            log.warning("api.rejected", path=PROMPTS, why="no valid token")
            return _refused(401, "this needs the header Authorization: Bearer TOKEN")
        try:
            prompt = services.door.prompt(await request.json())
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            return _refused(400, "the body is not JSON: send the message as it came")
        except UsageError as error:
            return _refused(400, error.message)
        call: LiveCall | None = None
        try:
            call = await services.call_named(request.path_params["call"])
            if call is None:
                return _refused(404, "no such call is under way")
            if prompt is not None:
                text, last = prompt
                await listener.words(call.attempt_id, "agent", Words(call.sid, None, text, last))
        except DialerError as error:
            attempt_id = None if call is None else call.attempt_id  # not what the agent calls it
            log.warning("event.refused", attempt=attempt_id, error=error.message)
            return _refused(503, "it could not be taken in; go on")
        return Response(status_code=204)

    return endpoint


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status_code=status)
