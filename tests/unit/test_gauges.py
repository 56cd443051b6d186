"""A reading is fresh, shared, bounded, and in nobody's way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialer.errors import StoreError
from dialer.metrics import gauges
from dialer.metrics.gauges import KEPT_S, PATIENCE_S, SHARE, GaugeReader, Gauges
from tests.support import virtual
from tests.support.engine import SetClock, running


class Store:
    """Reads slowly, or not at all, and counts how often it is asked, and how often at once."""

    def __init__(self, slow_s: float = 0.0) -> None:
        self.slow_s = slow_s
        self.broken = False
        self.readings = 0
        self.at_once = 0

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        assert not self.at_once, "one at a time"
        self.at_once += 1
        self.readings += 1
        await asyncio.sleep(self.slow_s)
        self.at_once -= 1
        if self.broken:
            raise StoreError("the disk is gone")
        yield None


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading that says when it was made: what is read is the affair of another test."""

    async def read(_tx: Any, _now: int, sizes: tuple[int, int | None]) -> Gauges:
        return Gauges({}, {}, {}, {}, 0, 0, (), None, *sizes)

    monkeypatch.setattr(gauges, "read", read)


def reader_of(store: Store, speed: float = 1.0) -> GaugeReader:
    async def sizes() -> tuple[int, int | None]:
        return store.readings, None

    return GaugeReader(SetClock(), store, sizes, speed=speed)  # type: ignore[arg-type]  # it reads


def test_a_reading_is_shared_and_kept_for_a_while() -> None:
    async def main() -> None:
        store = Store()
        reader = reader_of(store)
        async with running(reader.run):
            first, second = await asyncio.gather(reader.fresh(), reader.fresh())
            assert first is second is await reader.fresh()
            assert first is not None
            await asyncio.sleep(KEPT_S)
            assert await reader.fresh() is not first
        assert store.readings == 2

    virtual.run(main())


def test_counting_that_takes_long_is_done_less_often() -> None:
    async def main() -> None:
        store = Store(slow_s=1.0)
        reader = reader_of(store)
        async with running(reader.run):
            for _ in range(3 * SHARE):
                await reader.fresh()
                await asyncio.sleep(1)
        assert store.readings <= 4

    virtual.run(main())


def test_nobody_waits_long_and_a_late_reading_serves_the_next() -> None:
    async def main() -> None:
        store = Store(slow_s=10 * PATIENCE_S)
        reader = reader_of(store)
        loop = asyncio.get_running_loop()
        async with running(reader.run):
            began_s = loop.time()
            assert await reader.fresh() is None
            assert loop.time() - began_s == pytest.approx(PATIENCE_S)
            await asyncio.sleep(store.slow_s)
            assert await reader.fresh() is not None
        assert store.readings == 1

    virtual.run(main())


def test_what_cannot_be_read_is_not_told_and_the_trouble_is_said_once() -> None:
    async def main() -> None:
        store = Store()
        reader = reader_of(store)
        async with running(reader.run):
            assert await reader.fresh() is not None
            store.broken = True
            for _ in range(3):
                await asyncio.sleep(KEPT_S)
                assert await reader.fresh() is None
            store.broken = False
            await asyncio.sleep(KEPT_S)
            assert await reader.fresh() is not None

    with capture_logs() as logs:
        virtual.run(main())

    assert [entry["event"] for entry in logs] == ["gauges.unreadable"]


def test_whoever_gives_up_leaves_nothing_behind() -> None:
    async def main() -> None:
        store = Store(slow_s=0.5)
        reader = reader_of(store)
        async with running(reader.run):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await reader.fresh()
            assert await reader.fresh() is not None
        assert store.readings == 1

    virtual.run(main())


def test_on_a_fast_clock_bounds_are_of_real_seconds() -> None:
    async def main() -> None:
        store = Store()
        reader = reader_of(store, speed=100)
        async with running(reader.run):
            await reader.fresh()
            await asyncio.sleep(50 * KEPT_S)
            await reader.fresh()
            assert store.readings == 1
            await asyncio.sleep(60 * KEPT_S)
            await reader.fresh()
        assert store.readings == 2

    virtual.run(main())
