"""A check that is a program: the question on its standard input, the answer by its exit code.

0 is *call*, or whatever the JSON on its standard output says; 77 (EX_NOPERM of sysexits.h) is
*never* and 75 (EX_TEMPFAIL) *later*, with the reason on its standard output. Any other code is no
answer: an uncaught error of a script exits 1, and must fail nobody.
"""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from dialer.errors import UnreachableError, UsageError
from dialer.ports import Clock, MayCall, Never, PreDialAnswer, PreDialQuestion
from dialer.pre_dial.messages import MAX_BYTES, answer_from, later, question_bytes, reason_from
from dialer.pre_dial.sources import Command

EXIT_NEVER: Final = 77
EXIT_LATER: Final = 75

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
        process = await asyncio.create_subprocess_exec(
            *self._args,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=_environment(os.environ),
            start_new_session=True,
        )
        try:
            said, complained = await _exchange(process, question_bytes(question))
            code = await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return self._answer(code, said, complained)

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


async def _exchange(process: Process, question: bytes) -> tuple[bytes, bytes]:
    """Hand the question over and read both outputs to their end."""
    assert process.stdin is not None, "all three are pipes"
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.TaskGroup() as pipes:
        pipes.create_task(_tell(process.stdin, question))
        said = pipes.create_task(_read(process.stdout))
        complained = pipes.create_task(_read(process.stderr))
    return said.result(), complained.result()


async def _tell(stdin: asyncio.StreamWriter, question: bytes) -> None:
    """A program that does not read its question may still know the answer."""
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(question)
        await stdin.drain()
    stdin.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await stdin.wait_closed()


async def _read(output: asyncio.StreamReader) -> bytes:
    """The end of an output, all of which is read: a program must not wait for us."""
    kept = b""
    while part := await output.read(MAX_BYTES):
        kept = (kept + part)[-MAX_BYTES:]
    return kept


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in ours.items() if not name.startswith(_OURS)}
