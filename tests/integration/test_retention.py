"""What is kept too long goes, on both databases, and what still counts stays."""

import asyncio
from typing import Any, Final

import pytest

from dialer import do_not_call, retention, rule_book
from dialer.callees import KEPT_MS
from dialer.errors import UsageError
from dialer.retention import DAY_MS
from dialer.retention_days import Kind, Retention
from dialer.settings import load
from dialer.store.checks import check
from dialer.store.opening import AnyDatabase
from tests.support.engine import NOW, SetClock
from tests.support.given import given_campaign, read, write

KEEP: Final = Retention(calls_days=30, events_days=7, import_rows_days=1, dnc_history_days=30)
ATTEMPT: Final = (
    "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,"
    " intent_at, send_at, check_at, sid, outcome, closed_at)"
    " VALUES (?1, ?2, 1, 1, 1, ?3, ?4, '2026-01-05', ?5, ?5, ?5, ?1, 'no_answer', ?6)"
)
EVENT: Final = (
    "INSERT INTO call_events (attempt_id, news, sid, source, received_at, folded_at)"
    " VALUES (?1, 'n', 'CA', 'status', 0, ?2)"
)


def days_ago(days: float) -> int:
    return NOW - int(days * DAY_MS)


def attempt_id(number: int) -> str:
    return f"{number:08x}"


async def given_calls(
    database: AnyDatabase, *ages: float, still_open: int = 0, awaited: int = 0
) -> None:
    """Ended calls so many days old, one for each member, and some that are not over yet."""
    everybody = len(ages) + still_open + awaited
    await given_campaign(database, now=NOW, contacts=everybody)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (?1, 'd', 0, 0)",
            [(1,)],
        )
        old = days_ago(90)
        at = [*(days_ago(age) for age in ages), *[old] * (still_open + awaited)]
        open_from = len(ages)
        rows = []
        for number, intent_at in enumerate(at):
            is_open = open_from <= number < open_from + still_open
            rows.append(
                (
                    attempt_id(number), number + 1, f"+1202555{number:04}",
                    "placed" if is_open else "ended", intent_at, None if is_open else intent_at,
                )
            )  # fmt: skip
        await write(tx, ATTEMPT, rows)
        await write(tx, EVENT, [(row[0], 1) for row in rows])
        called = [(row[0], row[1], "called") for row in rows[open_from + still_open :]]
        dialing = [(row[0], row[1], "dialing") for row in rows[open_from:][:still_open]]
        await write(
            tx,
            "UPDATE members SET attempt_id = ?1, state = ?3, last_outcome = 'no_answer'"
            " WHERE id = ?2",
            [*called, *dialing],
        )
        await write(
            tx,
            "INSERT INTO number_days (number_id, day, calls) VALUES (1, '2026-01-05', ?1)",
            [(everybody,)],
        )
        await write(tx, "UPDATE numbers SET calls_total = ?1", [(everybody,)])


async def ids(database: AnyDatabase, query: str) -> list[Any]:
    async with database.read() as tx:
        return [row[0] for row in await read(tx, query)]


async def purge(database: AnyDatabase, kept: Retention = KEEP) -> dict[str, int]:
    done = await retention.purge(database, SetClock(NOW), kept)
    return {str(kind): rows for kind, rows in done.items()}


