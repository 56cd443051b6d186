"""One call, looked at and ended by hand."""

from collections.abc import AsyncIterator

import pytest

from dialer import one_call
from dialer.errors import NotFoundError, WrongStateError
from dialer.model import CarrierStatus
from dialer.store.opening import AnyDatabase
from tests.integration.test_reaper import given_placed
from tests.support.engine import NOW, Daemon, daemon_on, sid, status

S = CarrierStatus


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    """A daemon that writes, and sweeps when a test says so."""
    async with daemon_on(store, database, lease_s=10 * 3600, sweep_s=0.001) as alive:
        yield alive


async def test_a_call_that_goes_on_is_ended_once(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    async with daemon.database.write() as tx:
        await one_call.hang_up(tx, sid(1), NOW)
        await one_call.hang_up(tx, claim.attempt_id, NOW + 1)

    await daemon.engine.reaper.call_off()
    await daemon.engine.reaper.call_off()

    assert daemon.carrier.hung_up == [sid(1)]
    async with daemon.database.read() as tx:
        entries = await tx.rows("audit_entries_after", after_id=0, limit=99)
    assert [each["action"] for each in entries].count("calls.hang-up") == 1


async def test_a_call_is_found_by_either_name_with_all_its_news(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    await daemon.engine.calls.receive(status(claim, S.RINGING, NOW + 1_000))

    async with daemon.database.read() as tx:
        row, news = await one_call.with_news(tx, sid(1))
        assert (await one_call.find(tx, claim.attempt_id))["id"] == row["id"]
    assert [each["status"] for each in news] == ["ringing"]


async def test_a_call_that_is_over_cannot_be_ended(daemon: Daemon) -> None:
    claim = await given_placed(daemon)
    await daemon.engine.calls.receive(status(claim, S.NO_ANSWER, NOW + 30_000))

    async with daemon.database.write() as tx:
        with pytest.raises(WrongStateError, match="is over"):
            await one_call.hang_up(tx, sid(1), NOW)
        with pytest.raises(NotFoundError, match="there is no call 'CA9'"):
            await one_call.hang_up(tx, "CA9", NOW)
