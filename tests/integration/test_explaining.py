"""Why somebody is called or not: what is shown is what a claim decides."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer import do_not_call, rule_book
from dialer.errors import UsageError
from dialer.explaining import Explainer, Explanation, Moment, Question, Verdict
from dialer.holiday_calendars import public_holidays
from dialer.model import FailReason, WaitReason
from dialer.people.person import Person
from dialer.plans import Plans
from dialer.ports import Database
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
from tests.support.engine import DAY, HOUR, MINUTE, NOW, SECOND, TIMES, UNLIMITED, rows
from tests.support.given import write


async def explained(database: Database, instant: int = NOW, contact: int = 1) -> Explanation:
    explainer = Explainer(Plans(public_holidays), UNLIMITED, TIMES)
    async with database.read() as tx:
        (found,) = await explainer.of_contact(tx, contact, Moment(instant, live=True))
    return found


def held(explanation: Explanation) -> dict[Question, Any]:
    return {check.question: check.reason for check in explanation.checks if not check.passed}


async def test_every_question_is_answered_of_somebody_who_may_be_called(
    database: AnyDatabase,
) -> None:
    await given_people(database, NEW_YORK)

    found = await explained(database)

    assert found.verdict is Verdict.NOW
    assert found.next_at == NOW
    assert [check.question for check in found.checks] == list(Question)
    by_question = {check.question: check.inputs for check in found.checks}
    assert by_question[Question.ZONE] == {
        "regions": ["US-NY"],
        "local time": {"America/New_York": "Mon 05 Jan 2026 10:00"},
    }
    assert by_question[Question.WINDOW]["rules"] == {
        "US": "daily 08:00-21:00",
        "US-NY": "daily 08:00-21:00",
    }
    assert by_question[Question.NUMBER]["numbers"] == "1 of 1 usable"
    assert by_question[Question.WINDOW]["open until"] == "2026-01-06T02:00:00Z"
    assert by_question[Question.CAPS] == {"in 24 hours": "0 of 3", "in 7 days": "0 of 7"}


async def test_the_next_moment_is_when_it_opens_where_the_callee_is(database: AnyDatabase) -> None:
    await given_people(database, LOS_ANGELES)

    found = await explained(database)

    assert held(found) == {Question.WINDOW: WaitReason.CALLEE_HOURS}
    assert found.verdict is Verdict.LATER
    assert found.next_at == NOW + HOUR


async def test_all_that_holds_a_call_back_is_told_and_when_none_of_it_does(
    database: AnyDatabase,
) -> None:
    campaign = await given_people(database, LOS_ANGELES, callee_calls_per_day=1)
    await over(database, await (await at(database, NOW + 2 * HOUR)).take(campaign))
    async with database.write() as tx:
        await write(tx, "UPDATE campaigns SET status = 'paused'", [()])
        await write(tx, "UPDATE members SET next_at = ?1", [(NOW + 5 * HOUR,)])

    found = await explained(database, NOW + 3 * HOUR)

    assert held(found) == {
        Question.STATUS: WaitReason.PAUSED,
        Question.DUE: WaitReason.RETRY_NOT_DUE,
        Question.CAPS: WaitReason.CALLEE_CAP,
    }
    assert found.next_at == NOW + 2 * HOUR + DAY + TIMES.late_ms
    (status,) = [check for check in found.checks if check.question is Question.STATUS]
    assert status.cure == "dialer campaign resume 'Renewals'"


async def test_whoever_asked_not_to_be_called_never_is(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK)
    async with database.write() as tx:
        await do_not_call.add(tx, [NEW_YORK], NOW)

    found = await explained(database)

    assert found.verdict is Verdict.NEVER
    assert held(found)[Question.DO_NOT_CALL] is FailReason.DO_NOT_CALL
    assert found.next_at is None


async def test_a_closed_schedule_is_not_blamed_on_the_law(database: AnyDatabase) -> None:
    evening = '{"zone": "UTC", "weekly": {"mon": ["20:00-23:00"]}}'
    await given_people(database, NEW_YORK, schedule_body=evening)

    found = await explained(database)

    assert held(found) == {Question.HOURS: WaitReason.OUTSIDE_HOURS}
    assert found.next_at == NOW + 5 * HOUR


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("completed", Verdict.NEVER),
        ("no_conversation", Verdict.NEVER),
        ("dialing", Verdict.LATER),
        ("called", Verdict.LATER),
    ],
)
async def test_of_whoever_is_done_or_in_a_call_no_next_moment_is_told(
    database: AnyDatabase, state: str, verdict: Verdict
) -> None:
    await given_people(database, NEW_YORK)
    async with database.write() as tx:
        await write(tx, "UPDATE members SET state = ?1", [(state,)])

    found = await explained(database)

    assert (found.verdict, found.next_at) == (verdict, None)


async def test_nothing_is_explained_by_rules_that_cannot_be_read(database: AnyDatabase) -> None:
    await given_people(database, NEW_YORK, rules="nonsense")

    with pytest.raises(UsageError, match="rule set 1"):
        await explained(database)


async def test_a_call_of_an_earlier_release_is_not_held_against_rules_of_today(
    database: AnyDatabase,
) -> None:
    campaign = await given_people(database, NEW_YORK)
    (claim,) = await (await at(database, NOW)).take(campaign)
    async with database.write() as tx:
        await write(tx, "UPDATE attempts SET local_hour = NULL, window_key = ''", [()])
    explainer = Explainer(Plans(public_holidays), UNLIMITED, TIMES)

    async with database.read() as tx:
        made = await explainer.of_attempt(tx, claim.attempt_id)

    (window,) = [check for check in made.checks if check.question is Question.WINDOW]
    assert window.passed
    assert "before places and rules were kept" in window.inputs["kept"]


async def test_an_unknown_zone_is_nothing_that_passes(database: AnyDatabase) -> None:
    await given_people(database, TOLL_FREE)

    found = await explained(database)

    assert held(found) == {Question.ZONE: WaitReason.ZONE_UNKNOWN}
    assert (found.verdict, found.next_at) == (Verdict.LATER, None)


async def test_a_call_that_was_made_is_explained_by_the_rules_of_its_time(
    database: AnyDatabase,
) -> None:
    campaign = await given_people(database, NEW_YORK)
    async with database.write() as tx:
        await rule_book.stamped(tx, NOW)
    (claim,) = await (await at(database, NOW)).take(campaign)
    await over(database, [claim])
    closed = rule_book.read_own(region_code="US-NY", check_calendar=lambda code: None, closed=True)
    async with database.write() as tx:
        await rule_book.add_own(tx, closed, NOW + MINUTE)
        await do_not_call.add(tx, [NEW_YORK], NOW + MINUTE)
    explainer = Explainer(Plans(public_holidays), UNLIMITED, TIMES)

    async with database.read() as tx:
        made = await explainer.of_attempt(tx, claim.attempt_id)

    assert made.verdict is Verdict.NOW
    by_question = {check.question: check.inputs for check in made.checks}
    assert [*by_question[Question.WINDOW]["rules"]] == ["US", "US-NY"]
    assert by_question[Question.DO_NOT_CALL] == {"listed": False, "by": None}
    assert by_question[Question.CAPS]["in 24 hours"] == "0 of 3"
    assert by_question[Question.NUMBER]["from"] == "+13105550001"
    assert Question.WINDOW in held(await explained(database, NOW + MINUTE))


SITUATIONS = st.fixed_dictionaries(
    {
        "phone": st.sampled_from([NEW_YORK, CHICAGO, LOS_ANGELES, TOLL_FREE, "+14075550101"]),
        "zone": st.sampled_from([None, "America/New_York", "Pacific/Auckland"]),
        "instant": st.integers(NOW, NOW + 2 * DAY),
        "start_at": st.sampled_from([None, NOW + HOUR, NOW + DAY]),
        "status": st.sampled_from(["active", "active", "active", "paused"]),
        "next_at": st.sampled_from([0, NOW + 3 * HOUR]),
        "listed": st.booleans(),
        "calls": st.lists(st.integers(NOW - 2 * DAY, NOW + 2 * DAY), max_size=4),
        "disabled": st.sampled_from([None, None, 0]),
        "schedule": st.sampled_from(
            [None, '{"zone": "UTC", "weekly": {"mon": ["14:00-16:00"], "tue": ["00:00-24:00"]}}']
        ),
    }
)


@pytest.fixture
def fresh(sqlite_template: bytes, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes databases with nothing in them."""

    def make() -> Path:
        path = tmp_path_factory.mktemp("explain") / "dialer.db"
        path.write_bytes(sqlite_template)
        return path

    return make


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(situation=SITUATIONS)
async def test_whoever_may_be_called_is_claimed_and_nobody_else(
    fresh: Callable[[], Path], situation: Mapping[str, Any]
) -> None:
    async with opened(str(fresh()), random.Random(1), busy_timeout_s=5) as database:
        instant = situation["instant"]
        campaign = await given_people(
            database,
            Person(situation["phone"], zone=situation["zone"]),
            start_at=situation["start_at"],
            schedule_body=situation["schedule"],
        )
        await _put(database, situation)

        found = await explained(database, instant)
        claims = await (await at(database, instant)).take(campaign)

        assert (found.verdict is Verdict.NOW) == bool(claims), held(found)
        if found.verdict is Verdict.NOW:
            assert found.next_at == instant
        elif Question.ZONE in held(found) or situation["listed"]:
            assert found.next_at is None
        elif situation["schedule"] is None:
            assert found.next_at is not None, "everywhere it opens one day"
        if found.next_at is not None and situation["status"] == "active":
            assert found.next_at >= instant
            if found.next_at > instant:
                await _holds_until(database, campaign, found.next_at, situation)


