"""A campaign looked over: what is said is what claims will do, counted by the database."""

import json
import random
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer import do_not_call, rule_book
from dialer.do_not_call import Entry, Source
from dialer.errors import NotFoundError, UsageError
from dialer.explaining import Explainer, Explanation, Moment, Question
from dialer.holiday_calendars import public_holidays
from dialer.hours import Schedule
from dialer.hours_format import parse_weekly, to_json
from dialer.model import CampaignId
from dialer.people.person import Person
from dialer.plans import Plans
from dialer.ports import Database, Row
from dialer.preflight.checking import check
from dialer.preflight.facts import Deployment, Finding, Level, Report
from dialer.preflight.pace import Bound
from dialer.preflight.reading import unplaced
from dialer.store.opening import AnyDatabase, opened
from tests.integration.test_callees import (
    CHICAGO,
    LOS_ANGELES,
    NEW_YORK,
    TOLL_FREE,
    at,
    given_people,
    over,
)
from tests.support.engine import DAY, HOUR, NOW, TIMES, UNLIMITED
from tests.support.given import given_campaign, write

HERE = Deployment(UNLIMITED, TIMES)
MIAMI, SIOUX_FALLS, BERLIN, DUBLIN = (
    "+13055550101",
    "+16055550101",
    "+4915123456789",
    "+35312345678",
)
PEOPLE = 50_000


def schedule(hours: str, zone: str = "America/New_York") -> str:
    return json.dumps(to_json(Schedule(zone, parse_weekly(hours))))


async def checked(
    database: Database, instant: int = NOW, given: Deployment = HERE, name: str = "Renewals"
) -> Report:
    async with database.read() as tx:
        return await check(tx, name, instant, given, public_holidays)


async def listed(database: Database, *phones: str, campaign: CampaignId | None = None) -> None:
    """These are on the do-not-call list, of which their members have not heard yet."""
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO dnc (phone, campaign_id, source, note, created_at)"
            " VALUES (?1, ?2, 'operator', '', 0)",
            [(phone, campaign) for phone in phones],
        )


def codes(report: Report, level: Level) -> list[str]:
    return [finding.code for finding in report.of(level)]


def the(report: Report, code: str) -> Finding:
    (found,) = [finding for finding in report.findings if finding.code == code]
    return found


# -- who is skipped -------------------------------------------------------------------------------


async def test_everybody_is_counted_once_by_what_becomes_of_them(database: AnyDatabase) -> None:
    closed_there = schedule("daily 03:00-07:00", "Europe/Berlin")  # when nobody is called there
    campaign = await given_people(
        database, NEW_YORK, CHICAGO, LOS_ANGELES, MIAMI, TOLL_FREE, BERLIN, SIOUX_FALLS,
        schedule_body=closed_there,
    )  # fmt: skip
    await listed(database, NEW_YORK)
    await listed(database, NEW_YORK, TOLL_FREE, campaign=campaign)
    async with database.write() as tx:
        await do_not_call.put(tx, [Entry(CHICAGO)], NOW, source=Source.OPERATOR)
        await write(
            tx,
            "UPDATE members SET state = ?2 WHERE contact_id ="
            " (SELECT id FROM contacts WHERE phone = ?1)",
            [(MIAMI, "completed"), (SIOUX_FALLS, "dialing")],
        )

    members = (await checked(database)).facts.members

    assert members.total == 7
    assert members.done == {"completed": 1}
    assert (members.under_way, members.refused, members.listed) == (1, 1, 2)
    assert (members.zone_unknown, members.never_open, members.to_call) == (0, 1, 1)
    assert members.skipped == 4
    every = [
        *members.done.values(), members.under_way, members.refused, members.listed,
        members.zone_unknown, members.never_open, members.to_call,
    ]  # fmt: skip
    assert sum(every) == members.total


async def test_each_reason_is_a_finding_with_its_count(database: AnyDatabase) -> None:
    night = schedule("daily 03:00-07:00", "Europe/Berlin")
    await given_people(database, NEW_YORK, LOS_ANGELES, TOLL_FREE, BERLIN, schedule_body=night)
    await listed(database, NEW_YORK)

    report = await checked(database)

    counts = {finding.code.value: finding.count for finding in report.findings}
    assert counts["do_not_call"] == counts["zone_unknown"] == counts["never_open"] == 1
    assert the(report, "never_open").text.endswith("(DE Europe/Berlin)")
    assert "--zones-unknown zones.csv" in the(report, "zone_unknown").cure


