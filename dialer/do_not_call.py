"""The do-not-call list: who must not be called, in one campaign or in any.

It is asked twice for every call: in the claim, where a listed callee's member fails for good, and
by the launcher's last look before a request leaves. So an entry that has committed stops every
call whose last look comes after it. Members that wait are failed as the entry is made; calls that
are still ringing are ended by the reaper.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Final

from dialer import audit_log
from dialer.errors import UsageError
from dialer.model import AttemptId, CampaignId, InboundCall
from dialer.phones import parsed
from dialer.ports import CALLEE, Row, Tx
from dialer.states import MemberEvent, MemberState, advance_member

#: In place of a campaign's id: every campaign there is or will be.
EVERYWHERE: Final = CampaignId(0)
_ANY_SCOPE: Final = -1
_NO_LIMIT: Final = 9_000_000_000
#: Two ways of writing a number agree in its plus and the first digit of its country, and in its
#: last ones.
_SAME_BEGIN: Final = 2
_SAME_END: Final = 8
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
    INBOUND = "inbound"  # it called one of our numbers


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
    done = await put(tx, [Entry(phone, scope, note) for phone in phones], now, source=source)
    if done.added or done.members_failed:
        await _record_addition(tx, phones, scope, source, done, now)
    return done


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


@dataclass(frozen=True, slots=True)
class Request:
    """A program's word that somebody does not want to be called: in a call, or by their number."""

    kind: str  # "call" or "phone"
    value: str  # an attempt's id or the carrier's for a call under way; or a number with its plus
    at: int


async def opt_out_by(tx: Tx, requests: Sequence[Request]) -> list[bool]:
    """List each callee everywhere; returns, for each, whether there is such a call.

    Raises UsageError for a phone that is no number.
    """
    found = []
    for each in requests:
        phone = await _phone_named(tx, each)
        found.append(phone is not None)
        if phone is not None:
            note = "asked for it in a call" if each.kind == "call" else "told by a program"
            await add(tx, [phone], each.at, source=Source.CALLEE, note=note)
    return found


async def _phone_named(tx: Tx, request: Request) -> str | None:
    if request.kind == "call":
        phone: str | None = await tx.value("phone_of_call", call=request.value)
        return phone
    phone = parsed(request.value, None)
    if phone is None:
        raise UsageError(f"{request.value!r} is not a phone number with its plus and country")
    return phone


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
    if rows:
        await _record_removal(tx, phone, rows, now)
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


async def note_barred(
    tx: Tx, attempt_id: AttemptId, campaign_id: CampaignId, why: str, now: int
) -> None:
    """Remember that an attempt was not made, if its callee was listed since it was claimed."""
    phone = await tx.value("phone_of_attempt", attempt_id=attempt_id)
    if await holding(tx, phone, campaign_id):
        await _remember(tx, HistoryEvent.REFUSED, [(phone, campaign_id, why)], now)


async def note_inbound(tx: Tx, calls: Sequence[tuple[InboundCall, int]]) -> list[None]:
    """Remember calls to our numbers by whoever is listed: everywhere, or where they were called.

    A call that is reported again is remembered once.
    """
    for call, at in calls:
        detail = f"called {call.to}: {call.sid}"
        for phone in await _phones_of_caller(tx, call):
            if all(row["detail"] != detail for row in await history_of(tx, phone)):
                made = [(phone, scope, detail) for scope in await _scopes_of_caller(tx, phone)]
                await _remember(tx, HistoryEvent.INBOUND, made, at)
    return [None] * len(calls)


async def _phones_of_caller(tx: Tx, call: InboundCall) -> Sequence[str]:
    """The numbers by which we know whoever calls: networks show some otherwise than they are
    called, as in +52 1 55… for +52 55….

    One that is no contact's may be that of somebody who was called from the number they call now.
    """
    if call.from_ is None:
        return []
    phone = parsed(call.from_, None) or call.from_
    if await tx.row("contact_by_phone", phone=phone) is not None:
        return [phone]
    alike = f"{phone[:_SAME_BEGIN]}%{phone[-_SAME_END:]}"
    called = await tx.rows("called_alike", number=call.to, alike=alike)
    return [phone, *(row["phone"] for row in called if row["phone"] != phone)]


async def _scopes_of_caller(tx: Tx, phone: str) -> Sequence[CampaignId | None]:
    """Where a caller is listed: everywhere, else in each campaign that has called them."""
    scopes = {row["campaign_id"] for row in await tx.rows("listed_callers", phone=phone)}
    return [None] if None in scopes else sorted(scopes)


async def opt_out_caller(tx: Tx, calls: Sequence[tuple[InboundCall, int]]) -> list[None]:
    """List whoever calls one of our numbers everywhere, by their own word at the instant given.

    They are listed under the number that is shown and under the one they were called by.
    """
    for call, at in calls:
        phones = await _phones_of_caller(tx, call)
        if phones:
            note = f"asked for it in a call to {call.to}"
            await add(tx, phones, at, source=Source.CALLEE, note=note)
    return [None] * len(calls)


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


async def listed_at(tx: Tx, phone: str, campaign_id: CampaignId, at: int) -> bool:
    """Whether a phone was listed at an instant, for a campaign or everywhere, by its history."""
    scopes = dict[CampaignId | None, bool]()
    for row in await tx.rows("dnc_history_of", phone=phone):
        event = HistoryEvent(row["event"])
        if row["at"] <= at and event in (HistoryEvent.ADDED, HistoryEvent.REMOVED):
            scopes[row["campaign_id"]] = event is HistoryEvent.ADDED
    return scopes.get(None, False) or scopes.get(campaign_id, False)


async def history_of(tx: Tx, phone: str) -> Sequence[Row]:
    """All that has happened to a phone on this list, oldest first."""
    return await tx.rows("dnc_history_of", phone=phone)


async def _record_addition(
    tx: Tx, phones: Sequence[str], scope: CampaignId, source: Source, done: Added, now: int
) -> None:
    by_callee = source is Source.CALLEE
    # A note may tell of the callee, whom the audit log must not name: the history has it.
    after = {"phones": list(phones), "campaign_id": scope or None, **asdict(done)}
    await audit_log.record(
        tx,
        "dnc.opt-out" if by_callee else "dnc.add",
        phones[0] if len(phones) == 1 else f"{len(phones)} numbers",
        now,
        after=after,
        actor=CALLEE if by_callee else None,
    )


async def _record_removal(tx: Tx, phone: str, rows: Sequence[Row], now: int) -> None:
    """Of the entries of one phone, or of all that one campaign has."""
    before = {"entries": len(rows), "campaign_ids": sorted({r["campaign_id"] or 0 for r in rows})}
    if phone:
        await audit_log.record(tx, "dnc.remove", phone, now, before=before)
        return
    campaign = await tx.row("campaign_plan", campaign_id=rows[0]["campaign_id"])
    subject = str(rows[0]["campaign_id"]) if campaign is None else campaign["name"]
    await audit_log.record(tx, "dnc.clear", subject, now, before=before)


async def _remember(
    tx: Tx, event: HistoryEvent, what: Sequence[tuple[str, int | None, str]], now: int
) -> None:
    rows = [
        {"phone": phone, "campaign_id": campaign_id, "event": event.value, "detail": detail,
         "now": now}
        for phone, campaign_id, detail in what
    ]  # fmt: skip
    await tx.many("add_dnc_history", rows)
