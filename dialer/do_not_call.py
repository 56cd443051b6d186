"""The do-not-call list: who must not be called, in one campaign or in any.

It is asked twice for every call: in the claim, where a listed callee's member fails for good, and
by the launcher's last look before a request leaves. So an entry that has committed stops every
call whose last look comes after it. Members that wait are failed as the entry is made; calls that
are still ringing are ended by the reaper.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialer.model import AttemptId, CampaignId
from dialer.ports import Row, Tx
from dialer.states import MemberEvent, MemberState, advance_member

#: In place of a campaign's id: every campaign there is or will be.
EVERYWHERE: Final = CampaignId(0)
_ANY_SCOPE: Final = -1


class Source(StrEnum):
    """Who asked for an entry."""

    OPERATOR = "operator"
    FILE = "file"
    CALLEE = "callee"


class HistoryEvent(StrEnum):
    """What happened to a phone number that is, or was, listed."""

    ADDED = "added"
    REMOVED = "removed"
    REFUSED = "refused"  # its turn came, and it was not called


@dataclass(frozen=True, slots=True)
class Added:
    """How many entries were made, how many were there already, and whose turn never comes."""

    added: int
    present: int
    members_failed: int


async def add(
    tx: Tx,
    phones: Sequence[str],
    now: int,
    *,
    scope: CampaignId = EVERYWHERE,
    source: Source = Source.OPERATOR,
    note: str = "",
) -> Added:
    """List E.164 *phones* for a campaign, or everywhere; members that wait for a call fail."""
    listed = json.dumps(phones)
    known = {row["phone"] for row in await tx.rows("listed_among", phones=listed, scope=scope)}
    new = [phone for phone in dict.fromkeys(phones) if phone not in known]
    campaign_id = scope or None
    entries = [
        {"phone": phone, "campaign_id": campaign_id, "source": source.value, "note": note,
         "now": now}
        for phone in new
    ]  # fmt: skip
    await tx.many("add_dnc", entries)
    await _remember(tx, HistoryEvent.ADDED, [(phone, campaign_id, note) for phone in new], now)
    failed = await tx.run("fail_listed", phones=listed, scope=scope, now=now)
    return Added(len(new), len(known), failed)


async def opt_out(tx: Tx, attempts: Sequence[tuple[AttemptId, int]]) -> list[None]:
    """List the callee of each attempt everywhere, by their own word at the instant given."""
    for attempt_id, at in attempts:
        phone = await tx.value("phone_of_attempt", attempt_id=attempt_id)
        if phone is not None:
            await add(tx, [phone], at, source=Source.CALLEE, note="asked for it in a call")
    return [None] * len(attempts)


async def remove(
    tx: Tx, now: int, *, phone: str = "", scope: CampaignId | None = None, note: str = ""
) -> int:
    """Take entries off the list and return how many: those of *phone*, of *scope*, or of both.

    Members that failed because of them stay failed; whoever wants them called says so.
    """
    wanted = _ANY_SCOPE if scope is None else scope
    rows = await tx.rows("dnc_scoped", phone=phone, scope=wanted)
    await tx.many("remove_dnc", [{"id": row["id"]} for row in rows])
    gone = [(row["phone"], row["campaign_id"], note) for row in rows]
    await _remember(tx, HistoryEvent.REMOVED, gone, now)
    return len(rows)


async def refuse_listed(tx: Tx, campaign_id: CampaignId, members: Sequence[Row], now: int) -> None:
    """Fail due *members* (rows of the claim) whose callee is listed, and remember it."""
    moves = [
        {
            "member_id": member["id"],
            "was": member["state"],
            "state": advance_member(MemberState(member["state"]), MemberEvent.FAIL).value,
            "now": now,
        }
        for member in members
    ]
    await tx.many("refuse_members", moves)
    refused = [(member["phone"], campaign_id, "its turn had come") for member in members]
    await _remember(tx, HistoryEvent.REFUSED, refused, now)


async def entries_of(tx: Tx, phone: str) -> Sequence[Row]:
    """Every entry of a phone, oldest first; none: it may be called."""
    return await tx.rows("dnc_of", phone=phone)


async def search(
    tx: Tx, text: str = "", *, scope: CampaignId = EVERYWHERE, limit: int = 100
) -> Sequence[Row]:
    """Entries whose phone or note holds *text*, newest first; all of them for an empty text."""
    pattern = f"%{text.lower()}%"
    return await tx.rows("list_dnc", scope=scope, pattern=pattern, limit=limit)


async def history_of(tx: Tx, phone: str) -> Sequence[Row]:
    """All that has happened to a phone on this list, oldest first."""
    return await tx.rows("dnc_history_of", phone=phone)


async def _remember(
    tx: Tx, event: HistoryEvent, what: Sequence[tuple[str, int | None, str]], now: int
) -> None:
    rows = [
        {"phone": phone, "campaign_id": campaign_id, "event": event.value, "detail": detail,
         "now": now}
        for phone, campaign_id, detail in what
    ]  # fmt: skip
    await tx.many("add_dnc_history", rows)
