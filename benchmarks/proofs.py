"""What the promises rest on, in figures: how much was tried, how much of it failed, what was seen.

Simulated storms are drawn from seeds and judged by the independent checker; a small campaign is
killed at one moment after the other; bugs are planted in the engine to see that they are found;
the same seeds are run again under other hash seeds, and other Pythons, to see that they give the
same history. Anything that is not as it should be makes the program end with 1.

    python -m benchmarks.proofs [--seeds 100] [--from-seed 0] [--step 4] [--python PATH]... [--json]

*--step 1* kills at every moment. *--python* names the interpreter of another virtualenv that has
the project's dependencies.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dialer.simulation.children import cores
from dialer.simulation.run import run
from dialer.simulation.seeds import SeedResult, try_seed
from dialer.simulation.sweep import Death, killed_at, small_campaign
from dialer.simulation.weather import KINDS
from tests.simulation.planted import BUGS, hunt

ROOT = Path(__file__).parents[1]
#: A bug that hides for longer than this was not found.
HUNT_SEEDS = range(20)
#: Each run of the test of sameness lives through these seeds.
SAME_SEEDS = 2
#: So many runs of it under each Python: half of them under a hash seed drawn by chance.
HASH_SEEDS = ("0", "1", "42", "4294967295", *4 * ("random",))


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: *value* of *trials*, and *details* for whoever asks."""

    name: str
    means: str
    value: int | float
    trials: str
    ok: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Storm:
    """A seed's result, and the processor time it took."""

    result: SeedResult
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """A planted bug: how many seeds until it was found (None: it was not), and by what."""

    name: str
    seeds: int | None
    noticed: Sequence[str]
    innocent: bool  # without the bug the same run breaks nothing


# -- what runs beside each other -------------------------------------------------------------------


def storm(seed: int) -> Storm:
    """Live through one seed."""
    began_s = time.process_time()
    return Storm(try_seed(seed), time.process_time() - began_s)


def death(number: int) -> Death | None:
    """Kill the small campaign at one effect."""
    return killed_at(small_campaign(), number)


def found(index: int) -> Found:
    """Look for one planted bug."""
    bug = BUGS[index]
    with TemporaryDirectory() as folder:
        hunted = hunt(bug, HUNT_SEEDS, Path(folder))
    seeds = None if hunted.seed is None else hunted.seed - HUNT_SEEDS.start + 1
    return Found(bug.name, seeds, sorted(hunted.noticed), not hunted.as_it_is)


