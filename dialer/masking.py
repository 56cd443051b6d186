"""Phone numbers made unreadable, wherever they stand in a text, for records that are kept for ever.

A masked number still tells two numbers apart as a rule, and shows to whoever knows a number
whether it may be meant; nobody can call it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

#: What people and spreadsheets put between the digits of a number, as the inside of a character
#: class. Nothing that JSON is made of.
MARKS: Final = r" \t()/.\-"
WIDE_MARKS: Final = r"\u00a0\u2000-\u200a\u2010-\u2015\u202f\u2212"
#: So many marks in a row, as in "555 - (0143".
MOST_MARKS: Final = 4

_BETWEEN: Final = rf"[{MARKS}{WIDE_MARKS}]{{0,{MOST_MARKS}}}"
_DAY: Final = r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
#: What has many digits and is no number: a day, an instant, a time of the day, an address of a
#: computer, a fraction as computers write it, an id of letters and digits.
_OTHER: Final = (
    rf"(?<!\d){_DAY}"
    r"|(?<!\d)\d{8}(?=T\d{6})"
    r"|(?<!\d)[0-2]\d:[0-5]\d:[0-6]\d(?:[.,]\d{1,9})?(?!\d)"
    r"|(?:(?<=//)|(?<=@))\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"
    r"|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?=:\d)"
    r"|(?<![\d.])\d\.\d{13,}(?![\d.])"
    r"|(?<![0-9A-Za-z])(?=\d*[A-Za-z])[0-9A-Za-z]{20,}(?![0-9A-Za-z])"
)
_DIGITS: Final = re.compile(rf"(?P<other>{_OTHER})|\+?\(?\d(?:{_BETWEEN}(?!{_DAY})\d)*")
#: No number that is called has fewer digits; E.164 allows 15, and more of them are two numbers or,
#: without a mark in between, none.
_FEWEST: Final = 7
_MOST: Final = 15
#: Of a number so many digits at least are hidden where it has them, and its last ones are shown.
_HIDDEN: Final = 4
_LAST: Final = 3
_FIRST: Final = 4


#: In place of what nobody is to read.
HIDDEN: Final = "***"
#: What stands before a secret wherever programs write one: an address with a password, the head of
#: a request, a name that says what it is.
_SECRET: Final = re.compile(
    r"(?P<before>(?<=//)[^\s/:@]*:)[^\s/@]+(?=@)"
    r"|(?P<scheme>\b(?:basic|bearer)\s+)[\w+/=.~-]{8,}"
    r"|(?P<name>\b[\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[:=]\s*[\"']?)"
    r"(?!\s)(?:(?:basic|bearer)\s+)?[^\s\"',;&)}\]]+",
    re.IGNORECASE,
)
#: No secret is found in a text that has none of these.
_SECRET_WORDS: Final = ("passw", "secret", "token", "key", "basic", "bearer", "//")


def hide_secrets(text: str) -> str:
    """Hide what is a secret by its looks: passwords of addresses, tokens behind their names."""
    small = text.lower()
    if not any(word in small for word in _SECRET_WORDS):  # nearly always, and much quicker
        return text
    return _SECRET.sub(
        lambda found: f"{found['before'] or found['scheme'] or found['name']}{HIDDEN}", text
    )


def mask(text: str) -> str:
    """Hide the middle of every phone number in *text*: +15551234567 becomes +1555***567.

    A number may be written with blanks, dashes, dots and brackets, and without its plus; digits
    that could be one are taken for one.
    """
    return _DIGITS.sub(_masked, text)


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
    no_number = len(digits) < _FEWEST or (len(digits) > _MOST and text == digits)
    if found["other"] is not None or no_number:
        return text
    shown = max(1, min(_FIRST, len(digits) - _HIDDEN - _LAST))
    plus = "+" if text.startswith("+") else ""
    return f"{plus}{digits[:shown]}***{digits[-_LAST:]}"
