"""The documents Twilio runs when a call is answered, and the check of what they are made from.

Documents are built by the SDK's XML writer, never by hand. It escapes markup but lets control
characters through, which XML forbids, so every text and attribute is cleaned first: names and
variables come from lists that strangers wrote.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from twilio.twiml.voice_response import Connect, Dial, Gather, VoiceResponse

from dialer.errors import UsageError
from dialer.model import Agent, AgentKind, Script

#: Twilio's neural voices take 3000 characters in one ``<Say>``, its other voices more (Twilio
#: warning 13521, where a character is a byte); longer texts are spoken in several.
SAY_BYTES: Final = 3000
#: A document may have 64 kB (Twilio error 11750); an escaped character takes up to five bytes.
SPOKEN_CHARS: Final = 12_000

#: Where a language that is not named after a country is spoken most.
_COUNTRIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ar": "SA", "cs": "CZ", "da": "DK", "el": "GR", "en": "US", "he": "IL", "hi": "IN",
        "ja": "JP", "ko": "KR", "nb": "NO", "sv": "SE", "uk": "UA", "vi": "VN", "zh": "CN",
    }
)  # fmt: skip

#: Everything XML 1.0 has no place for (its production 2), and the carriage return, which a
#: parser would read as a line feed.
_UNPRINTABLE: Final = re.compile("[^\t\n\x20-\x7e\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VARIABLE: Final = re.compile(r"\{\{([^{}]{1,100})\}\}")
_LOCALE: Final = re.compile(r"[A-Za-z]{2}-[A-Za-z]{2}")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SIP: Final = re.compile(r"sips?:[^\s@<>\"]+@[^\s@<>\"]+")

#: What to leave on a machine; a MESSAGE agent leaves its own text where this is not given.
VOICEMAIL: Final = "voicemail"
#: What a screening assistant hears who asks who is calling; variables are filled in.
IDENTIFY: Final = "identify"
CALL_FOR_NAME: Final = "Hello, this is a call for {{name}}. Could you put me through, please?"
CALL_FOR_OWNER: Final = "Hello, I am calling the owner of this number. May I speak to them, please?"
#: An assistant is told by the first words of its question, and listens once it has asked, which
#: takes it so much longer, in seconds.
QUESTION_S: Final = 3
#: Somebody whose assistant has asked picks up within this, in seconds, or does not: it rings them
#: for about half a minute.
PICK_UP_S: Final = 40
#: What a carrier calls our transcription, and our copy of the sound.
LISTENER: Final = "amd"
#: The key by which somebody who hears a MESSAGE asks not to be called again, or ``none``.
OPT_OUT: Final = "opt_out"
OPT_OUT_KEY: Final = "9"
NO_KEY: Final = "none"
#: What they hear then, in place of the default.
OPT_OUT_REPLY: Final = "opt_out_reply"
DEFAULT_REPLY: Final = "You will not be called again. Goodbye."
#: After the message a key may still be pressed for so long, in seconds.
KEY_WAIT_S: Final = 5

_SPOKEN: Final = frozenset({"voice", "language", VOICEMAIL, IDENTIFY})
OPTIONS: Final[Mapping[AgentKind, frozenset[str]]] = MappingProxyType(
    {
        AgentKind.MESSAGE: _SPOKEN | {OPT_OUT, OPT_OUT_REPLY},
        AgentKind.STREAM: _SPOKEN,
        AgentKind.RELAY: _SPOKEN | {"greeting"},
        AgentKind.SIP: _SPOKEN | {"username", "password"},
        AgentKind.PHONE: _SPOKEN,
        AgentKind.TWIML_URL: _SPOKEN,
    }
)


@dataclass(frozen=True, slots=True)
class Ears:
    """Where an answered call is listened to: its words, its sound, and how they get there.

    *token* tells that the sound is that of the call; *engine* and *model* are the recogniser's.
    """

    transcript_url: str
    media_url: str
    token: str
    engine: str
    model: str


def clean(text: str) -> str:
    """*text* without the characters a document cannot hold."""
    return _UNPRINTABLE.sub("", text)


def fill(template: str, variables: Mapping[str, str]) -> str:
    """Replace each ``{{name}}`` by its value, an unknown name by nothing.

    A value is not a template: braces in it stay as they are.
    """
    return _VARIABLE.sub(lambda found: variables.get(found[1].strip(), ""), template)


def document(script: Script, keypress_url: str, ears: Ears | None = None) -> bytes:
    """What the answered call is to do, ending with a hang-up.

    A key pressed during a spoken message is reported to *keypress_url*. With *ears* it is listened
    to as well, as its script wants it.
    """
    response = VoiceResponse()
    if ears is not None:
        _listen(response, script, ears)
    if script.agent.kind is AgentKind.MESSAGE:
        _write_message(response, script, keypress_url)
    else:
        _WRITERS[script.agent.kind](response, script)
    response.hangup()
    return _bytes(response)


def message_document(script: Script, left_url: str) -> bytes:
    """What to leave on a machine whose greeting is over; a goodbye when there is nothing to say.

    The carrier asks *left_url* what to do next once it has spoken the whole of it.
    """
    agent = script.agent
    own = agent.target if agent.kind is AgentKind.MESSAGE else ""
    template = agent.options.get(VOICEMAIL) or own
    response = VoiceResponse()
    if _spoken(script, template):
        _say(response, script, template)
        response.redirect(left_url, method="POST")
    else:
        response.hangup()
    return _bytes(response)


def identify_document(script: Script) -> bytes:
    """What a screening assistant hears, and the silence in which somebody may pick up."""
    default = CALL_FOR_NAME if script.variables.get("name", "").strip() else CALL_FOR_OWNER
    response = VoiceResponse()
    response.pause(length=QUESTION_S)
    _say(response, script, script.agent.options.get(IDENTIFY) or default)
    response.pause(length=PICK_UP_S)
    response.hangup()
    return _bytes(response)


def opts_out(agent: Agent, keys: str) -> bool:
    """Whether somebody who pressed *keys* during a message asks not to be called again."""
    key = agent.options.get(OPT_OUT, OPT_OUT_KEY)
    return agent.kind is AgentKind.MESSAGE and key != NO_KEY and keys == key


def opted_out(script: Script) -> bytes:
    """What somebody hears who asked not to be called again."""
    response = VoiceResponse()
    _say(response, script, script.agent.options.get(OPT_OUT_REPLY) or DEFAULT_REPLY)
    response.hangup()
    return _bytes(response)


def greeting(text: str, keypress_url: str) -> bytes:
    """What somebody hears who calls us; a key pressed meanwhile is reported to *keypress_url*."""
    spoken = clean(text).strip()
    response = VoiceResponse()
    if spoken:
        gather = response.gather(
            input="dtmf", num_digits=1, timeout=KEY_WAIT_S, action=keypress_url, method="POST"
        )
        for part in _parts(spoken):
            gather.say(part)
    response.hangup()
    return _bytes(response)


def greeted_opted_out() -> bytes:
    """What a caller hears who asked not to be called again."""
    response = VoiceResponse()
    response.say(DEFAULT_REPLY)
    response.hangup()
    return _bytes(response)


def goodbye() -> bytes:
    """The document that ends a call."""
    return _GOODBYE


def validate_agent(agent: Agent) -> None:
    """Raise :exc:`UsageError`, naming the value, for an agent no document can be made from."""
    requirement, fits = _REQUIREMENTS[agent.kind]
    if clean(agent.target) != agent.target or not fits(agent.target):
        raise UsageError(f"agent target {agent.target!r} does not fit {agent.kind}: {requirement}")
    if agent.kind is AgentKind.MESSAGE:
        _check_placeholders(agent.target)
    known = OPTIONS[agent.kind]
    for name, value in agent.options.items():
        if name not in known:
            choice = ", ".join(sorted(known))
            raise UsageError(f"agent option {name!r} is unknown for {agent.kind}: not in {choice}")
        if clean(value) != value:
            raise UsageError(f"agent option {name!r} holds control characters: {value!r}")
    language = agent.options.get("language")
    if language is not None and not _LOCALE.fullmatch(language):
        raise UsageError(f"agent option 'language' is no locale: {language!r} (as in en-US)")
    key = agent.options.get(OPT_OUT, NO_KEY)
    if key != NO_KEY and not re.fullmatch("[0-9]", key):
        raise UsageError(f"agent option 'opt_out' is no key: {key!r} (0 to 9, or none)")


def _check_placeholders(text: str) -> None:
    """Raise UsageError for a placeholder that does not end, which would be read out."""
    rest = _VARIABLE.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise UsageError(
            f"the text has a placeholder that does not end, or is none: {rest!r};"
            " write {{name}}"
        )


# -- listening -----------------------------------------------------------------------------------


def _listen(response: VoiceResponse, script: Script, ears: Ears) -> None:
    """Have the callee's words, or sound, sent to us from here on, whatever the document does."""
    if not (script.by_words or script.by_sound):
        return
    start = response.start()
    if script.by_words:
        start.transcription(
            name=LISTENER,
            status_callback_url=ears.transcript_url,
            track="inbound_track",
            partial_results=True,
            language_code=_spoken_language(script),
            profanity_filter=False,
            transcription_engine=ears.engine or None,
            speech_model=ears.model or None,
        )
    if script.by_sound:
        stream = start.stream(name=LISTENER, url=ears.media_url, track="inbound_track")
        stream.parameter(name="token", value=ears.token)


