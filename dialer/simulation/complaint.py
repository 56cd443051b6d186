"""A run that went wrong, as whoever has to mend it wants to read it."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from dialer.audit.report import Violation
from dialer.simulation.outcome import Outcome

#: So many violations of one run are told.
TOLD: Final = 10


def replay(seed: int) -> str:
    """The command that runs *seed* again."""
    return f"dialer selftest --seeds 1 --from-seed {seed}"


def complaint(outcome: Outcome, violations: Sequence[Violation]) -> str:
    """What is wrong, how to see it again, all that was drawn, and the last of the guilty."""
    scenario = outcome.scenario
    drawn = [f"  {each.name} = {getattr(scenario, each.name)}" for each in fields(scenario)]
    guilty = _guilty(outcome, violations[0])
    return "\n".join(
        [
            f"seed {scenario.seed} breaks a promise; to see it again: {replay(scenario.seed)}",
            *(f"  {violation}" for violation in violations[:TOLD]),
            "drawn:",
            *drawn,
            f"last entries about {', '.join(guilty)}:" if guilty else "last entries:",
            *outcome.journal.about(*guilty),
        ]
    )


def _guilty(outcome: Outcome, violation: Violation) -> list[str]:
    """The names under which the journal knows whom a violation is about."""
    names = [name for name in (violation.attempt, violation.callee) if name]
    sids = [
        str(event["sid"])
        for event in outcome.truth
        if event["event"] == "accepted" and {event["token"], event["to"]} & {*names}
    ]
    return [*names, *sids]
