"""Why a campaign would never call anybody, however long one waited."""

from typing import Final

from dialer.errors import WrongStateError
from dialer.forecast.openings import by_place
from dialer.forecast.problem import MS
from dialer.forecast.snapshot import Setup, Snapshot
from dialer.hours import HolidayProvider, Hours
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
    left_out = (
        (snapshot.listed, "on the do-not-call list"),
        (snapshot.nowhere, "in an unknown zone"),
        (snapshot.shut_out, "where the calling rules are always closed"),
    )
    done += [f"{count:,} {where}" for count, where in left_out if count]
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
    needed_ms = int((setup.campaign.ring_timeout_s + CLOSING_GUARD_S) * MS)
    at = max(snapshot.at, setup.campaign.start_at or 0)
    why = _never_fits(setup.hours(holidays), at, needed_ms)
    if why is not None:
        return _closed(snapshot, f"schedule {setup.schedule!r} {why}", "dialer schedule list")
    for hours, _ in by_place(setup, snapshot.members, holidays):
        why = _never_fits(hours, at, needed_ms)
        if why is None:
            return None
    by = "by the calling rules" + (f" and schedule {setup.schedule!r}" if setup.schedule else "")
    return _closed(snapshot, f"{by} it {why} where its callees are", "dialer rules list")


def _never_fits(hours: Hours, at: int, needed_ms: int) -> str | None:
    """Why no call fits into *hours* from *at* on, as what is said of them; None: one does."""
    for opening in range(OPENINGS):
        opens_at = hours.next_open(at)
        if opens_at is None:
            return "does not open any more" if opening else "does not open within 400 days"
        at = hours.open_until(opens_at)
        if at - opens_at > needed_ms:
            return None
    return f"never opens for {needed_ms // MS} s at a time"


def _closed(snapshot: Snapshot, why: str, next_step: str) -> WrongStateError:
    return WrongStateError(
        f"campaign {snapshot.name!r} would never call anybody: {why}", next_step=next_step
    )
