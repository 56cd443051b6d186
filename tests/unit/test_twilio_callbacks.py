"""The door: signatures as the SDK makes them, and news out of every body that was ever recorded."""

import hmac
import itertools
import json
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from amd.verdict import CARRIER_WORDS
from dialer.carriers.rfc2822 import parse_date
from dialer.carriers.twilio_callbacks import SIGNATURE_HEADER, TwilioCallbacks
from dialer.carriers.twilio_config import TwilioConfig
from dialer.errors import UsageError
from dialer.model import AttemptId, CallEvent, CallSid, CarrierStatus, EventSource, InboundCall
from dialer.outcomes import NOTHING, merge

ATTEMPT = AttemptId("0123456789abcdef0123456789abcdef")
ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "5ec2e7"
PUBLIC_URL = "https://dialer.example.com"
TARGET = f"/twilio/status/{ATTEMPT}"
RECEIVED_AT = 1_767_571_200_000
SID = "CA00000000000000000000000000000001"

PAYLOADS = json.loads(
    (Path(__file__).parents[1] / "data" / "twilio_payloads.json").read_text("utf-8")
)["items"]
BY_ID = {item["id"]: item for item in PAYLOADS}
FORMS = [item for item in PAYLOADS if item["transport"] in {"form", "raw_form"}]
STATUSES = [item for item in FORMS if item["kind"] == "status_callback"]
VERDICTS = [item for item in FORMS if item["kind"] == "amd_callback"]


def config(**changes: str) -> TwilioConfig:
    given = {"account_sid": ACCOUNT, "auth_token": TOKEN, "public_url": PUBLIC_URL} | changes
    return TwilioConfig(**given)  # type: ignore[arg-type]  # only text is changed here


DOOR = TwilioCallbacks(config())


def body_of(item: Mapping[str, Any]) -> bytes:
    payload = item["payload"]
    return (payload if isinstance(payload, str) else urlencode(payload)).encode()


def form_of(item: Mapping[str, Any]) -> dict[str, str]:
    """What a form parser that keeps blanks sees."""
    if isinstance(item["payload"], dict):
        return dict(item["payload"])
    pairs = (part.partition("=") for part in item["payload"].split("&"))
    decode = {"%2C": ",", "%2B": "\0", "%3A": ":", "%2F": "/", "+": " ", "\0": "+"}
    form = {}
    for name, _, value in pairs:
        for coded, plain in decode.items():
            value = value.replace(coded, plain)
        form[name] = value
    return form


def sign(url: str, form: object, token: str = TOKEN) -> dict[str, str]:
    return {SIGNATURE_HEADER: RequestValidator(token).compute_signature(url, form)}


def item_id(item: Mapping[str, Any]) -> str:
    return str(item["id"])


# -- signatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("item", FORMS, ids=item_id)
def test_every_recorded_body_signed_as_the_sdk_signs_is_let_in(item: dict[str, Any]) -> None:
    door = TwilioCallbacks(config(account_sid=form_of(item).get("AccountSid", ACCOUNT)))
    headers = sign(PUBLIC_URL + TARGET, form_of(item))

    assert door.authentic(TARGET, body_of(item), headers)
    assert not door.authentic(TARGET, body_of(item) + b"&Digits=1", headers)


@pytest.mark.parametrize(
    "vector", [v for v in BY_ID["signature.vectors"]["payload"]["vectors"] if "params" in v]
)
def test_the_official_vectors_hold(vector: dict[str, Any]) -> None:
    token = BY_ID["signature.vectors"]["payload"]["token"]
    host, slash, path = vector["url"].removeprefix("https://").partition("/")
    door = TwilioCallbacks(config(auth_token=token, public_url=f"https://{host}"))
    body = urlencode(vector["params"]).encode()

    assert door.authentic(slash + path, body, {SIGNATURE_HEADER: vector["signature"]})


@given(
    fields=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=8),
    path=st.text("abc/%20&=+~", max_size=12),
    query=st.text("abc/%20?&=+~", max_size=12),
    given_token=st.sampled_from([TOKEN, "another"]),
)
def test_signatures_agree_with_the_sdk(
    fields: list[tuple[str, str]], path: str, query: str, given_token: str
) -> None:
    fields = [(name, value) for name, value in fields if name not in {"", "AccountSid"}]
    form = MultiForm(fields)
    target = f"/{path}?{query}" if query else f"/{path}"
    headers = sign(PUBLIC_URL + target, form, given_token)

    accepted = DOOR.authentic(target, urlencode(fields).encode(), headers)

    assert accepted == RequestValidator(TOKEN).validate(
        PUBLIC_URL + target, form, headers[SIGNATURE_HEADER]
    )
    assert accepted == (given_token == TOKEN)


