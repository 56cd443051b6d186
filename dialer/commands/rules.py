"""`dialer rules`: when and how often callees may be called, by country and region."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import confirm, emit, iso, moment, say, table

if TYPE_CHECKING:
    from dialer.place import Place
    from dialer.ports import Tx
    from dialer.rule_book import Standing
    from dialer.rules.rule import Rule
    from dialer.rules.rule_set import RuleSet

app = typer.Typer(
    help="Calling rules by country and region. Engineering data, not legal advice.",
    no_args_is_help=True,
)

RuleId = Annotated[str, typer.Argument(metavar="RULE", help="A rule's id: US-FL, US/debt, own/1.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

NOT_ADVICE = (
    "engineering data, not legal advice: have the rules you call under approved by a lawyer"
)
#: Columns a narrow window can do without; `rules show` tells all of a rule.
_SPARE = ("confidence", "zone", "holidays")


@app.command("list", epilog="Example: dialer rules list --region US-FL --json")
def list_(
    region: Annotated[
        str | None, typer.Option(help="Those about callees there: US-FL, DE, or * for unknown.")
    ] = None,
    json_: Json = False,
) -> None:
    """All rules, on or off: those that come with the program, then your own.

    This is engineering data, not legal advice: have the rules you call under approved by a lawyer.
    """
    from dialer import rule_book

    code = None if region is None else rule_book.region(region)
    rules = _loaded()
    shown = rules.rules if code is None else rules.concerning([code])
    if json_:
        listed = [_rule_json(rules, rule) for rule in shown]
        emit({"pack": rules.pack.version, "notice": NOT_ADVICE, "rules": listed})
        return
    table(
        ["rule", "state", "hours", "zone", "holidays", "caps", "confidence"],
        [_cells(rules, rule) for rule in shown],
        spare=_SPARE,
    )
    say(f"rules of {rules.pack.version}; {NOT_ADVICE}")
    for rule_id in rules.without_effect():
        say(f"{rule_id!r} was switched on or off; this release has no such rule")


@app.command(epilog="Example: dialer rules show FR --json")
def show(rule_id: RuleId, json_: Json = False) -> None:
    """One rule with its note, its source, and why it is off."""
    rules = _loaded()
    rule = rules.find(rule_id)
    facts = _rule_json(rules, rule)
    if json_:
        emit(facts)
        return
    facts |= {"holidays": " ".join(rule.holidays), "caps": " ".join(map(str, rule.caps))}
    table(["what", "is"], [[name, fact] for name, fact in facts.items() if fact not in (None, "")])
    say(NOT_ADVICE)


@app.command(
    epilog="Examples: dialer rules check +13055550123 · dialer rules check US-FL --zone"
    " America/New_York --at 2026-12-24T20:30:00-05:00 --json"
)
def check(
    who: Annotated[
        str, typer.Argument(metavar="PHONE|REGION", help="A number, or a region: US-FL, DE, *.")
    ],
    zone: Annotated[
        str | None, typer.Option(help="Where the callee is; a region without a number needs it.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="ISO 8601 with its offset; else now.")
    ] = None,
    json_: Json = False,
) -> None:
    """Which rules bind for a callee, whether they let a call through, and when that changes.

    A campaign's own hours, the do-not-call list and calls already made are not looked at.
    """
    from dialer import rule_book
    from dialer.clock import SystemClock
    from dialer.commands.parsing import instant
    from dialer.commands.session import settings_of
    from dialer.holiday_calendars import public_holidays

    place = _place(who, zone)
    when = SystemClock(settings_of().scale).now() if at is None else instant(at)
    rule_set_id, rules = _in_force()
    found = rule_book.standing(rules, place.regions, place.zones, when, public_holidays)
    if json_:
        emit(
            {
                "regions": [*place.regions],
                "zones": [*place.zones],
                "at": iso(found.at),
                "open": found.is_open,
                "next_open": iso(found.next_open_at),
                "open_until": iso(found.open_until_at),
                "rules": [_rule_json(rules, rule) for rule in found.rules],
                "caps": [{"calls": cap.calls, "period_s": cap.period_s} for cap in found.caps],
                "pack": rules.pack.version,
                "rule_set": rule_set_id,
            }
        )
        return
    table(
        ["rule", "state", "hours", "zone", "holidays", "caps", "confidence"],
        [_cells(rules, rule) for rule in found.rules],
        spare=_SPARE,
    )
    _say_standing(place, found)


@app.command(
    epilog="Examples: dialer rules add DE --hours 'Mon-Fri 10:00-18:00' --holidays DE-BY --cap"
    " 2/24h · dialer rules add US-NY --closed --note 'state of emergency'"
)
def add(
    region: Annotated[
        str, typer.Argument(help="A country, a country and its subdivision, or * for everybody.")
    ],
    hours: Annotated[
        str | None, typer.Option(help="Days and their hours, by the callee's clock.")
    ] = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="Nobody there is called: the emergency stop.")
    ] = False,
    holidays: Annotated[
        list[str] | None,
        typer.Option(help="Public holidays are closed: DE-BY, US, country; repeat for more."),
    ] = None,
    cap: Annotated[
        list[str] | None,
        typer.Option(help="At most so many calls to a number: 2/24h, 4/30d; repeat for more."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="The hours are those of this zone, wherever callees are.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Its first day: 2026-11-30; else it is in force at once.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Its last day; else it is in force until you remove it.")
    ] = None,
    note: Annotated[str, typer.Option(help="Why, and on whose word.")] = "",
    json_: Json = False,
) -> None:
    """Put a rule of your own in force, on top of all others; it can only narrow what they leave.

    Running daemons keep to it within a second.
    """
    from dialer import rule_book
    from dialer.commands.session import writing
    from dialer.holiday_calendars import check_calendar
    from dialer.rules.changes_format import rule_to_json

    rule = rule_book.read_own(
        region_code=region,
        check_calendar=check_calendar,
        hours=hours,
        closed=closed,
        holidays=holidays or [],
        caps=cap or [],
        zone=zone,
        since=since,
        until=until,
        note=note,
    )

    async def use_case(tx: "Tx", now: int) -> "Rule":
        return await rule_book.add_own(tx, rule, now)

    added = writing(use_case)
    if json_:
        emit(rule_to_json(added))
        return
    where = "everybody" if added.region == "*" else added.region
    if added.is_closed:
        say(f"nobody is called in {where} any more, by rule {added.id}")
    else:
        say(f"rule {added.id} is in force for {where}")
    say(f"  dialer rules remove {added.id} takes it back")
    say(f"next:  dialer rules list --region '{added.region}'")


@app.command(epilog="Example: dialer rules remove own/1 --yes")
def remove(
    rule_id: RuleId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Take back a rule of your own; the others stay in force."""
    from dialer import rule_book
    from dialer.commands.session import writing
    from dialer.rules.changes_format import rule_to_json

    rules = _loaded()
    rules.removing(rule_id)  # what cannot be removed is not asked about
    rule = rules.find(rule_id)
    confirm(f"Remove rule {rule_id} for {rule.region} ({_hours(rule)})?", yes=yes)

    async def use_case(tx: "Tx", now: int) -> "Rule":
        return await rule_book.remove_own(tx, rule_id, now)

    removed = writing(use_case)
    if json_:
        emit(rule_to_json(removed))
        return
    say(f"rule {rule_id} is removed")
    say(f"next:  dialer rules list --region '{removed.region}'")


