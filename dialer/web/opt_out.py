"""A program puts somebody on the do-not-call list: the agent that talks to them, most of all.

Whoever says "do not call me again" to an agent on a websocket presses no key. The agent knows the
call, and names it; a system of the operator's may name a number instead.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from json import JSONDecodeError
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dialer.errors import StoreError, UsageError
from dialer.lazy_log import Log
from dialer.web.callbacks import MAX_BODY_BYTES
from dialer.web.services import WebServices

OPT_OUT: Final = "/api/v1/opt-out"
_BEARER: Final = "Bearer "
_EXPECTED: Final = 'a JSON object with either "call" or "phone", as {"call": "CA…"}'

log = Log()


def opt_out_routes(services: WebServices) -> Sequence[BaseRoute]:
    """The address for programs that hold the token; none where no token is set."""
    if not services.api_token:
        return ()
    endpoint = _endpoint(services)
    return [
        Route(OPT_OUT, endpoint, methods=["POST"], name="opt_out", max_body_size=MAX_BODY_BYTES)
    ]


def _endpoint(services: WebServices) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = request.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode(), f"{_BEARER}{services.api_token}".encode()):
            log.warning("api.rejected", path=OPT_OUT, why="no valid token")
            return _refused(401, "this needs the header Authorization: Bearer TOKEN")
        try:
            found = await services.opt_out_by(*_named(await request.json()))
        except (JSONDecodeError, UnicodeDecodeError):
            return _refused(400, f"the body is not JSON; {_EXPECTED}")
        except UsageError as error:
            return _refused(400, error.message)
        except StoreError as error:
            log.error("opt_out.failed", error=error.message)
            return _refused(503, "it could not be written down; ask again")
        if not found:
            return _refused(404, "no such call is under way; name the number instead")
        return Response(status_code=204)

    return endpoint


def _named(body: object) -> tuple[str, str]:
    """Which of the two is named, and what it is."""
    if isinstance(body, dict) and len(body) == 1:
        ((kind, value),) = body.items()
        if kind in ("call", "phone") and isinstance(value, str) and value:
            return kind, value
    raise UsageError(f"expected {_EXPECTED}")


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status_code=status)
