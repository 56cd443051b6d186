"""Requests to place calls: read as meant, refused in Twilio's order with Twilio's codes."""

from collections.abc import Sequence
from typing import Any

import pytest

from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.hearing import AmdOrder
from dialer.carrier_sim.numbers import DEMO_NUMBERS, Numbers, number_sid
from dialer.carrier_sim.orders import CallOrder, parse_order
from dialer.carrier_sim.webhook import Hook

GOOD = {"To": "+12025550101", "From": "+12025550111", "Url": "http://a.test/answer"}


def parse(numbers: Numbers | None = None, **fields: Any) -> CallOrder:
    """Read GOOD with *fields* changed; a field of None is left out."""
    merged = {name: value for name, value in (GOOD | fields).items() if value is not None}
    form: dict[str, Sequence[str]] = {
        name: [value] if isinstance(value, str) else value for name, value in merged.items()
    }
    return parse_order(form, numbers or Numbers())


def test_a_full_request_is_read() -> None:
    order = parse(
        Method="get",
        FallbackUrl="http://a.test/fallback",
        StatusCallback="http://a.test/status/attempt-7?x=1#rc=2",
        StatusCallbackEvent=["ringing", "completed", "unheard-of"],
        Timeout="25",
        TimeLimit="600",
        MachineDetection="DetectMessageEnd",
        MachineDetectionTimeout="20",
        MachineDetectionSilenceTimeout="3000",
        AsyncAmd="true",
        AsyncAmdStatusCallback="http://a.test/amd",
    )

    assert order == CallOrder(
        to="+12025550101",
        from_="+12025550111",
        answer=Hook("http://a.test/answer", "GET"),
        fallback=Hook("http://a.test/fallback"),
        status=Hook("http://a.test/status/attempt-7?x=1#rc=2"),
        events=frozenset({"ringing", "completed"}),
        ring_timeout_s=25,
        time_limit_s=600,
        amd=AmdOrder(True, True, timeout_s=20, silence_timeout_s=3.0),
        amd_callback=Hook("http://a.test/amd"),
    )
    assert order.token == "attempt-7"


def test_a_short_request_means_the_defaults() -> None:
    order = parse()

    assert order.events == {"completed"}
    assert (order.ring_timeout_s, order.time_limit_s) == (60, 14_400)
    assert (order.amd, order.status, order.token) == (None, None, "")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"To": None, "Url": None, "From": None}, 21201),  # To, then Url, then From
        ({"Url": None, "From": None}, 21205),
        ({"From": None}, 21213),
        ({"To": ""}, 21201),
        ({"To": "2025550101"}, 21211),
        ({"To": "+0123456789"}, 21211),
        ({"To": "+12025550111"}, 21211),  # itself
        ({"From": "anonymous"}, 21212),
        ({"Url": "not a url"}, 21205),
        ({"Url": "ftp://a.test/"}, 21205),
        ({"Url": None, "Twiml": "x" * 4001}, 32018),
        ({"ApplicationSid": "AP" + "0" * 32}, 21218),
        ({"Method": "PUT"}, 21206),
        ({"MachineDetection": "On"}, 21234),
        ({"To": "+15005550001"}, 21217),
        ({"To": "+15005550002"}, 21214),
        ({"To": "+15005550003"}, 21215),
        ({"To": "+15005550004"}, 21216),
        ({"From": "+15005550001"}, 21212),
    ],
)
def test_what_cannot_be_placed_is_refused(fields: dict[str, Any], code: int) -> None:
    with pytest.raises(ApiError) as refused:
        parse(**fields)

    assert refused.value.api_code == code
    assert refused.value.body()["status"] == 400


def test_a_url_outranks_a_document() -> None:
    assert parse(Twiml="<Response/>").twiml == ""
    assert parse(Url=None, Twiml="<Response/>").twiml == "<Response/>"


def test_limits_keep_to_what_the_carrier_allows() -> None:
    assert parse(Timeout="601").ring_timeout_s == 600
    assert parse(Timeout="soon").ring_timeout_s == 60
    assert parse(TimeLimit="99999").time_limit_s == 14_400


def test_digits_to_send_switch_machine_detection_off() -> None:
    assert parse(MachineDetection="Enable", SendDigits="1").amd is None


def test_only_the_exact_word_makes_detection_asynchronous() -> None:
    for text, asynchronous in (("true", True), ("True", False), ("false", False)):
        amd = parse(MachineDetection="Enable", AsyncAmd=text).amd
        assert amd is not None
        assert amd.asynchronous is asynchronous


def test_every_number_may_be_called_from_unless_some_are_named() -> None:
    named = Numbers(incoming=("+12025550111",), verified=("+12025550112",))

    assert parse(From="+493012345678").from_ == "+493012345678"
    assert parse(named, From="+12025550112").from_ == "+12025550112"
    with pytest.raises(ApiError) as refused:
        parse(named, From="+12025550113")
    assert refused.value.api_code == 21210


def test_numbers_are_listed_as_they_are_owned() -> None:
    named = Numbers(incoming=("+12025550111",), verified=("+12025550112",))

    assert Numbers().bought() == DEMO_NUMBERS
    assert Numbers().bought("+12025550199") == ("+12025550199",)
    assert named.bought() == ("+12025550111",)
    assert named.bought("+12025550112") == ()
    assert named.caller_ids() == ["+12025550112"]
    assert named.caller_ids("+12025550111") == []
    assert len(number_sid("+12025550111")) == 34
