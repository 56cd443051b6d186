"""Somebody calls one of our numbers: through the real application, into the real store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
import pytest
from twilio.request_validator import RequestValidator

from dialer import do_not_call
from dialer.app import app_from, carrier_config
from dialer.carriers import twiml
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.do_not_call import EVERYWHERE
from dialer.model import CampaignId
from dialer.settings import INCOMING_MESSAGE
from dialer.store.opening import AnyDatabase
from tests.support.engine import NOW, Daemon, daemon_on, member_of, settings_for, sid
from tests.support.given import FIRST_PHONE, given_campaign, write

ACCOUNT: Final = "AC00000000000000000000000000000001"
TOKEN: Final = "5ec2e7"
CALLEE: Final = f"+{FIRST_PHONE + 1}"
OURS: Final = "+13105550001"


@dataclass
class Line:
    """A telephone line to the application, by way of the carrier."""

    daemon: Daemon
    http: httpx2.AsyncClient

    async def call(self, path: str = "", *, call: int = 1, **fields: str) -> bytes:
        """Call one of our numbers as the callee does; gives what is heard."""
        form = {"AccountSid": ACCOUNT, "CallSid": sid(call), "From": CALLEE, "To": OURS} | fields
        target = f"/twilio/incoming{path}"
        url = f"https://dialer.example.com{target}"
        headers = {
            "X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(url, form),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        reply = await self.http.post(target, content=urlencode(form).encode(), headers=headers)
        assert reply.status_code == 200
        return reply.content

    async def history(self) -> list[tuple[str, str | None, str]]:
        async with self.daemon.database.read() as tx:
            told = await do_not_call.history_of(tx, CALLEE)
        return [(row["event"], row["campaign"], row["detail"]) for row in told]


@pytest.fixture
async def line(store: str, database: AnyDatabase) -> AsyncIterator[Line]:
    account: dict[str, Any] = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
    settings = settings_for(store, **account)
    async with daemon_on(store, database, **account) as daemon:
        door = TwilioCallbacks(carrier_config(settings))
        app = app_from(settings, daemon.engine, daemon.carrier, door)
        transport = httpx2.ASGITransport(app.web)
        async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.1") as http:
            yield Line(daemon, http)


async def given_called(line: Line) -> CampaignId:
    """A campaign that has called the callee."""
    campaign = await given_campaign(line.daemon.database, now=NOW, contacts=1, call_interval_s=0)
    await line.daemon.take(campaign)
    async with line.daemon.database.write() as tx:
        await write(tx, "UPDATE attempts SET state = 'placed', sid = ?1", [(sid(9),)])
    return campaign


async def listed(line: Line, scope: CampaignId) -> None:
    async with line.daemon.database.write() as tx:
        await do_not_call.add(tx, [CALLEE], NOW, scope=scope)


async def test_a_listed_caller_hears_the_greeting_and_is_remembered(line: Line) -> None:
    await listed(line, EVERYWHERE)

    heard = await line.call()

    assert INCOMING_MESSAGE.encode() in heard
    assert await line.history() == [
        ("added", None, ""),
        ("inbound", None, f"called {OURS}: {sid(1)}"),
    ]


async def test_a_call_that_is_reported_again_is_remembered_once(line: Line) -> None:
    await listed(line, EVERYWHERE)

    for call in (1, 1, 2):
        await line.call(call=call)

    assert [event for event, *_ in await line.history()] == ["added", "inbound", "inbound"]


async def test_who_is_listed_for_a_campaign_that_called_them_is_remembered_there(
    line: Line,
) -> None:
    await listed(line, await given_called(line))

    await line.call()

    assert [(event, name) for event, name, _ in await line.history()] == [
        ("added", "Renewals"), ("inbound", "Renewals"),
    ]  # fmt: skip


async def test_who_is_listed_for_a_campaign_that_never_called_them_is_nobody_special(
    line: Line,
) -> None:
    await listed(line, await given_campaign(line.daemon.database, now=NOW, contacts=1))

    await line.call()

    assert [event for event, *_ in await line.history()] == ["added"]


async def test_who_is_on_no_list_leaves_no_trace(line: Line) -> None:
    await line.call()
    await line.call(From="anonymous")

    assert await line.history() == []


async def test_a_caller_who_presses_nine_is_not_called_again(line: Line) -> None:
    campaign = await given_campaign(line.daemon.database, now=NOW, contacts=1)

    heard = await line.call("/keypress", Digits="9")

    assert heard == twiml.greeted_opted_out()
    async with line.daemon.database.read() as tx:
        (entry,) = await do_not_call.entries_of(tx, CALLEE)
    assert (entry["campaign_id"], entry["source"]) == (None, "callee")
    assert entry["note"] == f"asked for it in a call to {OURS}"
    assert (await member_of(line.daemon.database))["reason"] == "do_not_call"
    assert await line.daemon.take(campaign) == []


async def test_who_is_shown_otherwise_than_they_are_called_is_not_called_again(
    line: Line,
) -> None:
    called, shown = "+525512345678", "+5215512345678"
    campaign = await given_called(line)
    async with line.daemon.database.write() as tx:
        await write(tx, "UPDATE contacts SET phone = ?1", [(called,)])
        await write(tx, "UPDATE attempts SET phone = ?1", [(called,)])

    heard = await line.call("/keypress", Digits="9", From=shown)
    await line.call(From=shown)

    assert heard == twiml.greeted_opted_out()
    async with line.daemon.database.read() as tx:
        assert await do_not_call.holding(tx, called, campaign)
        assert [row["event"] for row in await do_not_call.history_of(tx, called)] == [
            "added", "inbound",
        ]  # fmt: skip


async def test_a_caller_nobody_knows_is_known_by_whom_the_number_has_called(line: Line) -> None:
    campaign = await given_called(line)
    shown = f"+190{CALLEE[2:]}"

    await line.call("/keypress", Digits="9", From=shown)
    await line.call("/keypress", Digits="9", From=f"+190{CALLEE[2:-1]}9")

    async with line.daemon.database.read() as tx:
        everybody = {row["phone"] for row in await do_not_call.everything(tx)}
        assert await do_not_call.holding(tx, CALLEE, campaign)
    assert everybody == {shown, CALLEE, f"+190{CALLEE[2:-1]}9"}
