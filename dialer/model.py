"""The nouns of the engine: small immutable values, the same names in every layer.

Times named ``…_at`` are UTC milliseconds; durations named ``…_s`` are seconds. Values that are
made several times per call are named tuples, which cost a third of a frozen dataclass (ADR 13).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, NewType, Self

CampaignId = NewType("CampaignId", int)
MemberId = NewType("MemberId", int)
NumberId = NewType("NumberId", int)
DaemonId = NewType("DaemonId", int)
#: 32 hexadecimal digits; also the attempt's token in callback addresses, so it is not guessable.
AttemptId = NewType("AttemptId", str)
#: No attempt's: what is asked about it is a look at our own door, and no news.
PROBE: Final = AttemptId("0" * 32)
#: The carrier's own name for a call.
CallSid = NewType("CallSid", str)


class AmdMode(StrEnum):
    """Who tells people from machines."""

    TEXT = "text"  # by the words: a live transcript
    ML = "ml"  # by the sound: the call's audio
    FUSED = "fused"  # by words and sound together
    CARRIER = "carrier"  # the carrier's own detection, asynchronous
    OFF = "off"  # nobody: every answer counts as a person


#: Modes that need the call's words, and its sound.
BY_WORDS: Final = frozenset({AmdMode.TEXT, AmdMode.FUSED})
BY_SOUND: Final = frozenset({AmdMode.ML, AmdMode.FUSED})


class OnMachine(StrEnum):
    """What happens when a machine picks up."""

    HANG_UP = "hang_up"
    LEAVE_MESSAGE = "leave_message"  # once the greeting is over
    CONTINUE = "continue"  # as if a person had answered


class AgentKind(StrEnum):
    """What talks to the callee."""

    MESSAGE = "message"  # spoken text, {{variables}} filled from the contact
    STREAM = "stream"  # websocket with the call's audio, both ways
    RELAY = "relay"  # websocket with text; the carrier speaks and listens
    SIP = "sip"
    PHONE = "phone"
    TWIML_URL = "twiml_url"  # the operator's own document


@dataclass(frozen=True, slots=True)
class Agent:
    """What a campaign connects people to: *target* is the text, address, number or URL."""

    kind: AgentKind
    target: str
    options: Mapping[str, str]


FINAL_RANK: Final = 4


class CarrierStatus(StrEnum):
    """The carrier's status of a call, with how far the call has come."""

    rank: int  # all final statuses rank alike
    final: bool

    def __new__(cls, value: str, rank: int = 0) -> Self:
        status = str.__new__(cls, value)
        status._value_ = value
        status.rank, status.final = rank, rank == FINAL_RANK
        return status

    QUEUED = "queued", 0
    INITIATED = "initiated", 1  # in callbacks only, never on the resource
    RINGING = "ringing", 2
    IN_PROGRESS = "in-progress", 3
    COMPLETED = "completed", FINAL_RANK
    BUSY = "busy", FINAL_RANK
    NO_ANSWER = "no-answer", FINAL_RANK
    FAILED = "failed", FINAL_RANK
    CANCELED = "canceled", FINAL_RANK


class EventSource(StrEnum):
    """Where news of a call came from."""

    STATUS = "status"  # status callback
    ANSWER = "answer"  # the carrier asked what to say
    AMD = "amd"  # the carrier's answering machine verdict
    LOOKUP = "lookup"  # we asked the carrier
    DETECTOR = "detector"  # our own detection of machines
    LEFT = "left"  # a message was spoken to its end
    REQUEST = "request"  # the answer to our own request; never in the inbox


class CallEvent(NamedTuple):
    """One piece of news of one call, as the inbox keeps it; any fact may be missing."""

    attempt_id: AttemptId
    sid: CallSid
    source: EventSource
    received_at: int
    status: CarrierStatus | None = None
    sequence: int | None = None
    occurred_at: int | None = None
    duration_s: int | None = None
    sip_code: int | None = None
    error_code: int | None = None
    answered_by: str | None = None

    @property
    def news(self) -> str:
        """Equal for repeats of the same news of one attempt, different otherwise.

        A callback is repeated as it was; a later look at the same status may know when it began.
        """
        news = f"{self.source}|{self.status or ''}|{self.answered_by or ''}|{self.sid[-8:]}"
        if self.source is EventSource.DETECTOR:  # which may come back to an earlier word
            return f"{news}|{self.sequence}"
        looked_up = self.source is EventSource.LOOKUP and self.occurred_at is not None
        return f"{news}|{self.occurred_at}" if looked_up else news


class Judgement(NamedTuple):
    """What our own detection says of who answered: its latest word, as ``detection`` has them."""

    sequence: int
    word: str


