"""What detectors tell the fusion about a call, on one clock: milliseconds of media since it was
answered."""

from enum import StrEnum
from typing import NamedTuple, TypeAlias


class TextCue(StrEnum):
    """What the words so far give away."""

    VOICEMAIL = "voicemail"  # a greeting that asks for a message
    IVR = "ivr"  # a menu, a queue, a recorded announcement of a business
    UNAVAILABLE = "unavailable"  # the network speaks: switched off, not in service
    SCREENING = "screening"  # an assistant asks who is calling and why
    REPEAT = "repeat"  # the same words as in an earlier call to this number
    LIVE = "live"  # words that a living person says to a caller
    BRIEF = "brief"  # a short utterance is over, and nothing in it is a machine's


class ToneKind(StrEnum):
    """Sounds that no voice makes."""

    BEEP = "beep"  # the machine records from here on
    FAX = "fax"  # the answering tone of a fax machine
    SIT = "sit"  # special information tones: the network speaks


class Text(NamedTuple):
    """The words heard up to *at_ms*; *cause* names the hint that decided."""

    at_ms: int
    cue: TextCue
    confidence: float
    cause: str


class Understood(NamedTuple):
    """Words came up to *at_ms*, and nothing in them gives anything away so far."""

    at_ms: int


class Speech(NamedTuple):
    """Somebody or something began to speak, or ended: when it did, not when that was noticed."""

    at_ms: int
    began: bool


class Tone(NamedTuple):
    """A tone that ended at *at_ms*, or goes on long enough to be told."""

    at_ms: int
    kind: ToneKind
    lasted_ms: int


class Listened(NamedTuple):
    """The sound of the line arrived up to *at_ms*, whatever is in it."""

    at_ms: int


class Score(NamedTuple):
    """The model's probability, 0 to 1, that a machine speaks."""

    at_ms: int
    machine: float


class CarrierWord(NamedTuple):
    """The carrier's own verdict, in its own words (Twilio's ``AnsweredBy``)."""

    at_ms: int
    word: str


Signal: TypeAlias = Text | Understood | Speech | Listened | Tone | Score | CarrierWord
