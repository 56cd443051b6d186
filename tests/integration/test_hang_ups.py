"""A SIGHUP that comes while a daemon is starting is carried out when it is up, and ends nobody.

Each case is a process of its own: the threads of whoever runs the tests would take the signal.
"""

import subprocess
import sys

import pytest

CARRIED_OUT = """
import asyncio, os, signal
from dialer.commands.run import _reloads_kept
from dialer.supervision import Signals

async def main():
    signals = Signals()
    with _reloads_kept():
        os.kill(os.getpid(), signal.SIGHUP)
        assert not signals.reload.is_set()
        signals.heed_reload()
        async with asyncio.timeout(30):
            await signals.reload.wait()

asyncio.run(main())
"""

ENDS_NOTHING = """
import os, signal
from dialer.commands.run import _reloads_kept

with _reloads_kept():
    os.kill(os.getpid(), signal.SIGHUP)
assert signal.SIGHUP not in signal.sigpending()
assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""

NOTHING_ELSE_KEPT = """
import signal
from dialer.commands.run import _reloads_kept

with _reloads_kept():
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGHUP}
"""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(CARRIED_OUT, id="one that came early is carried out at last"),
        pytest.param(ENDS_NOTHING, id="one for a daemon that did not come up ends nothing"),
        pytest.param(NOTHING_ELSE_KEPT, id="what else ends a process ends it while it starts"),
    ],
)
def test_while_a_daemon_starts(case: str) -> None:
    heeding = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    done = subprocess.run(
        [sys.executable, "-c", heeding + case], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
