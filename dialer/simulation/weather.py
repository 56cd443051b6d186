"""Trouble that strikes by chance at stated rates, until the storm is over.

One object serves all that can go wrong: the carrier's own faults, the wire to it, the disk. Each
kind draws from a generator of its own, so that changing one rate does not reshuffle the others.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from random import Random
from typing import Final, cast

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.faults import Fault


class WireFault(StrEnum):
    """What befalls a request between a daemon and the carrier; shares of requests."""

    UNREACHABLE = "unreachable"  # nobody listens: not a byte leaves
    HALF_ANSWER = "half_answer"  # accepted, but the answer breaks off
    REFUSE_NUMBER = "refuse_number"
    REFUSE_DESTINATION = "refuse_destination"
    REFUSE_ACCOUNT = "refuse_account"  # the engine pauses the campaign
    REFUSE_OTHER = "refuse_other"
    ASK_FAILED = "ask_failed"  # a question or a change of a call is answered by 503
    NOT_KNOWN_YET = "not_known_yet"  # a call that exists is reported as unknown


class DiskFault(StrEnum):
    """What befalls a statement of a daemon's; shares of statements."""

    BUSY = "busy"  # somebody else holds the database
    FULL = "full"
    IO_ERROR = "io_error"


class Stall(StrEnum):
    """What stops a daemon in its tracks for a while, as SIGSTOP would; shares of statements."""

    AT_A_STATEMENT = "stall"
    AT_THE_DOOR = "stall_at_the_door"  # between the last look and the bytes; of orders (A4)


class CheckFault(StrEnum):
    """What an operator's check does to a question; shares of questions."""

    SLOW = "check_slow"  # half of them beyond their time
    FAILED = "check_failed"
    NEVER = "check_never"
    LATER = "check_later"


#: Everything that can go wrong by chance.
KINDS: Final = frozenset(
    str(kind) for kinds in (Fault, WireFault, DiskFault, Stall, CheckFault) for kind in kinds
)


class Weather:
    """Decides where faults strike, and counts them. Kinds are names with a rate from 0 to 1."""

    def __init__(self, seed: int, rates: Mapping[str, float]) -> None:
        #: Empty once the storm is over.
        self.rates = dict(rates)
        self.struck: Counter[str] = Counter()
        self._seed = seed
        self._rngs: dict[str, Random] = {}

    @property
    def carrier_rates(self) -> Mapping[Fault, float]:
        """The rates as the carrier reads them: by name, and for as long as the storm lasts."""
        return cast(Mapping[Fault, float], self.rates)

    def strikes(self, kind: str) -> bool:
        """True as often as the rate of *kind* says."""
        rate = self.rates.get(kind, 0.0)
        hit = bool(rate) and self._rng(kind).random() < rate
        self.struck[str(kind)] += hit
        return hit

    def between(self, kind: str, low: float, high: float) -> float:
        """A figure of a fault that struck, such as its delay."""
        return self._rng(kind).uniform(low, high)

    def clear_up(self) -> None:
        """Let nothing strike any more."""
        self.rates.clear()

    def _rng(self, kind: str) -> Random:
        if kind not in self._rngs:
            self._rngs[kind] = stream(self._seed, "weather", kind)
        return self._rngs[kind]
