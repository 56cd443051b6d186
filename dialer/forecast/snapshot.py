"""A campaign as it stands: everything that decides its course; ``reading`` takes it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dialer.campaigns import NewCampaign
from dialer.hours import HolidayProvider, Hours
from dialer.hours_format import from_json
from dialer.model import Agent, CampaignId
from dialer.plans import hours_from
from dialer.rules.changes_format import from_json as changes_from
from dialer.rules.pack import current_pack
from dialer.rules.rule_set import Changes, RuleSet
from dialer.states import CampaignStatus, MemberState
from retries.outcome import Outcome
from rotation.caller import CallerId, Limits


class OpenCall(NamedTuple):
    """A call that is over while its outcome may still be refined."""

    outcome: str
    error_code: int | None
    duration_s: int | None


class Member(NamedTuple):
    """Somebody who is not done yet."""

    id: int
    phone: str
    state: MemberState  # pending, retry or called
    priority: int
    next_at: int
    window_key: str
    attempts: int
    rejections: int
    not_placed: int
    last_number_id: int | None
    last_outcome: str | None
    open_call: OpenCall | None = None
    recent: tuple[int, ...] = ()  # slots of the calls that caps still count, by any campaign


class Number(NamedTuple):
    """A caller id with its place in the rotation."""

    id: int
    phone: str
    zone: str
    weight: int
    enabled: bool
    spam_score: float | None
    max_live: int | None
    calls_today: int
    last_turn: int = 0
    credit: int = 0
    last_used_at: int | None = None

    @property
    def rested(self) -> CallerId:
        """The number as the rotation sees it on a new day, with nobody on the line."""
        return CallerId(
            id=self.id,
            phone=self.phone,
            weight=self.weight,
            enabled=self.enabled,
            spam_score=self.spam_score,
            calls_today=0,
            live_calls=0,
            max_live=self.max_live,
            day_ends_at=0,
            last_turn=self.last_turn,
            credit=self.credit,
            last_used_at=self.last_used_at,
        )


class PastCall(NamedTuple):
    """One call of the campaign's history."""

    outcome: Outcome
    error_code: int | None
    talk_s: int
    total_s: float  # from the request to the end, as the engine saw it
    made: bool  # False: the carrier refused the request
    calls_before: int  # to the same callee


@dataclass(frozen=True, slots=True)
class Setup:
    """What an operator has set, and might set otherwise."""

    campaign: NewCampaign
    schedule: str | None  # its name; None: always open
    schedule_body: str | None
    numbers: Sequence[Number]
    calls_per_second: float  # of the account; 0: no limit
    account_calls: int  # at once; 0: no limit
    rules_body: str | None = None  # the rules in force, as stored; None: as they are delivered

    @property
    def lines(self) -> int:
        """How many calls there may be at once: as many as campaign and account both allow."""
        allowed = self.campaign.max_concurrent
        return min(allowed, self.account_calls) if self.account_calls else allowed

    @property
    def limits(self) -> Limits:
        """What a number may do for the campaign."""
        return Limits(self.campaign.spam_threshold, self.campaign.max_calls_per_day)

    def hours(self, holidays: HolidayProvider) -> Hours:
        """When calls may be made, by the schedule alone."""
        return hours_from(self.schedule_body, holidays)

    @property
    def rules(self) -> RuleSet:
        """The rules in force where callees are."""
        changes = Changes()
        if self.rules_body is not None:
            changes = changes_from(json.loads(self.rules_body)["changes"])
        return RuleSet(current_pack(), changes)

    def zone(self, default: str) -> str:
        """The zone operators think in: the schedule's, if there is one."""
        if self.schedule_body is None:
            return default
        return from_json(json.loads(self.schedule_body)).zone


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A campaign at one instant (UTC ms)."""

    at: int
    id: CampaignId
    name: str
    status: CampaignStatus
    agent: Agent
    setup: Setup
    members: Sequence[Member]
    under_way: int  # members in a call, counted as still to be called
    listed: int  # members who will not be called: their number is on the do-not-call list
    nowhere: int  # members who will not be called: nobody knows their zone
    shut_out: int  # members who will not be called: the rules close where they are for good
    done: Mapping[str, int]  # members by final state
    history: Sequence[PastCall]
    neighbours: Sequence[tuple[str, int]]  # other active campaigns, and numbers they share
    schedules: Mapping[str, str]  # bodies of those asked for, by name
    held: str | None = None  # by whom everything is held, and why
