"""Many seeds, each a run of its own: one after the other, or beside each other on several cores."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from dialer.audit.fingerprint import fingerprint
from dialer.simulation.children import interrupts_blocked
from dialer.simulation.complaint import complaint
from dialer.simulation.drawing import scenario
from dialer.simulation.evidence import judge
from dialer.simulation.run import run


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What became of one seed, small enough to be sent from process to process."""

    seed: int
    violations: Sequence[str]
    complaint: str  # empty when all is well
    checked: Mapping[str, int]  # how often each promise was looked at
    struck: Mapping[str, int]  # faults by kind
    seen: Mapping[str, int]  # entries of the journal by kind
    kills: int
    effects: int
    calls: int
    took_s: float  # in virtual time
    digest: str  # equal for equal histories


def try_seed(seed: int) -> SeedResult:
    """Run *seed* and judge it."""
    with TemporaryDirectory(prefix="dialer-selftest-") as folder:
        outcome = run(scenario(seed), Path(folder))
        verdict = judge(outcome)
    return SeedResult(
        seed=seed,
        violations=[str(violation) for violation in verdict.violations],
        complaint=complaint(outcome, verdict.violations) if verdict.violations else "",
        checked=verdict.checked,
        struck=Counter(outcome.struck),
        seen=Counter(outcome.seen),
        kills=len(outcome.kills),
        effects=outcome.effects,
        calls=outcome.seen["carrier.accepted"],
        took_s=outcome.took_s,
        digest=outcome.digest,
    )


def try_seeds(seeds: Sequence[int], processes: int = 0) -> Iterator[SeedResult]:
    """Run all of *seeds* in so many processes beside this one, in no order; 0: in this one.

    Whoever stops listening stops them: what is running comes to its end within moments, and
    nothing is left behind.
    """
    if not processes:
        yield from map(try_seed, seeds)
        return
    with ProcessPoolExecutor(min(processes, len(seeds)), mp_context=get_context("spawn")) as pool:
        with interrupts_blocked():
            runs = [pool.submit(try_seed, seed) for seed in seeds]
        try:
            for done in as_completed(runs):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def digest_of(digests: Mapping[int, str]) -> str:
    """One name for the histories of many seeds, whatever order they were run in (I21)."""
    return fingerprint({"seed": seed, "digest": digests[seed]} for seed in sorted(digests))
