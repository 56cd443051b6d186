"""Contacts as operators name them, many at once: by phone number or by id."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from dialer.amounts import few
from dialer.errors import NotFoundError
from dialer.phones import PhoneError, e164
from dialer.ports import Tx

#: Longer digits are no id.
_ID_DIGITS: Final = 9
#: Of those nobody knows so many are named in a message.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Named:
    """Who was meant: contacts in the order they were named, each once, and what names nobody."""

    ids: Sequence[int]
    unknown: Sequence[str]

    def known(self, *, partial: bool) -> Sequence[int]:
        """The contacts; raises NotFoundError when a name was nobody's, unless *partial* will do."""
        if self.unknown and not partial:
            names = few([*map(repr, self.unknown)], _SHOWN)
            raise NotFoundError(
                f"there is no contact {names}; nothing was done",
                next_step="do it for the others: add --partial",
            )
        return self.ids


async def named(tx: Tx, words: Sequence[str], region: str) -> Named:
    """The contacts of phone numbers (of *region*, where they have no country) and of ids."""
    phones = {word: _phone(word, region) for word in words}
    rows = await tx.rows("contacts_by_phone", phones=json.dumps(sorted(set(phones.values()))))
    by_phone = {row["phone"]: int(row["id"]) for row in rows}
    numbers = [int(word) for word in words if phones[word] not in by_phone and _may_be_id(word)]
    by_id = {row["id"] for row in await tx.rows("contacts_by_id", ids=json.dumps(numbers))}
    found, unknown = dict[int, None](), list[str]()
    for word in words:
        contact_id = by_phone.get(phones[word])
        if contact_id is None and _may_be_id(word) and int(word) in by_id:
            contact_id = int(word)
        if contact_id is None:
            unknown.append(word)
        else:
            found[contact_id] = None
    return Named(list(found), unknown)


def id_ranges(ids: Iterable[int]) -> list[list[int]]:
    """*ids* as pairs of first and last, which is short where they follow one another."""
    apart = groupby(enumerate(sorted(set(ids))), key=lambda pair: pair[1] - pair[0])
    runs = ([each for _, each in run] for _, run in apart)
    return [[run[0], run[-1]] for run in runs]


def in_ranges(one: int, ranges: Any) -> bool:
    """Whether :func:`id_ranges` was given *one*."""
    return any(first <= one <= last for first, last in ranges)


def _phone(word: str, region: str) -> str:
    with suppress(PhoneError):  # it may be an id, or what stands for an erased number
        return e164(word, region)
    return word.strip()


def _may_be_id(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= _ID_DIGITS