async def test_an_entry_of_another_campaign_skips_nobody(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK)
    other = await given_campaign(database, now=NOW, name="Survey", number_ids=[1], start=False)
    await listed(database, NEW_YORK, campaign=other)

    assert (await checked(database)).facts.members.to_call == 1


async def test_those_without_a_zone_are_listed_page_by_page(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer.preflight.reading.PAGE", 2)
    nowhere = [f"+1800555{n:04d}" for n in range(101, 106)]
    await given_people(database, NEW_YORK, *nowhere)
    await listed(database, nowhere[1])

    async with database.read() as tx:
        report = await check(tx, "Renewals", NOW, HERE, public_holidays)
        pages = [[row["phone"] for row in page] async for page in unplaced(tx, report.facts)]

    assert pages == [[nowhere[0], nowhere[2]], nowhere[3:]]


# -- caps -----------------------------------------------------------------------------------------


async def test_whoever_has_had_enough_calls_is_counted_as_a_claim_would(
    database: AnyDatabase,
) -> None:
    campaign = await given_people(
        database, MIAMI, NEW_YORK, callee_calls_per_day=50, callee_calls_per_week=50
    )
    for minutes in (0, 10, 20):  # Florida allows three in any 24 hours
        daemon = await at(database, NOW + minutes * 60_000)
        await over(database, await daemon.take(campaign))
    last = NOW + 20 * 60_000
    free_at = NOW + DAY + TIMES.late_ms

    assert (await checked(database, last)).facts.members.capped == 1
    assert (await checked(database, free_at - 1)).facts.members.capped == 1
    assert (await checked(database, free_at)).facts.members.capped == 0


async def test_calls_of_other_campaigns_count(database: AnyDatabase) -> None:
    first = await given_people(database, NEW_YORK, CHICAGO, callee_calls_per_day=1)
    await over(database, await (await at(database, NOW)).take(first))
    await given_people(
        database, NEW_YORK, LOS_ANGELES, name="Survey", number_ids=[1], callee_calls_per_day=1
    )

    report = await checked(database, NOW + HOUR, name="Survey")

    assert the(report, "callee_caps").count == 1
    assert report.facts.members.to_call == 2  # later is not never


# -- where they are -------------------------------------------------------------------------------


async def test_a_place_is_told_with_its_hours_today_and_in_a_week(database: AnyDatabase) -> None:
    office = schedule("mon-fri 09:00-12:00")
    await given_people(database, NEW_YORK, LOS_ANGELES, schedule_body=office)

    (west, east) = (await checked(database)).facts.spots  # by the key, as they are as many

    ten = NOW  # in New York
    assert (east.place.zones, east.members, east.open_now) == (("America/New_York",), 1, True)
    assert [*east.today] == [(ten - HOUR, ten + 2 * HOUR)]
    assert east.hours_a_week == 15  # from ten on Monday to ten on Monday
    assert east.opens_at == ten
    assert (west.open_now, west.opens_at) == (False, ten + HOUR)  # eight in California
    assert [*west.today] == [(ten + HOUR, ten + 2 * HOUR)]
    assert west.hours_a_week == 5


async def test_little_overlap_and_none_at_night_are_warned_of(database: AnyDatabase) -> None:
    await given_people(
        database, NEW_YORK, LOS_ANGELES, schedule_body=schedule("mon-fri 09:00-12:00")
    )

    report = await checked(database)

    assert the(report, "short_window").count == 1
    assert "(US-CA America/Los_Angeles)" in the(report, "short_window").text
    assert "any_hour" not in codes(report, Level.WARNING)


async def test_whom_nothing_closes_is_warned_of(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=3)  # where rules are off, without a schedule

    report = await checked(database)

    assert the(report, "any_hour").count == 3
    assert the(report, "no_schedule").level is Level.INFO


async def test_a_start_that_lies_ahead_is_when_the_first_may_be_called(
    database: AnyDatabase,
) -> None:
    await given_people(database, NEW_YORK, start_at=NOW + 20 * HOUR)

    facts = (await checked(database)).facts

    assert facts.next_at == NOW + 22 * HOUR  # eight in the morning
    assert facts.open_now == 1


PHONES = st.sampled_from(
    [NEW_YORK, CHICAGO, LOS_ANGELES, MIAMI, TOLL_FREE, BERLIN, DUBLIN, SIOUX_FALLS, "+12705550101"]
)
ZONES = st.sampled_from([None, None, "Europe/Berlin", "Asia/Kathmandu", "America/Chicago"])
SCHEDULES = st.sampled_from(
    [None, schedule("mon-fri 09:00-17:00"), schedule("sat 22:00-02:00", "Asia/Tokyo")]
)
INSTANTS = st.integers(NOW // 60_000, NOW // 60_000 + 10 * 24 * 60).map(lambda at: at * 60_000)


@pytest.fixture
def fresh(tmp_path: Path, sqlite_template: bytes) -> Callable[[], Path]:
    numbers = count()

    def make() -> Path:
        path = tmp_path / f"{next(numbers)}.db"
        path.write_bytes(sqlite_template)
        return path

    return make


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    people=st.dictionaries(PHONES, ZONES, min_size=1, max_size=6),
    body=SCHEDULES,
    instant=INSTANTS,
    starts_in=st.sampled_from([None, 0, 3 * DAY]),
)
async def test_a_place_is_what_explain_says_of_everybody_there(
    fresh: Callable[[], Path],
    people: dict[str, str | None],
    body: str | None,
    instant: int,
    starts_in: int | None,
) -> None:
    async with opened(str(fresh()), random.Random(1), busy_timeout_s=5) as database:
        await given_people(
            database,
            *(Person(phone, zone=zone) for phone, zone in people.items()),
            schedule_body=body,
            start_at=None if starts_in is None else instant + starts_in,
        )

        facts = (await checked(database, instant)).facts
        explained = await explanations(database, instant)

    by_key: dict[str, list[Explanation]] = {}
    for each in explained:
        by_key.setdefault(each.member["window_key"], []).append(each)
    assert {spot.window_key: spot.members for spot in facts.spots} == {
        key: len(some) for key, some in by_key.items()
    }
    for spot in facts.spots:
        for each in by_key[spot.window_key]:
            zones = {check.question: check for check in each.checks}[Question.ZONE]
            assert [*zones.inputs["local time"]] == [*spot.place.zones]
            assert zones.inputs["regions"] == [*spot.place.regions]
            about = (Question.ZONE, Question.WINDOW)
            is_open = all(check.passed for check in each.checks if check.question in about)
            assert spot.open_now == is_open
            assert (
                spot.opens_at == max(each.next_at, instant) if each.next_at else not spot.opens_at
            )


async def explanations(database: Database, instant: int) -> list[Explanation]:
    explainer = Explainer(Plans(public_holidays), UNLIMITED, TIMES)
    async with database.read() as tx:
        rows = await tx.rows("list_contacts", limit=100)
        found = [
            await explainer.of_contact(tx, row["id"], Moment(instant, live=False)) for row in rows
        ]
    return [one for some in found for one in some]


# -- the rules ------------------------------------------------------------------------------------


async def test_rules_are_told_with_how_sure_they_are(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK, BERLIN, DUBLIN)
    async with database.write() as tx:
        await rule_book.switch_off(tx, "US-NY", "a lawyer says so", NOW)

    report = await checked(database)

    assert {each.rule.id: each.members for each in report.facts.bindings.binding} == {
        "*": 1, "DE": 1, "US": 1,
    }  # fmt: skip
    # Neither Germany's hours nor those of a country nobody has looked up are a law's.
    (unsure,) = [f for f in report.of(Level.WARNING) if f.code == "no_law_found"]
    assert all(country in unsure.text for country in ("DE", "IE"))
    off = the(report, "rule_off")
    assert (off.level, off.count) == (Level.INFO, 1)
    assert "US-NY is switched off: a lawyer says so" in off.text


async def test_an_own_rule_for_the_country_is_the_operators_decision(
    database: AnyDatabase,
) -> None:
    await given_people(database, DUBLIN)
    async with database.write() as tx:
        own = rule_book.read_own(
            region_code="IE", check_calendar=lambda code: None, hours="mon-fri 10:00-17:00"
        )
        await rule_book.add_own(tx, own, NOW)

    assert "no_law_found" not in codes(await checked(database), Level.WARNING)


async def test_rules_about_machines_that_are_not_in_force_are_hinted_at(
    database: AnyDatabase,
) -> None:
    await given_people(database, SIOUX_FALLS, NEW_YORK)  # by a voice from a text

    hint = the(await checked(database), "scoped_rule")

    assert (hint.level, hint.count, hint.cure) == (
        Level.INFO,
        1,
        "dialer rules show US-SD/automated",
    )
    assert "not legal advice" in hint.text

    async with database.write() as tx:
        await rule_book.switch_on(tx, "US-SD/automated", NOW)
    assert "scoped_rule" not in codes(await checked(database), Level.INFO)


# -- numbers, pace, settings ----------------------------------------------------------------------


async def test_numbers_are_told_by_whether_they_may_call(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK, numbers=4, max_calls_per_day=10)
    async with database.write() as tx:
        await write(tx, "UPDATE numbers SET disabled_at = 1 WHERE id = ?1", [(1,)])
        await write(tx, "UPDATE numbers SET spam_score = 7 WHERE id = ?1", [(2,)])
        await write(tx, "INSERT INTO number_days VALUES (?1, '2026-01-05', 10)", [(3,)])

    report = await checked(database, given=Deployment(UNLIMITED, TIMES, owned=frozenset({"+1"})))

    numbers = report.facts.numbers
    assert (numbers.total, numbers.usable, numbers.lasting) == (4, 1, 2)
    assert {reason.value: n for reason, n in numbers.unusable.items()} == {
        "disabled": 1, "excluded": 1, "daily_cap": 1,
    }  # fmt: skip
    assert the(report, "numbers_excluded").level is Level.WARNING
    assert the(report, "numbers_not_owned").count == 4
    assert codes(report, Level.ERROR) == []


async def test_calls_hours_and_numbers_follow_from_the_settings(database: AnyDatabase) -> None:
    await given_campaign(
        database, now=NOW, contacts=1000, call_interval_s=36, max_retries=2, max_calls_per_day=50
    )

    report = await checked(database)

    pace = report.facts.pace
    assert (pace.bound, pace.spacing_s, pace.people) == (Bound.CALL_INTERVAL, 36, 1000)
    assert (pace.least.calls, pace.most.calls, pace.expected) == (1000, 3000, None)
    assert (pace.least.hours, pace.most.hours) == (10, 30)
    assert pace.least.weeks == pytest.approx(10 / 168)
    assert "4 to 12 would make it in 5 days" in the(report, "number_caps").text


async def test_experience_takes_the_place_of_bounds(database: AnyDatabase) -> None:
    await given_campaign(
        database, now=NOW, contacts=1000, call_interval_s=0, max_concurrent=2, ring_timeout_s=30
    )
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE members SET state = 'completed', attempts = 2 WHERE contact_id <= ?1",
            [(400,)],
        )
        await write(
            tx, "INSERT INTO daemons (name, started_at, lease_until) VALUES (?1, 0, 0)", [("one",)]
        )
        await write(
            tx,
            "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state,"
            " day, intent_at, send_at, check_at, sid, closed_at)"
            " VALUES (?1, ?2, 1, 1, 1, '', 'ended', '', 0, 0, 0, ?3, 20000)",
            [(f"a{n}", n, f"s{n}") for n in range(1, 401)],
        )

    pace = (await checked(database)).facts.pace

    assert pace.expected is not None
    assert (pace.least.calls, pace.expected.calls, pace.most.calls) == (600, 1200, 1800)
    assert (pace.bound, pace.held_s, pace.spacing_s) == (Bound.CALLS_AT_ONCE, 20, 10)


