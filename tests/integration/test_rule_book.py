"""Calling rules in the store: what operators change holds, one change after the other."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest

from dialer import audit_log, rule_book
from dialer.errors import DialerError, NotFoundError, UsageError, WrongStateError
from dialer.holiday_calendars import check_calendar, public_holidays
from dialer.hours import NEVER_OPEN
from dialer.ports import Database, Tx
from dialer.rules.pack import current_pack
from dialer.rules.rule import Cap, Rule
from dialer.rules.rule_set import RuleSet
from tests.support.engine import NOW

Change: TypeAlias = Callable[[Tx], Awaitable[object]]

PACK_ONLY = RuleSet(current_pack())


def own(region: str = "DE", **fields: Any) -> Rule:
    given = {"hours": "Mon-Fri 10:00-18:00"} | fields
    return rule_book.read_own(region_code=region, check_calendar=check_calendar, **given)


async def add(database: Database, rule: Rule) -> Rule:
    async with database.write() as tx:
        return await rule_book.add_own(tx, rule, NOW)


async def loaded(database: Database) -> RuleSet:
    async with database.read() as tx:
        return await rule_book.load(tx)


async def revision(database: Database) -> int:
    async with database.read() as tx:
        return int(await tx.value("revision"))


async def test_before_any_change_the_pack_is_in_force(database: Database) -> None:
    async with database.read() as tx:
        assert await rule_book.load(tx) == PACK_ONLY
        assert await rule_book.current_id(tx) is None


async def test_every_change_is_a_row_of_its_own_and_told_to_daemons(database: Database) -> None:
    seen = [await revision(database)]
    ids = []
    wanted = own(holidays=["DE-BY"], caps=["2/24h"], note=" as agreed ")

    async def changed() -> None:
        seen.append(await revision(database))
        async with database.read() as tx:
            ids.append(await rule_book.current_id(tx))

    added = await add(database, wanted)
    await changed()
    async with database.write() as tx:
        off = await rule_book.switch_off(tx, "GB", " our counsel ", NOW)
    await changed()
    async with database.write() as tx:
        on = await rule_book.switch_on(tx, "US/debt", NOW)
    await changed()
    rules = await loaded(database)
    async with database.write() as tx:
        removed = await rule_book.remove_own(tx, "own/1", NOW)
    await changed()

    assert (added.id, off.id, on.id, removed) == ("own/1", "GB", "US/debt", added)
    assert (added.holidays, added.caps, added.note) == (("DE-BY",), (Cap(2, 86_400),), "as agreed")
    assert ids == [1, 2, 3, 4]
    assert seen == sorted(set(seen))
    assert rules.changes.own == (added,)
    assert rules.changes.off == {"GB": "our counsel"}
    assert rules.changes.on == {"US/debt"}
    assert (await loaded(database)).changes.own == ()
    async with database.read() as tx:
        entries = await audit_log.listed(tx)
    assert [(each.action, each.subject) for each in reversed(entries)] == [
        ("rules.add", "own/1"),
        ("rules.off", "GB"),
        ("rules.on", "US/debt"),
        ("rules.remove", "own/1"),
    ]
    assert json.loads(entries[2].after) == {"on": False, "reason": "our counsel"}


async def written(database: Database, change: Change) -> None:
    async with database.write() as tx:
        await change(tx)


REFUSED: tuple[tuple[type[DialerError], str, Change], ...] = (
    (UsageError, "without a reason", lambda tx: rule_book.switch_off(tx, "GB", " ", NOW)),
    (NotFoundError, "no rule 'GBR'; did", lambda tx: rule_book.switch_off(tx, "GBR", "!", NOW)),
    (WrongStateError, "on already", lambda tx: rule_book.switch_on(tx, "GB", NOW)),
    (NotFoundError, "no rule 'own/1'", lambda tx: rule_book.remove_own(tx, "own/1", NOW)),
    (UsageError, "comes with the program", lambda tx: rule_book.remove_own(tx, "DE", NOW)),
)


async def test_a_change_that_is_refused_leaves_nothing(database: Database) -> None:
    before = await revision(database)

    for error, match, change in REFUSED:
        with pytest.raises(error, match=match):
            await written(database, change)
    with pytest.raises(UsageError, match="no hours at all in FR"):
        await add(database, own("FR", hours="daily 21:00-23:00"))

    assert await revision(database) == before
    assert await loaded(database) == PACK_ONLY
    async with database.read() as tx:
        assert await rule_book.current_id(tx) is None
        assert await audit_log.listed(tx) == []


async def test_a_rule_may_have_a_last_day(database: Database) -> None:
    today = datetime.fromtimestamp(NOW / 1000, UTC).date()

    def until(days: int) -> Rule:
        last = (today + timedelta(days=days)).isoformat()
        return own("US-NY", hours=None, closed=True, until=last)

    await add(database, until(-1))  # somewhere it may be today still
    await add(database, until(5))
    with pytest.raises(UsageError, match="the rule's last day is over"):
        await add(database, until(-2))

    hours = (await loaded(database)).hours_for(["US-NY"], ["America/New_York"], public_holidays)
    opens = hours.next_open(NOW)
    assert opens is not None
    opening = datetime.fromtimestamp(opens / 1000, ZoneInfo("America/New_York"))
    assert (opening.date(), opening.hour) == (today + timedelta(days=6), 8)


async def test_operators_at_the_same_time_undo_nothing(database: Database) -> None:
    regions = ["DE", "FR", "US-NY", "US-LA", "PL"]

    await asyncio.gather(*(add(database, own(code, hours=None, closed=True)) for code in regions))

    rules = await loaded(database)
    assert sorted(rule.region for rule in rules.changes.own) == sorted(regions)
    assert {rule.id for rule in rules.changes.own} == {f"own/{number}" for number in range(1, 6)}
    for code in regions:
        assert rules.hours_for([code], ["UTC"], public_holidays) is NEVER_OPEN


async def test_a_stamp_names_the_rules_of_this_release(database: Database) -> None:
    async with database.write() as tx:
        first = await rule_book.stamped(tx, NOW)
        again = await rule_book.stamped(tx, NOW)
    await add(database, own())
    async with database.write() as tx:
        changed = await rule_book.stamped(tx, NOW)
        old = {"pack": "2020-01", "changes": json.loads((await newest(tx))["body"])["changes"]}
        await tx.value("add_rule_set", body=json.dumps(old), now=NOW)
        upgraded = await rule_book.stamped(tx, NOW)
        rules = await rule_book.load(tx)

    assert (first, again, changed, upgraded) == (1, 1, 2, 4)
    assert [rule.region for rule in rules.changes.own] == ["DE"]


async def newest(tx: Any) -> Any:
    return await tx.row("newest_rule_set")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "rule set 1 is not JSON"),
        ("[]", "rule set 1 cannot be read: rule set: not an object"),
        ('{"pack": "2026-11"}', "rule set 1 cannot be read: rule set: not an object"),
        ('{"changes": {"own": []}}', "rule set 1 cannot be read: rule set: 'off' is missing"),
    ],
)
async def test_changes_that_cannot_be_read_are_no_leave_to_call(
    database: Database, body: str, message: str
) -> None:
    async with database.write() as tx:
        await tx.value("add_rule_set", body=body, now=NOW)

    with pytest.raises(UsageError, match=message):
        await loaded(database)


@pytest.mark.parametrize(
    ("region", "fields", "message"),
    [
        ("DE", {"hours": None}, "needs --hours, --holidays or --cap, or --closed"),
        ("DE", {"closed": True}, "--closed says it all"),
        ("DE", {"hours": "closed"}, "'closed' leaves no hours at all; .* write --closed"),
        ("DE", {"hours": "mon 09:00-09:00"}, "a range cannot end where it starts"),
        ("DE", {"hours": "mon 9-17; mon closed"}, "mon is both closed and open"),
        ("DE", {"hours": "mon"}, "not days and their hours: 'mon'"),
        ("DE", {"holidays": ["DE-XX"]}, "not a holiday calendar: 'DE-XX'"),
        ("DE", {"zone": "Berlin"}, "not a time zone: 'Berlin'.*did you mean 'Europe/Berlin'"),
        ("DE", {"caps": ["2"]}, "not a cap: '2'"),
        ("DE", {"until": "30.11.2026"}, "not a date: '30.11.2026'"),
        ("DE", {"caps": ["2/24h"], "until": "2026-11-30"}, "a cap has no dates"),
        ("Germany", {}, "not a region: 'GERMANY'"),
        ("UK", {}, "not a country of phone numbers: 'UK'"),
        ("DE-BY", {}, "nobody is in 'DE-BY'; name the country, 'DE'"),
        ("US-FLA", {}, r"not a region: 'US-FLA' \(US has AK .*did you mean .*'US-FL'"),
    ],
)
def test_an_own_rule_that_cannot_be_read_says_why(
    region: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        own(region, **fields)


def test_an_own_rule_is_read_as_it_was_written() -> None:
    rule = own("us-fl", hours=None, holidays=["country", "US-FL", "US-FL"], caps=["2/24h", "2/24h"])

    assert rule.region == "US-FL"
    assert rule.holidays == ("country", "US-FL")
    assert rule.caps == (Cap(2, 86_400),)
    assert own("pr").region == "PR"
    assert own("*").region == "*"


def test_a_standing_tells_what_binds_and_until_when() -> None:
    evening = 1_793_847_600_000  # 2026-11-04 22:00 in New York
    closed = rule_book.standing(
        PACK_ONLY, ["US-FL"], ["America/New_York"], evening, public_holidays
    )
    hour_ms = 3_600_000
    open_ = rule_book.standing(
        PACK_ONLY, ["US-FL"], ["America/New_York"], evening + 12 * hour_ms, public_holidays
    )

    assert [rule.id for rule in closed.rules] == ["US", "US-FL"]
    assert closed.caps == (Cap(3, 86_400),)
    assert (closed.is_open, closed.open_until_at) == (False, None)
    assert closed.next_open_at == evening + 10 * hour_ms
    assert (open_.is_open, open_.next_open_at) == (True, open_.at)
    assert open_.open_until_at == evening + 22 * hour_ms
