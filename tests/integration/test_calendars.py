"""Own holiday calendars, and the schedules that follow them."""

import asyncio
import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import pytest

from dialer import audit_log, calendars, schedules
from dialer.calendars import MOST_DAYS, Calendar, Changed
from dialer.claims import ClaimRequest
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.holiday_calendars import check_calendar, named_holidays, public_holidays
from dialer.hours_format import to_json
from dialer.model import CampaignId, WaitReason
from dialer.plans import Plans
from dialer.ports import Database
from dialer.schedules import Answer
from tests.support.engine import NOW, SetClock, given_claimer
from tests.support.given import given_campaign

TODAY = date(2026, 1, 5)
EVE, CHRISTMAS = date(2026, 12, 24), date(2026, 12, 25)
NOON_OF_EVE = round(datetime.fromisoformat("2026-12-24T12:00:00+00:00").timestamp() * 1000)


async def given_calendar(database: Database, name: str = "LA PSC", *days: date) -> None:
    async with database.write() as tx:
        await calendars.create(tx, name, NOW)
        if days:
            await calendars.put(tx, name, dict.fromkeys(days, "Holiday"), NOW)


async def given_schedule(
    database: Database, *names: str, name: str = "Office", hours: str = "daily 09:00-17:00"
) -> None:
    schedule = schedules.read(zone="UTC", hours=hours, calendars=names)
    async with database.write() as tx:
        await schedules.create(tx, name, schedule, NOW)


async def put(database: Database, *days: date, name: str = "LA PSC", label: str = "Eve") -> Changed:
    async with database.write() as tx:
        return await calendars.put(tx, name, dict.fromkeys(days, label), NOW)


async def take_out(database: Database, *days: date, name: str = "LA PSC") -> Changed:
    async with database.write() as tx:
        return await calendars.take_out(tx, name, days, NOW)


async def find(database: Database, name: str = "LA PSC") -> Calendar:
    async with database.read() as tx:
        return await calendars.find(tx, name)


async def ask(database: Database, at: int, name: str = "Office") -> Answer:
    async with database.read() as tx:
        (answer,) = await schedules.ask(tx, name, [at], public_holidays)
    return answer


async def logged(database: Database) -> list[tuple[str, str, Any, Any]]:
    """The actions in the audit log, oldest first."""
    async with database.read() as tx:
        entries = await audit_log.listed(tx)
    return [
        (each.action, each.subject, json.loads(each.before), json.loads(each.after))
        for each in reversed(entries)
        if each.action.startswith("holidays.")
    ]


# -- days ------------------------------------------------------------------------------------------


async def test_a_calendar_keeps_its_days_in_order_with_their_labels(database: Database) -> None:
    await given_calendar(database)

    first = await put(database, CHRISTMAS, EVE)
    again = await put(database, EVE)
    renamed = await put(database, EVE, date(2027, 1, 1), label=" New  label ")
    found = await find(database)

    assert (first.added, first.renamed) == (2, 0)
    assert (again.added, again.renamed) == (0, 0)
    assert (renamed.added, renamed.renamed) == (1, 1)
    assert [*found.days.items()] == [
        (EVE, "New label"), (CHRISTMAS, "Eve"), (date(2027, 1, 1), "New label"),
    ]  # fmt: skip
    assert (found.first, found.last) == (EVE, date(2027, 1, 1))


async def test_days_are_taken_out(database: Database) -> None:
    await given_calendar(database, "LA PSC", EVE, CHRISTMAS)

    done = await take_out(database, EVE, TODAY)

    assert done.removed == {EVE: "Holiday"}
    assert [*(await find(database)).days] == [CHRISTMAS]
    with pytest.raises(NotFoundError, match="'LA PSC' has no day 2026-12-24"):
        await take_out(database, EVE)


async def test_a_calendar_has_an_end(database: Database) -> None:
    await given_calendar(database)
    ages = [date.fromordinal(TODAY.toordinal() + number) for number in range(MOST_DAYS + 1)]

    with pytest.raises(UsageError, match="would have 3,661 days, more than 3,660"):
        await put(database, *ages)

    assert (await find(database)).days == {}


