"""What is wrong with a value, in the words of every other error: what it is not, and what may be.

Those who check values hand over what pydantic says of the first fault: its type, and its bounds.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from dialer.errors import UsageError

_IS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "int_parsing": "is not a whole number",
        "int_type": "is not a whole number",
        "int_from_float": "is not a whole number",
        "int_parsing_size": "is too large a number",
        "float_parsing": "is not a number",
        "float_type": "is not a number",
        "finite_number": "is not a number that ends",
        "bool_parsing": "is neither yes nor no",
        "bool_type": "is neither yes nor no",
        "string_type": "is not a text",
        "list_type": "is not a list",
        "greater_than_equal": "is not {ge} or more",
        "greater_than": "is not more than {gt}",
        "less_than_equal": "is not {le} or less",
        "less_than": "is not less than {lt}",
        "string_too_short": "has fewer than {min_length} characters",
        "string_too_long": "has more than {max_length} characters",
        "enum": "is not {expected}",
        "literal_error": "is not {expected}",
    }
)
#: Patterns that settings have, as people say them.
_PATTERNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "^[A-Z]{2}$": "two capital letters, as in US",
        "^([01][0-9]|2[0-3]):[0-5][0-9]$": "a time of the day, as in 02:30",
    }
)
_ALTERNATIVES: Final = re.compile(r"\^\(([\w|-]+)\)(\?)?\$")


def refusal(fault: Mapping[str, Any], shown: str = "it") -> str:
    """Why a value is refused, as in ``'x' is not a whole number``; *shown* is the value, or what
    stands for one that nobody may see.
    """
    bounds = fault.get("ctx", {})
    if fault["type"] == "string_pattern_mismatch":
        return f"{shown} is not {_allowed(bounds['pattern'])}"
    words = _IS.get(fault["type"])
    if words is not None:
        return f"{shown} {words.format_map(bounds)}"
    message: str = fault["msg"]  # a sentence of ours, or one about a kind that no setting has yet
    return message.removeprefix("Value error, ")


def _allowed(pattern: str) -> str:
    found = _ALTERNATIVES.fullmatch(pattern)
    if found is None:
        return _PATTERNS.get(pattern, f"of the form {pattern}")
    empty = ", or empty" if found[2] else ""
    return f"one of {', '.join(found[1].split('|'))}{empty}"


def text_in(value: object, where: str) -> str:
    """*value*, which must be a text; raises :exc:`UsageError` naming the place it stands in."""
    if not isinstance(value, str):
        raise UsageError(f"{where}: not a text: {value!r}")
    return value


@contextmanager
def said_of(where: str) -> Iterator[None]:
    """Begin the message of a :exc:`UsageError` with the place it speaks of."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", next_step=error.next_step) from error
