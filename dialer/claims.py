"""Taking members for attempts: the one transaction in which every limit is checked.

Theory of operation. A claim holds the account's row, so that claims of all campaigns and all
daemons take turns: whatever is counted here — live calls per campaign, account and caller id,
calls per number and day, slots of the account's and the campaign's lane, open attempts per
callee — is exact, because nobody else can take any of it meanwhile. The same transaction writes
the intents. When it has committed, each claim is an attempt that a crash cannot forget.

A limit defers, it never fails: the result of a claim that takes nothing is the reason, from the
closed set, and the instant at which asking again makes sense. Whoever is on the do-not-call list is
not called, ever: their member fails here. Further rules about the callee (caps, legal windows) join
in :meth:`Claims._due`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dialer import pacing
from dialer.attempts import Attempts, claimed
from dialer.counters import count_calls, local_day
from dialer.do_not_call import refuse_listed
from dialer.model import (
    Claim,
    DaemonId,
    MemberId,
    NumberId,
    OnMachine,
    WaitReason,
)
from dialer.plans import CampaignPlan
from dialer.ports import Clock, Ids, Row, Tx
from dialer.states import (
    WAITING_MEMBER_STATES,
    AttemptState,
    CampaignEvent,
    CampaignStatus,
    MemberEvent,
    advance_campaign,
    advance_member,
)
from rotation.caller import CallerId
from rotation.pool import Pool

#: The window must stay open for the ring time, or the carrier's bound, and this much more.
CLOSING_GUARD_S: Final = 5.0
#: A callee whose other attempt is open is asked about again after this.
ASK_AGAIN_S: Final = 1.0
#: Members are claimed in the order of these: high, normal, low.
PRIORITIES: Final = (0, 1, 2)

MS: Final = 1000


#: Where a claim takes a member, by the text of where it was.
CLAIMED_STATE: Final = {
    state.value: advance_member(state, MemberEvent.CLAIM).value for state in WAITING_MEMBER_STATES
}


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What the carrier's account allows; 0 means no limit."""

    calls_per_second: float
    max_concurrent: int


@dataclass(frozen=True, slots=True)
class ClaimTimes:
    """How far a claim reaches."""

    look_ahead_s: float  # slots are reserved so far ahead: the lanes stay full between claims
    patience_s: float  # an order that did not leave so long after its slot is void
    accept_bound_s: float  # A1: a request that left is accepted within this, or never
    answer_s: float  # by then the carrier's answer to an order is recorded, or was lost


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Ask for up to *limit* of a campaign's members."""

    plan: CampaignPlan
    limit: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Why nothing (more) was claimed, and when asking again makes sense; None: when told."""

    reason: WaitReason
    until_at: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What was taken, what held the rest back, and whether the campaign has come to its end."""

    claims: Sequence[Claim]
    wait: Wait | None = None
    stale: bool = False  # the plan is older than the campaign: read it again
    finished: bool = False


@dataclass(frozen=True, slots=True)
class _Room:
    """How many calls may start, and who says so."""

    calls: int
    reason: WaitReason


