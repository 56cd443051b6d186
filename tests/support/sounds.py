"""Sounds made for tests: tones, noise and vowels on the scale of 16-bit samples, and clips."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from amd.audio import AudioDetector, mulaw
from amd.audio.frames import FULL_SCALE
from amd.signals import Signal

Sound: TypeAlias = NDArray[np.float64]

CLIPS: Final = Path(__file__).parent.parent / "data" / "amd"
PAYLOAD: Final = 160  # bytes of 20 ms, as carriers send them
BYTES_PER_MS: Final = 8
_FADE: Final = 40  # samples: a tone without an edge clicks


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * mulaw.RATE_HZ))


def _faded(sound: Sound, samples: int = _FADE) -> Sound:
    edge = np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1])
    faded: Sound = sound * np.minimum(1.0, edge / samples)
    return faded


def tone(hz: Iterable[float], seconds: float, *, dbfs: float = -15.0) -> Sound:
    """Sines as loud as one another, *dbfs* together."""
    times = np.arange(round(seconds * mulaw.RATE_HZ)) / mulaw.RATE_HZ
    return at_level(_faded(np.sum([np.sin(2 * np.pi * one * times) for one in hz], axis=0)), dbfs)


def at_level(sound: Sound, dbfs: float) -> Sound:
    """*sound* with this mean power; a full square wave has 0."""
    power = math.sqrt(float((sound**2).mean()))
    scaled: Sound = sound * (FULL_SCALE * 10 ** (dbfs / 20) / power)
    return scaled


def noise(seconds: float, *, dbfs: float, seed: int = 1, pink: bool = False) -> Sound:
    """What a telephone line lets through of a noise."""
    samples = round(seconds * mulaw.RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / mulaw.RATE_HZ)
    if pink:
        spectrum /= np.sqrt(np.maximum(hz, 50.0))
    spectrum[(hz < 200) | (hz > 3500)] = 0
    return at_level(np.fft.irfft(spectrum, samples), dbfs)


def vowel(pitch_hz: float, seconds: float, *, dbfs: float = -20.0, seed: int = 1) -> Sound:
    """A voice that says "ah" with 2 % of vibrato: a pulse train through two formants."""
    samples = round(seconds * mulaw.RATE_HZ)
    times = np.arange(samples) / mulaw.RATE_HZ
    wander = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    phase = np.cumsum(pitch_hz * (1 + 0.02 * np.sin(2 * np.pi * 5.5 * times + wander)))
    phase *= 2 * np.pi / mulaw.RATE_HZ
    harmonics = range(1, int(3400 / pitch_hz))
    return at_level(
        _faded(
            np.sum([_formants(k * pitch_hz) * np.sin(k * phase) for k in harmonics], axis=0), 160
        ),
        dbfs,
    )


def _formants(hz: float) -> float:
    return sum(1 / (1 + ((hz - formant) / width) ** 2) for formant, width in _AH)


_AH: Final = ((750.0, 90.0), (1200.0, 120.0), (2500.0, 200.0))


def clip(name: str) -> Sound:
    """A clip of real sound; its WAV header is left out."""
    data = (CLIPS / name).read_bytes()
    begins = data.index(b"data") + 8  # the tag and its length
    return mulaw.decode(data[begins:]).astype(np.float64)


def mixed(sound: Sound, background: Sound) -> Sound:
    """*sound* over as much of a longer *background*."""
    return sound + background[: len(sound)]


def payloads(sound: Sound, size: int = PAYLOAD) -> list[tuple[bytes, int]]:
    """Mu-law bytes and the time of each, as a carrier sends them."""
    line = mulaw.encode(sound)
    return [
        (line[start : start + size], start // BYTES_PER_MS) for start in range(0, len(line), size)
    ]


def signals_of(sound: Sound, detector: AudioDetector | None = None) -> list[Signal]:
    """All that is told of *sound*."""
    detector = detector or AudioDetector()
    return told(detector, payloads(sound))


def told(detector: AudioDetector, stream: Sequence[tuple[bytes, int]]) -> list[Signal]:
    return [signal for payload, at_ms in stream for signal in detector.hear(payload, at_ms)]
