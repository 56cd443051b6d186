"""A person as they are stored, and what becomes of a known one who is told of again.

Theory of operation. A row of a list becomes a :class:`Listed`, made of what the database keeps: it
costs the most of an import, depends on nothing but the row, and so may be done in any process.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from dialer.people.person import Person
from dialer.places import place_of
from dialer.ports import Row

encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_tags: Final = lru_cache(maxsize=1024)(encode)  # a list has few sets of them


class Listed(NamedTuple):
    """A person as stored; *rank* is their priority in a campaign, None when nobody stated it."""

    phone: str  # E.164
    name: str
    email: str
    zone: str | None
    place: str
    language: str | None
    tags: str  # JSON, as the variables
    variables: str
    rank: int | None


class NewContact(NamedTuple):
    """The parameters of ``add_contacts``, in its order."""

    phone: str
    name: str
    email: str
    zone: str | None
    place: str
    language: str | None
    tags: str
    variables: str
    import_id: int | None
    now: int


class Existing(StrEnum):
    """What becomes of somebody who is known already."""

    MERGE = "merge"  # what is told replaces what was known; tags are added
    KEEP = "keep"  # only what is empty is filled
    REPLACE = "replace"  # the row is the truth about every column that the list has
    SKIP = "skip"  # they stay as they are


@dataclass(frozen=True, slots=True)
class Retelling:
    """What a list may change of people who are known.

    *columns* (of the contact) and *variables* are those the list has: to replace is to clear them
    where a row says nothing.
    """

    existing: Existing = Existing.MERGE
    columns: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()


def as_listed(person: Person) -> Listed:
    """*person* as stored."""
    return Listed(
        person.phone,
        person.name,
        person.email,
        person.zone,
        place_of(person.phone, person.zone).key,
        person.language,
        _encode_tags(person.tags) if person.tags else "[]",
        _encode_texts(person.variables),
        person.priority.rank if person.priority else None,
    )


def _encode_texts(texts: Mapping[str, str]) -> str:
    """As :data:`encode`, which takes several times as long to begin."""
    pairs = [f"{encode_basestring(name)}:{encode_basestring(text)}" for name, text in texts.items()]
    return f"{{{','.join(pairs)}}}"


def new_contact(person: Listed, now: int, import_id: int | None = None) -> NewContact:
    """What adds *person*, whom nobody knew."""
    return NewContact(*person[:8], import_id, now)


def changed(row: Row, told: Listed, retelling: Retelling, now: int) -> dict[str, Any] | None:
    """The parameters of ``update_contacts`` that make of a contact's *row* what it is to be; None
    when it is that already. *moved* says whether it is at another place than before.
    """
    if retelling.existing is Existing.SKIP:
        return None
    old = {name: row[name] for name in ("name", "email", "zone", "language")}
    old |= {"tags": json.loads(row["tags"]), "variables": json.loads(row["variables"])}
    new = _RULES[retelling.existing](old, _told(told), retelling)
    place = place_of(told.phone, new["zone"]).key
    if new == old and place == row["place"]:
        return None
    return {
        **new,
        "phone": told.phone,
        "place": place,
        "tags": encode(new["tags"]),
        "variables": encode(new["variables"]),
        "moved": place != row["place"],
        "now": now,
    }


def _told(told: Listed) -> dict[str, Any]:
    return {
        "name": told.name,
        "email": told.email,
        "zone": told.zone,
        "language": told.language,
        "tags": json.loads(told.tags),
        "variables": json.loads(told.variables),
    }


_Facts = Mapping[str, Any]


def _merged(old: _Facts, told: _Facts, _: Retelling) -> dict[str, Any]:
    return {
        **{name: told[name] or old[name] for name in old},
        "tags": list(dict.fromkeys([*old["tags"], *told["tags"]])),
        "variables": {**old["variables"], **told["variables"]},
    }


def _kept(old: _Facts, told: _Facts, _: Retelling) -> dict[str, Any]:
    return {
        **{name: old[name] or told[name] for name in old},
        "variables": {**told["variables"], **old["variables"]},
    }


def _replaced(old: _Facts, told: _Facts, retelling: Retelling) -> dict[str, Any]:
    others = {
        name: value for name, value in old["variables"].items() if name not in retelling.variables
    }
    return {
        **{name: told[name] if name in retelling.columns else old[name] for name in old},
        "variables": {**others, **told["variables"]},
    }


_RULES: Final = {Existing.MERGE: _merged, Existing.KEEP: _kept, Existing.REPLACE: _replaced}
