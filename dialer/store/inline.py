"""SQLite connections for virtual time: the real SQL by aiosqlite's own interface, without a thread.

:func:`inline` runs each statement at once and answers on the loop's next turn, between the hooks
of a :class:`Host`, which may fail it or end the process around it. :func:`counted` keeps the real
thread and tells the loop of every answer it owes.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol, TypeAlias

import aiosqlite
from aiosqlite.core import _connection_worker_thread

Connect: TypeAlias = Callable[[Path], aiosqlite.Connection]
_Item: TypeAlias = tuple[asyncio.Future[Any] | None, Callable[[], Any]]

#: Every name aiosqlite keeps to itself that this module uses; a test asks the release for them.
RELIED_ON: Final = {
    "Connection()": ("_tx", "_thread", "_running", "_connection"),
    "core": ("_connection_worker_thread",),
}
#: aiosqlite's own default: how many rows an iteration fetches at a time.
_CHUNK: Final = 64
#: What carries a statement to the database, and so may fail or be the last thing a process does.
_STATEMENTS: Final = frozenset(
    {"execute", "executemany", "executescript", "_execute_fetchall", "_execute_insert"}
    | {"commit", "rollback"}
)
#: A simulated crash takes nothing from the operating system: waiting for the disk proves nothing.
_DURABILITY: Final = "PRAGMA synchronous"
_NO_DURABILITY: Final = "PRAGMA synchronous=OFF"


class Fault(IntEnum):
    """How a statement fails, as SQLite's result code."""

    BUSY = sqlite3.SQLITE_BUSY  # somebody else has the lock: nothing happened
    FULL = sqlite3.SQLITE_FULL  # the transaction is rolled back, as SQLite mostly does
    IOERR = sqlite3.SQLITE_IOERR  # likewise


class Host(Protocol):
    """The process whose connections these are, and its disk."""

    def opened(self, cut: Callable[[], None]) -> None:
        """A connection was opened; *cut* is what the operating system does to it at the end."""

    def begins(self, statement: str) -> bool:
        """Asked before a statement runs; False: the process is dead, and nothing runs."""

    def fault(self, statement: str) -> Fault | None:
        """Asked next: how the statement fails instead of running."""

    def ended(self, statement: str) -> bool:
        """Asked when it ran or failed; False: the process is dead and hears nothing of it."""


def inline(host: Host) -> Connect:
    """Connections that run everything at once, in the caller's thread."""
    return lambda path: InlineConnection(partial(_open, path), host)


def counted(owe_until: Callable[[asyncio.Future[Any]], None]) -> Connect:
    """Connections with aiosqlite's thread; *owe_until* hears of each answer that is due."""
    return lambda path: CountedConnection(partial(_open, path), owe_until)


class InlineConnection(aiosqlite.Connection):
    """A connection that does not need a thread."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], host: Host) -> None:
        super().__init__(self._opening, _CHUNK)
        self._open = connector
        self._host = host
        self._raw: sqlite3.Connection | None = None
        self._tx = _AtOnce(self._run)
        self._thread = _NoThread()

    def _opening(self) -> sqlite3.Connection:
        self._raw = self._open()
        self._host.opened(self._cut)
        return self._raw

    def _cut(self) -> None:
        """As the operating system does: locks are dropped, and what was not committed is gone."""
        self._running, self._connection = False, None
        if self._raw is not None:
            with suppress(sqlite3.Error):
                self._raw.rollback()  # close() alone waits for cursors that the dead hold open
            self._raw.close()

    def _run(self, future: asyncio.Future[Any] | None, function: Callable[[], Any]) -> None:
        statement = _statement(function)
        if statement is not None and not self._host.begins(statement):
            return
        value, error = None, None
        try:
            if statement is not None and (fault := self._host.fault(statement)) is not None:
                self._fail(fault)
            if statement is not None and statement.startswith(_DURABILITY):
                function = partial(self._conn.execute, _NO_DURABILITY)
            value = function()
        except Exception as raised:  # whatever it is, it is the caller's
            error = raised
        if statement is not None and not self._host.ended(statement):
            return
        if future is not None:
            future.get_loop().call_soon(_answer, future, value, error)

    def _fail(self, fault: Fault) -> None:
        if fault is not Fault.BUSY and self._raw is not None:
            self._raw.rollback()
        error = sqlite3.OperationalError(f"{fault.name}, as planned")
        error.sqlite_errorcode = int(fault)
        error.sqlite_errorname = f"SQLITE_{fault.name}"
        raise error


class CountedConnection(aiosqlite.Connection):
    """A connection with a thread whose debts are known. It knows no faults and no crashes."""

    def __init__(
        self,
        connector: Callable[[], sqlite3.Connection],
        owe_until: Callable[[asyncio.Future[Any]], None],
    ) -> None:
        super().__init__(connector, _CHUNK)
        self._tx = _Owed(owe_until)
        self._thread = Thread(target=_connection_worker_thread, args=(self._tx,))


class _AtOnce(SimpleQueue[_Item]):
    """A queue where nothing waits."""

    def __init__(
        self, run: Callable[[asyncio.Future[Any] | None, Callable[[], Any]], None]
    ) -> None:
        super().__init__()
        self._run = run

    def put_nowait(self, item: _Item) -> None:
        self._run(*item)


class _Owed(SimpleQueue[_Item]):
    """A queue that tells what it owes."""

    def __init__(self, owe_until: Callable[[asyncio.Future[Any]], None]) -> None:
        super().__init__()
        self._owe_until = owe_until

    def put_nowait(self, item: _Item) -> None:
        future, _ = item
        if future is not None:
            self._owe_until(future)
        super().put_nowait(item)


class _NoThread(Thread):
    def start(self) -> None:
        """Nothing to start."""


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=0)


def _statement(function: Callable[[], Any]) -> str | None:
    """The text a queued function will run; None when it runs none."""
    if not isinstance(function, partial) or function.func.__name__ not in _STATEMENTS:
        return None
    return str(function.args[0]) if function.args else function.func.__name__.upper()


def _answer(future: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
