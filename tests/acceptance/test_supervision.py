"""The daemon and whoever runs it: a service manager, its watchdog, signals, new settings."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from dialer import __version__
from dialer.dispatcher import Dispatcher
from tests.support.changes import put
from tests.support.forked import forked
from tests.support.promises import check_promises
from tests.support.stage import WITHIN_S, Running, Stage

GivenStage = Callable[..., Stage]

#: In seconds of the stage's clock, like everything the daemon waits for.
WATCHDOG_US: Final = 1_000_000
OTHER_TOKEN: Final = "7" * 32


class Manager:
    """A service manager that takes down what it is told."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        self._heard: list[str] = []

    def heard(self) -> list[str]:
        """Everything so far, one assignment each."""
        with suppress(BlockingIOError):
            while True:
                self._heard += self._socket.recv(4096).decode().splitlines()
        return self._heard

    def forget(self) -> None:
        self.heard()
        self._heard.clear()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """The manager of every daemon that this test starts."""
    path = tmp_path / "notify"
    manager = Manager(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", str(WATCHDOG_US))
    yield manager
    manager.close()


def given_calls(stage: Stage, *, contacts: int = 60, **fields: Any) -> None:
    """A campaign that calls, and does not come to an end by itself for some time."""
    usual = {
        "numbers": 2,
        "call_interval_s": 0,
        "max_concurrent": 100,
        "completion_timeout_s": 5,
        "max_retries": 0,
    }
    stage.given_campaign(contacts=contacts, **usual | fields)


# -- the service manager --------------------------------------------------------------------------


def test_the_manager_hears_of_a_daemons_life_from_the_first_turn_to_the_end(
    given_stage: GivenStage, manager: Manager
) -> None:
    stage = given_stage(speed=60, calls_per_second="2")
    given_calls(stage)
    stage.carrier("--cps", "1000", "--profile", "warm")
    daemon = stage.daemon()

    stage.until(lambda: "READY=1" in manager.heard())
    assert stage.troubles() == {}  # it can be asked from that moment on
    stage.until(lambda: any("calls, 1 campaign" in each for each in manager.heard()))
    stage.until(lambda: manager.heard().count("WATCHDOG=1") > 3)
    assert f"MAINPID={daemon.pid}" in manager.heard()
    assert stage.rows("SELECT pid, host, version FROM daemons") == [
        (daemon.pid, socket.gethostname(), __version__)
    ]

    stage.expect_end(daemon)
    daemon.terminate()
    stage.until(lambda: "STOPPING=1" in manager.heard())
    stage.until(lambda: any(each.startswith("STATUS=draining, ") for each in manager.heard()))
    assert daemon.wait(WITHIN_S) == 0


@dataclass(frozen=True)
class Stuck:
    """Once a file named *switch* exists, the dispatcher turns no more; all else goes on."""

    switch: Path

    def __call__(self) -> None:
        turn = Dispatcher._sleep

        async def sleep_for_ever(dispatcher: Dispatcher) -> None:
            while self.switch.exists():  # noqa: ASYNC110  a test's own brake
                await asyncio.sleep(0.1)
            await turn(dispatcher)

        put(Dispatcher, "_sleep", sleep_for_ever)


def test_a_stuck_engine_starves_the_watchdog_although_the_daemon_answers(
    given_stage: GivenStage, manager: Manager
) -> None:
    stage = given_stage(speed=100)
    stage.given_campaign(contacts=1, start=False)
    switch = stage.rehearsal.folder / "stuck"
    forked(stage, Stuck(switch))
    stage.until(lambda: manager.heard().count("WATCHDOG=1") > 3)

    switch.touch()
    stage.until(lambda: silent_s(stage) > 10)
    manager.forget()
    stage.until(lambda: silent_s(stage) > 30)  # the patience of thirty such watchdogs

    assert "WATCHDOG=1" not in manager.heard()
    switch.unlink()
    stage.until(lambda: "WATCHDOG=1" in manager.heard())


def silent_s(stage: Stage) -> int:
    """For how long the dispatcher has not turned, as the daemon itself says."""
    trouble = (stage.troubles() or {}).get("dispatcher", "")
    return int("".join(filter(str.isdigit, trouble)) or 0)


# -- new settings ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class LeftToTheFile:
    """Settings that no environment variable has a say in."""

    names: Sequence[str]

    def __call__(self) -> None:
        for name in self.names:
            os.environ.pop(f"DIALER_{name.upper()}", None)


def configured(stage: Stage, **settings: object) -> None:
    """Write the file that the daemon's settings are read from."""
    lines = (f"{name} = {value!r}\n" for name, value in settings.items())
    (stage.rehearsal.folder / "dialer.toml").write_text("".join(lines))


def daemon_with_a_file(stage: Stage, **settings: object) -> Running:
    """A daemon whose *settings* are in the file alone, as further ones may come to be."""
    configured(stage, **settings)
    names = [*settings, "log_level", "sweep_s"]
    return forked(stage, LeftToTheFile(names), config="dialer.toml")


def reloaded(stage: Stage, daemon: Running, event: str = "config.reloaded") -> dict[str, Any]:
    """What the daemon says of the settings it is told to read again."""
    told = stage.events().count(event)
    os.kill(daemon.pid, signal.SIGHUP)
    stage.until(lambda: stage.events().count(event) > told)
    return [line for line in stage.log() if line["event"] == event][-1]


def test_new_limits_hold_at_once_and_what_needs_a_restart_is_named(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=100)
    given_calls(stage)
    stage.carrier("--cps", "1000")
    token = stage.rehearsal.environment()["DIALER_TWILIO_AUTH_TOKEN"]
    first = {"calls_per_second": 0.0001, "twilio_auth_token": token, "sweep_s": 10}
    daemon = daemon_with_a_file(stage, **first)
    stage.until_accepted(1)

    configured(stage, calls_per_second=0, twilio_auth_token=token, sweep_s=20)
    line = reloaded(stage, daemon)

    assert (line["applied"], line["needs_restart"]) == (["calls_per_second"], ["sweep_s"])
    stage.until_over()
    check_promises(stage)


def test_new_credentials_serve_both_ways_at_once(given_stage: GivenStage) -> None:
    stage = given_stage(speed=60)
    given_calls(stage, contacts=30)
    stage.carrier("--cps", "1000", "--auth-token", OTHER_TOKEN)
    daemon = daemon_with_a_file(stage, twilio_auth_token="6" * 32, calls_per_second=10)
    stage.until(lambda: stage.status() == "paused")  # the carrier refuses the old token

    configured(stage, twilio_auth_token=OTHER_TOKEN, calls_per_second=2)
    assert reloaded(stage, daemon)["applied"] == ["calls_per_second", "twilio_auth_token"]
    stage.cli("campaign", "resume", "Renewals").ok()

    stage.until_over()
    check_promises(stage)
    assert "callback.refused" not in stage.events()
    assert OTHER_TOKEN not in (stage.rehearsal.folder / "daemon.log").read_text()


def test_calls_that_were_given_an_earlier_address_are_still_answered_there(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=60)
    given_calls(stage, contacts=40)
    stage.carrier("--cps", "1000", "--profile", "warm")
    old, new = (f"http://{host}:{stage.port}" for host in ("127.0.0.1", "localhost"))
    daemon = daemon_with_a_file(stage, public_url=old, calls_per_second=2)
    stage.until_accepted(10)

    configured(stage, public_url=new, calls_per_second=2)
    assert reloaded(stage, daemon)["applied"] == ["public_url"]
    changed_at = stage.clock.now()

    stage.until_over()
    check_promises(stage)
    calls = stage.truth()
    assert any(call.status_callback.startswith(new) for call in calls)
    late = [call for call in calls if (call.ended_at or 0) > changed_at]
    assert any(call.status_callback.startswith(old) for call in late), "none was under way"
    assert "callback.refused" not in stage.events()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("calls_per_second = 'fast'\n", "setting calls_per_second (dialer.toml) = 'fast'"),
        ("call_per_second = 1\n", "did you mean 'calls_per_second'"),
        ("twilio_auth_token = ''\n", "DIALER_TWILIO_AUTH_TOKEN missing"),
        ("twilio_auth_token = 'hunter2\n", "dialer.toml cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_change_nothing(
    given_stage: GivenStage, broken: str, told: str
) -> None:
    stage = given_stage(speed=60)
    given_calls(stage, contacts=5)
    stage.carrier("--cps", "1000")
    token = stage.rehearsal.environment()["DIALER_TWILIO_AUTH_TOKEN"]
    daemon = daemon_with_a_file(stage, twilio_auth_token=token, calls_per_second=10)
    stage.until(lambda: stage.troubles() == {})

    (stage.rehearsal.folder / "dialer.toml").write_text(broken)
    line = reloaded(stage, daemon, "config.refused")

    assert line["level"] == "error"
    assert told in line["error"]
    assert "hunter2" not in line["error"]
    stage.until_over()
    check_promises(stage)


def test_a_new_level_of_the_log_holds_for_loggers_that_are_in_use(
    given_stage: GivenStage, manager: Manager
) -> None:
    stage = given_stage(speed=1)
    stage.given_campaign(contacts=1, start=False)
    token = stage.rehearsal.environment()["DIALER_TWILIO_AUTH_TOKEN"]
    daemon = daemon_with_a_file(stage, twilio_auth_token=token)
    stage.until(lambda: manager.heard().count("READY=1") == 1)

    configured(stage, twilio_auth_token=token, log_level="error")
    os.kill(daemon.pid, signal.SIGHUP)
    stage.until(lambda: manager.heard().count("READY=1") == 2)
    assert "RELOADING=1" in manager.heard()
    configured(stage, twilio_auth_token=token, log_level="verbose")
    reloaded(stage, daemon, "config.refused")

    assert "config.reloaded" not in stage.events()  # which it would say on level info


# -- a look inside, and the end -------------------------------------------------------------------


def test_a_daemon_that_is_asked_logs_what_each_task_is_at_and_goes_on(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=60)
    given_calls(stage, contacts=20)
    stage.carrier("--cps", "1000")
    daemon = stage.ready_daemon()
    stage.until_accepted(3)

    os.kill(daemon.pid, signal.SIGUSR1)
    stage.until(lambda: "daemon.dumped" in stage.events())

    (line,) = [line for line in stage.log() if line["event"] == "daemon.dumped"]
    assert any("Dispatcher.run" in task for task in line["tasks"])
    assert any("_Server" in task or "Server.serve" in task for task in line["tasks"])
    assert "1 campaign" in line["status"]
    stage.until_over()
    check_promises(stage)


def test_calls_the_carrier_has_not_begun_are_taken_back_when_the_daemon_is_told_to_end(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=60, calls_per_second="0")
    given_calls(stage, contacts=40, max_concurrent=40)
    stage.carrier("--cps", "0.05", "--profile", "warm")  # it queues what comes faster
    daemon = stage.daemon()
    stage.until_accepted(40)

    stage.expect_end(daemon)
    daemon.terminate()
    assert daemon.wait(WITHIN_S) == 0

    calls = stage.truth()
    assert len(calls) == 40
    assert sum(call.ringing_at is None for call in calls) > 20
    assert [call.sid for call in calls if call.ended_at is None] == []