async def test_a_bringing_in_makes_the_calendar_once(database: Database) -> None:
    for expected in (True, False):
        async with database.write() as tx:
            made, changed = await calendars.bring_in(tx, "la psc", {EVE: "Eve"}, NOW)
        assert (made, changed.added) == (expected, int(expected))


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("la  psc", "there is a calendar 'LA PSC' already"),
        (" ", "needs a name"),
        ("DE", "'DE' looks like the code of a country"),
        ("us-ca", "looks like the code"),
        ("PSC", "looks like the code"),
        ("US-2026-list", "looks like the code"),
        ("a\x1b[31m b", "not a name"),
        ("x" * 61, "at most 60 letters"),
    ],
)
async def test_a_name_that_may_not_be_is_refused(
    database: Database, name: str, message: str
) -> None:
    await given_calendar(database)

    async with database.write() as tx:
        with pytest.raises(UsageError, match=message):
            await calendars.create(tx, name, NOW)


async def test_a_calendar_is_found_in_either_case_or_with_the_closest(database: Database) -> None:
    await given_calendar(database, "LA PSC")

    assert (await find(database, "la psc")).name == "LA PSC"
    async with database.read() as tx:
        with pytest.raises(NotFoundError, match="no holiday calendar 'LA PCS'; did you mean 'LA P"):
            await calendars.find(tx, "LA PCS")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("LA PCS", "no holiday calendar 'LA PCS'; did you mean 'LA PSC'"),
        ("Bavaria", "no holiday calendar 'Bavaria'"),
        ("XX", "not a holiday calendar: 'XX'"),
        ("US-ZZ", "not a holiday calendar: 'US-ZZ'"),
    ],
)
async def test_an_unknown_calendar_is_told_apart_from_known_ones(
    database: Database, name: str, message: str
) -> None:
    await given_calendar(database)

    async with database.read() as tx:
        await calendars.check_known(tx, ["DE-BY", "la psc", "US-LA"], check_calendar)
        with pytest.raises((NotFoundError, UsageError), match=message):
            await calendars.check_known(tx, ["DE", name], check_calendar)


# -- schedules -------------------------------------------------------------------------------------


async def test_a_schedule_closes_on_the_days_of_its_own_calendars(database: Database) -> None:
    await given_calendar(database, "LA PSC", EVE)
    await given_calendar(database, "Company days", TODAY)

    await given_schedule(database, "la psc", "US-LA", "company days", "LA PSC")

    assert not (await ask(database, NOON_OF_EVE)).is_open
    assert not (await ask(database, NOW)).is_open
    async with database.read() as tx:
        schedule = schedules.schedule_of(await schedules.find(tx, "Office"))
        assert await calendars.users(tx) == {each: ["Office"] for each in schedule.calendars}
    assert schedule.calendars == ("LA PSC", "US-LA", "Company days")


async def test_an_edit_closes_and_opens_its_schedules_at_once_and_no_other(
    database: Database,
) -> None:
    await given_calendar(database)
    await given_schedule(database, "LA PSC")
    await given_schedule(database, "LA PSC", "US-LA", name="Second")
    await given_schedule(database, name="Without")
    before = [(await ask(database, NOON_OF_EVE, each)).is_open for each in ("Office", "Second")]

    closed = await put(database, EVE)

    names = ("Office", "Second", "Without")
    after = [(await ask(database, NOON_OF_EVE, each)).is_open for each in names]
    opened = await take_out(database, EVE)
    again = [(await ask(database, NOON_OF_EVE, each)).is_open for each in names]
    assert (before, after, again) == ([True, True], [False, False, True], [True, True, True])
    assert [*closed.schedules] == [*opened.schedules] == ["Office", "Second"]


