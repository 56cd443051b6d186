"""Whether a daemon can do its work right now."""

from typing import Any

import pytest

from dialer.errors import StoreBusyError
from dialer.health import TICK_BOUND_S, Health
from dialer.leases import MARGIN_S
from dialer.store.opening import AnyDatabase
from tests.support.engine import Daemon, daemon_on


def health_of(daemon: Daemon) -> Health:
    engine = daemon.engine
    return Health(daemon.clock, engine.database, engine.dispatcher, engine.lease)


async def test_a_daemon_at_work_is_well(store: str, database: AnyDatabase) -> None:
    async with daemon_on(store, database) as daemon:
        checks = await health_of(daemon).checks()

    assert checks == {"database": None, "dispatcher": None, "lease": None}


async def test_each_trouble_is_named(
    store: str, database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked() -> Any:
        raise StoreBusyError("locked by a backup")

    async with daemon_on(store, database, lease_s=20) as daemon:
        daemon.clock.pass_s(20 - MARGIN_S)
        monkeypatch.setattr(database, "read", locked)
        checks = await health_of(daemon).checks()

    assert daemon.clock.at - daemon.engine.dispatcher.ticked_at > TICK_BOUND_S * 1000
    assert checks == {
        "database": "locked by a backup",
        "dispatcher": "no tick for 18 s",
        "lease": "expired",
    }


async def test_a_daemon_that_drains_says_so(store: str, database: AnyDatabase) -> None:
    async with daemon_on(store, database) as daemon:
        daemon.engine.dispatcher.drain()
        checks = await health_of(daemon).checks()

    assert checks["dispatcher"] == "draining"


async def test_a_database_that_can_be_read_and_not_written_is_no_good(
    store: str, database: AnyDatabase
) -> None:
    async with daemon_on(store, database) as daemon:
        daemon.engine.lease.trouble = "the disk is full"
        checks = await health_of(daemon).checks()

    assert checks["database"] == "the disk is full"
