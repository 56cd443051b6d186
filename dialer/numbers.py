"""Caller ids as operators handle them: add, switch on and off, score, look at."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from dialer import audit_log
from dialer.counters import local_day
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.model import NumberId
from dialer.phones import PhoneError, e164
from dialer.places import zone_of
from dialer.ports import OwnedNumber, Row, Tx
from dialer.suggestions import close_matches, did_you_mean
from dialer.timezones import zone
from rotation.caller import CallerId, Ineligible, Limits, why_not

MS: Final = 1000

MANUAL: Final = "manual"
"""The source of a score that an operator gave."""

ACCOUNT: Final = "the carrier's account"
"""What numbers are taken over from, for the audit log."""

_AUDITED: Final = (
    "id", "name", "zone", "max_live", "spam_score", "spam_source", "spam_scored_at", "disabled_at",
)  # fmt: skip


class Band(StrEnum):
    """How bad a spam score is, as operators see it."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


def band_of(score: float) -> Band:
    """Green up to 4, yellow from 5, red from 7; scores between two whole ones count down."""
    if score < 5:
        return Band.GREEN
    return Band.YELLOW if score < 7 else Band.RED


@dataclass(frozen=True, slots=True)
class NewNumber:
    """What an operator may say about a number; its zone is the phone's, or *default_zone*."""

    phone: str
    name: str = ""
    zone: str | None = None
    max_live: int | None = None  # calls at once; None: no limit
    score: float | None = None


@dataclass(frozen=True, slots=True)
class NumberReport:
    """A number with what it has done today, by the calendar of its zone."""

    row: Row
    calls_today: int

    @property
    def active(self) -> bool:
        return self.row["disabled_at"] is None

    @property
    def band(self) -> Band | None:
        score = self.row["spam_score"]
        return None if score is None else band_of(score)


async def add(
    tx: Tx, new: NewNumber, now: int, *, region: str, default_zone: str
) -> tuple[NumberId, str]:
    """Add a number and return its id and how its phone is written from now on (E.164).

    Raises UsageError for values out of bounds and for a number that is there already.
    """
    phone = e164(new.phone, region)
    if await tx.row("number_by_phone", phone=phone) is not None:
        raise UsageError(f"there is a number {phone} already", next_step="dialer numbers list")
    if new.max_live is not None and new.max_live < 1:
        raise UsageError(f"max live: {new.max_live} is not 1 or more")
    if new.score is not None:
        _check_score(new.score)
    number_id = await _insert(tx, phone, new, now, default_zone)
    row = await find(tx, phone)
    await audit_log.record(tx, "numbers.add", phone, now, after=_audited(row))
    return number_id, phone


async def sync(
    tx: Tx, owned: Sequence[OwnedNumber], now: int, *, default_zone: str
) -> Sequence[str]:
    """Add what the carrier lists and we do not have yet; returns the phones added."""
    known = {row["phone"] for row in await tx.rows("number_phones")}
    missing = {number.phone: number for number in owned if number.phone not in known}
    for number in missing.values():
        await _insert(tx, number.phone, NewNumber(number.phone, number.name), now, default_zone)
    if missing:
        after = {"added": list(missing)}
        await audit_log.record(tx, "numbers.sync", ACCOUNT, now, after=after)
    return list(missing)


async def find(tx: Tx, phone: str, region: str | None = None) -> Row:
    """The number written in *phone*; raises NotFoundError with the closest ones.

    Without a *region* a number needs its plus and country.
    """
    row = await tx.row("number_by_phone", phone=phone.strip())
    if row is None:
        with suppress(PhoneError):
            row = await tx.row("number_by_phone", phone=e164(phone, region or _NOWHERE))
    if row is None:
        phones = [each["phone"] for each in await tx.rows("number_phones")]
        raise NotFoundError(
            f"there is no number {phone!r}{did_you_mean(close_matches(phone, phones))}",
            next_step="dialer numbers list",
        )
    return row


async def find_weighted(tx: Tx, text: str) -> tuple[int, int]:
    """Id and weight of a number written as ``+15551234567`` or ``+15551234567=3``."""
    phone, equals, weight = text.partition("=")
    if equals and not weight.strip().isdecimal():
        raise UsageError(f"number {text!r}: the weight {weight!r} is not a whole number")
    row = await find(tx, phone)
    return row["id"], int(weight) if equals else 1


async def reports(tx: Tx, now: int) -> list[NumberReport]:
    """Every number, oldest first."""
    since = datetime.fromtimestamp(now / MS, UTC).date() - timedelta(days=1)
    rows = await tx.rows("number_days_since", since_day=since.isoformat())
    calls = {(row["number_id"], row["day"]): row["calls"] for row in rows}
    return [
        NumberReport(row, calls.get((row["id"], local_day(row["zone"], now)[0]), 0))
        for row in await tx.rows("list_numbers")
    ]


