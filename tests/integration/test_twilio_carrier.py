"""The adapter over the real SDK against a real server on loopback that answers by a script.

What counts is what was on the wire: a call is asked for once, whatever happens to the answer.
"""

import asyncio
import base64
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from dialer.carriers.twilio import TwilioCarrier
from dialer.carriers.twilio_config import TwilioConfig
from dialer.carriers.twilio_http import TwilioHttp, exchange
from dialer.errors import CredentialsError, UnreachableError
from dialer.meters import CarrierOp, Meters, RetryReason
from dialer.model import AmdMode, AttemptId, CallFacts, CallSid, CarrierStatus
from dialer.ports import (
    Accepted,
    Clock,
    Doubtful,
    NotSent,
    Order,
    OwnedNumber,
    Refusal,
    Refused,
    Throttled,
)
from tests.support.twilio_spec import twilio_spec

ACCOUNT = "AC00000000000000000000000000000001"
ROOT = f"/2010-04-01/Accounts/{ACCOUNT}"
CALLS = f"{ROOT}/Calls.json"
SID = CallSid("CA00000000000000000000000000000001")
NOW = 1_767_571_200_000  # 2026-01-05T00:00:00Z
TO, FROM = "+12025550102", "+12025550101"
ATTEMPT = AttemptId("0123456789abcdef0123456789abcdef")
ORDER = Order(
    attempt_id=ATTEMPT,
    to=TO,
    from_=FROM,
    ring_timeout_s=25,
    amd=AmdMode.OFF,
    detect_message_end=False,
    void_at=NOW,
)
RESOURCE = next(
    item["payload"]
    for item in json.loads(
        (Path(__file__).parents[1] / "data" / "twilio_payloads.json").read_text("utf-8")
    )["items"]
    if item["id"] == "api.call_resource.completed"
)

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class FixedClock:
    at: int = NOW

    def now(self) -> int:
        return self.at


class StrikingClock:
    """On time at the first look, too late at the next."""

    def __init__(self) -> None:
        self._at = iter([NOW, NOW + 1])

    def now(self) -> int:
        return next(self._at, NOW + 1)


@dataclass(frozen=True)
class Seen:
    """A request as it came over the wire."""

    method: str
    path: str
    query: list[tuple[str, str]]
    form: list[tuple[str, str]]
    headers: dict[str, str]
    raw_query: str
    raw_body: str


@dataclass
class Server:
    """Answers with *replies* in turn, the last one for ever."""

    replies: list[Reply]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.seen.append(
            Seen(
                request.method,
                request.path,
                list(request.query.items()),
                parse_qsl(body, keep_blank_values=True),
                dict(request.headers),
                request.rel_url.raw_query_string,
                body,
            )
        )
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return await reply(request)


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[Server]:
    server = Server(list(replies))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        server.url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()


def config(base_url: str, **changes: Any) -> TwilioConfig:
    return replace(
        TwilioConfig(
            account_sid=ACCOUNT,
            auth_token="token-secret",
            public_url="https://dialer.example.com",
            base_url=base_url,
            timeout_s=5.0,
        ),
        **changes,
    )


@asynccontextmanager
async def carrier_at(
    url: str, clock: Clock | None = None, **changes: Any
) -> AsyncIterator[TwilioCarrier]:
    clock = clock or FixedClock()
    async with TwilioCarrier(config(url, **changes), clock, backoffs_s=(0.0, 0.0)) as carrier:
        yield carrier


def replying(status: int, body: object = None, **headers: str) -> Reply:
    async def reply(_: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=named)

    return reply


def refusing(status: int, code: int | None, message: str = "no") -> Reply:
    return replying(status, {"code": code, "message": message, "status": status})


