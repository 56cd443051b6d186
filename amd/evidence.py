"""What a signal is worth: the word of the table it stands for, and how sure it is."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from amd.moves import Heard
from amd.signals import Text, TextCue
from amd.verdict import GREETING_ENDED, Detector, GreetingEnd, MachineKind, Verdict, carrier_verdict


class Evidence(NamedTuple):
    """What was heard, by whom, and what there is to tell should it decide."""

    heard: Heard
    detector: Detector
    confidence: float
    cause: str
    kind: MachineKind | None = None
    how: GreetingEnd = GreetingEnd.BEEP


# The figures order the causes; they are no probabilities, and none is measured on calls.
SPEECH: Final = Evidence(Heard.SPEECH, Detector.AUDIO, 0.0, "speech")
PAUSE: Final = Evidence(Heard.PAUSE, Detector.AUDIO, 0.0, "pause")
SHORT: Final = Evidence(Heard.SHORT, Detector.AUDIO, 0.8, "short speech, then a pause")
LONG: Final = Evidence(Heard.LONG, Detector.AUDIO, 0.8, "long speech without a pause")
BEEP: Final = Evidence(Heard.BEEP, Detector.TONE, 0.95, "beep", MachineKind.VOICEMAIL)
FAX: Final = Evidence(Heard.FAX, Detector.TONE, 0.99, "fax tone")
SIT: Final = Evidence(
    Heard.NOTICE, Detector.TONE, 0.95, "special information tones", MachineKind.UNAVAILABLE
)
NOBODY_SPOKE: Final = Evidence(Heard.UNTOLD, Detector.DEADLINE, 0.0, "nobody spoke")
NOT_TOLD: Final = Evidence(Heard.UNTOLD, Detector.DEADLINE, 0.0, "could not be told in time")
NO_WORD: Final = Evidence(Heard.UNTOLD, Detector.DEADLINE, 0.0, "the carrier has not said")
QUIET: Final = Evidence(Heard.QUIET, Detector.AUDIO, 0.0, "silence", how=GreetingEnd.SILENCE)
END: Final = Evidence(Heard.END, Detector.DEADLINE, 0.0, "time is up", how=GreetingEnd.CAP)

_CUES: Final[Mapping[TextCue, tuple[Heard, MachineKind | None]]] = MappingProxyType(
    {
        TextCue.VOICEMAIL: (Heard.HINT, MachineKind.VOICEMAIL),
        TextCue.REPEAT: (Heard.REPEAT, None),
        TextCue.IVR: (Heard.NOTICE, MachineKind.IVR),
        TextCue.UNAVAILABLE: (Heard.NOTICE, MachineKind.UNAVAILABLE),
        TextCue.SCREENING: (Heard.SCREENER, MachineKind.SCREENING),
        TextCue.LIVE: (Heard.LIVE, None),
        TextCue.BRIEF: (Heard.SHORT, None),
    }
)

_SAID: Final[Mapping[Verdict, Heard]] = MappingProxyType(
    {
        Verdict.HUMAN: Heard.SAID_HUMAN,
        Verdict.MACHINE: Heard.SAID_MACHINE,
        Verdict.FAX: Heard.SAID_FAX,
        Verdict.UNKNOWN: Heard.UNTOLD,
    }
)

_GREETING_ENDS: Final[Mapping[str, GreetingEnd]] = MappingProxyType(
    {
        "machine_end_beep": GreetingEnd.BEEP,
        "machine_end_silence": GreetingEnd.SILENCE,
        "machine_end_other": GreetingEnd.CAP,
    }
)

#: An own detector of a field's users agreed with a third of the carrier's machines.
_CARRIER_CONFIDENCE: Final = 0.5


def of_text(text: Text) -> Evidence:
    """The words, with a confidence held between 0 and 1."""
    heard, kind = _CUES[text.cue]
    confidence = min(1.0, text.confidence) if text.confidence > 0 else 0.0
    return Evidence(heard, Detector.TEXT, confidence, text.cause, kind)


def of_score(machine: float) -> Evidence:
    """The model's guess, once it has held."""
    return Evidence(Heard.SCORED, Detector.AUDIO, machine, "model")


def of_carrier(word: str) -> Evidence:
    """The carrier's word; one that nobody knows says nothing."""
    word = word.lower()
    verdict = carrier_verdict(word)
    heard = Heard.SAID_OVER if word in GREETING_ENDED else _SAID[verdict]
    cause = f"carrier: {Verdict.UNKNOWN if verdict is Verdict.UNKNOWN else word}"
    confidence = 0.0 if verdict is Verdict.UNKNOWN else _CARRIER_CONFIDENCE
    how = _GREETING_ENDS.get(word, GreetingEnd.CAP)
    return Evidence(heard, Detector.CARRIER, confidence, cause, how=how)
