"""Daemons that are up in a twentieth of a second: real processes, forked off a preloaded one.

Every import is done once, in a server process of a single thread. Each daemon is a fork of it and
runs ``dialer run`` with settings, SDK, sockets and connections of its own. What a test wants to be
different in such a process (:mod:`tests.support.changes`) is done there before it starts.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final, TypeAlias

import cli
from dialer.rehearsal import HOST
from tests.support.stage import Stage

#: Called in the new process. Pickled on the way: a function of a module, or a dataclass.
Change: TypeAlias = Callable[[], None]

_FORKING: Final = multiprocessing.get_context("forkserver")
# A fork looks at the module that its parent was started with, which is pytest's.
_FORKING.set_forkserver_preload(["pytest", "tests.support.preloaded"])


class Forked:
    """A forked process with the handles of :class:`subprocess.Popen`."""

    def __init__(self, process: BaseProcess, args: str) -> None:
        self._process = process
        self.args = args

    @property
    def pid(self) -> int:
        assert self._process.pid is not None, "it was started"
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for a signal; raises TimeoutExpired while it still runs."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutExpired(self.args, timeout or 0.0)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


def forked(
    stage: Stage,
    *changes: Change,
    port: int | None = None,
    log: str = "daemon.log",
    **settings: str,
) -> Forked:
    """A daemon that is coming up on *stage*, for which *changes* were made."""
    at = str(stage.port if port is None else port)
    address = {"port": at, "public_url": f"http://{HOST}:{at}"}
    environment = stage.rehearsal.environment(**address, **settings)
    process = _FORKING.Process(
        target=_live, args=(stage.rehearsal.folder, log, environment, changes), daemon=True
    )
    process.start()
    return stage.watched(Forked(process, f"dialer run, whose words are in {log}"))


def _live(
    folder: Path, log: str, environment: Mapping[str, str], changes: tuple[Change, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    words = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(words, sys.stderr.fileno())
    for change in changes:
        change()
    sys.argv = ["dialer", "run"]
    cli.main()
