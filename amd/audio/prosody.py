"""How somebody speaks: melody, rhythm and articulation, whatever the microphone.

A prompt is read by a trained voice; a person who picks up talks. What is kept of each stretch of
40 ms is told only by how it moves: means, which carry the timbre of a voice and the colour of a
line, are taken out, and neither the pitch itself nor the loudness counts.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from amd.audio.frames import FRAME_MS, Frames
from amd.audio.mulaw import RATE_HZ
from amd.audio.spectrum import BIN_HZ, FFT, pitched

MAX_FRAMES: Final = 320
"""Frames that are kept (6.4 s): the model knows how calls begin."""

BANDS: Final = 20
CEPSTRA: Final = 12
MODULATION_HZ: Final = (0.5, 1.5, 3.0, 5.0, 8.0, 14.0)
"""Edges of the bands that the loudness moves in; syllables come 3 to 8 times a second."""

_PARTS: Final = range(len(MODULATION_HZ) - 1)
_SHOWN_BANDS: Final = range(0, BANDS, 3)

NAMES: Final = (
    "voiced_share",  # of the voice: the rest is hiss and breath
    "voiced_rate",  # stretches with a pitch, per second of voice
    "voiced_mid_s",  # how long they are: median
    "voiced_long_s",  # and the ninetieth of a hundred
    "voiced_spread",  # deviation over mean
    "melody_range",  # octaves between the tenth and the ninetieth of a hundred
    "melody_up",  # from the middle to the highest
    "melody_down",  # and to the lowest
    "melody_deviation",
    "melody_step",  # octaves from frame to frame, mean
    "melody_leap",  # and the ninetieth of a hundred
    "melody_slope",  # octaves per second: speech declines
    "level_top_db",  # from the middle to the loudest
    "level_spread_db",  # between the quarters
    "level_low_db",  # from the middle down to the lower quarter
    *(f"step_{share}_db" for share in (2, 10, 25, 75, 90, 98)),  # of the level, frame to frame
    *(f"modulation_{part}" for part in _PARTS),  # shares of what moves the loudness
    "peak_rate",  # loud peaks per second of voice
    "peak_spread",  # how unevenly they follow one another
    *(f"cepstrum_{order}_deviation" for order in range(1, CEPSTRA + 1)),
    *(f"cepstrum_{order}_step" for order in range(1, CEPSTRA + 1)),
    "change_low",  # of the spectrum from frame to frame: the tenth of a hundred
    "change_mid",
    "change_high",
    *(f"band_{band}_deviation" for band in _SHOWN_BANDS),  # against that of all bands
    "band_deviation",
    "cepstrum_peakedness",
)
"""The features in their order; a model is trained for exactly these."""

_EDGES_HZ: Final = (150.0, 3600.0)
_LEAST_POWER: Final = 1.0  # the smallest step of the line, squared
_DB: Final = 10 / np.log(10)
_PITCHED: Final = 0.55
_LEAST_FRAMES: Final = 10  # of voice; with less there is nothing to tell
_MODULATION_FFT: Final = 512
_DEEPEST_DB: Final = -35.0  # further down is the noise of the line
_LOUDEST_DB: Final = 5.0
_PEAK_DB: Final = -18.0  # a peak below this is none: both under the loudest of the call
_LEAP: Final = 0.25  # octaves in 20 ms; more is a slip of the estimate
_PEAKS_APART_S: Final = 0.6
_FRAME_S: Final = FRAME_MS / 1000

Column = NDArray[np.float32]
Flags = NDArray[np.bool_]


def _mel(hz: NDArray[np.floating]) -> NDArray[np.floating]:
    return 2595 * np.log10(1 + hz / 700)


def _band_matrix() -> Frames:
    """Triangles, equally wide to the ear, that sum the power of the bins."""
    low, high = _mel(np.array(_EDGES_HZ))
    edges = np.linspace(low, high, BANDS + 2)
    bins = _mel(np.arange(FFT // 2 + 1) * BIN_HZ)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles: Frames = np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
    return triangles


def _cosines() -> Frames:
    orders = np.arange(1, CEPSTRA + 1)
    angles = np.pi / BANDS * np.outer(np.arange(BANDS) + 0.5, orders)
    cosines: Frames = (np.cos(angles) * np.sqrt(2 / BANDS)).astype(np.float32)
    return cosines


_MATRIX: Final = _band_matrix()
_COSINES: Final = _cosines()
_FREQUENCIES: Final = np.fft.rfftfreq(_MODULATION_FFT, _FRAME_S)
_MODULATION: Final = np.array(
    [(low <= _FREQUENCIES) & (high > _FREQUENCIES) for low, high in pairwise(MODULATION_HZ)]
).T.astype(np.float32)


class Prosody:
    """Follows one call; keeps its first 6.4 s and leaves out the rest."""

    __slots__ = (
        "_bands",
        "_cepstra",
        "_frames",
        "_levels",
        "_pitch",
        "_power",
        "_voice",
        "_voicing",
    )

    def __init__(self) -> None:
        self._power: list[Frames] = []  # what nobody has asked about yet
        self._frames = 0
        self._voice = np.zeros(MAX_FRAMES, dtype=np.bool_)
        self._levels = np.zeros(MAX_FRAMES, dtype=np.float32)
        self._bands = np.zeros((MAX_FRAMES, BANDS), dtype=np.float32)
        self._cepstra = np.zeros((MAX_FRAMES, CEPSTRA), dtype=np.float32)
        self._voicing = np.zeros(MAX_FRAMES, dtype=np.float32)
        self._pitch = np.zeros(MAX_FRAMES, dtype=np.float32)

    def hear(self, power: Frames, voice: Sequence[bool]) -> None:
        """Take in the stretches that follow: their power, and which of them are voice."""
        taken = min(len(voice), MAX_FRAMES - self._frames - self._waiting)
        if taken <= 0:
            return
        at = self._frames + self._waiting
        self._voice[at : at + taken] = voice[:taken]
        self._power.append(power[:taken])

    def skip(self, frames: int) -> None:
        """Take in *frames* of silence."""
        bins = FFT // 2 + 1
        taken = min(frames, MAX_FRAMES)
        self.hear(np.zeros((taken, bins), dtype=np.float32), [False] * taken)

    def began(self, frames: int) -> None:
        """The last *frames*, taken for silence until now, were voice already."""
        at = self._frames + self._waiting
        self._voice[max(0, at - frames) : at] = True

    def features(self) -> Column:
        """How somebody spoke by now, in the order of NAMES; zeros while there is too little."""
        self._catch_up()
        n = self._frames
        voice = self._voice[:n]
        if np.count_nonzero(voice) < _LEAST_FRAMES:
            return np.zeros(len(NAMES), dtype=np.float32)
        spoken_s = float(np.count_nonzero(voice)) * _FRAME_S
        both = voice[1:] & voice[:-1]
        values = [
            *self._melody(voice, spoken_s),
            *_loudness(self._levels[:n], voice, both),
            *_envelope(self._levels[:n], voice, spoken_s),
            *_articulation(self._cepstra[:n], self._bands[:n], voice, both),
        ]
        return np.array(values, dtype=np.float32)

    @property
    def _waiting(self) -> int:
        return sum(len(each) for each in self._power)

    def _catch_up(self) -> None:
        """Work on all that waits at once: half the price of one block at a time."""
        if not self._power:
            return
        power = np.concatenate(self._power)
        self._power.clear()
        new = slice(self._frames, self._frames + len(power))
        bands = np.log(power @ _MATRIX + _LEAST_POWER)
        self._bands[new] = bands
        self._cepstra[new] = bands @ _COSINES
        self._levels[new] = _DB * np.log(power[:, 8:].sum(axis=1) + _LEAST_POWER)
        self._voicing[new], lags = pitched(power)
        self._pitch[new] = np.log2(RATE_HZ / lags)
        self._frames = new.stop

    def _melody(self, voice: Flags, spoken_s: float) -> list[float]:
        sung = voice & (self._voicing[: len(voice)] > _PITCHED)
        pitch = self._pitch[: len(voice)]
        lengths = _run_lengths(sung) * _FRAME_S
        mid, long = _shares(lengths, 0.5, 0.9)
        notes = pitch[sung]
        lowest, low, middle, high, highest = _shares(notes, 0.05, 0.1, 0.5, 0.9, 0.95)
        steps = np.abs(np.diff(pitch))[sung[1:] & sung[:-1]]
        steps = steps[steps < _LEAP]
        (leap,) = _shares(steps, 0.9)
        return [
            len(notes) * _FRAME_S / spoken_s,
            len(lengths) / spoken_s,
            mid,
            long,
            _spread(lengths),
            high - low,
            highest - middle,
            middle - lowest,
            float(notes.std()) if len(notes) else 0.0,
            float(steps.mean()) if len(steps) else 0.0,
            leap,
            _slope(np.flatnonzero(sung) * _FRAME_S, notes),
        ]


def _loudness(levels: Column, voice: Flags, both: Flags) -> list[float]:
    quarter, middle, upper, top = _shares(levels[voice], 0.25, 0.5, 0.75, 0.95)
    steps = np.diff(levels)[both]
    return [
        top - middle,
        upper - quarter,
        middle - quarter,
        *_shares(steps, 0.02, 0.1, 0.25, 0.75, 0.9, 0.98),
    ]


def _envelope(levels: Column, voice: Flags, spoken_s: float) -> list[float]:
    """How the loudness swings, from the first word on."""
    heard = levels[int(np.argmax(voice)) :]
    (top,) = _shares(levels[voice], 0.95)
    envelope = np.clip(heard - top, _DEEPEST_DB, _LOUDEST_DB)
    swings = np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)), _MODULATION_FFT)
    parts = (swings.real**2 + swings.imag**2) @ _MODULATION
    shares = parts / (parts.sum() + 1e-6)
    smooth = (envelope[:-2] + envelope[1:-1] + envelope[2:]) / 3
    inner = smooth[1:-1]
    peaks = np.flatnonzero((inner > smooth[:-2]) & (inner >= smooth[2:]) & (inner > _PEAK_DB))
    apart_s = np.diff(peaks) * _FRAME_S
    return [*shares.tolist(), len(peaks) / spoken_s, _spread(apart_s[apart_s < _PEAKS_APART_S])]


def _articulation(cepstra: Frames, bands: Frames, voice: Flags, both: Flags) -> list[float]:
    spoken = cepstra[voice]
    centred = spoken - spoken.mean(axis=0)
    deviations = np.sqrt((centred**2).mean(axis=0))
    steps = np.abs(np.diff(cepstra, axis=0))[both]
    changes = np.abs(np.diff(bands, axis=0))[both].mean(axis=1)
    band_deviations = bands[voice].std(axis=0)
    deviation = float(band_deviations.mean())
    peakedness = float(((centred / (deviations + 1e-3)) ** 4).mean())
    return [
        *deviations.tolist(),
        *(steps.mean(axis=0) if len(steps) else np.zeros(CEPSTRA)).tolist(),
        *_shares(changes, 0.1, 0.5, 0.9),
        *(band_deviations[_SHOWN_BANDS.start :: _SHOWN_BANDS.step] - deviation).tolist(),
        deviation,
        peakedness,
    ]


def _shares(values: NDArray[np.floating], *shares: float) -> list[float]:
    """The values below which these shares lie, between neighbours in proportion; 0 of nothing."""
    if not len(values):
        return [0.0] * len(shares)
    ordered = np.sort(values)
    places = [share * (len(ordered) - 1) for share in shares]
    return [float(each) for each in np.interp(places, np.arange(len(ordered)), ordered)]


def _run_lengths(flags: Flags) -> NDArray[np.int64]:
    """How many frames each unbroken run of True has."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return edges[1::2] - edges[::2]


def _spread(values: NDArray[np.floating]) -> float:
    """Deviation over mean; 0 of fewer than two."""
    return float(values.std() / (values.mean() + 1e-3)) if len(values) > 1 else 0.0


def _slope(at_s: NDArray[np.floating], values: Column) -> float:
    """Of the straight line nearest to *values*, per second; 0 of too few."""
    if len(values) < _LEAST_FRAMES:
        return 0.0
    at_s = at_s - at_s.mean()
    return float((at_s * (values - values.mean())).sum() / (at_s**2).sum())
