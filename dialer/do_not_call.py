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
from itertools import groupby
from operator import itemgetter
from typing import Final

from dialer.model import AttemptId, CampaignId
from dialer.ports import Row, Tx
from dialer.states import MemberEvent, MemberState, advance_member

#: In place of a campaign's id: every campaign there is or will be.
EVERYWHERE: Final = CampaignId(0)
_ANY_SCOPE: Final = -1
_NO_LIMIT: Final = 9_000_000_000
_WILD: Final = frozenset("%_\\")  # of LIKE, in one database or the other


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
class Entry:
    """A phone that must not be called, where, and what the operator has to say about it."""

    phone: str  # E.164
    scope: CampaignId = EVERYWHERE
    note: str = ""


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
    return await put(tx, [Entry(phone, scope, note) for phone in phones], now, source=source)


async def put(tx: Tx, entries: Sequence[Entry], now: int, *, source: Source) -> Added:
    """Make *entries*, of those for the same phone and scope the first, unless they are there.

    Members that wait for a call fail, be their entry new or not.
    """
    first = {(entry.scope, entry.phone): entry for entry in reversed(entries)}
    # In one order for everybody: two who list the same people at once do not wait for each other.
    wanted = {key: first[key] for key in sorted(first)}
    present, members_failed = set[tuple[CampaignId, str]](), 0
    for scope, keys in groupby(wanted, key=itemgetter(0)):
        phones = json.dumps([phone for _, phone in keys])
        known = await tx.rows("listed_among", phones=phones, scope=scope)
        present |= {(scope, row["phone"]) for row in known}
        members_failed += await tx.run("fail_listed", phones=phones, scope=scope, now=now)
    new = [entry for key, entry in wanted.items() if key not in present]
    rows = [
        {"phone": entry.phone, "campaign_id": entry.scope or None, "source": source.value,
         "note": entry.note, "now": now}
        for entry in new
    ]  # fmt: skip
    await tx.many("add_dnc", rows)
    made = [(entry.phone, entry.scope or None, entry.note) for entry in new]
    await _remember(tx, HistoryEvent.ADDED, made, now)
    return Added(len(new), len(present), members_failed)


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
    """Take entries off the list and return how many: those of *phone*, of a campaign, or of both.

    Members that failed because of them stay failed; whoever wants them called says so.
    """
    assert phone or scope, "the whole list is never meant"
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
    """Entries whose phone or note holds *text*, newest first; all of them for an empty text.

    Letters are found in either case. With a *scope* they are a campaign's own ones.
    """
    wanted = text.lower()
    if wanted.isascii() and not _WILD & set(wanted):
        return await tx.rows("list_dnc", scope=scope, pattern=f"%{wanted}%", limit=limit)
    # Databases differ in what is a wildcard, and in which letters have two cases: any character
    # stands for those, and what was found is looked at again.
    loose = "".join(each if each.isascii() and each not in _WILD else "_" for each in wanted)
    rows = await tx.rows("list_dnc", scope=scope, pattern=f"%{loose}%", limit=_NO_LIMIT)
    return [row for row in rows if wanted in row["note"].lower()][:limit]


async def everything(tx: Tx) -> Sequence[Row]:
    """All entries, oldest first."""
    rows = await tx.rows("list_dnc", scope=EVERYWHERE, pattern="%", limit=_NO_LIMIT)
    return rows[::-1]


async def holding(tx: Tx, phone: str, campaign_id: CampaignId) -> Sequence[Row]:
    """The entries that keep a phone from being called in a campaign, oldest first."""
    entries = await entries_of(tx, phone)
    return [entry for entry in entries if entry["campaign_id"] in (None, campaign_id)]


async def of_campaign(tx: Tx, campaign_id: CampaignId) -> int:
    """How many entries a campaign has of its own."""
    return len(await tx.rows("dnc_scoped", phone="", scope=campaign_id))


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
