"""What begins a media stream is believed only where it can be, and not repeated to anybody."""

import json
from typing import Any

import pytest

from dialer.carriers import twilio_stream
from dialer.errors import UsageError
from dialer.model import CallSid
from dialer.ports import StreamBegan


def start(**fields: Any) -> str:
    return json.dumps({"event": "start", "start": {"callSid": "CA1"} | fields})


def test_a_stream_names_its_call_and_its_token() -> None:
    frame = start(customParameters={"token": "5esame"})

    assert twilio_stream.read(frame) == StreamBegan(CallSid("CA1"), "5esame")


@pytest.mark.parametrize("sid", ["", "CA 1", "CA1\n", "CA\u00e9", "C" * 129, 7, None])
def test_what_cannot_name_a_call_is_refused(sid: object) -> None:
    with pytest.raises(UsageError, match="names no call"):
        twilio_stream.read(start(callSid=sid))


def test_a_format_that_cannot_be_heard_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="format") as caught:
        twilio_stream.read(start(mediaFormat={"encoding": "+15551234567" * 1000}))

    assert "555" not in caught.value.message
    assert len(caught.value.message) < 100
