"""What a speech recogniser makes of a line, and when. Pure.

Text comes in growing partials and a final. An engine takes some seconds to come up; what was said
meanwhile it hears then. Starting takes 2-5 s as measured at the carrier; other delays are assumed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from dialer.carrier_sim.scenes import Line, Ms

READY_AFTER_MS: Final[Ms] = (2000, 5000)
PARTIAL_AFTER_MS: Final[Ms] = (200, 500)
FINAL_AFTER_MS: Final[Ms] = (500, 900)
#: A partial comes after so many further words.
WORDS_PER_PARTIAL: Final[Ms] = (2, 3)
#: Between two transcripts of what was said before the engine was ready.
CATCHING_UP_MS: Final = 40
STABILITY: Final = "0.9"
CONFIDENCE: Final = (0.82, 0.99)


@dataclass(frozen=True, slots=True)
class Heard:
    """A transcript, due at *at_ms* since the answer; *confidence* is None for a partial."""

    at_ms: int
    text: str
    confidence: float | None = None

    @property
    def final(self) -> bool:
        """True when the text will not change any more."""
        return self.confidence is not None


def recognise(line: Line, ready_ms: int, rng: Random) -> list[Heard]:
    """The transcripts of *line*, in order, by an engine that is ready at *ready_ms*."""
    heard: list[Heard] = []
    for words in _partials(len(line.words), rng):
        spoken_ms = line.at_ms + words * line.word_ms
        at_ms = _due_ms(spoken_ms + rng.randint(*PARTIAL_AFTER_MS), ready_ms, heard)
        heard.append(Heard(at_ms, _plain(line.words[:words])))
    at_ms = _due_ms(line.ends_ms + rng.randint(*FINAL_AFTER_MS), ready_ms, heard)
    heard.append(Heard(at_ms, line.text, round(rng.uniform(*CONFIDENCE), 7)))
    return heard


def _partials(words: int, rng: Random) -> Iterator[int]:
    """After how many words of *words* there is a partial; the whole line has one, too."""
    known = rng.randint(*WORDS_PER_PARTIAL)
    while known < words:
        yield known
        known += rng.randint(*WORDS_PER_PARTIAL)
    yield words


def _due_ms(spoken_ms: int, ready_ms: int, before: list[Heard]) -> int:
    earliest = before[-1].at_ms + CATCHING_UP_MS if before else ready_ms
    return max(spoken_ms, earliest)


def _plain(words: list[str]) -> str:
    """Words before punctuation is put in."""
    bare = ("".join(c for c in word if c.isalnum() or c in "'-") for word in words)
    return " ".join(filter(None, bare)).lower()
