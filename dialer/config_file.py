"""Changing one setting in the text of a TOML file, and leaving every other line as it is.

TOML's own reader says where a statement ends: lines are taken together until they can be read. So
nothing here knows what a string, a list or a comment looks like.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

Scalar: TypeAlias = str | int | float | bool

#: JSON leaves it as it is, in TOML it has to be escaped (TOML 1.0, "String").
_DELETE: Final = "\x7f"
_AFTER_NEWLINE: Final = re.compile(r"(?<=\n)")


class _Statement(NamedTuple):
    """Lines from *first* up to *end* that say one thing, and what: no keys for a table's head."""

    first: int
    end: int
    values: Mapping[str, Any]
    is_table: bool


def assign(text: str, name: str, value: Scalar) -> str:
    """*text* with *name* set to *value*: in its own place, with its comment, or after the last
    key that stands above all tables. *text* must be readable.
    """
    lines = _lines(text)
    ending = "\r\n" if text.endswith("\r\n") else "\n"
    written = f"{name} = {as_toml(value)}"
    found = _find(lines, name)
    if found is not None:
        last = lines[found.end - 1]
        comment = _comment(lines[found.first : found.end])
        lines[found.first : found.end] = [f"{written}{comment}{_ending(last)}"]
        return "".join(lines)
    at = _after_keys(lines)
    if at and not _ending(lines[at - 1]):
        lines[at - 1] += ending
    lines.insert(at, f"{written}{ending}")
    return "".join(lines)


def remove(text: str, name: str) -> str:
    """*text* without *name*; the same text where nothing sets it."""
    lines = _lines(text)
    found = _find(lines, name)
    if found is not None:
        del lines[found.first : found.end]
    return "".join(lines)


def as_toml(value: Scalar) -> str:
    """How TOML writes a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")


def _lines(text: str) -> list[str]:
    """The lines as TOML has them: other characters that break one in Unicode do not."""
    return [line for line in _AFTER_NEWLINE.split(text) if line]


def _statements(lines: list[str]) -> Iterator[_Statement]:
    """What the file says, in order, up to the first table; blank lines and comments say nothing."""
    first = 0
    while first < len(lines):
        end = next(
            end for end in range(first + 1, len(lines) + 1) if _values(lines[first:end]) is not None
        )
        values = _values(lines[first:end]) or {}
        is_table = lines[first].lstrip().startswith("[")
        yield _Statement(first, end, values, is_table)
        if is_table:
            return
        first = end


def _values(lines: list[str]) -> Mapping[str, Any] | None:
    try:
        return tomllib.loads("".join(lines))
    except tomllib.TOMLDecodeError:
        return None


def _find(lines: list[str], name: str) -> _Statement | None:
    return next((each for each in _statements(lines) if name in each.values), None)


def _after_keys(lines: list[str]) -> int:
    """Behind the last key of the file's own; where it has none, before the tables."""
    at = None
    for each in _statements(lines):
        if each.is_table:
            return each.first if at is None else at
        if each.values:
            at = each.end
    return len(lines) if at is None else at


def _comment(lines: list[str]) -> str:
    """What stands after a statement's value, with the blanks before it."""
    text = "".join(lines).rstrip("\r\n")
    stated = _values([text])
    for at, letter in enumerate(text):
        if letter == "#" and _values([text[:at]]) == stated:
            bare = text[:at].rstrip()
            return text[len(bare) :]
    return ""


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
