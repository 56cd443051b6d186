"""What the setting names, what is asked, and which answers can be read."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import UnreachableError, UsageError
from dialer.model import AttemptId
from dialer.ports import Later, MayCall, Never, PreDialQuestion
from dialer.pre_dial.messages import (
    FURTHEST_S,
    LATER_S,
    REASON_CHARS,
    answer_from,
    question_bytes,
    reason_from,
)
from dialer.pre_dial.sources import Address, Command, EntryPoint, Source, parse
from dialer.settings import Settings, load

NOW = 1_767_625_200_000
SECOND = 1000
QUESTION = PreDialQuestion(
    attempt_id=AttemptId("0" * 32),
    phone="+12025550101",
    caller_id="+16465550100",
    campaign="Renewals",
    name="Zoë",
    email="zoe@example.com",
    language=None,
    variables={"contract": "17"},
    attempts=2,
)


# -- the setting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("", None),
        ("command:/opt/check", Command(("/opt/check",))),
        ("command: /opt/check 'my list.csv'", Command(("/opt/check", "my list.csv"))),
        ("https://crm.example.com/may-call", Address("https://crm.example.com/may-call")),
        ("http://127.0.0.1:9000/", Address("http://127.0.0.1:9000/")),
        ("entry:litigators", EntryPoint("litigators")),
    ],
)  # fmt: skip
def test_a_check_is_a_command_an_address_or_an_entry_point(
    text: str, source: Source | None
) -> None:
    assert parse(text) == source


@pytest.mark.parametrize(
    "text",
    ["/opt/check", "command:", "command:  ", "command:'open", "entry:", "entry: ", "https://",
     "ftp://crm.example.com", "https://crm.example.com/a b", "https://crm:99999999/", "yes"],
)  # fmt: skip
def test_anything_else_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(pre_dial_check=text)

    assert refused.value.message.startswith("setting pre_dial_check (flag --pre-dial-check): not a")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, ["hunter2"]) for name in Settings.model_fields if "secret" in name),
        ("database", ["hunter2"]),
        ("privacy_key", ["hunter2"]),
        ("twilio_auth_token_previous", ["hunter2"]),
        ("pre_dial_check", "ftp://crm.example.com/?key=hunter2"),
        ("pre_dial_check", "command:'/opt/check --key hunter2"),
    ],
)
def test_what_may_be_a_secret_is_not_quoted(name: str, value: object) -> None:
    flags: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=name) as refused:
        load(**flags)

    assert "hunter2" not in f"{refused.value.message} {refused.value.next_step}"


def test_other_values_are_quoted() -> None:
    with pytest.raises(UsageError, match=r"setting port .* = 70000"):
        load(port=70_000)


def test_what_is_told_of_an_address_is_its_host() -> None:
    assert Address("https://user:secret@crm.example.com/x?key=secret").host == "crm.example.com"


def test_without_a_check_no_time_is_set_aside_for_it() -> None:
    without = Settings(pre_dial_timeout_s=5)
    checked = Settings(pre_dial_check="entry:x", pre_dial_timeout_s=5)

    assert (without.check_s, checked.check_s) == (0, 5)
    assert checked.leave_bound_s == without.leave_bound_s + 10


# -- the question --------------------------------------------------------------------------------


def test_the_question_is_one_json_object() -> None:
    assert json.loads(question_bytes(QUESTION)) == {
        "attempt": "0" * 32,
        "phone": "+12025550101",
        "caller_id": "+16465550100",
        "campaign": "Renewals",
        "name": "Zoë",
        "email": "zoe@example.com",
        "language": None,
        "variables": {"contract": "17"},
        "attempts": 2,
    }


# -- the answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"answer": "call"}, MayCall()),
        ({"answer": "call", "reason": "why not", "score": 3}, MayCall()),
        ({"answer": "never"}, Never()),
        ({"answer": "never", "reason": " sued\nus "}, Never("sued us")),
        ({"answer": "later"}, Later(NOW + int(LATER_S) * SECOND)),
        ({"answer": "later", "after_s": 90, "reason": "lunch"}, Later(NOW + 90 * SECOND, "lunch")),
        ({"answer": "later", "until": "2026-01-05T17:00:00+01:00"}, Later(NOW + 3600 * SECOND)),
    ],
)
def test_an_answer_is_read(said: dict[str, Any], answer: object) -> None:
    assert answer_from(json.dumps(said).encode(), NOW) == answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"call",
        b"\xff",
        b"null",
        b"[]",
        b'{"answer": "CALL"}',
        b'{"reason": "none"}',
        b'{"answer": true}',
        b'{"answer": "later", "after_s": -1}',
        b'{"answer": "later", "after_s": NaN}',
        b'{"answer": "later", "after_s": 99999999999}',
        b'{"answer": "later", "until": "2026-01-05T17:00:00"}',
        b'{"answer": "later", "until": "2999-01-05T17:00:00Z"}',
        b'{"answer": "never", "reason": 7}',
    ],
)
def test_rubbish_is_no_answer(body: bytes) -> None:
    with pytest.raises(UnreachableError, match="not an answer"):
        answer_from(body, NOW)


@given(st.binary(max_size=200))
def test_nothing_that_may_come_back_is_more_than_no_answer(body: bytes) -> None:
    try:
        answer = answer_from(body, NOW)
    except UnreachableError:
        return
    assert isinstance(answer, MayCall | Never | Later)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001  given a zone below
def test_nobody_is_put_off_for_ever(until: datetime) -> None:
    body = json.dumps({"answer": "later", "until": until.replace(tzinfo=UTC).isoformat()}).encode()
    try:
        answer = answer_from(body, NOW)
    except UnreachableError:
        assert until.replace(tzinfo=UTC).timestamp() * SECOND > NOW
        return
    assert isinstance(answer, Later)
    assert answer.until_at <= NOW + FURTHEST_S * SECOND


@given(st.text(max_size=1000))
def test_a_reason_is_one_short_line(text: str) -> None:
    reason = reason_from(text)

    assert len(reason) <= REASON_CHARS
    assert all(each.isprintable() for each in reason)
