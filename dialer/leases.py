"""Who is alive: a daemon's lease, and taking over from one that is gone.

A daemon owns the attempts it made. It renews one lease; when another daemon finds the lease
expired it takes the attempts over: placed calls are looked up, intents become ``unknown`` and are
looked for, never placed again. Because a daemon believed dead may only have been asleep, its own
lease is part of every order's void time, and members taken from an expired lease rest for the
quarantine before anybody dials them. A store that admits one process at a time (SQLite, by its
lock file) needs neither: whoever held the lock before is certainly gone.
"""

import asyncio
import hashlib
from typing import Final

from dialer.errors import DialerError, WrongStateError
from dialer.lazy_log import Log
from dialer.meters import NO_METERS, Meters
from dialer.model import DaemonId
from dialer.ports import Clock, Database

log = Log()

MS: Final = 1000
#: Requests stop this long before the lease ends: clocks differ, sockets take their time.
MARGIN_S: Final = 2.0
_MARK_DIGITS: Final = 16


def mark(name: str, since_at: int) -> str:
    """What a daemon that took its lease as *name* at *since_at* (UTC ms) may show to everybody:
    whoever reads its database knows it by that, and nobody else learns where it runs.
    """
    return hashlib.sha256(f"{name} {since_at}".encode()).hexdigest()[:_MARK_DIGITS]


class Lease:
    """This daemon's claim to be alive. :meth:`acquire` first, then keep :meth:`run` running."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        *,
        name: str,
        lease_s: float,
        sole: bool,
        meters: Meters = NO_METERS,
    ) -> None:
        self._clock = clock
        self._database = database
        self._name = name
        self._meters = meters
        self._lease_ms = int(lease_s * MS)
        self.sole = sole  # a store of its own: whoever had it before is gone
        self._until_at = 0
        self._since_at = 0
        self.daemon_id = DaemonId(0)
        self.trouble: str | None = None  # why the last renewal failed, which is a write like any

    @property
    def until_at(self) -> int:
        """No request may leave after this instant (UTC ms)."""
        return self._until_at - int(MARGIN_S * MS)

    @property
    def mark(self) -> str:
        """By which an acquired lease is known without its name; see :func:`mark`."""
        return mark(self._name, self._since_at)

    def valid(self) -> bool:
        return self._clock.now() < self.until_at

    async def acquire(self) -> None:
        """Register this daemon; a sole one declares all others gone."""
        now = self._clock.now()
        async with self._database.write() as tx:
            daemon_id = await tx.value(
                "add_daemon", name=self._name, now=now, lease_until=now + self._lease_ms
            )
            self.daemon_id = DaemonId(daemon_id)
            if self.sole:
                await tx.run("end_other_daemons", id=daemon_id, now=now)
        self._since_at = now
        self._until_at = now + self._lease_ms

    async def run(self) -> None:
        """Renew for ever; raises WrongStateError when the lease was lost."""
        while True:
            await asyncio.sleep(self._lease_ms / MS / 4)
            try:
                await self.renew()
            except WrongStateError:
                raise
            except DialerError as error:
                # Without a valid lease nothing is sent; dialing goes on when the store is back.
                if self.trouble != error.message:  # once, not at every try
                    log.warning("lease.renewal_failed", error=str(error))
                self.trouble = error.message
            else:
                self.trouble = None

    async def renew(self) -> None:
        """Go on living; raises WrongStateError when others may have taken over meanwhile.

        A sole daemon has nobody to fear: it goes on after its machine was asleep.
        """
        now = self._clock.now()
        until_at = now + self._lease_ms
        not_before = 0 if self.sole else now
        async with self._database.write() as tx:
            kept = await tx.run(
                "renew_lease", id=self.daemon_id, not_before=not_before, lease_until=until_at
            )
        if not kept:
            raise WrongStateError(
                f"daemon {self.daemon_id} lost its lease: it did not renew it in time",
                next_step="dialer run",
            )
        self._until_at = until_at

    async def take_over(self, first_look_s: float, settled_s: float = 0.0) -> int:
        """Adopt the open attempts of daemons that are gone; returns how many.

        Those in doubt are looked for *first_look_s* after their intent and not before *settled_s*
        have passed: their daemon may have sent them in its last moment.
        """
        now = self._clock.now()
        params = {
            "owner": self.daemon_id,
            "now": now,
            "first_look_ms": int(first_look_s * MS),
            "settled_at": now + int(settled_s * MS),
        }
        async with self._database.write() as tx:
            adopted = await tx.run("adopt_from_ended", **params)
            expired = await tx.run("adopt_from_expired", **params)
            adopted += expired
        self._meters.attempts_adopted(expired)
        if adopted:
            log.warning("attempts.adopted", attempts=adopted, daemon=self.daemon_id)
        return adopted

    async def release(self) -> None:
        """Say goodbye, so that others need not wait for the lease to end."""
        async with self._database.write() as tx:
            await tx.run("end_daemon", id=self.daemon_id, now=self._clock.now())
