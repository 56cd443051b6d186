"""The sound of calls, through a real server and a real websocket on the loopback."""

import asyncio
import json
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from amd.signals import Signal, Speech, Tone, ToneKind
from dialer.app import app_from, carrier_config
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.daemon import _web_server, listen
from dialer.errors import StoreBusyError
from dialer.listening.session import Session
from dialer.listening.sound import Ears
from dialer.model import AmdMode, AttemptId, CallSid
from dialer.store.opening import AnyDatabase
from dialer.web import callbacks
from dialer.web.current import CurrentWeb
from dialer.web.media import (
    BURST_S,
    DONE,
    MESSAGES_PER_S,
    TOO_BIG,
    UNABLE,
    UNREADABLE,
    UNWANTED,
    Allowance,
)
from tests.support.engine import rows, running, settings_for, sid, until
from tests.support.listening import AUTH_TOKEN, CREDENTIALS, Line, line_to

#: What the ear of these tests hears in a frame that begins with such a byte.
SPEECH, FAX, SILENCE = b"\x01", b"\x02", b"\xff"


class FakeEar:
    """Hears what a byte stands for, and takes down when."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []

    def hear(self, payload: bytes, at_ms: int) -> Sequence[Signal]:
        self.heard.append((at_ms, payload))
        if payload.startswith(FAX):
            return [Tone(at_ms, ToneKind.FAX, 700)]
        return [Speech(at_ms, True)] if payload.startswith(SPEECH) else []


@pytest.fixture
def store(tmp_path: Path, sqlite_template: bytes) -> str:
    """The sockets do not know the database; what is kept is tested on both in test_listening."""
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    return str(path)


@dataclass
class Listening:
    """A line to a daemon whose server is up."""

    line: Line
    ear: FakeEar
    port: int
    token: str = ""

    async def answer(self) -> None:
        document = ET.fromstring(await self.line.answer())
        (parameter,) = document.iter("Parameter")
        self.token = parameter.attrib["value"]

    @asynccontextmanager
    async def stream(self, *, signed_as: str = "wss://dialer.example.com") -> AsyncIterator[Any]:
        """A websocket, opened as the carrier opens it."""
        target = f"/twilio/media/{self.line.claim.attempt_id}"
        signature = RequestValidator(AUTH_TOKEN).compute_signature(signed_as + target, {})
        headers = {"X-Twilio-Signature": signature}
        url = f"ws://127.0.0.1:{self.port}{target}"
        async with connect(url, additional_headers=headers, open_timeout=5) as websocket:
            yield websocket

    async def begin(self, websocket: ClientConnection, **changes: Any) -> None:
        await websocket.send(json.dumps({"event": "connected", "protocol": "Call"}))
        start = {
            "callSid": self.line.sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": self.token},
        }
        await websocket.send(json.dumps({"event": "start", "start": start | changes}))


def media(sound: bytes, at_ms: int, **changes: Any) -> str:
    payload = b64encode(sound * 160).decode()
    body = {"track": "inbound", "chunk": "1", "timestamp": str(at_ms), "payload": payload}
    return json.dumps({"event": "media", "media": body | changes})


@asynccontextmanager
async def listening_to(
    store: str,
    database: AnyDatabase,
    *,
    settings: Mapping[str, Any] = MappingProxyType({}),
    **fields: Any,
) -> AsyncIterator[Listening]:
    """An answered call whose sound may be sent."""
    given = {"amd": AmdMode.ML} | fields
    async with line_to(store, database, **given) as line:
        engine, ear = line.daemon.engine, FakeEar()
        engine.listener._load_ears = lambda: Ears("test-1", lambda: ear)
        read = settings_for(store, **CREDENTIALS, **settings)
        app = app_from(read, engine, line.carrier, TwilioCallbacks(carrier_config(read)))
        with listen("127.0.0.1", 0) as listener:
            server = _web_server(app, CurrentWeb(app.web))
            async with running(lambda: server.serve(sockets=[listener])):
                await server.listening.wait()
                listening = Listening(line, ear, listener.getsockname()[1])
                await listening.answer()
                yield listening
                server.stop()


async def closed_with(websocket: ClientConnection) -> int:
    """The code by which the other side closes."""
    async with asyncio.timeout(30):
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.recv()
    assert caught.value.rcvd is not None, "it says why"
    return int(caught.value.rcvd.code)


async def test_a_fax_is_told_by_its_tone_and_hung_up_on(store: str, database: AnyDatabase) -> None:
    async with listening_to(store, database) as call, call.stream() as websocket:
        await call.begin(websocket)
        for n in range(5):
            await websocket.send(media(SILENCE, 155 + 20 * n))
        await websocket.send(json.dumps({"event": "mark", "mark": {"name": "x"}}))
        await websocket.send(json.dumps({"event": "dtmf", "dtmf": {"digit": "1"}}))
        await websocket.send(media(FAX, 255))
        await until(lambda: bool(call.line.carrier.hung_up))
        await websocket.send(json.dumps({"event": "stop", "stop": {}}))

        assert await closed_with(websocket) == DONE
        stamps = [at_ms for at_ms, _ in call.ear.heard]
        assert [at - stamps[0] for at in stamps] == [0, 20, 40, 60, 80, 100]  # the stream's clock
        (found,) = await rows(
            database, "SELECT mode, verdict, detector, model, acting FROM amd_verdicts"
        )
        assert found == ("ml", "fax", "tone", "test-1", 1)


async def test_words_and_sound_are_judged_together(store: str, database: AnyDatabase) -> None:
    async with listening_to(store, database, amd=AmdMode.FUSED) as call, call.stream() as websocket:
        await call.begin(websocket)
        await websocket.send(media(SPEECH, 155))
        await until(lambda: bool(call.ear.heard))
        await call.line.say("please leave a message after the tone", at_s=1)
        await until(lambda: bool(call.line.carrier.hung_up))

        (found,) = await rows(database, "SELECT mode, kind, detector FROM amd_verdicts")
        assert found == ("fused", "voicemail", "text")


@pytest.mark.parametrize("signed_as", ["https://dialer.example.com", "wss://evil.example.com"])
async def test_a_handshake_the_carrier_did_not_sign_is_refused(
    store: str, database: AnyDatabase, signed_as: str
) -> None:
    async with listening_to(store, database) as call:
        with pytest.raises(InvalidStatus) as caught:
            async with call.stream(signed_as=signed_as):
                pass

    assert caught.value.response.status_code == 403


async def test_the_default_port_may_be_signed(store: str, database: AnyDatabase) -> None:
    async with (
        listening_to(store, database) as call,
        call.stream(signed_as="wss://dialer.example.com:443") as websocket,
    ):
        await call.begin(websocket)
        await websocket.send(media(SILENCE, 155))
        await until(lambda: bool(call.ear.heard))


BAD: Final = [
    ("{", UNREADABLE),
    ("[]", UNREADABLE),
    ("{}", UNREADABLE),
    ("[" * 10_000, UNREADABLE),
    (b"\x00" * 160, UNREADABLE),
    ("x" * 20_000, TOO_BIG),
    (media(SILENCE, 0, timestamp="soon"), UNREADABLE),
    (media(SILENCE, 0, timestamp="-5"), UNREADABLE),
    (media(SILENCE, 0, timestamp="9" * 12), UNREADABLE),
    (media(SILENCE, 0, timestamp=155), UNREADABLE),
    (media(SILENCE, 0, payload="not base64!"), UNREADABLE),
    (media(SILENCE, 0, payload=None), UNREADABLE),
    (json.dumps({"event": "media"}), UNREADABLE),
    (json.dumps({"event": "start", "start": {"callSid": "CA1"}}), UNWANTED),  # a second one
]


@pytest.mark.parametrize(("frame", "code"), BAD)
async def test_a_malformed_message_ends_its_stream_and_nothing_else(
    store: str, database: AnyDatabase, frame: str | bytes, code: int
) -> None:
    async with (
        listening_to(store, database, amd=AmdMode.FUSED) as call,
        call.stream() as websocket,
    ):
        await call.begin(websocket)
        await websocket.send(frame)

        assert await closed_with(websocket) == code
        await call.line.say("please leave a message after the tone")
        await until(lambda: bool(call.line.carrier.hung_up))  # by its words


@pytest.mark.parametrize(
    "changes",
    [
        {"customParameters": {"token": "guessed"}},
        {"customParameters": {}},
        {"customParameters": None},
        {"callSid": "CA7"},
        {"callSid": ""},
        {"mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000, "channels": 1}},
    ],
)
async def test_a_stream_that_is_not_its_calls_is_closed(
    store: str, database: AnyDatabase, changes: dict[str, Any]
) -> None:
    async with listening_to(store, database) as call, call.stream() as websocket:
        await call.begin(websocket, **changes)

        assert await closed_with(websocket) in (UNWANTED, UNREADABLE)
        assert call.ear.heard == []


async def test_sound_before_its_call_is_named_is_not_heard(
    store: str, database: AnyDatabase
) -> None:
    async with listening_to(store, database) as call, call.stream() as websocket:
        await websocket.send(media(FAX, 155))

        assert await closed_with(websocket) == UNREADABLE
        assert call.ear.heard == []


async def test_a_call_has_one_stream(store: str, database: AnyDatabase) -> None:
    async with listening_to(store, database) as call:
        async with call.stream() as first:
            await call.begin(first)
            await first.send(media(SILENCE, 155))
            await until(lambda: bool(call.ear.heard))
            async with call.stream() as second:
                await call.begin(second)
                assert await closed_with(second) == UNWANTED
        async with call.stream() as third:  # nor another after it
            await call.begin(third)
            assert await closed_with(third) == UNWANTED


async def test_a_flood_is_closed(store: str, database: AnyDatabase) -> None:
    async with listening_to(store, database) as call, call.stream() as websocket:
        await call.begin(websocket)
        frames = [media(SILENCE, 20 * n) for n in range(MESSAGES_PER_S * BURST_S * 4)]

        with suppress(ConnectionClosed):
            for frame in frames:
                await websocket.send(frame)

        assert await closed_with(websocket) == UNWANTED
        assert len(call.ear.heard) < len(frames)


def test_an_allowance_is_what_time_gives_and_what_was_saved() -> None:
    allowance = Allowance(per_s=10, burst_s=2, now_s=100.0)

    assert all(allowance.spend(1, 100.0) for _ in range(20))
    assert not allowance.spend(1, 100.0)
    assert allowance.spend(4, 100.5)
    assert not allowance.spend(21, 200.0)  # no more than the burst is saved


async def test_the_sound_of_a_call_that_is_over_is_not_heard(
    store: str, database: AnyDatabase
) -> None:
    async with listening_to(store, database) as call, call.stream() as websocket:
        await call.begin(websocket)
        await websocket.send(media(SILENCE, 155))
        await until(lambda: bool(call.ear.heard))
        await call.line.end()
        await websocket.send(media(FAX, 175))
        await websocket.send(json.dumps({"event": "stop"}))

        assert await closed_with(websocket) == DONE
        assert len(call.ear.heard) == 1
        assert await rows(database, "SELECT verdict FROM amd_verdicts") == []


async def test_without_ears_a_call_counts_as_a_persons(store: str, database: AnyDatabase) -> None:
    async with listening_to(store, database) as call:
        listener = call.line.daemon.engine.listener
        listener.over(call.line.claim.attempt_id)

        def broken() -> Ears:
            raise ValueError("not a model")

        listener._ears, listener._load_ears = None, broken
        async with call.stream() as websocket:
            await call.begin(websocket)
            await websocket.send(media(FAX, 155))
            await websocket.send(json.dumps({"event": "stop"}))
            assert await closed_with(websocket) == DONE
        await call.line.end()

        assert await call.line.attempt("outcome") == ("human",)
        assert call.line.carrier.hung_up == []
        assert sid(1) == call.line.sid


def busy_for(call: Listening, monkeypatch: pytest.MonkeyPatch, times: float) -> list[AttemptId]:
    """Have the store fail so often when a stream's call is looked up; gives what it was asked."""
    listener, asked = call.line.daemon.engine.listener, list[AttemptId]()
    look_up = listener.stream

    async def stream(attempt_id: AttemptId, call_sid: CallSid) -> Session | None:
        asked.append(attempt_id)
        if len(asked) <= times:
            raise StoreBusyError("database is locked")
        return await look_up(attempt_id, call_sid)

    monkeypatch.setattr(listener, "stream", stream)
    monkeypatch.setattr(callbacks, "ASK_AGAIN_S", 0.001)
    return asked


