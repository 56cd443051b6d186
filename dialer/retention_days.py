"""What may be kept for a time, how long a deployment keeps it, and which time is too short."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialer.errors import UsageError


class Kind(StrEnum):
    """What may be kept for a time."""

    EVENTS = "events"  # the carrier's raw news of calls that are over
    CALLS = "calls"  # attempts that are closed
    IMPORT_ROWS = "import_rows"  # rejected rows with their values
    DNC_HISTORY = "dnc_history"  # what happened to numbers on the do-not-call list


#: Least days, and what would go wrong below.
LEAST: Final[Mapping[Kind, tuple[int, str]]] = {
    Kind.CALLS: (30, "caps per callee look back 30 days, and a call that is gone is not counted"),
    Kind.EVENTS: (7, "late news of a call is compared with what was told of it before"),
    Kind.DNC_HISTORY: (30, "dialer audit asks it who was listed when calls were made"),
}


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that what is over is kept; 0 keeps it for ever."""

    calls_days: int = 0
    events_days: int = 0
    import_rows_days: int = 0
    dnc_history_days: int = 0

    @property
    def days(self) -> Mapping[Kind, int]:
        """The days of every kind that is not kept for ever, in the order of deletion."""
        days = {
            Kind.EVENTS: self.events_days,
            Kind.CALLS: self.calls_days,
            Kind.IMPORT_ROWS: self.import_rows_days,
            Kind.DNC_HISTORY: self.dnc_history_days,
        }
        return {kind: number for kind, number in days.items() if number}


def check_days(kind: Kind, days: int) -> None:
    """Raise UsageError for days that are too few."""
    least, why = LEAST.get(kind, (0, ""))
    if 0 < days < least:
        raise UsageError(f"less than {least} days: {why}; 0 keeps for ever")
