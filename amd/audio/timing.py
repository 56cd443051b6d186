"""The rhythm of a call: what can be told from when somebody speaks, whatever the microphone.

Nothing here knows a timbre, a loudness or a language. Durations are seconds and bounded, so that a
call of an hour looks no different from one of half a minute.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from amd.audio.frames import FRAME_MS

NAMES: Final = (
    "heard_s",  # since the answer
    "start_delay_s",  # silence before the first word; all of it as long as there is none
    "since_start_s",  # since the first word began
    "speech_s",  # voice in total
    "speech_share",  # of the time since the first word
    "runs",  # stretches of voice between pauses
    "run_s",  # the stretch that goes on, 0 in a pause
    "first_run_s",
    "longest_run_s",
    "mean_run_s",
    "pause_s",  # the pause that goes on, 0 while there is voice
    "first_pause_s",
    "longest_pause_s",
    "mean_pause_s",
    "utterances",  # speech that began, with whatever breath inside it
    "utterance_s",  # the one that goes on, or the last one
    "syllables",
    "syllable_rate",  # per second of voice
    "syllable_gap_s",  # between two of them inside a run, mean
    "syllable_spread",  # how uneven those are: deviation over mean
    "swing_db",  # how far the voice falls between syllables, mean
)
"""The features in their order; a model is trained for exactly these."""

HOLE_FRAMES: Final = 5
"""A hole up to this long (100 ms) is a closed mouth inside a word, not a pause."""

NUCLEUS_DB: Final = 3.0
"""A syllable rises and falls by at least this much (half the power)."""

MAX_SWING_DB: Final = 12.0
"""Deeper falls count as this: they would tell how quiet the room is."""

MAX_S: Final = 30.0
MAX_COUNT: Final = 60.0
_MAX_SYLLABLE_GAP_S: Final = 1.0  # further apart, they belong to different words
_SMOOTH: Final = 0.5  # of the level: single frames jump by some dB
_FRAME_S: Final = FRAME_MS / 1000

Features = NDArray[np.float32]


@dataclass(slots=True)
class Lengths:
    """What is kept of many durations, counted in frames."""

    count: int = 0
    total: int = 0
    first: int = 0
    longest: int = 0

    def add(self, frames: int) -> None:
        """Take in one that is over."""
        self.first = self.first if self.count else frames
        self.count += 1
        self.total += frames
        self.longest = max(self.longest, frames)

    def with_open(self, frames: int) -> "Lengths":
        """The same as if one that goes on, *frames* long by now, were over; 0 is none."""
        if not frames:
            return self
        first = self.first if self.count else frames
        longest = max(self.longest, frames)
        return Lengths(self.count + 1, self.total + frames, first, longest)

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0


@dataclass(slots=True)
class Syllables:
    """Counts the peaks of loudness in a voice, and how evenly they follow one another."""

    count: int = 0
    swings: int = 0
    swing_db: float = 0.0  # of all swings together
    gaps: int = 0
    gap_s: float = 0.0  # of all gaps together
    gap_squares: float = 0.0
    _last: int = -1
    _level: float | None = None
    _turn: float = 0.0  # the highest level while it rises, the lowest while it falls
    _peak: float = 0.0
    _rising: bool = True

    def rest(self) -> None:
        """The voice paused: the next syllable rises from nothing."""
        self._level, self._rising = None, True

    def hear(self, level_db: float, frame: int) -> None:
        """Take in the level of a frame of voice."""
        if self._level is None:
            self._level = self._turn = level_db
            return
        self._level += _SMOOTH * (level_db - self._level)
        if self._rising:
            self._climb(self._level, frame)
        else:
            self._fall(self._level)

    def _climb(self, level: float, frame: int) -> None:
        self._turn = max(self._turn, level)
        if level > self._turn - NUCLEUS_DB:
            return
        self.count += 1
        self._peak, self._turn, self._rising = self._turn, level, False
        gap_s = (frame - self._last) * _FRAME_S
        if self._last >= 0 and gap_s <= _MAX_SYLLABLE_GAP_S:
            self.gaps += 1
            self.gap_s += gap_s
            self.gap_squares += gap_s * gap_s
        self._last = frame

    def _fall(self, level: float) -> None:
        self._turn = min(self._turn, level)
        if level < self._turn + NUCLEUS_DB:
            return
        self.swings += 1
        self.swing_db += min(self._peak - self._turn, MAX_SWING_DB)
        self._turn, self._rising = level, True

    @property
    def spread(self) -> float:
        """How uneven the gaps are: their deviation over their mean, 0 for a metronome."""
        if not self.gaps:
            return 0.0
        mean = self.gap_s / self.gaps
        return math.sqrt(max(0.0, self.gap_squares / self.gaps - mean * mean)) / mean


class Timing:
    """Follows one call frame by frame; `features` is the same whenever it is asked."""

    __slots__ = (
        "_frames", "_pauses", "_quiet", "_run", "_runs", "_start", "_syllables", "_utterance",
        "_utterances", "_voice",
    )  # fmt: skip

    def __init__(self) -> None:
        self._frames = 0
        self._start: int | None = None
        self._voice = 0
        self._run = 0  # the stretch that goes on, without the quiet after it
        self._quiet = 0
        self._runs = Lengths()
        self._pauses = Lengths()
        self._syllables = Syllables()
        self._utterances = 0
        self._utterance = 0

    @property
    def frames(self) -> int:
        """Frames heard."""
        return self._frames

    @property
    def spoken(self) -> bool:
        """Whether there was any speech."""
        return self._start is not None

    def begin(self, frames: int) -> None:
        """Speech begins; the last *frames* heard, taken for silence until now, belong to it."""
        if self._start is None:
            self._start = self._frames - frames
        elif self._quiet > frames:
            self._pauses.add(self._quiet - frames)
        self._utterances += 1
        self._utterance = self._run = frames
        self._voice += frames
        self._quiet = 0
        self._syllables.rest()

    def hear(self, voice: bool, level_db: float) -> None:
        """Take in the next frame; between utterances *voice* is False."""
        self._frames += 1
        if self._start is None:
            return
        if voice:
            self._speak(level_db)
        else:
            self._pause(1)

    def skip(self, frames: int) -> None:
        """Take in *frames* of silence at once."""
        self._frames += frames
        if self._start is not None:
            self._pause(frames)

    def _speak(self, level_db: float) -> None:
        if self._run:
            self._run += self._quiet
            self._utterance += self._quiet
        elif self._quiet:
            self._pauses.add(self._quiet)
            self._utterance += self._quiet
        self._quiet = 0
        self._run += 1
        self._utterance += 1
        self._voice += 1
        self._syllables.hear(level_db, self._frames)

    def _pause(self, frames: int) -> None:
        self._quiet += frames
        if self._run and self._quiet > HOLE_FRAMES:
            self._runs.add(self._run)
            self._run = 0
            self._syllables.rest()

    def features(self) -> Features:
        """What the call sounds like by now, in the order of NAMES; every value is finite."""
        return np.array(self._values(), dtype=np.float32)

    def _values(self) -> list[float]:
        syllables = self._syllables
        since = 0 if self._start is None else self._frames - self._start
        delay = self._frames - since
        pausing = self._quiet if self._start is not None and not self._run else 0
        runs, pauses = self._runs.with_open(self._run), self._pauses.with_open(pausing)
        voice_s = self._voice * _FRAME_S
        gap_s = syllables.gap_s / syllables.gaps if syllables.gaps else 0.0
        swing_db = syllables.swing_db / syllables.swings if syllables.swings else 0.0
        return [
            _seconds(self._frames),
            _seconds(delay),
            _seconds(since),
            _seconds(self._voice),
            self._voice / since if since else 0.0,
            min(runs.count, MAX_COUNT),
            _seconds(self._run),
            _seconds(runs.first),
            _seconds(runs.longest),
            _seconds(runs.mean),
            _seconds(pausing),
            _seconds(pauses.first),
            _seconds(pauses.longest),
            _seconds(pauses.mean),
            min(self._utterances, MAX_COUNT),
            _seconds(self._utterance),
            min(syllables.count, MAX_COUNT),
            syllables.count / voice_s if voice_s else 0.0,
            gap_s,
            syllables.spread,
            swing_db,
        ]


def _seconds(frames: float) -> float:
    return min(frames * _FRAME_S, MAX_S)
