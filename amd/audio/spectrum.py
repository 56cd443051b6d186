"""What a stretch of 40 ms holds: its spectrum, and how much of it repeats like a voice.

A stretch ends with every frame and begins with the one before it.
"""

from typing import Final

import numpy as np

from amd.audio.frames import FRAME, Frames
from amd.audio.mulaw import RATE_HZ

FFT: Final = 512
BIN_HZ: Final = RATE_HZ / FFT
STRETCH: Final = 2 * FRAME
"""Samples of a stretch."""

_LAGS: Final = slice(RATE_HZ // 400, RATE_HZ // 70)  # of voices from 400 Hz down to 70 Hz
_LOWEST_BIN: Final = int(100 / BIN_HZ)  # below it hum repeats too
_WINDOW: Final = np.hanning(STRETCH + 2)[1:-1].astype(np.float32)


def powers(stretches: Frames) -> Frames:
    """The power in every bin of every stretch; a sine has its amplitude squared at its bin."""
    spectrum = np.fft.rfft(stretches * (_WINDOW * (2 / _WINDOW.sum())), FFT)
    power: Frames = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return power


def _repeats_of_window() -> Frames:
    spectrum = np.fft.rfft(_WINDOW, FFT)
    repeats = np.fft.irfft(np.abs(spectrum) ** 2, FFT)
    undo: Frames = (repeats[0] / repeats[_LAGS]).astype(np.float32)
    return undo


_UNDO_WINDOW: Final = _repeats_of_window()


def voicing(power: Frames) -> Frames:
    """How much of each stretch repeats at the pitch of a voice: 0 for noise, near 1 for a vowel."""
    share: Frames = _repeating(power).max(axis=1)
    return share


def pitched(power: Frames) -> tuple[Frames, Frames]:
    """As :func:`voicing`, and beside it how many samples apart each stretch repeats."""
    shares = _repeating(power)
    rows, best = np.arange(len(shares)), shares.argmax(axis=1)
    middle = np.clip(best, 1, shares.shape[1] - 2)
    before, at, after = (shares[rows, middle + side] for side in (-1, 0, 1))
    # The top of the parabola through the best and its neighbours.
    beside = 0.5 * (before - after) / np.minimum(before - 2 * at + after, -1e-6)
    lags: Frames = (_LAGS.start + middle + np.clip(beside, -1, 1)).astype(np.float32)
    return shares[rows, best], lags


def _repeating(power: Frames) -> Frames:
    """The share of each stretch that repeats after each of the lags of a voice."""
    heard = power.copy()
    heard[:, :_LOWEST_BIN] = 0
    repeats = np.fft.irfft(heard, FFT)
    shares = repeats[:, _LAGS] * _UNDO_WINDOW / np.maximum(repeats[:, :1], 1e-9)
    return shares.astype(np.float32)