async def test_placeholders_that_are_empty_are_counted(database: AnyDatabase) -> None:
    await given_people(
        database,
        Person(NEW_YORK, name="Ann", variables={"contract": "17", "it's": "x"}),
        Person(CHICAGO, variables={"contract": ""}),
        Person(MIAMI, variables={}),
        Person(LOS_ANGELES),
    )
    await listed(database, LOS_ANGELES)
    async with database.write() as tx:
        text = "Hello {{name}}, {{ contract }}, {{it's}}, {{phone}}"
        await write(tx, "UPDATE agents SET target = ?1", [(text,)])

    report = await checked(database)

    assert report.facts.unfilled == {"name": 2, "contract": 2, "it's": 2}
    assert codes(report, Level.WARNING).count("placeholder_empty") == 3


async def test_what_is_missing_to_dial_is_told(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK)
    lacking = Deployment(UNLIMITED, TIMES, carrier_trouble="no token", pre_dial_check=True)

    report = await checked(database, given=lacking)

    assert "no token" in the(report, "carrier_not_set_up").text
    assert the(report, "no_do_not_call_list").level is Level.WARNING
    assert "is asked" in the(report, "pre_dial_check").text
    await listed(database, CHICAGO)
    assert "no_do_not_call_list" not in codes(await checked(database), Level.WARNING)


