"""What a Prometheus asks for, on a port of its own that nobody outside can reach."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

#: By an *Accept* header: everything there is to tell, and its content type.
Scrape: TypeAlias = Callable[[str], Awaitable[tuple[bytes, str]]]


def metrics_app(scrape: Scrape) -> Starlette:
    """The ASGI application with the one address ``/metrics``."""

    async def metrics(request: Request) -> Response:
        content, content_type = await scrape(request.headers.get("accept", ""))
        return Response(content, headers={"content-type": content_type})

    return Starlette(routes=[Route("/metrics", metrics)])
