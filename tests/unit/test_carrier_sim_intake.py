"""The door: each fault as it is meant, and the accept bound whatever happens."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.intake import (
    DroppedConnectionError,
    Intake,
    Request,
    ThrottledError,
)
from dialer.carrier_sim.truth import Event
from tests.support.carrier_sim import CALLER, HUMAN, STATUS_URL, Rig, carrier
from tests.support.virtual import EPOCH, now, run

FORM = {"To": [HUMAN], "From": [CALLER], "Url": ["http://a.test/"], "StatusCallback": [STATUS_URL]}


@dataclass
class Seen:
    """What came of one request."""

    rig: Rig
    error: Exception | None
    answered_after_s: float

    def facts(self, event: Event) -> dict[str, Any]:
        """The only line of its kind."""
        (found,) = [line for line in self.rig.log.events if line["event"] == event]
        return found


def ask(
    faults: str = "none",
    *,
    form: dict[str, list[str]] | None = None,
    gone: bool = False,
    read_after_s: float = 0.0,
    seed: int = 1,
) -> Seen:
    """Send one request, read by the carrier *read_after_s* after it arrived."""

    async def is_gone() -> bool:
        return gone

    async def main() -> Seen:
        async with carrier(faults=Faults.parse(faults), seed=seed) as rig:
            arrived_s = asyncio.get_running_loop().time()
            await asyncio.sleep(read_after_s)
            request = Request(form or FORM, EPOCH, arrived_s, is_gone)
            error: Exception | None = None
            try:
                await Intake(rig.exchange).place(request)
            except (ApiError, DroppedConnectionError) as raised:
                error = raised
            return Seen(rig, error, asyncio.get_running_loop().time() - arrived_s)

    return run(main())


def code_of(error: Exception | None) -> int:
    assert isinstance(error, ApiError)
    return error.api_code


def test_an_ordinary_request_is_accepted_at_once_and_answered_soon() -> None:
    seen = ask()

    assert seen.error is None
    assert 0.08 <= seen.answered_after_s <= 0.4
    accepted = seen.facts(Event.ACCEPTED)
    assert (accepted["at"], accepted["arrived_at"], accepted["token"]) == (
        EPOCH,
        EPOCH,
        "attempt-1",
    )


@pytest.mark.parametrize(("faults", "code"), [("refuse_429=1", 20429), ("error_before=1", 20503)])
def test_a_fault_before_acceptance_makes_no_call(faults: str, code: int) -> None:
    seen = ask(faults)

    assert code_of(seen.error) == code
    assert seen.rig.calls() == []
    refused = seen.facts(Event.REFUSED)
    assert (refused["why"], refused["token"]) == ("injected", "attempt-1")


def test_only_a_refusal_for_want_of_room_may_be_repeated() -> None:
    assert isinstance(ask("refuse_429=1").error, ThrottledError)
    assert not isinstance(ask("error_before=1").error, ThrottledError)


@pytest.mark.parametrize(
    ("faults", "is_it"),
    [
        ("error_after=1", lambda error: code_of(error) == 20500),
        ("drop_after=1", lambda error: isinstance(error, DroppedConnectionError)),
    ],
)
def test_a_fault_after_acceptance_leaves_a_call(
    faults: str, is_it: Callable[[Exception | None], bool]
) -> None:
    seen = ask(faults)

    assert is_it(seen.error)
    (call,) = seen.rig.calls()
    assert seen.facts(Event.FAULT)["sid"] == call.sid


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_a_slow_request_is_accepted_after_the_client_gave_up_and_within_the_bound(
    seed: int,
) -> None:
    seen = ask("slow_accept=1", seed=seed, gone=True)

    (call,) = seen.rig.calls()
    assert EPOCH + 10_000 < call.accepted_at <= EPOCH + 30_000


@given(st.floats(0, 100), st.sampled_from(["none", "slow_accept=1"]))
@settings(max_examples=50)
def test_no_request_is_accepted_beyond_the_bound(read_after_s: float, faults: str) -> None:
    seen = ask(faults, read_after_s=read_after_s)

    calls = seen.rig.calls()
    assert all(call.accepted_at <= EPOCH + 30_000 for call in calls)
    if faults == "none":
        assert bool(calls) == (read_after_s <= 30)
    if not calls:
        assert code_of(seen.error) == 20503
        assert seen.facts(Event.REFUSED)["why"] == "too_late"


def test_a_sender_who_hung_up_before_being_read_has_placed_no_call() -> None:
    seen = ask(gone=True)

    assert code_of(seen.error) == 20503
    assert seen.rig.calls() == []
    assert seen.facts(Event.REFUSED)["why"] == "sender_gone"


def test_an_invalid_request_is_refused_whatever_else_might_happen() -> None:
    seen = ask("refuse_429=1,error_before=1", form={"To": [HUMAN]})

    assert code_of(seen.error) == 21205
    assert seen.facts(Event.REFUSED)["why"] == "invalid"


def test_callbacks_may_come_before_the_answer() -> None:
    async def main() -> int:
        early = 0
        async with carrier(cps=1000) as rig:
            door = Intake(rig.exchange)

            async def listening() -> bool:
                return False

            for number in range(40):
                form = FORM | {"To": [f"+1303555{number:04}"], "StatusCallbackEvent": ["initiated"]}
                loop_s = asyncio.get_running_loop().time()
                call = await door.place(Request(form, now(), loop_s, listening))
                early += any(form["CallSid"] == call.sid for form in rig.mailbox.to("/status/"))
        return early

    assert 0 < run(main()) < 40
