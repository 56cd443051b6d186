"""What operators do to single members of a campaign: call again, skip, take out, prefer.

Theory of operation. The daemon works on the same rows at the same time. Each act therefore holds
the members it is for, passing over those somebody else holds, then reads how they stand, judges
each by a pure rule, and moves by compare-and-set those that the rule lets pass. Whoever is being
called, or was and may still call back, is left as they are: their attempt alone moves them.

What is decided here is who waits for a call. Whether one is made is for the claim to say, which
asks about open calls, caps, windows and the do-not-call list whoever has put a member in line.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from dialer import audit_log, campaigns
from dialer.erased import PREFIX
from dialer.model import CampaignId, FailReason
from dialer.people import contacts
from dialer.people.names import id_ranges
from dialer.people.person import Priority
from dialer.ports import Row, Tx
from dialer.states import (
    FINAL_MEMBER_STATES,
    WAITING_MEMBER_STATES,
    CampaignEvent,
    CampaignStatus,
    MemberEvent,
    MemberState,
    advance_member,
)
from retries.outcome import Outcome

MS: Final = 1000

#: Another call of these would be in vain or unwelcome: whoever wants one names the reason.
UNLESS_SAID: Final = frozenset(
    {
        FailReason.INVALID_NUMBER,
        FailReason.FAX,
        FailReason.DO_NOT_CALL,
        FailReason.REFUSED_BY_CHECK,
    }
)
#: The action in the audit log of each act.
RETRY: Final = "contacts.retry"
SKIP: Final = "contacts.skip"
REMOVE: Final = "contacts.remove"
PRIORITY: Final = "contacts.priority"


class Left(StrEnum):
    """Why a member was left as it was: the closed set."""

    IN_CALL = "in_call"  # being called, or the call's outcome is not final yet
    BUSY = "busy"  # somebody else works on it at this moment: ask again
    WAITING = "waiting"  # waits for its call already
    FINISHED = "finished"  # is done, or failed
    DIALED = "dialed"  # was dialed: the record of it stays
    DO_NOT_CALL = "do_not_call"  # its callee is on the list
    ERASED = "erased"  # its callee was erased
    UNLESS_SAID = "unless_said"  # failed for a reason that is to be named with --reason
    SKIPPED = "skipped"  # an operator took it out by name, and it is to be named to come back
    SAME = "same"  # is so already


#: Says why a member is to be left as it is; None: it is not.
Rule: TypeAlias = Callable[[Row], Left | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """Members (rows of ``members_to_edit``) that an act is for, and those it leaves, with why."""

    changed: Sequence[Row]
    left: Sequence[tuple[Row, Left]]
    strangers: Sequence[int] = ()  # contacts that are no members


@dataclass(frozen=True, slots=True)
class Again:
    """How members are to be called again."""

    at: int | None = None  # UTC ms; None: as soon as may be
    said: frozenset[FailReason] = frozenset()  # reasons for which it is wanted in spite of them
    quarantine_s: float = 0  # a call that was not found may turn up for so long after its intent
    reopen: bool = False  # a completed campaign becomes active again


# -- the rules ------------------------------------------------------------------------------------


def why_not_again(member: Row, said: Collection[FailReason]) -> Left | None:
    """Why a member is not sent back to wait for another call."""
    state = MemberState(member["state"])
    if state in WAITING_MEMBER_STATES:
        return Left.WAITING
    if state not in FINAL_MEMBER_STATES or member["in_call"]:
        return Left.IN_CALL
    if member["phone"].startswith(PREFIX):
        return Left.ERASED
    if member["listed"]:
        return Left.DO_NOT_CALL
    reason = member["reason"] if state is MemberState.FAILED else None
    if reason in said:
        return None
    if reason == FailReason.SKIPPED:
        return Left.SKIPPED
    return Left.UNLESS_SAID if reason in UNLESS_SAID else None


def why_not_skipped(member: Row) -> Left | None:
    """Why a member is not taken out of the campaign's calls."""
    state = MemberState(member["state"])
    if state in FINAL_MEMBER_STATES:
        return Left.FINISHED
    return None if state in WAITING_MEMBER_STATES and not member["in_call"] else Left.IN_CALL


def why_not_removed(member: Row) -> Left | None:
    """Why a member is not taken out of the campaign."""
    if member["in_call"]:
        return Left.IN_CALL
    return Left.DIALED if member["dialed"] or member["attempt_id"] is not None else None


def due_at(member: Row, again: Again, now: int) -> int:
    """When a member that is sent back is due (UTC ms): not before a call that was not found can no
    longer turn up.
    """
    asked_at = max(now, again.at or now)
    if member["unplaced_at"] is None:
        return asked_at
    return max(asked_at, int(member["unplaced_at"]) + int(again.quarantine_s * MS))


# -- the acts -------------------------------------------------------------------------------------


async def finished(
    tx: Tx,
    campaign_id: CampaignId,
    *,
    state: MemberState | None = None,
    reason: FailReason | None = None,
    outcome: Outcome | None = None,
) -> Sequence[int]:
    """The contacts of members nothing more happens to by itself; in a state, failed for a reason,
    after a last outcome, or all of them.
    """
    rows = await tx.rows(
        "finished_contact_ids",
        campaign_id=campaign_id,
        state=state or "",
        reason=reason or "",
        outcome=outcome or "",
    )
    return [row["contact_id"] for row in rows]


