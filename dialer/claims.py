"""Taking members for attempts: the one transaction in which every limit is checked.

Theory of operation. A claim holds the account's row, so that claims of all campaigns and all
daemons take turns: whatever is counted here — live calls per campaign, account and caller id,
calls per number and day, slots of the account's and the campaign's lane, open attempts per
callee — is exact, because nobody else can take any of it meanwhile. The same transaction writes
the intents. When it has committed, each claim is an attempt that a crash cannot forget.

A limit defers, it never fails: the result of a claim that takes nothing is the reason, from the
closed set, and the instant at which asking again makes sense. A callee who has had as many calls as
may be is put off until one more is allowed; whoever is on the do-not-call list is not called, ever:
their member fails here. The questions themselves are in ``permission.py``.

Members stand in queues, one for each place where callees may be and each priority. Of the queues
that are open, those whose window closes soonest are served first; every few claims it is the one
that has waited longest instead, so that nobody starves behind windows that keep closing.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dialer import audit_log, hold, limits, pacing
from dialer.attempts import Attempts, claimed
from dialer.callees import DAY_MS, recent_calls
from dialer.counters import count_calls
from dialer.do_not_call import refuse_listed
from dialer.intents import claimed_rows, intent_rows
from dialer.limits import AccountLimits
from dialer.model import (
    CampaignId,
    Claim,
    DaemonId,
    MemberId,
    NumberId,
    OnMachine,
    WaitReason,
)
from dialer.permission import (
    ClaimTimes,
    Wait,
    capped,
    caps_at,
    closed,
    closing_s,
    longest_s,
    next_opening,
    outside_window,
)
from dialer.plans import CampaignPlan
from dialer.ports import Clock, Ids, Row, Tx
from dialer.states import (
    CampaignEvent,
    CampaignStatus,
    advance_campaign,
)
from rotation.pool import Pool

#: A callee whose other attempt is open is asked about again after this.
ASK_AGAIN_S: Final = 1.0
#: One claim in so many serves whoever has waited longest, wherever they are.
FAIR_TURN: Final = 4
#: Where nobody who was found may be called, so many more are looked at, so many times.
LOOK_FURTHER: Final = 200
LOOKS: Final = 5

MS: Final = 1000


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Ask for up to *limit* of a campaign's members."""

    plan: CampaignPlan
    limit: int


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What was taken, what held the rest back, and whether the campaign has come to its end."""

    claims: Sequence[Claim]
    wait: Wait | None = None
    stale: bool = False  # the plan is older than the campaign: read it again
    finished: bool = False


@dataclass(frozen=True, slots=True)
class _Queue:
    """Members who wait, of one place and one priority."""

    window_key: str
    priority: int
    next_at: int  # when the first of them is due
    closes_at: int  # when their window does
    wait: Wait | None  # what their window says

    def held_by(self) -> Wait:
        """What the first of them waits for: to be due, or for the window."""
        if self.wait is None:
            return Wait(WaitReason.RETRY_NOT_DUE, self.next_at)
        if self.wait.until_at is None or self.next_at <= self.wait.until_at:
            return self.wait
        return Wait(WaitReason.RETRY_NOT_DUE, self.next_at)


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
        self.times: Final = times
        self._turns: Counter[CampaignId] = Counter()

    def allow(self, account: AccountLimits) -> None:
        """From now on the carrier's account allows *account*; slots that are taken stay so."""
        self._account = account

    async def claim(self, tx: Tx, requests: Sequence[ClaimRequest]) -> list[ClaimResult]:
        """Serve each request in turn, within one transaction."""
        lane = await tx.row("account_lane")
        assert lane is not None, "the account has a lane"
        if wait := hold.wait(lane):
            return [ClaimResult((), wait) for _ in requests]
        account_next_us = lane["next_slot_us"]
        results = []
        for request in requests:
            result, account_next_us = await self._serve(tx, request, account_next_us)
            results.append(result)
        await tx.run("move_account_lane", next_slot_us=account_next_us)
        for request, result in zip(requests, results, strict=True):
            if result.finished:  # the log's lock is taken last
                await _record_end(tx, request.plan, self._clock.now())
        return results

    async def _serve(
        self, tx: Tx, request: ClaimRequest, account_next_us: int
    ) -> tuple[ClaimResult, int]:
        plan, now = request.plan, self._clock.now()
        row = await tx.row("claim_campaign", campaign_id=plan.id)
        if row is None or (row["revision"], row["rule_set_id"]) != (plan.revision, plan.rules.id):
            return ClaimResult((), stale=True), account_next_us
        if wait := closed(plan, now, self.times):
            return await self._held(tx, plan, wait, now), account_next_us
        live = await tx.rows("live_calls")
        rooms = limits.rooms(plan, live, self._account)
        lanes = limits.lanes(plan, self._account, account_next_us, row["next_slot_us"])
        if wait := limits.no_room(rooms) or limits.no_slot(lanes, now, self.times):
            return ClaimResult((), wait), await self._believed(tx, plan, lanes, now)
        slots = self._reserve(lanes, now, min(request.limit, *(room.calls for room in rooms)))
        pool, days = await limits.pool(tx, plan, live, now)
        if wait := limits.no_number(pool):
            return await self._held(tx, plan, wait, now), account_next_us
        queues = await self._queues(tx, plan, now)
        due = await self._due(tx, plan, queues, now, len(slots.starts_us))
        if due is None:
            return await self._nothing_due(tx, plan, queues, now), account_next_us
        claims = self._take(plan, pool, due, self._open_us(lanes, slots, now), now)
        taken = self._reserve(lanes, now, len(claims))
        await self._write(tx, plan, pool, due, claims, days)
        await tx.run("move_campaign_lane", campaign_id=plan.id, next_slot_us=taken.lanes[1].next_us)
        all_taken = len(claims) == min(len(due), len(slots.starts_us))
        more = None if all_taken else Wait(WaitReason.NO_NUMBER, None)
        return ClaimResult(claims, more), taken.lanes[0].next_us

    def _reserve(self, lanes: Sequence[pacing.Lane], now: int, most: int) -> pacing.Slots:
        first_us, horizon_us = limits.first_us(now, self.times), limits.horizon_us(now, self.times)
        return pacing.reserve(lanes, first_us, horizon_us, most)

    def _open_us(
        self, lanes: Sequence[pacing.Lane], slots: pacing.Slots, now: int
    ) -> Sequence[int]:
        """From when on each of the reserved calls may really leave."""
        horizon_us = limits.horizon_us(now, self.times)
        return pacing.opened(lanes, now * MS, horizon_us, slots.starts_us)

    async def _believed(
        self, tx: Tx, plan: CampaignPlan, lanes: Sequence[pacing.Lane], now: int
    ) -> int:
        """Write off what a clock that was ahead left behind, or it would hold at every asking for
        as long again; returns when the account's lane is free."""
        account, campaign = lanes
        horizon_us = limits.horizon_us(now, self.times)
        free_us = campaign.free_at(horizon_us)
        if free_us != campaign.next_us:
            await tx.run("move_campaign_lane", campaign_id=plan.id, next_slot_us=free_us)
        return account.free_at(horizon_us)

    async def _queues(self, tx: Tx, plan: CampaignPlan, now: int) -> list[_Queue]:
        """The queues of members who wait, in the order in which they are to be served."""
        queues = []
        waits: dict[str, Wait | None] = {}
        for row in await tx.rows("claim_queues", campaign_id=plan.id):
            key = row["window_key"]
            if key not in waits:
                waits[key] = outside_window(plan, key, now, self.times)
            closes_at = plan.hours_at(key).open_until(now)
            queues.append(_Queue(key, row["priority"], row["next_at"], closes_at, waits[key]))
        self._turns[plan.id] += 1
        if self._turns[plan.id] % FAIR_TURN:
            return sorted(queues, key=lambda q: (q.priority, q.closes_at, q.next_at, q.window_key))
        return sorted(queues, key=lambda q: (q.priority, q.next_at, -q.closes_at, q.window_key))

    async def _due(
        self, tx: Tx, plan: CampaignPlan, queues: Sequence[_Queue], now: int, most: int
    ) -> list[Row] | None:
        """The next members in line who may be called; None: nobody is in line.

        Where all who are found have had their calls, it is looked further down the line at once.
        """
        for limit in (most, *(LOOK_FURTHER,) * LOOKS):
            found = await self._in_line(tx, plan, queues, now, limit)
            if not found:
                return None
            if due := await self._callable(tx, plan, found, now):
                return due
        return []

    @staticmethod
    async def _in_line(
        tx: Tx, plan: CampaignPlan, queues: Sequence[_Queue], now: int, limit: int
    ) -> list[Row]:
        """The next members in line whose window is open and whose callee nobody is calling."""
        line: list[Row] = []
        for queue in queues:
            if len(line) < limit and queue.wait is None and queue.next_at <= now:
                line += await tx.rows(
                    "claim_due",
                    campaign_id=plan.id,
                    window_key=queue.window_key,
                    priority=queue.priority,
                    now=now,
                    limit=limit - len(line),
                )
        return line

    async def _nothing_due(
        self, tx: Tx, plan: CampaignPlan, queues: Sequence[_Queue], now: int
    ) -> ClaimResult:
        if not queues:
            return await self._held(tx, plan, Wait(WaitReason.AWAITING_OUTCOME, None), now)
        if any(queue.wait is None and queue.next_at <= now for queue in queues):
            return ClaimResult((), Wait(WaitReason.CALLEE_BUSY, now + int(ASK_AGAIN_S * MS)))
        return ClaimResult((), min((queue.held_by() for queue in queues), key=_comes_at))

    async def _callable(
        self, tx: Tx, plan: CampaignPlan, found: Sequence[Row], now: int
    ) -> list[Row]:
        """Those who may be called; who is listed fails, who has had their calls is put off."""
        await refuse_listed(tx, plan.id, [row for row in found if row["listed"]], now)
        members = [row for row in found if not row["listed"]]
        caps = {key: caps_at(plan, key) for key in {row["window_key"] for row in members}}
        look_back_s = longest_s(cap for each in caps.values() for cap in each)
        since_at = now - look_back_s * MS - self.times.late_ms
        calls = await recent_calls(tx, [row["contact_id"] for row in members], since_at)
        due, put_off = [], []
        for row in members:
            had = calls.get(row["contact_id"])
            wait = capped(caps[row["window_key"]], had, now, self.times) if had else None
            wait = _resting(row["found_at"], now) or wait
            if wait is None:
                due.append(row)
            else:
                put_off.append(self._put_off(plan, row, wait, now))
        await tx.many("put_off_members", put_off)
        return due

    def _put_off(self, plan: CampaignPlan, row: Row, wait: Wait, now: int) -> dict[str, object]:
        assert wait.until_at is not None, "a cap says when it lets a call through"
        next_at = next_opening(plan, row["window_key"], wait.until_at, self.times)
        return {
            "member_id": row["id"],
            "was": row["state"],
            "next_at": next_at or wait.until_at,
            "now": now,
        }

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
            by=None,
            reason=None,
            hang_up_at=None,
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
        patience_ms = int(self.times.patience_s * MS)
        closing_ms = int(closing_s(plan, self.times) * MS)
        too_late_at = {
            key: plan.hours_at(key).open_until(now) - closing_ms
            for key in {member["window_key"] for member in due}
        }
        claims = []
        for member, start_us in zip(due, starts_us, strict=False):
            caller = pool.take(member["last_number_id"] if plan.stay_on_number else None)
            if caller is None:
                break
            send_at = start_us // MS
            void_at = min(
                send_at + patience_ms,
                too_late_at[member["window_key"]],
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
                    amd=plan.asked_of_carrier,
                    detect_message_end=plan.on_machine is OnMachine.LEAVE_MESSAGE,
                    revision=plan.revision,
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
        taken = list(zip(due, claims, strict=False))
        await tx.many("claim_members", claimed_rows(taken))
        checks_at = map(self._check_at, claims)
        await tx.many("add_attempts", intent_rows(plan, self._owner, taken, days, checks_at))
        self._attempts.hold(
            claimed(plan, member, claim, days[claim.number_id], self._check_at(claim))
            for member, claim in taken
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
        return claim.void_at + int(self.times.answer_s * MS)


def _resting(found_at: int | None, now: int) -> Wait | None:
    """What a call at *found_at* says that was found after a restore and belongs to no attempt."""
    if found_at is None or found_at + DAY_MS <= now:
        return None
    return Wait(WaitReason.CALLEE_CAP, found_at + DAY_MS)


def _comes_at(wait: Wait) -> float:
    return math.inf if wait.until_at is None else wait.until_at


async def _record_end(tx: Tx, plan: CampaignPlan, now: int) -> None:
    before, after = {"status": CampaignStatus.ACTIVE}, {"status": CampaignStatus.COMPLETED}
    await audit_log.record(tx, "campaign.complete", plan.name, now, before=before, after=after)
