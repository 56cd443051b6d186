"""When somebody spoke: what of it matters for who that is."""

from amd.signals import Speech
from amd.thresholds import Thresholds


class Talk:
    """The speech of one call so far.

    A *run* is speech with nothing but holes in it; a *turn* may have pauses, as long as they are
    too short to be an end. What comes out of order, or twice, is left out.
    """

    __slots__ = (
        "_edge_ms",
        "_limits",
        "ended_ms",
        "first_ms",
        "run_ms",
        "transcribed",
        "turn_ms",
        "words_ms",
    )

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._edge_ms = 0
        self.first_ms: int | None = None  # the first word
        self.words_ms = 0  # the last that was understood
        self.transcribed = False  # every word is told, not only those that give something away
        self.run_ms: int | None = None  # when the run began; None before the first
        self.turn_ms = 0
        self.ended_ms: int | None = None  # None while somebody speaks

    @property
    def going_on(self) -> bool:
        """True while somebody speaks."""
        return self.run_ms is not None and self.ended_ms is None

    def understood(self, at_ms: int) -> None:
        """Take in that words had been said by *at_ms*."""
        self._began_by(at_ms)
        self.words_ms = max(self.words_ms, at_ms)

    def turned(self, speech: Speech) -> bool:
        """Take in that speech began or ended; False for what is late or known already."""
        at_ms = max(0, speech.at_ms)
        if speech.began == self.going_on or at_ms < self._edge_ms:
            return False
        self._edge_ms = at_ms
        if speech.began:
            self._begin(at_ms)
        else:
            self.ended_ms = at_ms
        return True

    def lasted_ms(self, at_ms: int) -> int:
        """How long the run has gone on by *at_ms*, or went on; 0 where nobody has spoken."""
        if self.run_ms is None:
            return 0
        return (at_ms if self.ended_ms is None else self.ended_ms) - self.run_ms

    def short_over_ms(self) -> int | None:
        """When a short utterance will have been followed by silence; None if none may have."""
        if self.ended_ms is None:
            return None
        lasted_ms = self.ended_ms - self.turn_ms
        if self._limits.word_ms <= lasted_ms <= self._limits.short_ms:
            return self.ended_ms + self._limits.pause_ms
        return None

    def short_unheard_ms(self) -> int | None:
        """When words of a short utterance will have stayed away; None if none was, or they came."""
        if self.ended_ms is None or self.short_over_ms() is None or self.words_ms >= self.turn_ms:
            return None
        return self.ended_ms + self._limits.screened_pause_ms

    def quiet_ms(self, since_ms: int) -> int | None:
        """When silence will have ended a greeting that was told at *since_ms*.

        None while somebody speaks, and where nothing was heard that could tell silence.
        """
        if self.going_on:
            return None
        if self.ended_ms is not None:
            return max(self.ended_ms, self.words_ms, since_ms) + self._limits.quiet_ms
        if self.transcribed:
            return max(self.words_ms, since_ms) + self._limits.words_quiet_ms
        return None

    def _begin(self, at_ms: int) -> None:
        self._began_by(at_ms)
        silent_ms = None if self.ended_ms is None else at_ms - self.ended_ms
        if silent_ms is None or silent_ms > self._limits.hole_ms:
            self.run_ms = at_ms
        if silent_ms is None or silent_ms >= self._limits.pause_ms:
            self.turn_ms = at_ms
        self.ended_ms = None

    def _began_by(self, at_ms: int) -> None:
        at_ms = max(0, at_ms)
        self.first_ms = at_ms if self.first_ms is None else min(self.first_ms, at_ms)
