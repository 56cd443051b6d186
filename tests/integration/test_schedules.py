"""Business hours as operators make them and ask about them."""

from datetime import datetime

import pytest

from dialer import schedules
from dialer.errors import NotFoundError, UsageError
from dialer.holiday_calendars import public_holidays
from dialer.hours import Schedule
from dialer.ports import Database
from dialer.schedules import Answer
from tests.support.engine import NOW

HOURS = "mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00"


def office(**fields: object) -> Schedule:
    given = {"zone": "Europe/Berlin", "hours": HOURS} | fields
    return schedules.read(**given)  # type: ignore[arg-type]  # a test names what it is about


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


async def create(database: Database, schedule: Schedule, name: str = "Office") -> int:
    async with database.write() as tx:
        return await schedules.create(tx, name, schedule, NOW)


async def ask(database: Database, *instants: str) -> list[Answer]:
    async with database.read() as tx:
        return await schedules.ask(tx, "Office", [at(text) for text in instants], public_holidays)


async def test_a_schedule_is_stored_as_it_was_written(database: Database) -> None:
    schedule = office(
        closed=["2026-12-24"],
        exceptions=["2026-12-31 09:00-12:00", "2026-12-30 closed"],
        calendars=["DE-BY"],
    )

    schedule_id = await create(database, schedule)

    async with database.read() as tx:
        row = await schedules.find(tx, "Office")
        assert [each["name"] for each in await schedules.listed(tx)] == ["Office"]
    assert row["id"] == schedule_id
    assert schedules.schedule_of(row) == schedule


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hours": "mon-fri 9-5pm"}, "not a time of day: '5pm'"),
        ({"zone": "Berlin"}, "not a time zone: 'Berlin' .*did you mean 'Europe/Berlin'"),
        ({"closed": ["24.12.2026"]}, r"holidays: not a date: '24\.12\.2026'"),
        ({"exceptions": ["2026-12-31"]}, "not a date and its hours: '2026-12-31'"),
        ({"exceptions": ["31/12 09:00-12:00"]}, "exceptions: not a date: '31/12'"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_where(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        office(**fields)


async def test_a_name_is_given_once(database: Database) -> None:
    await create(database, office())

    with pytest.raises(UsageError, match="a schedule 'Office' already"):
        await create(database, office())
    with pytest.raises(UsageError, match="needs a name"):
        await create(database, office(), " ")


async def test_a_schedule_that_is_not_there_is_told_with_the_closest(database: Database) -> None:
    await create(database, office())

    async with database.read() as tx:
        with pytest.raises(NotFoundError, match="no schedule 'Ofice'; did you mean 'Office'"):
            await schedules.find(tx, "Ofice")


async def test_a_schedule_tells_when_it_opens_and_closes(database: Database) -> None:
    await create(
        database,
        office(closed=["2026-12-24"], exceptions=["2026-12-31 09:00-12:00"], calendars=["DE-BY"]),
    )

    open_, lunch, eve, new_year = await ask(
        database,
        "2026-12-23T10:00:00+01:00",
        "2026-12-23T12:30:00+01:00",
        "2026-12-23T18:00:00+01:00",
        "2026-12-31T12:00:00+01:00",
    )

    assert open_ == Answer(
        at("2026-12-23T10:00:00+01:00"), True, open_.at, at("2026-12-23T12:00+01")
    )
    assert (lunch.is_open, lunch.open_until_at) == (False, None)
    assert lunch.next_open_at == at("2026-12-23T13:00:00+01:00")
    assert eve.next_open_at == at("2026-12-28T09:00:00+01:00")  # closed, holiday, holiday, Sunday
    assert new_year.next_open_at == at("2027-01-02T10:00:00+01:00")


async def test_what_never_changes_has_no_time(database: Database) -> None:
    await create(database, office(hours="daily 00:00-24:00"))
    (always,) = await ask(database, "2026-12-23T10:00:00Z")
    async with database.write() as tx:
        await schedules.create(tx, "Never", office(hours="closed"), NOW)
        (never,) = await schedules.ask(tx, "Never", [NOW], public_holidays)

    assert (always.is_open, always.open_until_at) == (True, None)
    assert (never.is_open, never.next_open_at, never.open_until_at) == (False, None, None)


def test_what_an_operator_may_not_have_meant_is_remarked() -> None:
    twice = office(
        hours="mon 09:00-12:00,11:00-13:00; tue 22:00-02:00,23:00-01:00",
        closed=["2026-12-24"],
        exceptions=["2026-12-24 09:00-12:00"],
    )

    assert schedules.remarks(twice) == [
        "mon: 09:00-12:00 and 11:00-13:00 overlap; they count as one",
        "tue: 22:00-02:00 and 23:00-01:00 overlap; they count as one",
        "2026-12-24 is closed, and has hours as an exception: the exception counts",
    ]
    assert schedules.remarks(office()) == []


async def test_a_name_that_could_be_an_id_is_refused(database: Database) -> None:
    with pytest.raises(UsageError, match="'5' would be taken for an id"):
        await create(database, office(), "5")