async def enable(tx: Tx, phone: str, region: str, now: int) -> Row:
    """Let campaigns call from a number again; one that is enabled stays so."""
    row = await find(tx, phone, region)
    await tx.run("enable_number", number_id=row["id"])
    return await _revised(tx, row, "numbers.enable", now)


async def disable(tx: Tx, phone: str, region: str, now: int) -> Row:
    """Start no new call from a number; one that is disabled stays so."""
    row = await find(tx, phone, region)
    await tx.run("disable_number", number_id=row["id"], now=now)
    return await _revised(tx, row, "numbers.disable", now)


async def score(tx: Tx, phone: str, value: float, region: str, now: int) -> Row:
    """Set a number's spam score by hand, 0 to 10."""
    _check_score(value)
    row = await find(tx, phone, region)
    await tx.run("score_number", number_id=row["id"], score=value, source=MANUAL, now=now)
    return await _revised(tx, row, "numbers.score", now)


@dataclass(frozen=True, slots=True)
class NumberDossier:
    """All that is known of one number."""

    report: NumberReport
    campaigns: Sequence[Row]  # those that may call from it, with its weight
    live: int  # calls that go on
    attempts: int


async def dossier(tx: Tx, phone: str, region: str, now: int) -> NumberDossier:
    """A number with the campaigns that may call from it."""
    row = await find(tx, phone, region)
    (report,) = [each for each in await reports(tx, now) if each.row["id"] == row["id"]]
    traces = await tx.row("number_traces", number_id=row["id"])
    assert traces is not None, "it is counted, so there is one row"
    serving = await tx.rows("campaigns_of_number", number_id=row["id"])
    return NumberDossier(report, serving, traces["live"], traces["attempts"])


def unusable(found: NumberDossier, campaign: Row) -> Ineligible | None:
    """What keeps a number from one more call for one of its *campaigns*, as rotation has it."""
    row = found.report.row
    caller = CallerId(
        id=row["id"],
        phone=row["phone"],
        weight=campaign["weight"],
        enabled=found.report.active,
        spam_score=row["spam_score"],
        calls_today=found.report.calls_today,
        live_calls=found.live,
        max_live=row["max_live"],
        day_ends_at=0,  # this and what follows is for those who choose among several
        last_turn=0,
        credit=0,
        last_used_at=campaign["last_used_at"],
    )
    return why_not(caller, Limits(campaign["spam_threshold"], campaign["max_calls_per_day"]))


async def remove(tx: Tx, phone: str, region: str, now: int) -> Row:
    """Forget a number that nobody was ever called from; raises WrongStateError for others."""
    found = await dossier(tx, phone, region, now)
    row = found.report.row
    if found.attempts:
        raise WrongStateError(
            f"number {row['phone']} has {found.attempts:,} attempts, which must stay known: it"
            " cannot be removed",
            next_step=f"dialer numbers disable {row['phone']}",
        )
    if found.campaigns:
        names = ", ".join(repr(each["name"]) for each in found.campaigns)
        raise WrongStateError(
            f"number {row['phone']} is in use by {names}",
            next_step=f"dialer numbers exclude {row['phone']}",
        )
    await tx.run("delete_number_days", number_id=row["id"])
    await tx.run("delete_number", number_id=row["id"])
    await audit_log.record(tx, "numbers.remove", row["phone"], now, before=_audited(row))
    return row


#: A region without numbers: only those with a plus can be read there.
_NOWHERE: Final = "ZZ"


def _check_score(value: float) -> None:
    if not 0 <= value <= 10:
        raise UsageError(f"score: {value:g} is not between 0 and 10")


async def _insert(tx: Tx, phone: str, new: NewNumber, now: int, default_zone: str) -> NumberId:
    zone_name = new.zone or zone_of(phone) or default_zone
    zone(zone_name)
    scored = new.score is not None
    number_id = await tx.value(
        "add_number",
        phone=phone,
        name=new.name,
        zone=zone_name,
        max_live=new.max_live,
        score=new.score,
        source=MANUAL if scored else None,
        scored_at=now if scored else None,
        now=now,
    )
    return NumberId(number_id)


async def _revised(tx: Tx, row: Row, action: str, now: int) -> Row:
    """Make daemons read the campaigns of a changed number again; returns its new row."""
    await tx.run("revise_campaigns_of_number", number_id=row["id"])
    await tx.run("bump_revision")
    changed = await find(tx, row["phone"])
    before, after = _audited(row), _audited(changed)
    if before != after:
        await audit_log.record(tx, action, row["phone"], now, before=before, after=after)
    return changed


def _audited(row: Row) -> dict[str, Any]:
    """What the audit log keeps of a number, besides its masked phone."""
    return {name: row[name] for name in _AUDITED}