class CallFacts(NamedTuple):
    """All that is known of an attempt's call: the join of its events, in any order."""

    sid: CallSid | None = None
    status: CarrierStatus | None = None
    ringing_at: int | None = None
    answered_at: int | None = None
    asked_at: int | None = None  # the carrier asked what the callee is to hear
    ended_at: int | None = None
    duration_s: int | None = None
    sip_code: int | None = None
    error_code: int | None = None
    answered_by: str | None = None  # the carrier's word
    judged: Judgement | None = None  # our own
    greetings: tuple[int, ...] = ()  # by sequence: a machine's greeting was over, so we think
    message_left_at: int | None = None

    @property
    def final(self) -> bool:
        return self.status is not None and self.status.final


class WaitReason(StrEnum):
    """Why a member is not being dialed right now: the closed set."""

    DRAFT = "draft"  # the campaign is being prepared
    NOT_STARTED = "not_started"  # the campaign's start lies ahead
    PAUSED = "paused"  # the campaign is paused
    HELD = "held"  # everything is held, until somebody releases it
    ENDED = "ended"  # the campaign is completed or cancelled
    NO_DAEMON = "no_daemon"  # no daemon has seen the campaign yet
    DRAINING = "draining"  # the daemon is going down
    OUTSIDE_HOURS = "outside_hours"  # closed now, or closing too soon for a call
    CALLEE_HOURS = "callee_hours"  # closed where the callee is, or may be
    ZONE_UNKNOWN = "zone_unknown"  # nobody knows what time it is there: give the contact a zone
    CALLEE_CAP = "callee_cap"  # has had as many calls as may be, for now
    NO_NUMBER = "no_number"  # no caller id is usable
    CAMPAIGN_CONCURRENCY = "campaign_concurrency"  # the campaign has all the calls it may have
    ACCOUNT_CONCURRENCY = "account_concurrency"  # the account has all the calls it may have
    CALL_INTERVAL = "call_interval"  # the campaign started a call a moment ago
    CALLS_PER_SECOND = "calls_per_second"  # the account starts no more calls this second
    CARRIER_BACK_OFF = "carrier_back_off"  # the carrier asked us to wait, or cannot be reached
    PRE_DIAL_CHECK = "pre_dial_check"  # the operator's own check before calls does not answer
    STORE_FAILED = "store_failed"  # intents cannot be made durable
    RETRY_NOT_DUE = "retry_not_due"  # called before, due again at a known time
    DEFERRED = "deferred"  # given back a moment ago, due again soon
    CALLEE_BUSY = "callee_busy"  # another attempt at this phone number is open
    IN_CALL = "in_call"  # being called now
    AWAITING_OUTCOME = "awaiting_outcome"  # within the completion timeout
    NEXT = "next"  # nothing blocks: its turn comes


class FailReason(StrEnum):
    """Why a member failed: the closed set."""

    ATTEMPTS_EXHAUSTED = "attempts_exhausted"  # every call failed, the last retry is spent
    INVALID_NUMBER = "invalid_number"  # no such number
    FAX = "fax"  # a fax machine answered
    REJECTED_TWICE = "rejected_twice"  # turned the call away, and again
    RULED_OUT = "ruled_out"  # the campaign's own retry rule says never
    NEVER_PLACED = "never_placed"  # the carrier did not make the call, time and again
    NEVER_OPEN = "never_open"  # no window opens any more
    DO_NOT_CALL = "do_not_call"  # the callee, or somebody for them, has asked not to be called
    DESTINATION_NOT_ALLOWED = "destination_not_allowed"  # our account may not call there
    REFUSED_BY_CHECK = "refused_by_check"  # the operator's own check before calls said never
    SKIPPED = "skipped"  # the operator took it out of the campaign's calls
    CANCELLED = "cancelled"  # the campaign was cancelled or ended by hand


class Claim(NamedTuple):
    """A member taken for one attempt: the intent is durable, the carrier has not been asked."""

    attempt_id: AttemptId
    member_id: MemberId
    campaign_id: CampaignId
    number_id: NumberId
    to: str
    from_: str
    send_at: int
    void_at: int  # after this instant the request must not leave any more
    intent_at: int
    ring_timeout_s: int
    amd: AmdMode  # CARRIER: the carrier is to detect as well, whatever the campaign's mode
    detect_message_end: bool
    revision: int  # of the campaign it was decided by


class InboundCall(NamedTuple):
    """Somebody calls one of our numbers."""

    sid: CallSid
    from_: str | None  # E.164; None: withheld, or no telephone
    to: str


@dataclass(frozen=True, slots=True)
class Script:
    """What an answered call is to hear: the campaign's agent, with the contact's variables."""

    attempt_id: AttemptId
    agent: Agent
    variables: Mapping[str, str]
    language: str | None
    caller_id: str
    time_limit_s: int
    listen_s: int = 0  # silence after a spoken message, while it is being found out who answered
    by_words: bool = False  # who answered is told by the words, or by the sound, of the call
    by_sound: bool = False