@app.command(epilog="Example: dialer rules off GB --reason 'letter of our counsel, 2 March'")
def off(
    rule_ids: Annotated[
        list[str], typer.Argument(metavar="RULE...", help="Ids, as rules list has them.")
    ],
    reason: Annotated[str, typer.Option(help="Why it need not be kept; goes to the audit log.")],
    json_: Json = False,
) -> None:
    """Put rules out of force, all or none. Read their notes first: dialer rules show RULE."""
    from dialer import rule_book
    from dialer.commands.session import writing

    async def use_case(tx: "Tx", now: int) -> "RuleSet":
        for rule_id in rule_ids:
            await rule_book.switch_off(tx, rule_id, reason, now)
        return await rule_book.load(tx)

    rules = writing(use_case)
    if json_:
        emit([_rule_json(rules, rules.find(rule_id)) for rule_id in rule_ids])
        return
    for rule_id in rule_ids:
        say(f"rule {rule_id} is off; whoever is called now is called on your word")
        say(f"  dialer rules on {rule_id} puts it back in force")
    say(f"next:  dialer rules show {rule_ids[0]}")


@app.command(epilog="Example: dialer rules on US/debt")
def on(rule_id: RuleId, json_: Json = False) -> None:
    """Put a rule in force: one that was switched off, or one for special calls, as US/debt is."""
    from dialer import rule_book
    from dialer.commands.session import writing

    async def use_case(tx: "Tx", now: int) -> "RuleSet":
        await rule_book.switch_on(tx, rule_id, now)
        return await rule_book.load(tx)

    rules = writing(use_case)
    if json_:
        emit(_rule_json(rules, rules.find(rule_id)))
        return
    say(f"rule {rule_id} is in force")
    say(f"next:  dialer rules show {rule_id}")


