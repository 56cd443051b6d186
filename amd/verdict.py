"""The verdicts, and how the carrier's own words become them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Verdict(StrEnum):
    """What answered a call."""

    HUMAN = "human"
    MACHINE = "machine"  # voicemail, answering machine, ivr: nobody to talk to
    FAX = "fax"
    UNKNOWN = "unknown"  # treated as a person


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
