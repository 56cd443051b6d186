"""The SDK's way to the network: our own pool, time limit and last look before a request leaves.

The SDK's ready-made async client has no time limit, repeats a *create* on server errors when
told to retry, logs telephone numbers and authenticates in a way aiohttp has deprecated; this one
takes its place at the SDK's own seam, the HTTP client.

What became of a request is noted on an :class:`Exchange`, because the SDK's exceptions tell
neither whether anything left this machine nor what the response's head said.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp.connector import Connection
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

from dialer.carriers.twilio_config import TWILIO_API
from dialer.ports import Clock


class OrderVoidError(Exception):
    """The order's time is over; nothing was sent."""


class Exchange:
    """One request and its response; *left* once a byte may be on the wire."""

    def __init__(self, clock: Clock, void_at: int | None = None) -> None:
        self.left = False
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = ""
        self._clock = clock
        self._void_at = void_at

    def check(self) -> None:
        """Raise :exc:`OrderVoidError` when it is too late to send."""
        if self._void_at is not None and self._clock.now() > self._void_at:
            raise OrderVoidError("the order's time was over")

    def depart(self) -> None:
        """The last look, with the connection open: from here on the request is out."""
        self.check()
        self.left = True


_EXCHANGE: Final[ContextVar[Exchange]] = ContextVar("exchange")


@contextmanager
def exchange(clock: Clock, void_at: int | None = None) -> Iterator[Exchange]:
    """Note what becomes of the one request made inside the block."""
    noted = Exchange(clock, void_at)
    token = _EXCHANGE.set(noted)
    try:
        yield noted
    finally:
        _EXCHANGE.reset(token)


class _PunctualRequest(aiohttp.ClientRequest):
    """Looks at the clock when the connection stands, however long it took to open."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        _EXCHANGE.get().depart()
        return await super().send(conn)


class TwilioHttp(AsyncHttpClient):  # type: ignore[misc]  # the SDK ships without types
    """HTTP for the SDK's client; an async context manager, because its pool belongs to a loop.

    *timeout_s* bounds a request from connecting to the last byte of its response.
    """

    def __init__(
        self, base_url: str, credentials: tuple[str, str], *, timeout_s: float, max_requests: int
    ) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self._base_url = base_url.rstrip("/")
        self._base_path = urlsplit(self._base_url).path
        self._authorization = {"Authorization": aiohttp.encode_basic_auth(*credentials)}
        self._timeout_s = timeout_s
        self._gate = asyncio.Semaphore(max_requests)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # The gate is the limit: a wait in aiohttp's own queue would use up the time limit.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=_PunctualRequest,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **_ours: object,  # credentials, time limit and redirects are not the SDK's to choose
    ) -> Response:
        """Send once; waiting for a turn is not part of the time limit."""
        if self._session is None:
            raise RuntimeError("TwilioHttp is used outside its async with block")
        noted = _EXCHANGE.get()
        async with self._gate:
            noted.check()  # an order that is void already opens no connection
            async with self._session.request(
                method,
                self._address(url),
                params=params,
                data=urlencode(data, doseq=True).encode() if data else None,
                headers={**(headers or {}), **self._authorization},
                allow_redirects=False,
            ) as response:
                noted.status, noted.headers = response.status, response.headers
                noted.body = (await response.read()).decode("utf-8", "replace")
        return Response(noted.status, noted.body, noted.headers)

    def _address(self, url: str) -> str:
        """Turn Twilio's address into that of the configured server."""
        if not url.startswith(TWILIO_API):
            raise ValueError("only Twilio's voice API is spoken here")
        path = url.removeprefix(TWILIO_API)
        if self._base_path and path.startswith(f"{self._base_path}/"):
            # A compatible server below a path names that path again in links to further pages.
            path = path.removeprefix(self._base_path)
        return self._base_url + path
