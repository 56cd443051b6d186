"""What this machine and this command line say of how times and signs are shown."""

import os
import sys
from datetime import tzinfo
from typing import Final

from dialer.commands import presentation
from dialer.timezones import zone

ASCII_VARIABLE: Final = "DIALER_ASCII"


def zone_of_times() -> tzinfo | None:
    """The zone in which every command tells times: that of ``--tz``, else the deployment's
    (``DIALER_DEFAULT_ZONE``); None is the machine's own.
    """
    asked = presentation.current()
    return None if asked.zone == presentation.LOCAL else zone(asked.zone or asked.deployment_zone)


def plain_glyphs() -> bool:
    """Whether only ASCII is to be shown."""
    asked = os.environ.get(ASCII_VARIABLE, "")
    if asked:
        return asked != "0"
    return (sys.stdout.encoding or "utf-8").lower().replace("-", "") not in ("utf8", "utf16")
