"""The lives of a member, an attempt and a campaign, as data.

Theory of operation. A *member* is a contact in a campaign; it is dialed by *attempts*, one at a
time. Each of the three lives is a table of rows ``(state, event) -> state``. Nothing else in the
project decides a state: code names an event, :func:`advance` gives the state that follows or
raises, and the store applies the move by compare-and-set, so that a row which has moved
meanwhile is left alone. The diagrams in ``docs/reference/states.md`` are drawn from these tables.

An attempt is *open* from its intent until it can no longer become or stay a call. The intent is
durable before the carrier hears of it; when the answer is in doubt the attempt becomes
``unknown`` and is only ever resolved by looking, never by placing again.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from dialer.errors import IllegalTransitionError


class MemberState(StrEnum):
    """Where a contact stands in one campaign."""

    PENDING = "pending"  # queued, waiting to be dialed
    DIALING = "dialing"  # an attempt is open
    CALLED = "called"  # the call is over; its outcome is final after the completion timeout
    RETRY = "retry"  # another attempt is planned at a known time
    COMPLETED = "completed"  # reached, done
    FAILED = "failed"  # will not be called again; the reason is kept
    NO_CONVERSATION = "no_conversation"  # connected, but nobody talked


class MemberEvent(StrEnum):
    """What may happen to a member."""

    CLAIM = "claim"  # the dispatcher took it and committed an intent
    RELEASE = "release"  # the claim was given back unused, first call still ahead
    RELEASE_RETRY = "release_retry"  # the claim was given back unused, called before
    END = "end"  # the carrier's call is over
    RETRY = "retry"  # the policy plans another attempt
    COMPLETE = "complete"  # a person was reached
    NO_TALK = "no_talk"  # connected, nobody talked, no attempt left
    FAIL = "fail"  # no attempt left, or none allowed
    CANCEL = "cancel"  # the campaign was cancelled or ended by hand
    SKIP = "skip"  # the operator does not want it dialed for this campaign
    FOUND = "found"  # a call believed not placed turned up alive
    REQUEUE = "requeue"  # the operator wants it dialed again


class AttemptState(StrEnum):
    """What is known of one dial."""

    INTENT = "intent"  # durable here; the carrier may or may not have been asked
    UNKNOWN = "unknown"  # asked, but the answer is in doubt: being looked for
    PLACED = "placed"  # the carrier named its call
    ENDED = "ended"  # over, with an outcome
    NOT_PLACED = "not_placed"  # looked for and not there: no call came about
    RELEASED = "released"  # given back before the carrier was asked; not counted


class AttemptEvent(StrEnum):
    """What may happen to an attempt."""

    ACCEPT = "accept"  # the carrier named its call, by answer, callback or list
    DOUBT = "doubt"  # time-out, lost connection, server error, or the asker died
    ABSENT = "absent"  # the carrier's list does not show it, after the bound
    REFUSE = "refuse"  # the carrier said no for certain
    RELEASE = "release"  # never sent
    END = "end"  # the carrier reported a final status


class CampaignStatus(StrEnum):
    """Whether a campaign may dial."""

    DRAFT = "draft"  # being prepared
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"  # every contact processed, or ended by hand
    CANCELLED = "cancelled"  # no further call, ever


class CampaignEvent(StrEnum):
    """What may happen to a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    CANCEL = "cancel"
    REOPEN = "reopen"  # contacts were added to a completed campaign


_M, _ME = MemberState, MemberEvent
MEMBER_TRANSITIONS: Final[Mapping[tuple[MemberState, MemberEvent], MemberState]] = MappingProxyType(
    {
        (_M.PENDING, _ME.CLAIM): _M.DIALING,
        (_M.PENDING, _ME.FAIL): _M.FAILED,
        (_M.PENDING, _ME.CANCEL): _M.FAILED,
        (_M.PENDING, _ME.SKIP): _M.FAILED,
        (_M.PENDING, _ME.FOUND): _M.DIALING,
        (_M.RETRY, _ME.CLAIM): _M.DIALING,
        (_M.RETRY, _ME.FAIL): _M.FAILED,
        (_M.RETRY, _ME.CANCEL): _M.FAILED,
        (_M.RETRY, _ME.SKIP): _M.FAILED,
        (_M.RETRY, _ME.FOUND): _M.DIALING,
        (_M.DIALING, _ME.RELEASE): _M.PENDING,
        (_M.DIALING, _ME.RELEASE_RETRY): _M.RETRY,
        (_M.DIALING, _ME.END): _M.CALLED,
        (_M.DIALING, _ME.RETRY): _M.RETRY,
        (_M.DIALING, _ME.FAIL): _M.FAILED,
        (_M.CALLED, _ME.COMPLETE): _M.COMPLETED,
        (_M.CALLED, _ME.NO_TALK): _M.NO_CONVERSATION,
        (_M.CALLED, _ME.RETRY): _M.RETRY,
        (_M.CALLED, _ME.FAIL): _M.FAILED,
        (_M.CALLED, _ME.CANCEL): _M.FAILED,
        (_M.FAILED, _ME.FOUND): _M.DIALING,
        (_M.FAILED, _ME.REQUEUE): _M.PENDING,
        (_M.COMPLETED, _ME.REQUEUE): _M.PENDING,
        (_M.NO_CONVERSATION, _ME.REQUEUE): _M.PENDING,
    }
)