def _spoken_language(script: Script) -> str | None:
    """The callee's language before the agent's, as a locale; None: the carrier's default."""
    language = script.language or script.agent.options.get("language") or ""
    if _LOCALE.fullmatch(language):
        return language
    if not re.fullmatch("[A-Za-z]{2}", language):
        return None
    return f"{language.lower()}-{_COUNTRIES.get(language.lower(), language.upper())}"


# -- one writer per kind of agent ----------------------------------------------------------------


def _write_message(response: VoiceResponse, script: Script, keypress_url: str) -> None:
    """The text; then silence, for a key or for the verdict who answered."""
    if not _spoken(script, script.agent.target):
        return
    if script.agent.options.get(OPT_OUT, OPT_OUT_KEY) == NO_KEY:
        _say(response, script, script.agent.target)
        if script.listen_s:
            response.pause(length=script.listen_s)
        return
    gather = response.gather(
        input="dtmf",
        num_digits=1,
        timeout=max(script.listen_s, KEY_WAIT_S),
        action=keypress_url,
        method="POST",
    )
    _say(gather, script, script.agent.target)


def _write_stream(response: VoiceResponse, script: Script) -> None:
    stream = _connect(response).stream(url=clean(script.agent.target))
    stream.parameter(name="attempt_id", value=script.attempt_id)


