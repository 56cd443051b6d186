"""A second opinion on Twilio: the least server that its published API documentation allows.

It knows nothing of the simulator, so that the two cannot share a misunderstanding. The last digit
of a callee decides what becomes of the call and what goes wrong on the way: each of these things
is documented, or was met with by others in the field.
"""

import asyncio
import json
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator

from dialer.clock import SystemClock

ACCOUNT: Final = "AC" + "0123456789abcdef" * 2
TOKEN: Final = "fedcba9876543210" * 2
#: Compatible servers live below a path of their own.
PREFIX: Final = "/api/laml"
STEP_S: Final = 0.05

EARLY, TWICE, BACKWARDS, FAILED, DROPPED, BUSY, SILENT, MACHINE, THROTTLED = "123456789"


@dataclass
class Call:
    """One call; its record is what the API shows of it."""

    record: dict[str, Any]
    order: dict[str, list[str]]
    found: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    sequence: int = 0

    @property
    def kind(self) -> str:
        return str(self.record["to"])[-1]


class TinyTwilio:
    """One account. Its address is what :meth:`serving` yields."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.answers: list[tuple[str, int]] = []  # what was sent to us, and the status it got
        self._signer = RequestValidator(TOKEN)
        self._throttled: Counter[str] = Counter()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The base URL while it answers."""
        api = web.Application()
        calls = f"{PREFIX}/2010-04-01/Accounts/{ACCOUNT}/Calls"
        api.router.add_post(f"{calls}.json", self._create)
        api.router.add_get(f"{calls}.json", self._list)
        api.router.add_get(f"{calls}/{{sid}}.json", self._fetch)
        api.router.add_post(f"{calls}/{{sid}}.json", self._update)
        runner = web.AppRunner(api)
        await runner.setup()
        async with aiohttp.ClientSession() as self._session, asyncio.TaskGroup() as self._lives:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}{PREFIX}"
        await runner.cleanup()

    # -- requests --------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        _check_credentials(request)
        posted = await request.post()
        order = {name: [str(value) for value in posted.getall(name)] for name in posted}
        to = order["To"][0]
        self._throttled[to] += 1
        if to[-1] == THROTTLED and self._throttled[to] == 1:
            return _error(429, 20429, "Too Many Requests", {"Retry-After": "1"})
        call = self._accepted(order)
        if call.kind == EARLY:
            await self._report(call, "initiated")
            await self._report(call, "ringing")
        self._lives.create_task(self._live(call))
        if call.kind == FAILED:
            return _error(500, 20500, "An internal server error has occurred")
        if call.kind == DROPPED:
            assert request.transport is not None, "nobody has hung up on us"
            request.transport.abort()
        return web.json_response(call.record, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        _check_credentials(request)
        wanted = [("to", request.query.get("To")), ("from", request.query.get("From"))]
        listed = [
            call
            for call in reversed(self.calls.values())
            if all(value in (None, call.record[name]) for name, value in wanted)
        ]
        for call in listed:
            call.found.set()
        page = {"page": 0, "page_size": 50, "next_page_uri": None, "previous_page_uri": None}
        return web.json_response(page | {"calls": [call.record for call in listed]})

    async def _fetch(self, request: web.Request) -> web.Response:
        _check_credentials(request)
        return web.json_response(self.calls[request.match_info["sid"]].record)

    async def _update(self, request: web.Request) -> web.Response:
        _check_credentials(request)
        call = self.calls[request.match_info["sid"]]
        if call.record["end_time"]:
            return _error(400, 21220, "Call is not in-progress. Cannot redirect.")
        assert (await request.post())["Status"] == "completed"
        call.hung_up.set()
        return web.json_response(call.record)

    # -- the life of a call ----------------------------------------------------------------------

    def _accepted(self, order: dict[str, list[str]]) -> Call:
        sid = f"CA{len(self.calls):032x}"
        record = {
            "sid": sid, "account_sid": ACCOUNT, "to": order["To"][0], "from": order["From"][0],
            "status": "queued", "direction": "outbound-api", "api_version": "2010-04-01",
            "date_created": _now(), "date_updated": _now(), "start_time": None, "end_time": None,
            "duration": None, "price": None, "answered_by": None, "queue_time": "0",
        }  # fmt: skip
        self.calls[sid] = Call(record, order)
        return self.calls[sid]

    async def _live(self, call: Call) -> None:
        if call.kind == FAILED:
            await call.found.wait()  # and not a word before
        end = {BUSY: "busy", SILENT: "no-answer"}.get(call.kind, "completed")
        steps = ["initiated", "ringing", *(["in-progress"] if end == "completed" else []), end]
        told = steps[::-1] if call.kind == BACKWARDS else steps
        for status in told[2:] if call.kind == EARLY else told:
            await asyncio.sleep(STEP_S)
            for _ in range(2 if call.kind == TWICE else 1):
                await self._report(call, status)
            if status == "in-progress":
                await self._converse(call)

    async def _converse(self, call: Call) -> None:
        """Somebody has picked up: ask what they are to hear, and say who it is."""
        await self._send(call.order["Url"], self._form(call, "in-progress"))
        machine = call.kind == MACHINE
        verdict = {"AnsweredBy": "machine_start" if machine else "human"}
        who = {"CallSid": call.record["sid"], "AccountSid": ACCOUNT}
        took = {"MachineDetectionDuration": "3200"}
        await self._send(call.order["AsyncAmdStatusCallback"], who | verdict | took)
        if machine:
            await call.hung_up.wait()

    async def _report(self, call: Call, status: str) -> None:
        form = self._form(call, status)
        call.record["status"] = "queued" if status == "initiated" else status
        form |= {
            "Timestamp": _now(),
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(call.sequence),
        }
        call.sequence += 1
        if status in {"busy", "no-answer", "completed"}:
            talk_s = "12" if status == "completed" else "0"
            call.record |= {"end_time": _now(), "duration": talk_s}
            sip = {"completed": "200"}.get(status, "487")
            form |= {"CallDuration": talk_s, "Duration": "1", "SipResponseCode": sip}
        await self._send(call.order["StatusCallback"], form)

    def _form(self, call: Call, status: str) -> dict[str, str]:
        to, from_ = call.record["to"], call.record["from"]
        return {
            "CallSid": call.record["sid"], "AccountSid": ACCOUNT, "CallStatus": status, "To": to,
            "From": from_, "Called": to, "Caller": from_, "CalledCity": "", "CallerZip": "",
            "Direction": "outbound-api", "ApiVersion": "2010-04-01",
        }  # fmt: skip

    async def _send(self, address: Sequence[str], form: dict[str, str]) -> None:
        url = address[0].partition("#")[0]  # what follows is for us, and not signed
        signature = {"X-Twilio-Signature": self._signer.compute_signature(url, form)}
        async with self._session.post(url, data=form, headers=signature) as response:
            await response.read()
            self.answers.append((url.split("/")[-2], response.status))


def _check_credentials(request: web.Request) -> None:
    kind, _, given = request.headers["Authorization"].partition(" ")
    if (kind, b64decode(given).decode()) != ("Basic", f"{ACCOUNT}:{TOKEN}"):
        raise web.HTTPUnauthorized


def _error(
    status: int, code: int, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return web.Response(
        status=status, text=json.dumps(body), content_type="application/json", headers=headers
    )


def _now() -> str:
    return format_datetime(datetime.fromtimestamp(SystemClock().now() / 1000, UTC))
