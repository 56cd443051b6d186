"""Twilio's side of the web server: is it really Twilio, and what is the news?

Twilio signs each request with the account's token: HMAC-SHA1 over the address as it called it,
followed by every form field's name and value, sorted (Twilio, "Webhooks security"). Nothing in
the scheme ages, so a repeat is as valid as the original and must do no harm downstream.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from dialer.carriers import twilio_stream, twilio_transcripts, twiml
from dialer.carriers.rfc2822 import parse_date
from dialer.carriers.twilio_config import TwilioConfig, as_websocket
from dialer.carriers.twilio_stream import CALL_SID
from dialer.errors import UsageError
from dialer.model import (
    AttemptId,
    CallEvent,
    CallSid,
    CarrierStatus,
    EventSource,
    InboundCall,
    Script,
)
from dialer.ports import Deaf, StreamNews, Words

#: Lower case, as ASGI servers hand headers over.
SIGNATURE_HEADER: Final = "x-twilio-signature"

#: Twilio sends some forty fields; a body with more than this is not read.
MAX_FIELDS: Final = 500

_WORD: Final = re.compile(r"[a-zA-Z_-]{1,40}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
#: Words that stand for a number that is withheld, as they are typed on a telephone's keys: some
#: networks hand them on as if they were numbers.
_KEYS: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
_WITHHELD: Final = frozenset(
    f"+{word.translate(_KEYS)}"
    for word in ("anonymous", "blocked", "restricted", "unavailable", "unknown")
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class TwilioCallbacks:
    """The :class:`~dialer.ports.CallbackDoor` for requests Twilio makes to us.

    Calls may have been placed while our address was another: *earlier_urls* are as good.
    """

    def __init__(self, config: TwilioConfig, *, earlier_urls: Sequence[str] = ()) -> None:
        self._account_sid = config.account_sid
        self._config = config
        self._tokens = [token.encode() for token in config.signing_tokens]
        urls = dict.fromkeys(url.rstrip("/") for url in (config.public_url, *earlier_urls))
        self._bases = [base for url in urls for base in _bases(url)]
        self._stream_bases = [as_websocket(base) for base in self._bases]
        # Twilio leaves the fragment of an address out of its signature. A compatible server that
        # signs the address just as it was given proves knowledge of the same secret for the same
        # address, so its signature is as good.
        self._fragments = ("", config.fragment) if config.fragment else ("",)

    def authentic(self, target: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """True when the carrier signed this request for our account.

        *target* is the raw path with its query; the rest of the address is the configured one,
        for Host and X-Forwarded-* are whatever the sender likes. Header names are lower case.
        """
        signature = headers.get(SIGNATURE_HEADER, "").encode("utf-8", "replace")
        try:
            fields = _fields(body, errors="surrogateescape")
        except ValueError:
            return False
        return self._signed(target, fields, signature) and self._addressed_to_us(fields)

    def status_event(self, attempt_id: AttemptId, body: bytes, received_at: int) -> CallEvent:
        """Parse a status callback; one with a status nobody knows is news without a status."""
        return _event(attempt_id, EventSource.STATUS, _form(body), received_at)

    def amd_event(self, attempt_id: AttemptId, body: bytes, received_at: int) -> CallEvent:
        """Parse an answering-machine verdict: call, account, word and duration, nothing else."""
        form = _form(body)
        if _match(_WORD, form.get("AnsweredBy")) is None:
            raise UsageError("the callback holds no verdict: AnsweredBy is missing")
        return _event(attempt_id, EventSource.AMD, form, received_at)

    def answer_event(self, attempt_id: AttemptId, body: bytes, received_at: int) -> CallEvent:
        """Parse the carrier's question what to say; it is asked because somebody answered."""
        form = {"CallStatus": CarrierStatus.IN_PROGRESS.value} | _form(body)
        return _event(attempt_id, EventSource.ANSWER, form, received_at)

    def left_event(self, attempt_id: AttemptId, body: bytes, received_at: int) -> CallEvent:
        """Parse the question what to do after a message; the call goes on while it is asked."""
        form = {"CallStatus": CarrierStatus.IN_PROGRESS.value} | _form(body)
        return _event(attempt_id, EventSource.LEFT, form, received_at)

    def words(self, body: bytes) -> Words | Deaf | None:
        """Parse a callback of a transcription; None for one that tells of something else."""
        form = _form(body)
        return twilio_transcripts.read(_sid(form), form)

    def prompt(self, message: object) -> tuple[str, bool] | None:
        """The words in a message of ConversationRelay's, and whether they are all."""
        return twilio_transcripts.read_prompt(message)

    def stream_authentic(self, target: str, headers: Mapping[str, str]) -> bool:
        """True when the carrier signed this handshake: its address as a websocket's, no fields."""
        signature = headers.get(SIGNATURE_HEADER, "").encode("utf-8", "replace")
        return self._fits(signature, target, "", self._stream_bases)

    def stream_proven(self, attempt_id: AttemptId, token: str) -> bool:
        """Whether *token* was given to the stream of this attempt."""
        given = token.encode("utf-8", "replace")
        own = [_stream_token(secret, attempt_id).encode() for secret in self._tokens]
        return any(hmac.compare_digest(each, given) for each in own)

    def stream_news(self, text: str) -> StreamNews | None:
        """Parse a message on a stream's websocket; None for one that does not concern us."""
        return twilio_stream.read(text)

    def opts_out(self, script: Script, body: bytes) -> bool:
        """Whether the key that was pressed asks for no more calls; no form asks for nothing."""
        try:
            keys = _form(body).get("Digits", "")
        except UsageError:
            return False
        return twiml.opts_out(script.agent, keys)

    def document(self, script: Script) -> bytes:
        """What the answered call is to do."""
        ears = self._ears(script.attempt_id)
        return twiml.document(script, self._config.keypress_url(script.attempt_id), ears)

    def connect_document(self, script: Script) -> bytes:
        """What a person hears who takes over from a machine; the call is listened to already."""
        return twiml.document(script, self._config.keypress_url(script.attempt_id))

    def identify_document(self, script: Script) -> bytes:
        """What a screening assistant hears."""
        return twiml.identify_document(script)

    def opted_out(self, script: Script) -> bytes:
        """What somebody hears who asked for no more calls."""
        return twiml.opted_out(script)

    def message_document(self, script: Script) -> bytes:
        """What to leave on a machine whose greeting is over."""
        return twiml.message_document(script, self._config.left_url(script.attempt_id))

    def inbound_call(self, body: bytes) -> InboundCall:
        """Parse the news that somebody calls us."""
        form = _form(body)
        sid = _sid(form)
        to = _match(_E164, form.get("To"))
        return InboundCall(sid, _caller(form.get("From")), to or "one of our numbers")

    def greeting(self, text: str) -> bytes:
        """What somebody hears who calls us; a goodbye when there is nothing to say."""
        return twiml.greeting(text, self._config.incoming_keypress_url)

    def greeted_opts_out(self, body: bytes) -> bool:
        """Whether the key that was pressed during the greeting asks for no more calls."""
        try:
            return _form(body).get("Digits") == twiml.OPT_OUT_KEY
        except UsageError:
            return False

    def greeted_opted_out(self) -> bytes:
        """What a caller hears who asked for no more calls."""
        return twiml.greeted_opted_out()

    def goodbye(self) -> bytes:
        """The document that ends a call; also the answer when anything goes wrong."""
        return twiml.goodbye()

    def _signed(self, target: str, fields: Sequence[tuple[str, str]], signature: bytes) -> bool:
        signed_fields = "".join(name + value for name, value in sorted(set(fields)))
        return self._fits(signature, target, signed_fields, self._bases)

    def _fits(self, signature: bytes, target: str, fields: str, bases: Iterable[str]) -> bool:
        return any(
            hmac.compare_digest(_signature(token, base + target + fragment + fields), signature)
            for token in self._tokens
            for fragment in self._fragments
            for base in bases
        )

    def _ears(self, attempt_id: AttemptId) -> twiml.Ears:
        config = self._config
        return twiml.Ears(
            transcript_url=config.transcript_url(attempt_id),
            media_url=config.media_url(attempt_id),
            token=_stream_token(self._tokens[0], attempt_id) if self._tokens else "",
            engine=config.transcription_engine,
            model=config.transcription_model,
        )

    def _addressed_to_us(self, fields: Iterable[tuple[str, str]]) -> bool:
        accounts = {value for name, value in fields if name == "AccountSid" and value}
        return accounts <= {self._account_sid}


