"""Group commit: what piled up during the last commit goes into the next one.

Every write of the engine is a list of typed operations for a handler. One task drains all that
is queued, hands each handler its operations in the order they came, commits once and answers
once per submission. It never lingers to fill a batch, and it bounds a transaction so that a
start that is due is not kept waiting behind a mountain of callbacks.

The commit belongs to this task, not to whoever submitted: cancelling a caller cannot tear a
transaction. When a batch fails, each submission is tried alone, so that a poisonous one fails
by itself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from dialer.errors import StoreBusyError
from dialer.lazy_log import Log
from dialer.ports import Database, Tx

Op = TypeVar("Op")
Result = TypeVar("Result")
#: Applies operations within a transaction and returns one result for each.
Handler: TypeAlias = Callable[[Tx, Sequence[Op]], Awaitable[Sequence[Result]]]

#: Operations in one transaction: some 20 ms of work when there is that much to do. Starts are
#: reserved a tenth of a second ahead, so a full batch delays none of them.
MAX_BATCH: Final = 2048

log = Log()


@dataclass(slots=True)
class _Submission:
    handler: Handler[Any, Any]
    ops: Sequence[Any]
    answer: asyncio.Future[Sequence[Any]] | None
    alone: bool = False


class Batcher:
    """Runs handlers in shared transactions. :meth:`run` must be running for anything to happen."""

    def __init__(
        self,
        database: Database,
        *,
        on_rollback: Callable[[], None] = lambda: None,
        max_batch: int = MAX_BATCH,
    ) -> None:
        self._database = database
        self._on_rollback = on_rollback
        self._max_batch = max_batch
        self._queue: deque[_Submission] = deque()
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._told: list[Callable[[], None]] = []

    async def apply(
        self, handler: Handler[Op, Result], ops: Sequence[Op], *, alone: bool = False
    ) -> Sequence[Result]:
        """Submit *ops* and wait until they are durable; raises what the handler raised.

        *alone* gives them a transaction of their own: for a handler that takes a lock everybody
        wants, which must neither be held nor waited for on behalf of others.
        """
        answer: asyncio.Future[Sequence[Result]] = asyncio.get_running_loop().create_future()
        self._put(_Submission(handler, ops, answer, alone))
        return await answer

    def post(self, handler: Handler[Op, Any], ops: Sequence[Op]) -> None:
        """Submit *ops* without waiting. A failure is logged: use it for what can be redone."""
        self._put(_Submission(handler, ops, None))

    def after_commit(self, tell: Callable[[], None]) -> None:
        """For handlers: call *tell* once their transaction has committed, and never if it does
        not. For what is counted and logged, because a handler may be run again.
        """
        self._told.append(tell)

    async def settled(self) -> None:
        """Wait until everything submitted so far is durable or has failed."""
        await self._idle.wait()

    async def run(self) -> None:
        """Drain the queue for ever."""
        while True:
            await self._filled.wait()
            batch = self._take()
            await self._commit(batch)
            if not self._queue:
                self._filled.clear()
                self._idle.set()

    def _put(self, submission: _Submission) -> None:
        self._queue.append(submission)
        self._idle.clear()
        self._filled.set()

    def _take(self) -> list[_Submission]:
        batch: list[_Submission] = []
        room = self._max_batch
        while self._queue and (room > 0 or not batch):
            if self._queue[0].alone and batch:
                break
            room -= len(self._queue[0].ops)
            batch.append(self._queue.popleft())
            if batch[0].alone:
                break
        return batch

    async def _commit(self, batch: list[_Submission]) -> None:
        try:
            await self._transaction(batch)
        except Exception as error:
            self._told.clear()
            self._on_rollback()
            # A store that others have is nobody's poison: alone, each would wait as long again.
            if len(batch) == 1 or isinstance(error, StoreBusyError):
                for submission in batch:
                    _fail(submission, error)
                return
            log.warning("batch.split", submissions=len(batch), error=str(error))
            for submission in batch:
                await self._commit([submission])

    async def _transaction(self, batch: list[_Submission]) -> None:
        groups: dict[Handler[Any, Any], list[_Submission]] = {}
        for submission in batch:
            groups.setdefault(submission.handler, []).append(submission)
        answers: list[tuple[_Submission, Sequence[Any]]] = []
        async with self._database.write() as tx:
            for handler, submissions in groups.items():
                ops = [op for submission in submissions for op in submission.ops]
                results = await handler(tx, ops)
                position = 0
                for submission in submissions:
                    end = position + len(submission.ops)
                    answers.append((submission, results[position:end]))
                    position = end
        told, self._told = self._told, []
        for tell in told:
            tell()
        for submission, result in answers:
            if submission.answer is not None and not submission.answer.done():
                submission.answer.set_result(result)


def _fail(submission: _Submission, error: Exception) -> None:
    if submission.answer is None:
        log.error("write.failed", handler=submission.handler.__name__, error=str(error))
    elif not submission.answer.done():
        submission.answer.set_exception(error)
