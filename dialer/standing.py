"""How a deployment stands: its daemons, its campaigns, what is under way, the last backup."""

from collections.abc import Sequence
from dataclasses import dataclass

from dialer import hold, leases, overview
from dialer.hours import HolidayProvider
from dialer.limits import AccountLimits
from dialer.overview import CampaignOverview
from dialer.ports import Row, Tx
from dialer.states import CampaignStatus


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon whose lease holds."""

    id: int
    host: str
    pid: int | None
    version: str  # empty: it did not say
    since_at: int
    lease_until: int
    mark: str  # by which its web server says who it is


@dataclass(frozen=True, slots=True)
class Standing:
    """A deployment at one moment."""

    at: int
    daemons: Sequence[Daemon]
    held: hold.Hold | None
    campaigns: Sequence[CampaignOverview]
    live: int  # calls that are open, of all campaigns
    lines: int | None  # as many as there may be; None: no campaign that dials bounds them
    behind_ms: int  # the oldest news of a call that nobody has looked at has waited so long
    account: AccountLimits
    backup_at: int | None
    backup: str | None  # where the last one is


async def standing(tx: Tx, now: int, holidays: HolidayProvider, account: AccountLimits) -> Standing:
    """Everything there is to say, read in one transaction."""
    campaigns = await overview.campaigns(tx, now, holidays)
    pulse = await tx.row("watch_pulse", now=now)
    backup = await tx.row("last_backup")
    assert pulse is not None, "it is a row of scalars"
    unfolded_at = pulse["unfolded_at"]
    return Standing(
        at=now,
        daemons=await daemons(tx, now),
        held=await hold.standing(tx),
        campaigns=campaigns,
        live=sum(each.live for each in campaigns),
        lines=await _lines(tx, account),
        behind_ms=max(0, now - unfolded_at) if unfolded_at is not None else 0,
        account=account,
        backup_at=backup["ended_at"] if backup else None,
        backup=backup["subject"] if backup else None,
    )


async def daemons(tx: Tx, now: int) -> Sequence[Daemon]:
    """Those whose lease holds, in the order in which they started."""
    return [_daemon(row) for row in await tx.rows("live_daemons", now=now)]


def _daemon(row: Row) -> Daemon:
    host, _, pid = row["name"].rpartition(":")  # as it is registered, before it says more
    return Daemon(
        id=row["id"],
        host=row["host"] or host or row["name"],
        pid=row["pid"] or (int(pid) if pid.isdecimal() else None),
        version=row["version"],
        since_at=row["started_at"],
        lease_until=row["lease_until"],
        mark=leases.mark(row["name"], row["started_at"]),
    )


async def _lines(tx: Tx, account: AccountLimits) -> int | None:
    """Calls that there may be at once: of the campaigns that dial, within the account's."""
    plans = await tx.rows("active_plans")
    wanted: int = sum(row["max_concurrent"] for row in plans)
    if not plans:
        return account.max_concurrent or None
    return min(wanted, account.max_concurrent) if account.max_concurrent else wanted


def by_status(campaigns: Sequence[CampaignOverview]) -> dict[CampaignStatus, int]:
    """How many campaigns there are of each status, those without any left out."""
    return {
        status: count
        for status in CampaignStatus
        if (count := sum(each.status is status for each in campaigns))
    }