async def hanging(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("nobody waits for ever")


async def dropping(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stopping_halfway(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(status=201, headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"sid": "CA')
    assert request.transport is not None
    request.transport.abort()
    return response


def call(**changes: object) -> dict[str, object]:
    outbound = {"sid": SID, "to": TO, "from": FROM, "direction": "outbound-api"}
    return {**RESOURCE, **outbound, **changes}


created = replying(201, call(status="queued"))


# -- placing -------------------------------------------------------------------------------------


async def test_an_accepted_call_is_named() -> None:
    async with serving(created) as server, carrier_at(server.url) as carrier:
        assert await carrier.place(ORDER) == Accepted(SID)

    (seen,) = server.seen
    assert (seen.method, seen.path, seen.query) == ("POST", CALLS, [])


CALLBACKS = "https://dialer.example.com/twilio"
PLAIN_FORM = [
    ("From", FROM),
    ("StatusCallback", f"{CALLBACKS}/status/{ATTEMPT}#rc=2&rp=ct,rt,5xx"),
    ("StatusCallbackEvent", "answered"),
    ("StatusCallbackEvent", "completed"),
    ("StatusCallbackEvent", "initiated"),
    ("StatusCallbackEvent", "ringing"),
    ("TimeLimit", "600"),
    ("Timeout", "25"),
    ("To", TO),
    ("Url", f"{CALLBACKS}/answer/{ATTEMPT}"),
]


@pytest.mark.parametrize(
    ("order", "extra"),
    [
        (ORDER, []),
        (ORDER._replace(detect_message_end=True), []),
        (
            ORDER._replace(amd=AmdMode.CARRIER),
            [
                ("AsyncAmd", "true"),
                ("AsyncAmdStatusCallback", f"{CALLBACKS}/amd/{ATTEMPT}#rc=2&rp=ct,rt,5xx"),
                ("MachineDetection", "Enable"),
            ],
        ),
        (
            ORDER._replace(amd=AmdMode.CARRIER, detect_message_end=True),
            [
                ("AsyncAmd", "true"),
                ("AsyncAmdStatusCallback", f"{CALLBACKS}/amd/{ATTEMPT}#rc=2&rp=ct,rt,5xx"),
                ("MachineDetection", "DetectMessageEnd"),
            ],
        ),
    ],
)
async def test_an_order_asks_for_just_what_is_needed(
    order: Order, extra: list[tuple[str, str]]
) -> None:
    async with serving(created) as server, carrier_at(server.url) as carrier:
        await carrier.place(order)

    (seen,) = server.seen
    assert sorted(seen.form) == sorted(PLAIN_FORM + extra)
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("changes", "user", "secret"),
    [
        ({}, ACCOUNT, "token-secret"),
        ({"api_key": "SK1", "api_secret": "key-secret"}, "SK1", "key-secret"),
    ],
)
async def test_requests_carry_the_key_where_there_is_one(
    changes: dict[str, Any], user: str, secret: str
) -> None:
    async with serving(created) as server, carrier_at(server.url, **changes) as carrier:
        await carrier.place(ORDER)

    credentials = base64.b64encode(f"{user}:{secret}".encode()).decode()
    assert server.seen[0].headers["Authorization"] == f"Basic {credentials}"
    assert server.seen[0].path == CALLS


DOUBTS: dict[str, Reply] = {
    "500": replying(500, {"code": 20500, "message": "An internal server error has occurred"}),
    "502 from a gateway": replying(502, "<html>Bad Gateway</html>"),
    "503": replying(503, {"code": 20503, "message": "Service is unavailable"}),
    "504": replying(504, ""),
    "408 from a gateway": replying(408, ""),
    "redirect": replying(307, "", Location="/elsewhere"),
    "dropped after the request": dropping,
    "dropped within the answer": stopping_halfway,
    "201 with broken JSON": replying(201, '{"sid": "CA'),
    "201 with HTML": replying(201, "<html>Created</html>"),
    "201 empty": replying(201, ""),
    "201 with a list": replying(201, [1, 2]),
    "201 without a name": replying(201, call(sid=None)),
    "201 with an empty name": replying(201, call(sid="")),
    "201 with a number for a name": replying(201, call(sid=7)),
    "201 with a date that is none": replying(201, call(date_created="Mon, 99 Jan 2026 0:0:0")),
    "200 without a body": replying(200, ""),
    "204": replying(204, ""),
}


@pytest.mark.parametrize("reply", DOUBTS.values(), ids=DOUBTS)
async def test_no_answer_that_leaves_a_doubt_is_followed_by_another_request(reply: Reply) -> None:
    async with serving(reply) as server, carrier_at(server.url) as carrier:
        placement = await carrier.place(ORDER)

    assert isinstance(placement, Doubtful)
    assert [seen.method for seen in server.seen] == ["POST"]


async def test_an_answer_that_never_comes_is_doubtful_when_the_time_is_up() -> None:
    async with serving(hanging) as server, carrier_at(server.url, timeout_s=0.1) as carrier:
        placement = await carrier.place(ORDER)

    assert placement == Doubtful("no answer in time")
    assert len(server.seen) == 1


async def test_a_pooled_connection_that_dies_is_not_asked_again() -> None:
    async with serving(created, dropping) as server, carrier_at(server.url) as carrier:
        assert isinstance(await carrier.place(ORDER), Accepted)
        assert isinstance(await carrier.place(ORDER), Doubtful)

    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (refusing(400, 21211), Refusal.BAD_NUMBER, 21211),
        (refusing(400, 21215), Refusal.DESTINATION, 21215),
        (refusing(401, 20003), Refusal.CONFIGURATION, 20003),
        (refusing(400, 21210), Refusal.CONFIGURATION, 21210),
        (refusing(400, 99999), Refusal.OTHER, 99999),
        (refusing(400, None), Refusal.OTHER, None),
        (replying(400, "<html>"), Refusal.OTHER, None),
        (replying(403, "<html>"), Refusal.CONFIGURATION, None),
    ],
)
async def test_a_no_is_taken_for_its_kind(reply: Reply, kind: Refusal, code: int | None) -> None:
    async with serving(reply) as server, carrier_at(server.url) as carrier:
        placement = await carrier.place(ORDER)

    assert isinstance(placement, Refused)
    assert (placement.kind, placement.code) == (kind, code)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("reply", "wait_s"),
    [
        (refusing(429, 20429), 1.0),
        (replying(429, "", Retry_After="7"), 7.0),
        (replying(429, "", Retry_After="Mon, 05 Jan 2026 00:00:30 GMT"), 30.0),
        (refusing(400, 10004), 10.0),
        (refusing(429, 22005), 900.0),
    ],
)
async def test_a_request_put_off_names_its_wait(reply: Reply, wait_s: float) -> None:
    async with serving(reply) as server, carrier_at(server.url) as carrier:
        placement = await carrier.place(ORDER)

    assert isinstance(placement, Throttled)
    assert placement.retry_after_s == wait_s
    assert len(server.seen) == 1


