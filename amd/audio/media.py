"""Puts the payloads of a media stream in place on one clock of samples.

Carriers stamp each payload with its time. Payloads get lost, come twice, late or out of order, and
a stamp may be nonsense; what follows is a clock that only moves forward and never by much at once.
"""

from dataclasses import dataclass
from typing import Final

from amd.audio.mulaw import RATE_HZ

JITTER_MS: Final = 10
"""A stamp this far off is rounding: half a frame of 20 ms."""

MAX_GAP_MS: Final = 30_000
"""A longer jump, either way, is another clock, not a gap: the sound goes on where it was."""

LATE_MS: Final = 1000
"""Late sound without a break is a clock that was set back, not a straggler."""

_PER_MS: Final = RATE_HZ // 1000


@dataclass(frozen=True, slots=True)
class Placed:
    """What goes on the line next: samples that are missing, then sound (mu-law)."""

    missing: int
    sound: bytes


class Media:
    """The place of each payload of one stream."""

    __slots__ = ("_late", "_next", "_offset")

    def __init__(self) -> None:
        self._next = 0
        self._offset = 0  # of our clock before the stamps', in samples
        self._late = 0

    def place(self, payload: bytes, at_ms: int) -> Placed:
        """Where *payload*, stamped *at_ms*, goes; sound that was heard already is left out."""
        gap = at_ms * _PER_MS + self._offset - self._next
        if abs(gap) > MAX_GAP_MS * _PER_MS:
            self._offset -= gap
            gap = 0
        if gap < -JITTER_MS * _PER_MS:
            return self._behind(payload, -gap)
        self._late = 0
        missing = gap if gap > JITTER_MS * _PER_MS else 0
        self._next += missing + len(payload)
        return Placed(missing, payload)

    def _behind(self, payload: bytes, by: int) -> Placed:
        self._late += len(payload)
        if self._late > LATE_MS * _PER_MS:
            self._offset += by
            self._late = 0
            fresh = payload
        else:
            fresh = payload[by:]
        self._next += len(fresh)
        return Placed(0, fresh)
