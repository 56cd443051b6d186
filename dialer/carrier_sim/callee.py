"""The other side of one answered call: what is heard of it, and who listens.

It says what its scene has. Transcriptions and media streams that a document orders listen to it
until they are stopped or the call ends; what we say to it can change how the scene goes on.
"""

from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, Protocol
from urllib.parse import urljoin

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.scenes import Scene, identified, understood
from dialer.carrier_sim.script import Speech
from dialer.carrier_sim.transcription import Place, Transcription
from dialer.carrier_sim.truth import Event
from dialer.carrier_sim.twiml import Fork, StopOrder, StreamOrder, TranscriptionOrder
from dialer.carrier_sim.webhook import Hook

FORKS: Final = 4  # at a time, of all kinds together; Twilio's limit


class MediaStream(Protocol):
    """A running media stream."""

    name: str

    def stop(self) -> None:
        """End it."""


class Streams(Protocol):
    """Opens media streams."""

    def open(self, place: Place, order: StreamOrder, scene: Callable[[], Scene]) -> MediaStream:
        """Send what *scene* sounds like, from now on, to the address of *order*."""


class Callee:
    """Who has picked up; the :class:`~.script.Stage` of the call's documents."""

    def __init__(
        self,
        place: Place,
        scene: Scene,
        *,
        seed: int,
        streams: Streams | None,
        leave: Callable[[int], None],
    ) -> None:
        """*leave* moves the moment at which the callee hangs up, in ms since the answer."""
        self._place = place
        self._scene = scene
        self._seed = seed
        self._streams = streams
        self._leave = leave
        self._transcriptions: list[Transcription] = []
        self._media: list[MediaStream] = []
        self._person: TimerHandle | None = None
        self._identified = False
        self._note(Event.SCENE, _described(place, scene))

    def fork(self, order: Fork, base_url: str) -> None:
        """Let somebody listen, or listen no more."""
        match order:
            case TranscriptionOrder():
                self._transcribe(order, base_url)
            case StreamOrder():
                self._open(order)
            case StopOrder():
                self._end(order)

    def spoken(self, speech: Speech) -> None:
        """Take in what was said to the callee."""
        answered_at = self._place.clock.answered_at
        began_ms, ended_ms = speech.began_at - answered_at, speech.ended_at - answered_at
        self._note(Event.SPOKEN, asdict(speech) | _beside(self._scene, began_ms, ended_ms))
        if not self._identified and understood(self._scene, began_ms, ended_ms):
            self._identified = True
            self._go_on(ended_ms)

    def stop(self) -> None:
        """The call is over."""
        for fork in (*self._transcriptions, *self._media):
            fork.stop()
        self._transcriptions.clear()
        self._media.clear()
        if self._person:
            self._person.cancel()

    def _go_on(self, at_ms: int) -> None:
        """An assistant knows who is calling."""
        self._scene, gone_ms = identified(
            self._scene, at_ms, stream(self._seed, "identified", self._place.sid)
        )
        self._note(Event.IDENTIFIED, {"says": _says(self._scene)})
        self._leave(gone_ms)
        if (person_ms := self._scene.person_ms) is not None:
            self._person = self._place.clock.at(person_ms, self._note, Event.PICKED_UP, {})
        for transcription in self._transcriptions:
            transcription.expect(self._scene.lines)

    def _transcribe(self, order: TranscriptionOrder, base_url: str) -> None:
        if self._taken(order.name, self._transcriptions) or not order.url:
            return
        hook = Hook(urljoin(base_url, order.url), order.method)
        rng = stream(self._seed, "ears", self._place.sid, order.name)
        transcription = Transcription(self._place, order, hook, rng)
        self._transcriptions.append(transcription)
        transcription.start(self._scene.lines)

    def _open(self, order: StreamOrder) -> None:
        if self._streams and not self._taken(order.name, self._media):
            self._media.append(self._streams.open(self._place, order, lambda: self._scene))

    def _taken(self, name: str, forks: "list[Transcription] | list[MediaStream]") -> bool:
        """Whether there is no room for another one: by its name, or by the carrier's limit."""
        full = len(self._transcriptions) + len(self._media) >= FORKS
        return full or bool(name and any(fork.name == name for fork in forks))

    def _end(self, order: StopOrder) -> None:
        forks: list[Transcription] | list[MediaStream]
        forks = self._transcriptions if order.kind == "Transcription" else self._media
        for fork in [fork for fork in forks if fork.name == order.name]:
            fork.stop()
            forks.remove(fork)  # type: ignore[arg-type]  # it came out of this very list

    def _note(self, event: Event, facts: dict[str, object]) -> None:
        place = self._place
        place.truth.record(event, place.now(), {"sid": place.sid, **facts})


def _described(place: Place, scene: Scene) -> dict[str, object]:
    def at(ms: int | None) -> int | None:
        return None if ms is None else place.clock.utc(ms)

    return {
        "scene": scene.kind,
        "language": scene.language,
        "greeting_ends_at": at(scene.greeting_ends_ms),
        "beep_at": at(scene.beep.at_ms if scene.beep else None),
        "records_from_at": at(scene.records_from_ms),
        "says": _says(scene),
    }


def _beside(scene: Scene, began_ms: int, ended_ms: int) -> dict[str, object]:
    """When something was said, in ms from the moment a voicemail began to record."""
    since_ms = scene.records_from_ms
    if since_ms is None:
        return {}
    return {"began_after_ms": began_ms - since_ms, "ended_after_ms": ended_ms - since_ms}


def _says(scene: Scene) -> list[tuple[int, str]]:
    return [(line.at_ms, line.text) for line in scene.lines]
