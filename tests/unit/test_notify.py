"""What the service manager is told, over a real socket."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from dialer.notify import FEEDINGS, ServiceManager, feeding
from tests.support.engine import SetClock

PID: Final = 4711


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A service manager's end, not bound yet."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.setblocking(False)
        yield bound


def heard(listener: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_one_message_reaches_a_socket_in_the_file_system(
    listener: socket.socket, tmp_path: Path
) -> None:
    listener.bind(str(tmp_path / "notify"))

    ServiceManager(str(tmp_path / "notify")).tell("READY=1", "STATUS=ready")

    assert heard(listener) == ["READY=1\nSTATUS=ready"]


def test_one_message_reaches_an_abstract_socket(listener: socket.socket) -> None:
    listener.bind("")  # the kernel chooses an abstract name
    name = listener.getsockname().decode()

    ServiceManager(f"@{name[1:]}").tell("STOPPING=1")

    assert heard(listener) == ["STOPPING=1"]


def test_nobody_has_to_listen(tmp_path: Path) -> None:
    ServiceManager().tell("READY=1")
    ServiceManager(str(tmp_path / "nobody")).tell("READY=1")


def test_a_manager_that_reads_nothing_holds_nobody_up(
    listener: socket.socket, tmp_path: Path
) -> None:
    listener.bind(str(tmp_path / "notify"))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    for _ in range(10_000):
        ServiceManager(str(tmp_path / "notify")).tell("WATCHDOG=1")

    assert heard(listener)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ServiceManager()),
        ({"NOTIFY_SOCKET": "/run/n"}, ServiceManager("/run/n")),
        ({"WATCHDOG_USEC": "30000000"}, ServiceManager("", 30.0)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}, ServiceManager("", 30.0)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, ServiceManager()),
        ({"WATCHDOG_USEC": "soon"}, ServiceManager()),
    ],
)
def test_the_manager_is_the_one_that_the_environment_names(
    environment: dict[str, str], expected: ServiceManager
) -> None:
    assert ServiceManager.of(environment, PID) == expected


def test_the_watchdog_is_fed_several_times_within_its_patience_and_no_more(
    listener: socket.socket, tmp_path: Path
) -> None:
    listener.bind(str(tmp_path / "notify"))
    clock = SetClock()
    feed = feeding(ServiceManager(str(tmp_path / "notify"), watchdog_s=20), clock)

    for _ in range(200):  # twenty seconds of a busy engine
        feed()
        clock.pass_s(0.1)

    assert heard(listener) == ["WATCHDOG=1"] * FEEDINGS


def test_where_there_is_no_watchdog_nothing_is_fed(listener: socket.socket, tmp_path: Path) -> None:
    listener.bind(str(tmp_path / "notify"))

    feeding(ServiceManager(str(tmp_path / "notify")), SetClock())()

    assert heard(listener) == []
