"""A terminal of which one program has the keys and the whole screen, for as long as a block lasts.

Whatever ends the block, the terminal is as it was. Signals that would end or stop the process are
keys here, so that nothing is left half done: Ctrl-C and SIGTERM leave, Ctrl-Z gives the terminal
back until the shell brings the program to the foreground again.
"""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final, Self

LEAVE: Final = "\x03"
SUSPEND: Final = "\x1a"
RESIZED: Final = "resized"
#: Keys that wait for somebody to look at them; what is pressed beyond is lost.
MOST_KEYS: Final = 100


class Terminal:
    """Keys and signals, in the order in which they came. Use as a context manager, in a loop.

    *screen* begins to cover the terminal and returns what uncovers it.
    """

    def __init__(self, screen: Callable[[], Callable[[], None]], *, keys: bool) -> None:
        self._screen = screen
        self._keys = keys  # somebody sits at stdin
        self._pressed: asyncio.Queue[str] = asyncio.Queue(MOST_KEYS)
        self._stack = ExitStack()  # what is ours until the end
        self._covered = ExitStack()  # what is ours until then, or until we are suspended

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            for number, key in (
                (signal.SIGINT, LEAVE),
                (signal.SIGTERM, LEAVE),
                (signal.SIGHUP, LEAVE),
                (signal.SIGTSTP, SUSPEND),
                (signal.SIGWINCH, RESIZED),
            ):
                loop.add_signal_handler(number, self._press, key)
                stack.callback(loop.remove_signal_handler, number)
            if self._keys:
                loop.add_reader(sys.stdin.fileno(), self._read)
                stack.callback(loop.remove_reader, sys.stdin.fileno())
            self._cover()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._stack:
            self._covered.close()

    async def key(self, within_s: float) -> str | None:
        """The next key, :data:`RESIZED` among them; None when there was none in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within_s)):
                return await self._pressed.get()
        return None

    def suspend(self) -> None:
        """Give the terminal back and stop; goes on when the shell says so."""
        loop = asyncio.get_running_loop()
        self._covered.close()
        loop.remove_signal_handler(signal.SIGTSTP)  # which brings its usual effect back
        os.kill(os.getpid(), signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self._press, SUSPEND)
        self._cover()

    def _cover(self) -> None:
        with ExitStack() as stack:
            if self._keys:
                stack.enter_context(cbreak(sys.stdin.fileno()))
            stack.callback(self._screen())
            self._covered = stack.pop_all()

    def _press(self, key: str) -> None:
        with suppress(asyncio.QueueFull):
            self._pressed.put_nowait(key)

    def _read(self) -> None:
        try:
            read = os.read(sys.stdin.fileno(), 1024)
        except OSError:
            read = b""
        for key in read.decode("utf-8", "replace") or LEAVE:  # nothing: the terminal is gone
            self._press(key)


@contextmanager
def cbreak(terminal: int) -> Iterator[None]:
    """Keys come one by one and unseen, on the terminal of a file descriptor."""
    before: list[Any] = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
