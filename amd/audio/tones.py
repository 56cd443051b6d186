"""Sounds that no voice makes: beeps, the answering tone of a fax, special information tones.

Theory of operation. Every 20 ms a quick look at the last 40 ms asks whether one or two lines hold
most of the power. Looks that agree make a run. When a run falls silent it is looked at once more as
a whole: a tone is one or two lines all along, to a few Hz, which a sung or spoken vowel never is.
What remains is sorted by its frequencies: the network's own ringing, busy and dial tones and the
keys of a telephone are not beeps.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import numpy as np

from amd.audio.frames import FRAME_MS, Frames, Samples
from amd.audio.lines import LEAST, Look, Whole, looks, unsteadiness, whole
from amd.signals import Tone, ToneKind

MIN_BEEP_FRAMES: Final = 9
"""A beep lasts 200 ms or more, give or take a frame; vowels and keys hold one note for less."""

MAX_BEEP_FRAMES: Final = 125
"""What lasts longer than 2.5 s is no beep: a dial tone, a machine's hum."""

BEEP_HZ: Final = (330.0, 2600.0)

FAX_HZ: Final = 2100.0
"""The answering tone of ITU-T T.30 (CED), with or without the phase reversals of V.25."""

FAX_TOLERANCE_HZ: Final = 20.0  # 2100 +- 15 Hz, and what a quick look errs
FAX_FRAMES: Final = 30
"""Told after 0.6 s; T.30 has it last 2.6 to 4 s."""

SIT_HZ: Final = ((900.0, 1000.0), (1340.0, 1460.0), (1740.0, 1850.0))
"""The three tones in turn: ITU-T E.180 has 950, 1400 and 1800 Hz with 50 Hz of tolerance;
North America 913.8 or 985.2, 1370.6 or 1428.5, 1776.7 Hz."""

SIT_FRAMES: Final = (11, 23)
"""Each lasts 276 or 330 ms."""

SIT_GAP_FRAMES: Final = 4
"""Up to 30 ms of silence between two of them, and a frame at either side."""

_SIT_WAIT_FRAMES: Final = 3  # by then the next of them is heard, if there is one

PROGRESS_HZ: Final = (350.0, 400.0, 425.0, 440.0, 450.0, 480.0, 620.0)
"""Dial, ringing, busy and congestion tones of ITU-T E.180 and of North America."""

LONE_PROGRESS_HZ: Final = (400.0, 425.0, 450.0)
"""Those that networks use alone; any other alone may be a beep."""

PROGRESS_TOLERANCE_HZ: Final = 8.0

KEYS_HZ: Final = ((697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0))
"""Low and high tones of the telephone's keys, ITU-T Q.23."""

KEYS_TOLERANCE: Final = 0.02

MAX_UNSTEADINESS: Final = 0.3
"""Radians: beeps stay below 0.12, and below 0.35 in two lines or through a GSM codec; notes that
a voice holds stay above it."""

MELODY_RUNS: Final = 3
"""This many tones on one another's heels are a tune."""

_LINE: Final = 0.6  # of a quick look's power in one line
_LINES: Final = 2 * LEAST  # or in two
_STEADY_HZ: Final = 20.0  # between two looks at the same tone
_FALL_DB: Final = 6.0  # what ends a tone
_SETTLE: Final = 0.3  # how fast a run takes on a lower level: chimes fade
_RISE_DB: Final = 4.0  # what begins a beep
_BEFORE_FRAMES: Final = 2
_SILENT_DB: Final = -100.0
_PURE: Final = 0.7  # of the whole tone's power in one line
_PURE_PAIR: Final = 0.8  # or in two
_SECOND: Final = 0.05  # less is not a second line
_THIRD: Final = 0.01
_THIRD_OF_REST: Final = 0.4
_KEPT_FRAMES: Final = 25  # half a second: enough to tell lines 10 Hz apart


class End(Enum):
    """How a run ended."""

    FELL = auto()  # into silence or noise
    CHANGED = auto()  # into another sound as loud


