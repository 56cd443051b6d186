"""One campaign at this moment, for a screen that is drawn again and again: the read model.

Theory of operation. Nothing here asks the engine: what it has written down is read in one
transaction. What is cheap however many people there are is read for every frame; what is counted
over all members and over the calls of the last while is a :class:`Tally`, which whoever looks
keeps for as long as it took to make it many times over.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialer import campaigns, hold, limits
from dialer.hours import Hours
from dialer.limits import AccountLimits
from dialer.masking import mask
from dialer.model import CampaignId, WaitReason
from dialer.overview import LEAST_CALLS, HoursNow, seen, waiting
from dialer.plans import CampaignPlan, Plans
from dialer.ports import Row, Tx
from dialer.states import (
    FINAL_MEMBER_STATES,
    AttemptState,
    CampaignStatus,
    MemberState,
)
from retries.outcome import Outcome
from retries.policy import FINAL
from rotation.caller import CallerId, Ineligible, Limits, why_not

MS: Final = 1000
MINUTE_MS: Final = 60 * MS
#: Answers are counted in slots of this length, and so many of them are kept.
SLOT_MS: Final = 5 * MINUTE_MS
SLOTS: Final = 8
#: Reasons are written down less often the longer they take to count; after so many silences even
#: those of a million members are overdue.
OVERDUE: Final = 5
#: Attempts per minute are those of this long.
PACE_MS: Final = 3 * MINUTE_MS
#: The newest calls of a campaign are looked for among so many of the newest of all campaigns.
AMONG: Final = 20_000
#: An estimate looks so many openings ahead, and no further.
OPENINGS: Final = 400
_TIME_DIGITS: Final = 12  # of an attempt's id: its time in hexadecimal milliseconds


@dataclass(frozen=True, slots=True)
class Silence:
    """How long without a sign of life is too long, and for how long a lease is renewed."""

    most_s: float
    lease_s: float


class Life(StrEnum):
    """Whether what is seen is what is."""

    LIVE = "live"
    STALE = "stale"  # the daemon's lease holds, but it has written nothing for long
    NO_DAEMON = "no_daemon"


@dataclass(frozen=True, slots=True)
class Pulse:
    """When the engine was last heard of."""

    life: Life
    seen_at: int | None  # its last sign of life; None: there never was one
    behind_ms: int  # the oldest news of a call that nobody has looked at has waited so long


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls with an outcome, and those of them that a person answered."""

    calls: int
    humans: int

    @property
    def share(self) -> float | None:
        """None when there are too few calls to say."""
        return self.humans / self.calls if self.calls >= LEAST_CALLS else None


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted over many rows."""

    at: int
    members: Mapping[str, int]  # by state
    slots: Sequence[Rate]  # oldest first; the last one is under way
    per_minute: float  # attempts, since the first of them in the slots
    final: float  # share of the calls after which no other may follow
    hold_ms: float | None  # how long a call keeps its line; None: too few to say

    @property
    def rate(self) -> Rate:
        """Of all slots."""
        return Rate(sum(each.calls for each in self.slots), sum(s.humans for s in self.slots))


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the campaign calls, and how fast it could."""

    live: int
    allowed: int  # calls at once
    per_minute: float  # attempts in the last minutes
    most_per_minute: float | None  # what the tightest limit allows; None: nobody can say
    bound: WaitReason | None  # the tightest limit
    interval_s: float
    calls_per_second: float  # of the account; 0: no limit


@dataclass(frozen=True, slots=True)
class Number:
    """A caller id of the campaign."""

    phone: str
    spam_score: float | None
    calls_today: int
    max_calls_per_day: int
    unusable: Ineligible | None


@dataclass(frozen=True, slots=True)
class Call:
    """An attempt, and what follows for whoever was called."""

    id: str
    at: int
    phone: str  # masked
    state: AttemptState
    outcome: Outcome | None
    duration_s: int | None  # None: not over, or never answered
    since_at: int | None  # of one that is live: when it was answered
    member: MemberState | None  # None: somebody who was called again since
    next_at: int | None  # when that member is due
    attempt: int
    attempts: int  # at most
    reason: str | None  # why the member failed

    @property
    def live(self) -> bool:
        return self.state in (AttemptState.INTENT, AttemptState.UNKNOWN, AttemptState.PLACED)


@dataclass(frozen=True, slots=True)
class Frame:
    """One campaign at one moment."""

    at: int
    id: CampaignId
    name: str
    status: CampaignStatus
    start_at: int | None
    ended_at: int | None
    paused_at: int | None
    paused_by: str | None
    pause_reason: str | None
    held: hold.Hold | None  # everything is
    hours: HoursNow
    pulse: Pulse
    tally: Tally
    pace: Pace
    waits: Sequence[Row]  # most members first
    numbers: Sequence[Number]
    calls: Sequence[Call]  # newest first
    finish_at: int | None  # an estimate from the pace of the last while; None: there is none

    @property
    def total(self) -> int:
        return sum(self.tally.members.values())

    @property
    def done(self) -> int:
        return sum(self.tally.members.get(state, 0) for state in FINAL_MEMBER_STATES)

    @property
    def over(self) -> bool:
        """Whether nobody of this campaign will be called any more."""
        return self.status in (CampaignStatus.COMPLETED, CampaignStatus.CANCELLED)


