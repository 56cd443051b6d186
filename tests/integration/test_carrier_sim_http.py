"""The simulated carrier over HTTP, through Twilio's own SDK; everything that passes is judged."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from dialer import clock
from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.http_poster import HttpPoster
from dialer.carrier_sim.main import listen, serve
from dialer.carrier_sim.numbers import Numbers
from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, SimOptions
from dialer.carrier_sim.truth import read_truth
from dialer.carrier_sim.webhook import Failure, WebhookFailedError, WebRequest
from dialer.errors import UnreachableError
from tests.support.carrier_sim import (
    ACCOUNT,
    BUSY,
    CALLER,
    HUMAN,
    INVALID,
    MACHINE,
    REJECTING,
    SILENT,
)
from tests.support.http_sim import SPEED, TOKEN, Dialer, SdkHttp, Webhook, World, world

T = TypeVar("T")

PAYLOADS: Final = Path(__file__).parent.parent / "data" / "twilio_payloads.json"
RECORDED: Final[dict[str, Any]] = {
    item["id"]: item["payload"] for item in json.loads(PAYLOADS.read_text())["items"]
}


UNHURRIED: Final = 10.0  # for what has to happen within seconds of the clock


def run(main: Coroutine[Any, Any, T], speed: float = SPEED) -> T:
    return clock.run(main, clock.TimeScale.starting_now(speed))


# -- placing calls --------------------------------------------------------------------------------


def test_a_call_is_placed_followed_and_found_through_the_sdk() -> None:
    async def main() -> None:
        async with world() as w:
            placed = await w.place(HUMAN)
            assert placed.status in {"queued", "ringing"}  # as fast as the machine is
            assert (placed.to, placed.direction) == (HUMAN, "outbound-api")
            assert placed.start_time is None or placed.start_time >= placed.date_created

            await w.until_over()
            found = await w.client.calls(placed.sid).fetch_async()
            (truth,) = w.truth()
            assert (found.status, found.duration) == ("completed", str(truth.duration_s))
            assert found.end_time is not None
            assert w.dialer.statuses(placed.sid)[-1] == "completed"

    run(main())


@pytest.mark.parametrize(
    ("to", "status", "sip"),
    [
        (BUSY, "busy", "486"),
        (SILENT, "no-answer", "487"),
        (REJECTING, "no-answer", "603"),
        (INVALID, "failed", "404"),
    ],
)
def test_calls_nobody_answers_end_as_the_recorded_ones(to: str, status: str, sip: str) -> None:
    async def main() -> Webhook:
        async with world() as w:
            await w.place(to)
            await w.until_over()
            return w.dialer.to("/status/")[-1]

    last = run(main())

    assert (last.form["CallStatus"], last.form["SipResponseCode"]) == (status, sip)
    assert last.form["CallDuration"] == "0"


@pytest.mark.parametrize(
    ("parameters", "code", "status"),
    [
        ({"to": "12345"}, 21211, 400),
        ({"to": "+15005550004"}, 21216, 400),
        ({"from_": "+12025550199"}, 21210, 400),
        ({"machine_detection": "On"}, 21234, 400),
    ],
)
def test_what_cannot_be_placed_is_refused_as_twilio_does(
    parameters: dict[str, Any], code: int, status: int
) -> None:
    async def main() -> TwilioRestException:
        async with world(numbers=Numbers((CALLER,))) as w:
            with pytest.raises(TwilioRestException) as refused:
                await w.place(**({"to": HUMAN} | parameters))
            w.judge.findings.clear()  # the request was wrong on purpose
            assert w.truth() == []
            return refused.value

    error = run(main())

    assert (error.code, error.status) == (code, status)


def test_the_answer_has_the_fields_and_headers_of_recorded_ones() -> None:
    async def main() -> Any:
        async with world() as w:
            return await w.client.calls.create_with_http_info_async(
                to=HUMAN, from_=CALLER, twiml="<Response/>"
            )

    response = run(main())

    assert response.status_code == 201
    expected = {"Twilio-Concurrent-Requests", "Twilio-Request-Duration", "Twilio-Request-Id"}
    assert expected <= set(RECORDED["api.headers.create"])
    assert {name.lower() for name in expected} <= {name.lower() for name in response.headers}


def test_resources_have_the_fields_of_the_recorded_one() -> None:
    async def main() -> dict[str, Any]:
        async with world() as w, aiohttp.ClientSession() as session:
            placed = await w.place(HUMAN)
            url = f"{w.base_url}/2010-04-01/Accounts/{ACCOUNT}/Calls/{placed.sid}.json"
            async with session.get(url, headers=credentials(ACCOUNT, TOKEN)) as response:
                assert response.headers["Content-Type"] == "application/json"
                body: dict[str, Any] = await response.json()
                return body

    recorded = dict(RECORDED["api.call_resource.completed"])
    del recorded["annotation"]  # sent by the live API, absent from its description

    assert set(run(main())) == set(recorded)


def credentials(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "account", "status"),
    [
        ({}, ACCOUNT, 401),
        ({"Authorization": "Bearer x"}, ACCOUNT, 401),
        ({"Authorization": "Basic !"}, ACCOUNT, 401),
        (credentials(ACCOUNT, "wrong"), ACCOUNT, 401),
        (credentials(ACCOUNT, TOKEN), "AC" + "f" * 32, 404),
        (credentials(ACCOUNT, TOKEN), ACCOUNT, 200),
    ],
)
def test_only_the_account_is_let_in(headers: dict[str, str], account: str, status: int) -> None:
    async def main() -> int:
        async with world() as w, aiohttp.ClientSession(headers=headers) as session:
            url = f"{w.base_url}/2010-04-01/Accounts/{account}/Calls.json"
            async with session.get(url) as response:
                return response.status

    assert run(main()) == status


# -- lists, changes, numbers ----------------------------------------------------------------------


def test_lists_are_filtered_and_followed_page_by_page() -> None:
    async def main() -> None:
        async with world() as w:
            placed = [(await w.place(to)).sid for to in (BUSY, INVALID, BUSY, INVALID, BUSY)]
            await w.until_over()

            everything = await w.client.calls.list_async(page_size=2)
            assert [call.sid for call in everything] == placed[::-1]
            busy = await w.client.calls.list_async(to=BUSY, from_=CALLER, status="busy")
            assert [call.sid for call in busy] == placed[::-2]
            assert await w.client.calls.list_async(to=HUMAN) == []
            (newest,) = await w.client.calls.list_async(limit=1, page_size=1)
            assert newest.sid == placed[-1]
            since = clock.SystemClock().now() / 1000 - 86_400
            day = everything[0].date_created.fromtimestamp(since, everything[0].date_created.tzinfo)
            assert len(await w.client.calls.list_async(start_time_after=day)) == 5

    run(main())


def test_calls_are_hung_up_redirected_and_deleted() -> None:
    async def main() -> None:
        async with world(speed=UNHURRIED) as w:
            placed = await w.place(HUMAN, time_limit=600)
            await w.until(lambda: w.dialer.to("/answer"))
            document = "<Response><Pause length='60'/></Response>"
            redirected = await w.client.calls(placed.sid).update_async(twiml=document)
            assert redirected.status == "in-progress"
            ended = await w.client.calls(placed.sid).update_async(status="completed")
            assert ended.status == "completed"

            with pytest.raises(TwilioRestException) as lost:
                await w.client.calls(placed.sid).update_async(status="completed")
            assert lost.value.code == 21220
            assert await w.client.calls(placed.sid).delete_async()
            with pytest.raises(TwilioRestException) as unknown:
                await w.client.calls(placed.sid).fetch_async()
            assert unknown.value.code == 20404
            assert w.truth()[0].ended_by == "caller"

    run(main(), UNHURRIED)


def test_numbers_are_listed() -> None:
    async def main() -> None:
        async with world(
            numbers=Numbers(("+12025550111", "+12025550112"), ("+442079460001",))
        ) as w:
            bought = await w.client.incoming_phone_numbers.list_async(page_size=1)
            assert [number.phone_number for number in bought] == ["+12025550111", "+12025550112"]
            assert bought[0].capabilities["voice"] is True
            one = await w.client.incoming_phone_numbers.list_async(phone_number="+12025550112")
            assert [number.friendly_name for number in one] == ["(202) 555-0112"]
            none = await w.client.incoming_phone_numbers.list_async(friendly_name="Sales")
            assert none == []
            verified = await w.client.outgoing_caller_ids.list_async()
            assert [number.phone_number for number in verified] == ["+442079460001"]

    run(main())


# -- callbacks ------------------------------------------------------------------------------------


def webhooks(to: str, dialer: Dialer | None = None, **parameters: Any) -> list[Webhook]:
    """Everything the carrier sends about one call."""

    async def main() -> list[Webhook]:
        async with world(dialer) as w:
            await w.place(to, **parameters)
            await w.until_over()
            await asyncio.sleep(5)  # a verdict may follow the end
            return w.dialer.webhooks

    return run(main())


AMD: Final = {"machine_detection": "Enable", "async_amd": "true"}


def test_webhooks_are_signed_and_headed_like_recorded_ones() -> None:
    sent = webhooks(MACHINE)

    assert len(sent) == 5
    assert {hook.url.rpartition("/")[2] for hook in sent} == {"answer", "attempt-1"}
    for hook in sent:
        signature = hook.headers["x-twilio-signature"]
        assert RequestValidator(TOKEN).validate(hook.url, hook.form, signature)
        assert not RequestValidator("other").validate(hook.url, hook.form, signature)
        assert set(RECORDED["webhook.headers"]) <= set(hook.headers)
        for name in ("content-type", "accept", "user-agent", "x-home-region"):
            assert hook.headers[name] == RECORDED["webhook.headers"][name]
    tokens = {hook.headers["i-twilio-idempotency-token"] for hook in sent}
    assert len(tokens) == len(sent)


def test_status_callbacks_have_the_fields_of_recorded_ones() -> None:
    sent = {hook.form["CallStatus"]: hook.form for hook in webhooks(MACHINE) if "/st" in hook.url}

    assert set(sent["initiated"]) == set(RECORDED["status.initiated.seq0"])
    assert set(sent["completed"]) == set(RECORDED["status.completed.seq0.2026"])
    assert set(sent["ringing"]) == set(sent["in-progress"]) == set(sent["initiated"])
    assert sent["completed"]["AccountSid"] == ACCOUNT
    assert sent["completed"]["Timestamp"].endswith(" +0000")


@pytest.mark.parametrize(
    ("to", "like"), [(BUSY, "status.busy.sip487"), (SILENT, "status.busy.sip487")]
)
def test_final_callbacks_of_unanswered_calls_have_the_fields_of_recorded_ones(
    to: str, like: str
) -> None:
    assert set(webhooks(to)[-1].form) == set(RECORDED[like])


def test_an_invalid_number_is_told_by_the_fields_seen_elsewhere() -> None:
    last = webhooks(INVALID)[-1].form

    reported = RECORDED["status.failed.error_fields"]
    assert set(reported) <= set(last)
    for name in ("ErrorCode", "ErrorMessage", "SipResponseCode", "CallStatus"):
        assert last[name] == reported[name]


def test_the_request_for_a_document_has_the_fields_of_the_recorded_one() -> None:
    (asked,) = [hook.form for hook in webhooks(HUMAN) if "/answer" in hook.url]

    assert set(asked) == set(RECORDED["twiml_request.outbound.2026"])


def test_an_asynchronous_verdict_has_the_fields_of_reported_ones() -> None:
    dialer = Dialer()
    sent = webhooks(MACHINE, dialer, **AMD, async_amd_status_callback="http://127.0.0.1:9/never")
    assert not any("amd" in hook.url for hook in sent)

    async def main() -> tuple[dict[str, str], str]:
        async with world() as w:
            callback = f"{w.dialer.url}/amd"
            placed = await w.place(MACHINE, **AMD, async_amd_status_callback=callback)
            await w.until_over()
            found = await w.client.calls(placed.sid).fetch_async()
            return w.dialer.to("/amd")[0].form, found.answered_by

    form, answered_by = run(main())

    assert set(form) == set(RECORDED["amd.async.machine_start"])
    assert form["AnsweredBy"] == answered_by == "machine_start"


def test_a_get_callback_carries_its_parameters_signed_in_the_address() -> None:
    sent = webhooks(BUSY, status_callback_method="GET")

    assert {hook.method for hook in sent} == {"GET"}
    for hook in sent:
        assert RequestValidator(TOKEN).validate(hook.url, {}, hook.headers["x-twilio-signature"])
    assert sent[-1].form["CallStatus"] == "busy"


def test_overrides_decide_about_retries_of_one_webhook() -> None:
    sent = webhooks(INVALID, Dialer(status=503))

    assert sorted(hook.form["CallStatus"] for hook in sent) == ["failed"] * 3 + ["initiated"] * 3
    assert len({hook.headers["i-twilio-idempotency-token"] for hook in sent}) == 2


async def failure_at(server: asyncio.Server | None, url: str = "") -> Failure:
    """How a request fails at *server*, or at *url*."""
    if server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    request = WebRequest(url, "POST", {"a": "1"}, "token", connect_s=5, read_s=0.05)
    async with HttpPoster("secret") as poster:
        with pytest.raises(WebhookFailedError) as failed:
            await poster.post(request)
    return failed.value.kind


async def test_failures_are_told_apart_by_how_far_a_request_came() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"good day\r\n\r\n")
        writer.close()

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    kinds = []
    for manners in (silent, babbling, closing):
        server = await asyncio.start_server(manners, "127.0.0.1", 0)
        kinds.append(await failure_at(server))
        server.close()

    assert kinds == [Failure.READ, Failure.READ, Failure.CONNECT]
    assert await failure_at(None, "http://127.0.0.1:1/") is Failure.CONNECT
    assert await failure_at(None, "http://[/") is Failure.READ


# -- faults on the wire ---------------------------------------------------------------------------


def failure_of(faults: str) -> tuple[BaseException, World]:
    """What the SDK raises when the first create meets *faults*."""

    async def main() -> tuple[BaseException, World]:
        async with world(faults=Faults.parse(faults)) as w:
            with pytest.raises((TwilioRestException, aiohttp.ClientError)) as failed:
                await w.place(BUSY)
            await w.until_over()
            return failed.value, w

    return run(main())


def test_a_refusal_for_want_of_room_places_nothing() -> None:
    error, w = failure_of("refuse_429=1")

    assert isinstance(error, TwilioRestException)
    assert (error.status, error.code) == (429, 20429)
    assert w.truth() == []


def test_an_error_may_hide_a_call() -> None:
    error, w = failure_of("error_after=1")

    assert isinstance(error, TwilioRestException)
    assert error.status == 500
    assert [call.status for call in w.truth()] == ["busy"]


def test_a_dropped_connection_may_hide_a_call() -> None:
    error, w = failure_of("drop_after=1")

    assert isinstance(error, aiohttp.ServerDisconnectedError)
    assert [call.status for call in w.truth()] == ["busy"]
    assert [form.form["CallStatus"] for form in w.dialer.to("/status/")][-1] == "busy"


def test_a_client_that_gives_up_may_have_a_call_within_the_bound() -> None:
    async def main() -> World:
        async with world(speed=UNHURRIED, faults=Faults.parse("slow_accept=1")) as w:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):
                    await w.place(BUSY)
            await w.until(w.truth)
            await w.until_over()
            return w

    (call,) = run(main(), UNHURRIED).truth()

    assert call.arrived_at is not None
    assert 10_000 < call.accepted_at - call.arrived_at <= 30_000


def test_a_request_whose_sender_has_hung_up_places_no_call() -> None:
    async def main() -> World:
        async with world() as w:
            host, port = w.base_url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            authorization = credentials(ACCOUNT, TOKEN)["Authorization"]
            body = f"To=%2B15005550100&From=%2B12025550111&Url={w.dialer.url}/answer"
            head = (
                f"POST /2010-04-01/Accounts/{ACCOUNT}/Calls.json HTTP/1.1\r\nHost: sim\r\n"
                f"Authorization: {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(f"{head}{body}".encode())
            writer.close()
            await w.until(lambda: any(event["event"] == "refused" for event in w.log.events))
            return w

    w = run(main())

    assert w.truth() == []
    assert w.log.events[-1]["why"] == "sender_gone"


def test_a_list_may_be_slow_and_still_be_true() -> None:
    async def main() -> None:
        async with world(faults=Faults.parse("slow_list=1")) as w:
            placed = await w.place(BUSY)
            loop = asyncio.get_running_loop()
            asked_s = loop.time()
            assert [call.sid for call in await w.client.calls.list_async()] == [placed.sid]
            assert loop.time() - asked_s >= 2

    run(main())


# -- the process ----------------------------------------------------------------------------------

START: Final = """
import sys
from pathlib import Path
from dialer.carrier_sim.main import serve
from dialer.carrier_sim.options import SimOptions
from dialer.clock import TimeScale
serve(SimOptions(truth=Path(sys.argv[1]), scale=TimeScale.parse(sys.argv[2])))
"""


@contextmanager
def simulator(truth: Path, scale: clock.TimeScale) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of its own; ends with SIGTERM, and has to end well."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, truth, str(scale)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert announced["account_sid"] == DEMO_ACCOUNT_SID
        yield process, announced["url"]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def state(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_sim/state") as response:
        found: dict[str, Any] = json.load(response)
        return found


async def sdk_calls(url: str, places: int) -> list[str]:
    async with SdkHttp(url) as http:
        client = Client(DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, http_client=http)
        for _ in range(places):
            await client.calls.create_async(to=HUMAN, from_=CALLER, twiml="<Response/>")
        return [call.sid for call in await client.calls.list_async()]


def test_the_process_ends_well_and_its_next_life_knows_every_call(tmp_path: Path) -> None:
    truth, scale = tmp_path / "truth.jsonl", clock.TimeScale.starting_now(SPEED)

    with simulator(truth, scale) as (process, url):
        first = asyncio.run(sdk_calls(url, places=2))
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0

    with simulator(truth, scale) as (process, url):
        both = asyncio.run(sdk_calls(url, places=1))
        assert state(url)["accepted"] == 3
        process.kill()

    assert both[1:] == first
    assert sorted(call.sid for call in read_truth(truth)) == sorted(both)


def test_a_port_in_use_is_named_with_the_cure() -> None:
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UnreachableError, match=rf"127\.0\.0\.1:{port}.*port 0"):
            serve(SimOptions(port=port))


def test_health_and_state_need_no_credentials() -> None:
    async def main() -> None:
        async with world() as w, aiohttp.ClientSession() as session:
            await w.place(BUSY)
            await w.until_over()
            async with session.get(f"{w.base_url}/healthz") as response:
                assert await response.json() == {"status": "ok"}
            async with session.get(f"{w.base_url}/_sim/state") as response:
                found = await response.json()
            assert found["accepted"] == 1
            assert found["calls"] == {"busy": 1}
            assert found["callbacks"] == {"answered": 3, "failed": 0}

    run(main())
