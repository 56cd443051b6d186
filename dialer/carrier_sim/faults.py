"""Faults a carrier and the network between us are known for, injected at a stated rate.

Every kind draws from a generator of its own, so that changing one rate does not reshuffle the
others. Rates are shares: of create requests, of callbacks, of list requests, of what is heard.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from dialer.carrier_sim.chance import stream
from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean


class Fault(StrEnum):
    """The kinds, by what they strike."""

    # a request to place a call
    REFUSE_429 = "refuse_429"  # refused with Retry-After, never processed
    ERROR_BEFORE = "error_before"  # 503, not accepted
    SLOW_ACCEPT = "slow_accept"  # accepted only after the client has given up, within the bound
    ERROR_AFTER = "error_after"  # accepted, then 500
    DROP_AFTER = "drop_after"  # accepted, then the connection is dropped
    # a callback
    LOST = "lost"
    LATE = "late"  # 1-30 minutes late
    DUPLICATE = "duplicate"
    REORDERED = "reordered"  # overtaken by the call's next callback
    # a list request
    SLOW_LIST = "slow_list"


class LineFault(StrEnum):
    """What goes wrong while a call is listened to: shares of transcripts, frames or streams."""

    # a transcript on its way to us
    TRANSCRIPT_LOST = "transcript_lost"
    TRANSCRIPT_LATE = "transcript_late"  # 2-10 s late
    TRANSCRIPT_DOUBLED = "transcript_doubled"
    TRANSCRIPT_REORDERED = "transcript_reordered"  # overtaken by one or two that follow
    # a frame of a media stream
    FRAME_LOST = "frame_lost"
    FRAME_LATE = "frame_late"  # it and those behind it come 0.1-0.8 s late
    # a media stream
    SOCKET_CLOSED = "socket_closed"  # by the network, within 8 s


LINE_FAULTS: Final = frozenset(map(str, LineFault))
LIST_LAG: Final = "list_lag"  # seconds, not a share: up to so long a new call is not yet listed
MAX_LIST_LAG_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Faults:
    """How often each fault strikes (0-1; absent means never), and how far lists lag behind."""

    rates: Mapping[Fault, float] = field(default_factory=lambda: MappingProxyType({}))
    list_lag_s: float = 0.0
    line: Mapping[LineFault, float] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``[PRESET,][NAME=RATE,…]``, as in ``realistic,lost=0.1``.

        Later entries override earlier ones. UsageError says which entry cannot be read, and why.
        """
        rates: dict[Fault, float] = {}
        line: dict[LineFault, float] = {}
        list_lag_s = 0.0
        for entry in filter(None, map(str.strip, text.split(","))):
            name, given, value = entry.partition("=")
            if not given:
                preset = _preset(name)
                rates, line = dict(preset.rates), dict(preset.line)
                list_lag_s = preset.list_lag_s
            elif name == LIST_LAG:
                list_lag_s = _number(entry, value, MAX_LIST_LAG_S)
            elif name in LINE_FAULTS:
                line[LineFault(name)] = _number(entry, value, 1.0)
            else:
                rates[_kind(name, entry)] = _number(entry, value, 1.0)
        return cls(MappingProxyType(rates), list_lag_s, MappingProxyType(line))

    def __str__(self) -> str:
        """The form :meth:`parse` reads."""
        parts = [f"{kind}={self.rates[kind]:g}" for kind in Fault if self.rates.get(kind)]
        parts += [f"{kind}={self.line[kind]:g}" for kind in LineFault if self.line.get(kind)]
        if self.list_lag_s:
            parts.append(f"{LIST_LAG}={self.list_lag_s:g}")
        return ",".join(parts) or "none"


