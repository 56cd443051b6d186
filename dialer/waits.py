"""Why members are not being dialed, counted per campaign from a closed set of reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialer.claims import Wait
from dialer.model import CampaignId, WaitReason
from dialer.ports import Row, Tx
from dialer.states import MemberState


@dataclass(frozen=True, slots=True)
class Waits:
    """Why a campaign's members were not being dialed when they were counted."""

    campaign_id: CampaignId
    rows: Sequence[Mapping[str, Any]]


async def count_waits(tx: Tx, campaign_id: CampaignId, wait: Wait, now: int) -> Waits:
    """Count the campaign's members by reason; *wait* is what holds back those that are due."""
    counts = {
        MemberState(row["state"]): row
        for row in await tx.rows("waiting_counts", campaign_id=campaign_id, now=now)
    }
    rows = [
        {
            "campaign_id": campaign_id,
            "reason": reason,
            "members": members,
            "until_at": until_at,
            "detail": wait.detail if reason is wait.reason else "",
            "noted_at": now,
        }
        # In one order, so that two daemons at this cannot wait for each other.
        for reason, (members, until_at) in sorted(_reasons(counts, wait).items())
        if members
    ]
    return Waits(campaign_id, rows)


async def record_waits(tx: Tx, counted: Sequence[Waits]) -> list[None]:
    """Replace the reasons of each campaign."""
    for waits in counted:
        await tx.run("clear_waits", campaign_id=waits.campaign_id)
        await tx.many("add_waits", waits.rows)
    return [None] * len(counted)


def _reasons(
    counts: Mapping[MemberState, Row], wait: Wait
) -> dict[WaitReason, tuple[int, int | None]]:
    """Each reason with its members, and when that changes by itself."""
    reasons: dict[WaitReason, tuple[int, int | None]] = {}

    def add(reason: WaitReason, members: int, until_at: int | None) -> None:
        before = reasons.get(reason, (0, None))[0]
        reasons[reason] = (before + members, until_at)

    for state, later in (
        (MemberState.PENDING, WaitReason.DEFERRED),
        (MemberState.RETRY, WaitReason.RETRY_NOT_DUE),
    ):
        if row := counts.get(state):
            # A campaign that waits for its retries has nothing due but what came due just now.
            due_reason = WaitReason.NEXT if wait.reason is WaitReason.RETRY_NOT_DUE else wait.reason
            add(due_reason, row["due"], wait.until_at)
            add(later, row["members"] - row["due"], row["next_at"])
    for state, reason in (
        (MemberState.DIALING, WaitReason.IN_CALL),
        (MemberState.CALLED, WaitReason.AWAITING_OUTCOME),
    ):
        if row := counts.get(state):
            add(reason, row["members"], row["next_at"])
    return reasons
