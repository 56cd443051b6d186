"""A campaign as the engine needs it: its row, read once per revision and made ready to decide."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dialer import rule_book
from dialer.errors import DialerError, NotFoundError, UsageError
from dialer.hours import (
    ALWAYS_OPEN,
    HolidayProvider,
    Hours,
    Intersection,
    OpeningHours,
    closing_when_unknown,
)
from dialer.hours_format import from_json
from dialer.lazy_log import Log
from dialer.model import AgentKind, AmdMode, CampaignId, OnMachine
from dialer.ports import Row, Tx
from dialer.rules.pack import current_pack
from dialer.rules.rule import Cap
from dialer.rules.rule_set import RuleSet
from dialer.states import CampaignStatus
from dialer.telling import Telling
from dialer.windows import Window, Windows
from retries.outcome import Outcome
from retries.policy import Policy
from rotation.pool import Limits
from rotation.strategies import Strategy

log = Log()

_DAY_S: Final = 86_400
#: In place of a campaign: what is wrong with the rules of all.
_RULES: Final = "rules"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in force, made ready to decide."""

    id: int | None  # None: as they are delivered
    windows: Windows


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
    amd_shadow: tuple[AmdMode, ...]
    on_machine: OnMachine
    completion_timeout_s: int
    policy: Policy
    callee_caps: tuple[Cap, ...]
    rules: Rules
    _hours_at: dict[str, Hours] = field(default_factory=dict, compare=False, repr=False)

    @property
    def asked_of_carrier(self) -> AmdMode:
        """CARRIER where the carrier is to detect machines, be it as a shadow; else the mode."""
        return AmdMode.CARRIER if AmdMode.CARRIER in self.amd_shadow else self.amd

    def window(self, window_key: str) -> Window:
        """What the rules say of callees with that key."""
        return self.rules.windows.of(window_key)

    def hours_at(self, window_key: str) -> Hours:
        """When callees with that key may be called: by the rules and by the schedule."""
        hours = self._hours_at.get(window_key)
        if hours is None:
            hours = Intersection(self.hours, self.window(window_key).hours)
            self._hours_at[window_key] = hours
        return hours

    def next_open_at(self, window_key: str, at: int) -> int | None:
        """When callees with that key may be called from *at* on; None: the schedule never opens.

        Where the callee is it may be closed for good as it seems — an emergency stop, a zone that
        is not known — and that may change: it is asked again when the schedule opens.
        """
        opening = self.hours_at(window_key).next_open(at)
        return self.hours.next_open(at) if opening is None else opening


