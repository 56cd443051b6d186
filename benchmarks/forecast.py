"""How fast a forecast is: the engine's calls per CPU second in virtual time, and the first answer.

A run calls everybody of a small list in this process, and its CPU time is taken. Then the command
itself is run as an operator runs it, on a file with a large list, from its start to its answer;
what it says of the finish stands beside, because speed alone is no answer. Quote the CPU figures:
on a busy machine, wall time says more about the neighbours.

    python -m benchmarks.forecast [--contacts 100000] [--numbers 50] [--rounds 3]
"""

import argparse
import asyncio
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dialer import logs
from dialer.clock import SystemClock
from dialer.daemon import tune_collector
from dialer.forecast.run import simulate
from dialer.hours_format import to_json
from dialer.schedules import read
from dialer.store.opening import opened
from tests.support.forecasting import given_snapshot, problem_of
from tests.support.given import given_campaign

#: A list for one run in this process.
PEOPLE = 1500
HOURS = "mon-fri 09:00-18:00; sat 10:00-14:00"


def engine_round(**settings: Any) -> float:
    """Calls per CPU second of one run that calls everybody."""
    snapshot = given_snapshot(contacts=PEOPLE, numbers=10, max_calls_per_day=1000, **settings)
    problem = problem_of(snapshot)
    began_s = time.process_time()
    tally = simulate(problem, lambda _: None)
    return tally.calls / (time.process_time() - began_s)


def given_list(path: Path, contacts: int, numbers: int) -> None:
    """A campaign with many contacts, in a file."""

    async def give() -> None:
        async with opened(str(path), random.Random(1), busy_timeout_s=10) as database:
            await given_campaign(
                database,
                now=SystemClock().now(),
                contacts=contacts,
                numbers=numbers,
                schedule_body=json.dumps(to_json(read(zone="America/New_York", hours=HOURS))),
                call_interval_s=2,
                max_concurrent=20,
                max_calls_per_day=200,
            )

    asyncio.run(give())


def answer(path: Path) -> tuple[float, float, dict[str, Any]]:
    """Seconds and CPU seconds until ``dialer forecast`` has answered, and what it said."""
    command = [sys.executable, "-m", "cli", "--database", str(path), "forecast", "1", "--json"]
    cpu_s, began_s = _children_s(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - began_s, _children_s() - cpu_s, json.loads(done.stdout)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--numbers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    logs.configure("json", "error")
    tune_collector()
    for name, settings in (
        ("one call at a time", {"call_interval_s": 10}),
        ("ten lines", {"call_interval_s": 0, "max_concurrent": 10}),
        ("a hundred lines", {"call_interval_s": 0, "max_concurrent": 100}),
    ):
        rates = [engine_round(**settings) for _ in range(given.rounds)]
        print(f"virtual time, {name:<20} {statistics.median(rates):7,.0f} calls per CPU second")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dialer.db")
        given_list(path, given.contacts, given.numbers)
        rounds = [answer(path) for _ in range(given.rounds)]
    took_s, cpu_s, told = sorted(rounds, key=lambda each: each[0])[len(rounds) // 2]
    finish = told["forecasts"][0]["finish"]
    print(
        f"forecast of {given.contacts:,} contacts, {given.numbers} numbers: {told['runs']} runs in"
        f" {took_s:.1f} s ({cpu_s:.1f} CPU seconds)"
    )
    print(f"which says: {finish['low']} to {finish['high']}, most likely {finish['middle']}")


if __name__ == "__main__":
    main()