# -- errors ---------------------------------------------------------------------------------------


async def test_a_campaign_without_anybody_has_nobody_to_call(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=0, start=False)

    assert codes(await checked(database), Level.ERROR) == ["nobody_to_call"]


async def test_a_campaign_whose_people_are_all_skipped_calls_nobody(database: AnyDatabase) -> None:
    await given_people(database, TOLL_FREE, NEW_YORK)
    await listed(database, NEW_YORK)

    report = await checked(database)

    assert codes(report, Level.ERROR) == ["everybody_skipped"]
    assert report.facts.next_at is None


async def test_a_schedule_that_never_opens_is_an_error(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK, schedule_body=schedule("closed"))

    assert codes(await checked(database), Level.ERROR) == ["everybody_skipped", "schedule_closed"]


async def test_a_pool_that_only_an_operator_can_mend_is_an_error(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK, numbers=2)
    async with database.write() as tx:
        await write(tx, "UPDATE numbers SET disabled_at = 1 WHERE id = ?1", [(1,)])
        await write(tx, "UPDATE numbers SET spam_score = 9 WHERE id = ?1", [(2,)])

    error = the(await checked(database), "no_number")

    assert error.level is Level.ERROR
    assert error.text == "no number may call: 1 disabled, 1 excluded by their spam score"


