"""The carrier as one daemon has it: what requests amount to, and what becomes of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from dialer.app import carrier_config
from dialer.carrier_sim import truth
from dialer.carrier_sim.faults import Fault
from dialer.errors import UnreachableError
from dialer.model import AmdMode, AttemptId, CallSid, CarrierStatus
from dialer.ports import Accepted, Doubtful, NotSent, Order, Placement, Refusal, Refused, Throttled
from dialer.simulation.carrier import SimulatedCarrier
from dialer.simulation.clock import SimClock
from dialer.simulation.effects import Effects, kill_at
from dialer.simulation.journal import Journal
from dialer.simulation.loop import run, running
from dialer.simulation.network import Network
from dialer.simulation.processes import Machine, Process
from dialer.simulation.sweep import small_campaign
from dialer.simulation.weather import Weather, WireFault
from dialer.simulation.webhooks import Site
from dialer.simulation.world import settings_of
from tests.support.carrier_sim import HOLD

T = TypeVar("T")

HUMAN, SILENT = "+15005550100", "+15005550103"
NUMBER = "+16465551000"
ATTEMPT = AttemptId("0" * 32)
ACCEPT_BOUND_S = 30.0
TIMEOUT_S = 5.0


class WebServer:
    """Answers every request of the carrier's with a document that holds the call."""

    def __init__(self, machine: Machine) -> None:
        self.process: Process | None = machine.spawn("web", asyncio.sleep(10_000))
        self.web: ASGIApp | None = self._answer

    async def _answer(self, _scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": HOLD.encode()})


class Rig:
    """A carrier, a network, a web server and one daemon's way to it all."""

    def __init__(self, rates: Mapping[str, float], list_lag_s: float, dies_at: int) -> None:
        plain = small_campaign()
        settings = {**plain.settings, "accept_bound_s": ACCEPT_BOUND_S}
        scenario = replace(plain, list_lag_s=list_lag_s, settings=settings)
        self.machine = Machine(running())
        self.sites: list[Site] = [WebServer(self.machine)]
        self.weather = Weather(scenario.seed, rates)
        self.clock = SimClock(running(), scenario.start_at)
        journal = Journal(Path("nowhere"))
        self.network = Network(
            scenario, self.machine, self.weather, journal, self.clock, self.sites
        )
        self.effects = Effects(self.machine, kill_at({dies_at}))
        self.carrier = SimulatedCarrier(
            self.network.trunk,
            carrier_config(settings_of(scenario)),
            self.clock,
            last_act=self.effects.survive,
        )

    def order(self, to: str = HUMAN, patience_s: float = 3.0) -> Order:
        void_at = self.clock.now() + round(patience_s * 1000)
        return Order(ATTEMPT, to, NUMBER, 30, AmdMode.CARRIER, False, void_at)

    async def place(self, to: str = HUMAN) -> Placement:
        return await self.carrier.place(self.order(to))

    async def placed(self, to: str = HUMAN) -> CallSid:
        placement = await self.place(to)
        assert isinstance(placement, Accepted)
        return placement.sid

    def calls(self) -> list[truth.Call]:
        return truth.fold(self.network.truth.events)


def on_the_line(
    story: Callable[[Rig], Awaitable[T]],
    *,
    rates: Mapping[str, float] | None = None,
    list_lag_s: float = 0.0,
    dies_at: int = 0,
) -> T:
    """Play *story* in virtual time."""

    async def main() -> T:
        rig = Rig(rates or {}, list_lag_s, dies_at)
        async with rig.network.exchange:
            return await story(rig)

    return run(main())


# -- placing ---------------------------------------------------------------------------------------


def test_an_order_becomes_a_call_of_its_attempt() -> None:
    async def story(rig: Rig) -> tuple[Placement, list[truth.Call]]:
        return await rig.place(), rig.calls()

    placement, (call,) = on_the_line(story)

    assert placement == Accepted(CallSid(call.sid))
    assert (call.to, call.from_, call.token) == (HUMAN, NUMBER, ATTEMPT)
    assert set(call.status_callback_events) == {"initiated", "ringing", "answered", "completed"}


def test_an_order_whose_time_is_over_never_leaves() -> None:
    async def story(rig: Rig) -> tuple[Placement, list[truth.Call]]:
        return await rig.carrier.place(rig.order(patience_s=-0.001)), rig.calls()

    placement, calls = on_the_line(story)

    assert isinstance(placement, NotSent)
    assert calls == []


@pytest.mark.parametrize(
    ("fault", "kind", "calls"),
    [
        (Fault.REFUSE_429, Throttled, 0),
        (Fault.ERROR_BEFORE, Doubtful, 0),
        (Fault.ERROR_AFTER, Doubtful, 1),
        (Fault.DROP_AFTER, Doubtful, 1),
        (WireFault.HALF_ANSWER, Doubtful, 1),
        (WireFault.UNREACHABLE, NotSent, 0),
    ],
)
def test_trouble_amounts_to_what_it_would_at_twilio(
    fault: str, kind: type[Placement], calls: int
) -> None:
    async def story(rig: Rig) -> tuple[Placement, int]:
        return await rig.place(), len(rig.calls())

    placement, made = on_the_line(story, rates={fault: 1.0})

    assert isinstance(placement, kind)
    assert made == calls


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (WireFault.REFUSE_NUMBER, Refusal.BAD_NUMBER),
        (WireFault.REFUSE_DESTINATION, Refusal.DESTINATION),
        (WireFault.REFUSE_ACCOUNT, Refusal.CONFIGURATION),
        (WireFault.REFUSE_OTHER, Refusal.OTHER),
    ],
)
def test_every_kind_of_refusal_is_told_apart(fault: str, kind: Refusal) -> None:
    async def story(rig: Rig) -> tuple[Placement, int]:
        return await rig.place(), len(rig.calls())

    placement, made = on_the_line(story, rates={fault: 1.0})

    assert isinstance(placement, Refused)
    assert (placement.kind, made) == (kind, 0)


