"""Phone numbers made unreadable, wherever they stand in a text, for records that are kept for ever.

A masked number still tells two numbers apart as a rule, and shows to whoever knows a number
whether it may be meant; nobody can call it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

#: E.164 allows 15 digits; no number that is called has fewer than 7 with its country.
_WITH_PLUS: Final = re.compile(r"\+\(?\d(?:[ \u00a0()/.-]{0,2}\d){6,14}(?!\d)")
#: Without a plus, what has the length of a national number. Dots would take in IP addresses, a
#: word of letters and digits is none, and a date with dashes is a date.
_BARE: Final = re.compile(
    r"(?<![\w.+*])"
    r"(?!\d{4}-\d{2}-\d{2}(?!\d))(?!(?<=\d{4}-)\d{2}-\d{2}(?!\d))(?!(?<=\d{4}-\d{2}-)\d{2}(?!\d))"
    r"\(?\d(?:[ \u00a0()/-]{0,2}\d){8,14}(?!\w)"
)
#: Of a number so many digits at least are hidden where it has them, and its last ones are shown.
_HIDDEN: Final = 4
_LAST: Final = 3
_FIRST: Final = 4


def mask(text: str) -> str:
    """Hide the middle of every phone number in *text*: +15551234567 becomes +1555***567.

    A number may be written with blanks, dashes and brackets, and without its plus; digits that
    could be one are taken for one.
    """
    return _BARE.sub(_masked, _WITH_PLUS.sub(_masked, text))


def masked(value: Any) -> Any:
    """A copy of *value*, of the kinds JSON knows, in which every text and key is masked."""
    if isinstance(value, str):
        return mask(str(value))
    if isinstance(value, Mapping):
        return {mask(str(key)): masked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return value


def _masked(found: re.Match[str]) -> str:
    text = found[0]
    digits = "".join(each for each in text if each.isdigit())
    shown = max(1, min(_FIRST, len(digits) - _HIDDEN - _LAST))
    plus = "+" if text.startswith("+") else ""
    return f"{plus}{digits[:shown]}***{digits[-_LAST:]}"
