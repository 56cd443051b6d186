"""A real-time transcription of one call: callbacks that tell what the callee says."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Final

from dialer.carrier_sim.courier import Callback, Courier
from dialer.carrier_sim.media_clock import MediaClock
from dialer.carrier_sim.payloads import content_fields, started_fields, transcription_form
from dialer.carrier_sim.recognition import CATCHING_UP_MS, READY_AFTER_MS, Heard, recognise
from dialer.carrier_sim.scenes import Line
from dialer.carrier_sim.truth import Event, TruthLog
from dialer.carrier_sim.twiml import TranscriptionOrder
from dialer.carrier_sim.webhook import Hook

DEAF_TO_CALLEE: Final = "outbound_track"


@dataclass(frozen=True, slots=True)
class Place:
    """Which call it is, and how to tell of it."""

    account_sid: str
    sid: str
    clock: MediaClock
    now: Callable[[], int]
    courier: Courier
    truth: TruthLog


class Transcription:
    """One order, from the moment its document is followed until the call ends or it is stopped.

    *hook* is where callbacks go, *rng* decides about delays.
    """

    def __init__(self, place: Place, order: TranscriptionOrder, hook: Hook, rng: Random) -> None:
        self.name = order.name
        self._place = place
        self._order = order
        self._hook = hook
        self._rng = rng
        self._from_ms = place.clock.ms()
        self._ready_ms = self._from_ms + rng.randint(*READY_AFTER_MS)
        self._free_ms = self._ready_ms
        self._sequence = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._coming: list[asyncio.TimerHandle] = []
        self._begun: set[Line] = set()
        digest = blake2b(f"{place.sid}:{order.name}:{self._from_ms}".encode(), digest_size=16)
        self._sid = "GT" + digest.hexdigest()

    def start(self, lines: Iterable[Line]) -> None:
        """Listen to *lines*, as far as they are still to be said."""
        self._timers.append(self._place.clock.at(self._ready_ms, self._started))
        if self._order.track != DEAF_TO_CALLEE:
            self.expect(lines)

    def expect(self, lines: Iterable[Line]) -> None:
        """Listen to *lines* in place of what was expected and has not begun."""
        for timer in self._coming:
            timer.cancel()
        at = self._place.clock.at
        coming = [line for line in lines if line not in self._begun]
        self._coming = [at(line.at_ms, self._hear, line) for line in coming]

    def stop(self) -> None:
        """Listen no more, and say so if it had been said that we do."""
        for timer in (*self._timers, *self._coming):
            timer.cancel()
        if self._sequence:
            self._send("transcription-stopped", {})

    def _started(self) -> None:
        self._send("transcription-started", started_fields(self._order))

    def _hear(self, line: Line) -> None:
        self._begun.add(line)
        rest = _rest(line, self._from_ms)
        for heard in recognise(rest, self._free_ms, self._rng) if rest else ():
            self._free_ms = heard.at_ms + CATCHING_UP_MS  # one line after the other
            if heard.final or self._order.partials:
                self._timers.append(self._place.clock.at(heard.at_ms, self._tell, heard))

    def _tell(self, heard: Heard) -> None:
        fields = content_fields(self._order, heard)
        sent = self._send("transcription-content", fields)
        facts = {"sequence": self._sequence, "final": heard.final, "text": heard.text}
        place = self._place
        place.truth.record(
            Event.TRANSCRIPT, place.now(), {"sid": place.sid, **facts, "lost": not sent}
        )

    def _send(self, event: str, fields: dict[str, str]) -> bool:
        place = self._place
        self._sequence += 1
        form = transcription_form(
            place.account_sid, place.sid, self._sid, event, place.now(), self._sequence
        )
        callback = Callback(place.sid, event, self._hook, form | fields)
        return place.courier.send_transcript(callback)


def _rest(line: Line, from_ms: int) -> Line | None:
    """What of *line* is said after *from_ms*; None when that is nothing."""
    gone = max(0, -(-(from_ms - line.at_ms) // line.word_ms))
    words = line.words[gone:]
    if not words:
        return None
    return Line(line.at_ms + gone * line.word_ms, " ".join(words), line.word_ms, line.person)
