"""What a callee sounds like: mu-law at 8 kHz, made by a small formant synthesiser.

A voice is a number; it sets pitch, size of the mouth, loudness and the noise of the line. Words
are sung on the vowels of their letters with a hiss in front, one syllable after the other: nothing
that could be understood, but with the rhythm, the pitch and the spectrum of speech. An utterance is
made once and kept. Needs numpy, which comes with the extra ``ml``.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.scenes import Scene
from dialer.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples: TypeAlias = NDArray[np.int16]
    Wave: TypeAlias = NDArray[np.float32]

RATE: Final = 8000
SAMPLES_PER_MS: Final = RATE // 1000
FRAME_MS: Final = 20
FRAME_BYTES: Final = FRAME_MS * SAMPLES_PER_MS
#: Sound is mixed in blocks of so many frames.
BLOCK_FRAMES: Final = 10
FULL_SCALE: Final = 32_767
HIGHEST_HZ: Final = 3400  # of the telephone band
KEPT_UTTERANCES: Final = 128  # some 10 MB

#: Two formants of each vowel in Hz, for a grown-up's mouth (rounded from Peterson and Barney).
VOWELS: Final = {
    "a": (730, 1090),
    "e": (530, 1840),
    "i": (270, 2290),
    "o": (570, 840),
    "u": (300, 870),
    "y": (390, 1990),
}
NEUTRAL: Final = (500, 1500)
#: How broad they are, and how loud what lies between them is.
FORMANT_HZ: Final = (90.0, 130.0)
RUMBLE: Final = 0.02
LETTERS_PER_SYLLABLE: Final = 3
#: Of a word's time, so much is silence before the next one.
GAP_SHARE: Final = 0.12
HISS_MS: Final = 30
HISS_LEVEL: Final = 0.2
TONE_LEVEL: Final = 0.25
#: Loudness of voices, and of the noise on their lines, both against full scale.
VOICE_LEVEL: Final = (0.08, 0.3)
NOISE_LEVEL: Final = (0.0008, 0.006)
NOISE_S: Final = 4


class SoundMissingError(UsageError):
    """There is no sound without numpy."""

    def __init__(self) -> None:
        super().__init__(
            "media streams need numpy, which is not installed",
            next_step="pip install 'dialer[ml]'",
        )


class Soundtrack:
    """The sound of scenes in one voice, frame by frame. Raises SoundMissingError without numpy."""

    def __init__(self, voice: int) -> None:
        try:
            import numpy as np
        except ImportError as error:
            raise SoundMissingError from error
        self._np = np
        self._voice = voice
        self._noise = _noise(voice)

    def frames(self, scene: Callable[[], Scene], from_ms: int) -> Iterator[bytes]:
        """Endless frames of 20 ms from *from_ms* on; *scene* is looked at again every 200 ms."""
        start_ms = from_ms
        while True:
            block = self.block(scene(), start_ms, BLOCK_FRAMES * FRAME_MS)
            for first in range(0, len(block), FRAME_BYTES):
                yield block[first : first + FRAME_BYTES]
            start_ms += BLOCK_FRAMES * FRAME_MS

    def block(self, scene: Scene, start_ms: int, lasts_ms: int) -> bytes:
        """What is heard of *scene* for so long, in mu-law."""
        np = self._np
        first, count = start_ms * SAMPLES_PER_MS, lasts_ms * SAMPLES_PER_MS
        mixed = np.take(self._noise, range(first, first + count), mode="wrap").astype(np.int32)
        for at_ms, sounds in self._heard(scene, start_ms, start_ms + lasts_ms):
            shift = at_ms * SAMPLES_PER_MS - first
            part = sounds[max(0, -shift) : max(0, count - shift)]
            begin = max(0, shift)
            mixed[begin : begin + len(part)] += part
        np.clip(mixed, -FULL_SCALE, FULL_SCALE, out=mixed)
        encoded: bytes = _mu_law_table()[mixed + FULL_SCALE + 1].tobytes()
        return encoded

    def _heard(self, scene: Scene, start_ms: int, end_ms: int) -> "Iterable[tuple[int, Samples]]":
        """The sounds between two instants, each with the one it begins at."""
        voices = ((line, self._voice + line.person) for line in scene.lines)
        for line, voice in voices:
            if line.at_ms < end_ms and line.ends_ms > start_ms:
                yield line.at_ms, utterance(line.text, line.word_ms, voice)
        for tone in scene.tones:
            if tone.at_ms < end_ms and tone.ends_ms > start_ms:
                yield tone.at_ms, tone_of(tone.hz, tone.lasts_ms)


@lru_cache(maxsize=KEPT_UTTERANCES)
def utterance(text: str, word_ms: int, voice: int) -> "Samples":
    """Words spoken by a voice, each *word_ms* long."""
    import numpy as np

    words = text.split()
    said = [_word(word, word_ms, voice, n / len(words)) for n, word in enumerate(words)]
    level = stream(voice, "level").uniform(*VOICE_LEVEL)
    wave = np.concatenate(said)
    return (wave * (level * FULL_SCALE / max(1e-6, float(np.abs(wave).max())))).astype(np.int16)


@lru_cache(maxsize=KEPT_UTTERANCES)
def tone_of(hz: int, lasts_ms: int) -> "Samples":
    """A pure tone that sets in and ends softly."""
    import numpy as np

    time = np.arange(lasts_ms * SAMPLES_PER_MS) / RATE
    ramp = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.005)
    return (np.sin(2 * np.pi * hz * time) * ramp * TONE_LEVEL * FULL_SCALE).astype(np.int16)


def _word(word: str, word_ms: int, voice: int, place: float) -> "Wave":
    """One word, at *place* (0-1) in its sentence: pitch falls towards the end."""
    import numpy as np

    rng = stream(voice, word, round(place, 2))
    letters = [c for c in word.lower() if c.isalpha()] or ["e"]
    syllables = max(1, -(-len(letters) // LETTERS_PER_SYLLABLE))
    sounding = round(word_ms * SAMPLES_PER_MS * (1 - GAP_SHARE))
    each = sounding // syllables
    low_hz = stream(voice, "pitch").uniform(85, 220)
    wave = np.zeros(word_ms * SAMPLES_PER_MS, np.float32)
    for n in range(syllables):
        part = letters[n * LETTERS_PER_SYLLABLE : (n + 1) * LETTERS_PER_SYLLABLE]
        vowel = next((VOWELS[c] for c in part if c in VOWELS), NEUTRAL)
        pitch_hz = low_hz * (1.25 - 0.35 * place) * rng.uniform(0.94, 1.08)
        sung = _syllable(each, pitch_hz, vowel, stream(voice, "mouth").uniform(0.9, 1.2))
        wave[n * each : n * each + each] = sung * rng.uniform(0.6, 1.0)
    if letters[0] not in VOWELS:
        hiss = min(each, HISS_MS * SAMPLES_PER_MS)
        soft = np.hanning(hiss).astype(np.float32)
        wave[:hiss] += _white(rng.getrandbits(32), hiss) * soft * HISS_LEVEL
    return wave


def _syllable(samples: int, pitch_hz: float, formants: tuple[int, int], mouth: float) -> "Wave":
    """The harmonics of a gliding pitch, weighted by two resonances and a falling slope."""
    import numpy as np

    glide = np.linspace(1.06, 0.94, samples, dtype=np.float32)
    phase = np.cumsum(glide) * np.float32(2 * np.pi * pitch_hz / RATE)
    number = np.arange(1, max(2, int(HIGHEST_HZ / pitch_hz / 1.06)), dtype=np.float32)
    ringing = sum(
        1 / (1 + ((number * pitch_hz - hz * mouth) / width) ** 2)
        for hz, width in zip(formants, FORMANT_HZ, strict=True)
    )
    weight = ((ringing + RUMBLE) / np.sqrt(number)).astype(np.float32)
    envelope = np.minimum(1.0, 4 * np.sin(np.linspace(0, np.pi, samples, dtype=np.float32)))
    wave: Wave = ((weight @ np.sin(np.outer(number, phase))) * envelope).astype(np.float32)
    return wave


def _noise(voice: int) -> "Samples":
    """A few seconds of the line's own noise, to be repeated."""
    import numpy as np

    level = stream(voice, "noise").uniform(*NOISE_LEVEL)
    return (_white(voice, NOISE_S * RATE) * level * FULL_SCALE).astype(np.int16)


@lru_cache(maxsize=256)
def _white(seed: int, samples: int) -> "Wave":
    import numpy as np

    return np.random.default_rng(seed).standard_normal(samples, dtype=np.float32)


@lru_cache(maxsize=1)
def _mu_law_table() -> "NDArray[np.uint8]":
    """ITU-T G.711 mu-law of every 16-bit sample, in order of the samples."""
    import numpy as np

    bias, clip = 0x84, 32_635
    samples = np.arange(-FULL_SCALE - 1, FULL_SCALE + 1)
    sign = np.where(samples < 0, 0x80, 0)
    magnitude = np.minimum(np.abs(samples), clip) + bias
    exponent = np.floor(np.log2(magnitude)).astype(np.int64) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    table: NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return table