async def test_a_campaign_that_is_over_is_told(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK)
    async with database.write() as tx:
        await write(tx, "UPDATE campaigns SET status = 'cancelled' WHERE id = ?1", [(1,)])

    assert "ended" in codes(await checked(database), Level.ERROR)


async def test_what_cannot_be_found_or_read_is_refused(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK, schedule_body="{}", name="Broken")

    with pytest.raises(NotFoundError):
        await checked(database, name="Renewals")
    with pytest.raises(UsageError):
        await checked(database, name="Broken")


# -- many people ----------------------------------------------------------------------------------


@asynccontextmanager
async def counted_statements(
    database: Database,
) -> AsyncIterator[tuple[Any, Counter[str], list[int]]]:
    """A transaction that counts its statements and the rows they give."""
    statements: Counter[str] = Counter()
    rows: list[int] = []
    async with database.read() as tx:
        original = tx.rows

        class Counting:
            actor = tx.actor

            async def rows(self, query: str, **params: Any) -> Sequence[Row]:
                statements[query] += 1
                found = await original(query, **params)
                rows.append(len(found))
                return found

            async def row(self, query: str, **params: Any) -> Row | None:
                statements[query] += 1
                return await tx.row(query, **params)

            async def value(self, query: str, **params: Any) -> Any:
                statements[query] += 1
                return await tx.value(query, **params)

        yield Counting(), statements, rows


async def test_many_people_cost_no_more_statements_rows_or_memory_than_few(
    database: AnyDatabase,
) -> None:
    await given_campaign(database, now=NOW, contacts=PEOPLE)
    async with database.write() as tx:  # what PostgreSQL does by itself, some time later
        await write(tx, "ANALYZE", [()])

    async with counted_statements(database) as (tx, statements, rows):
        tracemalloc.start()
        try:
            report = await check(tx, "Renewals", NOW, HERE, public_holidays)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert report.facts.members.to_call == PEOPLE
    assert max(statements.values()) == 1
    assert sum(rows) < 20, "they are counted by the database"
    assert peak < 4_000_000, "fifty thousand rows would be more"