# Create timeouts with a real call, 429 and callback faults of REALISTIC are published or measured
# figures; the remaining rates are our own: rare enough for a demo, present enough to be met.
PRESETS: Final[Mapping[str, Faults]] = MappingProxyType(
    {
        "none": Faults(),
        "realistic": Faults(
            {
                Fault.REFUSE_429: 0.005,
                Fault.ERROR_BEFORE: 0.001,
                Fault.SLOW_ACCEPT: 0.003,
                Fault.ERROR_AFTER: 0.0005,
                Fault.DROP_AFTER: 0.0005,
                Fault.LOST: 0.002,
                Fault.LATE: 0.005,
                Fault.DUPLICATE: 0.01,
                Fault.REORDERED: 0.01,
                Fault.SLOW_LIST: 0.002,
            },
            list_lag_s=2.0,
            line={
                LineFault.TRANSCRIPT_LOST: 0.002,
                LineFault.TRANSCRIPT_LATE: 0.005,
                LineFault.TRANSCRIPT_DOUBLED: 0.01,
                LineFault.TRANSCRIPT_REORDERED: 0.02,
                LineFault.FRAME_LOST: 0.001,
                LineFault.FRAME_LATE: 0.0005,
                LineFault.SOCKET_CLOSED: 0.005,
            },
        ),
        "harsh": Faults(
            {
                Fault.REFUSE_429: 0.1,
                Fault.ERROR_BEFORE: 0.05,
                Fault.SLOW_ACCEPT: 0.05,
                Fault.ERROR_AFTER: 0.05,
                Fault.DROP_AFTER: 0.05,
                Fault.LOST: 0.1,
                Fault.LATE: 0.05,
                Fault.DUPLICATE: 0.2,
                Fault.REORDERED: 0.2,
                Fault.SLOW_LIST: 0.1,
            },
            list_lag_s=20.0,
            line={
                LineFault.TRANSCRIPT_LOST: 0.1,
                LineFault.TRANSCRIPT_LATE: 0.1,
                LineFault.TRANSCRIPT_DOUBLED: 0.2,
                LineFault.TRANSCRIPT_REORDERED: 0.2,
                LineFault.FRAME_LOST: 0.02,
                LineFault.FRAME_LATE: 0.005,
                LineFault.SOCKET_CLOSED: 0.05,
            },
        ),
    }
)


class Dice:
    """Decides where faults strike, and counts them."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._rates = faults.rates
        self._line_rates = faults.line
        self._rngs = {kind: stream(seed, "fault", kind) for kind in (*Fault, *LineFault)}
        self._lag_rng = stream(seed, "fault", LIST_LAG)
        self._list_lag_s = faults.list_lag_s
        self.struck: Counter[Fault | LineFault] = Counter()

    def strikes(self, kind: Fault | LineFault) -> bool:
        """True as often as the rate says."""
        hit = self._rngs[kind].random() < self._rate(kind)
        self.struck[kind] += hit
        return hit

    def between(self, kind: Fault | LineFault, low: float, high: float) -> float:
        """A figure of a fault that struck, such as its delay."""
        return self._rngs[kind].uniform(low, high)

    def list_lag_s(self) -> float:
        """How long one new call stays out of lists."""
        return self._lag_rng.uniform(0.0, self._list_lag_s)

    def _rate(self, kind: Fault | LineFault) -> float:
        if isinstance(kind, LineFault):
            return self._line_rates.get(kind, 0.0)
        return self._rates.get(kind, 0.0)


def _preset(name: str) -> Faults:
    if preset := PRESETS.get(name):
        return preset
    raise _unknown("preset", name, name, PRESETS)


def _kind(name: str, entry: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        raise _unknown("fault", name, entry, [*Fault, *LineFault, LIST_LAG]) from None


def _number(entry: str, value: str, highest: float) -> float:
    try:
        number = float(value)
    except ValueError:
        raise UsageError(f"{entry!r}: {value!r} is not a number") from None
    if not 0 <= number <= highest:
        raise UsageError(f"{entry!r}: must be between 0 and {highest:g}")
    return number


def _unknown(what: str, name: str, entry: str, known: Iterable[str]) -> UsageError:
    choices = [str(choice) for choice in known]
    hint = did_you_mean(close_matches(name, choices))
    return UsageError(f"{entry!r}: unknown {what} {name!r} (one of {', '.join(choices)}){hint}")
