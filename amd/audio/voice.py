"""Whether somebody speaks, frame by frame, on a line whose noise nobody knows beforehand.

Theory of operation. Each frame of 20 ms is cut into six bands. Every band has a floor of its own
that follows the noise of the line: down at once, up slowly while nobody speaks, and up to the
quietest moment of the last second and a half while somebody seems to, for speech is full of short
holes that show the noise and a louder noise is not. A frame is voice when its three clearest bands
stand out from their floors; it takes less to stay voice than to become it. No level is fixed: what
counts is the distance from the floor. Digital silence says nothing about the noise and leaves the
floors alone.
"""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from amd.audio.frames import FRAME, FRAME_MS, FULL_SCALE, Frames
from amd.audio.mulaw import RATE_HZ
from amd.signals import Speech

ON_DB: Final = 6.5
"""A frame this far above the floors begins to be voice."""

OFF_DB: Final = 4.5
"""A frame below this ends to be voice."""

BEGIN_FRAMES: Final = 4
"""Voice this long (80 ms) is speech: clicks and knocks are shorter, the shortest word is not."""

HANGOVER_FRAMES: Final = 12
"""Silence this long (240 ms) ends speech: the holes inside words are shorter."""

PITCHED: Final = 0.7
"""A frame that repeats this well has a pitch; kitchens reach it in 2 of 100 frames."""

BEGIN_PITCHED: Final = 2
"""Frames in a row that must have a pitch before loud is called speech."""

EDGE_FRAMES: Final = 10
"""The longest loud part without pitch (200 ms) at the beginning or the end of a voice."""

_EDGES_HZ: Final = (200, 400, 700, 1100, 1700, 2500, 3400)
_BANDS: Final = len(_EDGES_HZ) - 1
_CLEAREST: Final = 3  # a vowel leaves some bands empty, a hiss others
_FFT: Final = 256
_QUIETEST_DB: Final = -66.0  # of a band; mu-law's own steps are not quieter

_UNHEARD_DB: Final = -52.0  # of a band, at most: after dead silence the first sound is a voice's
_SHARE: Final = 0.35  # of the loudest voice lately: less is its echo, or somebody farther away
_FORGET_DB: Final = 0.05  # a frame, so that 10 dB are forgotten in 4 s

_SMOOTH: Final = 0.35  # of a band's level, for single frames of noise jump by some dB
_FALL: Final = 0.2  # the share of the way a floor goes in a frame, when it is quieter
_FOLLOW: Final = 0.06  # when it is not, and nobody speaks
_RISE: Final = 0.12  # when somebody seems to speak, towards the quietest moment
_SPAN_FRAMES: Final = 10
_SPANS: Final = 8  # of 0.2 s: the quietest moment of the last 1.6 s
_LEAST_SPANS: Final = 3  # before that, even the quietest moment may be inside a word
_QUIETEST_BIAS_DB: Final = 2.0  # the quietest moment of a noise lies below its mean


def _band_matrix() -> Frames:
    """Sums the power of the bins of each band, on a scale where a full sine is 0 dB."""
    bins_hz = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)
    rows = [(bins_hz >= low) & (bins_hz < high) for low, high in pairwise(_EDGES_HZ)]
    scale = 4 / (_WINDOW.sum() ** 2 * FULL_SCALE**2) / 1.5  # Hann spreads a sine over 1.5 bins
    matrix: Frames = (np.array(rows).T * scale).astype(np.float32)
    return matrix


_WINDOW: Final = np.hanning(FRAME + 2)[1:-1].astype(np.float32)
_MATRIX: Final = _band_matrix()


def band_levels(frames: Frames) -> list[list[float]]:
    """The level of every band of every frame, in dB below full scale."""
    spectrum = np.fft.rfft(frames * _WINDOW, _FFT)
    power = spectrum.real**2 + spectrum.imag**2
    levels = 10 * np.log10(power @ _MATRIX + 1e-12)
    heard: list[list[float]] = np.maximum(levels, _QUIETEST_DB).tolist()
    return heard


class Loudness(NamedTuple):
    """One frame: whether it stands out from the noise, and the level of its loudest band."""

    loud: bool
    level_db: float