async def test_a_label_alone_changes_no_schedule(database: Database) -> None:
    await given_calendar(database, "LA PSC", EVE)
    await given_schedule(database, "LA PSC")

    changed = await put(database, EVE, label="Christmas Eve")

    assert (changed.renamed, [*changed.schedules]) == (1, [])


async def test_an_exception_goes_before_an_own_calendar(database: Database) -> None:
    await given_calendar(database, "LA PSC", EVE)
    schedule = schedules.read(
        zone="UTC", hours="daily 09:00-17:00", calendars=["LA PSC"],
        exceptions=["2026-12-24 10:00-13:00"],
    )  # fmt: skip
    async with database.write() as tx:
        await schedules.create(tx, "Office", schedule, NOW)

    assert (await ask(database, NOON_OF_EVE)).is_open


async def test_a_calendar_in_use_is_not_removed(database: Database) -> None:
    await given_calendar(database, "LA PSC", EVE)
    await given_calendar(database, "Unused days", EVE)
    await given_schedule(database, "LA PSC")
    await given_schedule(database, "LA PSC", name="Second")

    async with database.write() as tx:
        with pytest.raises(WrongStateError, match="used by schedules 'Office', 'Second'"):
            await calendars.remove(tx, "LA PSC", NOW)
        await calendars.remove(tx, "unused days", NOW)

    async with database.read() as tx:
        assert [each.name for each in await calendars.listed(tx)] == ["LA PSC"]


async def test_a_schedule_that_cannot_be_read_stops_no_edit(database: Database) -> None:
    await given_calendar(database)
    await given_schedule(database, "LA PSC")
    async with database.write() as tx:
        await tx.value("add_schedule", name="Broken", body='{"calendars": ["LA PSC"]}', now=NOW)

    assert [*(await put(database, EVE)).schedules] == ["Office"]


# -- the engine ------------------------------------------------------------------------------------


async def given_campaign_of_calendar(database: Database, contacts: int = 1) -> CampaignId:
    """A campaign that is open now, as long as its own calendar, which is empty, has not today."""
    await given_calendar(database)
    schedule = schedules.read(zone="UTC", hours="daily 09:00-17:00", calendars=["LA PSC"])
    async with database.write() as tx:
        body = json.dumps(to_json(await calendars.filled(tx, schedule)))
    return await given_campaign(
        database, now=NOW, contacts=contacts, schedule_body=body, call_interval_s=0
    )


async def test_an_edit_stops_and_resumes_calling_at_once(database: Database) -> None:
    campaign = await given_campaign_of_calendar(database, contacts=2)
    daemon = await given_claimer(database, SetClock(NOW))

    first = await daemon.take(campaign, limit=1)
    await put(database, TODAY)
    why = await daemon.why_not(campaign)
    await take_out(database, TODAY)
    second = await daemon.take(campaign)

    assert (len(first), why, len(second)) == (1, WaitReason.OUTSIDE_HOURS, 1)


async def test_nobody_is_claimed_by_the_hours_from_before_an_edit(database: Database) -> None:
    campaign = await given_campaign_of_calendar(database)
    daemon = await given_claimer(database, SetClock(NOW))
    async with database.write() as tx:
        plan = await daemon.plans.of(tx, campaign)
    await put(database, TODAY)

    async with database.write() as tx:
        (result,) = await daemon.claims.claim(tx, [ClaimRequest(plan, 10)])

    assert plan.hours.is_open(NOW)
    assert ([*result.claims], result.stale) == ([], True)


async def test_the_engine_sees_an_edit_with_its_next_plan(database: Database) -> None:
    campaign = await given_campaign_of_calendar(database)
    await given_campaign(
        database, now=NOW, contacts=1, name="Other", first_contact=2, number_ids=[1]
    )
    plans = Plans(public_holidays)

    async def look() -> tuple[bool, int, list[int]]:
        async with database.write() as tx:
            plan = await plans.of(tx, campaign)
            revisions = [each.revision for each in await plans.active(tx)]
            return plan.hours.is_open(NOW), await tx.value("revision"), revisions

    before = await look()
    await put(database, TODAY)
    closed = await look()
    await take_out(database, TODAY)
    opened = await look()

    assert [each[0] for each in (before, closed, opened)] == [True, False, True]
    assert [each[1] - before[1] for each in (before, closed, opened)] == [0, 1, 2]
    ours, other = before[2]
    assert (closed[2], opened[2]) == ([ours + 1, other], [ours + 2, other])


