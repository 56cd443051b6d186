"""What operators look at: read models, computed from what the engine wrote down."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dialer import campaigns as use_cases
from dialer import hold
from dialer.hours import HolidayProvider, Hours
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
_PASSED: Final = frozenset(
    {WaitReason.DRAFT, WaitReason.PAUSED, WaitReason.HELD, WaitReason.DRAINING}
)
#: A rate of fewer calls than this says nothing.
LEAST_CALLS: Final = 20
#: Of so many of the newest attempts the answers are counted, which a large history takes 0.1 s for.
RATED: Final = 100_000


@dataclass(frozen=True, slots=True)
class HoursNow:
    """What a schedule says of this moment."""

    is_open: bool
    changes_at: int | None  # when that ends; None: never, as far as can be foreseen
    zone: str | None  # of the schedule; None: there is none, it is always open


@dataclass(frozen=True, slots=True)
class CampaignOverview:
    """One line of the campaign list."""

    id: CampaignId
    name: str
    status: CampaignStatus
    hours: str  # open or closed now, in words
    hours_now: HoursNow
    contacts: int
    done: int  # members in a final state
    members: Mapping[str, int]  # members by state
    numbers: int
    agent: str
    start_at: int | None
    ended_at: int | None
    paused_at: int | None
    paused_by: str | None
    pause_reason: str | None
    live: int  # calls that are open
    calls: int  # with an outcome, among the newest calls of all campaigns
    humans: int  # of these, answered by a person
    waits: Sequence[Row]  # why members wait, as the dispatcher wrote it down; most members first
    archived_at: int | None

    @property
    def over(self) -> bool:
        """Whether nobody of it will be called any more."""
        return self.status in (CampaignStatus.COMPLETED, CampaignStatus.CANCELLED)

    @property
    def human_rate(self) -> float | None:
        """The share of its calls that a person answered; None when there are too few to say."""
        return self.humans / self.calls if self.calls >= LEAST_CALLS else None


@dataclass(frozen=True, slots=True)
class CampaignStatusReport:
    """Everything about one campaign."""

    campaign: CampaignOverview
    outcomes: Mapping[str, int]
    attempts: Mapping[str, int]
    failed: Mapping[str, int]
    waiting: Sequence[Row]
    daemons: Sequence[Row]
    hold: hold.Hold | None  # of everything


async def campaigns(tx: Tx, now: int, holidays: HolidayProvider) -> list[CampaignOverview]:
    """Every campaign, oldest first."""
    members: dict[int, dict[str, int]] = {}
    for row in await tx.rows("member_counts"):
        members.setdefault(row["campaign_id"], {})[row["state"]] = row["members"]
    live: dict[int, int] = {}
    for row in await tx.rows("live_calls"):
        live[row["campaign_id"]] = live.get(row["campaign_id"], 0) + row["calls"]
    waits: dict[int, list[Row]] = {}
    for row in await tx.rows("soonest_waits"):
        waits.setdefault(row["campaign_id"], []).append(row)
    rates = {row["campaign_id"]: row for row in await tx.rows("answer_rates", among=RATED)}
    return [
        _overview(
            row,
            hours_now(row["schedule_body"], now, holidays),
            members.get(row["id"], {}),
            live.get(row["id"], 0),
            waits.get(row["id"], []),
            rates.get(row["id"]),
        )
        for row in await tx.rows("campaign_overview")
    ]


async def status(tx: Tx, name: str, now: int, holidays: HolidayProvider) -> CampaignStatusReport:
    """One campaign; raises NotFoundError for a name nobody knows."""
    found = await use_cases.find(tx, name)
    campaign_id = found["id"]
    daemons = await tx.rows("live_daemons", now=now)
    held = await hold.standing(tx)
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
        waiting=waiting(
            overview.status, overview.members, overview.waits, alive=bool(daemons), held=held
        ),
        daemons=daemons,
        hold=held,
    )


def hours_now(schedule_body: str | None, now: int, holidays: HolidayProvider) -> HoursNow:
    """What a stored schedule, or none, says of *now*."""
    if schedule_body is None:
        return HoursNow(is_open=True, changes_at=None, zone=None)
    return seen(hours_from(schedule_body, holidays), json.loads(schedule_body)["zone"], now)


def seen(hours: Hours, zone: str, now: int) -> HoursNow:
    """What hours in a zone say of *now*."""
    if not hours.is_open(now):
        return HoursNow(is_open=False, changes_at=hours.next_open(now), zone=zone)
    closes_at = hours.open_until(now)
    stays = hours.is_open(closes_at)
    return HoursNow(is_open=True, changes_at=None if stays else closes_at, zone=zone)


def waiting(
    status: CampaignStatus,
    members: Mapping[str, int],
    noted: Sequence[Row],
    *,
    alive: bool,
    held: hold.Hold | None = None,
) -> Sequence[Row]:
    """The dispatcher's own reasons, unless something that is plain to see overrides them.

    *members* are the campaign's by state; *alive* says whether there is a daemon, *held* whether
    everything is held.
    """
    plain, detail = _PLAIN_REASONS.get(status), ""
    if plain is None and held is not None:
        plain, detail = WaitReason.HELD, held.words
    elif plain is None and not alive:
        plain = WaitReason.NO_DAEMON
    elif plain is None and any(row["reason"] in _PASSED for row in noted):
        plain = WaitReason.NEXT  # noted before the campaign was started or resumed
    if plain is None:
        return noted
    counts = {
        plain: sum(members.get(state, 0) for state in WAITING_MEMBER_STATES),
        WaitReason.IN_CALL: members.get(MemberState.DIALING, 0),
        WaitReason.AWAITING_OUTCOME: members.get(MemberState.CALLED, 0),
    }
    return [
        {
            "reason": reason,
            "members": count,
            "until_at": None,
            "detail": detail if reason is plain else "",
            "noted_at": None,
        }
        for reason, count in counts.items()
        if count
    ]


def _overview(
    row: Row,
    hours: HoursNow,
    members: Mapping[str, int],
    live: int,
    waits: Sequence[Row],
    rate: Row | None,
) -> CampaignOverview:
    word = "open" if hours.is_open else "closed"
    return CampaignOverview(
        id=row["id"],
        name=row["name"],
        status=CampaignStatus(row["status"]),
        hours="always open" if hours.zone is None else f"{word} ({row['schedule']})",
        hours_now=hours,
        contacts=sum(members.values()),
        done=sum(members.get(state, 0) for state in FINAL_MEMBER_STATES),
        members={state: members[state] for state in MemberState if state in members},
        numbers=row["numbers"],
        agent=row["agent"],
        start_at=row["start_at"],
        ended_at=row["ended_at"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        pause_reason=row["pause_reason"],
        live=live,
        calls=rate["calls"] if rate else 0,
        humans=rate["humans"] if rate else 0,
        waits=waits,
        archived_at=row["archived_at"],
    )


def _counted(rows: Sequence[Row], key: str, column: str) -> dict[str, int]:
    return {row[key]: row[column] for row in rows}
