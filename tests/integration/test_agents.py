"""What talks to people, as operators handle it."""

import json

import pytest

from dialer import agents
from dialer.errors import NotFoundError, UsageError
from dialer.model import Agent, AgentKind
from dialer.ports import Database
from tests.support.engine import NOW

SIP = Agent(AgentKind.SIP, "sip:sales@example.com", {"username": "u", "password": "secret"})


async def test_an_agent_is_stored_and_found(database: Database) -> None:
    async with database.write() as tx:
        agent_id = await agents.add(tx, "Sales", SIP, NOW)
        row = await agents.find(tx, "Sales")

    assert (row["id"], row["kind"], row["target"]) == (agent_id, "sip", SIP.target)
    assert json.loads(row["options"]) == SIP.options


async def test_a_secret_is_not_shown(database: Database) -> None:
    async with database.write() as tx:
        await agents.add(tx, "Sales", SIP, NOW)
        (row,) = await agents.listed(tx)

    assert agents.shown_options(row) == {"username": "u", "password": "set"}
    assert row["campaigns"] == 0


async def test_a_name_is_given_once(database: Database) -> None:
    async with database.write() as tx:
        await agents.add(tx, "Sales", SIP, NOW)
        with pytest.raises(UsageError, match="an agent 'Sales' already"):
            await agents.add(tx, "Sales", SIP, NOW)
        with pytest.raises(UsageError, match="needs a name"):
            await agents.add(tx, "", SIP, NOW)
        with pytest.raises(NotFoundError, match="no agent 'Sale'; did you mean 'Sales'"):
            await agents.find(tx, "Sale")


async def test_a_spoken_message_takes_a_name_that_is_free(database: Database) -> None:
    async with database.write() as tx:
        for _ in range(3):
            await agents.add_message(tx, "Renewals", "Hello", NOW)
        names = [row["name"] for row in await agents.listed(tx)]
        with pytest.raises(UsageError, match="nothing to say"):
            await agents.add_message(tx, "Renewals", " ", NOW)

    assert names == ["Renewals", "Renewals 2", "Renewals 3"]
