"""The sound of calls: a websocket for each, on which the carrier sends what the callee says.

Nothing here can harm a call: whatever is wrong ends the stream, and the call goes on unheard.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from dialer.errors import DialerError, UsageError
from dialer.lazy_log import Log
from dialer.listening.listener import Listener
from dialer.listening.session import Session
from dialer.model import AttemptId
from dialer.ports import Sound, StreamBegan, StreamEnded
from dialer.web.callbacks import ATTEMPT_ID, insist, target_of
from dialer.web.services import WebServices

#: Twilio's messages hold 160 bytes of sound and are below 500 characters.
MOST_CHARS: Final = 16 * 1024
#: Fifty messages a second, 8000 bytes of sound in them; twice that is let through, and what had
#: piled up during a few seconds without a network.
MESSAGES_PER_S: Final = 100
SOUND_PER_S: Final = 16_000
BURST_S: Final = 5
#: A stream says within this what call it is of, and does not fall silent for longer; in seconds.
PATIENCE_S: Final = 30.0

#: How a stream is closed (RFC 6455 §7.4.1).
DONE, UNREADABLE, UNWANTED, TOO_BIG, UNABLE = 1000, 1003, 1008, 1009, 1011
#: What speaking to somebody raises who has gone: OSError as long as nothing was accepted.
_GONE: Final = (WebSocketDisconnect, OSError)

log = Log()


def media_routes(services: WebServices) -> Sequence[BaseRoute]:
    """The address streams are sent to; none where nobody listens."""
    listener = services.listener
    if listener is None:
        return ()

    async def endpoint(websocket: WebSocket) -> None:
        attempt_id = websocket.path_params["attempt_id"]
        signed = services.door.stream_authentic(target_of(websocket.scope), websocket.headers)
        if not (ATTEMPT_ID.fullmatch(attempt_id) and signed):
            log.warning("callback.refused", topic="media", attempt=attempt_id)
            await _close(websocket, DONE)  # before it was accepted: HTTP 403
            return
        with suppress(*_GONE):  # then the next message says so
            await websocket.accept()
        await _Stream(services, listener, websocket, AttemptId(attempt_id)).run()

    return [WebSocketRoute("/twilio/media/{attempt_id}", endpoint, name="media")]


class Allowance:
    """So much each second, and what was not used for *burst_s* seconds at once."""

    def __init__(self, per_s: float, burst_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._most = per_s * burst_s
        self._left = self._most
        self._at_s = now_s

    def spend(self, amount: float, now_s: float) -> bool:
        """Whether *amount* is within what is allowed by now."""
        since_s, self._at_s = max(0.0, now_s - self._at_s), now_s
        self._left = min(self._most, self._left + since_s * self._per_s) - amount
        return self._left >= 0


async def _close(websocket: WebSocket, code: int) -> None:
    """Close a stream; the other side may have gone without a word."""
    with suppress(*_GONE):
        await websocket.close(code)


class _ClosedError(Exception):
    """The stream is to be closed; nothing but the code is told to the other side."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class _Stream:
    """One websocket, from its first message to its end."""

    def __init__(
        self, services: WebServices, listener: Listener, websocket: WebSocket, attempt_id: AttemptId
    ) -> None:
        self._door = services.door
        self._listener = listener
        self._websocket = websocket
        self._attempt_id = attempt_id
        self._patience_s = services.patience_s
        self._session: Session | None = None
        now_s = asyncio.get_running_loop().time()
        self._messages = Allowance(MESSAGES_PER_S, BURST_S, now_s)
        self._sound = Allowance(SOUND_PER_S, BURST_S, now_s)

    async def run(self) -> None:
        """Hear the stream to its end."""
        try:
            while (text := await self._text()) is not None:
                await self._take(text)
        except _ClosedError as closed:
            if closed.code != DONE:
                log.warning("stream.closed", attempt=self._attempt_id, why=str(closed))
            await _close(self._websocket, closed.code)
        except DialerError as error:
            log.warning("stream.closed", attempt=self._attempt_id, why=str(error))
            await _close(self._websocket, UNWANTED)

    async def _text(self) -> str | None:
        """The next message; None when the other side has closed."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                message = await self._websocket.receive()
        except TimeoutError:
            raise _ClosedError(UNWANTED, "nothing came any more") from None
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        if not isinstance(text, str):
            raise _ClosedError(UNREADABLE, "a message is no text")
        if len(text) > MOST_CHARS:
            raise _ClosedError(TOO_BIG, "a message is too long")
        if not self._messages.spend(1, asyncio.get_running_loop().time()):
            raise _ClosedError(UNWANTED, "messages come faster than sound")
        return text

    async def _take(self, text: str) -> None:
        try:
            news = self._door.stream_news(text)
        except UsageError as error:
            raise _ClosedError(UNREADABLE, error.message) from error
        match news:
            case StreamBegan():
                await self._begin(news)
            case Sound():
                self._hear(news)
            case StreamEnded():
                raise _ClosedError(DONE, "the stream has ended")

    async def _begin(self, began: StreamBegan) -> None:
        """A stream proves once that it is its call's; a call has one.

        A store that fails for a moment is asked again: the carrier opens no second stream.
        """
        if self._session is not None:
            raise _ClosedError(UNWANTED, "it began twice")
        if not self._door.stream_proven(self._attempt_id, began.token):
            raise _ClosedError(UNWANTED, "it has not the token of its call")
        open_stream = partial(self._listener.stream, self._attempt_id)
        try:
            async with asyncio.timeout(self._patience_s):
                self._session = await insist(open_stream, began.sid)
        except TimeoutError:
            raise _ClosedError(UNABLE, "its call could not be looked up in time") from None
        if self._session is None:
            raise _ClosedError(UNWANTED, "its call is over, or has another stream")

    def _hear(self, sound: Sound) -> None:
        if self._session is None:
            raise _ClosedError(UNREADABLE, "sound came before its call was named")
        if not self._sound.spend(len(sound.payload), asyncio.get_running_loop().time()):
            raise _ClosedError(UNWANTED, "sound comes faster than anybody speaks")
        self._listener.sound(self._session, sound)