# -- reading --------------------------------------------------------------------------------------


async def tally(tx: Tx, campaign_id: CampaignId, now: int) -> Tally:
    """Count what takes its time: a tenth of a second for a million members."""
    members = await tx.rows("watch_members", campaign_id=campaign_id)
    first_slot = now // SLOT_MS - SLOTS + 1
    calls = await tx.rows(
        "watch_slots",
        campaign_id=campaign_id,
        since_id=_first_id(first_slot * SLOT_MS),
        slot_ms=SLOT_MS,
    )
    found = {row["state"]: row["members"] for row in members}
    return tallied(found, calls, first_slot, now)


def tallied(members: Mapping[str, int], calls: Sequence[Row], first_slot: int, now: int) -> Tally:
    """The tally of rows of (slot, outcome, attempts, closed, first_at, held_ms)."""
    rated = [row for row in calls if row["outcome"] not in (None, Outcome.NOT_PLACED)]
    slots = [
        _rate([row for row in rated if row["slot"] == first_slot + each]) for each in range(SLOTS)
    ]
    closed = sum(row["closed"] for row in rated)
    held = sum(row["held_ms"] or 0 for row in rated)
    final = sum(row["attempts"] for row in rated if FINAL[Outcome(row["outcome"])] is not None)
    known = sum(row["attempts"] for row in rated)
    attempts = sum(row["attempts"] for row in calls)
    first_at = min((row["first_at"] for row in calls), default=now)
    return Tally(
        at=now,
        members={state: members[state] for state in MemberState if state in members},
        slots=slots,
        per_minute=attempts * MINUTE_MS / max(now - first_at, MINUTE_MS),
        final=final / known if known else 0.0,
        hold_ms=held / closed if closed >= LEAST_CALLS else None,
    )


def _rate(rows: Sequence[Row]) -> Rate:
    humans = sum(row["attempts"] for row in rows if row["outcome"] == Outcome.HUMAN)
    return Rate(sum(row["attempts"] for row in rows), humans)


