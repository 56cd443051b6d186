"""Entries of the do-not-call list, as `dialer dnc` reads and tells them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dialer.commands.console import counted, iso, moment, one_line, table

if TYPE_CHECKING:
    from dialer.model import CampaignId
    from dialer.ports import Row, Tx

EVERY_CAMPAIGN: Final = "every campaign"


async def scope_of(tx: "Tx", campaign: str | None) -> tuple["CampaignId", str | None]:
    """The scope of entries for a campaign, and its name; without one that of every campaign."""
    from dialer import campaigns, do_not_call
    from dialer.model import CampaignId

    if campaign is None:
        return do_not_call.EVERYWHERE, None
    row = await campaigns.find(tx, campaign)
    return CampaignId(row["id"]), row["name"]


def show(rows: Sequence["Row"]) -> None:
    """Print entries as a table; nothing for none."""
    if not rows:
        return
    table(
        ["phone", "campaign", "since", "by", "note"],
        [
            [row["phone"], where(row), moment(row["created_at"]), row["source"],
             one_line(row["note"])]
            for row in rows
        ],
        spare=("by",),
    )  # fmt: skip


def entry_json(row: "Row") -> dict[str, Any]:
    """An entry as programs read it."""
    return {
        "phone": row["phone"],
        "campaign": row["campaign"],
        "source": row["source"],
        "note": row["note"],
        "created_at": iso(row["created_at"]),
    }


def where(row: "Row") -> str:
    """What an entry or an event holds for: one campaign or every one."""
    return str(row["campaign"] or EVERY_CAMPAIGN)


def names(rows: Sequence["Row"]) -> str:
    """All that *rows* hold for, in a sentence."""
    return " and ".join(
        repr(row["campaign"]) if row["campaign"] else EVERY_CAMPAIGN for row in rows
    )


def subject(numbers: Sequence[str], count: int) -> str:
    """The one number that was given, or so many of those that were, and what they do: be."""
    named = numbers[0] if len(numbers) == 1 else counted(count, "number")
    return f"{named} {'is' if count == 1 else 'are'}"
