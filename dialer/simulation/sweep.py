"""A small campaign, run again and again, each time killed one effect later, until all are tried.

What a crash leaves behind differs from one effect to the next and nowhere in between; so when
every run comes to a good end, there is no moment at which this campaign may not die.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from dialer.audit.report import Violation
from dialer.model import AmdMode, OnMachine
from dialer.simulation.drawing import STARTS
from dialer.simulation.effects import Kill, kill_at
from dialer.simulation.evidence import judge
from dialer.simulation.run import run
from dialer.simulation.scenario import Campaign, Scenario
from rotation.strategies import Strategy

MS: Final = 1000
#: Four callees whose fates are fixed: a person, a machine, nobody, an engaged line.
CALLEES: Final = ("+15005550100", "+15005550101", "+15005550103", "+15005550104")


@dataclass(frozen=True, slots=True)
class Death:
    """One run of a sweep: where its daemon was killed, and what that did."""

    kill: Kill
    violations: Sequence[Violation]


def sweep(scenario: Scenario, first: int = 1, step: int = 1) -> Iterator[Death]:
    """Kill at effect *first*, then *step* effects later, and so on, until a run outlives them."""
    numbers = count(first, step)
    while (death := killed_at(scenario, next(numbers))) is not None:
        yield death


def killed_at(scenario: Scenario, number: int) -> Death | None:
    """Kill at one effect; None for a run that has fewer."""
    with TemporaryDirectory() as folder:
        outcome = run(scenario, Path(folder), kill_at({number}))
        if not outcome.kills:
            return None
        return Death(outcome.kills[0], judge(outcome).violations)


def small_campaign(seed: int = 1) -> Scenario:
    """Four people, a call each, one daemon, fine weather."""
    return Scenario(
        seed=seed,
        start_at=int(STARTS[0].timestamp() * MS),
        profile="mixed",
        phones=CALLEES,
        numbers=("+16465551000",),
        campaigns=(
            Campaign(
                name="Sweep",
                people=range(len(CALLEES)),
                numbers=(0,),
                hours=None,
                zone="UTC",
                fields={
                    "strategy": Strategy.ROUND_ROBIN,
                    "call_interval_s": 0.0,
                    "max_concurrent": 2,
                    "ring_timeout_s": 10,
                    "amd": AmdMode.CARRIER,
                    "on_machine": OnMachine.HANG_UP,
                    "max_retries": 0,
                    "retry_intervals_s": (20,),
                    "completion_timeout_s": 0,
                },
            ),
        ),
        daemons=1,
        settings={
            "calls_per_second": 2,
            "request_timeout_s": 5.0,
            "accept_bound_s": 12.0,
            "list_bound_s": 20.0,
            "quarantine_s": 60.0,
            "lease_s": 60.0,
            "patience_s": 3.0,
            "look_ahead_s": 0.1,
            "control_poll_s": 60.0,
            "sweep_s": 20.0,
            "explain_s": 600.0,
            "drain_timeout_s": 10.0,
            "busy_timeout_s": 5.0,
        },
        fallback_s=20.0,
        carrier_cps=100.0,
        list_lag_s=0.0,
        rates={},
        longest_stall_s=0.0,
        kills=0,
        effects_between_kills=1,
        acts=(),
        storm_s=0.0,
    )