class Floor:
    """The noise of one band, in dB."""

    __slots__ = ("_lows", "_smooth", "_span", "level")

    def __init__(self, level: float, most: float) -> None:
        self.level = min(level, most)
        self._smooth = level
        self._span = level
        self._lows: deque[float] = deque(maxlen=_SPANS)

    def follow(self, level: float, *, voice: bool) -> None:
        """Take in one frame of the band; *voice* says whether it was taken for speech."""
        self._smooth += _SMOOTH * (level - self._smooth)
        self._span = min(self._span, self._smooth)
        if self._smooth < self.level:
            self.level += _FALL * (self._smooth - self.level)
        elif not voice:
            self.level += _FOLLOW * (level - self.level)
        elif len(self._lows) >= _LEAST_SPANS:
            quietest = min(self._span, *self._lows)
            self.level += _RISE * max(0.0, quietest + _QUIETEST_BIAS_DB - self.level)

    def turn(self) -> None:
        """Begin the next span of the search for the quietest moment."""
        self._lows.append(self._span)
        self._span = self._smooth


class VoiceActivity:
    """Tells voice from the noise of one line."""

    __slots__ = ("_dead", "_floors", "_frames", "_loudest", "_voice")

    def __init__(self) -> None:
        self._dead = False
        self._floors: list[Floor] = []
        self._frames = 0
        self._loudest = 0.0
        self._voice = False

    def hear(self, frames: Frames, voicings: Sequence[float]) -> list[Loudness]:
        """Judge each of the frames that follow; *voicings* says how much of each is pitched."""
        return [
            Loudness(self._step(levels, voiced > PITCHED), max(levels))
            for levels, voiced in zip(band_levels(frames), voicings, strict=True)
        ]

    def _step(self, levels: Sequence[float], pitched: bool) -> bool:
        if max(levels) <= _QUIETEST_DB:  # the line is not there
            self._dead, self._voice = True, False
            return False
        if not self._floors:
            most = _UNHEARD_DB if self._dead else 0.0
            self._floors = [Floor(level, most) for level in levels]
        above = sorted(
            level - floor.level for level, floor in zip(levels, self._floors, strict=True)
        )
        clear = sum(above[-_CLEAREST:]) / _CLEAREST
        self._loudest = max(clear if pitched else 0.0, self._loudest - _FORGET_DB)
        enough = OFF_DB if self._voice else ON_DB
        self._voice = clear > max(enough, _SHARE * self._loudest)
        self._adapt(levels)
        return self._voice

    def _adapt(self, levels: Sequence[float]) -> None:
        self._frames = (self._frames + 1) % _SPAN_FRAMES
        for floor, level in zip(self._floors, levels, strict=True):
            floor.follow(level, voice=self._voice)
            if self._frames == 0:
                floor.turn()


class Turns:
    """Makes speech that begins and ends out of frames, and bridges the holes in words.

    Loud is not enough: a voice has a pitch, at least now and then. Clatter has none, and what is
    loud without pitch belongs to speech only right beside it, as an s or a breath.
    """

    __slots__ = ("_loud", "_pitched", "_quiet", "_since_pitch", "speaking", "voice")

    def __init__(self) -> None:
        self.speaking = False
        self.voice = False
        """Whether the last frame belongs to speech."""
        self._loud = 0
        self._pitched = 0
        self._quiet = 0
        self._since_pitch = 0

    def hear(self, loud: bool, voicing: float, at_ms: int) -> Speech | None:
        """Take in the frame that begins at *at_ms*; the signal tells when speech really turned."""
        pitched = loud and voicing > PITCHED
        self._pitched = self._pitched + 1 if pitched else 0
        self._since_pitch = 0 if pitched else self._since_pitch + 1
        if self.speaking:
            return self._ending(loud, at_ms)
        return self._beginning(loud, at_ms)

    def _beginning(self, loud: bool, at_ms: int) -> Speech | None:
        self._loud = self._loud + 1 if loud else 0
        if self._loud < BEGIN_FRAMES or self._pitched < BEGIN_PITCHED:
            return None
        self.speaking, self.voice, self._quiet = True, True, 0
        begun = min(self._loud - 1, self._pitched - 1 + EDGE_FRAMES)
        return Speech(at_ms - begun * FRAME_MS, began=True)

    def _ending(self, loud: bool, at_ms: int) -> Speech | None:
        self.voice = loud and self._since_pitch <= EDGE_FRAMES
        self._quiet = 0 if self.voice else self._quiet + 1
        if self._quiet < HANGOVER_FRAMES:
            return None
        self.speaking, self._loud = False, 0
        return Speech(at_ms - (HANGOVER_FRAMES - 1) * FRAME_MS, began=False)
