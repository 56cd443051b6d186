"""What a verdict asks the carrier to do is done once, and a failure harms nobody."""

import pytest
from structlog.testing import capture_logs

from dialer.errands import Errands
from dialer.errors import UnreachableError
from dialer.folding import Connect, HangUp, Identify, LeaveMessage
from dialer.model import AttemptId
from tests.support.engine import ScriptedCarrier, running, sid, until


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
