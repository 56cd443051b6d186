"""The carrier's requests through the whole application: who gets in, what is kept, what is said."""

import asyncio
import json
import random
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
import structlog
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator

from dialer import __version__
from dialer.carriers import twiml
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.carriers.twilio_config import TwilioConfig
from dialer.errors import StoreBusyError, StoreError
from dialer.meters import NO_METERS, Meters, WebhookResult
from dialer.model import (
    PROBE,
    Agent,
    AgentKind,
    AttemptId,
    CallEvent,
    CallSid,
    CarrierStatus,
    EventSource,
    InboundCall,
    Script,
)
from dialer.web.app import create_app
from dialer.web.callbacks import MAX_BODY_BYTES
from dialer.web.services import Checks, WebServices

ATTEMPT = AttemptId("0123456789abcdef0123456789abcdef")
ACCOUNT = "AC00000000000000000000000000000001"
SID = "CA00000000000000000000000000000001"
TOKEN = "5ec2e7"
PUBLIC_URL = "https://dialer.example.com"
NOW = 1_767_571_200_000
STATUS, AMD, ANSWER, MESSAGE, KEYPRESS, LEFT, CONNECT, IDENTIFY, TRANSCRIPT = (
    f"/twilio/{topic}/{ATTEMPT}"
    for topic in (
        *("status", "amd", "answer", "message", "keypress"),
        *("left", "connect", "identify", "transcript"),
    )
)
TOPICS = (STATUS, AMD, ANSWER, MESSAGE, KEYPRESS, LEFT, CONNECT, IDENTIFY, TRANSCRIPT)
FORM = {
    "AccountSid": ACCOUNT,
    "AnsweredBy": "human",
    "CallSid": SID,
    "CallStatus": "in-progress",
    "CalledCity": "São Paulo",
    "FromCity": "",
    "To": "+12025550102",
}
SCRIPT = Script(
    ATTEMPT, Agent(AgentKind.MESSAGE, "Hello {{name}}", {}), {"name": "Ann"}, None, "+1", 600
)
RECORDED = [
    item
    for item in json.loads(
        (Path(__file__).parents[1] / "data" / "twilio_payloads.json").read_text("utf-8")
    )["items"]
    if item["kind"] == "status_callback" and item["transport"] == "form"
]


class FixedClock:
    def now(self) -> int:
        return NOW


@dataclass
class Engine:
    """What is behind the door: keeps events, knows one script, fails on demand."""

    events: list[CallEvent] = field(default_factory=list)
    script: Script | None = SCRIPT
    checks: Checks = field(default_factory=lambda: {"database": None, "carrier": None})
    store_trouble: Exception | None = None
    script_trouble: Exception | None = None
    health_trouble: Exception | None = None
    opted_out: list[AttemptId] = field(default_factory=list)
    opt_out_troubles: list[Exception] = field(default_factory=list)
    inbound: list[InboundCall] = field(default_factory=list)
    callers_out: list[InboundCall] = field(default_factory=list)

    async def receive(self, event: CallEvent) -> None:
        if self.store_trouble is not None:
            raise self.store_trouble
        self.events.append(event)

    async def script_of(self, attempt_id: AttemptId) -> Script | None:
        if self.script_trouble is not None:
            raise self.script_trouble
        return self.script if attempt_id == ATTEMPT else None

    async def opt_out(self, attempt_id: AttemptId) -> None:
        if self.opt_out_troubles:
            raise self.opt_out_troubles.pop(0)
        self.opted_out.append(attempt_id)

    async def note_inbound(self, call: InboundCall) -> None:
        if self.opt_out_troubles:
            raise self.opt_out_troubles.pop(0)
        self.inbound.append(call)

    async def opt_out_caller(self, call: InboundCall) -> None:
        if self.opt_out_troubles:
            raise self.opt_out_troubles.pop(0)
        self.callers_out.append(call)

    async def health(self) -> Checks:
        if self.health_trouble is not None:
            raise self.health_trouble
        return self.checks


