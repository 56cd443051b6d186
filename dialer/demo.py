"""A real campaign, end to end, on one machine, and whether the carrier's record agrees."""

import csv
import json
import random
import shlex
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from dialer.audit import sqlite, truth_file
from dialer.audit.check import check
from dialer.audit.records import Bounds
from dialer.audit.report import Report
from dialer.carrier_sim.truth import read_truth
from dialer.clock import real_sleep
from dialer.errors import DialerError
from dialer.rehearsal import Process, Rehearsal, free_port

CAMPAIGN: Final = "Demo"
#: One caller id for so many contacts, and five at least, so that the daily caps suffice.
CONTACTS_PER_NUMBER: Final = 400
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
    amd: str
    folder: Path | None


@dataclass(frozen=True, slots=True)
class DemoResult:
    """How the campaign ended, and what an audit of it says."""

    status: Mapping[str, Any]  # as `dialer campaign status --json` gives it
    report: Report
    folder: Path | None
    #: By who was really heard, what calls were taken for, and how many.
    heard: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.report.clean and not self.unfinished

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
            "heard": self.heard,
            "comparison": {
                "calls_compared": self.report.compared,
                "differences": [str(violation) for violation in self.report.violations],
            },
            "folder": str(self.folder) if self.folder else None,
        }

    def as_text(self) -> str:
        def counted(what: str) -> str:
            return _counted(self.status[what])

        lines = [
            (
                f"campaign   {self.status['status']}, {self.status['done']} of"
                f" {self.status['contacts']} contacts done"
            ),
            f"members    {counted('members')}",
            f"calls      {counted('outcomes')}",
            f"attempts   {counted('attempts')}",
            *(f"heard      {who} as {_counted(taken)}" for who, taken in self.heard.items()),
            (
                f"compared   {self.report.compared} calls with the carrier's own record:"
                f" {len(self.report.violations)} differences"
            ),
            *(f"DIFFERENT  {violation}" for violation in self.report.violations[:20]),
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
        rehearsal = Rehearsal(folder, options.speed)
        demo = _Demo(rehearsal, options, say)
        stack.enter_context(demo.carrier())
        demo.prepare()
        with demo.daemon() as daemon:
            demo.start()
            status = demo.watch(daemon)
        return DemoResult(status, audited(rehearsal), kept, heard(rehearsal))


def audited(rehearsal: Rehearsal) -> Report:
    """Hold the database of a run that is over against the carrier's own record."""
    tables = sqlite.read(rehearsal.database)
    calls, bounds = truth_file.read(rehearsal.truth), Bounds.on_a_clock(rehearsal.speed)
    return check(replace(tables, calls=calls, bounds=bounds, over=True))


def heard(rehearsal: Rehearsal) -> Mapping[str, Mapping[str, int]]:
    """By who was heard in answered calls, as the carrier's own record has it, what each was taken
    for: its outcome, or the kind of machine where that was told.
    """
    scenes = {call.token: call.scene for call in read_truth(rehearsal.truth) if call.scene}
    found: dict[str, Counter[str]] = {}
    for attempt in sqlite.read(rehearsal.database).attempts:
        if scene := scenes.get(attempt.id):
            taken_for = attempt.machine_kind or attempt.outcome or attempt.state
            found.setdefault(scene, Counter())[taken_for] += 1
    return {who: dict(sorted(found[who].items())) for who in sorted(found)}


def _counted(counts: Mapping[str, int]) -> str:
    return "  ".join(f"{name} {count}" for name, count in counts.items())


class _Demo:
    """What the operator of a demo does, step by step."""

    def __init__(
        self, rehearsal: Rehearsal, options: DemoOptions, say: Callable[[str], None]
    ) -> None:
        self._rehearsal = rehearsal
        self._options = options
        self._say = say

    def prepare(self) -> None:
        people = self._rehearsal.folder / "contacts.csv"
        write_contacts(people, self._options.contacts, self._options.seed)
        numbers = [
            f"+1646555{1000 + i}"
            for i in range(max(NUMBERS, self._options.contacts // CONTACTS_PER_NUMBER))
        ]
        for number in numbers:
            self._dialer("numbers", "add", number)
        self._dialer(
            *("campaign", "create", CAMPAIGN, "--say", "Hello {{name}}, this is a demo call."),
            *(part for number in numbers for part in ("--number", number)),
            *("--call-interval", "0.2s", "--max-concurrent", "50", "--max-calls-per-day", "1000"),
            *("--retries", "2", "--retry-interval", "10m", "--completion-timeout", "2m"),
            *("--amd", self._options.amd),
        )
        self._dialer("contacts", "import", str(people), "--campaign", CAMPAIGN)
        # Its people live in the United States, and a demo is over in a minute at any hour.
        rules = json.loads(self._dialer("rules", "list", "--json", quiet=True))["rules"]
        of_the_us = [
            rule["id"] for rule in rules if rule["state"] == "on" and rule["region"][:2] == "US"
        ]
        reason = "a demo: the simulator rings nobody"
        self._dialer("rules", "off", *of_the_us, "--reason", reason, quiet=True)

    @contextmanager
    def carrier(self) -> Iterator[None]:
        options = self._options
        who = ("--seed", str(options.seed), "--profile", options.profile)
        with self._rehearsal.carrier(*who, "--faults", options.faults, "--cps", "1000"):
            self._say(f"carrier simulator at {self._rehearsal.carrier_url}")
            yield

    @contextmanager
    def daemon(self) -> Iterator[Process]:
        port = free_port()
        with self._rehearsal.daemon(port) as process:
            self._say(f"daemon at http://127.0.0.1:{port}, {self._options.speed:g} times life")
            yield process

    def start(self) -> None:
        self._dialer("campaign", "start", CAMPAIGN)

    def watch(self, daemon: Process) -> Mapping[str, Any]:
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
                raise self._rehearsal.ended("daemon", "daemon.log")
            real_sleep(POLL_S)
            left -= 1
        return status

    def _dialer(self, *words: str, quiet: bool = False) -> str:
        if not quiet:
            self._say(f"$ dialer {shlex.join(words)}")
        done = self._rehearsal.command(*words)
        if done.returncode:
            raise DialerError(f"dialer {words[0]} failed: {done.stderr.strip()}")
        return done.stdout


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