_A, _AE = AttemptState, AttemptEvent
ATTEMPT_TRANSITIONS: Final[Mapping[tuple[AttemptState, AttemptEvent], AttemptState]] = (
    MappingProxyType(
        {
            (_A.INTENT, _AE.ACCEPT): _A.PLACED,
            (_A.INTENT, _AE.DOUBT): _A.UNKNOWN,
            (_A.INTENT, _AE.REFUSE): _A.ENDED,
            (_A.INTENT, _AE.RELEASE): _A.RELEASED,
            (_A.UNKNOWN, _AE.ACCEPT): _A.PLACED,
            (_A.UNKNOWN, _AE.ABSENT): _A.NOT_PLACED,
            (_A.PLACED, _AE.END): _A.ENDED,
            (_A.NOT_PLACED, _AE.ACCEPT): _A.PLACED,  # a late callback corrects the record
        }
    )
)

_C, _CE = CampaignStatus, CampaignEvent
CAMPAIGN_TRANSITIONS: Final[Mapping[tuple[CampaignStatus, CampaignEvent], CampaignStatus]] = (
    MappingProxyType(
        {
            (_C.DRAFT, _CE.START): _C.ACTIVE,
            (_C.DRAFT, _CE.CANCEL): _C.CANCELLED,
            (_C.ACTIVE, _CE.PAUSE): _C.PAUSED,
            (_C.ACTIVE, _CE.COMPLETE): _C.COMPLETED,
            (_C.ACTIVE, _CE.CANCEL): _C.CANCELLED,
            (_C.PAUSED, _CE.RESUME): _C.ACTIVE,
            (_C.PAUSED, _CE.COMPLETE): _C.COMPLETED,
            (_C.PAUSED, _CE.CANCEL): _C.CANCELLED,
            (_C.COMPLETED, _CE.REOPEN): _C.ACTIVE,
        }
    )
)

#: Nothing more happens to these by itself.
FINAL_MEMBER_STATES: Final = frozenset({_M.COMPLETED, _M.FAILED, _M.NO_CONVERSATION})
#: These wait for a claim.
WAITING_MEMBER_STATES: Final = frozenset({_M.PENDING, _M.RETRY})
#: An attempt in one of these may still be, or become, a call.
OPEN_ATTEMPT_STATES: Final = frozenset({_A.INTENT, _A.UNKNOWN, _A.PLACED})

State = TypeVar("State", MemberState, AttemptState, CampaignStatus)
Event = TypeVar("Event", MemberEvent, AttemptEvent, CampaignEvent)


def _follow(table: Mapping[tuple[State, Event], State], state: State, event: Event) -> State:
    try:
        return table[state, event]
    except KeyError:
        raise IllegalTransitionError(state, event) from None


def advance_member(state: MemberState, event: MemberEvent) -> MemberState:
    """The state that follows, or :exc:`IllegalTransitionError`."""
    return _follow(MEMBER_TRANSITIONS, state, event)


def advance_attempt(state: AttemptState, event: AttemptEvent) -> AttemptState:
    """The state that follows, or :exc:`IllegalTransitionError`."""
    return _follow(ATTEMPT_TRANSITIONS, state, event)


def advance_campaign(status: CampaignStatus, event: CampaignEvent) -> CampaignStatus:
    """The status that follows, or :exc:`IllegalTransitionError`."""
    return _follow(CAMPAIGN_TRANSITIONS, status, event)