@dataclass(slots=True)
class Run:
    """Looks that agree on their line; *start* and *last* are frames."""

    lines: tuple[float, ...]
    level_db: float
    before_db: float  # the quietest of the frames right before it
    start: int
    last: int
    bad: int = 0
    told: bool = False

    @property
    def frames(self) -> int:
        return self.last - self.start + 1

    @property
    def rose(self) -> bool:
        """Whether it stood out of what was there right before it."""
        return self.level_db > self.before_db + _RISE_DB

    def agrees(self, look: Look) -> bool:
        """Whether the look sees a line of this run."""
        return any(abs(look.first_hz - line) < _STEADY_HZ for line in self.lines)

    def near(self, hz: float, tolerance: float) -> bool:
        return abs(self.lines[0] - hz) < tolerance


class Tracker:
    """Follows the one run that goes on."""

    __slots__ = ("_before", "run")

    def __init__(self) -> None:
        self.run: Run | None = None
        self._before: deque[float] = deque([_SILENT_DB], maxlen=_BEFORE_FRAMES)

    def hear(self, look: Look, level_db: float, frame: int) -> tuple[Run, End] | None:
        """Take in the look that ends with *frame*, and its level; a run that just ended."""
        ended = self._follow(look, level_db, frame)
        self._before.append(level_db)
        return ended

    def _follow(self, look: Look, level_db: float, frame: int) -> tuple[Run, End] | None:
        tonal = look.first > _LINE or look.first + look.second > _LINES
        run = self.run
        if run is None:
            self._start(look, level_db, frame, tonal=tonal)
            return None
        fell = level_db < run.level_db - _FALL_DB
        if not fell and tonal and run.agrees(look):
            _go_on(run, level_db, frame)
            return None
        run.bad += 1
        drowned = level_db > run.level_db + _FALL_DB
        if not drowned and run.bad <= _patience(run, fell=fell):
            return None
        self.run = None
        if not fell:
            self._start(look, level_db, frame, tonal=tonal)
        return run, End.FELL if fell else End.CHANGED

    def _start(self, look: Look, level_db: float, frame: int, *, tonal: bool) -> None:
        if tonal:
            lines = (look.first_hz, look.second_hz) if look.second > _SECOND else (look.first_hz,)
            self.run = Run(lines, level_db, min(self._before), frame, frame)


def _go_on(run: Run, level_db: float, frame: int) -> None:
    run.last, run.bad = frame, 0
    run.level_db = max(level_db, run.level_db + _SETTLE * (level_db - run.level_db))


def _patience(run: Run, *, fell: bool) -> int:
    """Looks that may disagree before a run is over: a fall is an end at once, but not in a fax's
    tone, which dips whenever it turns its phase."""
    if run.near(FAX_HZ, FAX_TOLERANCE_HZ):
        return 3
    return 0 if fell else 1


def _known_pair(look: Whole) -> bool:
    """Whether two lines are the network's or a key's."""
    pair = sorted(look.hz[:2])
    if all(_any_near(line, PROGRESS_HZ, PROGRESS_TOLERANCE_HZ) for line in pair):
        return True
    return all(
        any(abs(line - key) < KEYS_TOLERANCE * key for key in keys)
        for line, keys in zip(pair, KEYS_HZ, strict=True)
    )


def _any_near(hz: float, known: Sequence[float], tolerance: float) -> bool:
    return any(abs(hz - one) < tolerance for one in known)


def is_pure(tone: Whole) -> bool:
    """Whether a whole run is one or two lines, and has no third that a voice or chord would."""
    first, second, third = tone.shares
    if third > _THIRD and third > _THIRD_OF_REST * (tone.rest + third):
        return False
    return first > _PURE or (second > _SECOND and first + second > _PURE_PAIR)


def could_be_beep(tone: Whole) -> bool:
    """Whether a pure tone of these lines may be a beep, and not the network or a key."""
    low, high = BEEP_HZ
    if not low < tone.hz[0] < high:
        return False
    if tone.shares[1] > _SECOND and _known_pair(tone):
        return False
    return not _any_near(tone.hz[0], LONE_PROGRESS_HZ, PROGRESS_TOLERANCE_HZ)