async def test_calls_go_by_their_age_and_counts_stay_true(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PORTION", 2)
    monkeypatch.setattr(retention, "REST_S", 0)
    await given_calls(database, 90, 60, 31, 29, 8, 6, 45, still_open=1, awaited=1)

    async with database.read() as tx:
        due = await retention.overdue(tx, KEEP, NOW)
    done = await purge(database)

    assert done["calls"] == due[Kind.CALLS] == 4
    kept = [attempt_id(number) for number in (3, 4, 5, 7, 8)]
    assert await ids(database, "SELECT id FROM attempts ORDER BY id") == kept
    with_news = [attempt_id(number) for number in (5, 7)]
    left = await ids(database, "SELECT attempt_id FROM call_events ORDER BY attempt_id")
    assert left == with_news
    assert done["events"] == due[Kind.EVENTS] == 7
    assert await ids(database, "SELECT calls FROM number_days") == [5]
    assert [each.name for each in await check(database) if not each.ok] == []


async def test_news_that_is_not_folded_yet_stays(database: AnyDatabase) -> None:
    await given_calls(database, 20)
    async with database.write() as tx:
        await write(
            tx, "UPDATE call_events SET folded_at = NULL WHERE attempt_id = ?1", [("00000000",)]
        )

    await purge(database)

    assert await ids(database, "SELECT attempt_id FROM call_events") == ["00000000"]


async def test_calls_are_kept_for_as_long_as_a_cap_counts_them(database: AnyDatabase) -> None:
    await given_calls(database, 40, 99, 101, 200)
    rule = rule_book.read_own(
        region_code="US", check_calendar=lambda _: None, caps=["9/100d"], note="nine in a hundred"
    )
    async with database.write() as tx:
        await rule_book.add_own(tx, rule, NOW)

    async with database.read() as tx:
        kept = await retention.in_force(tx, KEEP)
        for_ever = await retention.in_force(tx, Retention())
    done = await purge(database)

    assert (kept.calls_days, for_ever.calls_days) == (100, 0)
    assert done["calls"] == 2
    assert await ids(database, "SELECT id FROM attempts ORDER BY id") == [
        attempt_id(number) for number in range(2)
    ]
    async with database.write() as tx:
        await rule_book.remove_own(tx, "own/1", NOW)
    assert (await purge(database))["calls"] == 2


async def test_why_somebody_is_listed_is_known_for_as_long_as_they_are(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PORTION", 2)
    monkeypatch.setattr(retention, "REST_S", 0)
    campaign = await given_campaign(database, now=NOW, contacts=1)
    old = days_ago(40)
    listed, gone = "+12025550101", "+12025550102"
    async with database.write() as tx:
        await do_not_call.add(tx, [listed, gone], old)
        await do_not_call.remove(tx, old, phone=listed)
        await do_not_call.add(tx, [listed], old + 1)
        await do_not_call.add(tx, [listed], old + 2, scope=campaign)
        await do_not_call.remove(tx, old, phone=gone)

    async with database.read() as tx:
        due = await retention.overdue(tx, KEEP, NOW)
    done = await purge(database)

    assert done["dnc_history"] == due[Kind.DNC_HISTORY] == 4
    async with database.read() as tx:
        history = await do_not_call.history_of(tx, listed)
        assert [(row["event"], row["campaign_id"], row["at"]) for row in history] == [
            ("added", None, old + 1), ("added", campaign, old + 2)
        ]  # fmt: skip
        assert await do_not_call.history_of(tx, gone) == []


async def test_rejected_rows_and_history_go_too(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PORTION", 2)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO imports (id, file_name, digest, mapping, started_at)"
            " VALUES (?1, 'f', 'd', '{}', ?2)",
            [(1, days_ago(2)), (2, days_ago(0.5))],
        )
        await write(
            tx,
            "INSERT INTO import_rows (import_id, row_number, column_name, value, reason)"
            " VALUES (?1, ?2, 'c', 'v', 'bad_zone')",
            [(1, 2), (1, 3), (1, 4), (2, 2)],
        )
        await write(
            tx,
            "INSERT INTO dnc_history (id, phone, event, at) VALUES (?1, '+1', 'added', ?2)",
            [(1, days_ago(31)), (2, days_ago(29))],
        )

    done = await purge(database)

    assert (done["import_rows"], done["dnc_history"]) == (3, 1)
    assert await ids(database, "SELECT import_id FROM import_rows") == [2]
    assert await ids(database, "SELECT id FROM dnc_history") == [2]
    assert set((await purge(database)).values()) == {0}


async def test_what_goes_is_in_the_audit_log_before_it_goes(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PORTION", 1)
    await given_calls(database, 90, 60, 45)
    portions = 0

    async def interrupted(_seconds: float) -> None:
        nonlocal portions
        portions += 1
        if portions == 2:
            raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "sleep", interrupted)
        with pytest.raises(RuntimeError, match="power cut"):
            await purge(database, Retention(calls_days=30))
    left = await ids(database, "SELECT id FROM attempts")
    logged = await ids(database, "SELECT after FROM audit_log WHERE action = 'privacy.purge'")
    again = await purge(database, Retention(calls_days=30))

    assert (len(left), again) == (1, {"calls": 1})
    assert logged == ['{"calls":3}']
    assert [each.name for each in await check(database) if not each.ok] == []


async def test_without_settings_everything_stays(database: AnyDatabase) -> None:
    await given_calls(database, 4000)

    assert await purge(database, Retention()) == {}
    assert len(await ids(database, "SELECT id FROM attempts")) == 1


@pytest.mark.parametrize(
    ("kind", "days", "why"),
    [
        (Kind.CALLS, 29, "caps per callee look back 30 days"),
        (Kind.EVENTS, 6, "late news"),
        (Kind.DNC_HISTORY, 29, "who was listed"),
    ],
)
def test_too_short_a_retention_is_refused_with_the_reason(kind: Kind, days: int, why: str) -> None:
    with pytest.raises(UsageError, match=rf"retain_{kind}_days .*= {days}: less than .*{why}"):
        load(**days_of(kind, days))
    load(**days_of(kind, days + 1))
    load(**days_of(kind, 0))


def days_of(kind: Kind, days: int) -> dict[str, Any]:
    """A flag that says how long what is kept."""
    return {f"retain_{kind}_days": days}


async def test_calls_found_at_the_carriers_go_when_no_cap_counts_them_any_more(
    database: AnyDatabase,
) -> None:
    async with database.write() as tx:
        for sid, placed_at in (("CA1", NOW - KEPT_MS - 1), ("CA2", NOW - KEPT_MS)):
            await tx.run("keep_found_call", sid=sid, phone="+12025550101", placed_at=placed_at)

    await purge(database, Retention(0, 0, 0, 0))

    assert await ids(database, "SELECT sid FROM found_calls") == ["CA2"]
