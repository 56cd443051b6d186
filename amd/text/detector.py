"""Who speaks, by the words heard so far.

Theory of operation. Every partial result is judged at once. Hints are looked for where a word
begins, by its first letters, and only in what is new and a little before it, so that a long
transcript costs no more than a short one. A screening assistant is told first, for it asks the
questions that people ask; then what only the living say, which silences every machine's hint after
it; then what machines say: one sure hint, or two others. Among these, words that ask for a message
are worth more than a notice in the same breath. How much was said never decides.

Once an assistant has asked, each utterance that begins later is judged by itself: it is the
assistant's, who asks again or says that it looks for somebody, or that of a person who takes over.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from amd.signals import Text, TextCue
from amd.text.hints import KEY_LETTERS, TALK_REACH, Hint, Hints, hints_of, languages
from amd.text.languages import expected
from amd.text.normal import Growing, word_count
from amd.text.repeats import is_repeat

#: A final utterance with fewer words and no hint is somebody who picked up.
BRIEF_WORDS: Final = 9
#: A recording may be told before it pauses once so many of its words are the same.
REPEAT_WORDS: Final = 20
#: No hint is longer than this many letters; so far back it may have begun.
_LONGEST_HINT: Final = 100
#: What an assistant asks in one go is not longer than this many letters after its hint.
_ONE_PROMPT: Final = 120
#: Nor does it last longer than this many milliseconds after it, as far as it is a question (a
#: guess, the same as the fusion's).
_ASKING_MS: Final = 4000

_SURE, _ELSEWHERE, _TWO, _LIVE, _REPEAT, _BRIEF = 0.97, 0.9, 0.85, 0.95, 0.9, 0.7


class TextDetector:
    """Judges the transcript of one call; see :meth:`hear`.

    *language* is a tag such as ``de`` or ``pt-BR``, *country* that of the number called: both and
    English are expected. When neither is known, sure hints of every language count, no others.
    *earlier* are fingerprints of earlier calls to this number in which nobody was talked to.
    """

    def __init__(
        self, language: str | None, earlier: Sequence[str] = (), *, country: str | None = None
    ) -> None:
        names, known = expected(language, country, languages())
        self._known = known
        self._hints = [hints_of(each) for each in names]
        self._earlier = tuple(each for each in earlier if each)
        self._normal = Growing()
        self._words = ""  # everything said so far
        self._before = ""  # as much of it as came before what is judged
        self._over = False  # the last utterance is
        self._asked_ms: int | None = None  # when an assistant last asked who is calling
        self._told: TextCue | None = None
        self._found = _Found(screened=False)

    def hear(self, said: str, at_ms: int, *, final: bool) -> Text | None:
        """What *said*, the whole transcript so far, gives away at *at_ms*; None: nothing new.

        *final* says that an utterance is over.
        """
        words = self._normal.words(said)
        if not words:
            return None
        if words != self._words:
            self._take(words, at_ms)
        self._over = final
        judged = self._judge(self._words[len(self._before) :].strip(), final=final)
        if judged is None or (judged[0] is self._told and judged[0] is not TextCue.BRIEF):
            return None
        cue, confidence, cause = judged
        self._told = cue
        if cue is TextCue.SCREENING:
            self._asked_ms = at_ms
        return Text(at_ms, cue, confidence, cause)

    def _take(self, words: str, at_ms: int) -> None:
        """Look for hints in what is new in *words*."""
        if not words.startswith(self._words):  # a partial was revised: what it hinted at is void
            self._begin("" if not words.startswith(self._before) else self._before)
        elif self._may_be_taken_over(at_ms):
            self._begin(self._words)
            self._told = None
        start = len(self._words) - len(self._before) - _LONGEST_HINT
        self._words = words
        self._search(words[len(self._before) :].strip(), start)

    def _may_be_taken_over(self, at_ms: int) -> bool:
        """Whether new words may be those of somebody else than an assistant, or ask once more."""
        return self._over and self._asked_ms is not None and at_ms >= self._asked_ms + _ASKING_MS

    def _begin(self, before: str) -> None:
        """Judge only what is said after *before*."""
        self._before = self._words = before
        self._found = _Found(screened=self._asked_ms is not None)

    def _search(self, words: str, start: int) -> None:
        closed = words.replace(" ", "")
        for hints in self._hints:
            if hints.spaced:
                self._found.look(hints, words, max(start, 0))
            elif not closed.isascii():
                self._found.look(hints, closed, 0)

    def _judge(self, words: str, *, final: bool) -> tuple[TextCue, float, str] | None:
        found = self._found
        if found.screening is not None:
            return TextCue.SCREENING, self._sureness, found.screening.cause
        if found.live is not None and (final or not found.screened):
            return TextCue.LIVE, _LIVE, found.live.cause
        if found.screened and (found.own or not final):
            return None
        if found.machine is not None:
            return found.machine.cue, self._sureness, found.machine.cause
        if self._known and not found.hesitates and len(found.likely) > 1:
            first, second, *_ = found.likely.values()
            return first.cue, _TWO, f"{first.cause} + {second.source}"
        if not final and not self._earlier:
            return None
        count = word_count(words)
        if (final or count >= REPEAT_WORDS) and is_repeat(words, self._earlier):
            return TextCue.REPEAT, _REPEAT, "the words of an earlier call"
        if final and count < BRIEF_WORDS and not found.likely:
            return TextCue.BRIEF, _BRIEF, f"{count} words and a pause"
        return None

    @property
    def _sureness(self) -> float:
        return _SURE if self._known else _ELSEWHERE


def warm(language: str | None, *, country: str | None = None) -> None:
    """Have the hints read that calls in *language*, or to *country*, are told by.

    It takes up to a third of a second a language, once in the life of the process. Where it is left
    out, the first such call's detector waits for it.
    """
    names, _ = expected(language, country, languages())
    for each in names:
        hints_of(each)


class _Found:
    """The hints of one transcript, or of one utterance after an assistant's question (*screened*):
    the latest word of each kind."""

    def __init__(self, *, screened: bool) -> None:
        self.screened = screened
        self.screening: Hint | None = None
        self.live: Hint | None = None
        self.machine: Hint | None = None
        self.likely = dict[str, Hint]()
        self.hesitates = False
        self.own = list[tuple[int, int]]()  # where an assistant tells what it is doing
        self._live_at = (0, 0)
        self._screened_at = -1
        self._spans = list[tuple[int, int]]()

    def look(self, hints: Hints, words: str, start: int) -> None:
        """Add what *words* say from *start* on, where a word may have begun before it."""
        self.hesitates = self.hesitates or hints.hesitation.search(words, start) is not None
        for at in _places(words, start, spaced=hints.spaced):
            for hint in _matching(hints, words, at):
                if self._knows(hint) or (self._may_be_talk(hint) and _is_talk(hints, words, at)):
                    continue
                self._add(hint, at, words)

    def _may_be_talk(self, hint: Hint) -> bool:
        """Whether *hint* says nothing where somebody only talks about it."""
        asked_again = self.screened and hint.cue is TextCue.SCREENING
        return hint.cue is not TextCue.LIVE and not asked_again

    def _knows(self, hint: Hint) -> bool:
        """Whether *hint* adds nothing to what was found."""
        if hint.cue is TextCue.SCREENING:
            return not (hint.sure or self.screened)
        if hint.cue is TextCue.LIVE:
            return False
        if hint.sure:
            return self.machine is not None and not _asks(hint, self.machine)
        return hint.source in self.likely

    def _add(self, hint: Hint, at: int, words: str) -> None:
        if hint.cue is TextCue.SCREENING:
            self._hear_assistant(hint, at, words)
        elif hint.cue is TextCue.LIVE:
            self._hear_person(hint, at, words)
        elif hint.sure:
            self.machine = hint
        else:
            self._weigh(hint, at, words)

    def _hear_assistant(self, hint: Hint, at: int, words: str) -> None:
        if hint.sure:
            self.screening, self._screened_at = hint, max(at, self._screened_at)
        else:
            self.own.append((at, _end_of(hint, words, at)))
            if _overlaps(self.own, *self._live_at):
                self.live = None

    def _hear_person(self, hint: Hint, at: int, words: str) -> None:
        """An assistant's own words do not make it a person; somebody may take over later."""
        span = at, _end_of(hint, words, at)
        if _overlaps(self.own, *span):
            return
        if self.screening is None or at > self._screened_at + _ONE_PROMPT:
            self._live_at = self._live_at if self.live else span
            self.live, self.screening = self.live or hint, None

    def _weigh(self, hint: Hint, at: int, words: str) -> None:
        """Two hints are two only where neither is part of the other."""
        end = _end_of(hint, words, at)
        if not _overlaps(self._spans, at, end):
            self.likely[hint.source] = hint
            self._spans.append((at, end))