async def look(tx: Tx, campaign_id: CampaignId, ids: Sequence[int], rule: Rule) -> Judged:
    """What an act by *rule* would change, of the members that the contacts of *ids* are."""
    return _judged(await _members(tx, campaign_id, ids), ids, rule)


async def retry(
    tx: Tx, campaign_id: CampaignId, ids: Sequence[int], again: Again, now: int
) -> Judged:
    """Send finished members back to wait for one more call; a completed campaign is reopened.

    Raises WrongStateError for a cancelled campaign, and for a completed one unless it may be
    reopened; NotFoundError for one that somebody has deleted meanwhile.
    """
    campaign = contacts.check_joinable(
        await tx.row("campaign_to_join", campaign_id=campaign_id), reopen=again.reopen
    )
    judged = await _held(tx, campaign_id, ids, lambda member: why_not_again(member, again.said))
    if not judged.changed:
        return judged
    await tx.many(
        "requeue_members",
        [
            {**_move(member, MemberEvent.REQUEUE, now), "next_at": due_at(member, again, now)}
            for member in judged.changed
        ],
    )
    if CampaignStatus(campaign["status"]) is CampaignStatus.COMPLETED:
        await campaigns.move(tx, campaign["name"], CampaignEvent.REOPEN, now)
    # By these the independent audit knows who may have had a call more than the policy plans.
    members = id_ranges(member["id"] for member in judged.changed)
    await _told(tx, RETRY, campaign_id, judged, now, due_at=again.at, member_ids=members)
    return judged


async def skip(tx: Tx, campaign_id: CampaignId, ids: Sequence[int], why: str, now: int) -> Judged:
    """Fail members that wait: they are not called for this campaign any more."""
    judged = await _held(tx, campaign_id, ids, why_not_skipped)
    await tx.many(
        "skip_members", [_move(member, MemberEvent.SKIP, now) for member in judged.changed]
    )
    await _told(tx, SKIP, campaign_id, judged, now, why=why or None)
    return judged


async def remove(tx: Tx, campaign_id: CampaignId, ids: Sequence[int], now: int) -> Judged:
    """Make members that were never dialed members no more."""
    judged = await _held(tx, campaign_id, ids, why_not_removed)
    await tx.many("take_out_members", [{"member_id": each["id"]} for each in judged.changed])
    await _told(tx, REMOVE, campaign_id, judged, now)
    return judged


async def prioritise(
    tx: Tx, campaign_id: CampaignId, ids: Sequence[int], priority: Priority, now: int
) -> Judged:
    """Give members another priority; whoever is being called keeps the call and has it after."""
    judged = await _held(tx, campaign_id, ids, lambda member: why_not_preferred(member, priority))
    await tx.many(
        "prioritise_members",
        [
            {"member_id": each["id"], "priority": priority.rank, "now": now}
            for each in judged.changed
        ],
    )
    await _told(tx, PRIORITY, campaign_id, judged, now, priority=priority.value)
    return judged


def why_not_preferred(member: Row, priority: Priority) -> Left | None:
    """Why a member is not given a priority."""
    return Left.SAME if member["priority"] == priority.rank else None


async def _members(tx: Tx, campaign_id: CampaignId, ids: Sequence[int]) -> Sequence[Row]:
    return await tx.rows("members_to_edit", campaign_id=campaign_id, contact_ids=json.dumps(ids))


async def _held(tx: Tx, campaign_id: CampaignId, ids: Sequence[int], rule: Rule) -> Judged:
    """Judge members that nobody else moves until the transaction ends."""
    listed = json.dumps(ids)
    held = await tx.rows("hold_members", campaign_id=campaign_id, contact_ids=listed)
    ours = {row["id"] for row in held}
    members = await _members(tx, campaign_id, ids)  # as they stand now that nobody moves them
    return _judged(members, ids, lambda each: rule(each) if each["id"] in ours else Left.BUSY)


def _judged(members: Sequence[Row], ids: Sequence[int], rule: Rule) -> Judged:
    why = [(member, rule(member)) for member in members]
    strangers = set(ids) - {member["contact_id"] for member in members}
    return Judged(
        [member for member, left in why if left is None],
        [(member, left) for member, left in why if left is not None],
        [each for each in ids if each in strangers],
    )


def _move(member: Row, event: MemberEvent, now: int) -> dict[str, Any]:
    return {
        "member_id": member["id"],
        "was": member["state"],
        "state": advance_member(MemberState(member["state"]), event).value,
        "now": now,
    }


async def _told(
    tx: Tx, action: str, campaign_id: CampaignId, judged: Judged, now: int, **facts: Any
) -> None:
    """Tell the daemons and the audit log, of which the log is held last."""
    if not judged.changed:
        return
    await tx.run("bump_revision")
    ids = [member["contact_id"] for member in judged.changed]
    after = {
        "campaign_id": campaign_id,
        "members": len(ids),
        "contact_ids": id_ranges(ids),
        **{name: fact for name, fact in facts.items() if fact is not None},
    }
    one = judged.changed[0]["phone"]
    subject = one if len(ids) == 1 else f"{len(ids)} contacts"
    await audit_log.record(tx, action, subject, now, after=after)