async def test_a_store_that_is_busy_for_a_moment_makes_no_call_deaf(
    store: str, database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening_to(store, database) as call, call.stream() as websocket:
        asked = busy_for(call, monkeypatch, 2)
        await call.begin(websocket)
        await websocket.send(media(FAX, 155))
        await until(lambda: bool(call.line.carrier.hung_up))

    assert asked == [call.line.claim.attempt_id] * 3


async def test_a_store_that_stays_busy_ends_the_stream(
    store: str, database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = {"answer_patience_s": 0.05}
    async with listening_to(store, database, settings=hasty) as call, call.stream() as websocket:
        asked = busy_for(call, monkeypatch, float("inf"))
        with capture_logs() as logs:
            await call.begin(websocket)
            assert await closed_with(websocket) == UNABLE

    assert len(asked) > 1
    assert [line["event"] for line in logs] == ["stream.closed"]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("last", ["websocket.accept", "websocket.close"])
async def test_whoever_goes_without_a_word_leaves_no_trouble(
    store: str, database: AnyDatabase, signed: bool, last: str
) -> None:
    """The other side goes just before it is told *last*."""
    given: list[dict[str, Any]] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "{"},
        {"type": "websocket.disconnect", "code": 1006},
    ]
    told: list[str] = []

    async def receive() -> dict[str, Any]:
        return given.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message["type"])
        if last in told:
            raise OSError  # as servers do

    async with line_to(store, database, amd=AmdMode.ML) as line:
        settings = settings_for(store, **CREDENTIALS)
        door = TwilioCallbacks(carrier_config(settings))
        web = app_from(settings, line.daemon.engine, line.carrier, door).web
        await web(handshake(line, signed=signed), receive, send)

    assert told == (["websocket.accept"] if signed else []) + ["websocket.close"]


def handshake(line: Line, *, signed: bool) -> dict[str, Any]:
    """The request for a websocket, as a server hands it on."""
    target = f"/twilio/media/{line.claim.attempt_id}"
    url = f"wss://dialer.example.com{target}" if signed else "wss://evil.example.com"
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, {})
    return {
        "type": "websocket",
        "path": target,
        "raw_path": target.encode(),
        "query_string": b"",
        "headers": [(b"x-twilio-signature", signature.encode())],
        "subprotocols": [],
    }
