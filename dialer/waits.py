"""Why members are not being dialed, counted per campaign from a closed set of reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dialer.model import CampaignId, WaitReason
from dialer.permission import ClaimTimes, Wait, outside_window
from dialer.plans import CampaignPlan
from dialer.ports import Row, Tx
from dialer.states import MemberState


@dataclass(frozen=True, slots=True)
class Waits:
    """Why a campaign's members were not being dialed when they were counted."""

    campaign_id: CampaignId
    rows: Sequence[Mapping[str, Any]]


async def count_waits(tx: Tx, plan: CampaignPlan, wait: Wait, now: int, times: ClaimTimes) -> Waits:
    """Count the campaign's members by reason; *wait* is what holds back those that are due."""
    found = await tx.rows("waiting_counts", campaign_id=plan.id, now=now)
    rows = [
        {
            "campaign_id": plan.id,
            "reason": reason,
            "members": members,
            "until_at": until_at,
            "detail": wait.detail if reason is wait.reason else "",
            "noted_at": now,
        }
        # In one order, so that two daemons at this cannot wait for each other.
        for reason, (members, until_at) in sorted(_reasons(found, plan, wait, now, times).items())
        if members
    ]
    return Waits(plan.id, rows)


async def record_waits(tx: Tx, counted: Sequence[Waits]) -> list[None]:
    """Replace the reasons of each campaign."""
    for waits in counted:
        await tx.run("clear_waits", campaign_id=waits.campaign_id)
        await tx.many("add_waits", waits.rows)
    return [None] * len(counted)


def _reasons(
    found: Sequence[Row], plan: CampaignPlan, wait: Wait, now: int, times: ClaimTimes
) -> dict[WaitReason, tuple[int, int | None]]:
    """Each reason with its members, and when that changes by itself for the first of them."""
    reasons: dict[WaitReason, tuple[int, int | None]] = {}

    def add(reason: WaitReason, members: int, until_at: int | None) -> None:
        if members:
            before, before_at = reasons.get(reason, (0, until_at))
            times_known = [at for at in (before_at, until_at) if at is not None]
            reasons[reason] = (before + members, min(times_known, default=None))

    for row in found:
        state = MemberState(row["state"])
        if state is MemberState.DIALING:
            add(WaitReason.IN_CALL, row["members"], row["next_at"])
        elif state is MemberState.CALLED:
            add(WaitReason.AWAITING_OUTCOME, row["members"], row["next_at"])
        else:
            window = outside_window(plan, row["window_key"], now, times)
            held = _held(wait, window)
            add(held.reason, row["due"], held.until_at)
            later = _later(state, row, window)
            add(later, row["members"] - row["due"], row["next_at"])
    return reasons


def _held(wait: Wait, window: Wait | None) -> Wait:
    """What holds back members that are due: the campaign, their own window, or the limits."""
    if wait.reason in _OF_ALL:
        return wait
    if window is not None:
        return window
    # A campaign that waits for others has nothing due here but what came due just now.
    return Wait(WaitReason.NEXT, None) if wait.reason in _OF_OTHERS else wait


def _later(state: MemberState, row: Row, window: Wait | None) -> WaitReason:
    """What members wait for that are not due yet."""
    if window is not None and window.reason is WaitReason.ZONE_UNKNOWN:
        return WaitReason.ZONE_UNKNOWN
    if row["put_off"]:
        return WaitReason.CALLEE_CAP
    return WaitReason.RETRY_NOT_DUE if state is MemberState.RETRY else WaitReason.DEFERRED


#: Reasons that hold all members of a campaign, wherever they are.
_OF_ALL: Final = frozenset(
    {
        WaitReason.DRAFT,
        WaitReason.NOT_STARTED,
        WaitReason.PAUSED,
        WaitReason.HELD,
        WaitReason.ENDED,
        WaitReason.NO_DAEMON,
        WaitReason.DRAINING,
        WaitReason.OUTSIDE_HOURS,
    }
)
#: Reasons that are those of members who are not due, or whose window is closed.
_OF_OTHERS: Final = frozenset(
    {WaitReason.RETRY_NOT_DUE, WaitReason.CALLEE_HOURS, WaitReason.ZONE_UNKNOWN}
)
