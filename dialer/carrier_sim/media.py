"""Media streams: what a callee sounds like, frame by frame over a websocket, in real time.

A frame is sent when its sound is over. Who falls behind catches up; timestamps tell the time of the
sound, not of the sending.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from random import Random
from typing import Final, Protocol

from dialer.carrier_sim import frames
from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.errands import Errands
from dialer.carrier_sim.faults import Dice, LineFault
from dialer.carrier_sim.frames import StreamNames
from dialer.carrier_sim.scenes import Ms, Scene
from dialer.carrier_sim.sound import FRAME_MS, SoundMissingError, Soundtrack
from dialer.carrier_sim.transcription import Place
from dialer.carrier_sim.truth import Event
from dialer.carrier_sim.twiml import StreamOrder
from dialer.errors import UnreachableError
from dialer.lazy_log import Log

log = Log()

#: The timestamp of the first frame; 155 was recorded, the spread is an own estimate.
FIRST_FRAME_MS: Final[Ms] = (135, 175)
#: Within so many seconds a handshake is answered, or it has failed.
HANDSHAKE_S: Final = 5.0
LATE_S: Final = (0.1, 0.8)
CLOSED_AFTER_MS: Final = (500.0, 8000.0)


class SocketFailedError(UnreachableError):
    """A websocket did not open, or is closed."""


class Socket(Protocol):
    """An open websocket; all methods raise SocketFailedError once it is closed."""

    async def send(self, text: str) -> None: ...

    async def receive(self) -> str: ...

    async def close(self) -> None:
        """Close it; never fails."""


class Sockets(Protocol):
    """Opens websockets; raises SocketFailedError when that fails."""

    async def open(self, url: str, within_s: float) -> Socket: ...


class MediaStreams:
    """All streams of one carrier; without *sockets* none opens."""

    def __init__(
        self,
        sockets: Sockets | None,
        errands: Errands,
        dice: Dice,
        *,
        seed: int,
        patience: float,
    ) -> None:
        self._sockets = sockets
        self._errands = errands
        self._dice = dice
        self._seed = seed
        self._handshake_s = HANDSHAKE_S * patience

    def open(self, place: Place, order: StreamOrder, scene: Callable[[], Scene]) -> "MediaStream":
        """Send what *scene* sounds like, from now on, to the address of *order*."""
        rng = stream(self._seed, "media", place.sid, order.name)
        media = MediaStream(place, order, scene, self._dice, rng)
        if self._sockets:
            self._errands.start(media.run, self._sockets, self._handshake_s)
        return media


class MediaStream:
    """One stream, until it is stopped or the socket closes."""

    def __init__(
        self,
        place: Place,
        order: StreamOrder,
        scene: Callable[[], Scene],
        dice: Dice,
        rng: Random,
    ) -> None:
        self.name = order.name
        self._place = place
        self._order = order
        self._scene = scene
        self._dice = dice
        self._rng = rng
        self._stopped = asyncio.Event()
        self._sequence = 1
        self._frames = 0
        digest = blake2b(f"{place.sid}:{order.name}:{order.url}".encode(), digest_size=16)
        self._names = StreamNames(place.account_sid, place.sid, "MZ" + digest.hexdigest())

    def stop(self) -> None:
        """End it: the other side is told, and the socket closed."""
        self._stopped.set()

    async def run(self, sockets: Sockets, handshake_s: float) -> None:
        """Open the socket, send until the end, close it."""
        try:
            track = Soundtrack(self._scene().voice)
            socket = await sockets.open(self._order.url, handshake_s)
        except SoundMissingError as error:
            log.error("carrier_sim.no_sound", why=str(error), cure=error.next_step)
            self._note("failed", str(error))
            return
        except SocketFailedError as error:
            self._note("failed", str(error))
            return
        try:
            self._note("opened", self._order.url)
            why = await self._serve(socket, track)
        finally:
            await socket.close()
        self._note("ended", why)

    async def _serve(self, socket: Socket, track: Soundtrack) -> str:
        """Talk and listen at once; returns why that is over."""
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(socket))
            try:
                return await self._play(socket, track)
            except SocketFailedError:
                return "closed by the other side"
            finally:
                listening.cancel()

    async def _listen(self, socket: Socket) -> None:
        with suppress(SocketFailedError):
            while True:
                name = frames.mark_asked_for(await socket.receive())
                if name is not None:
                    await socket.send(frames.mark(self._names, self._next(), name))
        self.stop()

    async def _play(self, socket: Socket, track: Soundtrack) -> str:
        clock = self._place.clock
        began_ms = clock.ms()
        first_ms = self._rng.randint(*FIRST_FRAME_MS)
        cut_ms = self._cut_ms()
        await socket.send(frames.CONNECTED)
        await socket.send(frames.start(self._names, self._order.parameters))
        sound = track.frames(self._scene, began_ms + first_ms)
        for chunk, timestamp_ms in enumerate(_every(first_ms, FRAME_MS), 1):
            await clock.until(began_ms + timestamp_ms + FRAME_MS)
            if self._stopped.is_set():
                await socket.send(frames.stop(self._names, self._next()))
                return "stopped"
            if timestamp_ms > cut_ms:
                return "closed by a fault"
            await self._send(socket, chunk, timestamp_ms, next(sound))
        raise AssertionError("a stream has no last frame")

    async def _send(self, socket: Socket, chunk: int, timestamp_ms: int, sound: bytes) -> None:
        sequence = self._next()
        if self._dice.strikes(LineFault.FRAME_LATE):
            await asyncio.sleep(self._dice.between(LineFault.FRAME_LATE, *LATE_S))
        if not self._dice.strikes(LineFault.FRAME_LOST):
            await socket.send(frames.media(self._names, sequence, chunk, timestamp_ms, sound))
            self._frames += 1

    def _cut_ms(self) -> float:
        """When the network closes the socket: never, mostly."""
        if not self._dice.strikes(LineFault.SOCKET_CLOSED):
            return float("inf")
        return self._dice.between(LineFault.SOCKET_CLOSED, *CLOSED_AFTER_MS)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _note(self, state: str, why: str) -> None:
        place = self._place
        facts = {"stream": self._names.stream_sid, "state": state, "why": why}
        place.truth.record(
            Event.STREAM, place.now(), {"sid": place.sid, **facts, "frames": self._frames}
        )


def _every(first: int, step: int) -> Iterator[int]:
    while True:
        yield first
        first += step