def sit_step(hz: float, frames: int) -> int | None:
    """Which of the three special information tones this is, counted from 0."""
    shortest, longest = SIT_FRAMES
    if not shortest <= frames <= longest:
        return None
    return next((step for step, (low, high) in enumerate(SIT_HZ) if low < hz < high), None)


@dataclass(slots=True)
class Chain:
    """The tones that came one right after another, of which only the end is kept."""

    last: int = -SIT_GAP_FRAMES - 1
    length: int = 0
    step: int | None = None
    sit: int = 0  # how many of the three special information tones, in their order

    def add(self, run: Run, step: int | None) -> None:
        """Take in a tone that is over."""
        follows = run.start - self.last - 1 <= SIT_GAP_FRAMES
        self.length = self.length + 1 if follows else 1
        in_order = follows and step is not None and self.step is not None and step == self.step + 1
        self.sit = 0 if step is None else self.sit + 1 if in_order else 1
        self.last, self.step = run.last, step


class Tones:
    """Hears tones on one line."""

    __slots__ = ("_chain", "_kept", "_pending", "_tracker")

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._chain = Chain()
        self._kept: deque[Samples] = deque(maxlen=_KEPT_FRAMES + 4)
        self._pending: tuple[int, Tone] | None = None

    def hear(
        self, frames: Frames, power: Frames, levels: Sequence[float], first: int
    ) -> Iterator[Tone]:
        """The tones told in the frames that follow, of which *first* is the number of the first.

        *power* is that of the stretches that end with them, *levels* are their own, in dB.
        """
        for number, look in enumerate(looks(power)):
            self._kept.append(frames[number])
            yield from self._step(look, levels[number], first + number)

    def _step(self, look: Look, level_db: float, frame: int) -> Iterator[Tone]:
        ended = self._tracker.hear(look, level_db, frame)
        if ended is not None:
            yield from self._over(*ended, frame)
        yield from self._release(frame)
        run = self._tracker.run
        if run is not None and not run.told and run.frames >= FAX_FRAMES:
            run.told = run.near(FAX_HZ, FAX_TOLERANCE_HZ)
            if run.told:
                yield _tone(ToneKind.FAX, run)

    def _over(self, run: Run, end: End, frame: int) -> Iterator[Tone]:
        """Sort a run that ended; a beep that may be the first of three tones waits for more."""
        if run.told or not MIN_BEEP_FRAMES <= run.frames <= MAX_BEEP_FRAMES:
            return
        samples = self._samples(run, frame)
        tone = whole(samples)
        if not is_pure(tone) or unsteadiness(samples, tone.hz[0]) > MAX_UNSTEADINESS:
            return
        step = sit_step(tone.hz[0], run.frames)
        self._chain.add(run, step)
        if step == 2 and self._chain.sit > 1:
            self._pending = None
            yield _tone(ToneKind.SIT, run)
        elif (
            end is End.FELL
            and run.rose
            and self._chain.length < MELODY_RUNS
            and could_be_beep(tone)
        ):
            waits = _SIT_WAIT_FRAMES if self._chain.sit and step != 2 else 0
            self._pending = (frame + waits, _tone(ToneKind.BEEP, run))

    def _release(self, frame: int) -> Iterator[Tone]:
        """Let go of a beep that no second tone follows."""
        if self._pending is None or frame < self._pending[0]:
            return
        _, beep = self._pending
        self._pending = None
        run = self._tracker.run
        if run is None or run.frames < 2 or run.start > self._chain.last + SIT_GAP_FRAMES + 1:
            yield beep

    def _samples(self, run: Run, frame: int) -> Samples:
        """What is kept of a run, without its edges."""
        after = frame - run.last
        before = len(self._kept) - after - run.frames
        return np.concatenate(list(self._kept)[max(0, before + 1) : -after - 1])


def _tone(kind: ToneKind, run: Run) -> Tone:
    """What is told of a run; it began somewhere in the frame before its first look."""
    return Tone((run.last + 1) * FRAME_MS, kind, (run.frames + 1) * FRAME_MS)
