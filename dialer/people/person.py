"""A person to call, as a list tells it, and what may be wrong with a row of that list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Priority(StrEnum):
    """Whose turn comes first within a campaign."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """The order in which claims go: 0 is first."""
        return _RANKS[self]


_RANKS: Final = {priority: rank for rank, priority in enumerate(Priority)}


class RowFault(StrEnum):
    """Why a row of a list was not taken: the closed set."""

    MISSING_PHONE = "missing_phone"
    INVALID_PHONE = "invalid_phone"
    ROUNDED_PHONE = "rounded_phone"  # a spreadsheet made a decimal of it
    AMBIGUOUS_PHONE = "ambiguous_phone"  # one number as it stands, another with a plus before it
    ERASED = "erased"  # erased on the callee's wish: neither called nor stored again
    DUPLICATE_IN_FILE = "duplicate_in_file"  # an earlier row has the same number and was taken
    BAD_ZONE = "bad_zone"  # not the name of a time zone
    BAD_PRIORITY = "bad_priority"
    TOO_MANY_COLUMNS = "too_many_columns"  # so that nobody knows which value belongs where
    BAD_ENCODING = "bad_encoding"  # bytes that are no letters in the file's encoding
    BAD_QUOTING = "bad_quoting"  # a quote that is not closed, or closed in the middle


@dataclass(slots=True)  # a frozen one takes four times as long to make, and a list is long
class Person:
    """What is known of somebody; whatever is empty or None is not known."""

    phone: str  # E.164
    name: str = ""
    email: str = ""
    zone: str | None = None  # an IANA name
    language: str | None = None
    priority: Priority | None = None
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row, where, and with which value."""

    column: str
    value: str
    reason: RowFault
