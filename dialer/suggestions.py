"""What the caller of a command probably meant, for the end of an error message."""

from collections.abc import Iterable
from difflib import get_close_matches

MEANT_AT_MOST = 3
"""More than three candidates are a list to search, not a hint."""


def close_matches(given: str, choices: Iterable[str]) -> list[str]:
    """The *choices* spelled most like *given*, best first; upper and lower case are the same."""
    folded = {choice.casefold(): choice for choice in sorted(choices, reverse=True)}
    found = get_close_matches(given.casefold(), folded, n=MEANT_AT_MOST)
    return [folded[match] for match in found]


def did_you_mean(candidates: Iterable[str]) -> str:
    """``; did you mean 'a' or 'b'?``, or nothing when there are no candidates."""
    words = " or ".join(repr(candidate) for candidate in candidates)
    return f"; did you mean {words}?" if words else ""
