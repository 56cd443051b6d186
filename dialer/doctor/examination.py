"""Running the checks that are asked for, at once, each within its time.

What one check needs of another is found out before: whether the settings can be read, what the
database says, what the carrier says. Where that is trouble, one check tells it and those that
stand on it are skipped.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from dialer import config_faults
from dialer.carriers.twilio_account import Account
from dialer.doctor import gathering, verdicts
from dialer.doctor.findings import Check, Finding, Level
from dialer.doctor.gathering import OnRecord
from dialer.errors import CredentialsError, DialerError, NotFoundError, SchemaError
from dialer.ports import Clock, Rng
from dialer.settings import Settings
from dialer.timezones import zone_data_version

T = TypeVar("T")

MS: Final = 1000
#: A check that takes longer has not found out, in seconds.
LIMIT_S: Final = 15.0
#: What it may spend on one answer of somebody else's, so that it can still tell.
ANSWER_S: Final = 5.0

_UNKNOWN: Final = "nobody knows how it is"
#: Checks that ask the account.
_ACCOUNT: Final = frozenset({Check.CLOCK, Check.TWILIO, Check.NUMBERS})


@dataclass(frozen=True, slots=True)
class Patient:
    """What the checks look at."""

    settings: Settings
    clock: Clock
    seen: OnRecord | DialerError
    account: Account | DialerError | None  # None: it is not asked
    offline: bool
    limit_s: float
    config: str | None  # the TOML file that was asked for


Look: TypeAlias = Callable[[Patient], Awaitable[Finding]]


async def examined(
    settings: Settings,
    clock: Clock,
    rng: Rng,
    *,
    checks: Collection[Check] = (),
    offline: bool = False,
    limit_s: float = LIMIT_S,
    config: str | None = None,
) -> list[Finding]:
    """One finding for each of *checks*, or of all, each of which takes *limit_s* at most.

    *offline* asks nobody outside this machine; *config* as in ``settings.load``.
    """
    wanted = [check for check in Check if not checks or check in checks]
    now = clock.now()
    asks = bool(_ACCOUNT & set(wanted)) and not offline and bool(settings.twilio_account_sid)
    async with asyncio.TaskGroup() as group:
        seeing = group.create_task(_tried(gathering.seen(settings, rng, now), limit_s))
        asking = None
        if asks:
            look = gathering.account(settings, clock, ANSWER_S)
            asking = group.create_task(_tried(look, limit_s))
    account = asking.result() if asking else None
    patient = Patient(settings, clock, seeing.result(), account, offline, limit_s, config)
    async with asyncio.TaskGroup() as group:
        looks = [group.create_task(_bounded(check, patient, limit_s)) for check in wanted]
    return [look.result() for look in looks]


def unreadable(faults: Sequence[config_faults.Fault], checks: Collection[Check]) -> list[Finding]:
    """The findings where settings cannot be read: nothing else can be looked at."""
    wanted = [check for check in Check if not checks or check in checks]
    return [
        verdicts.config(faults, {})
        if check is Check.CONFIG
        else Finding(check, Level.SKIP, "the settings cannot be read")
        for check in dict.fromkeys([Check.CONFIG, *wanted])
    ]


async def _tried(facts: Awaitable[T], limit_s: float) -> T | DialerError:
    """The facts, or what keeps them from being known."""
    try:
        async with asyncio.timeout(limit_s):
            return await facts
    except DialerError as error:
        return error
    except TimeoutError:
        return DialerError(f"it took longer than {limit_s:g} s")
    except Exception as error:
        return DialerError(_told(error))


async def _bounded(check: Check, patient: Patient, limit_s: float) -> Finding:
    try:
        async with asyncio.timeout(limit_s):
            return await _CHECKS[check](patient)
    except TimeoutError:
        text = f"it took longer than {limit_s:g} s"
        return Finding(check, Level.FAIL, text, _UNKNOWN, f"dialer doctor {check}")
    except Exception as error:
        fix = f"mend that, then: dialer doctor {check}"
        return Finding(check, Level.FAIL, _told(error), _UNKNOWN, fix)


def _told(error: Exception) -> str:
    """What kept a check from finding out, in words that name the file where there is one."""
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    file = getattr(error, "filename", None)
    return f"it cannot be looked at: {why}" + (f": {file}" if file else "")


# -- this machine ---------------------------------------------------------------------------------


async def _config(patient: Patient) -> Finding:
    faults = config_faults.everywhere(patient.config)
    # The settings could be read; only the zone is not asked until it is needed.
    in_force = bool(config_faults.trouble("default_zone", patient.settings.default_zone))
    return verdicts.config(faults, gathering.origins(patient.settings), in_force=in_force)


async def _data(patient: Patient) -> Finding:
    return verdicts.data(gathering.modes(patient.settings))


async def _database(patient: Patient) -> Finding:
    try:
        seen = _of(patient.seen)
        # Some of the limit is left to tell that it was too short.
        facts = await gathering.database(patient.settings, seen, patient.limit_s / 2)
    except NotFoundError as error:
        return Finding(
            Check.DATABASE, Level.WARN, error.message, "nobody is called from a database that is"
            " not there", "dialer db upgrade",
        )  # fmt: skip
    except SchemaError as error:
        why = "this release does not work with it"
        return Finding(Check.DATABASE, Level.FAIL, error.message, why, "dialer db upgrade")
    except DialerError as error:
        return Finding(
            Check.DATABASE, Level.FAIL, error.message, "nobody is called who cannot be written"
            " down", error.next_step or "put the newest backup there: dialer db restore FILE",
        )  # fmt: skip
    return verdicts.database(facts, patient.clock.now())


async def _clock(patient: Patient) -> Finding:
    real_time = patient.settings.scale.speed == 1
    account = patient.account if isinstance(patient.account, Account) and real_time else None
    return verdicts.clock(
        verdicts.ClockFacts(
            zone_data=zone_data_version(),
            year=datetime.fromtimestamp(patient.clock.now() / MS, UTC).year,
            synchronised=gathering.synchronised(),
            skew_s=account.skew_s if account else None,
        )
    )


async def _disk(patient: Patient) -> Finding:
    free_bytes, trouble = gathering.room(patient.settings)
    data_bytes = patient.seen.data_bytes if isinstance(patient.seen, OnRecord) else 0
    return verdicts.disk(free_bytes, data_bytes, trouble)


async def _ports(patient: Patient) -> Finding:
    daemons = patient.seen.daemons if isinstance(patient.seen, OnRecord) else ()
    marks = {each.mark for each in daemons}
    return verdicts.ports(await gathering.ports(patient.settings, marks))


# -- the engine -----------------------------------------------------------------------------------


async def _daemon(patient: Patient) -> Finding:
    if isinstance(patient.seen, DialerError):
        return _unseen(Check.DAEMON)
    return verdicts.daemon(await gathering.daemon(patient.settings, patient.seen))


async def _schedules(patient: Patient) -> Finding:
    seen = patient.seen
    if isinstance(seen, DialerError):
        return _unseen(Check.SCHEDULES)
    return verdicts.schedules(seen.schedules, seen.rules, seen.broken, seen.rules_trouble)


async def _holds(patient: Patient) -> Finding:
    if isinstance(patient.seen, DialerError):
        return _unseen(Check.HOLDS)
    held = patient.seen.held
    return verdicts.holds(
        held.words if held else None,
        wants_reconciliation=held is not None and held.wants_reconciliation,
    )


# -- the carrier ----------------------------------------------------------------------------------


async def _twilio(patient: Patient) -> Finding:
    settings = patient.settings
    if missing := _no_account(patient, Check.TWILIO):
        return missing
    try:
        settings.require_carrier()
        assert patient.account is not None, "it is asked where there is one"
        account = _of(patient.account)
    except DialerError as error:
        why = "no call can be placed"
        fix = error.next_step or "check this machine's way out, and DIALER_TWILIO_BASE_URL"
        if isinstance(error, CredentialsError):
            fix = "set the account's own token: dialer config show --origin"
        return Finding(Check.TWILIO, Level.FAIL, error.message, why, fix)
    facts = verdicts.AccountFacts(
        account=gathering.short_sid(settings.twilio_account_sid),
        key=gathering.short_sid(settings.twilio_api_key) if settings.twilio_api_key else "",
        status=account.status,
        kind=account.kind,
        balance=account.balance,
        currency=account.currency,
        calls_per_second=settings.calls_per_second,
    )
    return verdicts.account(facts)


async def _numbers(patient: Patient) -> Finding:
    if isinstance(patient.seen, DialerError):
        return _unseen(Check.NUMBERS)
    if missing := _no_account(patient, Check.NUMBERS):
        return missing
    if not isinstance(patient.account, Account):
        return Finding(Check.NUMBERS, Level.SKIP, "the account does not answer")
    return verdicts.numbers(gathering.numbers(patient.settings, patient.seen, patient.account))


async def _webhook(patient: Patient) -> Finding:
    if missing := _no_account(patient, Check.WEBHOOK):
        return missing
    if not patient.settings.public_url:
        return Finding(
            Check.WEBHOOK, Level.FAIL, "DIALER_PUBLIC_URL is not set",
            "the carrier cannot reach us, so no call is placed",
            "dialer config set public_url https://dial.example.org",
        )  # fmt: skip
    if not isinstance(patient.seen, OnRecord) or not patient.seen.daemons:
        text = "no daemon is running, so nobody answers"
        return Finding(Check.WEBHOOK, Level.SKIP, text, fix="dialer run")
    return verdicts.webhook(await gathering.webhook(patient.settings, ANSWER_S))


def _no_account(patient: Patient, check: Check) -> Finding | None:
    """Why the carrier is not asked, if it is not."""
    if patient.offline:
        return Finding(check, Level.SKIP, "not asked, offline")
    if not patient.settings.twilio_account_sid:
        fix = "set DIALER_TWILIO_ACCOUNT_SID, or try without an account: dialer demo"
        told = fix if check is Check.TWILIO else ""
        return Finding(check, Level.SKIP, "there is no account yet", fix=told)
    return None


def _of(facts: T | DialerError) -> T:
    """The facts; raises what kept them from being known."""
    if isinstance(facts, DialerError):
        raise facts
    return facts


def _unseen(check: Check) -> Finding:
    return Finding(check, Level.SKIP, "the database cannot be read")


_CHECKS: Final[Mapping[Check, Look]] = MappingProxyType(
    {
        Check.CONFIG: _config,
        Check.DATA: _data,
        Check.DATABASE: _database,
        Check.CLOCK: _clock,
        Check.DISK: _disk,
        Check.PORTS: _ports,
        Check.DAEMON: _daemon,
        Check.TWILIO: _twilio,
        Check.NUMBERS: _numbers,
        Check.WEBHOOK: _webhook,
        Check.SCHEDULES: _schedules,
        Check.HOLDS: _holds,
    }
)