async def frame(
    tx: Tx,
    name: str,
    now: int,
    plans: Plans,
    account: AccountLimits,
    *,
    silence: Silence,
    calls: int,
    counted: Tally | None = None,
) -> Frame:
    """The campaign of that name or id, with its newest *calls*.

    Raises NotFoundError for a name nobody
    knows, and UsageError when the campaign's hours or the rules cannot be read.
    """
    row = await campaigns.find(tx, name)
    plan = await plans.readable(tx, row["id"])
    known = counted or await tally(tx, plan.id, now)
    pulse = pulse_of(await tx.row("watch_pulse", now=now), now, silence)
    held = await hold.standing(tx)
    live = await tx.rows("live_calls")
    recent = await tx.value("watch_started", campaign_id=plan.id, since_id=_first_id(now - PACE_MS))
    callers, _ = await limits.callers(tx, plan, live, now)
    noted = await tx.rows("campaign_waits", campaign_id=plan.id)
    newest = await newest_calls(tx, campaign_id=plan.id, limit=calls)
    return Frame(
        at=now,
        id=plan.id,
        name=plan.name,
        status=plan.status,
        start_at=plan.start_at,
        ended_at=row["ended_at"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        pause_reason=row["pause_reason"],
        held=held,
        hours=_hours(plan, row["schedule_body"], now),
        pulse=pulse,
        tally=known,
        pace=pace_of(plan, account, live, recent, _running_ms(row, now), known),
        waits=waiting(
            plan.status,
            known.members,
            noted,
            alive=pulse.life is not Life.NO_DAEMON,
            held=held,
        ),
        numbers=[number_of(caller, plan.limits) for caller in callers],
        calls=[call_of(each) for each in newest],
        finish_at=None if held else finish_at(plan, known, recent, now),
    )


def _hours(plan: CampaignPlan, schedule_body: str | None, now: int) -> HoursNow:
    if schedule_body is None:
        return HoursNow(is_open=True, changes_at=None, zone=None)
    return seen(plan.hours, json.loads(schedule_body)["zone"], now)


async def newest_calls(tx: Tx, *, campaign_id: int = 0, limit: int) -> Sequence[Row]:
    """The newest attempts, of one campaign or of all (0); newest first."""
    return await tx.rows(
        "newest_calls", campaign_id=campaign_id, after_id="", among=AMONG, limit=limit
    )


def _first_id(at: int) -> str:
    """No attempt made at or after *at* has a lesser id: it begins with the time it was made."""
    return f"{max(0, at):0{_TIME_DIGITS}x}"


def _running_ms(row: Row, now: int) -> int:
    """How long the campaign may have been calling, so that a new one is not thought slow."""
    return now - row["started_at"] if row["started_at"] is not None else PACE_MS


# -- deciding -------------------------------------------------------------------------------------


def pulse_of(row: Row | None, now: int, silence: Silence) -> Pulse:
    """What the last signs of life say at *now*: a lease's renewal, and reasons written down."""
    assert row is not None, "it is a row of scalars"
    unfolded_at, noted_at = row["unfolded_at"], row["noted_at"]
    behind_ms = max(0, now - unfolded_at) if unfolded_at is not None else 0
    if row["lease_until"] is None:
        return Pulse(Life.NO_DAEMON, noted_at, behind_ms)
    most_ms = int(silence.most_s * MS)
    renewed_at = min(now, row["lease_until"] - int(silence.lease_s * MS))
    if noted_at is not None and now - noted_at > OVERDUE * most_ms:
        return Pulse(Life.STALE, noted_at, behind_ms)
    seen_at = max(renewed_at, noted_at or 0)
    silent = now - seen_at > most_ms
    return Pulse(Life.STALE if silent else Life.LIVE, seen_at, behind_ms)


def pace_of(
    plan: CampaignPlan,
    account: AccountLimits,
    live: Sequence[Row],
    recent: int,
    running_ms: int,
    known: Tally,
) -> Pace:
    """How fast the campaign calls with *recent* attempts in the last minutes."""
    room = limits.rooms(plan, live, account)[0]
    most, bound = _tightest(plan, account, known.hold_ms)
    return Pace(
        live=room.live,
        allowed=room.allowed,
        per_minute=recent * MINUTE_MS / min(PACE_MS, max(running_ms, MINUTE_MS)),
        most_per_minute=most,
        bound=bound,
        interval_s=plan.interval_us / 1_000_000,
        calls_per_second=account.calls_per_second,
    )


def _tightest(
    plan: CampaignPlan, account: AccountLimits, hold_ms: float | None
) -> tuple[float | None, WaitReason | None]:
    """The least number of calls per minute that any limit allows, and which one it is."""
    found = []
    if plan.interval_us:
        found.append((60_000_000 / plan.interval_us, WaitReason.CALL_INTERVAL))
    if account.calls_per_second:
        found.append((account.calls_per_second * 60, WaitReason.CALLS_PER_SECOND))
    if hold_ms:
        per_line = MINUTE_MS / hold_ms
        found.append((plan.max_concurrent * per_line, WaitReason.CAMPAIGN_CONCURRENCY))
        if account.max_concurrent:
            found.append((account.max_concurrent * per_line, WaitReason.ACCOUNT_CONCURRENCY))
    return min(found, default=(None, None), key=lambda each: each[0] or 0.0)


def number_of(caller: CallerId, allowed: Limits) -> Number:
    """A caller id as it stands."""
    return Number(
        phone=caller.phone,
        spam_score=caller.spam_score,
        calls_today=caller.calls_today,
        max_calls_per_day=allowed.max_calls_per_day,
        unusable=why_not(caller, allowed),
    )


def call_of(row: Row) -> Call:
    """An attempt of :func:`newest_calls`; the callee's number is masked."""
    state = AttemptState(row["state"])
    return Call(
        id=row["id"],
        at=row["intent_at"],
        phone=mask(row["phone"]),
        state=state,
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        duration_s=row["duration_s"],
        since_at=row["answered_at"],
        member=MemberState(row["member_state"]) if row["latest"] else None,
        next_at=row["next_at"],
        attempt=row["attempts"],
        attempts=row["max_retries"] + 1,
        reason=row["reason"],
    )


def finish_at(plan: CampaignPlan, known: Tally, recent: int, now: int) -> int | None:
    """When the campaign would be over at the pace of the last while; None: nobody can say.

    Neither the wait before retries nor the caps of numbers and callees are looked at, which a
    forecast does: open, and yet without *recent* attempts, it has no pace.
    """
    if plan.status is not CampaignStatus.ACTIVE or not known.per_minute:
        return None
    if not recent and plan.hours.is_open(now):
        return None
    calls = calls_ahead(known, plan.policy.max_retries)
    return opened_for(plan.hours, now, round(calls / known.per_minute * MINUTE_MS))


def calls_ahead(known: Tally, max_retries: int) -> float:
    """The calls that members still need, if calls end as those of the last while did."""
    again = 1.0 - known.final
    fresh = sum(again**retry for retry in range(max_retries + 1))
    called_before = sum(again**retry for retry in range(max(1, max_retries)))
    members = known.members
    return (
        members.get(MemberState.PENDING, 0) * fresh
        + members.get(MemberState.RETRY, 0) * called_before
        + members.get(MemberState.CALLED, 0) * max(0.0, fresh - 1.0)
        + members.get(MemberState.DIALING, 0) * max(0.0, fresh - 1.0)
    )


def opened_for(hours: Hours, at: int, needed_ms: int) -> int | None:
    """When *hours* will have been open for so long from *at* on; None: not foreseeable."""
    for _ in range(OPENINGS):
        opens_at = hours.next_open(at)
        if opens_at is None:
            return None
        closes_at = hours.open_until(opens_at)
        if needed_ms <= closes_at - opens_at:
            return opens_at + needed_ms
        needed_ms -= closes_at - opens_at
        at = closes_at
    return None
