"""Opens websockets as Twilio does: the handshake is signed, like a request without a form."""

import asyncio
from types import TracebackType
from typing import Final, Self

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from dialer.carrier_sim.media import SocketFailedError

CLOSE_S: Final = 5.0  # for the other side to close its end, too


class HttpSockets:
    """Websockets over HTTP. Use as a context manager inside the loop."""

    def __init__(self, auth_token: str, patience: float = 1.0) -> None:
        """*patience* are loop seconds in a second of the machines we call."""
        self._validator = RequestValidator(auth_token)
        self._close_s = CLOSE_S * patience

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": "Twilio.TmeWs/1.0"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def open(self, url: str, within_s: float) -> "HttpSocket":
        """Connect to *url*; raises SocketFailedError when that fails or takes longer."""
        signature = self._validator.compute_signature(url, {})
        try:
            async with asyncio.timeout(within_s):
                socket = await self._session.ws_connect(
                    URL(url, encoded=True),
                    headers={"X-Twilio-Signature": signature},
                    timeout=aiohttp.ClientWSTimeout(ws_close=self._close_s),
                    autoping=True,
                )
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise SocketFailedError(f"{url}: {error or type(error).__name__}") from error
        return HttpSocket(socket)


class HttpSocket:
    """An open one."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        """Send a message; raises SocketFailedError once the socket is closed."""
        if self._socket.closed:
            raise SocketFailedError("the socket is closed")
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise SocketFailedError(str(error)) from error

    async def receive(self) -> str:
        """Wait for a message; raises SocketFailedError once the socket is closed."""
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            return ""
        raise SocketFailedError("the socket is closed")

    async def close(self) -> None:
        """Close it; never fails."""
        await self._socket.close()
