"""What the use cases need from the outside: time, chance, names, a store and a carrier.

Adapters implement these protocols; ``app.py`` puts them together. Nothing above this module in
the layers may know which adapter answers.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from dialer.model import AmdMode, AttemptId, CallEvent, CallFacts, CallSid, InboundCall, Script

Row: TypeAlias = Mapping[str, Any]
#: The parameters of a query by name: a mapping, or a named tuple, which is quicker to bind.
Params: TypeAlias = Mapping[str, Any] | tuple[Any, ...]

#: Who acts where no operator does.
DAEMON: Final = "daemon"
CALLEE: Final = "callee"


class Clock(Protocol):
    """The time of day."""

    def now(self) -> int:
        """UTC milliseconds."""


class Rng(Protocol):
    """Chance, where it is wanted: jitter and shuffling. Never for secrets."""

    def random(self) -> float:
        """A float in [0, 1)."""


class Ids(Protocol):
    """Names nobody can guess."""

    def attempt(self, now: int) -> AttemptId:
        """A new attempt's id; ids sort by the time they were made."""


def is_id(text: str) -> bool:
    """Whether *text* may be the id of a row: a number a database can hold."""
    return text.isdecimal() and len(text) < len(str(2**63))


class Tx(Protocol):
    """One transaction. Queries are named; their text lives with the store."""

    @property
    def actor(self) -> str:
        """Who acts in it, for the audit log."""

    async def rows(self, query: str, **params: Any) -> Sequence[Row]: ...

    async def row(self, query: str, **params: Any) -> Row | None: ...

    async def value(self, query: str, **params: Any) -> Any: ...

    async def run(self, query: str, **params: Any) -> int:
        """Execute and return how many rows changed."""

    async def many(self, query: str, params: Sequence[Params]) -> None:
        """Execute once per element, in one round trip; all are of one kind."""


class Database(Protocol):
    """A store with one truth; every write is durable when its block ends."""

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """Committed data only; never blocks a writer."""

    def snapshot(self) -> AbstractAsyncContextManager[Tx]:
        """Committed data as of one moment, for as long as it is read; never blocks a writer."""

    def write(self, actor: str | None = None) -> AbstractAsyncContextManager[Tx]:
        """One transaction: committed when the block ends, rolled back when it raises.

        In it acts *actor*, or whoever the database was opened for.
        """


# -- the carrier ---------------------------------------------------------------------------------


class Order(NamedTuple):
    """One call to place. After *void_at* (UTC ms) the request must not leave any more."""

    attempt_id: AttemptId
    to: str
    from_: str
    ring_timeout_s: int
    amd: AmdMode
    detect_message_end: bool
    void_at: int


class Refusal(StrEnum):
    """Why the carrier said no for certain; each kind has its own consequence."""

    BAD_NUMBER = "bad_number"  # the callee's number can never be called
    DESTINATION = "destination"  # this country or prefix is not allowed
    CONFIGURATION = "configuration"  # our account, credentials or caller id: stop the campaign
    OTHER = "other"  # this attempt failed, nothing more is known


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier made a call of it."""

    sid: CallSid


@dataclass(frozen=True, slots=True)
class Refused:
    """The carrier did not make a call of it, and never will of this request."""

    kind: Refusal
    code: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """Never processed: the same order may be sent again after *retry_after_s*."""

    retry_after_s: float
    code: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Nobody knows whether there is a call: never send again, look for it."""

    why: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not one byte left: the order is void or nobody listens at the carrier's address."""

    why: str


Placement: TypeAlias = Accepted | Refused | Throttled | Doubtful | NotSent


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """A call as the carrier's list shows it."""

    sid: CallSid
    to: str
    from_: str
    created_at: int
    facts: CallFacts


@dataclass(frozen=True, slots=True)
class OwnedNumber:
    """A number calls may be placed from, as the carrier lists it."""

    phone: str
    name: str


class Carrier(Protocol):
    """Places calls and answers questions about them. Errors derive from DialerError."""

    async def place(self, order: Order) -> Placement:
        """Ask once. Never raises for what the carrier or the network does, never asks twice."""

    async def hang_up(self, sid: CallSid) -> None:
        """End the call in whatever state it is; a call that is over already is fine."""

    async def cancel(self, sid: CallSid) -> None:
        """End the call if it is still queued or ringing; no effect on a conversation."""

    async def redirect(self, sid: CallSid, url: str) -> bool:
        """Continue the call with the document at *url*; False when the call is over already."""

    async def fetch(self, sid: CallSid) -> CarrierCall | None:
        """The call as the carrier knows it, None when it knows none."""

    async def find(self, to: str, from_: str, since_at: int) -> Sequence[CarrierCall]:
        """Calls between the two numbers created at or after *since_at*, oldest first."""

    async def owned_numbers(self) -> Sequence[OwnedNumber]:
        """Every number the account may call from."""

    async def check(self) -> None:
        """Raise CredentialsError or UnreachableError when the account cannot be used."""


