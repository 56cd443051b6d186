"""The calling rules as operators handle them: look at them, add own ones, switch them off and on.

Every change is a new row of ``rule_sets`` that holds all changes to the pack there are; the newest
is in force. A change moves the control's revision first, which serves two ends: daemons see it
within a second, and operators who change rules at the same time take turns, so that none of them
undoes what another has just done.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dialer import audit_log
from dialer.errors import NotFoundError, UsageError
from dialer.hours import HORIZON_MS, HolidayProvider
from dialer.hours_format import parse_weekly
from dialer.ports import Row, Tx
from dialer.rules.changes_format import from_json, parse_date, rule_to_json, to_json
from dialer.rules.pack import current_pack
from dialer.rules.rule import (
    COUNTRY_CALENDAR,
    EVERYWHERE,
    OWN_PREFIX,
    Cap,
    Rule,
    check_form,
    parse_cap,
)
from dialer.rules.rule_set import Changes, RuleSet
from dialer.suggestions import close_matches, did_you_mean

_CLOSED: Final = "closed"
_ALWAYS: Final = "daily 00:00-24:00"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules say, at an instant (UTC ms), about callees in some regions and zones."""

    at: int
    rules: tuple[Rule, ...]  # those in force
    caps: tuple[Cap, ...]
    is_open: bool
    next_open_at: int | None  # *at* itself while open; None: not within 400 days
    open_until_at: int | None  # None while closed, and when it stays open for 400 days


def as_delivered() -> RuleSet:
    """The rules before anybody has changed anything."""
    return RuleSet(current_pack())


async def load(tx: Tx) -> RuleSet:
    """The rules in force; raises UsageError when the stored changes cannot be read.

    Whoever cannot load them must not call: there is no telling what they forbid.
    """
    return _read(await tx.row("newest_rule_set"))


async def as_of(tx: Tx, rule_set_id: int | None) -> RuleSet:
    """The rules of a past set; None is the pack without any changes.

    Raises NotFoundError when the set belongs to a pack this release does not have.
    """
    row = None
    if rule_set_id is not None:
        row = await tx.row("rule_set_by_id", rule_set_id=rule_set_id)
        if row is not None and _pack_of(row) not in ("", current_pack().version):
            raise NotFoundError(
                f"that was decided under the rules of {_pack_of(row)}, which this release does not"
                " have; ask the release of that time"
            )
    return _read(row)


async def current_id(tx: Tx) -> int | None:
    """The row of ``rule_sets`` in force; None as long as nobody has changed anything."""
    row = await tx.row("newest_rule_set")
    return None if row is None else int(row["id"])


async def stamped(tx: Tx, now: int) -> int:
    """The row in force, which is made when there is none, or none that knows this release's pack.

    An attempt that keeps this id tells for good which rules allowed it.
    """
    row = await tx.row("newest_rule_set")
    if row is not None and _pack_of(row) == current_pack().version:
        return int(row["id"])
    return await _store(tx, await _held(tx), now)


def standing(
    rules: RuleSet,
    regions: Sequence[str],
    zones: Sequence[str],
    at: int,
    holidays: HolidayProvider,
) -> Standing:
    """What *rules* say at *at* about callees who may be in any of *regions* and *zones*."""
    hours = rules.hours_for(regions, zones, holidays)
    is_open, until_at = hours.is_open(at), hours.open_until(at)
    ends = is_open and until_at < at + HORIZON_MS
    return Standing(
        at=at,
        rules=rules.rules_for(regions),
        caps=rules.caps_for(regions),
        is_open=is_open,
        next_open_at=hours.next_open(at),
        open_until_at=until_at if ends else None,
    )


def region(text: str) -> str:
    """The region written in *text*; raises UsageError when no callee is ever taken to be there.

    A slip must not pass: an emergency stop for nobody would look like one that works.
    """
    code = text.strip().upper()
    check_form(code)
    if code == EVERYWHERE:
        return code
    country, dash, subdivision = code.partition("-")
    from dialer.phones import check_region  # whose library takes its time, and is needed here only

    country = check_region(country)
    parts = current_pack().subdivisions.get(country, ())
    if dash and not parts:
        raise UsageError(
            f"numbers do not tell what part of {country} they are in, so nobody is in {code!r};"
            f" name the country, {country!r}"
        )
    if dash and subdivision not in parts:
        hint = did_you_mean(f"{country}-{part}" for part in close_matches(subdivision, parts))
        raise UsageError(f"not a region: {code!r} ({country} has {' '.join(sorted(parts))}){hint}")
    return code


