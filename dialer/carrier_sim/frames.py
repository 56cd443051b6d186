"""The messages of a media stream, as they were recorded: every counter is a string. Pure."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CONNECTED: Final = '{"event":"connected","protocol":"Call","version":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class StreamNames:
    """What a stream's messages say of where they belong."""

    account_sid: str
    call_sid: str
    stream_sid: str


def start(names: StreamNames, parameters: Mapping[str, str]) -> str:
    """The stream begins: its format, and what the document passes on."""
    facts = {
        "accountSid": names.account_sid,
        "streamSid": names.stream_sid,
        "callSid": names.call_sid,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": dict(parameters),
    }
    return _message(names, "start", 1, facts)


def media(names: StreamNames, sequence: int, chunk: int, timestamp_ms: int, sound: bytes) -> str:
    """One frame; written by hand, as there are fifty a second."""
    payload = b64encode(sound).decode()
    return (
        f'{{"event":"media","sequenceNumber":"{sequence}","media":{{"track":"inbound",'
        f'"chunk":"{chunk}","timestamp":"{timestamp_ms}","payload":"{payload}"}},'
        f'"streamSid":"{names.stream_sid}"}}'
    )


def mark(names: StreamNames, sequence: int, name: str) -> str:
    """What was sent to us before a mark of ours has been played."""
    return _message(names, "mark", sequence, {"name": name})


def stop(names: StreamNames, sequence: int) -> str:
    """The stream or the call has ended."""
    facts = {"accountSid": names.account_sid, "callSid": names.call_sid}
    return _message(names, "stop", sequence, facts)


def mark_asked_for(message: str) -> str | None:
    """The name in a ``mark`` message of the other side; None for any other message."""
    try:
        told = json.loads(message)
        return str(told["mark"]["name"]) if told["event"] == "mark" else None
    except (ValueError, TypeError, KeyError):
        return None


def _message(names: StreamNames, event: str, sequence: int, facts: Mapping[str, Any]) -> str:
    told = {
        "event": event,
        "sequenceNumber": str(sequence),
        event: facts,
        "streamSid": names.stream_sid,
    }
    return json.dumps(told, separators=(",", ":"))