def _bases(public_url: str) -> Sequence[str]:
    """The public address with and without its port: Twilio signs now one, now the other."""
    parts = urlsplit(public_url)
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    bare = parts.netloc.removesuffix(f":{port}")
    return [_at(parts, bare), _at(parts, f"{bare}:{port}")]


def _at(parts: SplitResult, netloc: str) -> str:
    return parts._replace(netloc=netloc).geturl()


def _signature(token: bytes, signed: str) -> bytes:
    return b64encode(hmac.digest(token, signed.encode("utf-8", "surrogateescape"), "sha1"))


def _fields(body: bytes, *, errors: str) -> list[tuple[str, str]]:
    """All fields, blank ones too, for they are signed; raises ValueError for too many."""
    return parse_qsl(
        body.decode("utf-8", errors),
        keep_blank_values=True,
        errors=errors,
        max_num_fields=MAX_FIELDS,
    )


def _form(body: bytes) -> dict[str, str]:
    """The fields that say something; raises UsageError when the body is no form."""
    try:
        fields = _fields(body, errors="replace")
    except ValueError as error:
        raise UsageError(f"the callback is no form: {error}") from error
    return {name: value for name, value in fields if value}


def _event(
    attempt_id: AttemptId, source: EventSource, form: Mapping[str, str], received_at: int
) -> CallEvent:
    return CallEvent(
        attempt_id=attempt_id,
        sid=_sid(form),
        source=source,
        received_at=received_at,
        status=_status(form.get("CallStatus")),
        sequence=_number(form.get("SequenceNumber")),
        occurred_at=parse_date(form.get("Timestamp")),
        duration_s=_number(form.get("CallDuration")),  # Duration counts billed minutes
        sip_code=_number(form.get("SipResponseCode")),
        error_code=_number(form.get("ErrorCode")),
        answered_by=_match(_WORD, form.get("AnsweredBy")),
    )


def _sid(form: Mapping[str, str]) -> CallSid:
    sid = _match(CALL_SID, form.get("CallSid"))
    if sid is None:
        raise UsageError("the callback names no call: CallSid is missing")
    return CallSid(sid)


def _stream_token(secret: bytes, attempt_id: AttemptId) -> str:
    """What a stream tells us in its first message: only we and the carrier know it."""
    return hmac.digest(secret, f"stream {attempt_id}".encode(), "sha256").hex()


def _caller(text: str | None) -> str | None:
    """A telephone that can be called back, which not every caller has, or shows."""
    phone = _match(_E164, text)
    return None if phone in _WITHHELD else phone


def _status(word: str | None) -> CarrierStatus | None:
    try:
        return CarrierStatus(word or "")
    except ValueError:
        return None


def _match(pattern: re.Pattern[str], text: str | None) -> str | None:
    return text if text and pattern.fullmatch(text) else None


def _number(text: str | None) -> int | None:
    digits = _match(_NUMBER, text)
    return None if digits is None else int(digits)
