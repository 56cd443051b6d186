"""What a TwiML document makes of an answered call. Pure.

Verbs that keep the call up for as long as both sides like (``Dial``, ``Connect``, …) hold it: the
callee's own plan then ends it. All other verbs take a time that is known beforehand, so that a
document becomes one :class:`Next`: wait, then hang up, hold or fetch another document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from xml.etree import ElementTree as ET

from dialer.errors import DialerError

MAX_DOCUMENT_BYTES: Final = 64 * 1024  # Twilio error 11750 beyond
WORDS_PER_S: Final = 2.5  # speech at 150 words a minute
PLAY_S: Final = 10.0  # a media file of unknown length
DIGIT_S: Final = 0.5  # one key tone
GATHER_TIMEOUT_S: Final = 5.0
FOREVER_LOOPS: Final = 1000  # what Twilio makes of loop="0"
HOLDING: Final = frozenset({"Connect", "Dial", "Enqueue", "Record", "Echo"})


class TwimlError(DialerError):
    """The document is not TwiML; the caller hears an apology and is hung up on."""

    code = "twiml"


class Then(StrEnum):
    """What follows the timed part of a document."""

    HANG_UP = "hang_up"
    HOLD = "hold"  # until the callee hangs up
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Next:
    """Wait *after_s*, then do *then*; *url*, *method* and *form* belong to a fetch."""

    after_s: float
    then: Then
    url: str = ""  # empty: the address of this document
    method: str = "POST"
    form: Mapping[str, str] = field(default_factory=dict)


def follow(document: str, digits: str = "") -> Next:
    """What *document* does with a callee who presses *digits* when asked for input."""
    after_s = 0.0
    for verb in _verbs(document):
        match verb.tag:
            case "Hangup" | "Reject" | "Leave":
                return Next(after_s, Then.HANG_UP)
            case "Redirect":
                url, method = (verb.text or "").strip(), verb.get("method", "POST")
                return Next(after_s, Then.FETCH, url, method.upper())
            case "Gather":
                after_s += _spoken_s(verb)
                if (answer := _gathered(verb, digits, after_s)) is not None:
                    return answer
                after_s += _seconds(verb, "timeout", GATHER_TIMEOUT_S)
            case tag if tag in HOLDING:
                return Next(after_s, Then.HOLD)
            case _:
                after_s += _spoken_s([verb])
    return Next(after_s, Then.HANG_UP)


def _verbs(document: str) -> ET.Element:
    if len(document.encode()) > MAX_DOCUMENT_BYTES:
        raise TwimlError(f"the document is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        # The document comes from the operator's own server, and expat bounds entity expansion.
        root = ET.fromstring(document.strip())  # noqa: S314
    except ET.ParseError as error:
        raise TwimlError(f"the document is not XML: {error}") from error
    if root.tag != "Response":
        raise TwimlError(f"the document's root is <{root.tag}>, not <Response>")
    return root


def _gathered(verb: ET.Element, digits: str, after_s: float) -> Next | None:
    """The request that reports input; None when the callee stays silent and nobody asks."""
    url, method = verb.get("action", ""), verb.get("method", "POST").upper()
    keys = "dtmf" in verb.get("input", "dtmf")
    if digits and keys:
        pressed = digits[: int(_seconds(verb, "numDigits", len(digits)))]
        return Next(after_s + 1.0, Then.FETCH, url, method, {"Digits": pressed})
    if verb.get("actionOnEmptyResult") == "true":
        waited_s = after_s + _seconds(verb, "timeout", GATHER_TIMEOUT_S)
        return Next(waited_s, Then.FETCH, url, method, {"Digits": ""})
    return None


def _spoken_s(verbs: Iterable[ET.Element]) -> float:
    """How long the verbs that say or play something take; others take no time."""
    total_s = 0.0
    for verb in verbs:
        match verb.tag:
            case "Say":
                words = len("".join(verb.itertext()).split())
                total_s += _loops(verb) * words / WORDS_PER_S
            case "Play" if "digits" in verb.attrib:
                total_s += DIGIT_S * len(verb.attrib["digits"])
            case "Play":
                total_s += _loops(verb) * PLAY_S
            case "Pause":
                total_s += _seconds(verb, "length", 1.0)
    return total_s


def _loops(verb: ET.Element) -> int:
    return int(_seconds(verb, "loop", 1)) or FOREVER_LOOPS


def _seconds(verb: ET.Element, name: str, default: float) -> float:
    """A numeric attribute; *default* for a missing, odd or negative one, as Twilio warns only."""
    text = verb.get(name, "")
    return float(text) if text.isdigit() else default
