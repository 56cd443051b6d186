"""What this machine and this command line say of how times and signs are shown."""

import os
import sys
from datetime import UTC, tzinfo
from typing import Final

from dialer.commands import presentation
from dialer.timezones import zone

ASCII_VARIABLE: Final = "DIALER_ASCII"


def zone_of(schedules: str | None) -> tzinfo | None:
    """The zone of ``--tz``, else a schedule's, else UTC; None is the machine's own."""
    asked = presentation.current().zone
    if asked == "local":
        return None
    name = asked or schedules
    return zone(name) if name else UTC


def plain_glyphs() -> bool:
    """Whether only ASCII is to be shown."""
    asked = os.environ.get(ASCII_VARIABLE, "")
    if asked:
        return asked != "0"
    return (sys.stdout.encoding or "utf-8").lower().replace("-", "") not in ("utf8", "utf16")
