"""Where callees are and what they have had: windows, queues and caps in the claim."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from dialer import rule_book
from dialer.claims import ClaimRequest
from dialer.model import CampaignId, Claim, WaitReason
from dialer.people import contacts
from dialer.people.person import Person, Priority
from dialer.ports import Database
from dialer.store.opening import AnyDatabase
from tests.support.engine import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    TIMES,
    Claimer,
    SetClock,
    assert_sound,
    given_claimer,
    rows,
)
from tests.support.given import given_campaign, given_numbers, write

#: Monday 10:00 in New York, 9:00 in Chicago, 7:00 in Los Angeles.
assert datetime.fromtimestamp(NOW / 1000, UTC).hour == 15

NEW_YORK, CHICAGO, LOS_ANGELES = "+12125550101", "+13125550101", "+13105559101"
TOLL_FREE = "+18005550101"


async def given_people(
    database: Database, *people: Person | str, rules: str | None = None, **fields: Any
) -> CampaignId:
    """A campaign with these people as members, under the rules as they are delivered."""
    free = {"call_interval_s": 0, "max_concurrent": 1000, "max_calls_per_day": 1000}
    campaign = await given_campaign(
        database, now=NOW, rules=rules, start=False, contacts=0, **(free | fields)
    )
    known = [Person(each) if isinstance(each, str) else each for each in people]
    async with database.write() as tx:
        await contacts.put(tx, known, NOW)
        await contacts.enrol(tx, known, contacts.Enrolment(campaign), NOW)
        await write(tx, "UPDATE campaigns SET status = 'active' WHERE id = ?1", [(campaign,)])
    return campaign


async def over(database: Database, claims: Sequence[Claim]) -> None:
    """These calls came about and are over; their members wait for a retry, due at once."""
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE attempts SET state = 'ended', sid = id, outcome = 'no_answer',"
            " closed_at = send_at WHERE id = ?1",
            [(claim.attempt_id,) for claim in claims],
        )
        await write(
            tx,
            "UPDATE members SET state = 'retry', attempts = attempts + 1, next_at = 0"
            " WHERE id = ?1",
            [(claim.member_id,) for claim in claims],
        )


def called(claims: Sequence[Claim]) -> list[str]:
    return [claim.to for claim in claims]


SERIES = count(1)


async def at(database: AnyDatabase, instant: int) -> Claimer:
    return await given_claimer(database, SetClock(instant), series=next(SERIES) % 60_000)


# -- windows --------------------------------------------------------------------------------------


async def test_people_are_called_when_it_is_open_where_they_are(database: AnyDatabase) -> None:
    campaign = await given_people(database, LOS_ANGELES, NEW_YORK, CHICAGO)
    daemon = await at(database, NOW)

    assert called(await daemon.take(campaign)) == [NEW_YORK, CHICAGO]

    (result,) = await daemon.claim(campaign)
    assert result.wait is not None
    eight_in_california = NOW + HOUR
    assert (result.wait.reason, result.wait.until_at) == (
        WaitReason.CALLEE_HOURS,
        eight_in_california,
    )
    daemon = await at(database, eight_in_california)
    assert called(await daemon.take(campaign)) == [LOS_ANGELES]
    await assert_sound(database)


async def test_an_own_zone_counts_instead_of_the_numbers(database: AnyDatabase) -> None:
    moved = Person(LOS_ANGELES, zone="America/New_York")
    campaign = await given_people(database, moved)

    assert called(await (await at(database, NOW)).take(campaign)) == [LOS_ANGELES]


async def test_whoever_may_be_in_two_zones_is_called_when_both_are_open(
    database: AnyDatabase,
) -> None:
    bowling_green_or_louisville = "+12705550101"
    campaign = await given_people(database, bowling_green_or_louisville)
    # Kentucky does not open before ten, and ten in Chicago is eleven in New York.
    assert await (await at(database, NOW)).why_not(campaign) is WaitReason.CALLEE_HOURS

    assert len(await (await at(database, NOW + HOUR)).take(campaign)) == 1


async def test_nobody_is_called_of_whom_no_zone_is_known(database: AnyDatabase) -> None:
    campaign = await given_people(database, TOLL_FREE)

    (result,) = await (await at(database, NOW)).claim(campaign)

    assert result.wait is not None
    assert (result.wait.reason, result.wait.until_at) == (WaitReason.ZONE_UNKNOWN, None)
    assert not result.finished


async def test_a_zone_that_is_told_later_opens_the_window(database: AnyDatabase) -> None:
    campaign = await given_people(database, TOLL_FREE)
    async with database.write() as tx:
        await contacts.put(tx, [Person(TOLL_FREE, zone="America/New_York")], NOW)

    assert called(await (await at(database, NOW)).take(campaign)) == [TOLL_FREE]


async def test_a_call_is_void_before_the_window_of_the_callee_closes(database: AnyDatabase) -> None:
    campaign = await given_people(database, NEW_YORK, ring_timeout_s=20)
    nine_in_the_evening = NOW + 11 * HOUR
    last_chance = nine_in_the_evening - 35 * SECOND  # ring timeout or accept bound, and the guard

    daemon = await at(database, last_chance - 1 * SECOND)
    (claim,) = await daemon.take(campaign)

    assert claim.void_at == last_chance


async def test_it_is_too_late_where_a_call_would_ring_after_closing(database: AnyDatabase) -> None:
    campaign = await given_people(database, NEW_YORK)
    nine_in_the_evening = NOW + 11 * HOUR

    (result,) = await (await at(database, nine_in_the_evening - 30 * SECOND)).claim(campaign)

    assert result.wait is not None
    assert (result.wait.reason, result.wait.until_at) == (
        WaitReason.CALLEE_HOURS,
        NOW + DAY - 2 * HOUR,  # eight in the morning
    )


async def test_a_rule_that_changes_counts_from_the_next_claim_on(database: AnyDatabase) -> None:
    campaign = await given_people(database, LOS_ANGELES, NEW_YORK)
    daemon = await at(database, NOW)
    async with database.read() as tx:
        plan = await daemon.plans.of(tx, campaign)
    async with database.write() as tx:
        await rule_book.switch_off(tx, "US", "a test", NOW)
        await rule_book.add_own(
            tx,
            rule_book.read_own(region_code="US-NY", check_calendar=lambda code: None, closed=True),
            NOW,
        )
    async with database.write() as tx:
        (result,) = await daemon.claims.claim(tx, [ClaimRequest(plan, 10)])
    assert result.stale

    assert called(await daemon.take(campaign)) == [LOS_ANGELES]


async def test_an_attempt_keeps_where_and_when_it_was_by_the_callees_clock(
    database: AnyDatabase,
) -> None:
    campaign = await given_people(database, NEW_YORK)
    async with database.write() as tx:
        rule_set_id = await rule_book.stamped(tx, NOW)

    await (await at(database, NOW)).take(campaign)

    kept = await rows(
        database, "SELECT window_key, local_weekday, local_hour, rule_set_id FROM attempts"
    )
    assert kept == [("US-NY America/New_York", 0, 10, rule_set_id)]


# -- queues ---------------------------------------------------------------------------------------


async def test_those_whose_window_closes_soonest_go_first_and_nobody_starves(
    database: AnyDatabase,
) -> None:
    late = [f"+1310555{n:04d}" for n in range(9101, 9121)]  # California closes last
    early = [f"+1212555{n:04d}" for n in range(101, 121)]
    campaign = await given_people(database, *late, *early)
    daemon = await at(database, NOW + 2 * HOUR)

    order = [called(await daemon.take(campaign, limit=1))[0] for _ in range(16)]

    from_new_york = [phone.startswith("+1212") for phone in order]
    assert from_new_york == [True, True, True, False] * 4


async def test_priority_comes_before_the_window(database: AnyDatabase) -> None:
    urgent = Person(LOS_ANGELES, priority=Priority.HIGH)
    campaign = await given_people(database, NEW_YORK, urgent)
    daemon = await at(database, NOW + 2 * HOUR)

    assert called(await daemon.take(campaign, limit=1)) == [LOS_ANGELES]


# -- caps -----------------------------------------------------------------------------------------


async def test_a_callee_is_not_called_more_often_than_allowed_in_any_24_hours(
    database: AnyDatabase,
) -> None:
    campaign = await given_people(database, NEW_YORK, callee_calls_per_day=2)
    for hours in (0, 3):
        daemon = await at(database, NOW + hours * HOUR)
        await over(database, await daemon.take(campaign))

    daemon = await at(database, NOW + 5 * HOUR)
    assert await daemon.take(campaign) == []

    (member,) = await rows(database, "SELECT state, next_at, reason FROM members")
    # The first call may have come about as late as this.
    free_at = NOW + DAY + TIMES.late_ms
    assert member == ("retry", free_at, "callee_cap")
    assert await (await at(database, free_at - 1)).why_not(campaign) is WaitReason.RETRY_NOT_DUE
    assert len(await (await at(database, free_at)).take(campaign)) == 1
    await assert_sound(database)


async def test_calls_of_all_campaigns_count(database: AnyDatabase) -> None:
    first = await given_people(database, NEW_YORK, callee_calls_per_day=1)
    async with database.write() as tx:
        (number,) = await given_numbers(tx, 1, first_id=7)
    second = await given_people(
        database, NEW_YORK, name="Survey", number_ids=[number], callee_calls_per_day=1
    )
    daemon = await at(database, NOW)

    (results, others) = await daemon.claim(first, second)
    await over(database, results.claims)

    assert (len(results.claims), len(others.claims)) == (1, 0)
    assert await daemon.take(second) == []
    reasons = await rows(database, "SELECT campaign_id, reason FROM members ORDER BY campaign_id")
    assert reasons == [(first, None), (second, "callee_cap")]


async def test_a_week_counts_too(database: AnyDatabase) -> None:
    campaign = await given_people(
        database, NEW_YORK, callee_calls_per_day=3, callee_calls_per_week=4
    )
    days = [NOW + day * DAY + hour * HOUR for day in range(3) for hour in (0, 2)]
    made = []
    for instant in days:
        claims = await (await at(database, instant)).take(campaign)
        await over(database, claims)
        made += [instant] * len(claims)

    assert made == days[:4]
    ((next_at,),) = await rows(database, "SELECT next_at FROM members")
    assert next_at == days[0] + 7 * DAY + TIMES.late_ms


async def test_the_caps_of_a_region_count_beside_the_campaigns(database: AnyDatabase) -> None:
    orlando = "+14075550101"
    campaign = await given_people(
        database, orlando, callee_calls_per_day=50, callee_calls_per_week=50
    )
    made = 0
    for minutes in range(0, 60, 10):
        claims = await (await at(database, NOW + minutes * MINUTE)).take(campaign)
        await over(database, claims)
        made += len(claims)

    assert made == 3  # in any 24 hours, by Florida's rule


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"state": "released"}, False),
        ({"state": "not_placed"}, False),
        ({"state": "ended", "outcome": "invalid_number"}, False),  # refused: never a call
        ({"state": "ended", "sid": "CA1", "outcome": "busy"}, True),
        ({"state": "unknown"}, True),
        ({"state": "intent"}, True),
    ],
)
async def test_what_was_placed_or_may_have_been_counts(
    database: AnyDatabase, fields: Mapping[str, str], counts: bool
) -> None:
    campaign = await given_people(database, NEW_YORK, callee_calls_per_day=1)
    daemon = await at(database, NOW)
    (claim,) = await daemon.take(campaign)
    await over(database, [claim])
    async with database.write() as tx:
        await write(tx, "UPDATE attempts SET sid = NULL, outcome = NULL", [()])
        for column, value in fields.items():
            await write(tx, f"UPDATE attempts SET {column} = ?1", [(value,)])

    taken = await (await at(database, NOW + HOUR)).take(campaign)

    assert (taken == []) == counts


async def test_caps_that_end_at_night_put_off_until_morning(database: AnyDatabase) -> None:
    campaign = await given_people(database, NEW_YORK, callee_calls_per_day=1)
    evening = NOW + 10 * HOUR + 59 * MINUTE  # 20:59 in New York
    await over(database, await (await at(database, evening)).take(campaign))

    assert await (await at(database, evening + 15 * HOUR)).take(campaign) == []

    ((next_at,),) = await rows(database, "SELECT next_at FROM members")
    assert next_at == NOW + 46 * HOUR  # 8:00 on Wednesday


async def test_a_cap_that_is_taken_back_lets_those_go_who_were_put_off(
    database: AnyDatabase,
) -> None:
    campaign = await given_people(database, NEW_YORK)
    once_a_month = rule_book.read_own(
        region_code="US-NY", check_calendar=lambda code: None, caps=["1/30d"]
    )
    async with database.write() as tx:
        rule = await rule_book.add_own(tx, once_a_month, NOW)
    await over(database, await (await at(database, NOW)).take(campaign))
    assert await (await at(database, NOW + HOUR)).take(campaign) == []

    async with database.write() as tx:
        await rule_book.remove_own(tx, rule.id, NOW + 2 * HOUR)

    assert len(await (await at(database, NOW + 2 * HOUR)).take(campaign)) == 1


async def test_behind_many_who_have_had_their_calls_others_are_found_at_once(
    database: AnyDatabase,
) -> None:
    had_theirs = [f"+1212555{n:04d}" for n in range(101, 131)]
    campaign = await given_people(database, *had_theirs, callee_calls_per_day=1)
    await over(database, await (await at(database, NOW)).take(campaign))
    async with database.write() as tx:
        await contacts.put(tx, [Person(CHICAGO)], NOW)
        await contacts.enrol(tx, [Person(CHICAGO)], contacts.Enrolment(campaign), NOW)

    assert called(await (await at(database, NOW + HOUR)).take(campaign, limit=1)) == [CHICAGO]


# -- what changes while a call is on its way -------------------------------------------------------


async def sendable(database: AnyDatabase, claim: Claim, owner: int) -> bool:
    async with database.read() as tx:
        ids = json.dumps([claim.attempt_id])
        return bool(await tx.rows("sendable", ids=ids, owner=owner))


async def test_the_last_look_sees_a_rule_that_was_made_since_the_claim(
    database: AnyDatabase,
) -> None:
    campaign = await given_people(database, NEW_YORK)
    daemon = await at(database, NOW)
    (claim,) = await daemon.take(campaign)
    assert await sendable(database, claim, daemon.owner)
    stop = rule_book.read_own(region_code="US-NY", check_calendar=lambda code: None, closed=True)

    async with database.write() as tx:
        await rule_book.add_own(tx, stop, NOW)

    assert not await sendable(database, claim, daemon.owner)


async def test_the_last_look_sees_that_somebody_is_somewhere_else(database: AnyDatabase) -> None:
    campaign = await given_people(database, NEW_YORK)
    daemon = await at(database, NOW)
    (claim,) = await daemon.take(campaign)

    async with database.write() as tx:
        await contacts.put(tx, [Person(NEW_YORK, zone="Pacific/Auckland")], NOW)

    assert not await sendable(database, claim, daemon.owner)
