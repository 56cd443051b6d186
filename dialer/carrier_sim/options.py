"""How to run the simulator; cheap to import."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.numbers import E164
from dialer.carrier_sim.profiles import DEFAULT_PROFILE, Profile
from dialer.clock import TimeScale
from dialer.errors import UsageError

DEMO_ACCOUNT_SID: Final = "AC" + "5" * 32
DEMO_AUTH_TOKEN: Final = "5" * 32
_ACCOUNT_SID: Final = re.compile(r"AC[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class SimOptions:
    """Everything an operator may set."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    account_sid: str = DEMO_ACCOUNT_SID
    auth_token: str = field(default=DEMO_AUTH_TOKEN, repr=False)
    api_key: str = ""  # SK…, an alternative to the account and its token
    api_secret: str = field(default="", repr=False)
    seed: int = 1
    profile: Profile = DEFAULT_PROFILE
    faults: Faults = field(default_factory=Faults)
    cps: float = 1.0  # calls per second; what comes faster is queued
    numbers: tuple[str, ...] = ()  # bought; with no caller ids either, every number is owned
    caller_ids: tuple[str, ...] = ()  # verified
    truth: Path | None = None  # where to record what really happened
    scale: TimeScale = field(default_factory=TimeScale)
    accept_bound_s: float = 30.0  # seconds of the scale's clock
    log_level: str = "warning"

    def __post_init__(self) -> None:
        if not 0 < self.cps < math.inf:
            raise UsageError(f"calls per second must be more than 0, not {self.cps:g}")
        if not 0 < self.accept_bound_s < math.inf:
            raise UsageError(f"the accept bound must be more than 0 s, not {self.accept_bound_s:g}")
        if not _ACCOUNT_SID.fullmatch(self.account_sid):
            raise UsageError(f"not an account SID: {self.account_sid!r} (AC and 32 hex digits)")
        for phone in (*self.numbers, *self.caller_ids):
            if not E164.fullmatch(phone):
                raise UsageError(
                    f"not a phone number in E.164 form: {phone!r} (as in +12025550111)"
                )
