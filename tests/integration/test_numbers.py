"""Caller ids as operators handle them."""

import pytest

from dialer import numbers
from dialer.errors import NotFoundError, UsageError
from dialer.numbers import Band, NewNumber, NumberReport, band_of
from dialer.ports import Database, OwnedNumber, Row
from rotation.caller import Ineligible
from tests.support.engine import NOW, rows
from tests.support.given import given_campaign, write

PHONE = "+12025550123"


async def add(database: Database, phone: str = PHONE, **fields: object) -> tuple[int, str]:
    async with database.write() as tx:
        new = NewNumber(phone, **fields)  # type: ignore[arg-type]  # a test names what it is about
        return await numbers.add(tx, new, NOW, region="US", default_zone="Europe/Berlin")


async def reports(database: Database, now: int = NOW) -> list[NumberReport]:
    async with database.read() as tx:
        return await numbers.reports(tx, now)


async def only(database: Database) -> Row:
    (report,) = await reports(database)
    return report.row


# -- adding ---------------------------------------------------------------------------------------


async def test_a_number_is_kept_as_the_carrier_writes_it(database: Database) -> None:
    number_id, phone = await add(database, "(202) 555-0123", name="Main", max_live=3)

    row = await only(database)
    assert (row["id"], row["phone"], phone) == (number_id, PHONE, PHONE)
    assert (row["name"], row["max_live"], row["spam_score"]) == ("Main", 3, None)


@pytest.mark.parametrize(
    ("phone", "given", "zone"),
    [
        (PHONE, None, "America/New_York"),
        (PHONE, "America/Chicago", "America/Chicago"),
        ("+18885550123", None, "Europe/Berlin"),  # toll-free: it may be anywhere
    ],
)
async def test_a_number_lives_in_the_zone_given_its_own_or_the_deployments(
    database: Database, phone: str, given: str | None, zone: str
) -> None:
    await add(database, phone, zone=given)

    assert (await only(database))["zone"] == zone