async def test_where_nobody_listens_nothing_was_sent(closed_port: int) -> None:
    async with carrier_at(f"http://127.0.0.1:{closed_port}") as carrier:
        placement = await carrier.place(ORDER)

    assert isinstance(placement, NotSent)
    assert str(closed_port) in placement.why


async def test_where_no_address_is_found_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lost)
    async with carrier_at("http://carrier.example.com") as carrier:
        assert isinstance(await carrier.place(ORDER), NotSent)


async def test_a_connection_that_does_not_come_about_in_time_sent_nothing(
    silent_port: int,
) -> None:
    async with carrier_at(f"https://127.0.0.1:{silent_port}", timeout_s=0.1) as carrier:
        assert await carrier.place(ORDER) == NotSent("no answer in time")


async def test_an_order_is_good_up_to_its_last_millisecond() -> None:
    async with serving(created) as server, carrier_at(server.url) as carrier:
        assert isinstance(await carrier.place(ORDER._replace(void_at=NOW)), Accepted)
        assert isinstance(await carrier.place(ORDER._replace(void_at=NOW - 1)), NotSent)

    assert len(server.seen) == 1


async def test_an_order_whose_time_ends_while_connecting_is_not_sent() -> None:
    async with serving(created) as server, carrier_at(server.url, StrikingClock()) as carrier:
        assert await carrier.place(ORDER) == NotSent("the order's time was over")

    assert server.seen == []


