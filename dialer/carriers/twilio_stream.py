"""Frames of a media stream (Twilio, "Media Streams: WebSocket messages"): JSON texts, one each."""

import binascii
import json
import re
from typing import Any, Final

from dialer.errors import UsageError
from dialer.model import CallSid
from dialer.ports import Sound, StreamBegan, StreamEnded, StreamNews

#: The track of whoever was called, as streams name it.
INBOUND: Final = "inbound"
#: What both ends agreed on: mu-law, 8000 samples a second, one channel.
_FORMAT: Final = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
#: The name of a call; compatible servers have other forms than CA + 32 hex.
CALL_SID: Final = re.compile(r"[!-~]{1,128}")
#: A timestamp longer than this many digits is none: 9 are eleven days.
_MOST_DIGITS: Final = 9


def read(text: str) -> StreamNews | None:
    """What a frame tells; None: nothing that concerns us. Raises UsageError for what is none."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("the frame is not JSON") from error
    if not isinstance(frame, dict):
        raise UsageError("the frame is no object")
    event = frame.get("event")
    if event == "media":
        return _sound(_part(frame, "media"))
    if event == "start":
        return _began(_part(frame, "start"))
    if event == "stop":
        return StreamEnded()
    if not isinstance(event, str):
        raise UsageError("the frame names no event")
    return None


def _began(start: dict[str, Any]) -> StreamBegan:
    sid, given = start.get("callSid"), start.get("customParameters")
    if not isinstance(sid, str) or not CALL_SID.fullmatch(sid):
        raise UsageError("the stream names no call: callSid is missing, or no name")
    if start.get("mediaFormat", _FORMAT) != _FORMAT:
        raise UsageError("the stream is in a format we cannot hear: mediaFormat")
    token = given.get("token") if isinstance(given, dict) else None
    return StreamBegan(CallSid(sid), token if isinstance(token, str) else "")


def _sound(media: dict[str, Any]) -> Sound | None:
    if media.get("track", INBOUND) != INBOUND:
        return None
    stamp, payload = media.get("timestamp"), media.get("payload")
    if not (isinstance(stamp, str) and stamp.isdecimal() and stamp.isascii()):
        raise UsageError("the frame has no timestamp")
    if len(stamp) > _MOST_DIGITS or not isinstance(payload, str):
        raise UsageError("the frame has no sound, or no time that can be")
    try:
        return Sound(int(stamp), binascii.a2b_base64(payload.encode("ascii"), strict_mode=True))
    except (ValueError, UnicodeEncodeError) as error:
        raise UsageError("the frame's sound is not base64") from error


def _part(frame: dict[str, Any], name: str) -> dict[str, Any]:
    part = frame.get(name)
    if not isinstance(part, dict):
        raise UsageError(f"the frame holds no {name}")
    return part
