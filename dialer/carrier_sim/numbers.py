"""The numbers the account may call from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

E164: Final = re.compile(r"\+[1-9]\d{6,14}")
#: Listed when every number may be used; fictional by the numbering plan.
DEMO_NUMBERS: Final = tuple(f"+1202555012{digit}" for digit in range(4))


@dataclass(frozen=True, slots=True)
class Numbers:
    """Bought numbers and verified caller ids; with neither given, every number is the account's."""

    incoming: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()

    @property
    def restricted(self) -> bool:
        """True when only the named numbers may be called from."""
        return bool(self.incoming or self.verified)

    def owns(self, phone: str) -> bool:
        """Whether calls may be placed from *phone*."""
        return not self.restricted or phone in self.incoming or phone in self.verified

    def bought(self, phone: str = "") -> Sequence[str]:
        """Incoming numbers, all of them or only *phone*."""
        if not phone:
            return self.incoming if self.restricted else DEMO_NUMBERS
        return (phone,) if not self.restricted or phone in self.incoming else ()

    def caller_ids(self, phone: str = "") -> Sequence[str]:
        """Verified caller ids, all of them or only *phone*."""
        return [number for number in self.verified if phone in {"", number}]


def number_sid(phone: str) -> str:
    """A number's name at the carrier; the same in every run."""
    return "PN" + blake2b(phone.encode(), digest_size=16).hexdigest()