@pytest.mark.parametrize(
    ("phone", "fields", "message"),
    [
        ("12", {}, "'12' is not a phone number"),
        (PHONE, {"zone": "Moon/Base"}, "not a time zone: 'Moon/Base'"),
        (PHONE, {"max_live": 0}, "max live: 0 is not 1 or more"),
        (PHONE, {"score": 10.5}, r"score: 10\.5 is not between 0 and 10"),
    ],
)
async def test_a_number_that_cannot_be_is_refused(
    database: Database, phone: str, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        await add(database, phone, **fields)

    assert await reports(database) == []


async def test_a_number_is_added_once(database: Database) -> None:
    await add(database)

    with pytest.raises(UsageError, match=r"there is a number \+12025550123 already"):
        await add(database, "202-555-0123")


# -- finding --------------------------------------------------------------------------------------


async def test_a_number_is_found_however_it_is_written(database: Database) -> None:
    number_id, _ = await add(database)

    async with database.read() as tx:
        found = [
            (await numbers.find(tx, text, "US"))["id"]
            for text in (PHONE, " +1 (202) 555-0123 ", "202-555-0123")
        ]
        weighted = [await numbers.find_weighted(tx, text) for text in (PHONE, f"{PHONE}=7")]

    assert found == [number_id] * 3
    assert weighted == [(number_id, 1), (number_id, 7)]


async def test_a_number_that_is_not_there_is_told_with_the_closest(database: Database) -> None:
    await add(database)

    async with database.read() as tx:
        with pytest.raises(NotFoundError, match=r"no number '\+12025550132'; did you mean"):
            await numbers.find(tx, "+12025550132")
        with pytest.raises(UsageError, match="the weight 'much' is not a whole number"):
            await numbers.find_weighted(tx, f"{PHONE}=much")


# -- switching and scoring ------------------------------------------------------------------------


async def test_what_changes_a_number_is_told_to_its_campaigns(database: Database) -> None:
    number_id, _ = await add(database)
    await given_campaign(database, now=NOW, number_ids=[number_id], start=False)
    await given_campaign(database, now=NOW, name="Other", numbers=0, number_ids=[
        (await add(database, "+12025550124"))[0]
    ], start=False)  # fmt: skip

    async def revisions() -> list[int]:
        plans = await rows(database, "SELECT revision FROM campaigns ORDER BY id")
        control = await rows(database, "SELECT revision FROM control")
        return [revision for (revision,) in [*plans, *control]]

    before = await revisions()
    async with database.write() as tx:
        await numbers.disable(tx, PHONE, "US", NOW)
    disabled = await revisions()
    async with database.write() as tx:
        await numbers.score(tx, PHONE, 8, "US", NOW)
        await numbers.enable(tx, PHONE, "US", NOW)

    assert disabled == [before[0] + 1, before[1], before[2] + 1]
    assert await revisions() == [before[0] + 3, before[1], before[2] + 3]


async def test_a_number_is_switched_off_and_on(database: Database) -> None:
    await add(database)

    for later in (0, 5):  # the second time changes nothing
        async with database.write() as tx:
            await numbers.disable(tx, PHONE, "US", NOW + later)
    (off,) = await reports(database)
    async with database.write() as tx:
        await numbers.enable(tx, PHONE, "US", NOW)
    (on,) = await reports(database)

    assert (off.active, off.row["disabled_at"]) == (False, NOW)
    assert (on.active, on.row["disabled_at"]) == (True, None)


async def test_a_score_says_where_it_is_from(database: Database) -> None:
    await add(database, score=2)
    async with database.write() as tx:
        await numbers.score(tx, PHONE, 6.5, "US", NOW + 1)

    (report,) = await reports(database)
    assert (report.row["spam_score"], report.band) == (6.5, Band.YELLOW)
    assert (report.row["spam_source"], report.row["spam_scored_at"]) == ("manual", NOW + 1)


@pytest.mark.parametrize(
    ("score", "band"),
    [(0, "green"), (4, "green"), (4.9, "green"), (5, "yellow"), (6, "yellow"), (7, "red"),
     (10, "red")],
)  # fmt: skip
def test_a_score_has_its_colour(score: float, band: str) -> None:
    assert band_of(score) == band


# -- looking --------------------------------------------------------------------------------------


async def test_calls_today_are_those_of_the_numbers_own_day(database: Database) -> None:
    eastern, _ = await add(database)
    asian, _ = await add(database, "+81312345678")
    at = 1_772_499_600_000  # 2026-03-03 01:00 UTC: the 2nd in New York, the 3rd in Tokyo
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO number_days (number_id, day, calls) VALUES (?1, ?2, ?3)",
            [
                (number, day, calls)
                for number in (eastern, asian)
                for day, calls in (("2026-03-01", 100), ("2026-03-02", 20), ("2026-03-03", 3))
            ],
        )

    assert [report.calls_today for report in await reports(database, at)] == [20, 3]


# -- the carrier's numbers ------------------------------------------------------------------------


async def test_a_sync_adds_what_is_missing_and_nothing_twice(database: Database) -> None:
    await add(database, name="Mine")
    owned = [OwnedNumber(PHONE, "Theirs"), OwnedNumber("+18885550123", "Free")] * 2

    added = []
    for _ in range(2):
        async with database.write() as tx:
            added.append(await numbers.sync(tx, owned, NOW, default_zone="Europe/Berlin"))

    assert added == [["+18885550123"], []]
    assert [(each.row["name"], each.row["zone"]) for each in await reports(database)] == [
        ("Mine", "America/New_York"),
        ("Free", "Europe/Berlin"),
    ]


# -- what keeps a number from a call --------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE numbers SET max_live = 1", Ineligible.BUSY),
        ("UPDATE numbers SET max_live = 2", None),
        ("UPDATE numbers SET spam_score = 7", Ineligible.EXCLUDED),
        ("UPDATE numbers SET disabled_at = 1", Ineligible.DISABLED),
    ],
)
async def test_what_keeps_a_number_from_a_call_is_what_rotation_says(
    database: Database, change: str, reason: Ineligible | None
) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (1, 'd', 0, ?1)",
            [(NOW,)],
        )
        await write(
            tx,
            "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state,"
            " day, intent_at, send_at, check_at)"
            " VALUES ('a1', 1, 1, 1, 1, '+12025550101', 'placed', '2026-01-05', ?1, ?1, ?1)",
            [(NOW,)],
        )
        await write(tx, change, [()])
        (phone,) = [row["phone"] for row in await tx.rows("number_phones")]
        found = await numbers.dossier(tx, phone, "US", NOW)

    assert numbers.unusable(found, found.campaigns[0]) is reason
