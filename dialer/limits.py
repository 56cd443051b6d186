"""How many calls may start and when: what campaigns, the account and the numbers have left.

Asked by the claim, in the transaction that takes what is left, and by whoever explains.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dialer import pacing
from dialer.counters import local_day
from dialer.model import NumberId, WaitReason
from dialer.permission import ClaimTimes, Wait
from dialer.plans import CampaignPlan
from dialer.ports import Row, Tx
from rotation.caller import CallerId
from rotation.pool import Pool

MS: Final = 1000


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What the carrier's account allows; 0 means no limit."""

    calls_per_second: float
    max_concurrent: int


@dataclass(frozen=True, slots=True)
class Room:
    """How many calls there are at once, how many there may be, and what stands for the bound."""

    live: int
    allowed: int
    reason: WaitReason

    @property
    def calls(self) -> int:
        """How many more may start."""
        return self.allowed - self.live


def rooms(plan: CampaignPlan, live: Sequence[Row], account: AccountLimits) -> Sequence[Room]:
    """What the campaign has left of its calls at once, and the account if it is bounded."""
    in_campaign = sum(row["calls"] for row in live if row["campaign_id"] == plan.id)
    found = [Room(in_campaign, plan.max_concurrent, WaitReason.CAMPAIGN_CONCURRENCY)]
    if account.max_concurrent:
        in_account = sum(row["calls"] for row in live)
        found.append(Room(in_account, account.max_concurrent, WaitReason.ACCOUNT_CONCURRENCY))
    return found


def no_room(found: Sequence[Room]) -> Wait | None:
    """What the tightest room says; it is told when a call ends."""
    tightest = min(found, key=lambda room: room.calls)
    return Wait(tightest.reason, None) if tightest.calls <= 0 else None


def lanes(
    plan: CampaignPlan, account: AccountLimits, account_next_us: int, campaign_next_us: int
) -> tuple[pacing.Lane, pacing.Lane]:
    """The account's lane and the campaign's."""
    return (
        pacing.Lane(account_next_us, pacing.per_second(account.calls_per_second)),
        pacing.Lane(campaign_next_us, plan.interval_us),
    )


def horizon_us(now: int, times: ClaimTimes) -> int:
    """The last instant (UTC microseconds) for which a slot is reserved."""
    return first_us(now, times) + int(times.look_ahead_s * pacing.US)


def first_us(now: int, times: ClaimTimes) -> int:
    """The first instant (UTC microseconds) for which a slot is reserved."""
    return now * MS + int(times.lead_s * pacing.US)


def no_slot(both: Sequence[pacing.Lane], now: int, times: ClaimTimes) -> Wait | None:
    """What the account's lane and the campaign's say of a call that starts now."""
    account, campaign = both
    horizon = horizon_us(now, times)
    free_us, reason = max(
        (account.free_at(horizon), WaitReason.CALLS_PER_SECOND),
        (campaign.free_at(horizon), WaitReason.CALL_INTERVAL),
    )
    if free_us <= horizon:
        return None
    # Rounded up: asked a fraction of a millisecond early, the answer would be the same.
    return Wait(reason, -(-free_us // MS) - int((times.look_ahead_s + times.lead_s) * MS))


async def pool(
    tx: Tx, plan: CampaignPlan, live: Sequence[Row], now: int
) -> tuple[Pool, Mapping[NumberId, str]]:
    """The campaign's numbers ready to be taken, and the day each of them is living in."""
    standing, days = await callers(tx, plan, live, now)
    return Pool(standing, plan.limits, plan.strategy, now), days


async def callers(
    tx: Tx, plan: CampaignPlan, live: Sequence[Row], now: int
) -> tuple[list[CallerId], Mapping[NumberId, str]]:
    """The campaign's numbers as they stand, and the day each of them is living in."""
    since = datetime.fromtimestamp(now / MS, UTC).date() - timedelta(days=1)
    counted = await tx.rows("pool_days", campaign_id=plan.id, since_day=since.isoformat())
    calls = {(row["number_id"], row["day"]): row["calls"] for row in counted}
    live_calls: Counter[NumberId] = Counter()
    for row in live:
        live_calls[row["number_id"]] += row["calls"]
    days: dict[NumberId, str] = {}
    standing = []
    for row in await tx.rows("campaign_pool", campaign_id=plan.id):
        number_id = row["id"]
        days[number_id], day_ends_at = local_day(row["zone"], now)
        calls_today = calls.get((number_id, days[number_id]), 0)
        standing.append(_caller(row, calls_today, live_calls[number_id], day_ends_at))
    return standing, days


def no_number(numbers: Pool) -> Wait | None:
    """What the campaign's numbers say."""
    unavailable = numbers.unavailable()
    if unavailable is None:
        return None
    return Wait(WaitReason.NO_NUMBER, unavailable.until_at, unavailable.text)


def _caller(row: Row, calls_today: int, live_calls: int, day_ends_at: int) -> CallerId:
    return CallerId(
        id=row["id"],
        phone=row["phone"],
        weight=row["weight"],
        enabled=row["disabled_at"] is None,
        spam_score=row["spam_score"],
        calls_today=calls_today,
        live_calls=live_calls,
        max_live=row["max_live"],
        day_ends_at=day_ends_at,
        last_turn=row["last_turn"],
        credit=row["credit"],
        last_used_at=row["last_used_at"],
    )
