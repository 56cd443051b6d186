"""One call as operators handle it: look at it, end it."""

from collections.abc import Sequence

from dialer import audit_log
from dialer.errors import NotFoundError, WrongStateError
from dialer.ports import Row, Tx


async def find(tx: Tx, call: str) -> Row:
    """The attempt of that id, or of that name at the carrier; raises NotFoundError."""
    row = await tx.row("call_to_show", call=call.strip())
    if row is None:
        raise NotFoundError(f"there is no call {call!r}", next_step="dialer calls list")
    return row


async def with_news(tx: Tx, call: str) -> tuple[Row, Sequence[Row]]:
    """A call, and what was told of it, oldest first."""
    row = await find(tx, call)
    return row, await tx.rows("news_of_call", attempt_id=row["id"])


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


def _going_on(row: Row) -> Row:
    if row["closed_at"] is not None:
        raise WrongStateError(
            f"call {row['id']} is over ({row['outcome'] or row['state']})",
            next_step=f"dialer calls show {row['id']}",
        )
    return row