def test_a_slow_request_is_accepted_after_its_sender_gave_up_but_within_the_bound() -> None:
    async def story(rig: Rig) -> tuple[Placement, int, truth.Call]:
        sent_at = rig.clock.now()
        placement = await rig.place()
        assert rig.calls() == []
        await asyncio.sleep(ACCEPT_BOUND_S)
        return placement, sent_at, rig.calls()[0]

    placement, sent_at, call = on_the_line(story, rates={Fault.SLOW_ACCEPT: 1.0})

    assert isinstance(placement, Doubtful)
    assert TIMEOUT_S < (call.accepted_at - sent_at) / 1000 <= ACCEPT_BOUND_S


# -- death and distance ----------------------------------------------------------------------------


def test_a_request_that_has_left_outlives_its_sender() -> None:
    async def story(rig: Rig) -> list[truth.Call]:
        process = rig.machine.spawn("daemon", rig.place())
        while not rig.effects.count:  # noqa: ASYNC110  nobody is told when a request leaves
            await asyncio.sleep(0.001)
        rig.machine.kill(process)
        assert rig.calls() == []
        await asyncio.sleep(60)
        return rig.calls()

    (call,) = on_the_line(story)

    assert call.status == "completed"


def test_who_dies_at_the_door_has_sent_nothing() -> None:
    async def story(rig: Rig) -> list[truth.Call]:
        rig.machine.spawn("daemon", rig.place()).when_over(lambda _: None)
        await asyncio.sleep(60)
        assert [kill.effect for kill in rig.effects.kills] == ["place"]
        return rig.calls()

    assert on_the_line(story, dies_at=1) == []


def test_callbacks_that_nobody_answers_are_sent_again_and_given_up() -> None:
    async def story(rig: Rig) -> list[int]:
        rig.sites.clear()
        await rig.placed(SILENT)
        await asyncio.sleep(120)
        told = [e for e in rig.network.truth.events if e["event"] == "callback"]
        return [event["http"] for event in told]

    assert on_the_line(story) == [0, 0, 0]


# -- asking ----------------------------------------------------------------------------------------


