"""The hold: the brake for everything. While it stands nobody is called, in whatever campaign.

Theory of operation. It is one row that every claim reads and the last look before every request
reads again, so a hold that has committed stops every call whose last look comes after it, as a
campaign's pause does. It is pulled by a command, whether a daemon runs or not, and a restored
database begins its life with it. Only a person releases it. Campaigns keep the state they are in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from dialer import audit_log
from dialer.errors import WrongStateError
from dialer.model import WaitReason
from dialer.permission import Wait
from dialer.ports import Row, Tx

#: The actions in the audit log, by which the history of holds is known.
HOLD: Final = "dialing.hold"
RELEASE: Final = "dialing.release"
#: What they are done to.
EVERYTHING: Final = "all campaigns"


@dataclass(frozen=True, slots=True)
class Hold:
    """Since when everything is held, by whom and why; times are UTC ms."""

    at: int
    by: str
    reason: str
    hang_up_at: int | None  # since when calls that go on are ended, too
    reconcile_since_at: int | None  # after a restore: calls since then may be unknown here
    reconciled_at: int | None  # when the carrier's list of them was taken in

    @property
    def wants_reconciliation(self) -> bool:
        """Whether the database may lack calls that the carrier has made."""
        return self.reconcile_since_at is not None and self.reconciled_at is None

    @property
    def words(self) -> str:
        """Who and why, as in ``ana: the script is wrong``."""
        return _words(self.by, self.reason)

    @classmethod
    def of(cls, row: Row) -> Self:
        """The hold in a row of ``hold``."""
        return cls(
            row["held_at"],
            row["held_by"] or "",
            row["hold_reason"] or "",
            row["hang_up_at"],
            row["reconcile_since_at"],
            row["reconciled_at"],
        )


class Pulled(NamedTuple):
    """The hold that stands, whether it is a new one, and how many calls go on.

    *deaf* are daemons of an earlier release, which know of no hold and go on calling.
    """

    hold: Hold
    new: bool
    calls: int
    deaf: Sequence[str] = ()


async def standing(tx: Tx) -> Hold | None:
    """The hold, if everything is held."""
    row = await tx.row("hold")
    return None if row is None or row["held_at"] is None else Hold.of(row)


def wait(row: Row) -> Wait | None:
    """What a row with the hold's columns says to a claim."""
    if row["held_at"] is None:
        return None
    return Wait(WaitReason.HELD, None, _words(row["held_by"], row["hold_reason"]))


def _words(by: str | None, reason: str | None) -> str:
    return ": ".join(filter(None, (by, reason)))


async def pull(tx: Tx, now: int, *, reason: str = "", hang_up: bool = False) -> Pulled:
    """Hold everything; with *hang_up* calls that go on are ended by their daemons.

    A hold that stands already keeps who pulled it and why.
    """
    before = await standing(tx)
    if before is None:
        await put(tx, now, reason=reason, hang_up=hang_up)
    elif hang_up and before.hang_up_at is None:
        await tx.run("hang_up_held", now=now)
        await tx.run("bump_revision")
        await audit_log.record(tx, "dialing.hang-up", EVERYTHING, now, after={"hang_up": True})
    return await pulled(tx, now, new=before is None)


async def pulled(tx: Tx, now: int, *, new: bool) -> Pulled:
    """How things are now that everything is held.

    A release that knows of the hold writes down its version, and no release before it did.
    """
    stands = await standing(tx)
    assert stands is not None, "it was pulled"
    daemons = await tx.rows("live_daemons", now=now)
    deaf = [row["name"] for row in daemons if not row["version"]]
    return Pulled(stands, new, await tx.value("open_calls"), deaf)


async def put(tx: Tx, now: int, *, reason: str, hang_up: bool = False) -> None:
    """Hold everything for *reason*, whatever stood before."""
    hang_up_at = now if hang_up else None
    await tx.run("set_hold", now=now, by=tx.actor, reason=reason, hang_up_at=hang_up_at)
    await tx.run("bump_revision")
    after: dict[str, Any] = {"reason": reason, "hang_up": hang_up}
    await audit_log.record(tx, HOLD, EVERYTHING, now, after=after)


async def release(tx: Tx, now: int) -> Hold:
    """Let everything go on, and return the hold that stood.

    Raises WrongStateError when nothing is held, and while calls may have been made that this
    database does not know of.
    """
    held = await standing(tx)
    if held is None:
        raise WrongStateError("nothing is held", next_step="dialer campaign list")
    if held.wants_reconciliation:
        raise WrongStateError(
            "the database was restored and may lack calls that were made since; whoever was called"
            " would be called again",
            next_step="dialer db reconcile",
        )
    await tx.run("release_hold")
    await tx.run("bump_revision")
    before = {"since": held.at, "by": held.by, "reason": held.reason}
    await audit_log.record(tx, RELEASE, EVERYTHING, now, before=before)
    return held
