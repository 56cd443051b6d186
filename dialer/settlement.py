"""What an attempt that is over means for its member: pure decisions, made once per attempt."""

from functools import partial
from typing import Final, NamedTuple

from dialer.model import AgentKind, FailReason
from dialer.outcomes import certainly_invalid
from dialer.plans import CampaignPlan
from dialer.ports import Refusal
from dialer.states import CampaignStatus, MemberEvent
from retries.outcome import Outcome
from retries.policy import Decision, RetryAt

#: An answered call shorter than this was no conversation: nobody says more than hello in it.
CONVERSATION_MIN_S: Final = 5

_CALLED_OFF: Final = frozenset({CampaignStatus.CANCELLED, CampaignStatus.COMPLETED})


class Past(NamedTuple):
    """What a member has behind it; *attempts* includes a call that just ended."""

    attempts: int
    rejections: int
    unplaced: int
    outcome: Outcome | None  # of the attempt before this one
    window_key: str  # where the callee may be: there, too, it is to be open
    skipped: bool = False  # an operator took it out while its call was lost


class Ended(NamedTuple):
    """A call that is over."""

    outcome: Outcome
    talk_s: int | None
    error_code: int | None
    message_left: bool = False  # on a machine, and it was spoken to its end


class Move(NamedTuple):
    """Where the member goes, when it is due there, and why if it failed."""

    event: MemberEvent
    next_at: int
    reason: FailReason | None = None


def after_call(ended: Ended, past: Past, plan: CampaignPlan, now: int, spread: float) -> Move:
    """Decide about a member whose call is over and whose outcome is final."""
    if ended.outcome is Outcome.HUMAN:
        reached = _reached(ended, plan)
        return Move(MemberEvent.COMPLETE if reached else MemberEvent.NO_TALK, now)
    if plan.status in _CALLED_OFF:
        return Move(MemberEvent.CANCEL, now, FailReason.CANCELLED)
    if past.skipped:
        return Move(MemberEvent.FAIL, now, FailReason.SKIPPED)
    if _told_by_machine(ended, plan):
        return Move(MemberEvent.NO_TALK, now)
    decision = plan.policy.decide(
        _as_seen(ended, past),
        past.attempts,
        now,
        spread,
        partial(plan.next_open_at, past.window_key),
        rejections=past.rejections,
        unplaced=past.unplaced,
    )
    if ended.outcome is Outcome.MACHINE and not isinstance(decision, RetryAt):
        return Move(MemberEvent.NO_TALK, now)
    return _move(decision, now)


def without_call(
    outcome: Outcome,
    past: Past,
    plan: CampaignPlan,
    now: int,
    spread: float,
    *,
    refusal: Refusal | None = None,
    quarantine_ends_at: int | None = None,
) -> Move:
    """Decide about a member whose attempt became no call: nobody was disturbed."""
    if refusal is Refusal.DESTINATION:
        return Move(MemberEvent.FAIL, now, FailReason.DESTINATION_NOT_ALLOWED)
    if plan.status in _CALLED_OFF:
        return Move(MemberEvent.FAIL, now, FailReason.CANCELLED)
    decision = plan.policy.decide(
        outcome,
        past.attempts if outcome is Outcome.NOT_PLACED else max(past.attempts, 1),
        now,
        spread,
        partial(plan.next_open_at, past.window_key),
        rejections=past.rejections,
        unplaced=past.unplaced,
        not_before_at=quarantine_ends_at,
    )
    return _move(decision, now)


def given_back(past: Past, plan: CampaignPlan, due_at: int, now: int) -> Move:
    """Where a member goes whose claim was not used: back in line, if there still is one."""
    if plan.status in _CALLED_OFF:
        return Move(MemberEvent.FAIL, now, FailReason.CANCELLED)
    called_before = past.attempts or past.unplaced
    return Move(MemberEvent.RELEASE_RETRY if called_before else MemberEvent.RELEASE, due_at)


def _move(decision: Decision, now: int) -> Move:
    if isinstance(decision, RetryAt):
        return Move(MemberEvent.RETRY, decision.at)
    return Move(MemberEvent.FAIL, now, FailReason(decision.reason.value))


def _told_by_machine(ended: Ended, plan: CampaignPlan) -> bool:
    """Whether a message has been left and nobody has asked for further calls after a machine."""
    left = ended.outcome is Outcome.MACHINE and ended.message_left
    return left and Outcome.MACHINE not in plan.policy.overrides


def _as_seen(ended: Ended, past: Past) -> Outcome:
    """A number that only a SIP code condemns gets a second sighting before it is given up."""
    first = ended.outcome is Outcome.INVALID_NUMBER and past.outcome is not ended.outcome
    if first and not certainly_invalid(ended.error_code):
        return Outcome.CARRIER_FAILED
    return ended.outcome


def _reached(ended: Ended, plan: CampaignPlan) -> bool:
    """Whether a person who answered was reached: a message is over when it has been spoken."""
    if plan.agent_kind is AgentKind.MESSAGE or ended.talk_s is None:
        return True
    return ended.talk_s >= CONVERSATION_MIN_S
