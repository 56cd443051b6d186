"""What documents make of a call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import VoiceResponse

from dialer.carrier_sim.twiml import (
    MAX_DOCUMENT_BYTES,
    Next,
    Said,
    StopOrder,
    StreamOrder,
    Then,
    TranscriptionOrder,
    TwimlError,
    follow,
    read,
)


def says(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>'


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("", Next(0, Then.HANG_UP)),
        ("<Hangup/><Pause length='9'/>", Next(0, Then.HANG_UP)),
        ("<Reject reason='busy'/>", Next(0, Then.HANG_UP)),
        ("<Say>one two three four five</Say>", Next(2, Then.HANG_UP)),
        ("<Say loop='2'>one two three four five</Say>", Next(4, Then.HANG_UP)),
        ("<Pause/><Pause length='4'/>", Next(5, Then.HANG_UP)),
        ("<Play>http://a.test/a.mp3</Play>", Next(10, Then.HANG_UP)),
        ("<Play digits='w1234'/>", Next(2.5, Then.HANG_UP)),
        ("<Play loop='0'>http://a.test/a.mp3</Play>", Next(10_000, Then.HANG_UP)),
        (
            "<Start><Stream url='wss://a.test/'/></Start><Pause length='30'/>",
            Next(30, Then.HANG_UP),
        ),
        (
            "<Say>one two</Say><Connect><Stream url='wss://a.test/'/></Connect>",
            Next(0.8, Then.HOLD),
        ),
        ("<Dial><Number>+12025550101</Number></Dial><Hangup/>", Next(0, Then.HOLD)),
        ("<Redirect>/next</Redirect>", Next(0, Then.FETCH, "/next")),
        ("<Redirect method='GET'>/next</Redirect>", Next(0, Then.FETCH, "/next", "GET")),
        ("<Gather timeout='3'><Say>one two</Say></Gather>", Next(3.8, Then.HANG_UP)),
        ("<Gather><Pause length='2'/></Gather><Hangup/>", Next(7, Then.HANG_UP)),
        ("<Pause length='-3'/><Pause length='x'/>", Next(2, Then.HANG_UP)),
        (
            "<Gather timeout='3' action='/keys' actionOnEmptyResult='true'/>",
            Next(3, Then.FETCH, "/keys", "POST", {"Digits": ""}),
        ),
    ],
)
def test_a_document_is_followed_to_what_comes_next(inner: str, expected: Next) -> None:
    assert follow(says(inner)) == expected


def test_a_callee_who_presses_keys_is_gathered() -> None:
    document = says("<Gather action='/keys' numDigits='1'><Pause length='2'/></Gather>")

    assert follow(document, "95") == Next(3, Then.FETCH, "/keys", "POST", {"Digits": "9"})


def test_keys_are_ignored_where_only_speech_is_gathered() -> None:
    assert follow(says("<Gather input='speech' timeout='2'/>"), "9") == Next(2, Then.HANG_UP)


@pytest.mark.parametrize(
    "document",
    ["", "hello", "<Response>", "<Answer/>", "<Response>\x01</Response>"],
)
def test_what_is_not_twiml_is_refused(document: str) -> None:
    with pytest.raises(TwimlError):
        follow(document)


def test_a_document_of_more_than_64_kib_is_refused() -> None:
    with pytest.raises(TwimlError, match="larger"):
        follow(says(" " * MAX_DOCUMENT_BYTES))


@given(st.lists(st.sampled_from(["say", "pause", "play", "gather", "dial", "hangup"]), max_size=8))
def test_what_the_sdk_writes_can_be_followed(verbs: list[str]) -> None:
    response = VoiceResponse()
    for verb in verbs:
        getattr(response, verb)(*(["some words & <signs>"] if verb == "say" else []))

    coming = follow(str(response))

    assert coming.after_s >= 0
    assert (coming.then is Then.HOLD) <= ("dial" in verbs)


def test_what_is_said_has_its_time_in_the_document() -> None:
    reading = read(
        says(
            "<Pause length='2'/><Say>one two three four five</Say>"
            "<Gather timeout='3'><Say> six\n seven </Say></Gather><Say/><Redirect>/left</Redirect>"
        )
    )

    assert reading.said == (Said(2, 4, "one two three four five"), Said(4, 4.8, "six seven"))
    assert reading.coming == Next(7.8, Then.FETCH, "/left")


def test_a_transcription_and_a_stream_begin_where_their_document_has_them() -> None:
    response = VoiceResponse()
    response.start().transcription(
        name="amd",
        status_callback_url="/transcript",
        track="inbound_track",
        partial_results=True,
        language_code="de-DE",
        transcription_engine="deepgram",
        speech_model="nova-3",
    )
    response.pause(length=2)
    forked = response.start().stream(url="wss://dialer.test/media", name="ears")
    forked.parameter(name="token", value="secret")
    response.stop().transcription(name="amd")

    reading = read(str(response))

    assert reading.forks == (
        (
            0.0,
            TranscriptionOrder(
                name="amd",
                url="/transcript",
                method="POST",
                language="de-DE",
                engine="deepgram",
                model="nova-3",
                track="inbound_track",
                partials=True,
            ),
        ),
        (
            2.0,
            StreamOrder(
                name="ears",
                url="wss://dialer.test/media",
                track="inbound_track",
                parameters={"token": "secret"},
            ),
        ),
        (2.0, StopOrder("Transcription", "amd")),
    )


def test_a_stream_that_is_connected_holds_the_call() -> None:
    reading = read(says("<Connect><Stream url='wss://a.test/'/></Connect><Say>never</Say>"))

    assert [fork for _, fork in reading.forks] == [
        StreamOrder(name="", url="wss://a.test/", track="inbound_track", parameters={})
    ]
    assert reading.said == ()


def test_what_nobody_here_can_fork_is_passed_over() -> None:
    assert (
        read(says("<Start><Siprec name='x'/></Start><Stop><Siprec name='x'/></Stop>")).forks == ()
    )
