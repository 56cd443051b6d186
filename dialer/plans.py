"""A campaign as the engine needs it: its row, read once per revision and made ready to decide."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import structlog

from dialer.errors import DialerError
from dialer.hours import ALWAYS_OPEN, Hours, OpeningHours
from dialer.hours_format import from_json
from dialer.model import AgentKind, AmdMode, CampaignId, OnMachine
from dialer.ports import Row, Tx
from dialer.states import CampaignStatus
from retries.outcome import Outcome
from retries.policy import Policy
from rotation.pool import Limits
from rotation.strategies import Strategy

log = structlog.get_logger()

#: Public holidays of a calendar code in a year.
HolidayProvider = Callable[[str, int], frozenset[date]]

#: Every member's calling window is its campaign's, so far; windows of the callee's own zone and
#: region get keys of their own, and a claim asks for the keys that are open.
WHOLE_CAMPAIGN: Final = ""


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """What decides when and how a campaign's members are called, as of *revision*."""

    id: CampaignId
    name: str
    status: CampaignStatus
    revision: int
    start_at: int | None
    agent_kind: AgentKind
    hours: Hours
    strategy: Strategy
    limits: Limits
    stay_on_number: bool
    interval_us: int
    max_concurrent: int
    ring_timeout_s: int
    amd: AmdMode
    on_machine: OnMachine
    completion_timeout_s: int
    policy: Policy

    def open_window_keys(self, at: int) -> tuple[str, ...]:
        """The keys of the windows that are open at *at*."""
        return (WHOLE_CAMPAIGN,) if self.hours.is_open(at) else ()


class Plans:
    """The campaigns' plans, kept until their revision moves."""

    def __init__(self, holidays: HolidayProvider) -> None:
        self._holidays = holidays
        self._known: dict[CampaignId, CampaignPlan] = {}

    async def active(self, tx: Tx) -> list[CampaignPlan]:
        """Every active campaign, oldest first."""
        return self._readable(await tx.rows("active_plans"))

    async def open(self, tx: Tx) -> list[CampaignPlan]:
        """Every campaign that may still dial one day, oldest first."""
        return self._readable(await tx.rows("open_plans"))

    async def calling(self, tx: Tx) -> list[CampaignPlan]:
        """Every campaign with an open attempt, whatever its status."""
        return self._readable(await tx.rows("calling_plans"))

    async def of(self, tx: Tx, campaign_id: CampaignId) -> CampaignPlan:
        """One campaign, whatever its status; it does not end before the transaction does."""
        row = await tx.row("deciding_plan", campaign_id=campaign_id)
        assert row is not None, f"campaign {campaign_id} has members, so it exists"
        try:
            return self._plan(row)
        except (DialerError, ValueError) as error:
            # What is over is settled all the same. A retry may be put into a closed hour by this,
            # but nobody is claimed for a campaign whose hours cannot be read.
            log.error("campaign.unreadable", campaign=campaign_id, error=str(error))
            return plan_from({**row, "schedule_body": None}, self._holidays)

    def forget(self) -> None:
        """A transaction was rolled back: what was read in it may never have been."""
        self._known.clear()

    def _readable(self, rows: Sequence[Row]) -> list[CampaignPlan]:
        """The plans that can be read; one that cannot stops its own campaign and no other."""
        plans = []
        for row in rows:
            try:
                plans.append(self._plan(row))
            except (DialerError, ValueError) as error:
                log.error("campaign.unreadable", campaign=row["id"], error=str(error))
        return plans

    def _plan(self, row: Row) -> CampaignPlan:
        known = self._known.get(row["id"])
        if known is None or known.revision != row["revision"]:
            known = self._known[row["id"]] = plan_from(row, self._holidays)
        return known


def plan_from(row: Row, holidays: HolidayProvider) -> CampaignPlan:
    """Make a campaign's row, joined with its schedule, ready to decide."""
    return CampaignPlan(
        id=row["id"],
        name=row["name"],
        status=CampaignStatus(row["status"]),
        revision=row["revision"],
        start_at=row["start_at"],
        agent_kind=AgentKind(row["agent_kind"]),
        hours=hours_from(row["schedule_body"], holidays),
        strategy=Strategy(row["strategy"]),
        limits=Limits(row["spam_threshold"], row["max_calls_per_day"]),
        stay_on_number=bool(row["stay_on_number"]),
        interval_us=row["call_interval_ms"] * 1000,
        max_concurrent=row["max_concurrent"],
        ring_timeout_s=row["ring_timeout_s"],
        amd=AmdMode(row["amd"]),
        on_machine=OnMachine(row["on_machine"]),
        completion_timeout_s=row["completion_timeout_s"],
        policy=policy_from(row),
    )


def hours_from(schedule_body: str | None, holidays: HolidayProvider) -> Hours:
    """The hours of a stored schedule; no schedule is always open."""
    if schedule_body is None:
        return ALWAYS_OPEN
    return OpeningHours(from_json(json.loads(schedule_body)), holidays)


def policy_from(row: Row) -> Policy:
    """The retry policy of a campaign's row."""
    rules: dict[str, Any] = json.loads(row["retry_rules"])
    return Policy(
        max_retries=row["max_retries"],
        intervals_s=tuple(json.loads(row["retry_intervals_s"])),
        overrides={Outcome(name): tuple(intervals) for name, intervals in rules.items()},
    )
