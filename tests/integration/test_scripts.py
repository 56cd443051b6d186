"""What an answered call is to hear, and when it is to hear nothing."""

import pytest

from dialer import campaigns
from dialer.model import AgentKind, AttemptId
from dialer.scripts import GREETING_S, VERDICT_S, Scripts
from dialer.states import CampaignEvent
from dialer.store.opening import AnyDatabase
from tests.support.engine import NOW, SetClock, given_claimer
from tests.support.given import FIRST_PHONE, given_campaign, write


async def given_attempt(database: AnyDatabase) -> AttemptId:
    campaign = await given_campaign(database, now=NOW, contacts=1)
    async with database.write() as tx:
        details = ["ann@example.com", "de", '{"city": "Bonn", "name": "Annie"}']
        statement = "UPDATE contacts SET email = ?1, language = ?2, variables = ?3"
        await write(tx, statement, [details])
        await write(tx, "UPDATE agents SET options = ?1", [('{"voice": "alice"}',)])
    (claim,) = await (await given_claimer(database, SetClock())).take(campaign)
    return claim.attempt_id


async def test_a_script_is_the_campaigns_agent_with_the_contacts_variables(
    database: AnyDatabase,
) -> None:
    attempt_id = await given_attempt(database)

    script = await Scripts(database, time_limit_s=600).of(attempt_id)

    assert script is not None
    assert (script.agent.kind, script.agent.target) == (AgentKind.MESSAGE, "Hello {{name}}")
    assert script.agent.options == {"voice": "alice"}
    assert script.variables == {
        "phone": f"+{FIRST_PHONE + 1}",
        "name": "Annie",  # a column of the list's own goes first
        "email": "ann@example.com",
        "city": "Bonn",
    }
    assert (script.language, script.caller_id, script.time_limit_s) == ("de", "+13105550001", 600)


@pytest.mark.parametrize(
    ("amd", "on_machine", "listen_s"),
    [
        ("off", "leave_message", 0),
        ("text", "hang_up", 15),
        ("fused", "leave_message", 30),
        ("carrier", "hang_up", VERDICT_S),
        ("carrier", "continue", VERDICT_S),
        ("carrier", "leave_message", GREETING_S),
    ],
)
async def test_a_call_is_kept_until_the_carrier_knows_who_answered(
    database: AnyDatabase, amd: str, on_machine: str, listen_s: int
) -> None:
    attempt_id = await given_attempt(database)
    async with database.write() as tx:
        await write(tx, "UPDATE campaigns SET amd = ?1, on_machine = ?2", [(amd, on_machine)])

    script = await Scripts(database, 600).of(attempt_id)

    assert script is not None
    assert script.listen_s == listen_s


@pytest.mark.parametrize("state", ["intent", "unknown", "placed"])
async def test_whoever_answers_hears_something_before_we_know_of_their_call(
    database: AnyDatabase, state: str
) -> None:
    attempt_id = await given_attempt(database)
    async with database.write() as tx:
        await write(tx, "UPDATE attempts SET state = ?1", [(state,)])

    assert await Scripts(database, 600).of(attempt_id) is not None


@pytest.mark.parametrize("state", ["ended", "not_placed", "released"])
async def test_an_attempt_that_is_over_has_nothing_to_say(
    database: AnyDatabase, state: str
) -> None:
    attempt_id = await given_attempt(database)
    async with database.write() as tx:
        await write(tx, "UPDATE attempts SET state = ?1, closed_at = 1", [(state,)])

    assert await Scripts(database, 600).of(attempt_id) is None


async def test_an_attempt_nobody_knows_has_nothing_to_say(database: AnyDatabase) -> None:
    assert await Scripts(database, 600).of(AttemptId("f" * 32)) is None


@pytest.mark.parametrize(
    ("event", "speaks"), [(CampaignEvent.PAUSE, True), (CampaignEvent.CANCEL, False)]
)
async def test_a_cancelled_campaign_says_no_more_and_a_paused_one_finishes_its_calls(
    database: AnyDatabase, event: CampaignEvent, speaks: bool
) -> None:
    attempt_id = await given_attempt(database)
    async with database.write() as tx:
        await campaigns.move(tx, "Renewals", event, NOW)

    assert (await Scripts(database, 600).of(attempt_id) is not None) == speaks
