"""What the Twilio adapter must be told, and the addresses at which Twilio finds us."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from dialer.errors import CredentialsError, UsageError
from dialer.model import AttemptId

TWILIO_API: Final = "https://api.twilio.com"

#: Appended to callback addresses as their fragment: two retries, after connect or read time-outs
#: and server errors. Twilio's own default is one, after connect time-outs only, so that a single
#: 500 would lose a status for ever (Twilio, "Webhooks connection overrides").
WEBHOOK_OVERRIDES: Final = "rc=2&rp=ct,rt,5xx"


#: What transcribes calls as they go on (Twilio, "Real-Time Transcriptions").
TRANSCRIPTION_ENGINE: Final = "deepgram"
TRANSCRIPTION_MODEL: Final = "nova-3"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioConfig:
    """One account and how to reach it; raises :exc:`UsageError` for addresses that cannot work.

    *timeout_s* bounds one request, *max_requests* how many are under way at once, *time_limit_s*
    the length of a call. The account's token signs callbacks; requests of ours carry the API key
    where there is one, else the token.
    """

    account_sid: str
    public_url: str
    auth_token: str = field(default="", repr=False)
    previous_auth_token: str = field(default="", repr=False)  # still signs during a rotation
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    base_url: str = TWILIO_API
    timeout_s: float = 10.0
    max_requests: int = 20
    time_limit_s: int = 600
    webhook_overrides: str = WEBHOOK_OVERRIDES
    transcription_engine: str = TRANSCRIPTION_ENGINE
    transcription_model: str = TRANSCRIPTION_MODEL

    def __post_init__(self) -> None:
        for setting, url in (
            ("DIALER_PUBLIC_URL", self.public_url),
            ("DIALER_TWILIO_BASE_URL", self.base_url),
        ):
            _check_address(setting, url)

    @property
    def credentials(self) -> tuple[str, str]:
        """User and secret of our own requests; :exc:`CredentialsError` when they are missing."""
        if self.account_sid and self.api_key and self.api_secret:
            return self.api_key, self.api_secret
        if self.account_sid and self.auth_token:
            return self.account_sid, self.auth_token
        raise CredentialsError(f"Twilio's credentials are incomplete: set {self.credential_names}")

    @property
    def credential_names(self) -> str:
        """The settings to look at when the credentials do not work."""
        if self.api_key:
            return "DIALER_TWILIO_ACCOUNT_SID, DIALER_TWILIO_API_KEY and DIALER_TWILIO_API_SECRET"
        return "DIALER_TWILIO_ACCOUNT_SID and DIALER_TWILIO_AUTH_TOKEN"

    @property
    def signing_tokens(self) -> Sequence[str]:
        """The secrets callbacks may be signed with, the current one first."""
        return [token for token in (self.auth_token, self.previous_auth_token) if token]

    @property
    def fragment(self) -> str:
        """What follows a callback's address; Twilio obeys it and sends it to nobody."""
        return f"#{self.webhook_overrides}" if self.webhook_overrides else ""

    def answer_url(self, attempt_id: AttemptId) -> str:
        """Where the carrier asks what an answered call is to hear."""
        return self.topic_url("answer", attempt_id)

    def message_url(self, attempt_id: AttemptId) -> str:
        """Where the carrier asks what to leave on a machine."""
        return self.topic_url("message", attempt_id)

    def left_url(self, attempt_id: AttemptId) -> str:
        """Where the carrier asks what to do when a message was spoken to its end."""
        return self.topic_url("left", attempt_id)

    def transcript_url(self, attempt_id: AttemptId) -> str:
        """Where the carrier sends what is said; once, for the next words say it again."""
        return self.topic_url("transcript", attempt_id)

    def media_url(self, attempt_id: AttemptId) -> str:
        """The websocket to which the carrier sends a call's sound."""
        return as_websocket(self.topic_url("media", attempt_id))

    def keypress_url(self, attempt_id: AttemptId) -> str:
        """Where the carrier reports a key pressed during a message."""
        return self.topic_url("keypress", attempt_id)

    @property
    def incoming_keypress_url(self) -> str:
        """Where the carrier reports a key pressed by somebody who called us."""
        return f"{self.public_url.rstrip('/')}/twilio/incoming/keypress"

    def status_url(self, attempt_id: AttemptId) -> str:
        """Where the carrier reports how the call is going."""
        return self.topic_url("status", attempt_id) + self.fragment

    def amd_url(self, attempt_id: AttemptId) -> str:
        """Where the carrier reports who picked up."""
        return self.topic_url("amd", attempt_id) + self.fragment

    def topic_url(self, topic: str, attempt_id: AttemptId) -> str:
        """Where the carrier finds us about *topic* of an attempt."""
        return f"{self.public_url.rstrip('/')}/twilio/{topic}/{attempt_id}"


def as_websocket(url: str) -> str:
    """The same address for a websocket: ``https`` is ``wss``."""
    return f"ws{url.removeprefix('http')}"


def _check_address(setting: str, url: str) -> None:
    """Twilio takes absolute addresses only, and no underscore in a host name."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or "_" in host or parts.scheme not in {"http", "https"}:
        raise UsageError(f"{setting} is not an address: {url!r} (as in https://dialer.example.com)")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"{setting} may hold a host and a path only, no query or user: {url!r}")
