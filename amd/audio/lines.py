"""The lines in a spectrum: the one or two frequencies that a tone is made of."""

import math
from typing import Final, NamedTuple

import numpy as np

from amd.audio.frames import Frames, Samples
from amd.audio.mulaw import RATE_HZ
from amd.audio.spectrum import BIN_HZ

_LOW_HZ: Final = 190  # below is hum, above is nothing on a telephone line
_HIGH_HZ: Final = 3600
_BAND: Final = slice(int(_LOW_HZ / BIN_HZ) + 1, int(_HIGH_HZ / BIN_HZ) + 1)
_REACH: Final = 3  # bins to either side that a line fills, in a stretch of 40 ms
_NOTHING: Final = 1e-6

LEAST: Final = 0.375
"""A share of the power below this is no line of a tone, not even of two equal ones."""


class Whole(NamedTuple):
    """The three strongest lines of a whole tone, strongest first, and the power they leave."""

    hz: tuple[float, float, float]
    shares: tuple[float, float, float]

    @property
    def rest(self) -> float:
        """The share of the power that is in none of them."""
        return 1.0 - sum(self.shares)


class Look(NamedTuple):
    """The two strongest lines of a stretch, and their shares of all its power."""

    first_hz: float
    first: float
    second_hz: float
    second: float


def looks(power: Frames) -> list[Look]:
    """A quick look at every stretch, exact to a few Hz."""
    band = power[:, _BAND]
    totals, peaks = band.sum(axis=1).tolist(), band.argmax(axis=1).tolist()
    return [_look(*row) for row in zip(band, totals, peaks, strict=True)]


def _look(band: Samples, total: float, peak: int) -> Look:
    total += _NOTHING
    first = _around(band, peak) / total
    if first < LEAST:  # no second line makes up for it: most stretches of speech end here
        return Look(0.0, first, 0.0, 0.0)
    others = band.copy()
    others[_line(peak)] = 0
    second = int(others.argmax())
    second_hz = (second + _BAND.start) * BIN_HZ
    return Look(_between_bins(band, peak), first, second_hz, _around(others, second) / total)


def _line(peak: int) -> slice:
    return slice(max(0, peak - _REACH), peak + _REACH + 1)


def _around(band: Samples, peak: int) -> float:
    return float(band[_line(peak)].sum())


def _between_bins(band: Samples, peak: int) -> float:
    """The top of the parabola through a peak and its neighbours, in Hz."""
    shift = 0.0
    if 0 < peak < len(band) - 1:
        left, top, right = (math.log(value + _NOTHING) for value in band[peak - 1 : peak + 2])
        curve = left - 2 * top + right
        shift = 0.5 * (left - right) / curve if curve < 0 else 0.0
    return (peak + _BAND.start + shift) * BIN_HZ


_FINE: Final = 4096
_FINE_HZ: Final = RATE_HZ / _FINE
_FINE_LOW: Final = int(_LOW_HZ / _FINE_HZ)
_FINE_HIGH: Final = int(_HIGH_HZ / _FINE_HZ)
_LOBE: Final = 2.0  # half the width of a line, over the stretch's own resolution


def whole(samples: Samples) -> Whole:
    """The lines of up to 4096 samples; the longer, the nearer two lines are told apart."""
    window = np.hanning(len(samples) + 2)[1:-1]
    spectrum = np.fft.rfft(samples * window, _FINE)
    band = (spectrum.real**2 + spectrum.imag**2)[_FINE_LOW:_FINE_HIGH]
    reach = int(_LOBE * _FINE / len(samples)) + 1
    total = float(band.sum()) + _NOTHING
    hz: list[float] = []
    shares: list[float] = []
    for _ in range(3):
        peak = int(band.argmax())
        line = slice(max(0, peak - reach), peak + reach + 1)
        hz.append((peak + _FINE_LOW) * _FINE_HZ)
        shares.append(float(band[line].sum()) / total)
        band[line] = 0
    return Whole((hz[0], hz[1], hz[2]), (shares[0], shares[1], shares[2]))


def unsteadiness(samples: Samples, hz: float) -> float:
    """How far, in radians, the phase of the line at *hz* strays from that of one sine.

    An oscillator keeps its phase; a larynx, however well it holds its note, does not.
    """
    turned = samples * np.exp(-2j * np.pi * hz / RATE_HZ * np.arange(len(samples)))
    cells = len(samples) // _CELL
    phase = np.unwrap(np.angle(turned[: cells * _CELL].reshape(cells, _CELL).mean(axis=1)))
    at = np.arange(cells) - (cells - 1) / 2
    tilt = (at @ phase) / (at @ at)  # the line lies between two bins
    return float((phase - tilt * at).std())


_CELL: Final = 80