def digest(python: str, hash_seed: str) -> str:
    """The digest that a fresh interpreter comes to; what it says of itself when it fails."""
    words = ("selftest", "--seeds", str(SAME_SEEDS), "--processes", "1", "--json")
    done = subprocess.run(
        [python, "-m", "cli", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return str(json.loads(done.stdout)["digest"])
    except (ValueError, KeyError):
        return f"exit {done.returncode}: {done.stderr.strip()[-200:]}"


# -- the figures -----------------------------------------------------------------------------------


def of_storms(storms: Sequence[Storm]) -> list[Figure]:
    """M1, M2, M4, M5 and the speed."""
    results = [each.result for each in storms]
    first, last = results[0].seed, results[-1].seed
    failed = {each.seed: list(each.violations) for each in results if each.violations}
    struck, checked = Counter[str](), Counter[str]()
    for each in results:
        struck.update(each.struck)
        checked.update(each.checked)
    virtual_s, cpu_s = sum(r.took_s for r in results), sum(each.cpu_s for each in storms)
    calls = sum(each.calls for each in results)
    return [
        Figure(
            "M1 storms",
            "simulated storms, drawn from seeds, that broke no promise",
            len(results) - len(failed),
            f"{len(results):,} seeds, {first} to {last}, with {calls:,} calls",
            not failed,
            {"violations": sum(map(len, failed.values())), "failed": failed},
        ),
        Figure(
            "M2 kills",
            "daemons killed in these storms, between any two statements or requests",
            sum(each.kills for each in results),
            f"{sum(each.effects for each in results):,} moments at which one could have died",
        ),
        Figure(
            "M4 faults",
            "times something else went wrong: carrier, wire, disk, sleep",
            struck.total(),
            f"{len(KINDS & struck.keys())} of {len(KINDS)} kinds",
            details={"kinds": dict(struck.most_common()), "never": sorted(KINDS - struck.keys())},
        ),
        Figure(
            "M5 promises",
            "promises held against the carrier's own record by the independent checker",
            sum(times > 0 for times in checked.values()),
            f"{len(checked)}, looked at {checked.total():,} times",
            all(checked.values()),
            details={"checked": dict(sorted(checked.items()))},
        ),
        Figure(
            "speed",
            "virtual seconds lived through in a second of processor time; plain real time is 1",
            round(virtual_s / cpu_s),
            f"{virtual_s / 3600:,.1f} virtual hours, {calls / cpu_s:,.0f} calls a second",
            details={"virtual_s": round(virtual_s), "cpu_s": round(cpu_s, 1), "calls": calls},
        ),
    ]


def of_deaths(deaths: Sequence[Death | None], effects: int) -> Figure:
    """M3."""
    survived = [each for each in deaths if each is not None and not each.violations]
    guilty = [str(each) for each in deaths if each is None or each.violations]
    return Figure(
        "M3 moments",
        "moments of a small campaign at which a kill left nothing undone and nobody rung twice",
        len(survived),
        f"{len(deaths):,} tried, {len(deaths) / effects:.0%} of all {effects:,}",
        not guilty,
        {"guilty": guilty},
    )


def of_bugs(hunted: Sequence[Found]) -> list[Figure]:
    """M6 and M7."""
    seeds = [each.seeds for each in hunted if each.seeds is not None]
    return [
        Figure(
            "M6 planted bugs",
            "bugs put into the engine on purpose that the checker noticed",
            len(seeds),
            f"{len(hunted)}, each hunted for {len(HUNT_SEEDS)} seeds at the most",
            len(seeds) == len(hunted) and all(each.innocent for each in hunted),
            {
                "seeds": {each.name: each.seeds for each in hunted},
                "noticed by": {each.name: " ".join(each.noticed) for each in hunted},
                "in the engine as it is": [each.name for each in hunted if not each.innocent],
            },
        ),
        Figure(
            "M7 seeds to find one",
            "seeds until a planted bug was noticed, in the median",
            statistics.median(seeds) if seeds else 0,
            f"{max(seeds, default=0)} for the one that hid longest",
        ),
    ]


def of_digests(digests: Mapping[tuple[str, str, int], str], pythons: int) -> Figure:
    """M8."""
    (common, times), *others = Counter(digests.values()).most_common()
    return Figure(
        "M8 sameness",
        "runs of the same seeds, each in a fresh process, that had one and the same history",
        times,
        f"{len(digests)}; hash seeds: {len(set(HASH_SEEDS))}, Pythons: {pythons}",
        not others and not common.startswith("exit"),
        {"digest": common, "others": [told for told, _ in others]},
    )


def proofs(given: argparse.Namespace) -> list[Figure]:
    """Make all the runs that were asked for, on all cores."""
    pythons = [sys.executable, *given.python]
    runs = [(*run_, n) for n, run_ in enumerate(product(pythons, HASH_SEEDS))]
    with TemporaryDirectory() as folder:
        effects = run(small_campaign(), Path(folder)).effects
    size = cores()
    with ProcessPoolExecutor(size, mp_context=get_context("spawn")) as pool:
        seeds = range(given.from_seed, given.from_seed + given.seeds)
        storms = pool.map(storm, seeds)
        deaths = pool.map(death, range(1, effects + 1, given.step))
        hunted = pool.map(found, range(len(BUGS)))
        figures = [
            *of_storms(list(storms)),
            of_deaths(list(deaths), effects),
            *of_bugs(list(hunted)),
        ]
    with ThreadPoolExecutor(size) as threads:
        told = threads.map(lambda each: digest(each[0], each[1]), runs)
        figures.append(of_digests(dict(zip(runs, told, strict=True)), len(pythons)))
    return sorted(figures, key=lambda figure: figure.name)


# -- the table -------------------------------------------------------------------------------------


def as_text(figures: Sequence[Figure]) -> str:
    """For people: a table, and below it whatever was counted by kind."""
    rows = [
        (figure.name, f"{figure.value:,}", figure.trials, figure.means, "" if figure.ok else "NO")
        for figure in figures
    ]
    head = ("figure", "value", "of", "what it counts", "")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    for figure in figures:
        lines += [f"{figure.name}, {what}: {_words(told)}" for what, told in figure.details.items()]
    return "\n".join(lines)


def _words(told: Any) -> str:
    if isinstance(told, Mapping):
        return ", ".join(f"{name} {_words(value)}" for name, value in told.items()) or "none"
    if isinstance(told, list):
        return "; ".join(map(_words, told)) or "none"
    return f"{told:,}" if isinstance(told, int | float) else str(told)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--from-seed", type=int, default=0)
    parser.add_argument("--step", type=int, default=4, help="kill at every so manieth moment")
    parser.add_argument("--python", action="append", default=[], metavar="PATH")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began_s = time.perf_counter()
    figures = proofs(given)
    seconds = round(time.perf_counter() - began_s, 1)
    if given.json:
        body = {"figures": [asdict(figure) for figure in figures], "seconds": seconds}
        print(json.dumps(body, indent=2))
    else:
        print(as_text(figures))
        print(f"{seconds:,} seconds on {cores()} cores")
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
