"""The operator's changes as JSON, for the database.

``{"own": [{"id": "own/1", "region": "DE", "hours": "mon-fri 10:00-18:00", "holidays": ["DE-BY"],
"caps": ["2/24h"], "zone": null, "valid_from": null, "valid_to": "2026-11-30", "note": ""}],
"off": {"GB": "our counsel, 2 March"}, "on": ["US/debt"], "made": 1}``
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from dialer.errors import UsageError
from dialer.hours_format import format_weekly, parse_weekly
from dialer.rules.rule import OWN_PREFIX, Rule, parse_cap
from dialer.rules.rule_set import Changes
from dialer.suggestions import close_matches, did_you_mean
from dialer.value_words import said_of, text_in

_FIELDS: Final = ("own", "off", "on", "made")
_RULE_FIELDS: Final = (
    "id",
    "region",
    "hours",
    "holidays",
    "caps",
    "zone",
    "valid_from",
    "valid_to",
    "note",
)


def to_json(changes: Changes) -> dict[str, Any]:
    """The form :func:`from_json` reads back to equal changes; equal ones look the same."""
    return {
        "own": [rule_to_json(rule) for rule in changes.own],
        "off": dict(sorted(changes.off.items())),
        "on": sorted(changes.on),
        "made": changes.made,
    }


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """What an operator states about a rule of their own."""
    return {
        "id": rule.id,
        "region": rule.region,
        "hours": format_weekly(rule.weekly),
        "holidays": [*rule.holidays],
        "caps": [str(cap) for cap in rule.caps],
        "zone": rule.zone,
        "valid_from": rule.valid_from and rule.valid_from.isoformat(),
        "valid_to": rule.valid_to and rule.valid_to.isoformat(),
        "note": rule.note,
    }


def from_json(form: object) -> Changes:
    """Read changes; every field is needed. :exc:`UsageError` names the field and the value.

    Ids that were switched on or off are taken as they are: a later pack may have no such rule.
    """
    fields = _fields(form, _FIELDS, "rule set")
    made = fields["made"]
    if not isinstance(made, int) or isinstance(made, bool) or made < 0:
        raise UsageError(f"made: not how many own rules were ever made: {made!r}")
    own = tuple(_own_rule(each, f"own, {at}") for at, each in enumerate(_list(fields, "own")))
    _check_ids([rule.id for rule in own], made)
    off = _object(fields["off"], "off")
    return Changes(
        own=own,
        off={rule_id: text_in(reason, f"off, {rule_id}") for rule_id, reason in off.items()},
        on=frozenset(_texts(fields, "on")),
        made=made,
    )


def _check_ids(ids: Sequence[str], made: int) -> None:
    """Each own rule has one of the ids that were given so far, and none has another's."""
    given = {f"{OWN_PREFIX}{number}" for number in range(1, made + 1)}
    for rule_id in ids:
        if rule_id not in given:
            raise UsageError(f"own, id: {rule_id!r} was never given; made is {made}")
        given.remove(rule_id)


def _own_rule(form: object, where: str) -> Rule:
    fields = _fields(form, _RULE_FIELDS, where)
    with said_of(f"{where}, hours"):
        weekly = parse_weekly(text_in(fields["hours"], f"{where}, hours"))
    with said_of(f"{where}, caps"):
        caps = tuple(parse_cap(text) for text in _texts(fields, "caps"))
    with said_of(where):
        return Rule(
            id=text_in(fields["id"], "id"),
            region=text_in(fields["region"], "region"),
            weekly=weekly,
            holidays=tuple(_texts(fields, "holidays")),
            caps=caps,
            zone=None if fields["zone"] is None else text_in(fields["zone"], "zone"),
            valid_from=_date(fields, "valid_from"),
            valid_to=_date(fields, "valid_to"),
            note=text_in(fields["note"], "note"),
        )


def parse_date(text: str) -> date:
    """Read ``2026-11-30``; :exc:`UsageError` for any other spelling."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise UsageError(f"not a date: {text!r} (as in 2026-11-30)")
    return day


def _date(fields: Mapping[str, object], name: str) -> date | None:
    if fields[name] is None:
        return None
    with said_of(name):
        return parse_date(text_in(fields[name], name))


def _fields(form: object, names: Sequence[str], where: str) -> Mapping[str, object]:
    """An object that has exactly the fields called *names*."""
    fields = _object(form, where)
    for name in fields:
        if name not in names:
            hint = did_you_mean(close_matches(name, names))
            raise UsageError(f"{where}: no such field: {name!r} ({' '.join(names)}){hint}")
    for name in names:
        if name not in fields:
            raise UsageError(f"{where}: {name!r} is missing")
    return fields


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"{where}: not an object with named fields: {value!r}")
    return value


def _list(fields: Mapping[str, object], name: str) -> list[object]:
    value = fields[name]
    if not isinstance(value, list):
        raise UsageError(f"{name}: not a list: {value!r}")
    return value


def _texts(fields: Mapping[str, object], name: str) -> list[str]:
    return [text_in(each, name) for each in _list(fields, name)]
