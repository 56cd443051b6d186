"""One live call that is listened to: what is heard goes to a judge for each mode.

One mode acts, the others judge in its shadow; each has a fusion of its own, fed by the detectors
of its mode alone. Times are UTC milliseconds here and milliseconds since the answer inside.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from amd.fusion import Fusion
from amd.signals import CarrierWord, Signal, Understood
from amd.text import TextDetector, fingerprint
from amd.thresholds import BALANCED, CARRIER_ALONE
from amd.transcript import Transcript
from amd.verdict import Finding, GreetingOver
from dialer.folding import MOST_MESSAGES
from dialer.model import BY_SOUND, BY_WORDS, AmdMode, AttemptId, CallSid
from dialer.ports import Sound, Words

_BY_CARRIER: Final = frozenset({AmdMode.CARRIER})
#: Who brings words: the carrier's transcription, and the agent on the call.
SOURCES: Final = ("transcription", "agent")


class Ear(Protocol):
    """Hears the sound of one call."""

    def hear(self, payload: bytes, at_ms: int) -> Sequence[Signal]:
        """The signals in mu-law *payload*, whose first sample is from *at_ms* after the answer."""


class Spoken(NamedTuple):
    """What a callee may speak: a language tag, and the country that is called."""

    language: str | None = None
    country: str | None = None


class Brief(NamedTuple):
    """What is known of a call when it is first listened to."""

    attempt_id: AttemptId
    sid: CallSid
    answered_at: int
    acting: AmdMode
    shadow: tuple[AmdMode, ...] = ()
    spoken: Spoken = Spoken()
    earlier: tuple[str, ...] = ()  # what was heard in earlier calls to the number
    sequence: int = 0  # of the last finding of whoever has listened before
    greetings: int = 0  # how often they have told that a greeting was over


class Told(NamedTuple):
    """A finding of one mode; those of a call have a sequence of their own."""

    mode: AmdMode
    acting: bool
    sequence: int
    finding: Finding


class _Judge(NamedTuple):
    mode: AmdMode
    acting: bool
    fusion: Fusion


class _Source:
    """The words one source has brought."""

    def __init__(self, brief: Brief) -> None:
        self.said = ""
        self._transcript = Transcript()
        language, country = brief.spoken
        self._detector = TextDetector(language, brief.earlier, country=country)

    def hear(self, words: Words, at_ms: int) -> Signal | None:
        """What the words give away; None when they are no new ones."""
        said = self._transcript.take(words.sequence, words.text, words.final)
        if said is None:
            return None
        self.said = said
        return self._detector.hear(said, at_ms, final=words.final) or Understood(at_ms)


class Session:
    """Listens to one call; bounded in what it keeps, and never raises for what it hears."""

    def __init__(self, brief: Brief, ear: Ear | None) -> None:
        """Without an *ear* the modes that go by sound know nothing, and say so."""
        self.brief = brief
        self.streaming = False  # somebody sends the call's sound, or has
        self._ear = ear
        self._sources: dict[str, _Source] = {}
        self._sequence = brief.sequence
        self._greetings = brief.greetings
        self._stream_began_ms: int | None = None  # on our clock, where the stream's shows zero
        self._judges = [
            _Judge(mode, acting, Fusion(CARRIER_ALONE if mode in _BY_CARRIER else BALANCED))
            for mode, acting in [(brief.acting, True), *((mode, False) for mode in brief.shadow)]
            if mode is not AmdMode.OFF
        ]

    @property
    def due_at(self) -> int | None:
        """When :meth:`wait` has something to tell; None: never again."""
        due = [ms for judge in self._judges if (ms := judge.fusion.due_ms) is not None]
        return self.brief.answered_at + min(due) if due else None

    @property
    def said(self) -> str:
        """What to keep of the words, to know them again in a later call."""
        prints = [fingerprint(source.said) for source in self._sources.values()]
        return max(prints, key=len, default="")

    def wait(self, at: int) -> list[Told]:
        """Take in that *at* has come."""
        at_ms = self._ms(at)
        return self._numbered((judge, judge.fusion.wait(at_ms)) for judge in self._judges)

    def hear_words(self, source: str, words: Words, at: int) -> list[Told]:
        """Take in what is said, as it arrived at *at*."""
        heard = self._sources.get(source) or self._sources.setdefault(source, _Source(self.brief))
        signal = heard.hear(words, self._ms(at))
        return self.wait(at) if signal is None else self._weigh([signal], BY_WORDS)

    def hear_sound(self, sound: Sound, at: int) -> list[Told]:
        """Take in a piece of sound that arrived at *at*: from then on its own clock counts."""
        if self._ear is None:
            return []
        if self._stream_began_ms is None:
            self._stream_began_ms = max(0, self._ms(at) - sound.at_ms)
        at_ms = self._stream_began_ms + sound.at_ms
        return self._weigh(self._ear.hear(sound.payload, at_ms), BY_SOUND)

    def hear_carrier(self, word: str, at: int) -> list[Told]:
        """Take in the carrier's verdict."""
        return self._weigh([CarrierWord(self._ms(at), word)], _BY_CARRIER)

    def _weigh(self, signals: Sequence[Signal], modes: frozenset[AmdMode]) -> list[Told]:
        return self._numbered(
            (judge, judge.fusion.hear(signal))
            for signal in signals
            for judge in self._judges
            if judge.mode in modes
        )

    def _numbered(self, found: Iterable[tuple[_Judge, Sequence[Finding]]]) -> list[Told]:
        told = []
        for judge, findings in found:
            for finding in findings:
                if judge.acting and isinstance(finding, GreetingOver):
                    self._greetings += 1
                    if self._greetings > MOST_MESSAGES:
                        continue
                self._sequence += 1
                told.append(Told(judge.mode, judge.acting, self._sequence, finding))
        return told

    def _ms(self, at: int) -> int:
        return max(0, at - self.brief.answered_at)
