"""Sends webhooks over HTTP, signed and headed as Twilio's are."""

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from dialer.carrier_sim.webhook import Failure, Reply, WebhookFailedError, WebRequest

CONNECTIONS: Final = 200
#: Shorter than servers keep idle connections, so that none is used while it is being closed.
KEEP_ALIVE_S: Final = 3.0
_NOT_CONNECTED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerDisconnectedError,  # mostly an idle connection that was closed unread
)


class HttpPoster:
    """A poster on pooled connections. Use as a context manager inside the loop."""

    def __init__(self, auth_token: str) -> None:
        self._validator = RequestValidator(auth_token)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept-Encoding",),
            headers={"User-Agent": "TwilioProxy/1.1", "Accept": "*/*", "X-Home-Region": "us1"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def post(self, request: WebRequest) -> Reply:
        """Send *request* and read the answer; raises WebhookFailedError when there is none."""
        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=request.connect_s, sock_read=request.read_s
        )
        url, body = _target(request)
        try:
            async with self._session.request(
                request.method,
                URL(url, encoded=True),  # as given: it is what the signature covers
                data=body,
                headers=self._headers(url, request, body),
                timeout=limits,
                allow_redirects=False,
            ) as response:
                return Reply(response.status, await response.text(errors="replace"))
        except _NOT_CONNECTED as error:
            raise WebhookFailedError(f"{url}: {error}", Failure.CONNECT) from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise WebhookFailedError(f"{url}: {error}", Failure.READ) from error

    def _headers(self, url: str, request: WebRequest, body: bytes | None) -> Mapping[str, str]:
        signed = {} if body is None else dict(request.form)
        headers = {
            "X-Twilio-Signature": self._validator.compute_signature(url, signed),
            "I-Twilio-Idempotency-Token": request.idempotency_token,
        }
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return headers


def _target(request: WebRequest) -> tuple[str, bytes | None]:
    """The address and body: a GET carries its parameters in the address."""
    encoded = urlencode(request.form)
    if request.method == "POST":
        return request.url, encoded.encode()
    return f"{request.url}{'&' if '?' in request.url else '?'}{encoded}", None
