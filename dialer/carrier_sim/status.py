"""The status of a call resource."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dialer.carrier_sim.profiles import Fate


class Status(StrEnum):
    """As Twilio spells it; ``initiated`` exists in callbacks only."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"


LIVE: Final = frozenset({Status.QUEUED, Status.RINGING, Status.IN_PROGRESS})

#: How calls end that nobody answers. A rejection reads as no-answer; only its SIP code tells.
ENDS_AS: Final[Mapping[Fate, Status]] = MappingProxyType(
    {
        Fate.NO_ANSWER: Status.NO_ANSWER,
        Fate.REJECTED: Status.NO_ANSWER,
        Fate.BUSY: Status.BUSY,
        Fate.INVALID: Status.FAILED,
        Fate.FAILED: Status.FAILED,
    }
)
