"""The simulated carrier over real HTTP on loopback, with everything that passes judged.

Clocks run fast; the processors of the machine do not, so limits that matter to a test are given in
plenty.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response as SdkResponse
from twilio.rest import Client

from dialer import clock
from dialer.carrier_sim.exchange import Exchange, Setup
from dialer.carrier_sim.http_poster import HttpPoster
from dialer.carrier_sim.intake import Intake
from dialer.carrier_sim.main import SimServer, listen, url_of
from dialer.carrier_sim.server import Credentials, create_app
from dialer.carrier_sim.truth import Call, TruthList, fold
from tests.support.carrier_sim import ACCOUNT, HOLD
from tests.support.twilio_spec import twilio_spec

TOKEN: Final = "12345"
CALL_SID: Final = re.compile(r"CA[0-9a-f]{32}")
TWILIO: Final = "https://api.twilio.com"
SPEED: Final = 100.0
PATIENCE_S: Final = 6000.0  # of the fast clock: a minute of ours


class SdkHttp(AsyncTwilioHttpClient):  # type: ignore[misc]  # the SDK ships without types
    """The SDK's own HTTP client, pointed at another server; it must be made inside the loop."""

    def __init__(self, base_url: str) -> None:
        super().__init__(pool_connections=True)
        self._base_url = base_url

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> SdkResponse:
        """Send with a header in place of the SDK's ``auth``, which aiohttp has deprecated."""
        given = {"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}
        return await super().request(
            method,
            url.replace(TWILIO, self._base_url, 1),
            params,
            data,
            {**(headers or {}), **given},
            timeout=timeout or PATIENCE_S,
            allow_redirects=allow_redirects,
        )


class Judge:
    """ASGI middleware that holds every request and response against Twilio's description."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.findings: list[str] = []
        self.judged: Counter[str] = Counter()  # by operation, as in "POST Calls.json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked, answered, status = bytearray(), bytearray(), 0

        async def hear() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answered.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, hear, say)
        if scope["path"].startswith("/2010-04-01/"):
            self._judge(scope, bytes(asked).decode(), status, bytes(answered).decode())

    def _judge(self, scope: Scope, asked: str, status: int, answered: str) -> None:
        spec, where = twilio_spec(), (scope["method"], scope["path"])
        query = scope["query_string"].decode()
        resource = CALL_SID.sub("{Sid}", scope["path"].partition("/Accounts/")[2].partition("/")[2])
        self.judged[f"{scope['method']} {resource}"] += 1
        if status < 400:
            self.findings += spec.check_request(*where, query, asked)
        if status:  # a connection that was cut has none
            self.findings += spec.check_response(*where, status, answered)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request of the carrier's as it came off the wire."""

    method: str
    url: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class Dialer:
    """The other end of the webhooks: a server that keeps them and answers with a document."""

    document: str = HOLD
    status: int = 200
    webhooks: list[Webhook] = field(default_factory=list)
    url: str = ""

    def app(self) -> ASGIApp:
        """The server, on any path."""
        return Starlette(routes=[Route("/{path:path}", self._take, methods=["GET", "POST"])])

    async def _take(self, request: Request) -> Response:
        body = (await request.body()).decode()
        pairs = parse_qsl(body or request.url.query, keep_blank_values=True, strict_parsing=True)
        url = f"{self.url}{request.url.path}"
        url += f"?{request.url.query}" if request.url.query else ""
        self.webhooks.append(Webhook(request.method, url, dict(request.headers), dict(pairs)))
        return Response(self.document, self.status, media_type="text/xml")

    def to(self, part: str) -> list[Webhook]:
        """What came to addresses that contain *part*."""
        return [webhook for webhook in self.webhooks if part in webhook.url]

    def statuses(self, sid: str) -> list[str]:
        """The CallStatus of each status callback about one call, in the order of arrival."""
        about = [hook.form for hook in self.to("/status/") if hook.form["CallSid"] == sid]
        return [form["CallStatus"] for form in about]


@dataclass
class World:
    """A carrier, a dialer to call back, and the SDK between them."""

    client: Client
    dialer: Dialer
    judge: Judge
    exchange: Exchange
    log: TruthList
    base_url: str

    def truth(self) -> list[Call]:
        """What really happened."""
        return fold(self.log.events)

    async def place(self, to: str, **parameters: Any) -> Any:
        """Create a call through the SDK, with every status event subscribed."""
        usual: dict[str, Any] = {
            "from_": "+12025550111",
            "url": f"{self.dialer.url}/answer",
            "status_callback": f"{self.dialer.url}/status/attempt-1#rc=2&rp=ct,rt,5xx",
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
            "timeout": 30,
        }
        return await self.client.calls.create_async(to=to, **(usual | parameters))

    async def until_over(self) -> None:
        """Wait until no call is live and every webhook has been delivered."""
        await self.until(lambda: not (self.exchange.counts()["live"] or self.exchange.errands))

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait for something that happens on its own."""
        for _ in range(10_000):
            if happened():
                return
            await asyncio.sleep(1)
        raise TimeoutError("it never happened")


@asynccontextmanager
async def world(
    dialer: Dialer | None = None, *, speed: float = SPEED, **setup: Any
) -> AsyncIterator[World]:
    """A carrier over HTTP; *setup* are fields of Setup. The loop has to run at *speed*."""
    scale = clock.TimeScale.starting_now(speed)
    log, other = TruthList(), dialer or Dialer()
    usual = {"cps": 100.0, "patience": speed}
    async with (
        HttpPoster(TOKEN) as poster,
        Exchange(
            Setup(ACCOUNT, **(usual | setup)),
            now=clock.SystemClock(scale).now,
            poster=poster,
            truth_log=log,
        ) as exchange,
        serving(other.app(), speed) as other.url,
    ):
        judge = Judge(create_app(exchange, Intake(exchange), Credentials(ACCOUNT, TOKEN)))
        async with serving(judge, speed) as base_url, SdkHttp(base_url) as http:
            client = Client(ACCOUNT, TOKEN, http_client=http)
            yield World(client, other, judge, exchange, log, base_url)
            assert judge.findings == []


@asynccontextmanager
async def serving(app: ASGIApp, speed: float) -> AsyncIterator[str]:
    """The address *app* is served at, on a loop that runs at *speed*."""
    with listen("127.0.0.1", 0) as listener:
        server = SimServer(app, speed)
        listening = asyncio.Event()
        server.when_listening = listening.set
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            await listening.wait()
            try:
                yield url_of(listener)
            finally:
                server.stop()
