"""What operators look at: read models, computed from what the engine wrote down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dialer import campaigns as use_cases
from dialer.hours import HolidayProvider
from dialer.model import CampaignId, WaitReason
from dialer.plans import hours_from
from dialer.ports import Row, Tx
from dialer.states import (
    FINAL_MEMBER_STATES,
    WAITING_MEMBER_STATES,
    CampaignStatus,
    MemberState,
)

#: Where the campaign's own status says why its members wait.
_PLAIN_REASONS: Final[Mapping[CampaignStatus, WaitReason]] = {
    CampaignStatus.DRAFT: WaitReason.DRAFT,
    CampaignStatus.PAUSED: WaitReason.PAUSED,
    CampaignStatus.COMPLETED: WaitReason.ENDED,
    CampaignStatus.CANCELLED: WaitReason.ENDED,
}
#: Reasons that an active campaign cannot have any more.
_PASSED: Final = frozenset({WaitReason.DRAFT, WaitReason.PAUSED, WaitReason.DRAINING})


@dataclass(frozen=True, slots=True)
class CampaignOverview:
    """One line of the campaign list."""

    id: CampaignId
    name: str
    status: CampaignStatus
    hours: str  # open or closed now, in words
    contacts: int
    done: int  # members in a final state
    members: Mapping[str, int]  # members by state
    numbers: int
    agent: str
    start_at: int | None
    pause_reason: str | None


@dataclass(frozen=True, slots=True)
class CampaignStatusReport:
    """Everything about one campaign."""

    campaign: CampaignOverview
    outcomes: Mapping[str, int]
    attempts: Mapping[str, int]
    failed: Mapping[str, int]
    waiting: Sequence[Row]
    daemons: Sequence[Row]


async def campaigns(tx: Tx, now: int, holidays: HolidayProvider) -> list[CampaignOverview]:
    """Every campaign, oldest first."""
    members: dict[int, dict[str, int]] = {}
    for row in await tx.rows("member_counts"):
        members.setdefault(row["campaign_id"], {})[row["state"]] = row["members"]
    return [
        _overview(row, members.get(row["id"], {}), now, holidays)
        for row in await tx.rows("campaign_overview")
    ]


async def status(tx: Tx, name: str, now: int, holidays: HolidayProvider) -> CampaignStatusReport:
    """One campaign; raises NotFoundError for a name nobody knows."""
    found = await use_cases.find(tx, name)
    campaign_id = found["id"]
    daemons = await tx.rows("live_daemons", now=now)
    (overview,) = [each for each in await campaigns(tx, now, holidays) if each.id == campaign_id]
    return CampaignStatusReport(
        campaign=overview,
        outcomes=_counted(
            await tx.rows("outcome_counts", campaign_id=campaign_id), "outcome", "calls"
        ),
        attempts=_counted(
            await tx.rows("attempt_counts", campaign_id=campaign_id), "state", "attempts"
        ),
        failed=_counted(
            await tx.rows("failure_counts", campaign_id=campaign_id), "reason", "members"
        ),
        waiting=await _waiting(tx, overview, alive=bool(daemons)),
        daemons=daemons,
    )


def _overview(
    row: Row, members: Mapping[str, int], now: int, holidays: HolidayProvider
) -> CampaignOverview:
    hours = hours_from(row["schedule_body"], holidays)
    if row["schedule_body"] is None:
        words = "always open"
    else:
        words = f"{'open' if hours.is_open(now) else 'closed'} ({row['schedule']})"
    return CampaignOverview(
        id=row["id"],
        name=row["name"],
        status=CampaignStatus(row["status"]),
        hours=words,
        contacts=sum(members.values()),
        done=sum(members.get(state, 0) for state in FINAL_MEMBER_STATES),
        members={state: members[state] for state in MemberState if state in members},
        numbers=row["numbers"],
        agent=row["agent"],
        start_at=row["start_at"],
        pause_reason=row["pause_reason"],
    )


async def _waiting(tx: Tx, campaign: CampaignOverview, *, alive: bool) -> Sequence[Row]:
    """The dispatcher's own reasons, unless something that is plain to see overrides them."""
    plain = _PLAIN_REASONS.get(campaign.status)
    noted = await tx.rows("campaign_waits", campaign_id=campaign.id)
    if plain is None and not alive:
        plain = WaitReason.NO_DAEMON
    elif plain is None and any(row["reason"] in _PASSED for row in noted):
        plain = WaitReason.NEXT  # noted before the campaign was started or resumed
    if plain is None:
        return noted
    counts = {
        plain: sum(campaign.members.get(state, 0) for state in WAITING_MEMBER_STATES),
        WaitReason.IN_CALL: campaign.members.get(MemberState.DIALING, 0),
        WaitReason.AWAITING_OUTCOME: campaign.members.get(MemberState.CALLED, 0),
    }
    return [
        {"reason": reason, "members": count, "until_at": None, "detail": "", "noted_at": None}
        for reason, count in counts.items()
        if count
    ]


def _counted(rows: Sequence[Row], key: str, column: str) -> dict[str, int]:
    return {row[key]: row[column] for row in rows}
