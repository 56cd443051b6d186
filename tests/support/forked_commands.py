"""Commands that are done in a tenth of a second: processes forked off a preloaded one.

Each is a real process with streams, folder, environment and exit code of its own; only its imports
were done before it began. What imports cost, and whether a module imports what it uses, is asked
of commands that are started from nothing: in the acceptance tests and in those of the start-up.
"""

import io
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import cli

LIMIT_S: Final = 120

#: Settings of the interpreter itself, which a fork does not read again.
_INTERPRETERS: Final = ("PYTHON", "LC_", "LANG")

_FORKING: Final = multiprocessing.get_context("forkserver")
# A fork looks at the module that its parent was started with, which is pytest's.
_FORKING.set_forkserver_preload(["pytest", "tests.support.preloaded"])


def can(variables: Mapping[str, str]) -> bool:
    """Whether a command with these variables of its own may be a fork."""
    return not any(name.startswith(_INTERPRETERS) for name in variables)


def run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> tuple[int, bytes, bytes]:
    """Run ``dialer`` with nothing to read; its exit code and what it wrote on both its streams."""
    with tempfile.TemporaryDirectory() as streams:
        out, err = Path(streams, "out"), Path(streams, "err")
        process = _FORKING.Process(
            target=_command, args=(tuple(words), folder, dict(environment), out, err)
        )
        process.start()
        process.join(LIMIT_S)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            raise TimeoutError(f"dialer {' '.join(words)} goes on for more than {LIMIT_S} s")
        process.close()
        return code, out.read_bytes(), err.read_bytes()


def _command(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], out: Path, err: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _stream(1, out, errors="strict")
    sys.stderr = _stream(2, err, errors="backslashreplace")
    sys.argv = ["dialer", *words]
    cli.main()


def _stream(number: int, path: Path, *, errors: str) -> io.TextIOWrapper:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, number)
    os.close(file)
    raw = open(number, "wb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=number == 2)