def test_a_call_is_shown_as_the_resource_shows_it() -> None:
    async def story(rig: Rig) -> None:
        sid = await rig.placed()
        await asyncio.sleep(10)
        talking = await rig.carrier.fetch(sid)
        await asyncio.sleep(60)
        ended = await rig.carrier.fetch(sid)

        assert talking is not None
        assert ended is not None
        assert talking.facts.status is CarrierStatus.IN_PROGRESS
        assert (talking.facts.duration_s, talking.facts.answered_at) == (None, None)
        assert ended.facts.status is CarrierStatus.COMPLETED
        assert ended.facts.ended_at is not None
        assert ended.facts.duration_s is not None
        # Times are whole seconds; when it was answered is reckoned from its end.
        assert (ended.facts.ended_at % 1000, ended.created_at % 1000) == (0, 0)
        answered_at = ended.facts.ended_at - ended.facts.duration_s * 1000
        assert ended.facts.answered_at == answered_at

    on_the_line(story)


def test_lists_hold_what_lies_between_the_two_numbers_and_lag_behind() -> None:
    async def story(rig: Rig) -> None:
        sid, other = await rig.placed(), await rig.placed(SILENT)
        assert await rig.carrier.find(HUMAN, NUMBER, 0) == []
        await asyncio.sleep(30)

        assert [call.sid for call in await rig.carrier.find(HUMAN, NUMBER, 0)] == [sid]
        assert [call.sid for call in await rig.carrier.find(SILENT, NUMBER, 0)] == [other]
        assert await rig.carrier.find(HUMAN, SILENT, 0) == []
        assert await rig.carrier.find(HUMAN, NUMBER, rig.clock.now()) == []

    on_the_line(story, list_lag_s=30.0)


def test_a_call_nobody_knows_is_none() -> None:
    async def story(rig: Rig) -> None:
        sid = await rig.placed()

        assert await rig.carrier.fetch(CallSid("CA" + "0" * 32)) is None
        rig.weather.rates[WireFault.NOT_KNOWN_YET] = 1.0
        assert await rig.carrier.fetch(sid) is None
        rig.weather.clear_up()
        assert await rig.carrier.fetch(sid) is not None

    on_the_line(story)


@pytest.mark.parametrize("fault", [WireFault.ASK_FAILED, WireFault.UNREACHABLE])
def test_questions_that_cannot_be_answered_raise(fault: WireFault) -> None:
    async def story(rig: Rig) -> None:
        sid = await rig.placed()
        rig.weather.rates[fault] = 1.0
        for asked in (
            rig.carrier.fetch(sid),
            rig.carrier.find(HUMAN, NUMBER, 0),
            rig.carrier.hang_up(sid),
        ):
            with pytest.raises(UnreachableError):
                await asked

    on_the_line(story)


def test_a_slow_list_is_not_waited_for_without_end() -> None:
    async def story(rig: Rig) -> float:
        took_s = []
        for _ in range(10):
            began_s = running().time()
            with suppress(UnreachableError):  # some are only slow
                await rig.carrier.find(HUMAN, NUMBER, 0)
            took_s.append(running().time() - began_s)
        return max(took_s)

    assert on_the_line(story, rates={Fault.SLOW_LIST: 1.0}) == pytest.approx(TIMEOUT_S)


def test_calls_are_ended_and_redirected_while_they_last() -> None:
    async def story(rig: Rig) -> list[tuple[str, str | None]]:
        talking, ringing = await rig.placed(HUMAN), await rig.placed(SILENT)
        await asyncio.sleep(10)
        later = await rig.placed(HUMAN)
        await rig.carrier.cancel(talking)  # a conversation goes on
        assert await rig.carrier.redirect(talking, "https://dialer.example.com/more")
        await rig.carrier.hang_up(talking)
        await rig.carrier.cancel(ringing)
        await rig.carrier.hang_up(ringing)  # it is over, which is what was wanted
        assert not await rig.carrier.redirect(ringing, "https://dialer.example.com/more")
        await rig.carrier.hang_up(later)
        return [(call.status, call.ended_by) for call in rig.calls()]

    assert on_the_line(story) == [
        ("completed", "caller"), ("canceled", "caller"), ("canceled", "caller"),
    ]  # fmt: skip


def test_the_account_and_its_numbers() -> None:
    async def story(rig: Rig) -> None:
        await rig.carrier.check()
        assert await rig.carrier.owned_numbers()

    on_the_line(story)
