"""One call as operators handle it: look at it, end it."""

from collections.abc import Sequence
from typing import Final

from amd.verdict import Verdict
from dialer import audit_log
from dialer.errors import NotFoundError, WrongStateError
from dialer.ports import Row, Tx
from retries.outcome import Outcome

_ANSWERED: Final = frozenset({Outcome.HUMAN, Outcome.MACHINE, Outcome.FAX})


async def find(tx: Tx, call: str) -> Row:
    """The attempt of that id, or of that name at the carrier; raises NotFoundError."""
    row = await tx.row("call_to_show", call=call.strip())
    if row is None:
        raise NotFoundError(f"there is no call {call!r}", next_step="dialer calls list")
    return row


async def with_news(tx: Tx, call: str) -> tuple[Row, Sequence[Row], Sequence[Row]]:
    """A call, what was told of it, oldest first, and what each mode of detection made of it."""
    row = await find(tx, call)
    news = await tx.rows("news_of_call", attempt_id=row["id"])
    return row, news, await tx.rows("verdicts_of_call", attempt_id=row["id"])


async def hang_up(tx: Tx, call: str, now: int) -> Row:
    """Ask for the end of a call that goes on; whoever owns it ends it.

    One that is not made yet, its state being ``intent``, is not made any more, unless its request
    is on its way: then it ends as soon as it is known. Raises WrongStateError for one that is over.
    Asking twice is asking once.
    """
    row = _going_on(await find(tx, call))
    if await tx.run("hang_up_call", attempt_id=row["id"], now=now):
        await audit_log.record(tx, "calls.hang-up", row["id"], now, after={"hang_up": True})
        return row
    return _going_on(await find(tx, row["id"]))  # it may have ended at this moment


async def label(tx: Tx, call: str, who: Verdict, now: int) -> Row:
    """Write down who answered, as somebody says who has listened; the outcome stays what it is.

    Raises WrongStateError for a call that nobody, and nothing, has answered.
    """
    row = await find(tx, call)
    if row["outcome"] not in _ANSWERED:
        raise WrongStateError(
            f"nobody answered call {row['id']} ({row['outcome'] or row['state']})",
            next_step="dialer calls list",
        )
    await tx.run("label_call", attempt_id=row["id"], label=who)
    before, after = {"label": row["label"]}, {"label": who}
    await audit_log.record(tx, "calls.label", row["id"], now, before=before, after=after)
    return await find(tx, row["id"])


def _going_on(row: Row) -> Row:
    if row["closed_at"] is not None:
        raise WrongStateError(
            f"call {row['id']} is over ({row['outcome'] or row['state']})",
            next_step=f"dialer calls show {row['id']}",
        )
    return row
