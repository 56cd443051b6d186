"""What an answer of Twilio's means: the table, the waits, and nothing of a number in the words."""

import json

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carriers.twilio_errors import REFUSALS, WAITS_S, answer_of, placement_of
from dialer.carriers.twilio_http import Exchange, OrderVoidError
from dialer.clock import SystemClock
from dialer.ports import Doubtful, NotSent, Placement, Refusal, Refused, Throttled

NOW = 1_767_571_200_000  # 2026-01-05T00:00:00Z
TROUBLE = ValueError("as the SDK would raise")


def answered(
    status: int | None, body: object = "", headers: dict[str, str] | None = None
) -> Exchange:
    noted = Exchange(SystemClock())
    noted.left = True
    noted.status = status
    noted.body = body if isinstance(body, str) else json.dumps(body)
    noted.headers = headers or {}
    return noted


def judged(status: int, body: object = "", **headers: str) -> Placement:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return placement_of(TROUBLE, answered(status, body, named), NOW)


@pytest.mark.parametrize(("code", "kind"), REFUSALS.items())
def test_every_code_of_the_table_refuses_in_its_kind(code: int, kind: Refusal) -> None:
    refused = judged(400, {"code": code, "message": "no", "status": 400})

    assert refused == Refused(kind, code, "HTTP 400: no")


@pytest.mark.parametrize("code", ["21211", 21211])
def test_a_code_may_be_text(code: object) -> None:
    assert judged(400, {"code": code, "message": "no"}) == Refused(
        Refusal.BAD_NUMBER, 21211, "HTTP 400: no"
    )


@pytest.mark.parametrize(
    "body", [{"code": None, "message": "m"}, {"message": "m"}, "<html>", "[1]"]
)
def test_a_refusal_without_a_code_says_nothing_about_the_number(body: object) -> None:
    refused = judged(400, body)

    assert isinstance(refused, Refused)
    assert (refused.kind, refused.code) == (Refusal.OTHER, None)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_bare_status_about_the_account_stops_the_campaign(status: int) -> None:
    refused = judged(status, "<html>")

    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.CONFIGURATION


def test_the_newer_problem_format_is_read() -> None:
    refused = judged(400, {"type": "t", "title": "T", "status": 400, "code": 21211, "detail": "D"})

    assert refused == Refused(Refusal.BAD_NUMBER, 21211, "HTTP 400: D")


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, 1.0),
        ("7", 7.0),
        ("2.5", 2.5),
        ("0", 1.0),
        ("Mon, 05 Jan 2026 00:00:30 GMT", 30.0),
        ("Sun, 04 Jan 2026 00:00:00 GMT", 1.0),
        ("999999999", 3600.0),
        ("nan", 1.0),
        ("inf", 1.0),
        ("-5", 1.0),
        ("soon", 1.0),
    ],
)
def test_too_many_requests_are_put_off(header: str | None, wait_s: float) -> None:
    headers = {} if header is None else {"Retry_After": header}

    throttled = judged(429, {"code": 20429, "message": "Too Many Requests"}, **headers)

    assert throttled == Throttled(wait_s, 20429, "HTTP 429: Too Many Requests")


@pytest.mark.parametrize(("code", "wait_s"), WAITS_S.items())
@pytest.mark.parametrize("status", [400, 429])
def test_a_full_account_or_queue_takes_longer(status: int, code: int, wait_s: float) -> None:
    assert judged(status, {"code": code, "message": "m"}) == Throttled(
        wait_s, code, f"HTTP {status}: m"
    )


@pytest.mark.parametrize("status", [None, 200, 201, 302, 408, 499, 500, 502, 503])
def test_everything_that_is_no_definite_answer_is_doubtful(status: int | None) -> None:
    noted = answered(status, {"code": 21211, "message": "m"})

    assert isinstance(placement_of(TROUBLE, noted, NOW), Doubtful)


@given(
    status=st.none() | st.integers(100, 599),
    code=st.none() | st.sampled_from([*REFUSALS, *WAITS_S]) | st.integers(),
    body=st.none() | st.text(max_size=40),
    error=st.sampled_from([TROUBLE, TimeoutError(), aiohttp.ServerDisconnectedError()]),
)
def test_a_server_error_is_never_taken_for_a_no(
    status: int | None, code: int | None, body: str | None, error: Exception
) -> None:
    noted = answered(status, {"code": code, "message": "m"} if body is None else body)

    placement = placement_of(error, noted, NOW)

    said_no = status is not None and 400 <= status < 500 and status not in {408, 499}
    assert isinstance(placement, Refused | Throttled) == said_no
    assert isinstance(placement, Doubtful) == (not said_no)


@pytest.mark.parametrize(
    "error",
    [OrderVoidError("late"), OSError(), TimeoutError(), aiohttp.ClientConnectionError()],
)
def test_what_never_left_was_not_sent(error: Exception) -> None:
    assert isinstance(placement_of(error, Exchange(SystemClock()), NOW), NotSent)


def test_a_defect_of_ours_before_anything_left_is_not_hidden() -> None:
    with pytest.raises(TypeError):
        placement_of(TypeError("wrong"), Exchange(SystemClock()), NOW)


def test_numbers_do_not_show_in_the_carriers_words() -> None:
    refused = judged(
        400, {"code": 21211, "message": "The number +12025550102 (12025550102) is bad"}
    )

    assert isinstance(refused, Refused)
    assert refused.message == "HTTP 400: The number ***02 (***02) is bad"


def test_the_carriers_name_for_the_request_is_kept() -> None:
    answer = answer_of(TROUBLE, answered(500, "", {"Twilio-Request-Id": "RQ1"}), NOW)

    assert answer.message == "HTTP 500: ValueError [RQ1]"


def test_an_address_in_a_network_error_is_not_repeated() -> None:
    error = aiohttp.ServerTimeoutError("Connection timeout to host http://h/?To=+12025550102")

    assert answer_of(error, answered(None), NOW).message == "no answer in time"
