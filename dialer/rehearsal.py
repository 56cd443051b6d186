"""Real processes on one fast clock: a carrier simulator, daemons and commands, in one folder.

Everything is done as an operator would do it, by the same commands, with the real SDK over HTTP.
Only the clock runs faster, and the deployment's patience is widened by as much, so that a busy
machine is not taken for a slow carrier.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from dialer.clock import TimeScale
from dialer.configuration import CREDENTIALS_VARIABLE, PREFIX
from dialer.errors import UnreachableError

Process: TypeAlias = "subprocess.Popen[bytes]"

HOST: Final = "127.0.0.1"
#: A process that was asked to end is killed after so many real seconds.
END_S: Final = 20.0


class Rehearsal:
    """One deployment: its folder, its clock, its settings. What it starts ends with its block."""

    def __init__(self, folder: Path, speed: float, **settings: str) -> None:
        """*settings* replace the usual ones of a rehearsal, as ``calls_per_second="20"``."""
        self.folder = folder.resolve()
        self.speed = speed
        self.scale = TimeScale.starting_now(speed)
        self.carrier_url = f"http://{HOST}:{free_port()}"  # nobody is there yet
        self._settings = self._usual() | settings

    @property
    def database(self) -> Path:
        """The SQLite file, unless the settings name another database."""
        return self.folder / "dialer.db"

    @property
    def truth(self) -> Path:
        """What really happened, as the carrier has it."""
        return self.folder / "truth.jsonl"

    @contextmanager
    def carrier(self, *flags: str) -> Iterator[Process]:
        """A simulated carrier, listening; *flags* are those of ``dialer carrier-sim``."""
        bound = ("--accept-bound", self._settings["accept_bound_s"])
        port = ("--port", self.carrier_url.rpartition(":")[2])
        words = ("carrier-sim", *port, "--truth", str(self.truth), *bound, *flags)
        with self._process(words, "carrier.log", announces=True) as process:
            assert process.stdout is not None, "it announces itself there"
            if not process.stdout.readline():
                raise self.ended("carrier simulator", "carrier.log")
            yield process

    @contextmanager
    def daemon(self, port: int, log: str = "daemon.log") -> Iterator[Process]:
        """A daemon that is coming up; the carrier reaches it at *port*, its words go to *log*."""
        at = {"port": str(port), "public_url": f"http://{HOST}:{port}"}
        with self._process(("run",), log, announces=False, **at) as process:
            yield process

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the operator's to its end."""
        return subprocess.run(
            _dialer(words),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, **changes: str) -> dict[str, str]:
        """This process's variables, with the rehearsal's settings in place of its own.

        No file has a say: what an operator keeps for the real carrier is not for a rehearsal.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(PREFIX) and name != CREDENTIALS_VARIABLE
        }
        carrier = {"twilio_base_url": self.carrier_url, "config": ""}
        settings = carrier | self._settings | changes
        ours = {f"DIALER_{name.upper()}": value for name, value in settings.items()}
        return inherited | ours

    def ended(self, what: str, log: str) -> UnreachableError:
        """The error to raise for a process that has ended by itself: its last words."""
        lines = (self.folder / log).read_text(errors="replace").strip().splitlines()
        return UnreachableError(f"the {what} ended: {lines[-1] if lines else 'without a word'}")

    @contextmanager
    def _process(
        self, words: Sequence[str], log: str, *, announces: bool = False, **settings: str
    ) -> Iterator[Process]:
        with (self.folder / log).open("ab") as errors:
            process = subprocess.Popen(
                _dialer(words),
                cwd=self.folder,  # where no .env and no dialer.toml of the operator's lies
                env=self.environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if announces else subprocess.DEVNULL,
                stderr=errors,
            )
        try:
            yield process
        finally:
            _end(process)

    def _usual(self) -> dict[str, str]:
        return {
            "database": str(self.database),
            "time_scale": str(self.scale),
            "twilio_account_sid": DEMO_ACCOUNT_SID,
            "twilio_auth_token": DEMO_AUTH_TOKEN,
            "public_url": f"http://{HOST}",
            "calls_per_second": "10",
            "log_format": "json",
            "backup_dir": "",  # it is all made up
            "metrics_port": "0",  # nobody watches, and there may be several at once
            "request_timeout_s": self._patience(10, 2.0),
            "answer_patience_s": self._patience(4, 1.0),
            "accept_bound_s": self._patience(30, 0.5),
            "list_bound_s": self._patience(60, 0.5),
            "lease_s": self._patience(15, 10.0),
            "patience_s": self._patience(3, 1.0),
            "look_ahead_s": self._patience(0.1, 0.05, most=60),
            "control_poll_s": self._patience(0.1, 0.02, most=60),
            "sweep_s": self._patience(0.5, 0.05, most=60),
            "explain_s": self._patience(1, 0.25, most=600),
            "drain_timeout_s": self._patience(300, 5.0),
            "busy_timeout_s": self._patience(10, 10.0),
        }

    def _patience(self, usual_s: float, real_s: float, *, most: float = float("inf")) -> str:
        """A bound on the fast clock: *usual_s*, but no less than *real_s* of real time."""
        return f"{min(most, max(usual_s, real_s * self.speed)):g}"


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def _dialer(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "cli", *words]


def _end(process: Process) -> None:
    """Ask a process to end, and insist when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
