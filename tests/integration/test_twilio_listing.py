"""Listing all calls of a period through the real SDK from a real server, page by page."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import pytest

from dialer import clock
from dialer.carriers import twilio
from dialer.carriers.twilio import TwilioCarrier
from dialer.carriers.twilio_config import TwilioConfig
from dialer.carriers.twilio_records import ListedCall, listed_call
from tests.support.carrier_sim import ACCOUNT, BUSY, CALLER, HUMAN, INVALID, MACHINE
from tests.support.http_sim import PATIENCE_S, SPEED, TOKEN, World, world

T = TypeVar("T")

DAY_MS: Final = 86_400_000
CALLEES: Final = (HUMAN, BUSY, INVALID, MACHINE, HUMAN)


def run(main: Coroutine[Any, Any, T]) -> T:
    return clock.run(main, clock.TimeScale.starting_now(SPEED))


@asynccontextmanager
async def carrier_of(w: World) -> AsyncIterator[TwilioCarrier]:
    """The adapter, on the account of that world."""
    config = TwilioConfig(
        account_sid=ACCOUNT,
        auth_token=TOKEN,
        base_url=w.base_url,
        public_url=w.dialer.url,
        timeout_s=PATIENCE_S,
    )
    async with TwilioCarrier(config, clock.SystemClock()) as carrier:
        yield carrier


async def listed(carrier: TwilioCarrier, since_at: int, until_at: int) -> list[ListedCall]:
    return [call async for page in carrier.each_call(since_at, until_at) for call in page]


def test_every_call_of_a_period_is_listed_however_many_pages_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(twilio, "PAGE_SIZE", 2)

    async def main() -> None:
        async with world() as w:
            for to in CALLEES:
                await w.place(to)
            await w.until_over()
            made = {call.sid: call for call in w.truth()}
            first_at = min(call.accepted_at for call in made.values())
            async with carrier_of(w) as carrier:
                found = await listed(carrier, first_at - DAY_MS, first_at + DAY_MS)
                before = await listed(carrier, first_at - DAY_MS, first_at - 1000)

        assert sorted(call.sid for call in found) == sorted(made)
        assert before == []
        for call in found:
            true = made[call.sid]
            assert (call.to, call.from_, call.status) == (true.to, CALLER, true.status)
            assert call.created_at == true.accepted_at // 1000 * 1000
            assert call.dialed_at == (true.initiated_at or 0) // 1000 * 1000
            assert call.ended_at == (true.ended_at or 0) // 1000 * 1000

    run(main())


def test_the_calls_since_an_instant_come_with_their_facts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(twilio, "PAGE_SIZE", 2)

    async def main() -> None:
        async with world() as w:
            for to in CALLEES:
                await w.place(to)
            await w.until_over()
            made = {call.sid: call for call in w.truth()}
            first_at = min(call.accepted_at for call in made.values())
            last_at = max(call.accepted_at for call in made.values())
            async with carrier_of(w) as carrier:
                pages = [page async for page in carrier.placed_since(first_at)]
                after = [page async for page in carrier.placed_since(last_at + 60_000)]

        found = {call.sid: call for page in pages for call in page}
        assert found.keys() == made.keys()
        assert not any(after)
        for sid, call in found.items():
            true = made[sid]
            assert (call.to, call.from_, call.facts.status) == (true.to, CALLER, true.status)
            assert call.created_at == true.accepted_at // 1000 * 1000
            assert call.facts.ended_at == (true.ended_at or 0) // 1000 * 1000

    run(main())


def test_calls_in_the_queue_are_listed_and_those_that_never_left_it_are_known_by_name() -> None:
    async def main() -> None:
        async with world(cps=0.0001) as w:
            _, waiting, cancelled = [await w.place(to) for to in (HUMAN, BUSY, MACHINE)]
            await w.client.calls(cancelled.sid).update_async(status="canceled")
            at = w.truth()[0].accepted_at
            async with carrier_of(w) as carrier:
                found = {call.sid: call for call in await listed(carrier, at - DAY_MS, at + DAY_MS)}
                known = await carrier.listed(cancelled.sid)
                nobody = await carrier.listed("CA" + "0" * 32)

        assert (found[waiting.sid].status, found[waiting.sid].dialed_at) == ("queued", None)
        assert cancelled.sid not in found
        assert known is not None
        assert (known.status, known.dialed_at) == ("canceled", None)
        assert nobody is None

    run(main())


@dataclass
class Record:
    """What the SDK makes of a call; servers leave things out."""

    sid: str = "CA1"
    to: str | None = "+12025550101"
    _from: str | None = CALLER
    status: str | None = "completed"
    date_created: datetime | None = datetime(2026, 1, 5, 15, tzinfo=UTC)
    start_time: datetime | None = datetime(2026, 1, 5, 15, 1, tzinfo=UTC)
    end_time: datetime | None = None
    direction: str | None = "outbound-api"


@pytest.mark.parametrize(
    ("direction", "ours"),
    [("outbound-api", True), (None, True), ("inbound", False), ("outbound-dial", False)],
)
def test_only_what_a_request_has_placed_is_ours(direction: str | None, ours: bool) -> None:
    assert listed_call(Record(direction=direction), created_at=7).placed_by_request is ours


def test_a_record_with_gaps_is_read_as_far_as_it_goes() -> None:
    dialed = listed_call(Record(date_created=None), created_at=7)
    empty = listed_call(Record("CA2", None, None, None, None, None, None, None), created_at=7)

    assert dialed.created_at == dialed.dialed_at == 1_767_625_260_000
    assert empty == ListedCall("CA2", "", "", "", 7, None, None, "")
