"""Who of a list is kept out though nothing is wrong with their row."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dialer.erased import ErasedPhones
from dialer.importing.erased_rows import keep_out
from dialer.lists.csvio import Rejection
from dialer.lists.intake import Portion
from dialer.model import CampaignId
from dialer.people import contacts
from dialer.people.person import RowFault
from dialer.people.rows import Listed, encode
from dialer.ports import Row, Tx

PeoplePortion: TypeAlias = Portion[Listed, Rejection]


class ListFault(StrEnum):
    """Why a row was not taken that has nothing wrong with it."""

    DO_NOT_CALL = "do_not_call"  # on the do-not-call list: no member of any campaign comes of it
    IN_OTHER_CAMPAIGN = "in_other_campaign"  # waits for a call of another one


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that is kept out, and why."""

    column: str
    value: str
    reason: RowFault | ListFault


@dataclass(frozen=True, slots=True)
class Sifted:
    """Who of a portion is left: *known* is what is stored of them, and maybe of others."""

    portion: PeoplePortion
    known: Mapping[str, Row]  # by phone number
    elsewhere: int  # wait for a call of another campaign, too


@dataclass(frozen=True, slots=True)
class Sieve:
    """What holds people of a list back; *column* is where it has their numbers."""

    erased: ErasedPhones | None
    column: str
    region: str  # of numbers without a country
    campaign_id: CampaignId | None  # that they are to be members of
    skip_elsewhere: bool  # keep out who waits for a call of another campaign

    async def sifted(self, tx: Tx, portion: PeoplePortion) -> Sifted:
        """*portion* without those who must be kept out."""
        portion = await keep_out(tx, self.erased, portion, self.column, self.region)
        known = await contacts.known_of(tx, portion.taken)
        if self.campaign_id is None:
            return Sifted(portion, known, 0)
        phones = encode([person.phone for person in portion.taken])
        barred = await self._asked(tx, "not_to_be_called", phones)
        portion = self._without(portion, barred, ListFault.DO_NOT_CALL)
        if not known:  # whoever waits for a call is known
            return Sifted(portion, known, 0)
        waiting = await self._asked(tx, "members_elsewhere", encode(list(known))) - barred
        if self.skip_elsewhere:
            return Sifted(self._without(portion, waiting, ListFault.IN_OTHER_CAMPAIGN), known, 0)
        return Sifted(portion, known, len(waiting))

    async def _asked(self, tx: Tx, query: str, phones: str) -> set[str]:
        rows = await tx.rows(query, phones=phones, campaign_id=self.campaign_id)
        return {row["phone"] for row in rows}

    def _without(
        self, portion: PeoplePortion, phones: Collection[str], reason: ListFault
    ) -> PeoplePortion:
        if not phones:
            return portion
        both = list(zip(portion.taken, portion.origins, strict=True))
        out = [
            (row, Kept(self.column, each.phone, reason))
            for each, row in both
            if each.phone in phones
        ]
        stay = [(each, row) for each, row in both if each.phone not in phones]
        return Portion(
            [each for each, _ in stay],
            sorted([*portion.rejected, *out], key=lambda pair: pair[0].number),
            [row for _, row in stay],
        )
