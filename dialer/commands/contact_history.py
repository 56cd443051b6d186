"""`dialer contacts history`: all that has happened to one person."""

from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.console import emit, iso, moment, one_line, say, table
from dialer.commands.contacts_given import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dialer.people.history import Happening
    from dialer.ports import Tx


def history(
    contact: Annotated[str, typer.Argument(help="Phone number or id.")],
    json_: Json = False,
) -> None:
    """One time line of a person: added, enrolled, called, listed, edited; the newest last."""
    from dialer.commands.session import reading, settings_of
    from dialer.people import contacts
    from dialer.people import history as contact_history

    region = settings_of().default_region

    async def use_case(tx: "Tx", _now: int) -> "tuple[str, Sequence[Happening]]":
        found = (await contacts.dossier(tx, contact, region)).contact
        return found["phone"], await contact_history.history(tx, found)

    phone, happenings = reading(use_case)
    if json_:
        emit(
            [
                {
                    "at": iso(each.at),
                    "kind": each.kind.value,
                    "text": each.text,
                    "campaign": each.campaign,
                    "attempt": each.attempt_id,
                }
                for each in happenings
            ]
        )
        return
    table(
        ["at", "what", "of it"],
        [(moment(each.at), each.kind.value, one_line(each.text)) for each in happenings],
        folds=True,
    )
    say(f"next:  dialer explain {phone}")