class Plans:
    """The campaigns' plans, kept until their revision moves or the rules do."""

    def __init__(self, holidays: HolidayProvider) -> None:
        self._holidays = holidays
        self._rules: Rules | None = None
        self._known: dict[CampaignId, CampaignPlan] = {}
        self._told = Telling()

    async def active(self, tx: Tx) -> list[CampaignPlan]:
        """Every active campaign, oldest first."""
        return await self._readable(tx, await tx.rows("active_plans"))

    async def open(self, tx: Tx) -> list[CampaignPlan]:
        """Every campaign that may still dial one day, oldest first."""
        return await self._readable(tx, await tx.rows("open_plans"))

    async def calling(self, tx: Tx) -> list[CampaignPlan]:
        """Every campaign with an open attempt, whatever its status."""
        return await self._readable(tx, await tx.rows("calling_plans"))

    async def of(self, tx: Tx, campaign_id: CampaignId) -> CampaignPlan:
        """One campaign, whatever its status; it does not end before the transaction does."""
        row = await tx.row("deciding_plan", campaign_id=campaign_id)
        assert row is not None, f"campaign {campaign_id} has attempts, so nobody can delete it"
        # What is over is settled, whatever can be read. A retry may be put into a closed hour by
        # that, but nobody is claimed for a campaign whose hours or rules are unreadable.
        try:
            rules = await self._rules_as_of(tx, row)
        except DialerError as error:
            if self._told.is_news(_RULES, str(error)):
                log.error("rules.unreadable", error=str(error))
            as_delivered = Rules(None, Windows(RuleSet(current_pack()), self._holidays))
            return plan_from({**row, "schedule_body": None}, self._holidays, as_delivered)
        try:
            return self._plan(row, rules)
        except (DialerError, ValueError) as error:
            self._unreadable(row, error)
            return plan_from({**row, "schedule_body": None}, self._holidays, rules)

    async def readable(self, tx: Tx, campaign_id: CampaignId) -> CampaignPlan:
        """One campaign; raises UsageError when its hours or the rules cannot be read, NotFoundError
        when somebody has deleted it meanwhile."""
        row = await tx.row("campaign_plan", campaign_id=campaign_id)
        if row is None:
            raise gone()
        try:
            return self._plan(row, await self._rules_as_of(tx, row))
        except ValueError as error:
            raise UsageError(f"campaign {row['name']!r} cannot be read: {error}") from error

    async def as_of(self, tx: Tx, campaign_id: CampaignId, rule_set_id: int | None) -> CampaignPlan:
        """A campaign under the rules of a past set; its settings are today's. Raises NotFoundError
        when somebody has deleted it meanwhile."""
        row = await tx.row("campaign_plan", campaign_id=campaign_id)
        if row is None:
            raise gone()
        windows = Windows(await rule_book.as_of(tx, rule_set_id), self._holidays)
        return plan_from(row, self._holidays, Rules(rule_set_id, windows))

    def forget(self) -> None:
        """A transaction was rolled back: what was read in it may never have been."""
        self._known.clear()
        self._rules = None

    async def _rules_as_of(self, tx: Tx, row: Row) -> Rules:
        """The rules that are in force as a plan's row is read."""
        if self._rules is None or self._rules.id != row["rule_set_id"]:
            windows = Windows(await rule_book.load(tx), self._holidays)
            self._rules = Rules(row["rule_set_id"], windows)
            self._known.clear()
            self._told.over(_RULES)
        return self._rules

    async def _readable(self, tx: Tx, rows: Sequence[Row]) -> list[CampaignPlan]:
        """The plans that can be read; one that cannot stops its own campaign and no other."""
        plans = []
        for row in rows:
            try:
                plans.append(self._plan(row, await self._rules_as_of(tx, row)))
            except (DialerError, ValueError) as error:
                self._unreadable(row, error)
        return plans

    def _unreadable(self, row: Row, error: Exception) -> None:
        """Say so once for each revision of a campaign: it is read at every sweep."""
        if self._told.is_news(row["id"], f"{row['revision']}: {error}"):
            log.error("campaign.unreadable", campaign=row["id"], error=str(error))

    def _plan(self, row: Row, rules: Rules) -> CampaignPlan:
        known = self._known.get(row["id"])
        if known is None or known.revision != row["revision"]:
            known = self._known[row["id"]] = plan_from(row, self._holidays, rules)
            self._told.over(row["id"])
        return known


def gone() -> NotFoundError:
    """What to raise of a campaign that was there a moment ago: somebody has deleted it."""
    return NotFoundError(
        "the campaign is gone: somebody has deleted it", next_step="dialer campaign list"
    )


def plan_from(row: Row, holidays: HolidayProvider, rules: Rules) -> CampaignPlan:
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
        amd_shadow=modes_from(row["amd_shadow"]),
        on_machine=OnMachine(row["on_machine"]),
        completion_timeout_s=row["completion_timeout_s"],
        policy=policy_from(row),
        callee_caps=(
            Cap(row["callee_calls_per_day"], _DAY_S),
            Cap(row["callee_calls_per_week"], 7 * _DAY_S),
        ),
        rules=rules,
    )


def hours_from(schedule_body: str | None, holidays: HolidayProvider) -> Hours:
    """The hours of a stored schedule; no schedule is always open.

    Of a calendar that is not known (any more), every day is a holiday: not knowing closes, and
    closes this schedule alone.
    """
    if schedule_body is None:
        return ALWAYS_OPEN
    return OpeningHours(from_json(json.loads(schedule_body)), closing_when_unknown(holidays))


def modes_from(listed: str) -> tuple[AmdMode, ...]:
    """The modes of a stored list."""
    return tuple(AmdMode(mode) for mode in json.loads(listed))


def policy_from(row: Row) -> Policy:
    """The retry policy of a campaign's row."""
    rules: dict[str, Any] = json.loads(row["retry_rules"])
    return Policy(
        max_retries=row["max_retries"],
        intervals_s=tuple(json.loads(row["retry_intervals_s"])),
        overrides={Outcome(name): tuple(intervals) for name, intervals in rules.items()},
    )
