"""Looking for what must not be: damaged pages, broken references, facts that contradict.

Every check is one statement, so that it sees one moment, however busy the daemon is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dialer.ports import Database

#: The queries of ``sql/checks.sql``, and what is true when they find nothing.
CHECKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "storage_faults": "the file's pages are whole",
        "broken_references": "every reference leads somewhere",
        "dialing_without_attempt": "every member being dialed has an open attempt",
        "attempts_nobody_follows": "every open attempt is its member's latest",
        "attempts_half_closed": "an attempt is closed exactly when its state is final",
        "callees_called_twice": "no callee has two open attempts",
        "called_without_outcome": "every member called has an outcome",
        "waiting_in_ended_campaigns": "nobody waits in a campaign that has ended",
        "miscounted_number_days": "calls per number and day are those that were made",
        "miscounted_number_totals": "calls per number are the sum of its days",
    }
)
#: So many of what a check found are named.
EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found; no faults is good."""

    name: str
    promise: str
    faults: int
    examples: Sequence[str]

    @property
    def ok(self) -> bool:
        return not self.faults


async def check(database: Database) -> list[CheckResult]:
    """Run every check, in order."""
    results = []
    for name, promise in CHECKS.items():
        async with database.read() as tx:
            found = [row["what"] for row in await tx.rows(name)]
        results.append(CheckResult(name, promise, len(found), found[:EXAMPLES]))
    return results
