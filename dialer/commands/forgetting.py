"""Forgetting contacts that nobody has dialed: `dialer contacts remove --everywhere`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from dialer.commands.console import confirm, counted, emit, say
from dialer.commands.contacts_given import resolved
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.people.names import Named
    from dialer.ports import Tx


def forget(
    names: Sequence[str],
    *,
    partial: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Forget the contacts of *names*, all of them or none; the do-not-call list stays."""
    from dialer.commands.session import reading, settings_of, writing
    from dialer.people import edits as contact_edits

    region = settings_of().default_region

    async def look(tx: "Tx", _now: int) -> "Named":
        found = await resolved(tx, names, region)
        for contact_id in found.known(partial=partial):
            await contact_edits.check_deletable(tx, contact_id)
        return found

    async def use_case(tx: "Tx", now: int) -> int:
        return sum([await contact_edits.delete(tx, each, now) for each in found.ids])

    found = reading(look)
    people = counted(len(found.ids), "contact")
    members = 0
    if found.ids and not dry_run:
        confirm(f"Forget {people} for good, in every campaign?", yes=yes)
        members = writing(use_case)
    if as_json:
        emit(
            {
                "dry_run": dry_run,
                "removed": len(found.ids),
                "memberships": members,
                "unknown": list(found.unknown),
            }
        )
    elif dry_run:
        say(f"{people} would be forgotten; nothing was changed")
    else:
        say(f"{people} forgotten, with {counted(members, 'membership')}")
        say("next:  dialer contacts list")
    if found.unknown:
        raise typer.Exit(ExitCode.PARTLY)
