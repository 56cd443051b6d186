"""The judge itself: it passes what Twilio describes and objects to everything else."""

import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from tests.support.twilio_spec import twilio_spec

ACCOUNT: Final = "/2010-04-01/Accounts/AC" + "0" * 32
CALLS: Final = f"{ACCOUNT}/Calls.json"
CALL: Final = f"{ACCOUNT}/Calls/CA{'0' * 32}.json"
GOOD: Final = {"To": "+12025550101", "From": "+12025550111", "Url": "http://a.test/"}
PAYLOADS: Final = Path(__file__).parent.parent / "data" / "twilio_payloads.json"


def created(**fields: Any) -> list[str]:
    form = {name: value for name, value in (GOOD | fields).items() if value is not None}
    return twilio_spec().check_request("POST", CALLS, "", urlencode(form, doseq=True))


def test_a_full_request_passes() -> None:
    findings = created(
        StatusCallbackEvent=["initiated", "ringing", "answered", "completed"],
        Timeout=25,
        MachineDetection="Enable",
        AsyncAmd="true",
        Record="true",
    )

    assert findings == []


@pytest.mark.parametrize(
    "fields",
    [
        {"To": None},
        {"Url": None},  # none of Url, Twiml, ApplicationSid
        {"Uri": "http://a.test/"},  # unknown
        {"Timeout": 601},
        {"Timeout": "soon"},
        {"Timeout": ["20", "30"]},  # a scalar twice
        {"MachineDetection": "On"},
        {"MachineDetectionSpeechThreshold": 9000},
        {"AsyncAmd": "True"},
        {"Record": "True"},
        {"Method": "PUT"},
        {"Twiml": "x" * 4001},
        {"ApplicationSid": "AP" + "x" * 32},
        {"StatusCallbackEvent": ["ringing", "hungup"]},
    ],
)
def test_a_parameter_that_is_not_as_described_is_found(fields: dict[str, Any]) -> None:
    assert len(created(**fields)) == 1


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", CALLS, "PageSize=1001", ""),
        ("GET", CALLS, "Status=initiated", ""),
        ("GET", CALLS, "", "To=1"),
        ("POST", CALL, "", "Status=busy"),
        ("GET", CALL.replace("CA", "XX"), "", ""),
        ("GET", f"{ACCOUNT}/Messages.json", "", ""),
        ("PUT", CALLS, "", ""),
    ],
)
def test_other_requests_are_judged_too(method: str, path: str, query: str, body: str) -> None:
    assert len(twilio_spec().check_request(method, path, query, body)) == 1


def judged(status: int, body: object, method: str = "GET", path: str = CALL) -> list[str]:
    text = body if isinstance(body, str) else json.dumps(body)
    return twilio_spec().check_response(method, path, status, text)


def test_recorded_answers_pass() -> None:
    recorded = {item["id"]: item["payload"] for item in json.loads(PAYLOADS.read_text())["items"]}
    call = dict(recorded["api.call_resource.completed"])
    del call["annotation"]  # sent by the live API, absent from its description

    assert judged(200, call) == []
    for code in (20003, 20404, 21201, 21205, 21220, 20429):
        error = recorded[f"api.error.{code}"]
        assert judged(error["status"], error) == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"status": "initiated"}),  # exists in callbacks only
        (200, {"duration": 3}),
        (200, {"date_created": "2026-01-05T15:00:00Z"}),
        (200, {"surprise": True}),
        (202, {}),
        (404, {"code": 20404, "message": "m", "more_info": "http://a.test/", "status": 400}),
        (404, {"code": "20404", "message": "m", "more_info": "http://a.test/", "status": 404}),
    ],
)
def test_an_answer_that_is_not_as_described_is_found(status: int, body: object) -> None:
    assert len(judged(status, body)) == 1


def test_a_deletion_has_no_body() -> None:
    assert judged(204, "", "DELETE") == []
    assert len(judged(204, "gone", "DELETE")) == 1
