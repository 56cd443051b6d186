"""Whether a call may be made now: each question, what it is answered from, and the answer.

The claim asks these functions, inside the transaction that takes a member; ``dialer explain``
asks the same ones and shows what they were given. A limit holds a call back until it may be made,
it never gives a member up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dialer.hours import Hours
from dialer.model import WaitReason
from dialer.plans import CampaignPlan
from dialer.rules.rule import Cap
from dialer.states import CampaignStatus

#: The window must stay open for the ring time, or the carrier's bound, and this much more.
CLOSING_GUARD_S: Final = 5.0

#: So many openings that are too short for a call are looked past.
OPENINGS: Final = 100

MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Wait:
    """Why nothing (more) was claimed, and when asking again makes sense; None: when told."""

    reason: WaitReason
    until_at: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClaimTimes:
    """How far a claim reaches."""

    look_ahead_s: float  # slots are reserved so far ahead: the lanes stay full between claims
    patience_s: float  # an order that did not leave so long after its slot is void
    accept_bound_s: float  # A1: a request that left is accepted within this, or never
    answer_s: float  # by then the carrier's answer to an order is recorded, or was lost
    lead_s: float = 0.0  # slots are reserved so much later, for an operator's check to answer

    @property
    def late_ms(self) -> int:
        """So long after its slot a call may still come about."""
        return int((self.patience_s + self.accept_bound_s) * MS)


def closing_s(plan: CampaignPlan, times: ClaimTimes) -> float:
    """So long before the end of a window no request may leave any more: the carrier may take its
    time to accept it, and the callee to answer."""
    return max(plan.ring_timeout_s, times.accept_bound_s) + CLOSING_GUARD_S


# -- the campaign ---------------------------------------------------------------------------------


def not_active(plan: CampaignPlan) -> Wait | None:
    """What the campaign's status says."""
    if plan.status is CampaignStatus.ACTIVE:
        return None
    return Wait(_BY_STATUS[plan.status], None)


_BY_STATUS: Final = {
    CampaignStatus.DRAFT: WaitReason.DRAFT,
    CampaignStatus.PAUSED: WaitReason.PAUSED,
    CampaignStatus.COMPLETED: WaitReason.ENDED,
    CampaignStatus.CANCELLED: WaitReason.ENDED,
}


def not_started(plan: CampaignPlan, now: int) -> Wait | None:
    """What the campaign's start says."""
    if plan.start_at is None or plan.start_at <= now:
        return None
    return Wait(WaitReason.NOT_STARTED, plan.start_at)


def outside_hours(plan: CampaignPlan, now: int, times: ClaimTimes) -> Wait | None:
    """What the campaign's schedule says."""
    return _closed(plan, plan.hours, WaitReason.OUTSIDE_HOURS, now, times)


def closed(plan: CampaignPlan, now: int, times: ClaimTimes) -> Wait | None:
    """What keeps the whole campaign from calling at *now*, if anything does."""
    return not_active(plan) or not_started(plan, now) or outside_hours(plan, now, times)


def _closed(
    plan: CampaignPlan, hours: Hours, reason: WaitReason, now: int, times: ClaimTimes
) -> Wait | None:
    """What hours say that are open at *now*, stay open for a call, or neither."""
    if not hours.is_open(now):
        return Wait(reason, hours.next_open(now))
    closes_at = hours.open_until(now)
    if closes_at - now < (closing_s(plan, times) + times.look_ahead_s + times.lead_s) * MS:
        return Wait(reason, hours.next_open(closes_at), "closing")
    return None


# -- the callee -----------------------------------------------------------------------------------


def outside_window(plan: CampaignPlan, window_key: str, now: int, times: ClaimTimes) -> Wait | None:
    """What the rules say of callees at a place.

    A callee who may be in several zones is called when it is open in all of them, and one of whom
    no zone is known is not called.
    """
    window = plan.window(window_key)
    if not window.place.zones:
        return Wait(WaitReason.ZONE_UNKNOWN, None)
    return _closed(plan, window.hours, WaitReason.CALLEE_HOURS, now, times)


def next_opening(plan: CampaignPlan, window_key: str, at: int, times: ClaimTimes) -> int | None:
    """*at* if both schedule and rules let a callee at a place be called then, else the next such
    time; None: not foreseeable."""
    for _ in range(OPENINGS):
        wait = outside_hours(plan, at, times) or outside_window(plan, window_key, at, times)
        if wait is None:
            return at
        if wait.until_at is None:
            return None
        at = wait.until_at
    return None


def caps_at(plan: CampaignPlan, window_key: str) -> tuple[Cap, ...]:
    """How often callees at a place may be called: as the campaign has it, and as the rules do."""
    return (*plan.callee_caps, *plan.window(window_key).caps)


def longest_s(caps: Iterable[Cap]) -> int:
    """How far back caps look, in seconds."""
    return max((cap.period_s for cap in caps), default=0)


def capped(caps: Sequence[Cap], sent_at: Sequence[int], now: int, times: ClaimTimes) -> Wait | None:
    """What earlier calls say; *sent_at* are the slots of all that may have come about.

    A call counts until it cannot be within the period any more, be it placed as late as may be.
    """
    free_at = now
    for cap in caps:
        recent = counted(cap, sent_at, now, times)
        if len(recent) >= cap.calls:
            oldest = sorted(recent)[-cap.calls]
            free_at = max(free_at, _out_of_sight_at(oldest, cap, times))
    return Wait(WaitReason.CALLEE_CAP, free_at) if free_at > now else None


def counted(cap: Cap, sent_at: Sequence[int], now: int, times: ClaimTimes) -> list[int]:
    """Those of the calls that a cap counts at *now*."""
    return [at for at in sent_at if _out_of_sight_at(at, cap, times) > now]


def _out_of_sight_at(sent_at: int, cap: Cap, times: ClaimTimes) -> int:
    return sent_at + times.late_ms + cap.period_s * MS
