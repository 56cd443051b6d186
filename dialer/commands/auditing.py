"""Gathering what `dialer audit` judges: the database, then the carrier's record of it.

In this order, because the carrier is the first to know: whatever the database said of a call, the
carrier's record says too when it is read later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dialer.audit import carrier_list, postgres, sqlite, truth_file
from dialer.audit.evidence import Evidence
from dialer.audit.records import Account, Bounds
from dialer.audit.tables import FOREVER
from dialer.audit.windows import calendars_needed
from dialer.carriers.twilio import TwilioCarrier
from dialer.carriers.twilio_records import ListedCall
from dialer.clock import MS, SystemClock
from dialer.commands.session import carrier_of
from dialer.errors import UsageError
from dialer.holiday_calendars import public_holidays
from dialer.settings import Settings

#: A call is judged once so much time has passed that nothing is in doubt any more.
SETTLED_S: Final = 900.0
#: What is audited when no period is named.
USUAL_PERIOD_S: Final = 86_400.0
#: The clocks of this machine and the carrier's agree to within this (assumption A5).
SKEW_S: Final = 60
#: A simulator shares our clock, or that of a machine beside ours.
TRUTH_SKEW_S: Final = 1
#: The carrier's list tells whole seconds, and requests take a part of one.
LIST_JITTER_S: Final = 2
#: A silent call is asked about again after this at the most.
ASKED_AGAIN_S: Final = 960


@dataclass(frozen=True, slots=True)
class Gathered:
    """Evidence, and how many of the carrier's calls it leaves out."""

    evidence: Evidence
    too_young: int  # their fate may be in doubt yet
    strangers: int = 0  # of the account, but not from numbers of this database


async def from_truth(settings: Settings, truth: Path, *, final: bool) -> Gathered:
    """The whole database and the record of a carrier simulator."""
    as_of_at = SystemClock(settings.scale).now()
    tables = await _tables(settings, 0, FOREVER)
    settled_at = None if final else as_of_at - settled_ms(settings)
    evidence = _completed(
        replace(tables, calls=truth_file.read(truth), until_at=settled_at),
        settings,
        as_of_at,
        final=final,
        skew_ms=TRUTH_SKEW_S * MS,
    )
    return Gathered(evidence, _too_young(evidence, settled_at))


async def from_carrier(
    settings: Settings,
    since_at: int | None,
    until_at: int | None,
    *,
    final: bool,
    tell: Callable[[int], None],
) -> Gathered:
    """The attempts of a period and the carrier's list of its calls; *tell* hears how many so far.

    Raises CredentialsError or UnreachableError when the carrier cannot be asked.
    """
    settings.require_carrier()
    clock = SystemClock(settings.scale)
    as_of_at = clock.now()
    settled_at = as_of_at if final else as_of_at - settled_ms(settings)
    until_at = settled_at if until_at is None else min(until_at, settled_at)
    since_at = until_at - int(USUAL_PERIOD_S * MS) if since_at is None else since_at
    if since_at >= until_at:
        raise UsageError(
            "there is nothing to audit in that period: it is empty, or lies within the last "
            f"{settled_ms(settings) // 60_000} minutes"
        )
    # An attempt and its call lie no further apart, nor do the calls that go on at one time.
    margin_ms = _doubt_ms(settings) + settings.call_time_limit_s * MS
    from_at, to_at = max(1, since_at - margin_ms), until_at + margin_ms
    tables = await _tables(settings, from_at, to_at)
    async with carrier_of(settings, clock) as carrier:
        listed = await _listed(carrier, from_at, to_at, tell)
        known = {call.sid for call in listed}
        missing = [each.sid for each in tables.attempts if each.sid and each.sid not in known]
        listed += await _fetched(carrier, missing)
    calls = carrier_list.calls_from(listed)
    ours = list(
        carrier_list.ours(
            calls,
            {number.phone for number in tables.numbers},
            {attempt.sid for attempt in tables.attempts if attempt.sid},
        )
    )
    evidence = _completed(
        replace(tables, calls=ours, since_at=since_at, until_at=until_at),
        settings,
        as_of_at,
        final=final,
        skew_ms=SKEW_S * MS,
        jitter_ms=round(LIST_JITTER_S * MS * settings.scale.speed),
        late_ms=_late_ms(settings) + round(settings.request_timeout_s * MS),
    )
    too_young = _too_young(evidence, None if final else settled_at)
    return Gathered(evidence, too_young, strangers=len(calls) - len(ours))


def settled_ms(settings: Settings) -> int:
    """How old a call must be to be judged: no doubt lasts longer, by the deployment's bounds."""
    return max(round(SETTLED_S * MS), _doubt_ms(settings) + SKEW_S * MS)


async def _tables(settings: Settings, since_at: int, until_at: int) -> Evidence:
    if settings.is_postgres:
        return await postgres.read(settings.database, since_at, until_at)
    path = Path(settings.database)
    return sqlite.read(path, since_at, until_at, busy_timeout_s=settings.busy_timeout_s)


def _completed(
    evidence: Evidence, settings: Settings, as_of_at: int, *, final: bool, **bounds: int
) -> Evidence:
    """*evidence* with all that the settings and the calendars add to it."""
    speed = settings.scale.speed
    usual = {
        "open_ms": _doubt_ms(settings) + (settings.call_time_limit_s + ASKED_AGAIN_S) * MS,
        "late_ms": _late_ms(settings),
        "claimed_ms": _claimed_ms(settings),
    }
    if settings.is_postgres:
        usual["reaction_ms"] = round(MS * speed)
    return replace(
        evidence,
        account=_account(settings),
        bounds=Bounds.on_a_clock(speed, **{**usual, **bounds}),
        public_holidays={key: public_holidays(*key) for key in calendars_needed(evidence)},
        as_of_at=as_of_at,
        over=final,
    )


def _too_young(evidence: Evidence, settled_at: int | None) -> int:
    return sum(settled_at is not None and each.accepted_at >= settled_at for each in evidence.calls)


def _late_ms(settings: Settings) -> int:
    """How long after its slot a request may arrive where the carrier tells when it did."""
    return round((settings.patience_s + settings.check_s + settings.scale.speed) * MS)


def _claimed_ms(settings: Settings) -> int:
    """How long after its claim a call may be accepted, the time that requests take included."""
    bounds_s = settings.leave_bound_s + settings.accept_bound_s + settings.request_timeout_s
    return round((bounds_s + settings.scale.speed) * MS)


def _account(settings: Settings) -> Account | None:
    """What the account allows, where somebody has said so: a daemon's flag may differ from an
    unset setting."""
    if "calls_per_second" not in settings.model_fields_set:
        return None
    return Account(settings.calls_per_second, settings.max_concurrent)


def _doubt_ms(settings: Settings) -> int:
    """How long after an intent its fate may be in doubt; assumptions A1 and A2."""
    doubt_s = (
        settings.leave_bound_s
        + settings.request_timeout_s
        + settings.accept_bound_s
        + settings.list_bound_s
    )
    return round(doubt_s * MS)


async def _listed(
    carrier: TwilioCarrier, since_at: int, until_at: int, tell: Callable[[int], None]
) -> list[ListedCall]:
    listed: list[ListedCall] = []
    async for page in carrier.each_call(since_at, until_at):
        listed += page
        tell(len(listed))
    return listed


async def _fetched(carrier: TwilioCarrier, sids: Sequence[str]) -> list[ListedCall]:
    """The calls of *sids* that the list has left out, those never dialed, asked for by name."""
    calls = [await carrier.listed(sid) for sid in sids]
    return [call for call in calls if call is not None]