# -- two at once -----------------------------------------------------------------------------------


async def test_edits_of_two_calendars_at_once_both_reach_their_schedule(
    database: Database,
) -> None:
    await given_calendar(database, "LA PSC")
    await given_calendar(database, "Company days")
    await given_schedule(database, "LA PSC", "Company days")

    await asyncio.gather(put(database, EVE), put(database, TODAY, name="Company days"))

    assert not (await ask(database, NOON_OF_EVE)).is_open
    assert not (await ask(database, NOW)).is_open


async def test_a_schedule_made_during_an_edit_misses_no_day(database: Database) -> None:
    await given_calendar(database)
    edited = asyncio.Event()

    async def edit() -> None:
        async with database.write() as tx:
            await calendars.put(tx, "LA PSC", {EVE: "Eve"}, NOW)
            edited.set()
            await asyncio.sleep(0.05)  # the other waits meanwhile, or would copy what was before

    async def make() -> None:
        await edited.wait()
        await given_schedule(database, "LA PSC")

    await asyncio.gather(edit(), make())

    assert not (await ask(database, NOON_OF_EVE)).is_open


# -- months ----------------------------------------------------------------------------------------


async def test_a_month_has_own_and_public_holidays_by_name(database: Database) -> None:
    await given_calendar(database, "LA PSC", EVE)
    await given_schedule(database, "LA PSC", "US-LA")

    async with database.read() as tx:
        row, month = await schedules.month(
            tx, "Office", (2026, 12), NOW, public_holidays, named_holidays
        )
        names, own = await calendars.month(tx, [], 2026, 12, named_holidays)
        _, this = await schedules.month(tx, "Office", None, NOW, public_holidays, named_holidays)

    assert row["name"] == "Office"
    assert [(day.date, [h.name for h in day.holidays]) for day in month.days if day.holidays] == [
        (EVE, ["Holiday"]), (CHRISTMAS, ["Christmas Day"]),
    ]  # fmt: skip
    assert ([*names], [day.date for day in own.days if day.holidays]) == (["LA PSC"], [EVE])
    assert this.days[0].date == date(2026, 1, 1)


# -- the audit log ---------------------------------------------------------------------------------


def said(days: Iterable[date], label: str) -> dict[str, str]:
    return {str(day): label for day in days}


async def test_every_change_is_in_the_audit_log(database: Database) -> None:
    await given_calendar(database)
    await given_schedule(database, "LA PSC")
    await put(database, EVE)
    await put(database, EVE)  # changes nothing
    await put(database, EVE, CHRISTMAS, label="Closed")
    await take_out(database, EVE)
    async with database.write() as tx:
        await calendars.bring_in(tx, "Spare days", {EVE: "Eve"}, NOW)
        await calendars.remove(tx, "Spare days", NOW)

    office = {"schedules": ["Office"]}
    assert await logged(database) == [
        ("holidays.create", "LA PSC", None, None),
        ("holidays.add", "LA PSC", {"days": {}}, {"days": said([EVE], "Eve"), **office}),
        (
            "holidays.add", "LA PSC", {"days": said([EVE], "Eve")},
            {"days": said([EVE, CHRISTMAS], "Closed"), **office},
        ),
        ("holidays.remove", "LA PSC", {"days": said([EVE], "Closed")}, {"days": {}, **office}),
        ("holidays.create", "Spare days", None, None),
        ("holidays.import", "Spare days", {"days": {}}, {"days": said([EVE], "Eve")}),
        ("holidays.remove", "Spare days", {"days": said([EVE], "Eve")}, None),
    ]  # fmt: skip