async def _put(database: Database, situation: Mapping[str, Any]) -> None:
    # None has been made later than it is: the claim itself looks ahead for a moment only.
    made = sorted(min(call, situation["instant"]) for call in situation["calls"])
    calls = [(f"{n:032x}", call) for n, call in enumerate(made)]
    async with database.write() as tx:
        await write(tx, "UPDATE campaigns SET status = ?1", [(situation["status"],)])
        await write(tx, "UPDATE members SET next_at = ?1", [(situation["next_at"],)])
        await write(tx, "UPDATE numbers SET disabled_at = ?1", [(situation["disabled"],)])
        await write(
            tx,
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (77, 'old', 0, 0)",
            [()],
        )
        await write(
            tx,
            "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state,"
            " day, intent_at, send_at, check_at, sid, outcome, closed_at)"
            " SELECT ?1, 1, 1, 1, 77, 'past', 'ended', '', ?2, ?2, 0, ?1, 'no_answer', 0",
            calls,
        )
        if situation["listed"]:
            await do_not_call.add(tx, [situation["phone"]], NOW)
            # As if they had been listed in the middle of a claim.
            await write(tx, "UPDATE members SET state = 'pending', reason = NULL", [()])


async def _holds_until(
    database: AnyDatabase, campaign: Any, next_at: int, situation: Mapping[str, Any]
) -> None:
    """One second before the moment that was told nobody is claimed; at it, they are."""
    early = await (await at(database, next_at - SECOND)).take(campaign)
    assert early == [], "earlier than was told"
    if situation["disabled"] is None:
        await over_again(database, situation)
        assert len(await (await at(database, next_at)).take(campaign)) == 1


async def over_again(database: AnyDatabase, situation: Mapping[str, Any]) -> None:
    """What the claim that came too early has put off is as it was."""
    assert await rows(database, "SELECT count(*) FROM members") == [(1,)]
    async with database.write() as tx:
        await write(tx, "UPDATE members SET next_at = ?1", [(situation["next_at"],)])
