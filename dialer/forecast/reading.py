"""Taking a snapshot of a campaign, from a transaction that may only read."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from dialer import campaigns, hold, rule_book, schedules
from dialer.counters import local_day
from dialer.errors import NotFoundError
from dialer.forecast.snapshot import Member, Number, OpenCall, PastCall, Setup, Snapshot
from dialer.holiday_calendars import public_holidays
from dialer.model import Agent, AgentKind, CampaignId
from dialer.permission import longest_s
from dialer.ports import Row, Tx
from dialer.rules.rule import Cap
from dialer.states import CampaignStatus, MemberState
from dialer.windows import Windows
from retries.outcome import Outcome

MS: Final = 1000
#: So many of a campaign's latest calls say what the next ones will be like.
HISTORY_CALLS: Final = 5000
#: The longest period of a campaign's own caps on callees.
WEEK: Final = Cap(1, 7 * 86_400)


async def take(
    tx: Tx,
    name: str,
    now: int,
    *,
    calls_per_second: float,
    account_calls: int,
    schedule_names: Sequence[str] = (),
) -> Snapshot:
    """Read the campaign of that name or id; NotFoundError when there is none."""
    row = await tx.row("forecast_campaign", name=name)
    if row is None:
        await campaigns.find(tx, name)  # which knows how to say that there is none
        raise NotFoundError(f"there is no campaign {name!r}")
    campaign_id = CampaignId(row["id"])
    numbers = await _numbers(tx, campaign_id, now)
    rules = await tx.row("newest_rule_set")
    windows = Windows(await rule_book.load(tx), public_holidays)
    people = await tx.rows("forecast_members", campaign_id=campaign_id)
    unlisted = [each for each in people if not each["listed"]]
    located = [each for each in unlisted if windows.of(each["window_key"]).place.zones]
    to_call = [each for each in located if _ever_open(windows, each["window_key"], now)]
    recent = await _recent_calls(tx, campaign_id, windows, to_call, now)
    held = await hold.standing(tx)
    history = await tx.rows("forecast_history", campaign_id=campaign_id, limit=HISTORY_CALLS)
    return Snapshot(
        at=now,
        id=campaign_id,
        name=row["name"],
        status=CampaignStatus(row["status"]),
        agent=Agent(
            AgentKind(row["agent_kind"]), row["agent_target"], json.loads(row["agent_options"])
        ),
        setup=Setup(
            campaign=campaigns.settings_from(row, [(each.id, each.weight) for each in numbers]),
            schedule=row["schedule"],
            schedule_body=row["schedule_body"],
            numbers=numbers,
            calls_per_second=calls_per_second,
            account_calls=account_calls,
            rules_body=None if rules is None else rules["body"],
        ),
        members=[_member(each, recent, now) for each in to_call],
        under_way=sum(each["state"] == MemberState.DIALING for each in to_call),
        listed=sum(bool(each["listed"]) for each in people),
        nowhere=len(unlisted) - len(located),
        shut_out=len(located) - len(to_call),
        done={
            each["state"]: each["members"]
            for each in await tx.rows("forecast_done", campaign_id=campaign_id)
        },
        history=[_past_call(each) for each in history],
        neighbours=[
            (each["name"], each["shared"])
            for each in await tx.rows("forecast_neighbours", campaign_id=campaign_id)
        ],
        schedules={each: (await schedules.find(tx, each))["body"] for each in schedule_names},
        held=None if held is None else held.words,
    )


def _ever_open(windows: Windows, window_key: str, now: int) -> bool:
    """Whether the rules ever let a callee there be called."""
    return windows.of(window_key).hours.next_open(now) is not None


async def _recent_calls(
    tx: Tx, campaign_id: CampaignId, windows: Windows, people: Sequence[Row], now: int
) -> Mapping[int, Sequence[int]]:
    """The slots of calls that caps may still count, by contact."""
    keys = {each["window_key"] for each in people}
    look_back_s = longest_s([WEEK, *(cap for key in keys for cap in windows.of(key).caps)])
    calls: dict[int, list[int]] = defaultdict(list)
    for row in await tx.rows(
        "forecast_recent_calls", campaign_id=campaign_id, since_at=now - look_back_s * MS
    ):
        calls[row["contact_id"]].append(row["send_at"])
    return calls


async def _numbers(tx: Tx, campaign_id: CampaignId, now: int) -> list[Number]:
    since = datetime.fromtimestamp(now / MS, UTC).date() - timedelta(days=1)
    counted = await tx.rows("pool_days", campaign_id=campaign_id, since_day=since.isoformat())
    calls = {(row["number_id"], row["day"]): row["calls"] for row in counted}
    return [
        Number(
            row["id"],
            row["phone"],
            row["zone"],
            row["weight"],
            row["disabled_at"] is None,
            row["spam_score"],
            row["max_live"],
            calls.get((row["id"], local_day(row["zone"], now)[0]), 0),
            row["last_turn"],
            row["credit"],
            row["last_used_at"],
        )
        for row in await tx.rows("campaign_pool", campaign_id=campaign_id)
    ]


def _member(row: Row, recent: Mapping[int, Sequence[int]], now: int) -> Member:
    state = MemberState(row["state"])
    open_call = None
    if state is MemberState.CALLED:
        open_call = OpenCall(row["outcome"], row["error_code"], row["duration_s"])
    next_at = row["next_at"]
    if state is MemberState.DIALING:
        state = MemberState.RETRY if row["attempts"] else MemberState.PENDING
        next_at = now
    return Member(
        row["id"],
        row["phone"],
        state,
        row["priority"],
        next_at,
        row["window_key"],
        row["attempts"],
        row["rejections"],
        row["not_placed"],
        row["last_number_id"],
        row["last_outcome"],
        open_call,
        tuple(recent.get(row["contact_id"], ())),
    )


def _past_call(row: Row) -> PastCall:
    return PastCall(
        outcome=Outcome(row["outcome"]),
        error_code=row["error_code"],
        talk_s=row["duration_s"] or 0,
        total_s=max(0.0, (row["closed_at"] - row["send_at"]) / MS),
        made=bool(row["made"]),
        calls_before=row["calls_before"],
    )
