"""A carrier and a web application that are exchanged while they are in use."""

import asyncio
from typing import Self

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dialer.carriers.current import CurrentCarrier
from dialer.model import AmdMode, AttemptId, CallSid
from dialer.ports import Accepted, Order, Placement
from dialer.web.current import CurrentWeb
from tests.support.engine import NOW, ScriptedCarrier, running, sid, until

ORDER = Order(
    attempt_id=AttemptId("0" * 32),
    to="+15005550100",
    from_="+15005550006",
    ring_timeout_s=25,
    amd=AmdMode.OFF,
    detect_message_end=False,
    void_at=NOW,
)


class Client(ScriptedCarrier):
    """A scripted carrier that answers within its block alone, and when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False
        self.may_answer = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.open = True
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self.open, "closed twice"
        self.open = False

    async def place(self, order: Order) -> Placement:
        placement = await super().place(order)
        await self.may_answer.wait()
        assert self.open
        return placement


async def test_a_request_ends_with_the_client_it_began_with_which_closes_then() -> None:
    former, successor = Client(), Client()
    async with CurrentCarrier(former) as carrier:
        answers: list[Placement] = []

        async def place() -> None:
            answers.append(await carrier.place(ORDER))

        async with running(place, place):
            await until(lambda: len(former.orders) == 2)
            await carrier.exchange(successor)
            await carrier.hang_up(sid(7))
            assert (former.open, successor.hung_up) == (True, [sid(7)])
            former.may_answer.set()
            await until(lambda: len(answers) == 2)
        assert answers == [Accepted(sid(1)), Accepted(sid(2))]
        assert (former.open, successor.open) == (False, True)
    assert not successor.open


async def test_a_client_without_requests_closes_at_once() -> None:
    former, successor = Client(), Client()
    async with CurrentCarrier(former) as carrier:
        await carrier.exchange(successor)

        assert (former.open, successor.open) == (False, True)


async def test_every_question_goes_to_the_client_in_force() -> None:
    former, successor = Client(), Client()
    async with CurrentCarrier(former) as carrier:
        await carrier.exchange(successor)

        await carrier.cancel(sid(1))
        assert await carrier.redirect(sid(2), "https://dialer.example.com/x")
        assert await carrier.fetch(sid(3)) is None
        assert list(await carrier.find("+1", "+2", NOW)) == []
        assert list(await carrier.owned_numbers()) == []
        await carrier.check()

    assert successor.cancelled == [sid(1)]
    assert successor.redirected == [(sid(2), "https://dialer.example.com/x")]
    assert (successor.fetched, successor.searched) == ([CallSid(sid(3))], [("+1", "+2", NOW)])


async def test_a_client_with_trouble_closes_all_the_same() -> None:
    former, successor = Client(), Client()
    former.may_answer.set()
    async with CurrentCarrier(former) as carrier:

        async def exchanged(_order: Order) -> None:
            await carrier.exchange(successor)
            raise RuntimeError("a defect")

        former.while_placing = exchanged
        with pytest.raises(RuntimeError):
            await carrier.place(ORDER)

        assert not former.open


def saying(words: str) -> Starlette:
    async def say(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(words)

    return Starlette(routes=[Route("/", say)])


def test_the_application_in_force_answers() -> None:
    web = CurrentWeb(saying("one"))
    client = TestClient(web)
    before = client.get("/").text

    web.exchange(saying("two"))

    assert (before, client.get("/").text) == ("one", "two")
