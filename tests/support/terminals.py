"""A command on a terminal of its own: what it shows, and keys for it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self

from tests.support.cli import Cli

#: Nothing that is waited for takes longer, in real seconds.
WITHIN_S: Final = 60.0
_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: What is shown begins anew here.
_HOME: Final = "\x1b[H"


class Shown:
    """The terminal of a running command. Close it when done; the command is ended if it runs."""

    def __init__(
        self, words: Sequence[str], cli: Cli, *, columns: int = 80, lines: int = 24
    ) -> None:
        self._master, self._slave = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self._slave)
        environment = {**cli.environment, "TERM": "xterm", "PS1": "$ "}
        del environment["COLUMNS"], environment["NO_COLOR"]
        self.process = subprocess.Popen(
            words,
            cwd=cli.folder,
            env=environment,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        self._raw = ""
        self._pressed_at = 0  # so much was written when a key was pressed last

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size, of which its program is told."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def press(self, keys: str) -> None:
        """What somebody types; what was shown before counts no more."""
        self._pressed_at = len(self._raw)
        os.write(self._master, keys.encode())

    def until(self, text: str) -> str:
        """Wait until the newest screen, or what was written since, shows *text*; returns it."""
        self._wait(lambda: text in self.screen, f"{text!r} to show")
        return self.screen

    def ended(self) -> int:
        """Wait for its end and return its exit code."""
        self._wait(lambda: self.process.poll() is not None, "the end")
        self._read(0.1)
        return int(self.process.wait())

    @property
    def screen(self) -> str:
        """What was written since the screen began anew, or a key was pressed, without colours."""
        _, _, newest = self._raw[self._pressed_at :].rpartition(_HOME)
        return _SEQUENCE.sub("", newest).replace("\r", "")

    @property
    def raw(self) -> str:
        """All that was ever written."""
        return self._raw

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: its modes, its own screen, its cursor."""
        modes: list[Any] = termios.tcgetattr(self._slave)
        covered = self._raw.rfind("\x1b[?1049h") > self._raw.rfind("\x1b[?1049l")
        hidden = self._raw.rfind("\x1b[?25l") > self._raw.rfind("\x1b[?25h")
        return modes == self.before and not covered and not hidden

    def _wait(self, happened: Callable[[], bool], what: str) -> None:
        for _ in range(round(WITHIN_S / 0.05)):
            if happened():
                return
            self._read(0.05)
        raise AssertionError(f"waited in vain for {what}; there is: {self.screen!r}")

    def _read(self, within_s: float) -> None:
        readable, _, _ = select.select([self._master], [], [], within_s)
        if readable:
            self._raw += os.read(self._master, 65_536).decode("utf-8", "replace")


def _take_terminal() -> None:
    """Make standard input the terminal that Ctrl-C and changes of size come from."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def shown(cli: Cli, *words: str, **size: int) -> Iterator[Shown]:
    """Run ``dialer`` on a terminal of its own."""
    with Shown([sys.executable, "-m", "cli", *words], cli, **size) as terminal:
        yield terminal


@contextmanager
def shell(cli: Cli) -> Iterator[Shown]:
    """An interactive shell, for what only a shell does."""
    with Shown(["bash", "--norc", "--noprofile", "-i"], cli) as terminal:
        yield terminal