def _write_relay(response: VoiceResponse, script: Script) -> None:
    options = script.agent.options
    greeting = clean(fill(options.get("greeting", ""), script.variables))
    relay = _connect(response).conversation_relay(
        url=clean(script.agent.target),
        welcome_greeting=greeting or None,
        language=_language(script),
        voice=_option(script, "voice"),
    )
    relay.parameter(name="attempt_id", value=script.attempt_id)


def _write_sip(response: VoiceResponse, script: Script) -> None:
    _dial(response, script).sip(
        clean(script.agent.target),
        username=_option(script, "username"),
        password=_option(script, "password"),
    )


def _write_phone(response: VoiceResponse, script: Script) -> None:
    _dial(response, script).number(clean(script.agent.target))


def _write_redirect(response: VoiceResponse, script: Script) -> None:
    response.redirect(clean(script.agent.target))


_WRITERS: Final[Mapping[AgentKind, Callable[[VoiceResponse, Script], None]]] = MappingProxyType(
    {
        AgentKind.STREAM: _write_stream,
        AgentKind.RELAY: _write_relay,
        AgentKind.SIP: _write_sip,
        AgentKind.PHONE: _write_phone,
        AgentKind.TWIML_URL: _write_redirect,
    }
)


def _connect(response: VoiceResponse) -> Connect:
    return response.connect()


def _dial(response: VoiceResponse, script: Script) -> Dial:
    """A further leg shows the number the callee was called from and shares the time limit."""
    return response.dial(caller_id=clean(script.caller_id), time_limit=script.time_limit_s)


def _spoken(script: Script, template: str) -> str:
    """*template* filled in; nothing at all when that leaves but blanks, for which Twilio warns."""
    text = clean(fill(template, script.variables))[:SPOKEN_CHARS]
    return text if text.strip() else ""


def _say(response: VoiceResponse | Gather, script: Script, template: str) -> None:
    for part in _parts(_spoken(script, template)):
        response.say(part, voice=_option(script, "voice"), language=_language(script))


def _parts(text: str) -> Iterator[str]:
    """Cut *text* after blanks into pieces of at most SAY_BYTES; together they are the text."""
    while len(head := _head(text)) < len(text):
        blank = max(head.rfind(" "), head.rfind("\n"))
        head = head[: blank + 1] or head
        yield head
        text = text[len(head) :]
    if text:
        yield text


def _head(text: str) -> str:
    """As much of *text* as fits SAY_BYTES, in whole characters."""
    return text.encode()[:SAY_BYTES].decode(errors="ignore")


def _option(script: Script, name: str) -> str | None:
    return clean(script.agent.options.get(name, "")) or None


def _language(script: Script) -> str | None:
    """The text's language before the callee's; a bare ``en`` would be refused by the carrier."""
    language = script.agent.options.get("language") or script.language or ""
    return language if _LOCALE.fullmatch(language) else None


def _bytes(response: VoiceResponse) -> bytes:
    return str(response).encode()


# -- what an agent's target has to look like ------------------------------------------------------


def _is_url(scheme: str) -> Callable[[str], bool]:
    def fits(target: str) -> bool:
        try:
            parts = urlsplit(target)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return False
        return parts.scheme == scheme and bool(host) and not re.search(r"\s", target)

    return fits


def _is_stream_url(target: str) -> bool:
    """Twilio strips the query from a stream's address, and what was meant by it would be lost."""
    return _is_url("wss")(target) and "?" not in target


_REQUIREMENTS: Final[Mapping[AgentKind, tuple[str, Callable[[str], bool]]]] = MappingProxyType(
    {
        AgentKind.MESSAGE: (
            f"a text of 1 to {SPOKEN_CHARS} characters",
            lambda target: 0 < len(target.strip()) <= SPOKEN_CHARS,
        ),
        AgentKind.STREAM: ("a wss:// address without a query", _is_stream_url),
        AgentKind.RELAY: ("a wss:// address", _is_url("wss")),
        AgentKind.SIP: (
            "a SIP address as in sip:agent@example.com",
            lambda target: _SIP.fullmatch(target) is not None,
        ),
        AgentKind.PHONE: (
            "a phone number as in +12025550123",
            lambda target: _E164.fullmatch(target) is not None,
        ),
        AgentKind.TWIML_URL: ("an https:// address", _is_url("https")),
    }
)


def _goodbye() -> bytes:
    response = VoiceResponse()
    response.hangup()
    return _bytes(response)


_GOODBYE: Final = _goodbye()
