"""The forms of the carrier's webhooks: names and types as in recorded messages. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from dialer.carrier_sim.recognition import STABILITY, Heard
from dialer.carrier_sim.twiml import TranscriptionOrder

INBOUND: Final = "inbound_track"

API_VERSION: Final = "2010-04-01"
DIRECTION: Final = "outbound-api"
_PLACES: Final = ("City", "State", "Zip")
_PARTIES: Final = ("Caller", "From", "Called", "To")


def rfc2822(at: int) -> str:
    """UTC milliseconds as Twilio writes dates."""
    return format_datetime(datetime.fromtimestamp(at // 1000, UTC))


def iso8601(at: int) -> str:
    """UTC milliseconds as transcription callbacks write instants, to the microsecond."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def call_form(account_sid: str, sid: str, to: str, from_: str, status: str) -> dict[str, str]:
    """What every webhook about a call carries."""
    form = {
        "ApiVersion": API_VERSION,
        "AccountSid": account_sid,
        "CallSid": sid,
        "CallStatus": status,
        "Direction": DIRECTION,
        "From": from_,
        "Caller": from_,
        "To": to,
        "Called": to,
    }
    return form | _geography(to, from_)


def status_form(
    base: Mapping[str, str], at: int, sequence: int, extra: Mapping[str, str]
) -> dict[str, str]:
    """A status callback fired at *at*; *sequence* counts the callbacks subscribed to."""
    return {
        **base,
        "Timestamp": rfc2822(at),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(sequence),
        **extra,
    }


def end_fields(duration_s: int, sip: int) -> dict[str, str]:
    """What a final status callback carries besides: seconds, billed minutes, SIP response."""
    return {
        "CallDuration": str(duration_s),
        "Duration": str(-(-duration_s // 60)),
        "SipResponseCode": str(sip),
    }


def amd_form(account_sid: str, sid: str, answered_by: str, after_ms: int) -> dict[str, str]:
    """The asynchronous verdict: these four fields and nothing else."""
    return {
        "CallSid": sid,
        "AccountSid": account_sid,
        "AnsweredBy": answered_by,
        "MachineDetectionDuration": str(after_ms),
    }


def transcription_form(
    account_sid: str, sid: str, transcription_sid: str, event: str, at: int, sequence: int
) -> dict[str, str]:
    """What every callback of a real-time transcription carries."""
    return {
        "TranscriptionSid": transcription_sid,
        "TranscriptionEvent": event,
        "CallSid": sid,
        "AccountSid": account_sid,
        "Timestamp": iso8601(at),
        "SequenceId": str(sequence),
    }


def started_fields(order: TranscriptionOrder) -> dict[str, str]:
    """What the first callback of a transcription carries besides."""
    configuration = {
        "profanityFilter": str(order.profanity_filter).lower(),
        "speechModel": order.model,
    }
    return {
        "ProviderConfiguration": json.dumps(configuration, separators=(",", ":")),
        "Name": order.name,
        "InboundTrackLabel": "",
        "OutboundTrackLabel": "",
        "LanguageCode": order.language,
        "PartialResults": str(order.partials).lower(),
        "TranscriptionEngine": order.engine,
        "Track": order.track,
    }


def content_fields(order: TranscriptionOrder, heard: Heard) -> dict[str, str]:
    """What a transcript carries besides: a partial its stability, a final its confidence."""
    data: dict[str, object] = {"transcript": heard.text}
    stability = {} if heard.final else {"Stability": STABILITY}
    if heard.final:
        data["confidence"] = heard.confidence
    return {
        "LanguageCode": order.language,
        "TranscriptionData": json.dumps(data, ensure_ascii=False, separators=(",", ":")),
        "Final": str(heard.final).lower(),
        "Track": INBOUND,
        **stability,
    }


def _geography(to: str, from_: str) -> dict[str, str]:
    """Places are blank, as they mostly are; a client or SIP address has none."""
    fields: dict[str, str] = {}
    for party, phone in zip(_PARTIES, (from_, from_, to, to), strict=True):
        if phone.startswith("+"):
            fields |= {f"{party}{place}": "" for place in _PLACES}
            fields[f"{party}Country"] = "US" if phone.startswith("+1") else ""
    return fields
