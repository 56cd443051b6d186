"""A check that is a program: the question on its standard input, the answer by its exit code.

0 is *call*, or whatever the JSON on its standard output says; 77 (EX_NOPERM of sysexits.h) is
*never* and 75 (EX_TEMPFAIL) *later*, with the reason on its standard output. Any other code is no
answer: an uncaught error of a script exits 1, and must fail nobody.
"""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from dialer.errors import UnreachableError, UsageError
from dialer.ports import Clock, MayCall, Never, PreDialAnswer, PreDialQuestion
from dialer.pre_dial.messages import MAX_BYTES, answer_from, later, question_bytes, reason_from
from dialer.pre_dial.sources import Command

EXIT_NEVER: Final = 77
EXIT_LATER: Final = 75
#: What a program has said before its end is read this long; a child of it may talk for ever.
GRACE_S: Final = 0.5

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2

#: Our own settings, secrets among them, are none of the program's business.
_OURS: Final = "DIALER_"


class CommandCheck:
    """Runs a program per question; one that is not waited for any more is killed."""

    def __init__(self, command: Command, clock: Clock) -> None:
        """Raise UsageError when there is no such program."""
        program = shutil.which(command.args[0])
        if program is None:
            raise UsageError(
                f"pre_dial_check names {command.args[0]!r}, and no program of that name can be run",
                next_step="give its full path, and make it executable",
            )
        self._args = (program, *command.args[1:])
        self._clock = clock

    async def __call__(self, question: PreDialQuestion) -> PreDialAnswer:
        loop = asyncio.get_running_loop()
        program, talk = await loop.subprocess_exec(
            _Talk,
            *self._args,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=_environment(os.environ),
            start_new_session=True,
        )
        try:
            _tell(program, question_bytes(question))
            await talk.exited.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    await talk.silent.wait()
        finally:
            # Of what it has started nothing goes on, answered or not.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(program.get_pid(), signal.SIGKILL)
            await talk.exited.wait()
            program.close()
        code = program.get_returncode()
        assert code is not None, "it has exited"
        return self._answer(code, talk.kept[_STDOUT], talk.kept[_STDERR])

    def _answer(self, code: int, said: bytes, complained: bytes) -> PreDialAnswer:
        now, words = self._clock.now(), said.decode(errors="replace")
        if code == EXIT_NEVER:
            return Never(reason_from(words))
        if code == EXIT_LATER:
            return later(now, words)
        if code != 0:
            last = reason_from(complained.decode(errors="replace").strip().rpartition("\n")[2])
            raise UnreachableError(f"the check exited {code}" + (f": {last}" if last else ""))
        return answer_from(said, now) if words.strip() else MayCall()


class _Talk(asyncio.SubprocessProtocol):
    """What a program says, and when it is over.

    A program may be over while a child that it left behind still holds its outputs, which
    asyncio's own ``wait()`` would wait for.
    """

    def __init__(self) -> None:
        self.kept = {_STDOUT: b"", _STDERR: b""}  # the end of each
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()  # nothing more can be said
        self._open = set(self.kept)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """All of it is read: a program must not wait for us."""
        self.kept[fd] = (self.kept[fd] + data)[-MAX_BYTES:]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  as named
        self._open.discard(fd)
        if not self._open:
            self.silent.set()

    def process_exited(self) -> None:
        self.exited.set()


def _tell(program: asyncio.SubprocessTransport, question: bytes) -> None:
    """A program that does not read its question may still know the answer."""
    stdin = program.get_pipe_transport(_STDIN)
    assert isinstance(stdin, asyncio.WriteTransport), "all three are pipes"
    stdin.write(question)
    stdin.close()


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in ours.items() if not name.startswith(_OURS)}
