"""What Twilio's real-time transcription, or a bot behind ConversationRelay, says was said."""

import json
import re
from collections.abc import Mapping
from typing import Final

from dialer.errors import UsageError
from dialer.model import CallSid
from dialer.ports import Deaf, Words

#: The track of whoever was called; the other is our own voice.
INBOUND: Final = "inbound_track"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def read(sid: CallSid, form: Mapping[str, str]) -> Words | Deaf | None:
    """The words of a callback (Twilio, "<Transcription>: status callbacks").

    None: it tells of something else. Raises UsageError for one that cannot be read.
    """
    event = form.get("TranscriptionEvent", "")
    if event == "transcription-error":
        return Deaf(sid, form.get("TranscriptionError") or form.get("ErrorMessage") or "no reason")
    if event != "transcription-content" or form.get("Track", INBOUND) != INBOUND:
        return None
    number = form.get("SequenceId", "")
    sequence = int(number) if _NUMBER.fullmatch(number) else None
    text = _said(form.get("TranscriptionData", ""))
    return Words(sid, sequence, text, form.get("Final", "").lower() == "true")


def _said(data: str) -> str:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError("the callback's TranscriptionData is not JSON") from error
    text = told.get("transcript") if isinstance(told, dict) else None
    if not isinstance(text, str):
        raise UsageError("the callback's TranscriptionData holds no transcript")
    return text


def read_prompt(message: object) -> tuple[str, bool] | None:
    """The words of a message that ConversationRelay sends a bot, and whether they are all.

    None: it tells of something else. Raises UsageError for what is no such message.
    """
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise UsageError('expected a message of ConversationRelay, as {"type": "prompt", …}')
    if message["type"] != "prompt":
        return None
    text, last = message.get("voicePrompt"), message.get("last", True)
    if not isinstance(text, str) or not isinstance(last, bool):
        raise UsageError('a prompt holds "voicePrompt", a text, and "last", true or false')
    return text, last
