"""`dialer selftest`: the engine in simulated storms, judged by the independent checker."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.simulation.seeds import SeedResult


def selftest(
    seeds: Annotated[int, typer.Option(min=1, help="How many runs, each from a seed.")] = 200,
    from_seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time; else one for each core.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Let the engine live through simulated storms, and check that it keeps every promise.

    Each seed is a campaign or three in virtual time, on the real engine and a real SQLite file:
    daemons are killed between any two statements, frozen and restarted, the disk fails, the
    carrier refuses, is late, loses and doubles callbacks, operators pause, cancel and list people
    not to be called. Then the storm ends, everything has to come to its end, and what the carrier
    did is held against the database, as in `dialer audit`.

    Nobody is rung, no database of yours is touched, and the same seed gives the same run on every
    machine: so do the same seeds of one release give the same digest. A broken promise exits 1 and
    says how to run its seed again.

    Example: dialer selftest

    Example: dialer selftest --seeds 5000 --json

    Example: dialer selftest --seeds 1 --from-seed 4711
    """
    from dialer.clock import SystemClock
    from dialer.commands import progress
    from dialer.commands.console import emit, say, table
    from dialer.simulation.children import cores
    from dialer.simulation.seeds import try_seeds

    clock = SystemClock()
    began_at = clock.now()
    sums = Sums(from_seed)
    with progress.shown() as tell:
        for result in try_seeds(range(from_seed, from_seed + seeds), processes or cores()):
            sums.add(result)
            if result.complaint:
                say(f"{result.complaint}\n")
            tell(sums.seeds, seeds, sums.words(seeds))
    seconds = (clock.now() - began_at) / 1000
    if json_:
        emit(sums.as_json(seconds))
    else:
        table(("what", "count"), sums.as_rows(seconds))
    if sums.failed:
        raise typer.Exit(ExitCode.FAILED)


class Sums:
    """What the runs so far amount to."""

    def __init__(self, from_seed: int) -> None:
        self.from_seed = from_seed
        self.seeds = self.kills = self.effects = self.calls = 0
        self.virtual_s = 0.0
        self.faults: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.digests: dict[int, str] = {}
        self.failed: dict[int, list[str]] = {}

    def add(self, result: "SeedResult") -> None:
        """Count *result* in."""
        self.seeds += 1
        self.kills += result.kills
        self.effects += result.effects
        self.calls += result.calls
        self.virtual_s += result.took_s
        self.faults.update(result.struck)
        self.checked.update(result.checked)
        self.digests[result.seed] = result.digest
        if result.violations:
            self.failed[result.seed] = list(result.violations)

    @property
    def violations(self) -> int:
        return sum(map(len, self.failed.values()))

    @property
    def digest(self) -> str:
        from dialer.simulation.seeds import digest_of

        return digest_of(self.digests)

    def words(self, of: int) -> str:
        """How far *of* runs are."""
        return f"{self.seeds}/{of} seeds, {self.kills:,} kills, {self.violations:,} violations"

    def as_rows(self, seconds: float) -> list[tuple[str, str]]:
        """For people."""
        promises = sum(times > 0 for times in self.checked.values())
        return [
            ("seeds", f"{self.seeds:,} from {self.from_seed}"),
            ("calls", f"{self.calls:,} in {self.virtual_s / 3600:,.1f} virtual hours"),
            ("effects", f"{self.effects:,} moments at which a daemon could have died"),
            ("kills", f"{self.kills:,}"),
            ("faults", f"{self.faults.total():,}"),
            *((f"  {kind}", f"{times:,}") for kind, times in self.faults.most_common()),
            ("promises", f"{promises} checked, {self.checked.total():,} times in all"),
            ("violations", f"{self.violations:,}"),
            *((f"  seed {seed}", found[0]) for seed, found in sorted(self.failed.items())),
            ("digest", self.digest),
            ("seconds", f"{seconds:,.1f}"),
        ]

    def as_json(self, seconds: float) -> dict[str, Any]:
        """For programs."""
        from dialer.simulation.complaint import replay

        return {
            "seeds": self.seeds,
            "from_seed": self.from_seed,
            "calls": self.calls,
            "virtual_s": round(self.virtual_s, 3),
            "effects": self.effects,
            "kills": self.kills,
            "faults": dict(self.faults.most_common()),
            "checked": dict(sorted(self.checked.items())),
            "violations": self.violations,
            "failed": [
                {"seed": seed, "violations": found, "replay": replay(seed)}
                for seed, found in sorted(self.failed.items())
            ],
            "digest": self.digest,
            "seconds": seconds,
        }
