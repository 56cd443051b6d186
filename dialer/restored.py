"""What a restored database begins with: everything held, nothing active, and what must not be lost.

Theory of operation. Stops that were made after the copy was taken are not in it. What the replaced
database can still tell of them is done again, by the same use cases as an operator's own hand;
of the rest nobody can tell, so every campaign that is active in the copy is paused, and a person
starts again what is to go on. Where two databases disagree the answer is the one that calls fewer
people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dialer import campaigns, do_not_call, erasure, hold, numbers, reconciling, rule_book
from dialer.erased import ErasedPhones
from dialer.errors import UsageError, WrongStateError
from dialer.hold import Pulled
from dialer.model import CampaignId
from dialer.people import member_edits
from dialer.ports import Clock, Database, Tx
from dialer.rules.rule_set import Changes
from dialer.states import CAMPAIGN_TRANSITIONS, CampaignEvent, CampaignStatus

_EVENTS: Final[Mapping[CampaignStatus, CampaignEvent]] = {
    CampaignStatus.PAUSED: CampaignEvent.PAUSE,
    CampaignStatus.COMPLETED: CampaignEvent.COMPLETE,
    CampaignStatus.CANCELLED: CampaignEvent.CANCEL,
}
_LOOK: Final = "look before you resume"
#: So many contacts are looked through at a time.
_PAGE: Final = 5000


@dataclass(frozen=True, slots=True)
class StoppedCampaign:
    """A campaign that was stopped, by its name in the copy."""

    name: str
    status: CampaignStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Stops:
    """What had been stopped in another database, and is not in this one."""

    campaigns: Sequence[StoppedCampaign] = ()
    numbers: Sequence[str] = ()
    skipped: Mapping[CampaignId, Sequence[int]] = field(default_factory=dict)  # contacts
    rules: Changes | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """How many stops were made again."""

    campaigns: int = 0
    numbers: int = 0
    skipped: int = 0
    rules: int = 0  # 1: they are stricter now


@dataclass(frozen=True, slots=True)
class Begun:
    """A restored database that is held; *paused* are the campaigns that were active in it."""

    pulled: Pulled
    since_at: int
    paused: Sequence[str]


@dataclass(frozen=True, slots=True)
class NotErased:
    """Somebody who is not erased again yet, and why; they are on the do-not-call list."""

    phone: str
    why: str


async def begin(tx: Tx, now: int, *, since_at: int, reason: str, hang_up: bool = False) -> Begun:
    """Hold everything until calls since then are taken in, and pause every active campaign.

    What is wanted from longer ago stays wanted. Raises UsageError for a time that lies ahead.
    """
    if since_at > now:
        raise UsageError("calls may be missing since a time that is past, not since one ahead")
    before = await hold.standing(tx)
    if before is not None and before.wants_reconciliation:
        assert before.reconcile_since_at is not None, "it is wanted"
        since_at = min(since_at, before.reconcile_since_at)
    ending = before is not None and before.hang_up_at is not None
    await hold.put(tx, now, reason=reason, hang_up=hang_up or ending)
    await reconciling.want(tx, now, since_at=since_at)
    paused = [row["name"] for row in await tx.rows("active_campaigns")]
    for name in paused:
        why = f"{reason}; {_LOOK}"
        await campaigns.move(tx, name, CampaignEvent.PAUSE, now, reason=why)
    return Begun(await hold.pulled(tx, now, new=before is None), since_at, paused)


async def repeat(tx: Tx, stops: Stops, now: int) -> Repeated:
    """Make again the stops of another database; those that are impossible here are left out."""
    moved = [await _stop(tx, each, now) for each in stops.campaigns]
    for phone in stops.numbers:
        await numbers.disable(tx, phone, "", now)
    skipped = 0
    for campaign_id, contact_ids in stops.skipped.items():
        why = "skipped in the database that was replaced"
        judged = await member_edits.skip(tx, campaign_id, contact_ids, why, now)
        skipped += len(judged.changed)
    tighter = stops.rules is not None and await rule_book.tighten(tx, stops.rules, now)
    return Repeated(sum(moved), len(stops.numbers), skipped, int(tighter))


async def _stop(tx: Tx, stopped: StoppedCampaign, now: int) -> bool:
    row = await campaigns.find(tx, stopped.name)
    event = _EVENTS[stopped.status]
    if (CampaignStatus(row["status"]), event) not in CAMPAIGN_TRANSITIONS:
        return False
    was = f"was {stopped.status} in the database that was replaced"
    why = ": ".join(filter(None, (was, stopped.reason)))
    await campaigns.move(tx, stopped.name, event, now, reason=why)
    return True


async def erase_again(database: Database, clock: Clock, erased: ErasedPhones) -> list[NotErased]:
    """Erase those who were erased after the copy was taken, and are in it in clear.

    Returns those who were being called when it was taken, and so cannot be erased yet.
    """

    async def nothing_to_wipe(_pattern: object) -> erasure.Wiped:
        return erasure.Wiped(compacted=True)  # the file is written and nobody has read it

    kept = []
    for phone in await _erased_in_clear(database, erased):
        try:
            await erasure.erase(database, clock, phone, erased.key(), nothing_to_wipe)
        except WrongStateError as error:
            async with database.write() as tx:
                await do_not_call.add(tx, [phone], clock.now())
            kept.append(NotErased(phone, error.message))
    return kept


async def _erased_in_clear(database: Database, erased: ErasedPhones) -> list[str]:
    found, after = list[str](), 0
    async with database.read() as tx:
        while rows := await tx.rows("phones_after", after=after, limit=_PAGE):
            found += sorted(await erased.among(tx, [row["phone"] for row in rows]))
            after = rows[-1]["id"]
    return found
