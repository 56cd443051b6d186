"""Taking an import back while nobody it brought has been called.

Theory of operation. Members go first, then the contacts that are nobody's members any more, in
portions: each is one transaction, so that a daemon goes on dialing, and whoever runs an undo again
after it was cut goes on with what is left. A member is held before it goes. One that a claim is
taking at that moment, or has taken, stays: it is called, and its history is kept.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from dialer import audit_log
from dialer.errors import WrongStateError
from dialer.importing import records as import_records
from dialer.importing.records import ImportState
from dialer.lists.intake import PORTION
from dialer.ports import Clock, Database, Tx

#: Between two portions whoever else wants to write has a turn, in seconds.
REST_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo took away, and what it left."""

    import_id: int
    members: int
    contacts: int
    dialed: int  # members that stay, because they were called
    updated: int  # contacts that were known before, and keep what the list told of them
    told: int  # contacts that stay, because a list or an operator has told of them since
    undone_at: int | None  # UTC ms: it had been undone before, then

    @property
    def nothing_left(self) -> bool:
        """Whether it had been undone before, to its end."""
        return self.undone_at is not None and not (self.members or self.contacts)


async def undo(
    database: Database, clock: Clock, import_id: int, *, only_undialed: bool = False
) -> Undone:
    """Remove the members an import added, and the contacts it added that are in no campaign and of
    whom nobody has told anything since.

    One that was undone before is undone of what is left. Raises WrongStateError while the import
    runs, when members of it were called, unless *only_undialed* leaves those where they are, and
    for one of an earlier release, of which it is not known whom it brought.
    """
    async with database.write() as tx:
        found = await _allowed(tx, import_id, clock.now(), only_undialed=only_undialed)
        # From here on nobody goes on with it.
        await tx.run("undo_import", import_id=import_id, now=clock.now())
    members = 0
    if found["campaign_id"] is not None:
        members = await _remove(
            database, import_id, "undialed_of_import", "remove_imported_members"
        )
    contacts = await _remove(database, import_id, "orphans_of_import", "remove_imported_contacts")
    async with database.write() as tx:
        told = await tx.value("told_of_since", import_id=import_id)
        undone = Undone(
            import_id,
            members,
            contacts,
            await _dialed(tx, found),
            found["updated"],
            int(told),
            found["undone_at"],
        )
        if undone.nothing_left:
            return undone
        await tx.run("bump_revision")
        after = asdict(undone)
        await audit_log.record(tx, "imports.undo", str(import_id), clock.now(), after=after)
    return undone


async def _allowed(tx: Tx, import_id: int, now: int, *, only_undialed: bool) -> Mapping[str, Any]:
    found = await import_records.found(tx, import_id, now)
    if found["state"] is ImportState.RUNNING:
        raise WrongStateError(
            f"import {import_id} is running", next_step=f"dialer jobs cancel {found['job_id']}"
        )
    if found["job_id"] is None:
        raise WrongStateError(
            f"import {import_id} cannot be undone: it was made by an earlier release, which did not"
            " keep whom it brought",
            next_step=f"dialer imports show {import_id}",
        )
    dialed = await _dialed(tx, found)
    if dialed and not only_undialed and found["state"] is not ImportState.UNDONE:
        raise WrongStateError(
            f"import {import_id} cannot be undone: {dialed:,} of its members"
            f" {'has' if dialed == 1 else 'have'} been called",
            next_step=f"undo the others: dialer imports undo {import_id} --only-undialed",
        )
    return found


async def _dialed(tx: Tx, found: Mapping[str, Any]) -> int:
    if found["campaign_id"] is None:
        return 0
    keys = {"campaign_id": found["campaign_id"], "import_id": found["id"]}
    return int(await tx.value("dialed_of_import", **keys))


async def _remove(database: Database, import_id: int, find: str, remove: str) -> int:
    removed, after = 0, 0
    while True:
        async with database.write() as tx:
            await tx.value("hold_contacts")
            rows = await tx.rows(find, import_id=import_id, after=after, limit=PORTION)
            if not rows:
                return removed
            await tx.many(remove, [{"id": row["id"]} for row in rows])
        removed, after = removed + len(rows), rows[-1]["id"]
        await asyncio.sleep(REST_S)
