"""A place where a callee may be, and its key; :mod:`dialer.places` finds it for a number."""

from dataclasses import dataclass, field
from typing import Final, Self

#: What a key says in place of regions or zones that nobody knows.
_UNKNOWN: Final = "?"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a callee may be. No region: nobody knows whose rules count; no zone: nobody is called.

    Regions are countries (ISO 3166-1) or, in the United States, states and territories
    (ISO 3166-2, as in ``US-FL`` and ``US-PR``); the rules of all of them count.
    """

    regions: tuple[str, ...]
    zones: tuple[str, ...]  # IANA names, that of most numbers first
    #: The place as one text, as in ``US-FL America/New_York America/Chicago``. It is made once,
    #: for a few places are asked for it by every row of a long list.
    key: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = ("+".join(self.regions) or _UNKNOWN, *(self.zones or (_UNKNOWN,)))
        object.__setattr__(self, "key", " ".join(words))

    @classmethod
    def from_key(cls, key: str) -> Self:
        """The place that has this key; ValueError when no place has."""
        regions, *zones = key.split(" ")
        place = cls(_known(regions.split("+")), _known(zones))
        if place.key != key or "" in (*place.regions, *place.zones):
            raise ValueError(f"not the key of a place: {key!r}")
        return place


def _known(names: list[str]) -> tuple[str, ...]:
    return () if names == [_UNKNOWN] else tuple(names)
