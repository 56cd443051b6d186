"""What can be heard on a line: speech that begins and ends, tones, and a model's opinion.

Needs the extra ``ml`` (numpy); nothing else in the package imports this module.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np

from amd.audio import mulaw
from amd.audio.frames import FRAME, FRAME_MS, Frames, Samples
from amd.audio.media import Media
from amd.audio.prosody import Prosody
from amd.audio.spectrum import STRETCH, powers, voicing
from amd.audio.timing import Features, Timing
from amd.audio.tones import Tones
from amd.audio.voice import Turns, VoiceActivity
from amd.signals import Listened, Score, Signal

BLOCK_FRAMES: Final = 2
"""Frames worked on together: half the work of one at a time, and 20 ms more to wait."""

TELL_EVERY_MS: Final = 80
"""How often it is told that sound arrived."""

SCORE_EVERY_MS: Final = 160
"""How often the model is asked, once somebody spoke."""

SCORED_MS: Final = 6400
"""How long it is asked after the answer: it knows how calls begin."""

_BLOCK: Final = BLOCK_FRAMES * FRAME
_SETTLED: Final = 25 * _BLOCK  # a second of silence: after it, more changes nothing but the time
_STRETCHES: Final = FRAME * np.arange(BLOCK_FRAMES)[:, None] + np.arange(STRETCH)
_DEAD: Final = bytes([mulaw.SILENCE])


class Model(Protocol):
    """Judges how a call sounds so far."""

    def score(self, features: Features) -> float:
        """The probability, 0 to 1, that a machine speaks, from the values that `timing.NAMES`
        and then `prosody.NAMES` name."""
        ...


class AudioDetector:
    """Listens to one call; whatever is fed to it, it neither raises nor grows."""

    __slots__ = ("_activity", "_before", "_frame", "_media", "_model", "_prosody", "_rest",
                 "_timing", "_tones", "_turns")  # fmt: skip

    def __init__(self, model: Model | None = None) -> None:
        self._model = model
        self._media = Media()
        self._activity = VoiceActivity()
        self._turns = Turns()
        self._timing = Timing()
        self._prosody = Prosody()
        self._tones = Tones()
        self._before: Samples = np.zeros(FRAME, dtype=np.float32)
        self._rest = b""
        self._frame = 0

    def hear(self, payload: bytes, at_ms: int) -> Sequence[Signal]:
        """The signals in mu-law *payload* of any length that was stamped *at_ms*.

        A gap counts as silence, what comes late or twice is not heard again; a stamp more than
        half a minute off is another clock, and its sound follows on what was heard before.
        """
        placed = self._media.place(payload, at_ms)
        signals: list[Signal] = []
        if placed.missing:
            signals += self._silence(placed.missing)
        signals += self._sound(placed.sound)
        return signals

    def _silence(self, samples: int) -> Iterator[Signal]:
        """Hear the beginning of a gap, and skip the rest in whole blocks."""
        skipped = max(0, samples - _SETTLED) // _BLOCK
        yield from self._sound(_DEAD * (samples - skipped * _BLOCK))
        self._frame += skipped * BLOCK_FRAMES
        self._timing.skip(skipped * BLOCK_FRAMES)
        self._prosody.skip(skipped * BLOCK_FRAMES)

    def _sound(self, sound: bytes) -> Iterator[Signal]:
        sound = self._rest + sound
        whole = len(sound) - len(sound) % _BLOCK
        self._rest = sound[whole:]
        for start in range(0, whole, _BLOCK):
            yield from self._block(mulaw.decode(sound[start : start + _BLOCK]))

    def _block(self, samples: Samples) -> Iterator[Signal]:
        frames: Frames = samples.reshape(BLOCK_FRAMES, FRAME)
        power = powers(np.concatenate((self._before, samples))[_STRETCHES])
        self._before = frames[-1]
        voicings = voicing(power).tolist()
        heard = self._activity.hear(frames, voicings)
        first = self._frame
        voice: list[bool] = []
        for loudness, voiced in zip(heard, voicings, strict=True):
            yield from self._speech(loudness.loud, voiced, loudness.level_db)
            voice.append(self._turns.voice)
        if self._model is not None:
            self._prosody.hear(power, voice)
        yield from self._tones.hear(frames, power, [one.level_db for one in heard], first)
        now_ms = self._frame * FRAME_MS
        if now_ms % TELL_EVERY_MS == 0:
            yield from self._opinion(now_ms)
            yield Listened(now_ms)

    def _speech(self, loud: bool, voiced: float, level_db: float) -> Iterator[Signal]:
        at_ms = self._frame * FRAME_MS
        turn = self._turns.hear(loud, voiced, at_ms)
        self._frame += 1
        if turn is not None and turn.began:
            before = (at_ms - turn.at_ms) // FRAME_MS
            self._timing.begin(before)
            self._prosody.began(before)
        self._timing.hear(self._turns.voice, level_db)
        if turn is not None:
            yield turn

    def _opinion(self, now_ms: int) -> Iterator[Signal]:
        due = now_ms % SCORE_EVERY_MS == 0 and now_ms <= SCORED_MS
        if self._model is not None and due and self._timing.spoken:
            features = np.concatenate((self._timing.features(), self._prosody.features()))
            yield Score(now_ms, float(self._model.score(features)))
