"""The disk below an inline database: where processes die and statements fail."""

from collections.abc import Callable
from typing import TypeAlias

from dialer.simulation.effects import Effects
from dialer.simulation.processes import current
from dialer.store.inline import Fault

#: Asked before each statement runs, with its text: does it fail, and how?
FaultPlan: TypeAlias = Callable[[str], Fault | None]


class Disk:
    """The :class:`~dialer.store.inline.Host` of every process of a machine."""

    def __init__(self, effects: Effects, faults: FaultPlan | None = None) -> None:
        self._effects = effects
        self._faults = faults or (lambda _statement: None)

    def opened(self, cut: Callable[[], None]) -> None:
        process = current()
        if process is not None:
            process.owns(cut)

    def begins(self, statement: str) -> bool:
        return self._effects.reach(f"before {_head(statement)}")

    def fault(self, statement: str) -> Fault | None:
        return self._faults(statement)

    def ended(self, statement: str) -> bool:
        return self._effects.reach(f"after {_head(statement)}")


def _head(statement: str) -> str:
    """Its first three words: enough to know it by."""
    return " ".join(statement.split(maxsplit=3)[:3])
