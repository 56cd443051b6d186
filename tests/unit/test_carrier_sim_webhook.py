"""Connection overrides: read, kept within their ranges, obeyed in retries, never sent."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.webhook import (
    DEFAULTS,
    Failure,
    Hook,
    Overrides,
    Reply,
    WebhookFailedError,
    WebRequest,
    deliver,
    overrides_of,
)
from tests.support.carrier_sim import Mailbox
from tests.support.virtual import run


def send(mailbox: Mailbox, url: str) -> Reply | WebhookFailedError:
    return run(deliver(mailbox, Hook(url), {"CallSid": "CA1"}, "token", patience=1.0))


def failing(kind: Failure) -> Mailbox:
    def answer(request: WebRequest) -> Reply:
        raise WebhookFailedError(request.url, kind)

    return Mailbox(answer)


def test_overrides_are_read() -> None:
    assert overrides_of("ct=2000&rt=4000&tt=10000&rc=3&rp=ct,rt,5xx") == Overrides(
        2, 4, 10, 3, frozenset({"ct", "rt", "5xx"})
    )


@given(st.text(alphabet="ctrp=&0123456789,x-%", max_size=40))
def test_whatever_the_fragment_says_the_limits_keep_to_their_ranges(fragment: str) -> None:
    limits = overrides_of(fragment)

    assert 0.1 <= limits.connect_s <= 10
    assert 0.1 <= limits.read_s <= 15
    assert 0.1 <= limits.total_s <= 15
    assert 0 <= limits.retries <= 5


def test_without_overrides_the_defaults_hold() -> None:
    assert overrides_of("") == DEFAULTS


@pytest.mark.parametrize(
    ("url", "mailbox", "tries"),
    [
        ("http://a.test/", failing(Failure.CONNECT), 2),
        ("http://a.test/", failing(Failure.READ), 1),
        ("http://a.test/", Mailbox(lambda _: Reply(500)), 1),
        ("http://a.test/#rc=3&rp=5xx", Mailbox(lambda _: Reply(500)), 4),
        ("http://a.test/#rc=3&rp=5xx", Mailbox(lambda _: Reply(404)), 1),
        ("http://a.test/#rc=3&rp=all", Mailbox(lambda _: Reply(404)), 4),
        ("http://a.test/#rc=3&rp=all", Mailbox(lambda _: Reply(204)), 1),
        ("http://a.test/#rc=0", failing(Failure.CONNECT), 1),
        ("http://a.test/#rc=1&rp=rt", failing(Failure.READ), 2),
    ],
)
def test_retries_follow_the_failures_they_are_meant_for(
    url: str, mailbox: Mailbox, tries: int
) -> None:
    send(mailbox, url)

    assert len(mailbox.requests) == tries


def test_the_fragment_is_not_sent_and_all_tries_carry_one_token() -> None:
    mailbox = failing(Failure.CONNECT)

    send(mailbox, "http://a.test/x?y=1#rc=2&rp=ct")

    assert {request.url for request in mailbox.requests} == {"http://a.test/x?y=1"}
    assert {request.idempotency_token for request in mailbox.requests} == {"token"}


def test_an_answer_after_a_failure_counts() -> None:
    replies = iter([Reply(503), Reply(204)])

    assert send(Mailbox(lambda _: next(replies)), "http://a.test/#rp=5xx") == Reply(204)


def test_all_tries_together_keep_to_the_total() -> None:
    class Mute:
        async def post(self, request: WebRequest) -> Reply:
            await asyncio.sleep(3600)
            return Reply(200)

    async def waited_s() -> float:
        outcome = await deliver(Mute(), Hook("http://a.test/#tt=2000"), {}, "t", patience=10.0)
        assert isinstance(outcome, WebhookFailedError)
        return asyncio.get_running_loop().time()

    assert run(waited_s()) == pytest.approx(20)
