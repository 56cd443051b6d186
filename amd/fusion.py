"""Who answered, from everything that is heard: one state machine on one clock.

The clock is the media's: milliseconds since the answer. It never goes back: a signal that comes
late counts as heard now, and what it says of an earlier moment is only used where that is safe.
The rules are the rows of :mod:`amd.moves`; here signals become words of that table, and clocks
run out.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, assert_never

from amd import evidence
from amd.evidence import Evidence
from amd.moves import MOVES, OPEN, UNDECIDED, Heard, Move, State, Tell
from amd.signals import (
    CarrierWord,
    Listened,
    Score,
    Signal,
    Speech,
    Text,
    Tone,
    ToneKind,
    Understood,
)
from amd.talk import Talk
from amd.thresholds import BALANCED, CarrierVote, Thresholds
from amd.verdict import Decision, Finding, GreetingOver, Verdict

#: Scores further apart than this do not hold: in between, nobody asked the model.
SCORES_APART_MS: Final = 200
#: A screening assistant that asks more often has not understood our answers, and never will.
MOST_ASKED: Final = 3

_NOTHING: Final[tuple[Finding, ...]] = ()
_VERDICTS: Final[Mapping[Tell, Verdict]] = MappingProxyType(
    {
        Tell.HUMAN: Verdict.HUMAN,
        Tell.MACHINE: Verdict.MACHINE,
        Tell.FAX: Verdict.FAX,
        Tell.UNKNOWN: Verdict.UNKNOWN,
    }
)


class Belief:
    """Since when the model has been sure of a machine."""

    __slots__ = ("_asked_ms", "_since_ms")

    def __init__(self) -> None:
        self._asked_ms = -1
        self._since_ms: int | None = None

    def held_ms(self, score: Score, enough: float) -> int | None:
        """How long the scores up to *score* have been *enough*; None while they are not."""
        if score.at_ms <= self._asked_ms:
            return None
        asked_ms, self._asked_ms = self._asked_ms, score.at_ms
        if not enough <= score.machine <= 1:
            self._since_ms = None
            return None
        if self._since_ms is None or score.at_ms - asked_ms > SCORES_APART_MS:
            self._since_ms = score.at_ms
        return score.at_ms - self._since_ms


class Fusion:
    """Tells who answered one call, whatever is heard, and in whatever order it is.

    Some verdict is told within ``silence_ms`` of the answer, or ``verdict_ms`` of the first word.
    At most one definite verdict is taken back; UNKNOWN is none. A machine is told again where it
    asks for a message after all, once, and where a screening assistant asks, MOST_ASKED times at
    most. A machine's greeting is told to be over at most twice, and at least once unless the
    machine turns out to be none. Once ``due_ms`` is None nothing more is told.
    """

    __slots__ = (
        "_asked",
        "_beep_ms",
        "_belief",
        "_ends",
        "_kept",
        "_limits",
        "_now_ms",
        "_since_ms",
        "_spent",
        "_state",
        "_talk",
    )

    def __init__(self, thresholds: Thresholds = BALANCED) -> None:
        self._limits = thresholds
        self._state = State.WAITING
        self._since_ms = 0  # of the state
        self._spent = False  # a verdict was taken back
        self._asked = 0  # how often a screening assistant has
        self._now_ms = 0
        self._talk = Talk(thresholds)
        self._belief = Belief()
        self._beep_ms: int | None = None
        self._kept: Evidence | None = None  # the carrier's word, for when nobody else knows
        self._ends = {
            State.UNKNOWN: thresholds.unknown_ms,
            State.HUMAN: thresholds.human_ms,
        }

    @property
    def state(self) -> State:
        """What is believed now."""
        return self._state

    @property
    def due_ms(self) -> int | None:
        """When :meth:`wait` has something to tell or to close; None when it never will again."""
        clock = self._next_clock()
        return None if clock is None else clock[0]

    def hear(self, signal: Signal) -> Sequence[Finding]:
        """Take in *signal* and everything whose time was up before it."""
        told = self.wait(signal.at_ms)
        if self._state is State.CLOSED:
            return told
        heard = self._weigh(signal)
        if heard is not None:
            told = (*told, *self._move(heard))
        return (*told, *self.wait(self._now_ms))

    def wait(self, now_ms: int) -> Sequence[Finding]:
        """Take in that *now_ms* has come."""
        told = _NOTHING
        while (clock := self._next_clock()) is not None and clock[0] <= now_ms:
            self._now_ms = max(self._now_ms, clock[0])
            told = (*told, *self._move(clock[1]))
        self._now_ms = max(self._now_ms, now_ms)
        return told

    # -- moves -----------------------------------------------------------------------------------

    def _row(self, heard: Heard) -> Move | None:
        """The row for *heard*, if there is one and it may be followed."""
        move = MOVES.get((self._state, heard))
        if move is None or (move.reverses and self._spent):
            return None
        return None if heard is Heard.SCREENER and self._asked >= MOST_ASKED else move

    def _move(self, heard: Evidence) -> tuple[Finding, ...]:
        """Go where what was heard leads, and say what there is to tell of it."""
        move = self._row(heard.heard)
        if move is None:
            return _NOTHING
        self._state, self._since_ms = move.to, self._now_ms
        self._spent = self._spent or move.reverses
        self._asked += heard.heard is Heard.SCREENER
        return tuple(self._finding(tell, heard) for tell in move.tells)

    def _finding(self, tell: Tell, heard: Evidence) -> Finding:
        if tell is Tell.OVER:
            return GreetingOver(self._now_ms, heard.how)
        return Decision(
            _VERDICTS[tell],
            heard.kind if tell is Tell.MACHINE else None,
            heard.confidence,
            heard.cause,
            self._now_ms,
            heard.detector,
        )

    # -- clocks ----------------------------------------------------------------------------------

    def _next_clock(self) -> tuple[int, Evidence] | None:
        """The clock that runs out first, and what it means when it does."""
        state = self._state
        if state is State.CLOSED:
            return None
        last = self._deadline() if state in OPEN else (self._end_ms(), evidence.END)
        sooner = self._silence()
        return sooner if sooner is not None and sooner[0] <= last[0] else last

    def _silence(self) -> tuple[int, Evidence] | None:
        """When silence will mean something, if nobody speaks before."""
        if self._state is State.GREETING:
            quiet_ms = self._talk.quiet_ms(self._since_ms)
            return None if quiet_ms is None else (quiet_ms, evidence.QUIET)
        if self._row(Heard.SHORT) is None or not self._is_new(self._talk.turn_ms):
            return None
        screened = self._state is State.SCREENING
        short_ms = self._talk.short_unheard_ms() if screened else self._talk.short_over_ms()
        return None if short_ms is None else (short_ms, evidence.SHORT)

    def _deadline(self) -> tuple[int, Evidence]:
        """When there must be a verdict, and which."""
        first_ms, alone = self._talk.first_ms, self._limits.carrier is CarrierVote.DECIDES
        if first_ms is None:
            silent = evidence.NO_WORD if alone else evidence.NOBODY_SPOKE
            return self._limits.silence_ms, self._kept or silent
        return first_ms + self._limits.verdict_ms, self._kept or evidence.NOT_TOLD

    def _end_ms(self) -> int:
        """When listening ends in this state."""
        if self._state is State.ANNOUNCEMENT:
            asks_ms = self._since_ms + self._limits.announcement_ms
            return min(asks_ms, self._limits.greeting_ms)
        if self._state is State.SCREENING:
            return self._since_ms + self._limits.screening_ms
        return self._ends.get(self._state, self._limits.greeting_ms)

    # -- signals ---------------------------------------------------------------------------------

    def _weigh(self, signal: Signal) -> Evidence | None:
        """What *signal* stands for in the table, if for anything."""
        match signal:
            case Listened():
                return self._long(signal.at_ms)
            case Score():
                return self._weigh_score(signal)
            case Speech():
                return self._weigh_speech(signal)
            case Text():
                return self._weigh_text(signal)
            case Understood():
                return self._weigh_understood(signal)
            case Tone():
                return self._weigh_tone(signal)
            case CarrierWord():
                return self._weigh_carrier(signal)
            case _:
                assert_never(signal)

    def _weigh_text(self, text: Text) -> Evidence | None:
        self._talk.understood(text.at_ms)
        heard = evidence.of_text(text)
        new = heard.heard not in {Heard.SHORT, Heard.SCREENER} or self._is_new(text.at_ms)
        return heard if new else None

    def _weigh_understood(self, words: Understood) -> Evidence | None:
        self._talk.understood(words.at_ms)
        self._talk.transcribed = True
        return evidence.SPEECH if self._state is State.WAITING else None

    def _weigh_speech(self, speech: Speech) -> Evidence | None:
        if not self._talk.turned(speech):
            return None
        if speech.began:
            return evidence.SPEECH
        return self._long(speech.at_ms) or evidence.PAUSE

    def _weigh_score(self, score: Score) -> Evidence | None:
        held_ms = self._belief.held_ms(score, self._limits.score)
        if not self._talk.going_on:
            return None
        spoken = self._talk.lasted_ms(score.at_ms) >= self._limits.score_speech_ms
        if held_ms is not None and held_ms >= self._limits.hold_ms and spoken:
            return evidence.of_score(score.machine) if self._unprompted() else None
        return self._long(score.at_ms)

    def _weigh_tone(self, tone: Tone) -> Evidence | None:
        match tone.kind:
            case ToneKind.SIT:
                return evidence.SIT
            case ToneKind.FAX:
                return evidence.FAX if tone.lasted_ms >= self._limits.fax_ms else None
            case ToneKind.BEEP:
                return evidence.BEEP if self._is_beep(tone) else None
            case _:
                assert_never(tone.kind)

    def _weigh_carrier(self, said: CarrierWord) -> Evidence | None:
        """The carrier's word if it counts now; before a verdict of others it is kept."""
        heard, vote = evidence.of_carrier(said.word), self._limits.carrier
        if vote is CarrierVote.DECIDES:
            return heard
        if self._state not in UNDECIDED:
            return heard if heard.heard is Heard.SAID_OVER else None
        if vote is CarrierVote.CONFIRMS or heard.heard is Heard.UNTOLD:
            return None
        if self._state is State.UNKNOWN:
            return heard
        if self._kept is None or self._kept.heard is not Heard.SAID_HUMAN:
            self._kept = heard
        return None

    # -- what the signals may mean ---------------------------------------------------------------

    def _is_new(self, at_ms: int) -> bool:
        """Whether what is said may be a person's, or another question, after a screener's."""
        screened = self._state is State.SCREENING
        return not screened or at_ms >= self._since_ms + self._limits.pick_up_ms

    def _long(self, at_ms: int) -> Evidence | None:
        """Speech longer than any person's, as far as the line was really listened to."""
        too_long = self._talk.lasted_ms(at_ms) >= self._limits.long_ms
        return evidence.LONG if too_long and self._unprompted() else None

    def _unprompted(self) -> bool:
        """Whether who speaks began before our agent could have been answered."""
        if self._state in OPEN:
            return True
        run_ms = self._talk.run_ms
        return run_ms is not None and run_ms <= self._since_ms + self._limits.reply_ms

    def _is_beep(self, tone: Tone) -> bool:
        """Whether a beep is long enough, another than the last, and not the first thing heard."""
        began_ms = tone.at_ms - tone.lasted_ms
        if tone.lasted_ms < self._limits.beep_ms:
            return False
        if self._beep_ms is not None and began_ms < self._beep_ms + self._limits.beeps_apart_ms:
            return False
        first_ms = self._talk.first_ms
        if first_ms is None:
            behind_speech = self._state not in UNDECIDED and self._state is not State.HUMAN
        else:
            behind_speech = began_ms >= first_ms + self._limits.word_ms
        if behind_speech:
            self._beep_ms = tone.at_ms
        return behind_speech
