"""Who of a list is kept out though nothing is wrong with their row."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dialer.erased import ErasedPhones
from dialer.importing.erased_rows import keep_out
from dialer.lists.csvio import Rejection
from dialer.lists.intake import Portion
from dialer.model import CampaignId
from dialer.people.person import RowFault
from dialer.people.rows import Listed
from dialer.ports import Tx

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
class Sieve:
    """What holds people of a list back; *column* is where it has their numbers."""

    erased: ErasedPhones | None
    column: str
    region: str  # of numbers without a country
    campaign_id: CampaignId | None  # that they are to be members of
    skip_elsewhere: bool  # keep out who waits for a call of another campaign

    async def sifted(self, tx: Tx, portion: PeoplePortion) -> tuple[PeoplePortion, int]:
        """*portion* without those who must be kept out, and how many of the others wait for a call
        of another campaign.
        """
        portion = await keep_out(tx, self.erased, portion, self.column, self.region)
        if self.campaign_id is None:
            return portion, 0
        phones = json.dumps([person.phone for person in portion.taken])
        keys = {"phones": phones, "campaign_id": self.campaign_id}
        barred = {row["phone"] for row in await tx.rows("not_to_be_called", **keys)}
        waiting = {row["phone"] for row in await tx.rows("members_elsewhere", **keys)} - barred
        portion = self._without(portion, barred, ListFault.DO_NOT_CALL)
        if self.skip_elsewhere:
            return self._without(portion, waiting, ListFault.IN_OTHER_CAMPAIGN), 0
        return portion, len(waiting)

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
