"""What a Prometheus asks for, on a port of its own that nobody outside can reach."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dialer.web.health import version_body

#: By an *Accept* header: everything there is to tell, and its content type.
Scrape: TypeAlias = Callable[[str], Awaitable[tuple[bytes, str]]]


def metrics_app(scrape: Scrape, daemon: str) -> Starlette:
    """The ASGI application with the address ``/metrics``, and ``/version`` to tell whose it is."""

    async def metrics(request: Request) -> Response:
        content, content_type = await scrape(request.headers.get("accept", ""))
        return Response(content, headers={"content-type": content_type})

    async def version(_: Request) -> Response:
        return JSONResponse(version_body(daemon))

    return Starlette(routes=[Route("/metrics", metrics), Route("/version", version)])
