"""Who was erased, known by keyed hashes alone: nobody comes in again by accident.

Theory of operation. Of an erased phone number its HMAC stays. Whoever has the number and the key
can tell that it was erased; whoever has the database alone can tell nothing, because ten digits
are tried out quickly but not under a key that is not known. A mark of the key lies beside the
hashes: another key would find nobody, and everybody would be let in, so it is refused instead.
"""

import hmac
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dialer.errors import WrongStateError
from dialer.ports import Tx

#: What stands in place of an erased number; no number begins like it, so none of it is dialed.
PREFIX: Final = "erased:"
#: Of the hash so much is in a pseudonym: 96 bits tell any two people apart.
_PSEUDONYM_DIGITS: Final = 24
#: And so much in a log, which tells apart those of one day.
_FINGERPRINT_DIGITS: Final = 16
#: Hashed as if it were a number, it marks the key; no number is empty.
_MARK: Final = ""


@dataclass(frozen=True, slots=True)
class PhoneKey:
    """The key under which phone numbers are hashed."""

    secret: bytes = field(repr=False)

    def hash(self, phone: str) -> str:
        """HMAC-SHA256 of an E.164 number, in hexadecimal digits."""
        return hmac.digest(self.secret, phone.encode(), "sha256").hex()

    def pseudonym(self, phone: str) -> str:
        """What stands in place of an erased number: the same for the same number and key."""
        return f"{PREFIX}{self.hash(phone)[:_PSEUDONYM_DIGITS]}"

    def fingerprint(self, phone: str) -> str:
        """What tells a number from others in a log, where a pseudonym would be taken for one."""
        return self.hash(phone)[:_FINGERPRINT_DIGITS]

    @property
    def mark(self) -> str:
        """What tells this key from another one."""
        return self.hash(_MARK)


class ErasedPhones:
    """The numbers that were erased, for whoever would bring some in.

    *key* is asked for when there are any: raises UsageError when there is no key.
    """

    def __init__(self, key: Callable[[], PhoneKey]) -> None:
        self._key = key

    def key(self) -> PhoneKey:
        """The key they are known by; raises UsageError when there is none."""
        return self._key()

    async def any(self, tx: Tx) -> bool:
        """Whether anybody was erased so far."""
        return await tx.value("any_erased") is not None

    async def among(self, tx: Tx, phones: Iterable[str]) -> frozenset[str]:
        """Those of E.164 *phones* that were erased.

        Raises WrongStateError when they were hashed under another key.
        """
        if not await self.any(tx):
            return frozenset()
        key = self._key()
        by_hash = {key.hash(phone): phone for phone in phones}
        rows = await tx.rows("erased_among", hashes=json.dumps([key.mark, *by_hash]))
        found = {row["hash"] for row in rows}
        check_mark(key, found)
        return frozenset(by_hash[each] for each in found if each in by_hash)

    async def at(self, tx: Tx, phone: str) -> int | None:
        """When the number was erased (UTC ms); None when it was not."""
        if not await self.among(tx, [phone]):
            return None
        rows = await tx.rows("erased_among", hashes=json.dumps([self._key().hash(phone)]))
        return int(rows[0]["erased_at"])

    async def refuse(self, tx: Tx, phones: Sequence[str]) -> None:
        """Raise WrongStateError when one of *phones* was erased; nobody erases one meanwhile."""
        await tx.value("hold_contacts")
        erased = await self.among(tx, phones)
        for phone in phones:
            if phone in erased:
                raise WrongStateError(
                    f"{phone} was erased: it is not called, and not stored again",
                    next_step=f"dialer dnc check {phone}",
                )


def check_mark(key: PhoneKey, hashes: Iterable[str]) -> None:
    """Raise WrongStateError unless the mark of *key* is among the stored *hashes*."""
    if key.mark not in hashes:
        raise WrongStateError(
            "the privacy key is not the one that erased numbers are known by; with this one nobody"
            " could tell who was erased",
            next_step="bring the key back: the file beside the database, or DIALER_PRIVACY_KEY",
        )