async def test_an_order_whose_time_ends_while_it_waits_its_turn_is_not_sent() -> None:
    clock, arrived, release = FixedClock(), asyncio.Event(), asyncio.Event()

    async def busy(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await release.wait()
        return await created(request)

    async with (
        serving(busy) as server,
        carrier_at(server.url, clock, max_requests=1) as carrier,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(carrier.place(ORDER))
        await arrived.wait()
        second = group.create_task(carrier.place(ORDER))
        await asyncio.sleep(0)
        clock.at += 1
        release.set()

    assert isinstance(first.result(), Accepted)
    assert isinstance(second.result(), NotSent)
    assert len(server.seen) == 1


async def test_fifty_at_once_each_hear_of_their_own_call() -> None:
    async def named_after_callee(request: web.Request) -> web.StreamResponse:
        to = (await request.post())["To"]
        assert isinstance(to, str)
        await asyncio.sleep(int(to[-1]) / 1000)  # so that answers overtake one another
        return web.json_response(call(sid=f"CA{to[1:]}", to=to), status=201)

    orders = [ORDER._replace(to=f"+120255501{at:02}") for at in range(50)]
    async with serving(named_after_callee) as server, carrier_at(server.url) as carrier:
        placements = await asyncio.gather(*map(carrier.place, orders))

    assert placements == [Accepted(CallSid(f"CA{order.to[1:]}")) for order in orders]
    assert len(server.seen) == 50


async def test_no_more_requests_are_under_way_than_allowed() -> None:
    under_way, most = 0, 0

    async def counted(request: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        return await created(request)

    async with serving(counted) as server, carrier_at(server.url, max_requests=3) as carrier:
        await asyncio.gather(*(carrier.place(ORDER) for _ in range(12)))

    assert most == 3


async def test_giving_up_on_an_order_is_told_upwards() -> None:
    arrived = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        arrived.set()
        return await hanging(request)

    async with (
        serving(slow) as server,
        carrier_at(server.url) as carrier,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(carrier.place(ORDER))
        await arrived.wait()
        task.cancel()

    assert task.cancelled()


async def test_the_environment_does_not_lead_the_sdk_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    async with serving(created) as server, carrier_at(server.url) as carrier:
        assert await carrier.place(ORDER) == Accepted(SID)


async def test_a_host_of_twilios_that_is_not_the_voice_api_is_not_asked() -> None:
    http = TwilioHttp("http://127.0.0.1:9", ("AC1", "token"), timeout_s=1, max_requests=1)
    async with http:
        with exchange(FixedClock()), pytest.raises(ValueError, match="voice API"):
            await http.request("GET", "https://lookups.twilio.com/v2/PhoneNumbers/+12025550102")


async def test_numbers_and_secrets_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    listed = replying(200, {"calls": [call()], "next_page_uri": None})
    async with serving(created, listed) as server, carrier_at(server.url) as carrier:
        await carrier.place(ORDER)
        await carrier.find(TO, FROM, NOW)

    for secret in (TO, TO[1:], FROM[1:], "token-secret", ATTEMPT):
        assert secret not in caplog.text


async def test_outside_its_block_the_carrier_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await TwilioCarrier(config("http://127.0.0.1:9"), FixedClock()).place(ORDER)


# -- ending and redirecting ----------------------------------------------------------------------

updated = replying(200, call())
gone = refusing(404, 20404)
over = refusing(400, 21220, "Call is not in-progress. Cannot redirect.")


@pytest.mark.parametrize("reply", [updated, gone, over])
async def test_hanging_up_and_cancelling_do_not_mind_a_call_that_is_over(reply: Reply) -> None:
    async with serving(reply) as server, carrier_at(server.url) as carrier:
        await carrier.hang_up(SID)
        await carrier.cancel(SID)

    assert [(seen.method, seen.path) for seen in server.seen] == [
        ("POST", f"{ROOT}/Calls/{SID}.json")
    ] * 2
    assert [seen.form for seen in server.seen] == [
        [("Status", "completed")],
        [("Status", "canceled")],
    ]


@pytest.mark.parametrize(("reply", "alive"), [(updated, True), (gone, False), (over, False)])
async def test_a_redirect_tells_whether_the_call_was_still_there(reply: Reply, alive: bool) -> None:
    async with serving(reply) as server, carrier_at(server.url) as carrier:
        assert await carrier.redirect(SID, "https://dialer.example.com/x") is alive

    assert server.seen[0].form == [("Url", "https://dialer.example.com/x")]


async def test_hanging_up_is_tried_again_through_trouble() -> None:
    async with (
        serving(replying(503, ""), dropping, updated) as server,
        carrier_at(server.url) as carrier,
    ):
        await carrier.hang_up(SID)

    assert len(server.seen) == 3


class Counting(Meters):
    """Takes down what is asked of the carrier."""

    def __init__(self) -> None:
        self.answers: list[tuple[CarrierOp, int | None]] = []
        self.repeats: list[RetryReason] = []

    def carrier_answered(self, op: CarrierOp, status: int | None, took_s: float) -> None:
        assert took_s >= 0
        self.answers.append((op, status))

    def carrier_retried(self, reason: RetryReason) -> None:
        self.repeats.append(reason)


async def test_every_request_that_leaves_is_counted_with_what_came_of_it() -> None:
    meters = Counting()
    async with (
        serving(created, dropping, refusing(429, 20429), updated, replying(503, ""), updated) as at,
        TwilioCarrier(config(at.url), FixedClock(), backoffs_s=(0.0,), meters=meters) as carrier,
    ):
        await carrier.place(ORDER)
        await carrier.place(ORDER)
        await carrier.redirect(SID, "https://dialer.example.com/twilio/message/1")
        await carrier.hang_up(SID)
        await carrier.place(ORDER._replace(void_at=0))

    assert meters.answers == [
        (CarrierOp.PLACE, 201),
        (CarrierOp.PLACE, None),
        (CarrierOp.REDIRECT, 429),
        (CarrierOp.REDIRECT, 200),
        (CarrierOp.END, 503),
        (CarrierOp.END, 200),
    ]
    assert meters.repeats == [RetryReason.THROTTLED, RetryReason.TROUBLE]


async def test_a_redirect_is_repeated_only_when_it_was_not_looked_at() -> None:
    async with (
        serving(refusing(429, 20429), updated) as server,
        carrier_at(server.url) as carrier,
    ):
        assert await carrier.redirect(SID, "https://dialer.example.com/x")
    assert len(server.seen) == 2

    async with serving(replying(500, ""), updated) as server, carrier_at(server.url) as carrier:
        with pytest.raises(UnreachableError):
            await carrier.redirect(SID, "https://dialer.example.com/x")
    assert len(server.seen) == 1


# -- looking -------------------------------------------------------------------------------------


async def test_a_call_is_fetched_with_what_is_known_of_it() -> None:
    resource = call(answered_by="human", duration="40", end_time="Mon, 05 Jan 2026 00:01:00 +0000")
    async with serving(replying(200, resource)) as server, carrier_at(server.url) as carrier:
        fetched = await carrier.fetch(SID)

    assert (server.seen[0].method, server.seen[0].path) == ("GET", f"{ROOT}/Calls/{SID}.json")
    assert fetched is not None
    assert (fetched.sid, fetched.to, fetched.from_) == (SID, TO, FROM)
    assert fetched.created_at == 1_781_016_693_000  # Tue, 09 Jun 2026 14:51:33 +0000
    assert fetched.facts == CallFacts(
        sid=SID,
        status=CarrierStatus.COMPLETED,
        answered_at=NOW + 20_000,
        ended_at=NOW + 60_000,
        duration_s=40,
        answered_by="human",
    )


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        (call(status="queued", end_time=None, duration=None), CarrierStatus.QUEUED),
        (call(status="no-answer", end_time="Mon, 05 Jan 2026 00:01:00 +0000", duration="0"),
         CarrierStatus.NO_ANSWER),
        (call(status="levitating", end_time="", duration=""), None),
    ],
)  # fmt: skip
async def test_a_call_nobody_answered_has_no_answer_time(
    resource: dict[str, object], status: CarrierStatus | None
) -> None:
    async with serving(replying(200, resource)) as server, carrier_at(server.url) as carrier:
        fetched = await carrier.fetch(SID)

    assert fetched is not None
    assert (fetched.facts.status, fetched.facts.answered_at) == (status, None)


async def test_a_call_the_carrier_does_not_know_is_none() -> None:
    async with serving(gone) as server, carrier_at(server.url) as carrier:
        assert await carrier.fetch(SID) is None


@pytest.mark.parametrize(
    "reply", [replying(404, "<html>"), replying(200, "{"), refusing(500, 20404), dropping]
)
async def test_an_answer_that_is_not_the_carriers_is_not_taken_for_none(reply: Reply) -> None:
    async with serving(reply) as server, carrier_at(server.url) as carrier:
        with pytest.raises(UnreachableError):
            await carrier.fetch(SID)


@pytest.mark.parametrize("trouble", [replying(500, ""), refusing(429, 20429), dropping])
async def test_looking_is_tried_again_through_trouble(trouble: Reply) -> None:
    async with (
        serving(trouble, trouble, replying(200, call())) as server,
        carrier_at(server.url) as carrier,
    ):
        assert await carrier.fetch(SID) is not None


def page(*calls: dict[str, object], following: str | None = None) -> Reply:
    return replying(200, {"calls": calls, "next_page_uri": following, "page": 0})


def at(second: int) -> str:
    return f"Mon, 05 Jan 2026 00:00:{second:02} +0000"


async def test_calls_are_found_by_both_numbers_over_all_pages_oldest_first() -> None:
    newest = call(sid="CA3", date_created=at(9), start_time=None, status="queued")
    middle = call(sid="CA2", date_created=at(5))
    oldest = call(sid="CA1", date_created=at(2))
    too_old = call(sid="CA0", date_created=at(1))
    following = f"{CALLS}?To=x&Page=1&PageToken=PACA2"
    pages = [page(newest, middle, following=following), page(middle, oldest, too_old)]
    async with serving(*pages) as server, carrier_at(server.url) as carrier:
        found = await carrier.find(TO, FROM, NOW + 2_999)

    assert [(each.sid, each.created_at) for each in found] == [
        ("CA1", NOW + 2_000),
        ("CA2", NOW + 5_000),
        ("CA3", NOW + 9_000),
    ]
    first, second = server.seen
    assert sorted(first.query) == [("From", FROM), ("PageSize", "1000"), ("To", TO)]
    assert ("PageToken", "PACA2") in second.query


async def test_calls_of_one_second_keep_the_carriers_order() -> None:
    listed = page(call(sid="CA2", date_created=at(1)), call(sid="CA1", date_created=at(1)))
    async with serving(listed) as server, carrier_at(server.url) as carrier:
        found = await carrier.find(TO, FROM, NOW)

    assert [each.sid for each in found] == ["CA1", "CA2"]


async def test_finding_sees_to_the_filter_itself_but_overlooks_nothing() -> None:
    listed = page(
        call(sid="CA1", to="+12025550177", date_created=at(1)),
        call(sid="CA2", **{"from": "+12025550177"}, date_created=at(1)),
        call(sid="CA3", to=TO[1:], date_created=at(1)),
        call(sid="CA4", to=None, date_created=at(1)),
        call(sid="CA5", date_created=None),
        call(sid="CA6", date_created="lately"),
    )
    async with serving(listed) as server, carrier_at(server.url) as carrier:
        found = await carrier.find(TO, FROM, NOW)

    assert {each.sid for each in found} == {"CA3", "CA4", "CA5", "CA6"}


async def test_a_page_that_fails_for_good_fails_the_whole_search() -> None:
    first = page(call(date_created=at(1)), following=f"{CALLS}?Page=1")
    async with serving(first, replying(500, "")) as server, carrier_at(server.url) as carrier:
        with pytest.raises(UnreachableError):
            await carrier.find(TO, FROM, NOW)

    assert len(server.seen) == 4


async def test_a_list_without_an_end_is_given_up() -> None:
    endless = page(call(date_created=at(1)), following=f"{CALLS}?Page=1")
    async with serving(endless) as server, carrier_at(server.url) as carrier:
        with pytest.raises(UnreachableError, match="does not end"):
            await carrier.find(TO, FROM, NOW)


@pytest.mark.parametrize("below", ["", "/api/laml"])
async def test_a_compatible_server_may_live_below_a_path(below: str) -> None:
    first = page(call(sid="CA2", date_created=at(2)), following=f"{below}{CALLS}?Page=1")
    async with (
        serving(first, page(call(sid="CA1", date_created=at(1)))) as server,
        carrier_at(f"{server.url}/api/laml/") as carrier,
    ):
        found = await carrier.find(TO, FROM, NOW)

    assert [each.sid for each in found] == ["CA1", "CA2"]
    assert {seen.path for seen in server.seen} == {f"/api/laml{CALLS}"}


async def test_own_numbers_are_those_with_a_voice_and_the_verified_ones() -> None:
    own = [
        {"phone_number": "+1", "friendly_name": "Sales", "capabilities": {"voice": True}},
        {"phone_number": "+2", "friendly_name": "Texts", "capabilities": {"voice": False}},
        {"phone_number": "+3", "friendly_name": None, "capabilities": None},
    ]
    verified = [
        {"phone_number": "+4", "friendly_name": "Mobile"},
        {"phone_number": "+1", "friendly_name": "Again"},
    ]
    replies = [
        replying(200, {"incoming_phone_numbers": own, "next_page_uri": None}),
        replying(200, {"outgoing_caller_ids": verified, "next_page_uri": None}),
    ]
    async with serving(*replies) as server, carrier_at(server.url) as carrier:
        numbers = await carrier.owned_numbers()

    assert sorted(numbers, key=lambda number: number.phone) == [
        OwnedNumber("+1", "Sales"),
        OwnedNumber("+3", ""),
        OwnedNumber("+4", "Mobile"),
    ]
    assert [seen.path for seen in server.seen] == [
        f"{ROOT}/IncomingPhoneNumbers.json",
        f"{ROOT}/OutgoingCallerIds.json",
    ]


# -- the account ---------------------------------------------------------------------------------


async def test_an_account_that_works_passes_the_check() -> None:
    listed = replying(200, {"incoming_phone_numbers": [], "next_page_uri": None})
    async with serving(listed) as server, carrier_at(server.url) as carrier:
        await carrier.check()

    assert server.seen[0].query == [("PageSize", "1")]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "DIALER_TWILIO_AUTH_TOKEN"),
        ({"api_key": "SK1", "api_secret": "key-secret"}, "DIALER_TWILIO_API_SECRET"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_name_the_settings(
    changes: dict[str, Any], named: str, status: int
) -> None:
    async with (
        serving(refusing(status, 20003)) as server,
        carrier_at(server.url, **changes) as carrier,
    ):
        with pytest.raises(CredentialsError, match=named):
            await carrier.check()

    assert len(server.seen) == 1


async def test_a_carrier_that_is_away_is_unreachable(closed_port: int) -> None:
    async with carrier_at(f"http://127.0.0.1:{closed_port}") as carrier:
        with pytest.raises(UnreachableError, match=str(closed_port)):
            await carrier.check()


def test_missing_credentials_are_noticed_at_once() -> None:
    with pytest.raises(CredentialsError):
        TwilioCarrier(config("http://127.0.0.1:9", auth_token=""), FixedClock())


# -- the published description ------------------------------------------------------------------


async def test_every_request_is_as_twilio_describes_it() -> None:
    numbers = replying(200, {"incoming_phone_numbers": [], "next_page_uri": None})
    callers = replying(200, {"outgoing_caller_ids": [], "next_page_uri": None})
    detecting = ORDER._replace(amd=AmdMode.CARRIER)
    async with (
        serving(created, created, created, updated, updated, updated, updated,
                page(), numbers, callers, numbers) as server,
        carrier_at(server.url) as carrier,
    ):  # fmt: skip
        for order in (ORDER, detecting, detecting._replace(detect_message_end=True)):
            await carrier.place(order)
        await carrier.hang_up(SID)
        await carrier.cancel(SID)
        await carrier.redirect(SID, "https://dialer.example.com/x")
        await carrier.fetch(SID)
        await carrier.find(TO, FROM, NOW)
        await carrier.owned_numbers()
        await carrier.check()

    assert len(server.seen) == 11
    for seen in server.seen:
        request = (seen.method, seen.path, seen.raw_query, seen.raw_body)
        assert twilio_spec().check_request(*request) == []


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port