class Claims:
    """The handler of claim requests for one daemon."""

    def __init__(
        self,
        clock: Clock,
        ids: Ids,
        owner: DaemonId,
        attempts: Attempts,
        account: AccountLimits,
        times: ClaimTimes,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._owner = owner
        self._attempts = attempts
        self._account = account
        self._times = times
        self._account_spacing_us = pacing.per_second(account.calls_per_second)

    async def claim(self, tx: Tx, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        """Serve each request in turn, within one transaction."""
        account_next_us = await tx.value("account_lane")
        results = []
        for request in requests:
            result, account_next_us = await self._serve(tx, request, account_next_us)
            results.append(result)
        await tx.run("move_account_lane", next_slot_us=account_next_us)
        return results

    async def _serve(
        self, tx: Tx, request: ClaimRequest, account_next_us: int
    ) -> tuple[ClaimResult, int]:
        plan, now = request.plan, self._clock.now()
        row = await tx.row("claim_campaign", campaign_id=plan.id)
        if row is None or row["revision"] != plan.revision:
            return ClaimResult((), stale=True), account_next_us
        if wait := closed(plan, now, self._times):
            return await self._held(tx, plan, wait, now), account_next_us
        live = await tx.rows("live_calls")
        room = self._room(plan, live, request.limit)
        lanes = (
            pacing.Lane(account_next_us, self._account_spacing_us),
            pacing.Lane(row["next_slot_us"], plan.interval_us),
        )
        if wait := self._held_by_limits(room, lanes, now):
            return ClaimResult((), wait), await self._believed(tx, plan, lanes, now)
        slots = pacing.reserve(lanes, now * MS, self._horizon_us(now), room.calls)
        pool, days = await self._pool(tx, plan, live, now)
        if unavailable := pool.unavailable():
            wait = Wait(WaitReason.NO_NUMBER, unavailable.until_at, unavailable.text)
            return await self._held(tx, plan, wait, now), account_next_us
        found = await self._due(tx, plan, now, len(slots.starts_us))
        if not found:
            return await self._nothing_due(tx, plan, now), account_next_us
        await refuse_listed(tx, plan.id, [row for row in found if row["listed"]], now)
        due = [row for row in found if not row["listed"]]
        claims = self._take(plan, pool, due, slots.starts_us, now)
        taken = pacing.reserve(lanes, now * MS, self._horizon_us(now), len(claims))
        await self._write(tx, plan, pool, due, claims, days)
        await tx.run("move_campaign_lane", campaign_id=plan.id, next_slot_us=taken.lanes[1].next_us)
        more = None if len(claims) == len(due) else Wait(WaitReason.NO_NUMBER, None)
        return ClaimResult(claims, more), taken.lanes[0].next_us

    def _room(self, plan: CampaignPlan, live: Sequence[Row], limit: int) -> _Room:
        in_campaign = sum(row["calls"] for row in live if row["campaign_id"] == plan.id)
        rooms = [
            _Room(plan.max_concurrent - in_campaign, WaitReason.CAMPAIGN_CONCURRENCY),
            _Room(limit, WaitReason.NEXT),
        ]
        if self._account.max_concurrent:
            in_account = sum(row["calls"] for row in live)
            left = self._account.max_concurrent - in_account
            rooms.append(_Room(left, WaitReason.ACCOUNT_CONCURRENCY))
        return min(rooms, key=lambda room: room.calls)

    def _horizon_us(self, now: int) -> int:
        return now * MS + int(self._times.look_ahead_s * pacing.US)

    def _held_by_limits(self, room: _Room, lanes: Sequence[pacing.Lane], now: int) -> Wait | None:
        if room.calls <= 0:
            return Wait(room.reason, None)
        account, campaign = lanes
        horizon_us = self._horizon_us(now)
        free_us, reason = max(
            (account.free_at(horizon_us), WaitReason.CALLS_PER_SECOND),
            (campaign.free_at(horizon_us), WaitReason.CALL_INTERVAL),
        )
        if free_us > horizon_us:
            # Rounded up: asked a fraction of a millisecond early, the answer would be the same.
            return Wait(reason, -(-free_us // MS) - int(self._times.look_ahead_s * MS))
        return None

    async def _believed(
        self, tx: Tx, plan: CampaignPlan, lanes: Sequence[pacing.Lane], now: int
    ) -> int:
        """Write off what a clock that was ahead left behind, or it would hold at every asking for
        as long again; returns when the account's lane is free."""
        account, campaign = lanes
        horizon_us = self._horizon_us(now)
        free_us = campaign.free_at(horizon_us)
        if free_us != campaign.next_us:
            await tx.run("move_campaign_lane", campaign_id=plan.id, next_slot_us=free_us)
        return account.free_at(horizon_us)

    async def _pool(
        self, tx: Tx, plan: CampaignPlan, live: Sequence[Row], now: int
    ) -> tuple[Pool, Mapping[NumberId, str]]:
        """The campaign's numbers as they stand, and the day each of them is living in."""
        since = datetime.fromtimestamp(now / MS, UTC).date() - timedelta(days=1)
        counted = await tx.rows("pool_days", campaign_id=plan.id, since_day=since.isoformat())
        calls = {(row["number_id"], row["day"]): row["calls"] for row in counted}
        live_calls: Counter[NumberId] = Counter()
        for row in live:
            live_calls[row["number_id"]] += row["calls"]
        days: dict[NumberId, str] = {}
        callers = []
        for row in await tx.rows("campaign_pool", campaign_id=plan.id):
            number_id = row["id"]
            days[number_id], day_ends_at = local_day(row["zone"], now)
            calls_today = calls.get((number_id, days[number_id]), 0)
            callers.append(_caller(row, calls_today, live_calls[number_id], day_ends_at))
        return Pool(callers, plan.limits, plan.strategy, now), days

    async def _due(self, tx: Tx, plan: CampaignPlan, now: int, limit: int) -> list[Row]:
        """The next members in line whose window is open and whose callee nobody is calling."""
        due: list[Row] = []
        for priority in PRIORITIES:
            for key in plan.open_window_keys(now):
                if len(due) < limit:
                    due += await tx.rows(
                        "claim_due",
                        campaign_id=plan.id,
                        window_key=key,
                        priority=priority,
                        now=now,
                        limit=limit - len(due),
                    )
        return due

    async def _nothing_due(self, tx: Tx, plan: CampaignPlan, now: int) -> ClaimResult:
        times = [
            at
            for priority in PRIORITIES
            for key in plan.open_window_keys(now)
            if (
                at := await tx.value(
                    "next_due", campaign_id=plan.id, window_key=key, priority=priority
                )
            )
            is not None
        ]
        if times and min(times) <= now:
            return ClaimResult((), Wait(WaitReason.CALLEE_BUSY, now + int(ASK_AGAIN_S * MS)))
        if times:
            return ClaimResult((), Wait(WaitReason.RETRY_NOT_DUE, min(times)))
        return await self._held(tx, plan, Wait(WaitReason.AWAITING_OUTCOME, None), now)

    async def _held(self, tx: Tx, plan: CampaignPlan, wait: Wait, now: int) -> ClaimResult:
        """Held back by *wait*, unless nobody is left to be held: then the campaign is over."""
        if plan.status is not CampaignStatus.ACTIVE or await self._unfinished(tx, plan):
            return ClaimResult((), wait)
        status = advance_campaign(CampaignStatus.ACTIVE, CampaignEvent.COMPLETE)
        await tx.run(
            "move_campaign",
            campaign_id=plan.id,
            was=CampaignStatus.ACTIVE,
            status=status,
            now=now,
            reason=None,
        )
        await tx.run("clear_waits", campaign_id=plan.id)
        return ClaimResult((), finished=True)

    @staticmethod
    async def _unfinished(tx: Tx, plan: CampaignPlan) -> bool:
        """Whether anybody is left; asked again once no import can be under way."""
        if await tx.value("unfinished_member", campaign_id=plan.id) is not None:
            return True
        await tx.value("hold_campaign", campaign_id=plan.id)
        return await tx.value("unfinished_member", campaign_id=plan.id) is not None

    def _take(
        self, plan: CampaignPlan, pool: Pool, due: Sequence[Row], starts_us: Sequence[int], now: int
    ) -> list[Claim]:
        closes_at = plan.hours.open_until(now)
        claims = []
        for member, start_us in zip(due, starts_us, strict=False):
            caller = pool.take(member["last_number_id"] if plan.stay_on_number else None)
            if caller is None:
                break
            send_at = start_us // MS
            void_at = min(
                send_at + int(self._times.patience_s * MS),
                closes_at - int(closing_s(plan, self._times) * MS),
                caller.day_ends_at,  # the call counts for the day it was claimed on
            )
            claims.append(
                Claim(
                    attempt_id=self._ids.attempt(now),
                    member_id=MemberId(member["id"]),
                    campaign_id=plan.id,
                    number_id=NumberId(caller.id),
                    to=member["phone"],
                    from_=caller.phone,
                    send_at=send_at,
                    void_at=void_at,
                    intent_at=now,
                    ring_timeout_s=plan.ring_timeout_s,
                    amd=plan.amd,
                    detect_message_end=plan.on_machine is OnMachine.LEAVE_MESSAGE,
                )
            )
        return claims

    async def _write(
        self,
        tx: Tx,
        plan: CampaignPlan,
        pool: Pool,
        due: Sequence[Row],
        claims: Sequence[Claim],
        days: Mapping[NumberId, str],
    ) -> None:
        moves = [
            {
                "member_id": claim.member_id,
                "was": member["state"],
                "state": CLAIMED_STATE[member["state"]],
                "attempt_id": claim.attempt_id,
                "number_id": claim.number_id,
                "now": claim.intent_at,
            }
            for member, claim in zip(due, claims, strict=False)
        ]
        await tx.many("claim_members", moves)
        await tx.many("add_attempts", [self._intent(c, days[c.number_id]) for c in claims])
        self._attempts.hold(
            claimed(plan, member, claim, days[claim.number_id], self._check_at(claim))
            for member, claim in zip(due, claims, strict=False)
        )
        await count_calls(tx, [(c.number_id, days[c.number_id], 1) for c in claims])
        turns = [
            {
                "campaign_id": plan.id,
                "number_id": caller.id,
                "last_turn": caller.last_turn,
                "credit": caller.credit,
                "last_used_at": caller.last_used_at,
            }
            for caller in pool.changed()
        ]
        await tx.many("save_rotation", turns)

    def _check_at(self, claim: Claim) -> int:
        """When an intent without an answer becomes suspicious."""
        return claim.void_at + int(self._times.answer_s * MS)

    def _intent(self, claim: Claim, day: str) -> dict[str, object]:
        return {
            "id": claim.attempt_id,
            "member_id": claim.member_id,
            "campaign_id": claim.campaign_id,
            "number_id": claim.number_id,
            "owner": self._owner,
            "phone": claim.to,
            "state": AttemptState.INTENT.value,
            "day": day,
            "intent_at": claim.intent_at,
            "send_at": claim.send_at,
            "check_at": self._check_at(claim),
        }


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


def closing_s(plan: CampaignPlan, times: ClaimTimes) -> float:
    """So long before the end of a window no request may leave any more: the carrier may take its
    time to accept it, and the callee to answer."""
    return max(plan.ring_timeout_s, times.accept_bound_s) + CLOSING_GUARD_S


def closed(plan: CampaignPlan, now: int, times: ClaimTimes) -> Wait | None:
    """What keeps the whole campaign from calling at *now*, if anything does."""
    if plan.status is not CampaignStatus.ACTIVE:
        reason = WaitReason.PAUSED if plan.status is CampaignStatus.PAUSED else WaitReason.ENDED
        return Wait(reason, None)
    if plan.start_at is not None and plan.start_at > now:
        return Wait(WaitReason.NOT_STARTED, plan.start_at)
    if not plan.hours.is_open(now):
        return Wait(WaitReason.OUTSIDE_HOURS, plan.hours.next_open(now))
    needed_ms = int((closing_s(plan, times) + times.look_ahead_s) * MS)
    closes_at = plan.hours.open_until(now)
    if closes_at - now < needed_ms:
        return Wait(WaitReason.OUTSIDE_HOURS, plan.hours.next_open(closes_at), "closing")
    return None
