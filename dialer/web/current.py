"""A web application that can be exchanged for another one between two requests."""

from starlette.types import ASGIApp, Receive, Scope, Send


class CurrentWeb:
    """The ASGI application in force; a request ends where it began."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def exchange(self, app: ASGIApp) -> None:
        """Let *app* answer every request from now on."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