def _loaded() -> "RuleSet":
    return _in_force()[1]


def _in_force() -> tuple[int | None, "RuleSet"]:
    """The rules in force and the row they are kept in; as they are delivered without a database."""
    from dialer import rule_book
    from dialer.commands.session import reading
    from dialer.errors import NotFoundError

    async def use_case(tx: "Tx", _now: int) -> tuple[int | None, "RuleSet"]:
        return await rule_book.current_id(tx), await rule_book.load(tx)

    try:
        return reading(use_case)
    except NotFoundError as error:
        say(f"{error.message.partition(';')[0]}: these are the rules as they are delivered")
        return None, rule_book.as_delivered()


def _place(who: str, zone: str | None) -> "Place":
    """Where a number may be, or the place a region and a zone name."""
    from dialer import rule_book
    from dialer.commands.session import settings_of
    from dialer.errors import UsageError
    from dialer.phones import e164
    from dialer.place import Place
    from dialer.places import place_of
    from dialer.timezones import zone as checked

    if zone is not None:
        checked(zone)
    if any(each.isdigit() for each in who.partition("-")[0]):
        return place_of(e164(who, settings_of().default_region), zone)
    code = rule_book.region(who)
    if zone is None:
        raise UsageError(
            f"in which zone of {code}? Rules go by the callee's clock",
            next_step=f"dialer rules check '{code}' --zone America/New_York",
        )
    return Place(regions=() if code == "*" else (code,), zones=(zone,))


def _say_standing(place: "Place", found: "Standing") -> None:
    say(
        f"regions {' '.join(place.regions) or 'unknown'};"
        f" zones {' '.join(place.zones) or 'unknown, so nobody is called'}"
    )
    if not found.rules:
        say("no rule is in force for them")
    if found.caps:
        say(f"at most {' and '.join(map(str, found.caps))} calls to one number")
    if found.is_open:
        say(f"open at {moment(found.at)}, until {moment(found.open_until_at) or 'further notice'}")
    elif found.next_open_at is None:
        say(f"closed at {moment(found.at)}, and for the next 400 days")
    else:
        say(f"closed at {moment(found.at)}, opens {moment(found.next_open_at)}")


def _hours(rule: "Rule") -> str:
    from dialer.hours_format import format_weekly

    return format_weekly(rule.weekly)


def _state(rules: "RuleSet", rule: "Rule") -> str:
    return "on" if rules.is_on(rule) else "off"


def _cells(rules: "RuleSet", rule: "Rule") -> list[object]:
    return [
        rule.id,
        _state(rules, rule),
        _hours(rule),
        rule.zone or "",
        " ".join(rule.holidays),
        " ".join(map(str, rule.caps)),
        rule.confidence if rule.law_found else f"{rule.confidence}, no law found",
    ]


def _rule_json(rules: "RuleSet", rule: "Rule") -> dict[str, Any]:
    return {
        "id": rule.id,
        "region": rule.region,
        "scope": rule.scope.value,
        "state": _state(rules, rule),
        "reason": rules.changes.off.get(rule.id),
        "hours": _hours(rule),
        "zone": rule.zone,
        "holidays": [*rule.holidays],
        "caps": [str(cap) for cap in rule.caps],
        "valid_from": rule.valid_from and rule.valid_from.isoformat(),
        "valid_to": rule.valid_to and rule.valid_to.isoformat(),
        "law_found": rule.law_found,
        "confidence": rule.confidence.value,
        "note": rule.note,
        "source": rule.source,
    }
