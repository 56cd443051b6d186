"""Is the daemon alive, can it work, and which release is it?"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dialer import __version__
from dialer.lazy_log import Log
from dialer.web.services import Checks, WebServices

#: A check that takes longer has failed, in seconds.
CHECK_TIMEOUT_S: Final = 5.0

log = Log()


def health_routes(services: WebServices) -> Sequence[BaseRoute]:
    """``/healthz``, ``/readyz`` and ``/version``, open to everybody: they tell no secrets."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")  # the loop turns; a database that is down is not our death

    async def readyz(_: Request) -> Response:
        checks = await _look(services)
        failed = {name: trouble for name, trouble in checks.items() if trouble is not None}
        return JSONResponse(
            {"ready": not failed, "checks": sorted(checks), "failed": failed},
            status_code=503 if failed else 200,
        )

    async def version(_: Request) -> Response:
        return JSONResponse(version_body(services.daemon))

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/version", version),
    ]


def version_body(daemon: str) -> Mapping[str, str]:
    """The answer of ``/version``: the release, and which daemon it is; see ``leases.mark``."""
    return {"version": __version__, "daemon": daemon}


async def _look(services: WebServices) -> Checks:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await services.health()
    except Exception as error:
        log.exception("health.unknown")
        return {"health": f"cannot be told: {type(error).__name__}"}
