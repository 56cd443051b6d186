"""What an account says of itself, by servers that tell much, little, or nonsense."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from aiohttp import web

from dialer.carriers.twilio_account import Account, Login, look
from dialer.errors import CredentialsError, DialerError, UnreachableError
from dialer.rehearsal import HOST
from tests.support.engine import NOW, SetClock

NUMBER: Final = "+12025550120"
ACCOUNT: Final = "AC" + "7" * 32


@asynccontextmanager
async def account_server(resources: Mapping[str, Any]) -> AsyncIterator[str]:
    """A server that has these resources of an account: text as it is, data as JSON, or a status."""

    async def answer(request: web.Request) -> web.Response:
        found = resources.get(request.path.rpartition("/")[2].removesuffix(".json"), 404)
        if isinstance(found, int):
            return web.Response(status=found, text="no")
        if isinstance(found, str):
            return web.Response(text=found)
        page = found[int(request.query.get("Page", "0"))] if isinstance(found, list) else found
        return web.json_response(page, headers={"Date": "Mon, 05 Jan 2026 15:00:00 GMT"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def told(resources: Mapping[str, Any], now: int = NOW, key: str = "") -> Account:
    """What an account with these resources says at *now*."""
    async with account_server(resources) as url:
        login = Login(ACCOUNT, "hush", key, "hush" if key else "", url)
        return await look(login, SetClock(now), timeout_s=5)


async def test_a_server_that_tells_little_is_taken_as_it_is() -> None:
    found = await told(
        {"IncomingPhoneNumbers": {"incoming_phone_numbers": [{"phone_number": NUMBER}]}}
    )

    assert (found.status, found.kind, found.balance) == ("", "", None)
    assert [(each.phone, each.voice, each.voice_url) for each in found.numbers] == [
        (NUMBER, True, "")
    ]


async def test_lists_are_read_to_their_end_with_voice_and_addresses() -> None:
    path = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json?Page=1"
    mute = {
        "phone_number": "+12",
        "capabilities": {"voice": False},
        "voice_url": "https://x.example",
    }
    pages = [
        {"incoming_phone_numbers": [{"phone_number": "+11"}], "next_page_uri": path},
        {"incoming_phone_numbers": [mute]},
    ]
    verified = {"outgoing_caller_ids": [{"phone_number": "+13"}]}

    found = await told({"IncomingPhoneNumbers": pages, "OutgoingCallerIds": verified}, key="SK1")

    assert [each.phone for each in found.numbers] == ["+11", "+12"]
    assert (found.numbers[1].voice, found.numbers[1].voice_url) == (False, "https://x.example")
    assert found.verified == ("+13",)


@pytest.mark.parametrize(
    ("ahead_ms", "skew_s"), [(0, 0), (999, 0), (31_000, 30), (-5000, -5), (1500, 0.5)]
)
async def test_the_skew_is_what_whole_seconds_leave(ahead_ms: int, skew_s: float) -> None:
    found = await told({ACCOUNT: {"status": "active"}}, NOW + ahead_ms)

    assert found.skew_s == skew_s


@pytest.mark.parametrize(
    ("resources", "error", "said"),
    [
        ({ACCOUNT: 401}, CredentialsError, "refuses DIALER_TWILIO_AUTH_TOKEN"),
        ({ACCOUNT: 500}, UnreachableError, "answered 500"),
        ({ACCOUNT: "<html>"}, UnreachableError, "something else"),
        ({"IncomingPhoneNumbers": 403}, CredentialsError, "without a word"),
    ],
)
async def test_trouble_is_told_apart(
    resources: dict[str, Any], error: type[DialerError], said: str
) -> None:
    with pytest.raises(error, match=said):
        await told(resources)


async def test_an_account_that_is_suspended_or_on_trial_is_found() -> None:
    body = {"status": "suspended", "type": "Trial"}

    found = await told({ACCOUNT: body, "Balance": {"balance": "-1.50", "currency": "EUR"}})

    assert (found.status, found.kind, found.balance, found.currency) == (
        "suspended", "Trial", -1.5, "EUR",
    )  # fmt: skip