async def unasked(_kind: str, _value: str) -> bool:
    raise AssertionError("nobody has a token for this")


class Carrier:
    """Speaks to the application as Twilio does, through its public address."""

    def __init__(self, engine: Engine, **changes: Any) -> None:
        config = TwilioConfig(account_sid=ACCOUNT, auth_token=TOKEN, public_url=PUBLIC_URL)
        services = WebServices(
            door=TwilioCallbacks(config),
            clock=FixedClock(),
            receive=changes.get("receive", engine.receive),
            script=changes.get("script", engine.script_of),
            heard=changes.get("script", engine.script_of),
            opt_out=engine.opt_out,
            note_inbound=engine.note_inbound,
            opt_out_caller=engine.opt_out_caller,
            incoming_message=changes.get("incoming_message", "Nobody is here. Press 9."),
            opt_out_by=unasked,
            health=engine.health,
            meters=changes.get("meters", NO_METERS),
        )
        self.app = create_app(services)
        # The host is not the public one: behind a proxy it never is.
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app), base_url="http://10.0.0.1:8080"
        )

    async def post(
        self, target: str, form: Mapping[str, str] | None = None, **headers: str
    ) -> httpx2.Response:
        """Signed as it should be; *headers* overrule."""
        form = FORM if form is None else form
        signature = RequestValidator(TOKEN).compute_signature(PUBLIC_URL + target, form)
        named = {"X-Twilio-Signature": signature} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await self.send(target, urlencode(form).encode(), named)

    async def send(self, target: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        form_type = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.http.post(target, content=body, headers=form_type | dict(headers))


@asynccontextmanager
async def carrier_for(engine: Engine, **changes: Any) -> AsyncIterator[Carrier]:
    carrier = Carrier(engine, **changes)
    async with carrier.http:
        yield carrier


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    structlog.reset_defaults()
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def engine(logged: object) -> Engine:
    return Engine()


# -- who gets in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TOPICS)
async def test_the_carrier_gets_in(engine: Engine, target: str) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.post(target)

    assert response.status_code in {200, 204}


@pytest.mark.parametrize("target", TOPICS)
@pytest.mark.parametrize("signature", ["", "AAAA", "8yMHd0yKAvwY3hUAPhyCqnlPmLI="])
async def test_nobody_else_does(
    engine: Engine, logged: list[dict[str, Any]], target: str, signature: str
) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.post(target, X_Twilio_Signature=signature)

    assert (response.status_code, response.content) == (403, b"")
    assert engine.events == []
    (line,) = logged
    assert line["event"] == "callback.refused"
    assert FORM["To"][1:] not in repr(line)


async def test_the_doctor_is_answered_as_anybody_and_looks_like_no_intruder(
    engine: Engine, logged: list[dict[str, Any]]
) -> None:
    target = f"/twilio/status/{PROBE}"
    async with carrier_for(engine) as carrier:
        unsigned = await carrier.post(target, {}, X_Twilio_Signature="")
        signed = await carrier.post(target, {})

    assert (unsigned.status_code, signed.status_code) == (403, 400)
    assert engine.events == []
    assert [(line["event"], line["log_level"], line["signed"]) for line in logged] == [
        ("callback.probed", "info", False), ("callback.probed", "info", True),
    ]  # fmt: skip


async def test_without_a_signature_nobody_gets_in(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.send(STATUS, urlencode(FORM).encode(), {})

    assert response.status_code == 403


async def test_headers_of_a_proxy_change_nothing(engine: Engine) -> None:
    lies: dict[str, Any] = {
        "Host": "evil.example.com",
        "X_Forwarded_Host": "evil.example.com",
        "X_Forwarded_Proto": "http",
    }
    async with carrier_for(engine) as carrier:
        assert (await carrier.post(STATUS, **lies)).status_code == 204


async def test_the_address_is_signed_as_it_was_sent(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        for query in ("?a=1&b=2", "?b=2&a=1", "?a=%20b", "?a=+b", "?a="):
            assert (await carrier.post(STATUS + query)).status_code == 204


async def test_thousands_of_altered_requests_are_turned_away(engine: Engine) -> None:
    rng = random.Random(20260105)
    validator = RequestValidator(TOKEN)
    tried = 0
    async with carrier_for(engine) as carrier:
        for _ in range(2_000):
            item = rng.choice(RECORDED)
            target, form, headers = STATUS, dict(item["payload"]), {}
            headers["X-Twilio-Signature"] = validator.compute_signature(PUBLIC_URL + target, form)
            target, form, headers = altered(rng, target, form, headers)
            if validator.validate(PUBLIC_URL + target, form, headers.get("X-Twilio-Signature", "")):
                continue  # a field moved across the border of name and value signs alike
            response = await carrier.send(target, urlencode(form).encode(), headers)
            assert response.status_code in {403, 404}
            tried += 1

    assert tried > 1_900
    assert engine.events == []


def altered(
    rng: random.Random, target: str, form: dict[str, str], headers: dict[str, str]
) -> tuple[str, dict[str, str], dict[str, str]]:
    """The same request with one thing changed."""
    name = rng.choice(list(form))
    signature = headers["X-Twilio-Signature"]
    at = rng.randrange(len(signature) - 1)  # the last is padding
    other_character = rng.choice([c for c in "ABCwxyz019+/" if c != signature[at]])
    other_attempt = f"{rng.getrandbits(128):032x}"
    changes: list[Callable[[], object]] = [
        lambda: form.update({name: form[name] + rng.choice("0aé ")}),
        lambda: form.update({name: form[name][1:] if form[name] else "x"}),
        lambda: form.pop(name),
        lambda: form.update({f"Extra{rng.randrange(9)}": rng.choice(["", "1"])}),
        lambda: form.update({name.upper() + "X": form.pop(name)}),
        lambda: headers.pop("X-Twilio-Signature"),
        lambda: headers.update({"X-Twilio-Signature": signature.swapcase()}),
        lambda: headers.update(
            {"X-Twilio-Signature": signature[:at] + other_character + signature[at + 1 :]}
        ),
    ]
    targets = [
        target.replace(ATTEMPT, other_attempt),
        target.replace("status", "amd"),
        target + "?" + rng.choice(["a=1", "bodySHA256=x", "%"]),
        target + "/",
        target.upper(),
    ]
    if rng.random() < 0.3:
        return rng.choice(targets), form, headers
    rng.choice(changes)()
    return target, form, headers


@pytest.mark.parametrize(
    "target",
    [
        "/twilio/status/",
        "/twilio/status",
        f"{STATUS}/",
        f"{STATUS}/more",
        f"/twilio/status/{ATTEMPT[1:]}",
        f"/twilio/status/{ATTEMPT}0",
        f"/twilio/status/{ATTEMPT.upper()}",
        f"/twilio/status/{ATTEMPT[:-1]}%0a",
        f"/twilio/status/..%2f{ATTEMPT}",
        f"//twilio/status/{ATTEMPT}",
        f"/twilio/other/{ATTEMPT}",
    ],
)
async def test_an_address_that_is_not_ours_is_not_found_nor_redirected(
    engine: Engine, target: str
) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.post(target)

    assert response.status_code == 404
    assert engine.events == []


async def test_callbacks_are_posted(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        assert (await carrier.http.get(STATUS)).status_code == 405


@pytest.mark.parametrize("target", TOPICS)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_not_read(
    engine: Engine, target: str, chunked: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 4_096

    async with carrier_for(engine) as carrier:
        content: Any = chunks() if chunked else b"x" * (MAX_BODY_BYTES + 1)
        response = await carrier.http.post(target, content=content)

    assert response.status_code == 413


async def test_a_body_at_the_limit_is_read(engine: Engine) -> None:
    filler = "x" * (MAX_BODY_BYTES - len(urlencode(FORM | {"Z": ""})))
    async with carrier_for(engine) as carrier:
        assert (await carrier.post(STATUS, FORM | {"Z": filler})).status_code == 204


async def test_a_sender_that_hangs_up_midway_is_let_go(engine: Engine) -> None:
    async def send_half_and_leave(scope: Any, _: Any, send: Any) -> None:
        parts = iter([{"type": "http.request", "body": b"CallSid", "more_body": True}])

        async def receive() -> dict[str, Any]:
            return next(parts, {"type": "http.disconnect"})

        await application(scope, receive, send)

    async with carrier_for(engine) as carrier:
        application = carrier.app
        transport = httpx2.ASGITransport(send_half_and_leave)
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
            assert (await http.post(STATUS)).status_code == 400


# -- news ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", RECORDED, ids=lambda item: str(item["id"]))
async def test_recorded_news_is_kept(engine: Engine, item: dict[str, Any]) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.post(STATUS, item["payload"])

    assert (response.status_code, response.content) == (204, b"")
    (event,) = engine.events
    assert (event.attempt_id, event.received_at) == (ATTEMPT, NOW)
    assert event.status == item["payload"]["CallStatus"]


async def test_a_verdict_is_kept(engine: Engine) -> None:
    verdict = {"CallSid": SID, "AccountSid": ACCOUNT, "AnsweredBy": "machine_end_beep"}
    async with carrier_for(engine) as carrier:
        assert (await carrier.post(AMD, verdict)).status_code == 204

    (event,) = engine.events
    assert (event.source, event.answered_by) == (EventSource.AMD, "machine_end_beep")


async def test_repeats_are_passed_on(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        for _ in range(3):
            assert (await carrier.post(STATUS)).status_code == 204

    assert engine.events == [engine.events[0]] * 3


@pytest.mark.parametrize("target", [STATUS, AMD])
async def test_a_body_that_is_no_news_is_rejected(engine: Engine, target: str) -> None:
    async with carrier_for(engine) as carrier:
        assert (await carrier.post(target, {"AccountSid": ACCOUNT})).status_code == 400

    assert engine.events == []


@pytest.mark.parametrize("target", [STATUS, AMD])
@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        (StoreError("disk full"), 503, "event.refused"),
        (OSError(), 500, "event.lost"),
        (ValueError(), 500, "event.lost"),
    ],
)
async def test_news_that_cannot_be_kept_is_asked_for_again(
    engine: Engine,
    logged: list[dict[str, Any]],
    target: str,
    trouble: Exception,
    status: int,
    said: str,
) -> None:
    engine.store_trouble = trouble
    async with carrier_for(engine) as carrier:
        assert (await carrier.post(target)).status_code == status
        engine.store_trouble = None
        assert (await carrier.post(target)).status_code == 204

    assert [line["event"] for line in logged] == [said]
    assert len(engine.events) == 1


async def test_news_is_acknowledged_only_once_it_is_durable(engine: Engine) -> None:
    durable, asked = asyncio.Event(), asyncio.Event()

    async def receive(event: CallEvent) -> None:
        asked.set()
        await durable.wait()

    async with carrier_for(engine, receive=receive) as carrier, asyncio.TaskGroup() as group:
        request = group.create_task(carrier.post(STATUS))
        await asked.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not request.done()
        durable.set()

    assert request.result().status_code == 204


# -- what the call is to hear --------------------------------------------------------------------


async def test_an_answered_call_hears_its_script_and_is_recorded(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.post(ANSWER)

    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/xml")
    assert response.content == twiml.document(SCRIPT, PUBLIC_URL + KEYPRESS)
    (event,) = engine.events
    assert (event.source, event.status) == (EventSource.ANSWER, CarrierStatus.IN_PROGRESS)


async def test_a_machine_hears_the_message(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.post(MESSAGE)

    assert response.content == twiml.message_document(SCRIPT, PUBLIC_URL + LEFT)
    assert engine.events == []


@pytest.mark.parametrize("target", [ANSWER, MESSAGE, CONNECT, IDENTIFY])
async def test_an_attempt_nobody_knows_is_told_goodbye(engine: Engine, target: str) -> None:
    engine.script = None
    async with carrier_for(engine) as carrier:
        response = await carrier.post(target)

    assert (response.status_code, response.content) == (200, twiml.goodbye())


@pytest.mark.parametrize("target", [ANSWER, MESSAGE])
@pytest.mark.parametrize("trouble", [StoreError("disk full"), OSError(), ValueError()])
async def test_without_a_script_the_call_ends_politely(
    engine: Engine, target: str, trouble: Exception
) -> None:
    engine.script_trouble = trouble
    async with carrier_for(engine) as carrier:
        response = await carrier.post(target)

    assert (response.status_code, response.content) == (200, twiml.goodbye())


async def test_a_script_no_document_can_be_made_of_ends_politely(engine: Engine) -> None:
    broken: Any = Script(ATTEMPT, Agent(AgentKind.MESSAGE, None, {}), {}, None, "", 1)  # type: ignore[arg-type]  # a row gone wrong
    engine.script = broken
    async with carrier_for(engine) as carrier:
        assert (await carrier.post(ANSWER)).content == twiml.goodbye()


async def test_an_answer_that_cannot_be_recorded_is_still_spoken_to(
    engine: Engine, logged: list[dict[str, Any]]
) -> None:
    engine.store_trouble = StoreError("disk full")
    async with carrier_for(engine) as carrier:
        response = await carrier.post(ANSWER)

    assert (response.status_code, response.content) == (
        200,
        twiml.document(SCRIPT, PUBLIC_URL + KEYPRESS),
    )
    assert [line["event"] for line in logged] == ["answer.unrecorded"]


async def test_a_question_without_a_call_is_still_answered(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.post(ANSWER, {"AccountSid": ACCOUNT})

    assert (response.status_code, response.content) == (
        200,
        twiml.document(SCRIPT, PUBLIC_URL + KEYPRESS),
    )
    assert engine.events == []


@pytest.mark.parametrize("slow", ["receive", "script"])
async def test_nobody_on_the_line_waits_for_ever(engine: Engine, slow: str) -> None:
    async def never(_: object) -> Any:
        await asyncio.Event().wait()

    changes: dict[str, Any] = {slow: never, "patience_s": 0.02}
    async with carrier_for(engine, **changes) as carrier:
        response = await carrier.post(ANSWER)

    expected = (
        twiml.document(SCRIPT, PUBLIC_URL + KEYPRESS) if slow == "receive" else twiml.goodbye()
    )
    assert (response.status_code, response.content) == (200, expected)


# -- health --------------------------------------------------------------------------------------


async def test_alive_does_not_ask_the_database(engine: Engine) -> None:
    engine.health_trouble = StoreError("gone")
    async with carrier_for(engine) as carrier:
        response = await carrier.http.get("/healthz")

    assert (response.status_code, response.text) == (200, "ok")


async def test_ready_when_every_check_passes(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        response = await carrier.http.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"ready": True, "checks": ["carrier", "database"], "failed": {}}


async def test_not_ready_names_what_failed(engine: Engine) -> None:
    engine.checks = {"database": "locked", "carrier": None}
    async with carrier_for(engine) as carrier:
        response = await carrier.http.get("/readyz")

    assert response.status_code == 503
    assert response.json()["failed"] == {"database": "locked"}


async def test_not_ready_when_nobody_can_tell(engine: Engine) -> None:
    engine.health_trouble = OSError("secret place")
    async with carrier_for(engine) as carrier:
        response = await carrier.http.get("/readyz")

    assert response.status_code == 503
    assert response.json()["failed"] == {"health": "cannot be told: OSError"}


async def test_the_version_is_told(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        assert (await carrier.http.get("/version")).json() == {"version": __version__, "daemon": ""}


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_the_description_of_the_api_is_hidden(engine: Engine, path: str) -> None:
    async with carrier_for(engine) as carrier:
        assert (await carrier.http.get(path)).status_code == 404


# -- no more calls -------------------------------------------------------------------------------


async def test_whoever_presses_the_key_is_listed_and_then_told_so(engine: Engine) -> None:
    engine.opt_out_troubles = [StoreBusyError("locked for a moment")]

    async with carrier_for(engine) as carrier:
        reply = await carrier.post(KEYPRESS, FORM | {"Digits": "9"})

    assert engine.opted_out == [ATTEMPT]
    assert (reply.status_code, spoken_in(reply)) == (200, [twiml.DEFAULT_REPLY])


@pytest.mark.parametrize("form", [FORM, FORM | {"Digits": "1"}, FORM | {"Digits": ""}])
async def test_another_key_asks_for_nothing(engine: Engine, form: dict[str, str]) -> None:
    async with carrier_for(engine) as carrier:
        reply = await carrier.post(KEYPRESS, form)

    assert (engine.opted_out, spoken_in(reply)) == ([], [])


async def test_nobody_is_promised_what_could_not_be_written(
    engine: Engine, logged: list[dict[str, Any]]
) -> None:
    engine.opt_out_troubles = [ZeroDivisionError("a fault of ours")]

    async with carrier_for(engine) as carrier:
        reply = await carrier.post(KEYPRESS, FORM | {"Digits": "9"})

    assert (reply.status_code, spoken_in(reply)) == (200, [])
    assert [(line["event"], line["attempt"]) for line in logged] == [("opt_out.failed", ATTEMPT)]


# -- somebody calls us ---------------------------------------------------------------------------


CALLER, OUR_NUMBER = "+12025550101", "+13105550001"
INBOUND_FORM = {
    "AccountSid": ACCOUNT,
    "CallSid": SID,
    "CallStatus": "ringing",
    "Direction": "inbound",
    "From": CALLER,
    "To": OUR_NUMBER,
}
INBOUND = InboundCall(CallSid(SID), CALLER, OUR_NUMBER)
INCOMING, INCOMING_KEYPRESS = "/twilio/incoming", "/twilio/incoming/keypress"


async def test_whoever_calls_us_hears_who_called_and_how_to_be_left_alone(engine: Engine) -> None:
    async with carrier_for(engine) as carrier:
        reply = await carrier.post(INCOMING, INBOUND_FORM)

    document = ET.fromstring(reply.content)
    (gather,) = document.iter("Gather")
    assert (reply.status_code, spoken_in(reply)) == (200, ["Nobody is here. Press 9."])
    assert gather.attrib["action"] == PUBLIC_URL + INCOMING_KEYPRESS
    assert [child.tag for child in document] == ["Gather", "Hangup"]
    assert engine.inbound == [INBOUND]


async def test_without_a_message_the_call_is_ended(engine: Engine) -> None:
    async with carrier_for(engine, incoming_message=" ") as carrier:
        reply = await carrier.post(INCOMING, INBOUND_FORM)

    assert reply.content == twiml.goodbye()


async def test_a_caller_who_presses_nine_is_listed_and_then_told_so(engine: Engine) -> None:
    engine.opt_out_troubles = [StoreBusyError("locked for a moment")]

    async with carrier_for(engine) as carrier:
        reply = await carrier.post(INCOMING_KEYPRESS, INBOUND_FORM | {"Digits": "9"})

    assert engine.callers_out == [INBOUND]
    assert spoken_in(reply) == [twiml.DEFAULT_REPLY]


@pytest.mark.parametrize(
    "change",
    [
        {"Digits": "1"},
        {"Digits": ""},
        {"Digits": "9", "From": "anonymous"},
        {"Digits": "9", "From": "+266696687"},  # "anonymous" on a telephone's keys
        {"Digits": "9", "From": "sip:ann@example.com"},
    ],
)
async def test_who_presses_another_key_or_shows_no_number_is_not_listed(
    engine: Engine, change: dict[str, str]
) -> None:
    async with carrier_for(engine) as carrier:
        reply = await carrier.post(INCOMING_KEYPRESS, INBOUND_FORM | change)

    assert (reply.content, engine.callers_out) == (twiml.goodbye(), [])


async def test_a_caller_is_promised_nothing_that_could_not_be_written(
    engine: Engine, logged: list[dict[str, Any]]
) -> None:
    engine.opt_out_troubles = [ZeroDivisionError("a fault of ours")]

    async with carrier_for(engine) as carrier:
        reply = await carrier.post(INCOMING_KEYPRESS, INBOUND_FORM | {"Digits": "9"})

    assert reply.content == twiml.goodbye()
    assert [line["event"] for line in logged] == ["opt_out.failed"]


async def test_a_caller_is_greeted_even_if_that_cannot_be_remembered(
    engine: Engine, logged: list[dict[str, Any]]
) -> None:
    engine.opt_out_troubles = [ZeroDivisionError("a fault of ours")]

    async with carrier_for(engine) as carrier:
        reply = await carrier.post(INCOMING, INBOUND_FORM)

    assert spoken_in(reply) == ["Nobody is here. Press 9."]
    assert [line["event"] for line in logged] == ["call.inbound", "call.inbound_unrecorded"]


@pytest.mark.parametrize("target", [INCOMING, INCOMING_KEYPRESS])
async def test_only_the_carrier_may_say_that_somebody_calls(engine: Engine, target: str) -> None:
    async with carrier_for(engine) as carrier:
        forged = await carrier.post(target, INBOUND_FORM, X_Twilio_Signature="AAAA")
        empty = await carrier.post(target, {"AccountSid": ACCOUNT})

    assert (forged.status_code, empty.status_code) == (403, 400)
    assert (engine.inbound, engine.callers_out) == ([], [])


def spoken_in(reply: httpx2.Response) -> list[str | None]:
    return [say.text for say in ET.fromstring(reply.content).iter("Say")]


# -- what is counted -------------------------------------------------------------------------------


class Counting(Meters):
    """Takes down what was answered, and how many were being answered at once."""

    def __init__(self) -> None:
        self.under_way = 0
        self.answers: list[tuple[str, WebhookResult]] = []

    def webhook_began(self) -> None:
        self.under_way += 1

    def webhook_ended(self, route: str, result: WebhookResult, took_s: float) -> None:
        assert took_s >= 0
        self.under_way -= 1
        self.answers.append((route, result))


async def test_every_request_of_the_carrier_is_counted_by_address_and_answer(
    engine: Engine,
) -> None:
    meters = Counting()
    async with carrier_for(engine, meters=meters) as carrier:
        await carrier.post(STATUS)
        await carrier.post(ANSWER, X_Twilio_Signature="AAAA")
        await carrier.post(STATUS, {"CallStatus": "ringing"})
        await carrier.post("/twilio/incoming", {"CallSid": SID, "From": "x", "To": "+12025550102"})
        engine.store_trouble = RuntimeError("a defect")
        await carrier.post(AMD)
        await carrier.http.get("/healthz")

    assert meters.under_way == 0
    assert meters.answers == [
        ("status", WebhookResult.TAKEN),
        ("answer", WebhookResult.REFUSED),
        ("status", WebhookResult.REJECTED),
        ("incoming", WebhookResult.TAKEN),
        ("amd", WebhookResult.LOST),
    ]
