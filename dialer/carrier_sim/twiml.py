"""What a TwiML document makes of an answered call. Pure.

Verbs that keep the call up for as long as both sides like (``Dial``, ``Connect``, …) hold it: the
callee's own plan then ends it. All other verbs take a time that is known beforehand, so that a
document becomes one :class:`Next`: wait, then hang up, hold or fetch another document; and on the
way what is said, and who is to listen from when on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias
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


@dataclass(frozen=True, slots=True)
class Said:
    """A text that the document speaks, from and to so many seconds from its beginning."""

    begins_s: float
    ends_s: float
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptionOrder:
    """Transcribe what the callee says, until the call ends or the order is stopped by name."""

    name: str
    url: str
    method: str
    language: str
    engine: str
    model: str
    track: str
    partials: bool
    profanity_filter: bool = True


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """Send what the callee's side sounds like to a websocket."""

    name: str
    url: str
    track: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StopOrder:
    """End the fork of a kind, ``Transcription`` or ``Stream``, by its name."""

    kind: str
    name: str


Fork: TypeAlias = TranscriptionOrder | StreamOrder | StopOrder


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a document makes of a call; forks begin so many seconds from its beginning."""

    coming: Next
    said: tuple[Said, ...]
    forks: tuple[tuple[float, Fork], ...]


def follow(document: str, digits: str = "") -> Next:
    """What *document* does with a callee who presses *digits* when asked for input."""
    return read(document, digits).coming


def read(document: str, digits: str = "") -> Reading:
    """The same, with what is said and forked on the way. Raises TwimlError for no document."""
    reader = _Reader(digits)
    coming = reader.follow(_verbs(document))
    return Reading(coming, tuple(reader.said), tuple(reader.forks))


class _Reader:
    """Goes through a document, verb by verb."""

    def __init__(self, digits: str) -> None:
        self._digits = digits
        self._at_s = 0.0
        self.said: list[Said] = []
        self.forks: list[tuple[float, Fork]] = []

    def follow(self, document: ET.Element) -> Next:
        for verb in document:
            if (coming := self._meet(verb)) is not None:
                return coming
        return Next(self._at_s, Then.HANG_UP)

    def _meet(self, verb: ET.Element) -> Next | None:
        """What ends the document at *verb*; None to go on with the next one."""
        match verb.tag:
            case "Hangup" | "Reject" | "Leave":
                return Next(self._at_s, Then.HANG_UP)
            case "Redirect":
                url, method = (verb.text or "").strip(), verb.get("method", "POST")
                return Next(self._at_s, Then.FETCH, url, method.upper())
            case "Gather":
                return self._gather(verb)
            case "Start" | "Stop":
                self._fork(verb)
            case tag if tag in HOLDING:
                self._fork(verb)
                return Next(self._at_s, Then.HOLD)
            case _:
                self._speak([verb])
        return None

    def _gather(self, verb: ET.Element) -> Next | None:
        self._speak(verb)
        if (answer := _gathered(verb, self._digits, self._at_s)) is not None:
            return answer
        self._at_s += _seconds(verb, "timeout", GATHER_TIMEOUT_S)
        return None

    def _speak(self, verbs: Iterable[ET.Element]) -> None:
        for verb in verbs:
            lasts_s = _spoken_s(verb)
            if verb.tag == "Say" and lasts_s:
                text = " ".join("".join(verb.itertext()).split())
                self.said.append(Said(self._at_s, self._at_s + lasts_s, text))
            self._at_s += lasts_s

    def _fork(self, verb: ET.Element) -> None:
        for noun in verb:
            if fork := _stopped(noun) if verb.tag == "Stop" else _forked(noun):
                self.forks.append((self._at_s, fork))


def _stopped(noun: ET.Element) -> Fork | None:
    kinds = {"Transcription", "Stream"}
    return StopOrder(noun.tag, noun.get("name", "")) if noun.tag in kinds else None


def _forked(noun: ET.Element) -> Fork | None:
    """Defaults are those of Twilio's pages on the two nouns."""
    match noun.tag:
        case "Transcription":
            return TranscriptionOrder(
                name=noun.get("name", ""),
                url=noun.get("statusCallbackUrl", ""),
                method=noun.get("statusCallbackMethod", "POST").upper(),
                language=noun.get("languageCode", "en-US"),
                engine=noun.get("transcriptionEngine", "google"),
                model=noun.get("speechModel", "telephony"),
                track=noun.get("track", "both_tracks"),
                partials=noun.get("partialResults", "false") == "true",
                profanity_filter=noun.get("profanityFilter", "true") == "true",
            )
        case "Stream":
            return StreamOrder(
                name=noun.get("name", ""),
                url=noun.get("url", ""),
                track=noun.get("track", "inbound_track"),
                parameters={
                    each.get("name", ""): each.get("value", "")
                    for each in noun
                    if each.tag == "Parameter"
                },
            )
        case _:
            return None


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


def _spoken_s(verb: ET.Element) -> float:
    """How long a verb that says or plays something takes; others take no time."""
    match verb.tag:
        case "Say":
            words = len("".join(verb.itertext()).split())
            return _loops(verb) * words / WORDS_PER_S
        case "Play" if "digits" in verb.attrib:
            return DIGIT_S * len(verb.attrib["digits"])
        case "Play":
            return _loops(verb) * PLAY_S
        case "Pause":
            return _seconds(verb, "length", 1.0)
        case _:
            return 0.0


def _loops(verb: ET.Element) -> int:
    return int(_seconds(verb, "loop", 1)) or FOREVER_LOOPS


def _seconds(verb: ET.Element, name: str, default: float) -> float:
    """A numeric attribute; *default* for a missing, odd or negative one, as Twilio warns only."""
    text = verb.get(name, "")
    return float(text) if text.isdigit() else default
