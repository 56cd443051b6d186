"""What a command costs before it does anything: CPU (user and system), the median of some runs.

Beside it stands what no command can be cheaper than: Python, and the library that reads the words.
CPU time and the ratios tell; wall time on a shared machine does not.

    python -m benchmarks.startup [--runs 15]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CALLED = "import sys; sys.argv[0] = 'dialer'; import cli; cli.main()"
BARE = "python -c 'import typer'"


def cpu_s(words: list[str], folder: Path) -> float:
    """The CPU time of one run of Python with *words*."""
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env={**clean(), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}


def median_s(words: list[str], folder: Path, runs: int) -> float:
    cpu_s(words, folder)  # the first run compiles what was changed
    return statistics.median(cpu_s(words, folder) for _ in range(runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    measured = {
        "python -c pass": ["-c", "pass"],
        BARE: ["-c", "import typer"],
        "dialer --version": ["-c", CALLED, "--version"],
        "dialer": ["-c", CALLED],
        "dialer --help": ["-c", CALLED, "--help"],
        "dialer campaign list": ["-c", CALLED, "campaign", "list"],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(
            [sys.executable, "-c", CALLED, "db", "upgrade"],
            cwd=folder,
            env={**clean(), "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )
        times = {label: median_s(words, folder, runs) for label, words in measured.items()}
    for label, time_s in times.items():
        print(f"{label:<26} {time_s * 1000:>6.0f} ms CPU {time_s / times[BARE]:>6.2f}x typer")


if __name__ == "__main__":
    main()
