"""What a simulated run leaves behind."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialer.simulation.commits import Write
from dialer.simulation.effects import Kill
from dialer.simulation.journal import Journal
from dialer.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything a judge may want to see. Times are UTC milliseconds, *took_s* is virtual."""

    scenario: Scenario
    database: Path
    truth: Sequence[Mapping[str, Any]]  # the carrier's own record, event by event
    operator_log: Sequence[Mapping[str, Any]]
    writes: Sequence[Write]  # of all daemons, as the store kept or refused them
    journal: Journal
    digest: str  # equal for equal histories
    effects: int
    kills: Sequence[Kill]
    struck: Mapping[str, int]  # faults that struck, by kind
    seen: Counter[str]  # rare and wanted situations that came about
    took_s: float
    unfinished: Sequence[str]  # what never came to its end
    broken_off: str = ""  # why the run was not played to its end
