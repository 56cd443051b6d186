"""The private database of one run, and what keeps a small world in step with the large one."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from dialer import campaigns
from dialer.counters import count_calls, local_day
from dialer.forecast.problem import Allowance, Problem
from dialer.forecast.snapshot import Member
from dialer.forecast.stand_ins import StandIn, weights
from dialer.hours import Hours
from dialer.model import AmdMode, CampaignId, DaemonId, NumberId
from dialer.ports import Clock, Database, Tx
from dialer.states import CampaignEvent

MS: Final = 1000
#: So long before a day or an opening begins it is made ready, in seconds.
BEFORE_S: Final = 1.0


async def furnish(
    tx: Tx, problem: Problem, allowances: Sequence[Allowance], owner: DaemonId
) -> CampaignId:
    """Write the campaign of *problem* into an empty database and start it."""
    at, setup = problem.at, problem.setup
    agent = problem.agent
    agent_id = await tx.value(
        "add_agent",
        name="agent",
        kind=agent.kind,
        target=agent.target,
        options=json.dumps(dict(agent.options)),
        now=at,
    )
    schedule_id = None
    if setup.schedule_body is not None:
        schedule_id = await tx.value(
            "add_schedule", name="schedule", body=setup.schedule_body, now=at
        )
    if setup.rules_body is not None:
        await tx.value("add_rule_set", body=setup.rules_body, now=at)
    await tx.many("forecast_add_numbers", [_number(problem, each) for each in problem.stand_ins])
    new = replace(
        problem.campaign,
        agent_id=agent_id,
        schedule_id=schedule_id,
        numbers=weights(problem.stand_ins),
        # Whoever detects machines out there: here the cards know, and the carrier says so.
        amd=problem.campaign.amd if problem.campaign.amd is AmdMode.OFF else AmdMode.CARRIER,
        amd_shadow=(),
    )
    campaign_id = await campaigns.create(tx, new, at)
    await tx.many("save_rotation", [_turn(campaign_id, each) for each in problem.stand_ins])
    await tx.run("forecast_pace", campaign_id=campaign_id, **_pace(problem, allowances))
    await count_calls(tx, _unusable(allowances, at))
    await _add_people(tx, problem, campaign_id, owner)
    await campaigns.move(tx, new.name, CampaignEvent.START, at)
    return campaign_id


def _number(problem: Problem, stand_in: StandIn) -> dict[str, Any]:
    number, live = stand_in.numbers[0], stand_in.max_live
    limits = live is not None and live < problem.setup.lines
    return {
        "id": number.id,
        "phone": number.phone,
        "zone": number.zone,
        "max_live": problem.scale.lines(live) if live and limits else None,
        "spam_score": number.spam_score,
        "disabled_at": None if number.enabled else problem.at,
        "now": problem.at,
    }


def _turn(campaign_id: CampaignId, stand_in: StandIn) -> dict[str, Any]:
    number = stand_in.numbers[0]
    return {
        "campaign_id": campaign_id,
        "number_id": number.id,
        "last_turn": number.last_turn,
        "credit": number.credit,
        "last_used_at": number.last_used_at,
    }


def _pace(problem: Problem, allowances: Sequence[Allowance]) -> dict[str, int]:
    return {
        "max_calls_per_day": _most(allowances),
        "call_interval_ms": round(problem.spacing_s * MS),
        "max_concurrent": problem.scale.lines(problem.setup.lines),
    }


async def _add_people(tx: Tx, problem: Problem, campaign_id: CampaignId, owner: DaemonId) -> None:
    at, members = problem.at, problem.members
    contacts = [{"id": each.id, "phone": each.phone, "now": at} for each in members]
    await tx.many("forecast_add_contacts", contacts)
    stands_in = {number.id: each.id for each in problem.stand_ins for number in each.numbers}
    people = [
        {
            "id": each.id,
            "campaign_id": campaign_id,
            "state": each.state.value,
            "priority": each.priority,
            "next_at": each.next_at,
            "window_key": each.window_key,
            "attempts": each.attempts,
            "rejections": each.rejections,
            "not_placed": each.not_placed,
            "last_number_id": stands_in.get(each.last_number_id or 0),
            "last_outcome": each.last_outcome,
            "attempt_id": _open_call_id(each) if each.open_call else None,
            "now": at,
        }
        for each in members
    ]
    await tx.many("forecast_add_members", people)
    calls = [
        {
            "id": _open_call_id(each),
            "member_id": each.id,
            "campaign_id": campaign_id,
            "number_id": problem.stand_ins[0].id,  # whichever it was, the call is over
            "owner": owner,
            "phone": each.phone,
            "send_at": 0,  # counted among the recent calls
            **each.open_call._asdict(),
        }
        for each in members
        if each.open_call
    ]
    await tx.many("forecast_add_calls", calls)
    await tx.many("forecast_add_calls", _recent_calls(problem, campaign_id, owner))


def _recent_calls(
    problem: Problem, campaign_id: CampaignId, owner: DaemonId
) -> list[dict[str, Any]]:
    """What people have behind them that caps count, whichever campaign it was."""
    return [
        {
            "id": f"recent{member.id}.{n}",
            "member_id": member.id,
            "campaign_id": campaign_id,
            "number_id": problem.stand_ins[0].id,  # whichever it was, the call is over
            "owner": owner,
            "phone": member.phone,
            "send_at": send_at,
            "outcome": None,
            "error_code": None,
            "duration_s": None,
        }
        for member in problem.members
        for n, send_at in enumerate(member.recent)
    ]


def _open_call_id(member: Member) -> str:
    return f"open{member.id}"


class Keeper:
    """Does in a small world what rounding would take from it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        hours: Hours,
        campaign_id: CampaignId,
        allowances: Sequence[Allowance],
    ) -> None:
        self._database = database
        self._clock = clock
        self._hours = hours
        self._campaign_id = campaign_id
        self._allowances = allowances

    async def open_days(self) -> None:
        """Count what a number may not use of its cap on a day as calls it has made, day by day."""
        zones = {each.stand_in.zone for each in self._allowances}
        while True:
            ends_at = {zone: local_day(zone, self._clock.now())[1] for zone in zones}
            midnight_at = min(ends_at.values())
            await self._sleep_until(midnight_at - int(BEFORE_S * MS))
            begin = [a for a in self._allowances if ends_at[a.stand_in.zone] == midnight_at]
            async with self._database.write() as tx:
                await count_calls(tx, _unusable(begin, midnight_at, _most(self._allowances)))
            await self._sleep_until(midnight_at)

    async def carry_pace(self) -> None:
        """Let what was left of the call interval at closing still be left at the next opening.

        In the large world the interval is short and starts afresh each morning; in a small one
        every morning would bring a call too early by half an interval.
        """
        while True:
            closes_at = self._hours.open_until(self._clock.now())
            opens_at = self._hours.next_open(closes_at)
            if opens_at is None:
                return
            await self._sleep_until(opens_at - int(BEFORE_S * MS))
            async with self._database.write() as tx:
                row = await tx.row("claim_campaign", campaign_id=self._campaign_id)
                assert row is not None, "the campaign of this run exists"
                left_us = max(0, row["next_slot_us"] - closes_at * MS)
                next_us = opens_at * MS + left_us
                await tx.run(
                    "move_campaign_lane", campaign_id=self._campaign_id, next_slot_us=next_us
                )
            await self._sleep_until(opens_at)

    async def _sleep_until(self, at: int) -> None:
        await asyncio.sleep(max(0.0, (at - self._clock.now()) / MS))


def _most(allowances: Sequence[Allowance]) -> int:
    """The cap of all numbers, which no day of any of them passes."""
    return max(each.most for each in allowances)


def _unusable(
    allowances: Sequence[Allowance], at: int, most: int | None = None
) -> list[tuple[NumberId, str, int]]:
    """What numbers may not use of the cap on their day at *at*: number, day, calls."""
    most = _most(allowances) if most is None else most
    found = []
    for each in allowances:
        day, _ = local_day(each.stand_in.zone, at)
        calls = most - each.on(date.fromisoformat(day).toordinal())
        if calls:
            found.append((NumberId(each.stand_in.id), day, calls))
    return found
