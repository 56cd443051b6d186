"""What a check comes to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # calls are made, but somebody should look
    FAIL = "fail"  # nobody is called, or what comes of calls is lost
    SKIP = "skip"  # not looked at


class Check(StrEnum):
    """What can be looked at, in the order of the report."""

    CONFIG = "config"
    DATA = "data"
    DATABASE = "database"
    CLOCK = "clock"
    DISK = "disk"
    PORTS = "ports"
    DAEMON = "daemon"
    TWILIO = "twilio"
    NUMBERS = "numbers"
    WEBHOOK = "webhook"
    SCHEDULES = "schedules"
    HOLDS = "holds"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; *why* says what it means for calls, *fix* what to do about it."""

    check: Check
    level: Level
    text: str
    why: str = ""
    fix: str = ""


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level there is; skipped checks are no harm."""
    levels = {finding.level for finding in findings}
    return next((each for each in (Level.FAIL, Level.WARN) if each in levels), Level.OK)