def _asks(hint: Hint, found: Hint) -> bool:
    """Whether *hint* asks for a message, where what was *found* is but a notice."""
    return hint.cue is TextCue.VOICEMAIL and found.cue is not TextCue.VOICEMAIL


def _end_of(hint: Hint, words: str, at: int) -> int:
    match = hint.pattern.match(words, at)
    return at if match is None else match.end()


def _overlaps(spans: Sequence[tuple[int, int]], at: int, end: int) -> bool:
    return any(at < ended and begun < end for begun, ended in spans)


def _matching(hints: Hints, words: str, at: int) -> Iterator[Hint]:
    for letters in range(KEY_LETTERS + 1):
        bucket = hints.by_key.get(words[at : at + letters])
        if bucket is not None and bucket.any.match(words, at):
            yield from (hint for hint in bucket.hints if hint.pattern.match(words, at))


def _is_talk(hints: Hints, words: str, at: int) -> bool:
    """Whether somebody asks or tells about what a machine says."""
    before = max(0, at - TALK_REACH)
    return (
        hints.guard.search(words, before, at) is not None
        or hints.talk.search(words, before, at) is not None
    )


def _places(words: str, start: int, *, spaced: bool) -> Iterator[int]:
    """Where a word may begin in *words* from *start* on."""
    if not spaced:
        yield from range(start, len(words))
        return
    at = 0 if start == 0 else words.find(" ", start) + 1
    if start and not at:
        return
    while True:
        yield at
        at = words.find(" ", at) + 1
        if not at:
            return
