"""What was said so far, put together from a recogniser's partial and final results."""

from bisect import insort
from typing import Final, NamedTuple

#: A greeting is over long before; what somebody says later changes nothing.
MOST_CHARS: Final = 4_000


class _Utterance(NamedTuple):
    sequence: int
    text: str


class Transcript:
    """The words of one track, in spite of results that come late, twice or out of order.

    A partial result replaces the one before it, and a final one ends its utterance. Results carry
    the recogniser's sequence number; without one they count as they come. What is said after the
    first :data:`MOST_CHARS` letters is not kept.
    """

    def __init__(self) -> None:
        self._ended = list[_Utterance]()
        self._partial: _Utterance | None = None
        self._last = -1

    def take(self, sequence: int | None, text: str, final: bool) -> str | None:
        """Everything said so far, or None when this result brings nothing new."""
        words = " ".join(text[:MOST_CHARS].split())
        before = self._said()
        if not words:
            return None
        number = self._last + 1 if sequence is None else sequence
        taken = self._end if final else self._revise
        if not taken(_Utterance(number, words)):
            return None
        self._last = max(self._last, number)
        said = self._said()
        return said if final or said != before else None

    def _end(self, utterance: _Utterance) -> bool:
        numbers = {each.sequence for each in self._ended}
        if utterance.sequence in numbers or self._is_full():
            return False
        insort(self._ended, utterance)
        if self._partial is not None and self._partial.sequence <= utterance.sequence:
            self._partial = None
        return True

    def _revise(self, utterance: _Utterance) -> bool:
        newest = self._ended[-1].sequence if self._ended else -1
        if self._partial is not None:
            newest = max(newest, self._partial.sequence)
        if utterance.sequence <= newest:
            return False
        self._partial = utterance
        return True

    def _is_full(self) -> bool:
        return sum(len(each.text) + 1 for each in self._ended) > MOST_CHARS

    def _said(self) -> str:
        parts = [*self._ended, self._partial] if self._partial else self._ended
        return " ".join(each.text for each in parts)[:MOST_CHARS]