def read_own(
    *,
    region_code: str,
    check_calendar: Callable[[str], None],
    hours: str | None = None,
    closed: bool = False,
    holidays: Sequence[str] = (),
    caps: Sequence[str] = (),
    zone: str | None = None,
    since: str | None = None,
    until: str | None = None,
    note: str = "",
) -> Rule:
    """The rule an operator writes as texts; raises UsageError naming what cannot be read.

    Without *hours* it leaves them alone. *since* and *until* are its first and its last day.
    *check_calendar* raises UsageError for a code of public holidays that its provider does not
    know.
    """
    if closed and (hours or holidays or caps):
        raise UsageError("--closed says it all; leave --hours, --holidays and --cap out")
    if not (closed or hours or holidays or caps):
        raise UsageError("an own rule needs --hours, --holidays or --cap, or --closed")
    if caps and (since or until):  # caps are counted as of no day, so they would outlive it
        raise UsageError("a cap has no dates; leave --since and --until out, or --cap")
    for code in holidays:
        if code != COUNTRY_CALENDAR:
            check_calendar(code)
    rule = Rule(
        id=OWN_PREFIX,
        region=region(region_code),
        weekly=parse_weekly(_CLOSED if closed else hours or _ALWAYS),
        holidays=tuple(dict.fromkeys(holidays)),
        caps=tuple(dict.fromkeys(parse_cap(text) for text in caps)),
        zone=zone,
        valid_from=parse_date(since) if since else None,
        valid_to=parse_date(until) if until else None,
        note=note.strip(),
    )
    if rule.is_closed and not closed:
        raise UsageError(
            f"{hours!r} leaves no hours at all; if nobody there is to be called, write --closed"
        )
    return rule


async def add_own(tx: Tx, rule: Rule, now: int) -> Rule:
    """Put *rule* in force and return it with its id.

    Raises UsageError when it would leave no hours together with the others, unless it is closed,
    and when its last day is over everywhere.
    """
    yesterday = datetime.fromtimestamp(now / 1000, UTC).date() - timedelta(days=1)
    if rule.valid_to is not None and rule.valid_to < yesterday:
        raise UsageError(f"the rule's last day is over: {rule.valid_to}")
    rules = (await _held(tx)).adding(rule)
    added = rules.changes.own[-1]
    await _store(tx, rules, now)
    await audit_log.record(tx, "rules.add", added.id, now, after=_audited(added))
    return added


async def remove_own(tx: Tx, rule_id: str, now: int) -> Rule:
    """Take back one of the operator's own rules, which is returned."""
    rules = await _held(tx)
    rule = rules.find(rule_id)
    await _store(tx, rules.removing(rule_id), now)
    await audit_log.record(tx, "rules.remove", rule_id, now, before=_audited(rule))
    return rule


async def switch_off(tx: Tx, rule_id: str, reason: str, now: int) -> Rule:
    """Put a rule out of force; raises UsageError for a *reason* that says nothing."""
    rules = await _held(tx)
    await _store(tx, rules.switching_off(rule_id, reason), now)
    after = {"on": False, "reason": reason.strip()}
    await audit_log.record(tx, "rules.off", rule_id, now, before={"on": True}, after=after)
    return rules.find(rule_id)


async def switch_on(tx: Tx, rule_id: str, now: int) -> Rule:
    """Put a rule in force that was off."""
    rules = await _held(tx)
    await _store(tx, rules.switching_on(rule_id), now)
    before = {"on": False, "reason": rules.changes.off.get(rule_id)}
    await audit_log.record(tx, "rules.on", rule_id, now, before=before, after={"on": True})
    return rules.find(rule_id)


async def tighten(tx: Tx, others: Changes, now: int) -> bool:
    """Put in force what *others* say beside the rules in force, wherever that is stricter; returns
    whether it is anywhere.
    """
    rules = await _held(tx)
    changes = rules.changes.tightened(others)
    if changes == rules.changes:
        return False
    await _store(tx, RuleSet(rules.pack, changes), now)
    after = {"changes": _ids(changes)}
    await audit_log.record(
        tx, "rules.tighten", "all", now, before={"changes": _ids(rules.changes)}, after=after
    )
    return True


def changes_in(body: str) -> Changes:
    """The changes in a stored rule set; raises UsageError when they cannot be read."""
    return _read({"id": "that was", "body": body}).changes


def _ids(changes: Changes) -> dict[str, list[str]]:
    own = [rule.id for rule in changes.own]
    return {"own": own, "off": sorted(changes.off), "on": sorted(changes.on)}


async def _held(tx: Tx) -> RuleSet:
    """The rules in force, which nobody else changes before the transaction ends."""
    await tx.run("bump_revision")
    return await load(tx)


async def _store(tx: Tx, rules: RuleSet, now: int) -> int:
    body = {"pack": rules.pack.version, "changes": to_json(rules.changes)}
    await tx.run("recall_put_off", now=now)  # another cap may hold now, or none
    return int(await tx.value("add_rule_set", body=json.dumps(body), now=now))


def _audited(rule: Rule) -> dict[str, Any]:
    return rule_to_json(rule) | {"note": audit_log.length(rule.note)}


def _read(row: Row | None) -> RuleSet:
    if row is None:
        return as_delivered()
    try:
        return RuleSet(current_pack(), from_json(_body(row).get("changes")))
    except UsageError as error:
        raise UsageError(f"rule set {row['id']} cannot be read: {error.message}") from error


def _pack_of(row: Row) -> object:
    return _body(row).get("pack")


def _body(row: Row) -> dict[str, Any]:
    """What a row holds; nothing, when that is no object."""
    try:
        body = json.loads(row["body"])
    except ValueError as error:
        raise UsageError(f"rule set {row['id']} is not JSON: {error}") from error
    return body if isinstance(body, dict) else {}
