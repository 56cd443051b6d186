"""What the audit compares: calls as the carrier has them, rows as the database has them.

Fields are named as the columns are. None is what did not happen, or what nobody told.
"""

import json
from dataclasses import dataclass
from typing import Final

#: A call in one of these is over (Twilio, "Call resource").
FINAL_STATUSES: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
#: Members in one of these are done with.
DONE: Final = frozenset({"completed", "failed", "no_conversation"})
#: Members in one of these are still owed something.
WAITING: Final = frozenset({"pending", "retry"})
ACTIVE: Final = WAITING | {"dialing", "called"}
#: An attempt in one of these may be, or become, a call.
OPEN: Final = frozenset({"intent", "unknown", "placed"})
#: A campaign in one of these dials nobody any more.
ENDED: Final = frozenset({"completed", "cancelled"})
RESTING: Final = frozenset({"draft", "paused"})  # nobody is called until somebody says so

#: What stands in place of the number of somebody who was erased begins like this.
ERASED: Final = "erased:"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the carrier has it."""

    sid: str
    to: str
    from_: str
    status: str
    accepted_at: int
    token: str | None = None  # the attempt it was placed for, where the carrier repeats it
    asked_at: int | None = None  # when the request arrived, where that is told
    ringing_at: int | None = None  # when it rang or, where no more is told, was dialed
    ended_at: int | None = None

    @property
    def arrived_at(self) -> int:
        """When the carrier was asked; a slow carrier accepts later than that."""
        return self.accepted_at if self.asked_at is None else self.asked_at

    @property
    def over_at(self) -> int | None:
        """When it was over, None while it lasts; one whose end is not told lasted no time."""
        if self.ended_at is None and self.status in FINAL_STATUSES:
            return self.accepted_at
        return self.ended_at


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of ``attempts``."""

    id: str
    member_id: int
    campaign_id: int
    number_id: int
    owner: int
    phone: str
    state: str
    day: str
    intent_at: int
    send_at: int
    sid: str | None = None
    status: str | None = None
    ringing_at: int | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    duration_s: int | None = None
    sip_code: int | None = None
    error_code: int | None = None
    answered_by: str | None = None
    outcome: str | None = None
    closed_at: int | None = None
    window_key: str = ""  # where the callee was taken to be; empty: not recorded
    rule_set_id: int | None = None  # by which it was decided; None: by the rules as delivered
    verdict: str | None = None  # our own detection's
    verdict_seq: int | None = None
    machine_kind: str | None = None
    message_left_at: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A row of ``members``, with the phone of its contact."""

    id: int
    campaign_id: int
    phone: str
    state: str
    attempts: int
    attempt_id: str | None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A row of ``campaigns``: its limits as they are set now."""

    id: int
    name: str
    status: str
    schedule_id: int | None
    start_at: int | None
    spam_threshold: float
    max_calls_per_day: int
    call_interval_ms: int
    max_concurrent: int
    ring_timeout_s: int
    max_retries: int
    callee_calls_per_day: int
    callee_calls_per_week: int
    started_at: int | None
    paused_at: int | None
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Number:
    """A row of ``numbers``."""

    id: int
    phone: str
    zone: str
    max_live: int | None
    spam_score: float | None
    spam_scored_at: int | None
    disabled_at: int | None
    calls_total: int


@dataclass(frozen=True, slots=True)
class NumberDay:
    """A row of ``number_days``."""

    number_id: int
    day: str
    calls: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A row of ``schedules``; *body* is JSON."""

    id: int
    name: str
    body: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A row of ``rule_sets``, in force until the next one; *body* is JSON."""

    id: int
    body: str
    created_at: int


@dataclass(frozen=True, slots=True)
class News:
    """A row of ``call_events``, the inbox."""

    attempt_id: str
    sid: str
    source: str
    status: str | None
    occurred_at: int | None
    duration_s: int | None
    sip_code: int | None
    error_code: int | None
    answered_by: str | None
    received_at: int
    folded_at: int | None
    verdict: str | None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Daemon:
    """A row of ``daemons``."""

    id: int
    started_at: int
    lease_until: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A row of ``dnc_history``: an entry that was ``added``, or ``removed``."""

    id: int
    phone: str
    campaign_id: int | None  # None: every campaign
    event: str
    at: int


@dataclass(frozen=True, slots=True)
class Command:
    """An operator's word, durable at *at*: from then on the campaign may dial, or may not."""

    campaign_id: int
    at: int
    may_dial: bool


@dataclass(frozen=True, slots=True)
class Brake:
    """An entry of ``audit_log`` by which everything was held, or released."""

    id: int
    at: int
    action: str


@dataclass(frozen=True, slots=True)
class Retry:
    """An entry of ``audit_log`` by which an operator asked for one more call of some members."""

    id: int
    at: int
    after: str  # JSON; of "member_ids" each pair is the first and the last of a run

    def of(self, member_id: int) -> bool:
        """Whether it asked for a call of this member."""
        runs = json.loads(self.after).get("member_ids", ())
        return any(first <= member_id <= last for first, last in runs)


@dataclass(frozen=True, slots=True)
class StoreEffect:
    """A write that the store kept, or one that it refused, as a simulation has seen it."""

    at: int
    committed: bool
    owner: int | None = None  # the daemon it happened to; None: all of them
    attempt_id: str | None = None  # of the intent that was lost


@dataclass(frozen=True, slots=True)
class Account:
    """What the carrier's account allows; 0 is no limit."""

    calls_per_second: float
    max_concurrent: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How exact the evidence is, and how soon things were promised; milliseconds, None: unsaid."""

    skew_ms: int = 0  # the clocks of daemons and carrier agree within this
    reaction_ms: int = 250  # an operator's word holds from this long after it was durable
    jitter_ms: int = 0  # one request may travel this much longer than another
    late_ms: int = 0  # a request may leave this long after its slot
    claimed_ms: int = 300_000  # so long after it was claimed a call may be accepted
    open_ms: int | None = None  # an attempt is open no longer, its ring timeout aside
    finish_by_at: int | None = None  # everything is over by this instant (UTC ms)

    @classmethod
    def on_a_clock(cls, speed: float, **more: int | None) -> "Bounds":
        """For processes on a clock *speed* times as fast, which makes their delays as long."""
        real_s = round(1000 * speed)
        usual = {"reaction_ms": real_s // 4, "jitter_ms": real_s // 4, "late_ms": real_s}
        return cls(**{**usual, **more})  # type: ignore[arg-type]  # keywords of one type each
