"""What the service manager is told: systemd's notification protocol, see sd_notify(3).

One datagram for each message to the socket that ``$NOTIFY_SOCKET`` names. Nobody answers, and
whoever cannot be told is not waited for.
"""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from dialer.ports import Clock

MS: Final = 1000
#: The watchdog is fed so often within its patience: one message that is lost is no death.
FEEDINGS: Final = 4


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """Whoever runs us; nobody listens at an empty *address*.

    *watchdog_s* is the patience of its watchdog in seconds, 0 where there is none.
    """

    address: str = ""
    watchdog_s: float = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Self:
        """The one that *environment* names; its watchdog counts if it waits for *pid*."""
        watchdog_us = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        patience_s = int(watchdog_us) / 1_000_000 if watchdog_us.isdecimal() and ours else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), patience_s)

    def tell(self, *assignments: str) -> None:
        """Send assignments such as ``READY=1`` as one message."""
        if not self.address:
            return
        # An abstract socket is written with an @ for the zero byte its name begins with.
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker,
        ):
            speaker.setblocking(False)
            speaker.sendto("\n".join(assignments).encode(), address)


def feeding(manager: ServiceManager, clock: Clock) -> Callable[[], None]:
    """Something to call at every turn of the engine, which keeps the watchdog quiet, if any.

    Only these calls feed it: an engine that turns no more starves it, whatever else still runs.
    """
    if not manager.watchdog_s:
        return lambda: None
    every_ms = int(manager.watchdog_s * MS / FEEDINGS)
    next_at = 0

    def feed() -> None:
        nonlocal next_at
        now = clock.now()
        if now >= next_at:
            next_at = now + every_ms
            manager.tell("WATCHDOG=1")

    return feed
