"""Why a campaign would never call anybody, however long one waited."""

from typing import Final

from dialer.errors import WrongStateError
from dialer.forecast.problem import MS
from dialer.forecast.snapshot import Setup, Snapshot
from dialer.hours import HolidayProvider
from dialer.permission import CLOSING_GUARD_S
from dialer.states import CampaignStatus
from rotation.pool import Pool

#: So many openings are looked at for one that is long enough for a call.
OPENINGS: Final = 100


def obstacle(snapshot: Snapshot, setup: Setup, holidays: HolidayProvider) -> WrongStateError | None:
    """What is in the way of *snapshot* under *setup*, as an error to raise; None: nothing."""
    return (
        _nobody_left(snapshot)
        or _no_number(snapshot, setup)
        or _never_open(snapshot, setup, holidays)
    )


def _nobody_left(snapshot: Snapshot) -> WrongStateError | None:
    if snapshot.status is CampaignStatus.CANCELLED:
        return WrongStateError(
            f"campaign {snapshot.name!r} is cancelled: nobody will ever be called",
            next_step="dialer campaign list",
        )
    if snapshot.members:
        return None
    done = [f"{count:,} {state}" for state, count in snapshot.done.items()]
    done += [f"{snapshot.listed:,} on the do-not-call list"] if snapshot.listed else []
    return WrongStateError(
        f"campaign {snapshot.name!r} has nobody left to call"
        + (f": {', '.join(done)}" if done else ""),
        next_step=f"dialer contacts import FILE.csv --campaign {snapshot.name!r}",
    )


def _no_number(snapshot: Snapshot, setup: Setup) -> WrongStateError | None:
    callers = [number.rested for number in setup.numbers]
    pool = Pool(callers, setup.limits, setup.campaign.strategy, snapshot.at)
    unavailable = pool.unavailable()
    if unavailable is None:
        return None
    return WrongStateError(
        f"campaign {snapshot.name!r} has no usable number: {unavailable.text}",
        next_step="dialer numbers list",
    )


def _never_open(
    snapshot: Snapshot, setup: Setup, holidays: HolidayProvider
) -> WrongStateError | None:
    hours = setup.hours(holidays)
    needed_ms = int((setup.campaign.ring_timeout_s + CLOSING_GUARD_S) * MS)
    at = max(snapshot.at, setup.campaign.start_at or 0)
    for opening in range(OPENINGS):
        opens_at = hours.next_open(at)
        if opens_at is None:
            when = "any more" if opening else "within 400 days"
            return _closed(snapshot, f"schedule {setup.schedule!r} does not open {when}")
        at = hours.open_until(opens_at)
        if at - opens_at > needed_ms:
            return None
    seconds = needed_ms // MS
    return _closed(snapshot, f"schedule {setup.schedule!r} never opens for {seconds} s at a time")


def _closed(snapshot: Snapshot, why: str) -> WrongStateError:
    return WrongStateError(
        f"campaign {snapshot.name!r} would never call anybody: {why}",
        next_step="dialer schedule list",
    )
