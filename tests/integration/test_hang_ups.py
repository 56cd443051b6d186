"""A SIGHUP that comes while a daemon is starting is carried out when it is up, and ends nobody."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from dialer.commands.run import _reloads_kept
from dialer.supervision import Signals


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


async def test_one_that_came_early_is_carried_out_at_last() -> None:
    signals = Signals()
    with _reloads_kept():
        os.kill(os.getpid(), signal.SIGHUP)
        assert not signals.reload.is_set()

        signals.heed_reload()

        async with asyncio.timeout(10):
            await signals.reload.wait()
    asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)


def test_one_for_a_daemon_that_did_not_come_up_ends_nothing() -> None:
    with _reloads_kept():
        os.kill(os.getpid(), signal.SIGHUP)

    assert signal.SIGHUP not in signal.sigpending()
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_what_else_ends_a_process_ends_it_while_it_starts() -> None:
    with _reloads_kept():
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGHUP}
