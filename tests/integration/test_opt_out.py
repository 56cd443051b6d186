"""Programs report that somebody does not want to be called: through the real application."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2
import pytest

from dialer.app import app_from, carrier_config
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.errors import StoreError
from dialer.store.opening import AnyDatabase
from tests.support.engine import NOW, Daemon, daemon_on, member_of, rows, settings_for, sid
from tests.support.given import FIRST_PHONE, given_campaign, write

CALLEE: Final = f"+{FIRST_PHONE + 1}"
TOKEN: Final = "0pen-5esame"
HEADERS: Final = {"Authorization": f"Bearer {TOKEN}"}
ADDRESS: Final = "/api/v1/opt-out"


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    async with daemon_on(store, database) as daemon:
        yield daemon


async def posted(
    daemon: Daemon, store: str, body: bytes, *, token: str = TOKEN, **headers: str
) -> httpx2.Response:
    account: dict[str, Any] = {"twilio_account_sid": "AC1", "twilio_auth_token": "x"}
    settings = settings_for(store, api_token=token, **account)
    door = TwilioCallbacks(carrier_config(settings))
    app = app_from(settings, daemon.engine, daemon.carrier, door)
    transport = httpx2.ASGITransport(app.web)
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.1") as http:
        return await http.post(ADDRESS, content=body, headers=headers or HEADERS)


async def given_call(daemon: Daemon) -> str:
    """A call under way to the first of two contacts; gives the attempt."""
    campaign = await given_campaign(daemon.database, now=NOW, contacts=2, call_interval_s=0)
    (claim,) = await daemon.take(campaign, limit=1)
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE attempts SET state = 'placed', sid = ?1", [(sid(9),)])
    return claim.attempt_id


@pytest.mark.parametrize("by", ["attempt", "sid", "phone"])
async def test_whoever_asked_in_a_call_is_listed_everywhere(
    daemon: Daemon, store: str, database: AnyDatabase, by: str
) -> None:
    attempt = await given_call(daemon)
    body = {
        "attempt": f'{{"call": "{attempt}"}}',
        "sid": f'{{"call": "{sid(9)}"}}',
        "phone": f'{{"phone": "{CALLEE}"}}',
    }[by]

    reply = await posted(daemon, store, body.encode())

    assert reply.status_code == 204
    assert await rows(database, "SELECT phone, campaign_id, source FROM dnc") == [
        (CALLEE, None, "callee")
    ]
    assert (await member_of(database))["state"] == "dialing"  # the conversation goes on


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b'{"call": "CA404"}', 404, "no such call"),
        (b'{"phone": "555"}', 400, "'555' is not a phone number"),
        (b'{"phone": "+12025550101", "call": "CA1"}', 400, "either"),
        (b'{"phone": 12025550101}', 400, "either"),
        (b"[]", 400, "either"),
        (b"phone=+12025550101", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
    ],
)
async def test_what_cannot_be_done_is_said_and_lists_nobody(
    daemon: Daemon, store: str, database: AnyDatabase, body: bytes, status: int, why: str
) -> None:
    await given_call(daemon)

    reply = await posted(daemon, store, body)

    assert reply.status_code == status
    assert why in reply.json()["error"]
    assert await rows(database, "SELECT count(*) FROM dnc") == [(0,)]


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", TOKEN, "Basic 0pen-5esame"])
async def test_nobody_lists_anybody_without_the_token(
    daemon: Daemon, store: str, database: AnyDatabase, given: str
) -> None:
    await given_call(daemon)

    reply = await posted(daemon, store, f'{{"phone": "{CALLEE}"}}'.encode(), Authorization=given)

    assert reply.status_code == 401
    assert await rows(database, "SELECT count(*) FROM dnc") == [(0,)]


async def test_without_a_token_there_is_no_such_address(daemon: Daemon, store: str) -> None:
    reply = await posted(daemon, store, b"{}", token="", Authorization="Bearer ")

    assert reply.status_code == 404


async def test_what_cannot_be_written_down_is_to_be_asked_again(
    daemon: Daemon, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> Any:
        raise StoreError("the disk is full")

    monkeypatch.setattr(daemon.engine.batcher, "apply", full)

    reply = await posted(daemon, store, f'{{"phone": "{CALLEE}"}}'.encode())

    assert (reply.status_code, reply.json()) == (
        503,
        {"error": "it could not be written down; ask again"},
    )
