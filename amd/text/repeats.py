"""The same words as in an earlier call: people vary, recordings do not.

Recognisers hear the same recording a little differently each time, so words are compared as sets.
What is kept of a call are check sums of its words, not what somebody said.
"""

from collections.abc import Sequence
from typing import Final
from zlib import crc32

from amd.text.normal import normalised

#: A greeting is known by its beginning.
MOST_WORDS: Final = 40
#: Fewer distinct words are what anybody says twice.
FEWEST_WORDS: Final = 6
#: Of all distinct words of two hearings of one recording, so many are in both.
SAME: Final = 0.8
_SUM: Final = 0xFFFFF


def fingerprint(said: str) -> str:
    """What to keep of a call's words to know them again in a later one; empty for too few."""
    sums = _sums(said)
    return " ".join(sums) if len(set(sums)) >= FEWEST_WORDS else ""


def is_repeat(said: str, earlier: Sequence[str]) -> bool:
    """Whether *said* begins as one of the *earlier* fingerprints does."""
    if not earlier:
        return False
    sums = _sums(said)
    return len(set(sums)) >= FEWEST_WORDS and any(
        _alike(set(sums), set(each.split()[: len(sums)])) for each in earlier
    )


def _alike(one: set[str], other: set[str]) -> bool:
    return len(other) >= FEWEST_WORDS and len(one & other) >= SAME * len(one | other)


def _sums(said: str) -> list[str]:
    return [f"{crc32(word.encode()) & _SUM:05x}" for word in _words(said)[:MOST_WORDS]]


def _words(said: str) -> list[str]:
    """The words; where none are told apart, pairs of letters stand for them."""
    words = normalised(said).split()
    if len(words) >= FEWEST_WORDS or not words or "".join(words).isascii():
        return words
    letters = "".join(words)
    return [letters[at : at + 2] for at in range(len(letters) - 1)]
