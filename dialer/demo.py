"""A real campaign, end to end, on one machine: daemon and carrier simulator as processes.

Everything is done as an operator would do it: the same commands in processes of their own, the
same daemon, the real SDK over HTTP. Only the clock runs faster, and the deployment's patience is
widened by as much, so that a busy machine is not taken for a slow carrier.
"""

import csv
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dialer.clock import TimeScale, real_sleep
from dialer.errors import DialerError, UnreachableError
from dialer.truth_check import Comparison, compare

CAMPAIGN: Final = "Demo"
NUMBERS: Final = 5
#: Callees in area codes of the demo, in the range that is kept for fiction where it suffices.
_AREAS: Final = (202, 212, 303, 310, 404, 415, 503, 512, 602, 617, 702, 713, 808, 907)
#: How often the campaign's progress is asked for, in real seconds.
POLL_S: Final = 0.5
#: The campaign must be over after so many real seconds per virtual hour, and so many at least.
STARTUP_S: Final = 30.0
LIMIT_VIRTUAL_S: Final = 48 * 3600.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a demo may be asked for."""

    contacts: int
    seed: int
    speed: float
    profile: str
    faults: str
    folder: Path | None


@dataclass(frozen=True, slots=True)
class DemoResult:
    """How the campaign ended, and whether the database and the carrier agree."""

    status: Mapping[str, Any]  # as `dialer campaign status --json` gives it
    comparison: Comparison
    folder: Path | None

    @property
    def good(self) -> bool:
        return not self.comparison.differences and not self.unfinished

    @property
    def unfinished(self) -> int:
        return int(self.status["contacts"]) - int(self.status["done"])

    def as_json(self) -> dict[str, Any]:
        return {
            "campaign": self.status["status"],
            "contacts": self.status["contacts"],
            "members": self.status["members"],
            "unfinished": self.unfinished,
            "attempts": self.status["attempts"],
            "outcomes": self.status["outcomes"],
            "failed": self.status["failed"],
            "comparison": {
                "calls_compared": self.comparison.compared,
                "differences": list(self.comparison.differences),
            },
            "folder": str(self.folder) if self.folder else None,
        }

    def as_text(self) -> str:
        def counted(what: str) -> str:
            return "  ".join(f"{name} {count}" for name, count in self.status[what].items())

        lines = [
            (
                f"campaign   {self.status['status']}, {self.status['done']} of"
                f" {self.status['contacts']} contacts done"
            ),
            f"members    {counted('members')}",
            f"calls      {counted('outcomes')}",
            f"attempts   {counted('attempts')}",
            (
                f"compared   {self.comparison.compared} calls with the carrier's own record:"
                f" {len(self.comparison.differences)} differences"
            ),
            *(f"DIFFERENT  {difference}" for difference in self.comparison.differences[:20]),
        ]
        if self.folder:
            lines.append(f"kept in    {self.folder}")
        return "\n".join(lines)


def run(options: DemoOptions, say: Callable[[str], None]) -> DemoResult:
    """Run the demo, telling *say* how it goes; raises DialerError when a process fails."""
    with ExitStack() as stack:
        kept = options.folder
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            if (kept / "dialer.db").exists():
                raise DialerError(f"{kept} holds a demo already; choose another folder")
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dialer-")))
        stage = _Stage(folder, options, say)
        stack.enter_context(stage.carrier())
        stage.prepare()
        with stage.daemon() as daemon:
            stage.start()
            status = stage.watch(daemon)
        comparison = compare(folder / "dialer.db", folder / "truth.jsonl")
        return DemoResult(status, comparison, kept)


class _Stage:
    """One demo's folder, processes and environment."""

    def __init__(self, folder: Path, options: DemoOptions, say: Callable[[str], None]) -> None:
        self._say = say
        self._folder = folder
        self._options = options
        self._scale = TimeScale.starting_now(options.speed)
        self._carrier_url = ""
        self._port = _free_port()

    @contextmanager
    def carrier(self) -> Iterator[None]:
        options = self._options
        command = [
            "carrier-sim",
            *("--port", "0", "--seed", str(options.seed), "--profile", options.profile),
            *("--faults", options.faults, "--cps", "1000"),
            *("--truth", str(self._folder / "truth.jsonl")),
            *("--accept-bound", str(self._patience_s(30, 0.5))),
        ]
        with self._process(command, "carrier.log", stdout=subprocess.PIPE) as process:
            assert process.stdout is not None, "a pipe was asked for"
            line = process.stdout.readline()
            if not line:
                raise self._did_not_start("carrier simulator", "carrier.log")
            self._carrier_url = json.loads(line)["url"]
            self._say(f"carrier simulator at {self._carrier_url}")
            yield

    @contextmanager
    def daemon(self) -> Iterator["subprocess.Popen[bytes]"]:
        with self._process(["run"], "daemon.log") as process:
            self._say(
                f"daemon at http://127.0.0.1:{self._port}, {self._options.speed:g} times life"
            )
            yield process

    def prepare(self) -> None:
        people = self._folder / "contacts.csv"
        write_contacts(people, self._options.contacts, self._options.seed)
        numbers = [f"+1646555{1000 + i}" for i in range(NUMBERS)]
        for number in numbers:
            self._dialer("numbers", "add", number)
        self._dialer(
            *("campaign", "create", CAMPAIGN, "--say", "Hello {{name}}, this is a demo call."),
            *(part for number in numbers for part in ("--number", number)),
            *("--call-interval", "0.2s", "--max-concurrent", "50", "--max-calls-per-day", "1000"),
            *("--retries", "2", "--retry-interval", "10m", "--completion-timeout", "2m"),
        )
        self._dialer("contacts", "import", str(people), "--campaign", CAMPAIGN)

    def start(self) -> None:
        self._dialer("campaign", "start", CAMPAIGN)

    def watch(self, daemon: "subprocess.Popen[bytes]") -> Mapping[str, Any]:
        """Follow the campaign to its end and return its last status."""
        left = (STARTUP_S + LIMIT_VIRTUAL_S / self._options.speed) / POLL_S
        while left > 0:
            status: Mapping[str, Any] = json.loads(
                self._dialer("campaign", "status", CAMPAIGN, "--json", quiet=True)
            )
            self._say(_progress(status))
            if status["status"] == "completed":
                return status
            if daemon.poll() is not None:
                raise self._did_not_start("daemon", "daemon.log")
            real_sleep(POLL_S)
            left -= 1
        return status

    def _dialer(self, *words: str, quiet: bool = False) -> str:
        if not quiet:
            self._say(f"$ dialer {shlex.join(words)}")
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DialerError(f"dialer {words[0]} failed: {done.stderr.strip()}")
        return done.stdout

    @contextmanager
    def _process(
        self, words: Sequence[str], log: str, *, stdout: int = subprocess.DEVNULL
    ) -> Iterator["subprocess.Popen[bytes]"]:
        with (self._folder / log).open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", *words],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=errors,
            )
        try:
            yield process
        finally:
            _end(process)

    def _environment(self) -> dict[str, str]:
        from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN

        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DIALER_")}
        ours = {
            "DATABASE": str(self._folder / "dialer.db"),
            "CONFIG": str(self._folder / "none.toml"),
            "TIME_SCALE": str(self._scale),
            "TWILIO_ACCOUNT_SID": DEMO_ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": DEMO_AUTH_TOKEN,
            "TWILIO_BASE_URL": self._carrier_url or "http://127.0.0.1",
            "PUBLIC_URL": f"http://127.0.0.1:{self._port}",
            "PORT": str(self._port),
            "CALLS_PER_SECOND": "10",
            "LOG_FORMAT": "json",
            "REQUEST_TIMEOUT_S": str(self._patience_s(10, 2.0)),
            "ANSWER_PATIENCE_S": str(self._patience_s(4, 1.0)),
            "ACCEPT_BOUND_S": str(self._patience_s(30, 0.5)),
            "LIST_BOUND_S": str(self._patience_s(60, 0.5)),
            "LEASE_S": str(self._patience_s(15, 10.0)),
            "PATIENCE_S": str(self._patience_s(3, 1.0)),
            "LOOK_AHEAD_S": str(min(60.0, self._patience_s(0.1, 0.05))),
            "CONTROL_POLL_S": str(min(60.0, self._patience_s(0.1, 0.02))),
            "SWEEP_S": str(min(60.0, self._patience_s(0.5, 0.05))),
            "EXPLAIN_S": str(min(600.0, self._patience_s(1, 0.25))),
            "DRAIN_TIMEOUT_S": str(self._patience_s(5, 5.0)),
            "BUSY_TIMEOUT_S": str(self._patience_s(10, 10.0)),
        }
        return inherited | {f"DIALER_{name}": value for name, value in ours.items()}

    def _patience_s(self, usual_s: float, real_s: float) -> float:
        """A bound on this clock: *usual_s*, but never less than *real_s* of real time."""
        return max(usual_s, real_s * self._options.speed)

    def _did_not_start(self, what: str, log: str) -> UnreachableError:
        lines = (self._folder / log).read_text(errors="replace").strip().splitlines()
        return UnreachableError(f"the {what} ended: {lines[-1] if lines else 'without a word'}")


def write_contacts(path: Path, count: int, seed: int) -> None:
    """A CSV of *count* people who do not exist, the same for the same seed."""
    rng = random.Random(f"demo:{seed}")  # noqa: S311  made-up people
    names = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gia", "Hugo", "Ida", "Jon", "Kim", "Leo")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "phone", "city", "priority"])
        for index in range(count):
            line, area = divmod(index, len(_AREAS))
            local = 5550100 + line if line < 100 else 5551000 + line
            priority = rng.choices(("high", "normal", "low"), (1, 8, 1))[0]
            name = f"{rng.choice(names)} {index + 1}"
            writer.writerow([name, f"+1{_AREAS[area]}{local}", "Springfield", priority])


def _progress(status: Mapping[str, Any]) -> str:
    waits = ", ".join(f"{each['reason']} {each['members']}" for each in status["waiting"])
    return f"  {status['done']:>6} of {status['contacts']} done   {waits}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and insist when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
