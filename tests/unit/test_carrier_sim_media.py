"""Media streams in virtual time: messages as recorded, in real time, through every mishap."""

import asyncio
import json
import sys
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from dialer.carrier_sim import truth
from dialer.carrier_sim.exchange import Exchange
from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.media import SocketFailedError
from dialer.carrier_sim.truth import Event
from tests.support.carrier_sim import ACCOUNT, HUMAN, Mailbox, Rig, carrier, document, order
from tests.support.virtual import now, run

RECORDED: Final = {
    item["id"]: item["payload"]
    for item in json.loads(Path("tests/data/twilio_payloads.json").read_text())["items"]
}
STREAM: Final = (
    '<Stream name="ears" url="wss://dialer.test/media/a1"><Parameter name="token" value="t0"/>'
    "</Stream>"
)
FORKED: Final = f"<Response><Start>{STREAM}</Start><Pause length='60'/></Response>"


@dataclass
class Wire:
    """A websocket's other end: keeps what comes, answers from a queue, may hang up."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    closes_after: int = 1_000_000
    answers: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    closed: bool = False

    async def send(self, text: str) -> None:
        if self.closed:
            raise SocketFailedError("closed")
        self.messages.append(json.loads(text))
        self.times_s.append(asyncio.get_running_loop().time())
        if len(self.messages) >= self.closes_after:
            self.closed = True
            self.answers.put_nowait("")

    async def receive(self) -> str:
        text = await self.answers.get()
        if self.closed:
            raise SocketFailedError("closed")
        return text

    async def close(self) -> None:
        self.closed = True

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == event]


@dataclass
class Wires:
    """Opens every socket onto one wire."""

    wire: Wire
    opened: list[str] = field(default_factory=list)
    refuses: bool = False

    async def open(self, url: str, within_s: float) -> Wire:
        self.opened.append(url)
        if self.refuses:
            raise SocketFailedError("nobody listens")
        return self.wire


async def lived(wires: Wires, text: str = FORKED, to: str = HUMAN, **setup: Any) -> Rig:
    """One call from its acceptance to its end."""
    async with carrier(Mailbox(document(text)), **setup) as rig:
        async with listened(rig, wires) as exchange:
            exchange.accept(order(to), now())
            await rig.quiet()
        return rig


def listened(rig: Rig, wires: Wires) -> Any:
    """*rig* with sockets."""
    setup = rig.exchange.setup
    rig.exchange = Exchange(setup, now=now, poster=rig.mailbox, truth_log=rig.log, sockets=wires)
    return rig.exchange


def heard(text: str = FORKED, to: str = HUMAN, **changes: Any) -> tuple[Wire, Rig]:
    """What comes over the wire of one call."""
    wire_fields = {name: changes.pop(name) for name in ("closes_after",) if name in changes}

    async def main() -> tuple[Wire, Rig]:
        wire = Wire(**wire_fields)
        return wire, await lived(Wires(wire), text, to, **changes)

    return run(main())


def shape(message: Mapping[str, Any]) -> dict[str, Any]:
    """The names in a message and the types of its values."""
    return {
        name: shape(value) if isinstance(value, Mapping) and name != "customParameters"
        else type(value)
        for name, value in message.items()
    }  # fmt: skip


def streams(rig: Rig) -> list[tuple[str, str]]:
    events = (event for event in rig.log.events if event["event"] == Event.STREAM)
    return [(event["state"], event["why"]) for event in events]


def test_messages_have_the_names_and_types_of_recorded_ones() -> None:
    wire, _ = heard()

    assert wire.messages[0] == RECORDED["media.connected"]
    assert shape(wire.messages[1]) == shape(RECORDED["media.start.custom_parameters"])
    assert shape(wire.messages[2]) == shape(RECORDED["media.media.first"])
    assert shape(wire.messages[-1]) == shape(RECORDED["media.stop"])
    assert wire.messages[1]["start"]["mediaFormat"] == {
        "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1
    }  # fmt: skip
    assert wire.messages[1]["start"]["accountSid"] == ACCOUNT
    assert wire.messages[1]["start"]["customParameters"] == {"token": "t0"}


def test_frames_come_every_20_ms_and_are_numbered() -> None:
    wire, rig = heard()

    frames = wire.of("media")
    stamps = [int(frame["media"]["timestamp"]) for frame in frames]
    assert 135 <= stamps[0] <= 175
    assert {b - a for a, b in pairwise(stamps)} == {20}
    assert [frame["media"]["chunk"] for frame in frames] == [str(n + 1) for n in range(len(frames))]
    assert [m["sequenceNumber"] for m in wire.messages[1:]] == [
        str(n + 1) for n in range(len(wire.messages) - 1)
    ]
    assert {len(b64decode(frame["media"]["payload"])) for frame in frames} == {160}
    assert 20_000 / 20 - 20 < len(frames) <= 20_000 / 20  # the call lasts for 20 s
    assert rig.calls()[0].frames == len(frames)
    took_s = wire.times_s[-1] - wire.times_s[2]
    assert took_s == pytest.approx((stamps[-1] - stamps[0]) / 1000, abs=0.1)
    assert streams(rig) == [("opened", "wss://dialer.test/media/a1"), ("ended", "stopped")]


def test_a_connected_stream_is_heard_while_it_holds_the_call() -> None:
    wire, _ = heard(f"<Response><Connect>{STREAM}</Connect></Response>")

    assert len(wire.of("media")) > 900


def test_a_stream_that_is_stopped_says_so_and_ends() -> None:
    stopping = FORKED.replace("length='60'/>", "length='2'/><Stop><Stream name='ears'/></Stop>")

    wire, _ = heard(stopping.replace("</Response>", "<Pause length='9'/></Response>"))

    assert len(wire.of("media")) == pytest.approx(100, abs=10)
    assert wire.messages[-1]["event"] == "stop"


def test_a_name_streams_once() -> None:
    wires = Wires(Wire())

    run(lived(wires, FORKED.replace("</Start>", f"{STREAM}</Start>")))

    assert wires.opened == ["wss://dialer.test/media/a1"]


def test_the_other_side_may_close_and_the_call_goes_on() -> None:
    wire, rig = heard(closes_after=50)

    assert len(wire.messages) == 50
    (call,) = rig.calls()
    assert (call.duration_s, call.ended_by) == (20, "callee")
    assert streams(rig)[-1] == ("ended", "closed by the other side")


def test_who_refuses_the_handshake_hears_nothing() -> None:
    wires = Wires(Wire(), refuses=True)

    rig = run(lived(wires))

    assert wires.wire.messages == []
    assert streams(rig) == [("failed", "nobody listens")]
    assert rig.calls()[0].duration_s == 20


def test_without_numpy_no_stream_opens_and_the_record_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    wires = Wires(Wire())

    rig = run(lived(wires))

    assert wires.opened == []
    ((state, why),) = streams(rig)
    assert state == "failed"
    assert "numpy" in why


def test_without_sockets_a_document_is_followed_all_the_same() -> None:
    async def main() -> truth.Call:
        async with carrier(Mailbox(document(FORKED))) as rig:
            rig.exchange.accept(order(HUMAN), now())
            await rig.quiet()
            return rig.calls()[0]

    assert run(main()).duration_s == 20


def test_marks_are_given_back_and_other_messages_ignored() -> None:
    async def main() -> Wire:
        wire = Wire()
        told = ('{"event":"mark","mark":{"name":"m1"}}', "no json", '{"event":"clear"}', "[]")
        for text in told:
            wire.answers.put_nowait(text)
        await lived(Wires(wire))
        return wire

    (mark,) = run(main()).of("mark")

    assert mark["mark"] == {"name": "m1"}
    assert shape(mark) == shape(RECORDED["media.mark"])


def test_lost_frames_leave_gaps_that_their_numbers_show() -> None:
    wire, _ = heard(faults=Faults.parse("frame_lost=0.3"))

    chunks = [int(frame["media"]["chunk"]) for frame in wire.of("media")]
    assert len(chunks) < 800
    assert chunks == sorted(set(chunks))
    stamps = [int(frame["media"]["timestamp"]) for frame in wire.of("media")]
    assert all(t == stamps[0] + 20 * (c - chunks[0]) for t, c in zip(stamps, chunks, strict=True))


def test_late_frames_come_in_a_burst_and_none_is_missing() -> None:
    wire, _ = heard(faults=Faults.parse("frame_late=0.01"))

    stamps = [int(frame["media"]["timestamp"]) for frame in wire.of("media")]
    assert {b - a for a, b in pairwise(stamps)} == {20}
    gaps_s = [b - a for a, b in pairwise(wire.times_s[2:])]
    assert max(gaps_s) >= 0.1
    assert min(gaps_s) == 0


def test_a_socket_may_close_without_a_word() -> None:
    wire, rig = heard(faults=Faults.parse("socket_closed=1"))

    assert wire.closed
    assert wire.of("stop") == []
    assert len(wire.of("media")) < 8000 / 20
    assert streams(rig)[-1] == ("ended", "closed by a fault")