# -- the operator's own last word before a call ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class PreDialQuestion:
    """May this call be placed? All that is known of it."""

    attempt_id: AttemptId
    phone: str  # E.164
    caller_id: str  # E.164
    campaign: str
    name: str
    email: str  # empty: none is known
    language: str | None
    variables: Mapping[str, str]
    attempts: int  # calls of this campaign that the contact has had


@dataclass(frozen=True, slots=True)
class MayCall:
    """Nothing speaks against this call."""


@dataclass(frozen=True, slots=True)
class Never:
    """This campaign must not call this contact, now or later."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: ask again at *until_at* (UTC ms)."""

    until_at: int
    reason: str = ""


PreDialAnswer: TypeAlias = MayCall | Never | Later


class PreDialCheck(Protocol):
    """Asked about every call before it is placed, several at a time."""

    async def __call__(self, question: PreDialQuestion, /) -> PreDialAnswer:
        """Whatever is raised, or takes too long, is no answer."""


# -- what the carrier tells us ---------------------------------------------------------------------


class Words(NamedTuple):
    """What the callee has said, as far as an utterance goes by now; *final*: it is over."""

    sid: CallSid
    sequence: int | None
    text: str
    final: bool


class Deaf(NamedTuple):
    """The carrier cannot transcribe a call."""

    sid: CallSid
    why: str


class StreamBegan(NamedTuple):
    """A call's sound begins to come; *token* proves that it is that call's."""

    sid: CallSid
    token: str


class Sound(NamedTuple):
    """Mu-law sound of the callee, 8000 bytes a second; *at_ms* of the stream it begins."""

    at_ms: int
    payload: bytes


class StreamEnded(NamedTuple):
    """No more sound comes."""


StreamNews: TypeAlias = StreamBegan | Sound | StreamEnded


class CallbackDoor(Protocol):
    """The carrier's side of the web server: who is knocking, what they say, what they hear."""

    def authentic(self, target: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """True when the carrier signed this request; *target* is the raw path with its query."""

    def status_event(self, attempt_id: AttemptId, body: bytes, received_at: int) -> CallEvent:
        """Parse a status callback; raises UsageError for a body that is none."""

    def amd_event(self, attempt_id: AttemptId, body: bytes, received_at: int) -> CallEvent:
        """Parse an answering-machine verdict; raises UsageError for a body that is none."""

    def answer_event(self, attempt_id: AttemptId, body: bytes, received_at: int) -> CallEvent:
        """Parse the carrier's question what to say; raises UsageError for a body that is none."""

    def left_event(self, attempt_id: AttemptId, body: bytes, received_at: int) -> CallEvent:
        """Parse the question what to do after a message; raises UsageError for a body that is none.

        It is asked because the message was spoken to its end.
        """

    def words(self, body: bytes) -> Words | Deaf | None:
        """Parse what is said in a call; raises UsageError for a body that cannot be read."""

    def prompt(self, message: object) -> tuple[str, bool] | None:
        """The words in a message to an agent, and whether they are all; raises UsageError."""

    def stream_authentic(self, target: str, headers: Mapping[str, str]) -> bool:
        """True when the carrier signed this handshake of a websocket; see :meth:`authentic`."""

    def stream_proven(self, attempt_id: AttemptId, token: str) -> bool:
        """Whether *token* is the one an attempt's document gives its stream."""

    def stream_news(self, text: str) -> StreamNews | None:
        """Parse a message on a stream's websocket; raises UsageError for what is none."""

    def opts_out(self, script: Script, body: bytes) -> bool:
        """Whether the key that was pressed during a message asks for no more calls."""

    def document(self, script: Script) -> bytes:
        """What the answered call is to do."""

    def message_document(self, script: Script) -> bytes:
        """What to leave on a machine whose greeting is over."""

    def identify_document(self, script: Script) -> bytes:
        """What a screening assistant hears."""

    def connect_document(self, script: Script) -> bytes:
        """What a person hears who takes over from a machine; the call is listened to already."""

    def opted_out(self, script: Script) -> bytes:
        """What somebody hears who asked for no more calls."""

    def inbound_call(self, body: bytes) -> InboundCall:
        """Parse the news that somebody calls us; raises UsageError for a body that is none."""

    def greeting(self, text: str) -> bytes:
        """What somebody hears who calls us, with the offer not to be called again."""

    def greeted_opts_out(self, body: bytes) -> bool:
        """Whether the key that was pressed during the greeting asks for no more calls."""

    def greeted_opted_out(self) -> bytes:
        """What a caller hears who asked for no more calls."""

    def goodbye(self) -> bytes:
        """The document that ends a call; also the answer when anything goes wrong."""
