"""Group commit: shared transactions, answers for everybody, one bad submission fails alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dialer.batching import Batcher
from dialer.errors import StoreBusyError
from dialer.ports import Tx
from tests.support import virtual
from tests.support.engine import running


@dataclass
class Ledger:
    """A database of one list: what a transaction wrote is there when it commits, or never."""

    commits: list[list[str]] = field(default_factory=list)
    refusals: int = 0  # commits that fail from now on
    slow_s: float = 0.0

    @property
    def durable(self) -> list[str]:
        return [entry for commit in self.commits for entry in commit]

    @asynccontextmanager
    async def write(self, actor: str | None = None) -> AsyncIterator[Any]:
        entries: list[str] = []
        yield entries
        await asyncio.sleep(self.slow_s)
        if self.refusals:
            self.refusals -= 1
            raise StoreBusyError("somebody else holds the ledger")
        self.commits.append(entries)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        yield tuple(self.durable)

    snapshot = read


class PoisonError(Exception):
    """What a bad operation raises."""


async def enter(tx: Tx, ops: Sequence[str]) -> list[str]:
    entries: Any = tx
    for op in ops:
        entries.append(op)
        if op == "poison":
            raise PoisonError(op)
    return [op.upper() for op in ops]


async def tally(tx: Tx, ops: Sequence[int]) -> list[int]:
    entries: Any = tx
    entries.append(f"tally of {len(ops)}")
    return [-op for op in ops]


async def submitted(batcher: Batcher, *submissions: Sequence[str]) -> list[Any]:
    """Submit each before any is served; what each is answered."""
    return await asyncio.gather(
        *(batcher.apply(enter, ops) for ops in submissions), return_exceptions=True
    )


async def test_what_is_answered_is_durable() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)

    async with running(batcher.run):
        answer = await batcher.apply(enter, ["a", "b"])

        assert ledger.commits == [["a", "b"]]
    assert answer == ["A", "B"]


async def test_what_piled_up_shares_one_commit_and_each_gets_its_own_answers() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)

    async with running(batcher.run):
        answers = await submitted(batcher, ["a", "b"], [], ["c"])

    assert ledger.commits == [["a", "b", "c"]]
    assert answers == [["A", "B"], [], ["C"]]


async def test_a_handler_is_called_once_a_commit_with_its_operations_in_order() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)

    async with running(batcher.run):
        answers = await asyncio.gather(
            batcher.apply(enter, ["a"]),
            batcher.apply(tally, [1, 2]),
            batcher.apply(enter, ["b"]),
            batcher.apply(tally, [3]),
        )

    assert ledger.commits == [["a", "b", "tally of 3"]]
    assert [*answers] == [["A"], [-1, -2], ["B"], [-3]]


async def test_a_commit_is_bounded_but_takes_a_large_submission_whole() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger, max_batch=3)

    async with running(batcher.run):
        await submitted(batcher, ["a", "b"], ["c", "d"], ["e"], list("fghij"), ["k"])

    assert ledger.commits == [["a", "b", "c", "d"], ["e", *"fghij"], ["k"]]


async def test_what_wants_to_be_alone_shares_no_commit_and_keeps_its_place() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)

    async with running(batcher.run):
        await asyncio.gather(
            batcher.apply(enter, ["a"]),
            batcher.apply(enter, ["b"], alone=True),
            batcher.apply(enter, ["c"], alone=True),
            batcher.apply(enter, ["d"]),
            batcher.apply(enter, ["e"]),
        )

    assert ledger.commits == [["a"], ["b"], ["c"], ["d", "e"]]


async def test_what_comes_during_a_commit_goes_into_the_next() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)

    async def first(tx: Tx, ops: Sequence[str]) -> list[str]:
        batcher.post(enter, ["late", "later"])
        return await enter(tx, ops)

    async with running(batcher.run):
        await batcher.apply(first, ["early"])
        await batcher.settled()

    assert ledger.commits == [["early"], ["late", "later"]]


async def test_a_bad_submission_fails_alone_and_nothing_of_it_is_kept() -> None:
    ledger = Ledger()
    rollbacks: list[int] = []
    batcher = Batcher(ledger, on_rollback=lambda: rollbacks.append(len(ledger.commits)))

    with capture_logs() as logs:
        async with running(batcher.run):
            first, bad, last = await submitted(batcher, ["a"], ["b", "poison", "c"], ["d"])

    assert (first, last) == (["A"], ["D"])
    assert isinstance(bad, PoisonError)
    assert ledger.durable == ["a", "d"]
    assert rollbacks == [0, 1]  # the shared one, then its own
    assert [entry["event"] for entry in logs] == ["batch.split"]


async def test_a_store_that_others_have_is_waited_for_once_by_all_of_a_batch() -> None:
    ledger = Ledger(refusals=1)
    rollbacks: list[int] = []
    batcher = Batcher(ledger, on_rollback=lambda: rollbacks.append(len(ledger.commits)))

    async with running(batcher.run):
        answers = await submitted(batcher, ["a"], ["b"], ["c"])

    assert [type(answer) for answer in answers] == [StoreBusyError] * 3
    assert (ledger.durable, rollbacks) == ([], [0])


async def test_what_is_told_after_a_commit_is_told_once_and_of_no_rollback() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)
    told: list[tuple[str, list[str]]] = []

    def tell(op: str) -> None:
        told.append((op, ledger.durable))

    async def enter_and_tell(tx: Tx, ops: Sequence[str]) -> list[str]:
        for op in ops:
            batcher.after_commit(partial(tell, op))
        return await enter(tx, ops)

    async with running(batcher.run):
        await asyncio.gather(
            batcher.apply(enter_and_tell, ["a"]),
            batcher.apply(enter_and_tell, ["poison"]),
            batcher.apply(enter_and_tell, ["b"]),
            return_exceptions=True,
        )

    assert told == [("a", ["a"]), ("b", ["a", "b"])]


async def test_a_commit_that_fails_is_no_answer_of_success() -> None:
    ledger = Ledger(refusals=1)
    batcher = Batcher(ledger)

    async with running(batcher.run):
        with pytest.raises(StoreBusyError):
            await batcher.apply(enter, ["a"])
        again = await batcher.apply(enter, ["a"])

    assert again == ["A"]
    assert ledger.commits == [["a"]]


async def test_a_post_that_fails_is_logged_and_the_rest_goes_on() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)

    with capture_logs() as logs:
        async with running(batcher.run):
            batcher.post(enter, ["poison"])
            await batcher.settled()
            batcher.post(enter, ["a"])
            await batcher.settled()

    assert ledger.durable == ["a"]
    (entry,) = logs
    assert (entry["event"], entry["log_level"]) == ("write.failed", "error")
    assert (entry["handler"], entry["error"]) == ("enter", "poison")


async def test_a_caller_that_is_cancelled_tears_no_commit() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx, ops: Sequence[str]) -> list[str]:
        answers = await enter(tx, ops[:1])
        inside.set()
        await go_on.wait()
        return answers + await enter(tx, ops[1:])

    async with running(batcher.run), asyncio.TaskGroup() as callers:
        caller = callers.create_task(batcher.apply(slow, ["a", "b"]))
        await inside.wait()
        caller.cancel()
        other = callers.create_task(batcher.apply(enter, ["c"]))
        go_on.set()

    assert caller.cancelled()
    assert ledger.commits == [["a", "b"], ["c"]]
    assert other.result() == ["C"]


async def test_a_caller_that_gave_up_does_not_disturb_a_failing_batch() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger)

    async with asyncio.TaskGroup() as callers:
        bad = callers.create_task(batcher.apply(enter, ["poison"]))
        good = callers.create_task(batcher.apply(enter, ["a"]))
        await asyncio.sleep(0)
        bad.cancel()
        async with running(batcher.run):
            await good

    assert ledger.durable == ["a"]


async def test_settled_waits_for_all_that_was_submitted_before() -> None:
    ledger = Ledger()
    batcher = Batcher(ledger, max_batch=1)
    for op in "abc":
        batcher.post(enter, [op])

    async with running(batcher.run):
        await batcher.settled()
        assert ledger.durable == ["a", "b", "c"]
        await batcher.settled()  # nothing to wait for


async def test_settled_knows_of_failures_too() -> None:
    ledger = Ledger(refusals=2)
    batcher = Batcher(ledger, max_batch=1)
    for op in "abc":
        batcher.post(enter, [op])

    with capture_logs():
        async with running(batcher.run):
            await batcher.settled()

    assert ledger.durable == ["c"]


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c", "poison"]), max_size=4), max_size=12),
    st.integers(1, 6),
    st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_whatever_is_submitted_each_is_all_there_or_not_at_all(
    submissions: list[list[str]], max_batch: int, pauses: list[bool]
) -> None:
    ledger = Ledger(slow_s=0.001)
    batcher = Batcher(ledger, max_batch=max_batch)

    async def main() -> list[Any]:
        async with running(batcher.run), asyncio.TaskGroup() as callers:
            answers = []
            for number, (ops, pause) in enumerate(zip(submissions, pauses, strict=False)):
                named = [op if op == "poison" else f"{op}{number}" for op in ops]
                answers.append(callers.create_task(outcome(named)))
                await asyncio.sleep(0.001 if pause else 0)
        return [answer.result() for answer in answers]

    async def outcome(ops: list[str]) -> Any:
        try:
            return await batcher.apply(enter, ops)
        except PoisonError:
            return None

    with capture_logs():
        answers = virtual.run(main())

    expected = []
    for number, (ops, answer) in enumerate(zip(submissions, answers, strict=True)):
        kept = [f"{op}{number}" for op in ops]
        assert answer == (None if "poison" in ops else [op.upper() for op in kept])
        expected += [] if "poison" in ops else kept
    assert ledger.durable == expected