class MultiForm(dict[str, str]):
    """Repeated fields, as the SDK's validator wants them."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__(fields)
        self._fields = fields

    def getall(self, name: str) -> list[str]:
        return [value for other, value in self._fields if other == name]


def test_bytes_that_are_no_text_are_signed_as_they_are() -> None:
    value = b"\xff\xe9"
    signed = (PUBLIC_URL + TARGET).encode() + b"CallSid" + value
    signature = b64encode(hmac.digest(TOKEN.encode(), signed, "sha1")).decode()

    for body in (b"CallSid=\xff\xe9", b"CallSid=%FF%E9", b"CallSid=%ff\xe9"):
        assert DOOR.authentic(TARGET, body, {SIGNATURE_HEADER: signature})


@pytest.mark.parametrize(
    ("public_url", "signed_url", "accepted"),
    [
        (PUBLIC_URL, PUBLIC_URL, True),
        (PUBLIC_URL, f"{PUBLIC_URL}:443", True),
        (PUBLIC_URL, f"{PUBLIC_URL}:8443", False),
        (PUBLIC_URL, "http://dialer.example.com", False),
        (PUBLIC_URL, "https://evil.example.com", False),
        (f"{PUBLIC_URL}:8443", f"{PUBLIC_URL}:8443", True),
        (f"{PUBLIC_URL}:8443", PUBLIC_URL, True),
        (f"{PUBLIC_URL}:443", PUBLIC_URL, True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", True),
        (f"{PUBLIC_URL}/below/", f"{PUBLIC_URL}/below", True),
        (f"{PUBLIC_URL}/below/", PUBLIC_URL, False),
    ],
)
def test_the_address_is_the_configured_one(
    public_url: str, signed_url: str, accepted: bool
) -> None:
    door = TwilioCallbacks(config(public_url=public_url))
    headers = sign(signed_url + TARGET, {"CallSid": SID})
    headers |= {"host": "evil.example.com", "x-forwarded-host": "evil.example.com"}

    assert door.authentic(TARGET, f"CallSid={SID}".encode(), headers) == accepted


@pytest.mark.parametrize(
    ("overrides", "signed_fragment", "accepted"),
    [
        ("rc=2&rp=5xx", "", True),
        ("rc=2&rp=5xx", "#rc=2&rp=5xx", True),
        ("rc=2&rp=5xx", "#rc=5&rp=all", False),
        ("", "", True),
        ("", "#", False),
    ],
)
def test_a_server_may_sign_the_address_as_it_was_given(
    overrides: str, signed_fragment: str, accepted: bool
) -> None:
    door = TwilioCallbacks(config(webhook_overrides=overrides))
    headers = sign(PUBLIC_URL + TARGET + signed_fragment, {"CallSid": SID})

    assert door.authentic(TARGET, f"CallSid={SID}".encode(), headers) == accepted


@pytest.mark.parametrize(
    ("current", "previous", "accepted"),
    [
        (TOKEN, "", True),
        ("new", TOKEN, True),
        ("new", "", False),
        ("new", "older", False),
        ("", "", False),
    ],
)
def test_the_previous_token_is_good_while_it_is_configured(
    current: str, previous: str, accepted: bool
) -> None:
    door = TwilioCallbacks(config(auth_token=current, previous_auth_token=previous))
    headers = sign(PUBLIC_URL + TARGET, {"CallSid": SID})

    assert door.authentic(TARGET, f"CallSid={SID}".encode(), headers) == accepted


@pytest.mark.parametrize(
    ("accounts", "accepted"),
    [
        ([], True),
        ([""], True),
        ([ACCOUNT], True),
        ([ACCOUNT, ""], True),
        (["AC2"], False),
        ([ACCOUNT, "AC2"], False),
    ],
)
def test_news_of_another_account_is_not_ours(accounts: list[str], accepted: bool) -> None:
    fields = [("AccountSid", account) for account in accounts]
    headers = sign(PUBLIC_URL + TARGET, MultiForm(fields))

    assert DOOR.authentic(TARGET, urlencode(fields).encode(), headers) == accepted


@pytest.mark.parametrize("signature", ["", "AAAA", "é", "\ud800", "x" * 10_000])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    assert not DOOR.authentic(TARGET, b"CallSid=CA1", {SIGNATURE_HEADER: signature})
    assert not DOOR.authentic(TARGET, b"CallSid=CA1", {})


def test_a_body_of_countless_fields_is_refused() -> None:
    assert not DOOR.authentic(TARGET, b"&a" * 1_000, {SIGNATURE_HEADER: "x"})
    with pytest.raises(UsageError):
        DOOR.status_event(ATTEMPT, b"&a" * 1_000, RECEIVED_AT)


# -- news ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", STATUSES, ids=item_id)
def test_every_recorded_status_is_understood(item: dict[str, Any]) -> None:
    event = DOOR.status_event(ATTEMPT, body_of(item), RECEIVED_AT)

    form, checks = form_of(item), item.get("checks", {})
    assert (event.attempt_id, event.source) == (ATTEMPT, EventSource.STATUS)
    assert event.sid == form["CallSid"]
    assert event.status == checks.get("expect_status", form["CallStatus"])
    assert event.status is not None
    assert event.status.final == checks.get("terminal", False)
    if "call_seconds" in checks:
        assert event.duration_s == checks["call_seconds"]
    assert event.answered_by == checks.get("answered_by")
    assert event.sip_code == checks.get("sip")
    assert (event.occurred_at is None) == ("Timestamp" not in form)


@pytest.mark.parametrize("item", VERDICTS, ids=item_id)
def test_every_recorded_verdict_is_understood(item: dict[str, Any]) -> None:
    event = DOOR.amd_event(ATTEMPT, body_of(item), RECEIVED_AT)

    assert event.source is EventSource.AMD
    assert event.answered_by == item["checks"]["answered_by"]
    assert event.answered_by in CARRIER_WORDS
    assert (event.status, event.occurred_at) == (None, None)


def test_the_question_what_to_say_tells_of_the_answer() -> None:
    event = DOOR.answer_event(ATTEMPT, body_of(BY_ID["twiml_request.outbound.2026"]), RECEIVED_AT)

    assert (event.source, event.status) == (EventSource.ANSWER, CarrierStatus.IN_PROGRESS)


def test_the_question_without_a_status_still_tells_of_the_answer() -> None:
    event = DOOR.answer_event(ATTEMPT, b"CallSid=CA1&AnsweredBy=machine_start", RECEIVED_AT)

    assert (event.status, event.answered_by) == (CarrierStatus.IN_PROGRESS, "machine_start")


def test_a_recorded_call_to_one_of_our_numbers_is_understood() -> None:
    call = DOOR.inbound_call(body_of(BY_ID["twiml_request.inbound.2026"]))

    sid = CallSid("CA00000000000000000000000000000009")
    assert call == InboundCall(sid, "+12025550101", "+12025550102")


@pytest.mark.parametrize(
    "caller", ["anonymous", "+266696687", "+7378742833", "+86282452253", "sip:a@b", "client:x", ""]
)
def test_a_caller_who_shows_no_telephone_has_none(caller: str) -> None:
    body = urlencode({"CallSid": SID, "From": caller, "To": "+12025550102"}).encode()

    assert DOOR.inbound_call(body).from_ is None


def test_a_failure_keeps_its_code() -> None:
    event = DOOR.status_event(ATTEMPT, body_of(BY_ID["status.failed.error_fields"]), RECEIVED_AT)

    assert (event.error_code, event.sip_code, event.duration_s) == (13224, 404, 0)


def test_times_are_those_of_the_carrier() -> None:
    event = DOOR.status_event(ATTEMPT, body_of(BY_ID["status.initiated.seq0"]), RECEIVED_AT)
    odd = DOOR.status_event(ATTEMPT, body_of(BY_ID["status.ringing.compat_server"]), RECEIVED_AT)

    assert event.received_at == RECEIVED_AT
    assert event.occurred_at == 1_770_896_905_000  # Thu, 12 Feb 2026 11:48:25 +0000
    assert odd.occurred_at == 1_581_240_603_000  # Sun, 09 Feb 2020 09:30:03 Etc/UTC
    assert (event.sequence, odd.sequence) == (0, 1)


def test_a_recorded_sequence_ends_alike_in_every_order() -> None:
    bodies = [
        urlencode(step["form"]).encode() for step in BY_ID["sequence.out_of_order"]["payload"]
    ]

    ends = set()
    for order in itertools.permutations(bodies):
        facts = NOTHING
        for body in order:
            facts = merge(facts, DOOR.status_event(ATTEMPT, body, RECEIVED_AT))
        ends.add(facts)

    (end,) = ends
    assert (end.status, end.duration_s) == (CarrierStatus.COMPLETED, 38)


def test_a_status_nobody_knows_is_news_without_a_status() -> None:
    event = DOOR.status_event(ATTEMPT, b"CallSid=CA1&CallStatus=levitating", RECEIVED_AT)

    assert event.status is None


@pytest.mark.parametrize("body", [b"", b"CallStatus=completed", b"CallSid=", b"CallSid=a%00b"])
def test_a_body_without_a_call_is_refused(body: bytes) -> None:
    for parse in (DOOR.status_event, DOOR.amd_event, DOOR.answer_event):
        with pytest.raises(UsageError):
            parse(ATTEMPT, body + b"&AnsweredBy=human", RECEIVED_AT)


@pytest.mark.parametrize("verdict", [b"", b"&AnsweredBy=", b"&AnsweredBy=%F0%9F%98%80"])
def test_a_verdict_without_a_word_is_refused(verdict: bytes) -> None:
    with pytest.raises(UsageError, match="AnsweredBy"):
        DOOR.amd_event(ATTEMPT, b"CallSid=CA1" + verdict, RECEIVED_AT)


NAMES = [
    "CallSid", "CallStatus", "SequenceNumber", "Timestamp", "CallDuration", "SipResponseCode",
    "ErrorCode", "AnsweredBy",
]  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES) | st.text(max_size=5),
            st.text(max_size=12) | st.integers().map(str) | st.sampled_from(["", "completed"]),
        )
    )
)
def test_strange_fields_never_raise_anything_else(fields: list[tuple[str, str]]) -> None:
    body = urlencode([*fields, ("CallSid", SID)]).encode()

    event = DOOR.status_event(ATTEMPT, body, RECEIVED_AT)

    assert event.sid == SID
    assert_storable(event)


@given(st.binary(max_size=200))
def test_strange_bodies_never_raise_anything_else(body: bytes) -> None:
    for parse in (DOOR.status_event, DOOR.amd_event, DOOR.answer_event):
        with suppress(UsageError):
            assert_storable(parse(ATTEMPT, body, RECEIVED_AT))
    with suppress(UsageError):
        assert DOOR.inbound_call(body).sid
    assert DOOR.greeted_opts_out(body) in {True, False}


def assert_storable(event: CallEvent) -> None:
    """Numbers a column holds and text both databases take."""
    numbers = (event.sequence, event.duration_s, event.sip_code, event.error_code)
    assert all(number is None or 0 <= number < 2**31 for number in numbers)
    assert event.occurred_at is None or abs(event.occurred_at) < 2**62
    assert event.sid.isascii()
    assert event.sid.isprintable()
    assert event.answered_by is None or event.answered_by.isascii()


# -- dates ---------------------------------------------------------------------------------------

AT = 1_581_240_603_000  # Sun, 09 Feb 2020 09:30:03 UTC


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Sun, 09 Feb 2020 09:30:03 +0000", AT),
        ("Sun, 09 Feb 2020 09:30:03 GMT", AT),
        ("Sun, 09 Feb 2020 09:30:03 -0000", AT),
        ("Sun, 09 Feb 2020 09:30:03", AT),
        ("Sun, 09 Feb 2020 09:30:03 Etc/UTC", AT),
        ("Sun, 09 Feb 2020 10:30:03 +0100", AT),
        ("Sun, 09 Feb 2020 04:30:03 EST", AT),
        ("Sun, 09 Feb 2020 09:30:03 +9999", None),
        ("Sun, 99 Feb 2020 09:30:03 +0000", None),
        ("Sun, 09 Feb 2020", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_with_every_kind_of_zone(text: str | None, at: int | None) -> None:
    assert parse_date(text) == at


@given(st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_a_date_never_raises(text: str) -> None:
    at = parse_date(text)

    assert at is None or isinstance(at, int)
