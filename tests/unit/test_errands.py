"""What a verdict asks the carrier to do is done once, and a failure harms nobody."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dialer.app import engine_from
from dialer.errands import Errands
from dialer.errors import UnreachableError
from dialer.folding import Action, Connect, HangUp, Identify, LeaveMessage
from dialer.model import AttemptId, CallSid
from dialer.settings import Settings
from tests.support.engine import (
    CountedIds,
    NoChance,
    ScriptedCarrier,
    SetClock,
    running,
    sid,
    until,
)


def address(topic: str, attempt_id: AttemptId) -> str:
    return f"https://dialer.example.com/{topic}/{attempt_id}"


async def test_a_machine_is_hung_up_on() -> None:
    carrier = ScriptedCarrier()
    errands = Errands(carrier, address)

    async with running(errands.run):
        errands.add(HangUp(sid(1)))
        errands.add(HangUp(sid(2)))
        await until(lambda: len(carrier.hung_up) == 2)

    assert carrier.hung_up == [sid(1), sid(2)]
    assert carrier.redirected == []


async def test_a_message_is_left_with_the_attempts_own_document() -> None:
    carrier = ScriptedCarrier()
    errands = Errands(carrier, address)

    async with running(errands.run):
        errands.add(LeaveMessage(sid(1), AttemptId("a1")))
        await until(lambda: bool(carrier.redirected))

    assert carrier.redirected == [(sid(1), "https://dialer.example.com/message/a1")]
    assert carrier.hung_up == []


@pytest.mark.parametrize(("action", "topic"), [(Identify, "identify"), (Connect, "connect")])
async def test_a_call_goes_on_with_another_document(
    action: type[Identify | Connect], topic: str
) -> None:
    carrier = ScriptedCarrier()
    errands = Errands(carrier, address)

    async with running(errands.run):
        errands.add(action(sid(1), AttemptId("a1")))
        await until(lambda: bool(carrier.redirected))

    assert carrier.redirected == [(sid(1), f"https://dialer.example.com/{topic}/a1")]


async def test_an_errand_that_fails_is_logged_and_the_next_one_is_done() -> None:
    carrier = ScriptedCarrier()
    errands = Errands(carrier, address)

    with capture_logs() as logs:
        async with running(errands.run):
            carrier.trouble = UnreachableError("connection refused")
            errands.add(HangUp(sid(1)))
            await until(lambda: bool(logs))
            carrier.trouble = None
            errands.add(HangUp(sid(2)))
            await until(lambda: bool(carrier.hung_up))

    assert carrier.hung_up == [sid(2)]
    assert [(entry["event"], entry["action"]) for entry in logs] == [("errand.failed", "HangUp")]


# -- errands of one call ---------------------------------------------------------------------------

MESSAGE, CONNECT = address("message", AttemptId("a1")), address("connect", AttemptId("a1"))


class SlowCarrier:
    """Answers when it is told to, and takes a while to let go of what is called off."""

    def __init__(self) -> None:
        self.begun: list[tuple[CallSid, str]] = []
        self.done: list[tuple[CallSid, str]] = []
        self.busy: Counter[CallSid] = Counter()
        self.most_busy = 0
        self.open = asyncio.Event()

    async def hang_up(self, sid: CallSid) -> None:
        await self._ask(sid, "hang up")

    async def redirect(self, sid: CallSid, url: str) -> bool:
        await self._ask(sid, url)
        return True

    async def _ask(self, sid: CallSid, what: str) -> None:
        async with self._noted(sid):
            self.begun.append((sid, what))
            await self.open.wait()
            self.done.append((sid, what))

    @asynccontextmanager
    async def _noted(self, sid: CallSid) -> AsyncIterator[None]:
        self.busy[sid] += 1
        self.most_busy = max(self.most_busy, self.busy[sid])
        try:
            yield
        except asyncio.CancelledError:
            for _ in range(3):
                await asyncio.sleep(0)
            raise
        finally:
            self.busy[sid] -= 1


def slow_errands() -> tuple[Any, Errands]:
    carrier: Any = SlowCarrier()
    return carrier, Errands(carrier, address)


@pytest.mark.parametrize(
    ("newest", "asked"),
    [(Connect(sid(1), AttemptId("a1")), CONNECT), (HangUp(sid(1)), "hang up")],
)
async def test_the_newest_errand_of_a_call_ends_the_one_before(newest: Action, asked: str) -> None:
    carrier, errands = slow_errands()

    async with running(errands.run):
        errands.add(LeaveMessage(sid(1), AttemptId("a1")))
        await until(lambda: bool(carrier.begun))
        errands.add(newest)
        await until(lambda: len(carrier.begun) == 2)
        carrier.open.set()
        await until(lambda: bool(carrier.done) and not carrier.busy.total())

    assert carrier.begun == [(sid(1), MESSAGE), (sid(1), asked)]
    assert carrier.done == [(sid(1), asked)]


async def test_calls_do_not_wait_for_one_another() -> None:
    carrier, errands = slow_errands()

    async with running(errands.run):
        for n in (1, 2, 3):
            errands.add(HangUp(sid(n)))
        await until(lambda: len(carrier.begun) == 3)
        carrier.open.set()
        await until(lambda: len(carrier.done) == 3)


async def test_an_errand_that_is_done_is_not_done_again_for_the_next() -> None:
    carrier, errands = slow_errands()
    carrier.open.set()

    async with running(errands.run):
        errands.add(LeaveMessage(sid(1), AttemptId("a1")))
        await until(lambda: len(carrier.done) == 1)
        errands.add(HangUp(sid(1)))
        await until(lambda: len(carrier.done) == 2)

    assert carrier.done == [(sid(1), MESSAGE), (sid(1), "hang up")]


def what(action: Action) -> str:
    topics = {LeaveMessage: "message", Identify: "identify", Connect: "connect"}
    if isinstance(action, HangUp):
        return "hang up"
    return address(topics[type(action)], action.attempt_id)


REDIRECTS = st.sampled_from([LeaveMessage, Identify, Connect])
CALLS = st.integers(1, 2)
ACTIONS = st.builds(lambda n: HangUp(sid(n)), CALLS) | st.builds(
    lambda kind, n: kind(sid(n), AttemptId(f"a{n}")), REDIRECTS, CALLS
)


@given(st.lists(st.tuples(ACTIONS, st.integers(0, 6)), min_size=1, max_size=12))
async def test_one_request_for_a_call_at_a_time_and_the_newest_is_the_last(
    asked: list[tuple[Action, int]],
) -> None:
    """However many turns of the loop lie between what is asked."""
    carrier, errands = slow_errands()

    async with running(errands.run):
        await _ask(errands, asked)
        await until(errands._queue.empty)
        carrier.open.set()
        await until(lambda: not errands._under_way)

    newest = {action.sid: what(action) for action, _ in asked}
    assert carrier.most_busy == 1
    assert dict(carrier.done) == newest
    assert len(carrier.done) == len(newest)  # what was called off was not done


async def _ask(errands: Errands, asked: Iterable[tuple[Action, int]]) -> None:
    for action, turns in asked:
        errands.add(action)
        for _ in range(turns):
            await asyncio.sleep(0)


# -- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "public_url", ["https://dialer.example.com/a", "https://dialer.example.com/a/"]
)
async def test_an_engine_sends_calls_to_the_address_a_carrier_is_given(public_url: str) -> None:
    carrier = ScriptedCarrier()
    engine = engine_from(
        Settings.model_construct(None, public_url=public_url),  # which tidies nothing up
        MagicMock(),
        carrier,
        clock=SetClock(),
        rng=NoChance(),
        ids=CountedIds(1),
        lease=MagicMock(),
    )

    async with running(engine.errands.run):
        engine.errands.add(Connect(sid(1), AttemptId("a1")))
        await until(lambda: bool(carrier.redirected))

    assert carrier.redirected == [(sid(1), "https://dialer.example.com/a/twilio/connect/a1")]
