"""A campaign against a server that is not ours, found by its base URL alone."""

from collections import Counter
from collections.abc import Callable

from tests.support.hosted import hosted
from tests.support.stage import Stage
from tests.support.tiny_twilio import ACCOUNT, TOKEN, TinyTwilio


def test_a_campaign_completes_on_a_server_written_from_the_documentation(
    given_stage: Callable[..., Stage],
) -> None:
    twilio = TinyTwilio()
    with hosted(twilio.serving) as base_url:
        stage = given_stage(
            speed=1,
            twilio_base_url=base_url,
            twilio_account_sid=ACCOUNT,
            twilio_auth_token=TOKEN,
            calls_per_second="0",
            patience_s="1",
            request_timeout_s="1.5",
            accept_bound_s="0.5",
            list_bound_s="1",
        )
        stage.given_campaign(contacts=9, call_interval_s=0, completion_timeout_s=1, max_retries=0)
        stage.daemon()

        stage.until_over()
        stage.close()

    # The one that was told to come back later may have been claimed anew.
    made = stage.records("SELECT id, sid, phone, outcome FROM attempts WHERE state <> 'released'")
    by_callee = {attempt["phone"][-1]: attempt["outcome"] for attempt in made}
    answered = dict.fromkeys("123459", "human")
    assert by_callee == answered | {"6": "busy", "7": "no_answer", "8": "machine"}

    called = Counter(call.record["to"] for call in twilio.calls.values())
    assert list(called.values()) == [1] * 9
    named = {sid: address_of(call.order["StatusCallback"]) for sid, call in twilio.calls.items()}
    assert {attempt["sid"]: attempt["id"] for attempt in made} == named

    assert set(twilio.answers) == {("status", 204), ("amd", 204), ("answer", 200)}


def address_of(callback: list[str]) -> str:
    """The last part of a callback's path, which names the attempt."""
    return callback[0].partition("#")[0].rpartition("/")[2]
