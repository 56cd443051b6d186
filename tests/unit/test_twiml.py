"""The documents: every kind, parsed back; what strangers wrote can neither break nor extend one."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carriers import twiml
from dialer.errors import UsageError
from dialer.model import Agent, AgentKind, AttemptId, Script

ATTEMPT = AttemptId("0123456789abcdef0123456789abcdef")

TARGETS = {
    AgentKind.MESSAGE: "Hello {{name}}",
    AgentKind.STREAM: "wss://agent.example.com/stream",
    AgentKind.RELAY: "wss://agent.example.com/relay?team=1",
    AgentKind.SIP: "sip:agent@example.com;transport=tls?X-Team=1&X-Shift=2",
    AgentKind.PHONE: "+12025550199",
    AgentKind.TWIML_URL: "https://example.com/flow?a=1&b=2",
}


KEYPRESS = "https://dialer.example.com/twilio/keypress/1"
LEFT = "https://dialer.example.com/twilio/left/1"
EARS = twiml.Ears(
    transcript_url="https://dialer.example.com/twilio/transcript/1",
    media_url="wss://dialer.example.com/twilio/media/1",
    token="0ben5esame",
    engine="deepgram",
    model="nova-3",
)


def script(
    kind: AgentKind = AgentKind.MESSAGE,
    target: str | None = None,
    options: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    language: str | None = None,
    listen_s: int = 0,
) -> Script:
    silent = {twiml.OPT_OUT: twiml.NO_KEY} if kind is AgentKind.MESSAGE else {}
    given = silent | dict(options or {})
    agent = Agent(kind, TARGETS[kind] if target is None else target, given)
    return Script(ATTEMPT, agent, variables or {}, language, "+12025550100", 600, listen_s)


def document(said: Script) -> bytes:
    return twiml.document(said, KEYPRESS)


def message(said: Script) -> bytes:
    return twiml.message_document(said, LEFT)


def parsed(xml: bytes) -> ET.Element:
    root = ET.fromstring(xml)
    assert root.tag == "Response"
    return root


def spoken(xml: bytes) -> str:
    """All that is said; anything but speech and the hang-up fails."""
    root = parsed(xml)
    assert [verb.tag for verb in root if verb.tag != "Say"] == ["Hangup"]
    assert not [child for verb in root for child in verb]
    return "".join(verb.text or "" for verb in root)


@pytest.mark.parametrize("kind", AgentKind)
def test_every_kind_is_valid_and_ends_with_a_hang_up(kind: AgentKind) -> None:
    given_script = script(kind)

    twiml.validate_agent(given_script.agent)

    assert [verb.tag for verb in parsed(document(given_script))][-1] == "Hangup"


def test_a_message_is_spoken_with_its_variables() -> None:
    said = script(
        target="{{ greeting }} {{name}}{{unknown}}, {{name}}!",
        options={"voice": "Polly.Joanna", "language": "en-US"},
        variables={"name": "Ann", "greeting": "Hi"},
    )

    (say, _) = parsed(document(said))

    assert say.text == "Hi Ann, Ann!"
    assert say.attrib == {"voice": "Polly.Joanna", "language": "en-US"}


@pytest.mark.parametrize(("language", "written"), [("es-MX", "es-MX"), ("es", None), (None, None)])
def test_the_callees_language_counts_when_the_agent_names_none(
    language: str | None, written: str | None
) -> None:
    (say, _) = parsed(document(script(target="Hola", language=language)))

    assert say.get("language") == written


def test_after_a_message_the_call_waits_for_the_verdict() -> None:
    say, pause, hang_up = parsed(document(script(listen_s=10)))

    assert [say.tag, pause.tag, hang_up.tag] == ["Say", "Pause", "Hangup"]
    assert pause.attrib == {"length": "10"}
    assert "Pause" not in message(script(listen_s=10)).decode()


@pytest.mark.parametrize(("listen_s", "timeout"), [(0, "5"), (10, "10")])
def test_a_key_may_be_pressed_during_a_message_and_after_it(listen_s: int, timeout: str) -> None:
    said = script(options={"opt_out": "9", "voice": "alice"}, listen_s=listen_s)

    gather, hang_up = parsed(document(said))

    assert (gather.tag, hang_up.tag) == ("Gather", "Hangup")
    assert gather.attrib == {
        "input": "dtmf",
        "numDigits": "1",
        "timeout": timeout,
        "action": KEYPRESS,
        "method": "POST",
    }
    (say,) = gather
    assert (say.tag, say.attrib) == ("Say", {"voice": "alice"})


def test_the_key_is_nine_unless_the_agent_says_otherwise() -> None:
    def agent(**options: str) -> Agent:
        return Agent(AgentKind.MESSAGE, "Hello", options)

    assert twiml.opts_out(agent(), "9")
    assert not twiml.opts_out(agent(), "1")
    assert not twiml.opts_out(agent(), "")
    assert twiml.opts_out(agent(opt_out="1"), "1")
    assert not twiml.opts_out(agent(opt_out="none"), "9")
    assert not twiml.opts_out(agent(opt_out="none"), "none")
    assert not twiml.opts_out(Agent(AgentKind.PHONE, "+12025550123", {}), "9")
    twiml.validate_agent(agent(opt_out="0"))
    for key in ("", "10", "*", "nine"):
        with pytest.raises(UsageError, match="'opt_out' is no key"):
            twiml.validate_agent(agent(opt_out=key))


def test_whoever_opts_out_is_told_that_it_is_done() -> None:
    assert spoken(twiml.opted_out(script())) == twiml.DEFAULT_REPLY
    replied = script(options={"opt_out_reply": "Bye {{name}}"}, variables={"name": "Ann"})
    assert spoken(twiml.opted_out(replied)) == "Bye Ann"


def test_a_message_of_nothing_just_hangs_up() -> None:
    for options in ({}, {"opt_out": "9"}):
        nothing = script(target="{{unknown}} ", options=options, listen_s=10)
        assert document(nothing) == twiml.goodbye()


def test_a_stream_carries_the_attempt() -> None:
    (connect, _) = parsed(document(script(AgentKind.STREAM)))

    (stream,) = connect
    (parameter,) = stream
    assert (connect.tag, stream.tag) == ("Connect", "Stream")
    assert stream.attrib == {"url": TARGETS[AgentKind.STREAM]}
    assert parameter.attrib == {"name": "attempt_id", "value": ATTEMPT}


def test_a_relay_greets_by_name() -> None:
    greeted = script(
        AgentKind.RELAY,
        options={"greeting": 'Hi "{{name}}"', "voice": "en-US-Journey-O", "language": "en-US"},
        variables={"name": "<Ann>"},
    )

    (connect, _) = parsed(document(greeted))

    (relay,) = connect
    assert relay.tag == "ConversationRelay"
    assert relay.attrib == {
        "url": TARGETS[AgentKind.RELAY],
        "welcomeGreeting": 'Hi "<Ann>"',
        "voice": "en-US-Journey-O",
        "language": "en-US",
    }
    assert relay[0].attrib == {"name": "attempt_id", "value": ATTEMPT}


def test_sip_and_phone_dial_with_the_campaigns_number() -> None:
    options = {"username": "u", "password": "p"}
    (sip_dial, _) = parsed(document(script(AgentKind.SIP, options=options)))
    (phone_dial, _) = parsed(document(script(AgentKind.PHONE)))

    for dial in (sip_dial, phone_dial):
        assert dial.attrib == {"callerId": "+12025550100", "timeLimit": "600"}
    assert (sip_dial[0].tag, sip_dial[0].text) == ("Sip", TARGETS[AgentKind.SIP])
    assert sip_dial[0].attrib == {"username": "u", "password": "p"}
    assert (phone_dial[0].tag, phone_dial[0].text) == ("Number", TARGETS[AgentKind.PHONE])


def test_an_operators_own_document_is_redirected_to() -> None:
    (redirect, _) = parsed(document(script(AgentKind.TWIML_URL)))

    assert (redirect.tag, redirect.text) == ("Redirect", TARGETS[AgentKind.TWIML_URL])


@pytest.mark.parametrize("kind", AgentKind)
def test_a_voicemail_is_left_whatever_the_agent_is(kind: AgentKind) -> None:
    leaving = script(kind, options={"voicemail": "Call {{name}}"}, variables={"name": "Bo"})

    *says, redirect = parsed(message(leaving))

    assert "".join(say.text or "" for say in says) == "Call Bo"
    assert (redirect.tag, redirect.text) == ("Redirect", LEFT)  # by which it is known to be left


def test_without_a_voicemail_a_message_is_left_and_other_agents_leave_nothing() -> None:
    say, redirect = parsed(message(script(variables={"name": "Bo"})))
    assert (say.text, redirect.tag) == ("Hello Bo", "Redirect")
    assert message(script(AgentKind.SIP)) == twiml.goodbye()


LISTENING: Final = [(by_words, by_sound) for by_words in (0, 1) for by_sound in (0, 1)]


@pytest.mark.parametrize(("by_words", "by_sound"), LISTENING)
@pytest.mark.parametrize("kind", AgentKind)
def test_a_call_is_listened_to_before_anything_else_as_its_script_wants(
    kind: AgentKind, by_words: int, by_sound: int
) -> None:
    said = replace(script(kind), by_words=bool(by_words), by_sound=bool(by_sound), language="de")

    first, *rest = parsed(twiml.document(said, KEYPRESS, EARS))

    if not (by_words or by_sound):
        assert "Start" not in {first.tag, *(verb.tag for verb in rest)}
        return
    assert first.tag == "Start"
    assert [verb.tag for verb in rest] == [verb.tag for verb in parsed(document(said))]
    assert [each.tag for each in first] == ["Transcription"] * by_words + ["Stream"] * by_sound
    if by_words:
        assert first[0].attrib == {
            "name": "amd",
            "statusCallbackUrl": EARS.transcript_url,
            "track": "inbound_track",
            "partialResults": "true",
            "languageCode": "de-DE",
            "profanityFilter": "false",
            "transcriptionEngine": "deepgram",
            "speechModel": "nova-3",
        }
    if by_sound:
        stream = first[-1]
        assert stream.attrib == {"name": "amd", "url": EARS.media_url, "track": "inbound_track"}
        assert [each.attrib for each in stream] == [{"name": "token", "value": EARS.token}]


@pytest.mark.parametrize(
    ("callees", "agents", "told"),
    [
        ("pt-BR", "de-DE", "pt-BR"),
        ("en", None, "en-US"),
        ("ja", None, "ja-JP"),
        (None, "fr-FR", "fr-FR"),
        (None, None, None),  # the carrier's own choice
        ("Klingon", None, None),
    ],
)
def test_words_are_understood_in_the_callees_language(
    callees: str | None, agents: str | None, told: str | None
) -> None:
    options = {"language": agents} if agents else {}
    said = replace(script(options=options), by_words=True, language=callees)

    start, *_ = parsed(twiml.document(said, KEYPRESS, EARS))

    assert start[0].get("languageCode") == told


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Bo", {"identify": "Ann's dentist, for {{name}}"}, "Ann's dentist, for Bo"),
        ("Bo", {}, "Hello, this is a call for Bo. Could you put me through, please?"),
        ("", {}, twiml.CALL_FOR_OWNER),
    ],
)
def test_a_screening_assistant_hears_one_line_and_has_time_to_put_us_through(
    name: str, options: dict[str, str], words: str
) -> None:
    said = script(options=options, variables={"name": name})

    question, say, pause, hang_up = parsed(twiml.identify_document(said))

    assert (question.tag, question.attrib) == ("Pause", {"length": str(twiml.QUESTION_S)})
    assert say.text == words
    assert (pause.tag, pause.attrib) == ("Pause", {"length": str(twiml.PICK_UP_S)})
    assert hang_up.tag == "Hangup"


@given(st.text(max_size=5_000))
def test_whoever_calls_us_hears_the_greeting_and_can_press_a_key(text: str) -> None:
    document = parsed(twiml.greeting(text, "https://dialer.example.com/key?a=1&b=2"))

    said = [say.text or "" for say in document.iter("Say")]
    assert "".join(said).split() == twiml.clean(text).split()
    assert all(len(part.encode()) <= twiml.SAY_BYTES for part in said)
    assert [each.tag for each in document] == ["Gather", "Hangup"][not said :]


def test_goodbye_hangs_up_and_does_nothing_else() -> None:
    assert [verb.tag for verb in parsed(twiml.goodbye())] == ["Hangup"]


@pytest.mark.parametrize(
    "name",
    [
        "<Dial>+19005550100</Dial>",
        "</Say><Dial>+19005550100</Dial><Say>",
        "]]><Dial>1</Dial>",
        "&lt;Dial&gt;",
        "<!-- --><![CDATA[<Dial/>]]>",
        "{{name}}",
        'x" voice="evil',
    ],
)
def test_a_name_is_spoken_never_obeyed(name: str) -> None:
    assert spoken(document(script(variables={"name": name}))) == f"Hello {name}"


def test_control_characters_are_left_out() -> None:
    name = "".join(map(chr, range(32))) + "\x7f\ud800\udfff\ufffe\uffff\r\n"

    assert spoken(document(script(variables={"name": name}))) == "Hello \t\n\n"


@pytest.mark.parametrize("word", ["word ", "wörter ", "日本語。", "\U0001f600", "&"])
def test_a_long_text_is_cut_into_what_twilio_can_say(word: str) -> None:
    text = (word * 5_000)[: twiml.SPOKEN_CHARS]

    xml = document(script(target=text))

    assert spoken(xml) == text
    assert len(xml) <= 64_000
    pieces = [len((verb.text or "").encode()) for verb in parsed(xml)]
    assert max(pieces) <= twiml.SAY_BYTES


def test_a_text_without_an_end_is_cut() -> None:
    name = "x" * 100_000

    assert len(spoken(document(script(variables={"name": name})))) == twiml.SPOKEN_CHARS


@given(
    template=st.text(max_size=60),
    name=st.text(max_size=60),
    option=st.text(max_size=20),
    kind=st.sampled_from(AgentKind),
)
def test_every_document_is_well_formed_xml(
    template: str, name: str, option: str, kind: AgentKind
) -> None:
    options = dict.fromkeys(twiml.OPTIONS[kind], option)
    written = script(kind, template, options, {"name": name}, option)

    parsed(document(written))
    parsed(message(written))
    parsed(twiml.identify_document(written))


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=4_000))
def test_the_text_of_a_document_is_the_text_given(text: str) -> None:
    xml = document(script(target="{{text}}", variables={"text": text}))

    expected = twiml.clean(text)
    assert spoken(xml) == (expected if expected.strip() else "")


@given(st.text(max_size=200), st.dictionaries(st.text(max_size=5), st.text(max_size=10)))
def test_filling_leaves_text_without_variables_alone(text: str, variables: dict[str, str]) -> None:
    plain = text.replace("{", "")

    assert twiml.fill(plain, variables) == plain


BAD_TARGETS = [
    (AgentKind.MESSAGE, ""),
    (AgentKind.MESSAGE, "  "),
    (AgentKind.MESSAGE, "x" * (twiml.SPOKEN_CHARS + 1)),
    (AgentKind.MESSAGE, "bell \x07"),
    (AgentKind.STREAM, "ws://agent.example.com"),
    (AgentKind.STREAM, "https://agent.example.com"),
    (AgentKind.STREAM, "wss://agent.example.com/?token=1"),
    (AgentKind.STREAM, "wss://"),
    (AgentKind.RELAY, "http://agent.example.com"),
    (AgentKind.RELAY, "wss://agent.example.com/a b"),
    (AgentKind.SIP, "agent@example.com"),
    (AgentKind.SIP, "sip:example.com"),
    (AgentKind.SIP, "sip:a@b c"),
    (AgentKind.PHONE, "2025550199"),
    (AgentKind.PHONE, "+1 202 555 0199"),
    (AgentKind.PHONE, "+0202555019"),
    (AgentKind.PHONE, "+1202555\u0660199"),
    (AgentKind.TWIML_URL, "http://example.com"),
    (AgentKind.TWIML_URL, "https://example.com:port/"),
    (AgentKind.TWIML_URL, "javascript:alert(1)"),
]


@pytest.mark.parametrize(("kind", "target"), BAD_TARGETS)
def test_a_target_that_does_not_fit_is_named(kind: AgentKind, target: str) -> None:
    with pytest.raises(UsageError) as caught:
        twiml.validate_agent(Agent(kind, target, {}))

    assert repr(target) in caught.value.message
    assert kind.value in caught.value.message


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"voise": "alice"}, "'voise'"),
        ({"voice": "al\x00ice"}, "'voice'"),
        ({"language": "en"}, "'en'"),
        ({"username": "u"}, "'username'"),
    ],
)
def test_an_option_that_does_not_fit_is_named(options: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        twiml.validate_agent(Agent(AgentKind.MESSAGE, "Hello", options))
