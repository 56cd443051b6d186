"""The verdicts, and how the carrier's own words become them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias


class Verdict(StrEnum):
    """What answered a call."""

    HUMAN = "human"
    MACHINE = "machine"  # voicemail, answering machine, ivr: nobody to talk to
    FAX = "fax"
    UNKNOWN = "unknown"  # treated as a person


class MachineKind(StrEnum):
    """What kind of machine, where that can be told."""

    VOICEMAIL = "voicemail"
    IVR = "ivr"  # a menu or an announcement of a business
    SCREENING = "screening"  # an assistant asks who is calling; a person may follow
    UNAVAILABLE = "unavailable"  # the network speaks


class Detector(StrEnum):
    """Whose word decided."""

    TEXT = "text"
    AUDIO = "audio"
    TONE = "tone"
    CARRIER = "carrier"
    DEADLINE = "deadline"  # nobody's: time was up


@dataclass(frozen=True, slots=True)
class Decision:
    """Who answered, as far as could be told by *at_ms* of media since the answer.

    *confidence* is 0 to 1; *cause* says in a few words what decided.
    """

    verdict: Verdict
    kind: MachineKind | None
    confidence: float
    cause: str
    at_ms: int
    detector: Detector


class GreetingEnd(StrEnum):
    """How it was told that a machine's greeting is over."""

    BEEP = "beep"
    SILENCE = "silence"
    CAP = "cap"  # it was not told: time was up


@dataclass(frozen=True, slots=True)
class GreetingOver:
    """A message spoken from here on is recorded; with CAP, only if the machine records at all.

    CAP tells that waiting is of no use. A voicemail may still be recorded then; a menu, the network
    and a screening assistant never are.
    """

    at_ms: int
    how: GreetingEnd


Finding: TypeAlias = Decision | GreetingOver


#: Twilio's ``AnsweredBy`` in both detection modes, and the words its call resource uses.
CARRIER_WORDS: Final[Mapping[str, Verdict]] = MappingProxyType(
    {
        "human": Verdict.HUMAN,
        "machine": Verdict.MACHINE,
        "machine_start": Verdict.MACHINE,
        "machine_end_beep": Verdict.MACHINE,
        "machine_end_silence": Verdict.MACHINE,
        "machine_end_other": Verdict.MACHINE,
        "fax": Verdict.FAX,
        "unknown": Verdict.UNKNOWN,
    }
)

#: The greeting is over: a message spoken now is recorded.
GREETING_ENDED: Final = frozenset({"machine_end_beep", "machine_end_silence", "machine_end_other"})


def carrier_verdict(answered_by: str | None) -> Verdict:
    """Translate the carrier's word; a word nobody knows is UNKNOWN, and so a person."""
    return CARRIER_WORDS.get((answered_by or "").lower(), Verdict.UNKNOWN)
