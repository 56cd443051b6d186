"""Taking the facts, from a transaction that may only read."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final

from dialer import hold, limits, rule_book
from dialer.errors import UsageError
from dialer.hours import HolidayProvider
from dialer.hours_format import from_json
from dialer.model import Agent, AgentKind, FailReason
from dialer.permission import caps_at
from dialer.plans import CampaignPlan, Rules, plan_from
from dialer.ports import Row, Tx
from dialer.preflight.audience import Group, Reach, Spot, spots
from dialer.preflight.bindings import bindings
from dialer.preflight.facts import Deployment, Facts, Members, NumberPool
from dialer.preflight.pace import ENOUGH, Experience, pace
from dialer.preflight.placeholders import placeholders
from dialer.rules.rule_set import RuleSet
from dialer.states import FINAL_MEMBER_STATES, WAITING_MEMBER_STATES, MemberState
from dialer.windows import Windows
from rotation.caller import Ineligible, why_not

MS: Final = 1000
#: So many of the latest calls say how long the next ones will take.
LATEST_CALLS: Final = 5000
#: So many people are read at a time.
PAGE: Final = 5000


async def take(
    tx: Tx, row: Row, now: int, deployment: Deployment, holidays: HolidayProvider
) -> Facts:
    """The facts of a campaign's row; raises UsageError when its hours or rules are unreadable."""
    rules = await rule_book.load(tx)
    plan = _plan(row, rules, holidays)
    body = row["schedule_body"]
    zone_name = from_json(json.loads(body)).zone if body else "UTC"
    groups = await tx.rows("preflight_audience", campaign_id=plan.id)
    waiting = [_group(each) for each in groups if not each["listed"]]
    found = spots(plan, waiting, zone_name, now, deployment.times)
    listed = sum(each["members"] for each in groups if each["listed"])
    experience = await _experience(tx, plan)
    today = datetime.fromtimestamp(now / MS, UTC).date()
    held = await hold.standing(tx)
    return Facts(
        plan=plan,
        at=now,
        zone=zone_name,
        has_schedule=body is not None,
        schedule_opens=plan.hours.next_open(max(now, plan.start_at or 0)) is not None,
        members=await _members(tx, plan, found, listed, now, deployment),
        spots=found,
        bindings=bindings(rules, plan.agent_kind, found, today),
        pace=pace(plan, deployment.account, found, experience),
        numbers=await _numbers(tx, plan, now, deployment),
        unfilled=await _unfilled(tx, row),
        anybody_listed=await tx.value("preflight_any_listed") is not None,
        deployment=deployment,
        held=None if held is None else held.words,
    )


async def unplaced(tx: Tx, facts: Facts) -> AsyncIterator[Sequence[Row]]:
    """Those who will not be called because nobody knows their time zone, page by page."""
    keys = json.dumps([spot.window_key for spot in facts.at_spots(Reach.ZONE_UNKNOWN)])
    after = 0
    while page := await tx.rows(
        "preflight_unplaced", campaign_id=facts.plan.id, keys=keys, after=after, limit=PAGE
    ):
        yield page
        after = page[-1]["id"]


def _plan(row: Row, rules: RuleSet, holidays: HolidayProvider) -> CampaignPlan:
    """The plan under *rules*, whose id no claim will ask for."""
    try:
        return plan_from(row, holidays, Rules(None, Windows(rules, holidays)))
    except ValueError as error:
        raise UsageError(f"campaign {row['name']!r} cannot be read: {error}") from error


def _group(row: Row) -> Group:
    return Group(row["window_key"], row["members"], row["attempts"], row["next_at"])


async def _members(
    tx: Tx,
    plan: CampaignPlan,
    found: Sequence[Spot],
    listed: int,
    now: int,
    deployment: Deployment,
) -> Members:
    by_state = {
        MemberState(row["state"]): row["members"]
        for row in await tx.rows("preflight_states", campaign_id=plan.id)
    }
    why_failed = {
        row["reason"]: row["members"]
        for row in await tx.rows("failure_counts", campaign_id=plan.id)
    }
    refused = why_failed.get(FailReason.DO_NOT_CALL, 0)
    by_reach: Counter[Reach] = Counter()
    for spot in found:
        by_reach[spot.reach] += spot.members
    done = {state: n for state, n in by_state.items() if state in FINAL_MEMBER_STATES}
    waiting = sum(n for state, n in by_state.items() if state in WAITING_MEMBER_STATES)
    under_way = sum(by_state.values()) - sum(done.values()) - waiting
    done[MemberState.FAILED] = done.get(MemberState.FAILED, 0) - refused
    return Members(
        total=sum(by_state.values()),
        done={state.value: n for state, n in done.items() if n},
        under_way=under_way,
        refused=refused,
        listed=listed,
        zone_unknown=by_reach[Reach.ZONE_UNKNOWN],
        never_open=by_reach[Reach.NEVER_OPEN],
        to_call=by_reach[Reach.REACHABLE],
        capped=await _capped(tx, plan, found, now, deployment),
    )


async def _capped(
    tx: Tx, plan: CampaignPlan, found: Sequence[Spot], now: int, deployment: Deployment
) -> int:
    """How many have had as many calls as may be: what ``permission.capped`` would say of each."""
    if await tx.value("preflight_any_call") is None:
        return 0
    late_ms = deployment.times.late_ms
    caps = [
        [
            spot.window_key,
            [
                [now - late_ms - cap.period_s * MS, cap.calls]
                for cap in caps_at(plan, spot.window_key)
            ],
        ]
        for spot in found
        if spot.reach is Reach.REACHABLE
    ]
    return int(await tx.value("preflight_capped", campaign_id=plan.id, caps=json.dumps(caps)))


async def _experience(tx: Tx, plan: CampaignPlan) -> Experience:
    done = await tx.row("preflight_done", campaign_id=plan.id)
    held = await tx.row("preflight_held", limit=LATEST_CALLS)
    assert done is not None, "a count is always one row"
    assert held is not None, "a count is always one row"
    return Experience(
        calls_each=done["calls"] / done["members"] if done["members"] >= ENOUGH else None,
        held_s=held["held_ms"] / MS if held["calls"] >= ENOUGH else None,
    )


async def _numbers(tx: Tx, plan: CampaignPlan, now: int, deployment: Deployment) -> NumberPool:
    callers, _ = await limits.callers(tx, plan, await tx.rows("live_calls"), now)
    reasons = Counter(
        reason for caller in callers if (reason := why_not(caller, plan.limits)) is not None
    )
    owned = deployment.owned
    return NumberPool(
        total=len(callers),
        usable=len(callers) - reasons.total(),
        unusable={reason: reasons[reason] for reason in Ineligible if reasons[reason]},
        not_owned=None if owned is None else [c.phone for c in callers if c.phone not in owned],
    )


async def _unfilled(tx: Tx, row: Row) -> dict[str, int]:
    agent = await tx.row("preflight_agent", campaign_id=row["id"])
    assert agent is not None, "a campaign has an agent"
    names = placeholders(
        Agent(AgentKind(agent["kind"]), agent["target"], json.loads(agent["options"]))
    )
    if not names:
        return {}
    counted = await tx.rows("preflight_unfilled", campaign_id=row["id"], names=json.dumps(names))
    by_name = {each["name"]: each["members"] for each in counted}
    return {name: by_name[name] for name in names if name in by_name}
