"""How a call begins, built from recordings of voices: what a model learns from without calls.

A person says one or two short words and waits, or talks for two to four seconds; a machine plays
prompts of one voice one after another, or a greeting that somebody has recorded: sentences of one
person without an end. Both go through the same noise and the same line, so that neither can be
told by its microphone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from amd.audio import mulaw
from dialer.evaluation.recordings import Label

Samples: TypeAlias = NDArray[np.float64]
Choice = TypeVar("Choice")

RATE_HZ: Final = mulaw.RATE_HZ
SCENE_S: Final = 6.0
MACHINE_SHARE: Final = 0.5
TALK_SHARE: Final = 0.28  # of persons; the others say a word or two
PERSONAL_SHARE: Final = 0.25  # of machines; the others play prompts

_START_S: Final = (0.12, 1.3)
_TALK_S: Final = (2.0, 4.0)
_TWO_WORDS_SHARE: Final = 0.4
_WORDS_APART_S: Final = (0.08, 0.35)
_REPEAT_SHARE: Final = 0.35
_REPEAT_AFTER_S: Final = (1.0, 2.5)
_PROMPTS_APART_S: Final = (0.08, 0.6)
_BRIEF_S: Final = 1.9  # a clip of a person that is shorter is a word or two
_WORD: Final = "word"  # the kind of a clip that is known to hold no more, whatever its length
_TALK_MOST_S: Final = 6.0  # longer ones could not be trimmed: there is noise all through
_LEAST_TALKS: Final = 4  # of one person, to make a greeting of
_FULL: Final = 32768.0


class Kind(StrEnum):
    """What a scene is of."""

    BRIEF = "brief"  # a person: a word or two
    TALK = "talk"  # a person: a sentence
    PROMPTS = "prompts"  # a machine with a trained voice
    PERSONAL = "personal"  # a machine with somebody's own greeting


MACHINES: Final = frozenset({Kind.PROMPTS, Kind.PERSONAL})


@dataclass(frozen=True, slots=True)
class Clip:
    """What somebody said, without the silence around it; as loud as any other clip."""

    label: Label
    speaker: str
    kind: str
    samples: Samples = field(repr=False)

    @property
    def lasts_s(self) -> float:
        """How long it is."""
        return len(self.samples) / RATE_HZ


@dataclass(frozen=True, slots=True)
class Cast:
    """Who may appear in scenes."""

    brief: Sequence[Clip]
    talk: Mapping[str, Sequence[Clip]]
    prompts: Mapping[str, Sequence[Clip]]


@dataclass(frozen=True, slots=True)
class Line:
    """What happens to a voice on its way; decibels.

    A *rough* line also echoes, is coloured at random and plays at another speed: not how lines
    are, but what keeps a model from learning a room or a voice.
    """

    noise_db: tuple[float, float]  # how far the noise is below the voice
    rough: bool = False


NOISY: Final = Line((8.0, 40.0))
CLEAN: Final = Line((30.0, 45.0))
ROUGH: Final = Line((8.0, 45.0), rough=True)


@dataclass(frozen=True, slots=True)
class Scene:
    """The first seconds of a call as the carrier sends them; *spoken_ms*: its first words end."""

    kind: Kind
    speaker: str
    payload: bytes = field(repr=False)
    spoken_ms: int

    @property
    def label(self) -> Label:
        """Who it is."""
        return Label.MACHINE if self.kind in MACHINES else Label.HUMAN


def trimmed(samples: Samples) -> Samples:
    """*samples* on the scale of 16-bit PCM without the silence around the voice, level 1."""
    step, edge = RATE_HZ // 100, RATE_HZ // 33
    count = len(samples) // step
    if count < 5:
        return samples[:0]
    frames = samples[: count * step].reshape(count, step) / _FULL
    levels = 10 * np.log10((frames**2).mean(axis=1) + 1e-9)
    levels = np.convolve(levels, np.ones(5) / 5, "same")
    alive = levels[levels > -78]
    if len(alive) < 5:
        return samples[:0]
    low, high = np.percentile(alive, (10, 95))
    loud = np.flatnonzero(levels > max(high - 25, min(low + 8, high - 8)))
    if not len(loud):
        return samples[:0]
    return _level(samples[max(0, loud[0] * step - edge) : (loud[-1] + 1) * step + edge])


def cast(clips: Sequence[Clip]) -> Cast:
    """Who can play what; clips of a person are sorted by how long they are."""
    humans = [clip for clip in clips if clip.label is Label.HUMAN]
    talks = [
        clip for clip in humans if clip.kind != _WORD and _BRIEF_S <= clip.lasts_s <= _TALK_MOST_S
    ]
    return Cast(
        [clip for clip in humans if 0.2 <= clip.lasts_s < _BRIEF_S],
        _by_speaker(talks),
        _by_speaker([clip for clip in clips if clip.label is Label.MACHINE and clip.lasts_s > 1]),
    )


def _by_speaker(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    found: dict[str, list[Clip]] = {}
    for clip in clips:
        found.setdefault(clip.speaker, []).append(clip)
    return found


def kinds(count: int, rng: np.random.Generator) -> list[Kind]:
    """As many persons as machines, and of each the shares named above."""
    return [
        (Kind.PERSONAL if rng.random() < PERSONAL_SHARE else Kind.PROMPTS)
        if index % 2
        else (Kind.TALK if rng.random() < TALK_SHARE else Kind.BRIEF)
        for index in range(count)
    ]


def build(kind: Kind, cast: Cast, line: Line, rng: np.random.Generator) -> Scene:
    """One scene; the same for the same randomness.

    Raises ValueError where nobody in *cast* can play it.
    """
    stage = _Stage(rng, rough=line.rough)
    match kind:
        case Kind.BRIEF:
            speaker = _say_a_word(stage, cast, rng)
        case Kind.TALK:
            speaker = _talk(stage, cast, rng)
        case Kind.PROMPTS:
            speaker = _chain(stage, cast.prompts, rng)
        case Kind.PERSONAL:
            many = {who: each for who, each in cast.talk.items() if len(each) >= _LEAST_TALKS}
            speaker = _chain(stage, many, rng)
    return Scene(kind, speaker, _transmit(stage.samples, line, cast, rng), stage.spoken_ms)


class _Stage:
    """The sound of a scene while it is put together."""

    def __init__(self, rng: np.random.Generator, *, rough: bool) -> None:
        self.samples: Samples = np.zeros(int(SCENE_S * RATE_HZ))
        self.at = int(rng.uniform(*_START_S) * RATE_HZ)
        self.spoken_ms = 0
        self._speed = rng.uniform(0.84, 1.2) if rough else 1.0

    @property
    def full(self) -> bool:
        return self.at >= len(self.samples)

    def say(self, samples: Samples, most: int | None = None) -> None:
        if self._speed != 1.0:
            places = np.arange(0, len(samples) - 1, self._speed)
            samples = np.interp(places, np.arange(len(samples)), samples)
        samples = _level(samples[:most])[: max(0, len(self.samples) - self.at)]
        self.samples[self.at : self.at + len(samples)] += samples
        self.at += len(samples)

    def wait(self, span_s: tuple[float, float], rng: np.random.Generator) -> None:
        self.at += int(rng.uniform(*span_s) * RATE_HZ)

    def spoken(self) -> None:
        """The first words are over."""
        self.spoken_ms = min(self.at, len(self.samples)) * 1000 // RATE_HZ


def _say_a_word(stage: _Stage, cast: Cast, rng: np.random.Generator) -> str:
    word = _pick(cast.brief, rng)
    stage.say(word.samples)
    if rng.random() < _TWO_WORDS_SHARE:
        stage.wait(_WORDS_APART_S, rng)
        stage.say(_pick(cast.brief, rng).samples)
    stage.spoken()
    if rng.random() < _REPEAT_SHARE:
        stage.wait(_REPEAT_AFTER_S, rng)
        stage.say(word.samples)
    return word.speaker


def _talk(stage: _Stage, cast: Cast, rng: np.random.Generator) -> str:
    clip = _pick([clip for clips in cast.talk.values() for clip in clips], rng)
    stage.say(clip.samples, int(rng.uniform(*_TALK_S) * RATE_HZ))
    stage.spoken()
    return clip.speaker


def _chain(stage: _Stage, voices: Mapping[str, Sequence[Clip]], rng: np.random.Generator) -> str:
    speaker = _pick(sorted(voices), rng)
    while not stage.full:
        stage.say(_pick(voices[speaker], rng).samples)
        stage.wait(_PROMPTS_APART_S, rng)
    stage.spoken()
    return speaker


def _pick(choices: Sequence[Choice], rng: np.random.Generator) -> Choice:
    if not choices:
        raise ValueError("nobody can play this scene")
    return choices[int(rng.integers(len(choices)))]


def _transmit(samples: Samples, line: Line, cast: Cast, rng: np.random.Generator) -> bytes:
    """Room, noise, band, colour, level, mu-law."""
    if line.rough and rng.random() < 0.5:
        samples = _echoing(samples, rng)
    samples = _level(samples) + _noise(len(samples), cast, rng) * _ratio(
        -rng.uniform(*line.noise_db)
    )
    samples = _coloured(samples, rng, rough=line.rough)
    level = _ratio(rng.uniform(-30.0, -8.0))
    return mulaw.encode(_level(samples) * level * _FULL)


def _echoing(samples: Samples, rng: np.random.Generator) -> Samples:
    """In a room whose sound dies away in 0.08 to 0.5 s."""
    length = int(rng.uniform(0.08, 0.5) * RATE_HZ)
    room = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    room *= _ratio(-rng.uniform(3.0, 15.0)) / np.sqrt((room**2).sum())
    room[0] += 1
    return _filtered(samples, np.fft.rfft(room, len(samples) + length), length)


def _coloured(samples: Samples, rng: np.random.Generator, *, rough: bool) -> Samples:
    """Band-pass and tilt; a rough line has bumps too."""
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    low_hz, high_hz = rng.uniform(80, 400), rng.uniform(2700, 3800)
    gain = 1 / np.sqrt(1 + (low_hz / np.maximum(hz, 1)) ** 8) / np.sqrt(1 + (hz / high_hz) ** 16)
    gain *= _ratio(rng.uniform(-6, 6) * np.log2(np.maximum(hz, 60) / 1000))
    if rough:
        gain *= _ratio(np.interp(hz, np.linspace(0, 4000, 9), rng.uniform(-5, 5, 9)))
    return _filtered(samples, gain, 0)


def _noise(length: int, cast: Cast, rng: np.random.Generator) -> Samples:
    match int(rng.integers(4)):
        case 0:
            return _level(rng.standard_normal(length))
        case 1:
            return _pink(length, rng)
        case 2:
            return _hum(length, rng)
        case _:
            return _babble(length, cast, rng)


def _pink(length: int, rng: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    return _level(np.fft.irfft(spectrum, length))


def _hum(length: int, rng: np.random.Generator) -> Samples:
    """An appliance: the mains and its overtones over a rumble."""
    at_s = np.arange(length) / RATE_HZ
    mains_hz = float(rng.choice((50.0, 60.0, 100.0, 120.0))) * rng.uniform(0.98, 1.02)
    hum = sum(
        rng.uniform(0.1, 1) / part * np.sin(2 * np.pi * mains_hz * part * at_s + rng.uniform(0, 6))
        for part in range(1, 12)
    )
    return _level(_level(np.asarray(hum)) + 0.4 * _pink(length, rng))


def _babble(length: int, cast: Cast, rng: np.random.Generator) -> Samples:
    """Six people at once."""
    talks = [clip for clips in cast.talk.values() for clip in clips] or cast.brief
    voices = [np.resize(_pick(talks, rng).samples, 2 * length) for _ in range(6)]
    starts = rng.integers(length, size=len(voices))
    heard = [voice[at : at + length] for voice, at in zip(voices, starts, strict=True)]
    return _level(np.sum(heard, axis=0))


def _filtered(samples: Samples, gain: NDArray[np.complexfloating] | Samples, more: int) -> Samples:
    size = len(samples) + more
    return np.fft.irfft(np.fft.rfft(samples, size) * gain, size)[: len(samples)]


def _level(samples: Samples) -> Samples:
    """As loud as everything else: what is not silence has the mean square 1."""
    loud = samples[np.abs(samples) > 1e-4]
    return samples / np.sqrt((loud**2).mean()) if len(loud) else samples


def _ratio(decibels: Samples | float) -> Samples | float:
    return 10 ** (decibels / 20)
