"""Media streams over real websockets on loopback: the handshake, the frames, the end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from aiohttp import WSMsgType, web
from twilio.request_validator import RequestValidator

from dialer.carrier_sim.http_sockets import HttpSockets
from dialer.carrier_sim.media import SocketFailedError

TOKEN: Final = "12345"
WITHIN_S: Final = 30.0


@dataclass
class Ears:
    """The other end: a websocket server that keeps what it hears."""

    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    greets: tuple[Any, ...] = ()
    hangs_up_after: int = 1_000_000
    refuses: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        if self.refuses:
            return web.Response(status=403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for greeting in self.greets:
            await (socket.send_bytes if isinstance(greeting, bytes) else socket.send_str)(greeting)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.texts.append(message.data)
            if len(self.texts) >= self.hangs_up_after:
                await socket.close()
        self.over.set()
        return socket


@asynccontextmanager
async def listening(ears: Ears) -> AsyncIterator[HttpSockets]:
    """Sockets, and a server on a free port of this machine."""
    app = web.Application()
    app.router.add_get("/{path:.*}", ears.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    try:
        await site.start()
        port = runner.addresses[0][1]
        ears.url = f"ws://127.0.0.1:{port}/twilio/media/a1"
        async with HttpSockets(TOKEN) as sockets:
            yield sockets
    finally:
        await runner.cleanup()


async def test_the_handshake_is_signed_for_the_address_it_goes_to() -> None:
    ears = Ears()
    async with listening(ears) as sockets:
        socket = await sockets.open(ears.url, WITHIN_S)
        await socket.close()

    signature = ears.headers[0]["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).compute_signature(ears.url, {}) == signature
    assert RequestValidator(TOKEN).validate(ears.url, {}, signature)


async def test_what_is_sent_arrives_in_order_and_the_close_is_seen() -> None:
    ears = Ears()
    async with listening(ears) as sockets:
        socket = await sockets.open(ears.url, WITHIN_S)
        for n in range(100):
            await socket.send(json.dumps({"n": n}))
        await socket.close()
        await asyncio.wait_for(ears.over.wait(), WITHIN_S)

    assert [json.loads(text)["n"] for text in ears.texts] == list(range(100))


async def test_messages_of_the_other_side_are_received_and_bytes_say_nothing() -> None:
    ears = Ears(greets=('{"event":"mark"}', b"\x00"))
    async with listening(ears) as sockets:
        socket = await sockets.open(ears.url, WITHIN_S)

        received = [await socket.receive(), await socket.receive()]

        await socket.close()
    assert received == ['{"event":"mark"}', ""]


async def test_a_socket_the_other_side_closed_takes_nothing_more() -> None:
    ears = Ears(hangs_up_after=1)
    async with listening(ears) as sockets:
        socket = await sockets.open(ears.url, WITHIN_S)
        await socket.send("hello")
        with pytest.raises(SocketFailedError):
            await socket.receive()
        with pytest.raises(SocketFailedError):
            await socket.send("still there?")
        await socket.close()


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/", "wss://", "http//no address"])
async def test_where_nobody_listens_no_socket_opens(url: str) -> None:
    async with HttpSockets(TOKEN) as sockets:
        with pytest.raises(SocketFailedError):
            await sockets.open(url, WITHIN_S)


async def test_who_refuses_the_handshake_is_told_apart_from_who_accepts() -> None:
    ears = Ears(refuses=True)
    async with listening(ears) as sockets:
        with pytest.raises(SocketFailedError, match="403"):
            await sockets.open(ears.url, WITHIN_S)
