"""All that has happened to one contact, on one time line.

It is put together from what is kept anyway: how the contact and its memberships came about, the
attempts and the news of them, the do-not-call list's memory, and what operators did, of which the
audit log has the contacts by id.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialer import do_not_call
from dialer.model import EventSource
from dialer.people.names import in_ranges
from dialer.ports import Row, Tx


class Kind(StrEnum):
    """What a line of the history tells of."""

    ADDED = "added"  # the contact became known
    ENROLLED = "enrolled"  # it became a campaign's member
    ATTEMPT = "attempt"  # a call of it was decided on
    NEWS = "news"  # the carrier told how a call went on
    ENDED = "ended"  # an attempt was over
    DO_NOT_CALL = "do_not_call"  # of the do-not-call list
    ACT = "act"  # an operator did something to it by name


#: Of two lines at one instant the earlier kind comes first.
_ORDER: Final = {kind: at for at, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Happening:
    """One line: when (UTC ms), what, and in words."""

    at: int
    kind: Kind
    text: str
    campaign: str | None = None
    attempt_id: str | None = None


async def history(tx: Tx, contact: Row) -> Sequence[Happening]:
    """The time line of a contact (a row of the table), newest last."""
    contact_id = contact["id"]
    told = [
        *await _arrivals(tx, contact_id),
        *_attempts(await tx.rows("attempts_at_contact", contact_id=contact_id)),
        *map(_news, await tx.rows("news_of_contact", contact_id=contact_id)),
        *map(_listing, await do_not_call.history_of(tx, contact["phone"])),
        *_acts(await tx.rows("contact_acts", since_at=contact["created_at"]), contact_id),
    ]
    return sorted(told, key=lambda each: (each.at, _ORDER[each.kind]))


async def _arrivals(tx: Tx, contact_id: int) -> list[Happening]:
    arrival = await tx.row("arrival_of", contact_id=contact_id)
    assert arrival is not None, "the contact was found"
    enrolments = await tx.rows("enrolments_of", contact_id=contact_id)
    added = Happening(arrival["created_at"], Kind.ADDED, _brought("added", arrival["file_name"]))
    return [
        added,
        *(
            Happening(
                row["created_at"],
                Kind.ENROLLED,
                _brought(f"became a member of {row['campaign']!r}", row["file_name"]),
                row["campaign"],
            )
            for row in enrolments
        ),
    ]


def _brought(what: str, file_name: str | None) -> str:
    return f"{what}, imported from {file_name}" if file_name else what


def _attempts(rows: Sequence[Row]) -> Iterator[Happening]:
    for row in rows:
        about = (row["campaign"], row["id"])
        begun = f"call from {row['from_']} for {row['campaign']!r}"
        yield Happening(row["intent_at"], Kind.ATTEMPT, begun, *about)
        if row["ended_at"] is not None or row["outcome"] is not None:
            end = row["outcome"] or row["state"]
            lasted = f" after {row['duration_s']} s" if row["duration_s"] else ""
            detail = f": {row['detail']}" if row["detail"] else ""
            ended_at = row["ended_at"] or row["intent_at"]
            yield Happening(ended_at, Kind.ENDED, f"{end}{lasted}{detail}", *about)
        elif row["detail"]:
            said = f"{row['state']}: {row['detail']}"
            yield Happening(row["intent_at"], Kind.ENDED, said, *about)


def _news(row: Row) -> Happening:
    word = row["status"] or (f"answered by {row['answered_by']}" if row["answered_by"] else "")
    if row["source"] == EventSource.LEFT:
        word = "a message was spoken to its end"
    sip = f", SIP {row['sip_code']}" if row["sip_code"] else ""
    text = f"{row['source']}: {word}{sip}"
    return Happening(row["at"], Kind.NEWS, text, row["campaign"], row["attempt_id"])


def _listing(row: Row) -> Happening:
    where = row["campaign"] or "every campaign"
    detail = f": {row['detail']}" if row["detail"] else ""
    text = f"do-not-call list, {row['event']} for {where}{detail}"
    return Happening(row["at"], Kind.DO_NOT_CALL, text, row["campaign"])


def _acts(rows: Sequence[Row], contact_id: int) -> Iterator[Happening]:
    for row in rows:
        after = json.loads(row["after"])
        if in_ranges(contact_id, after["contact_ids"]):
            yield Happening(row["at"], Kind.ACT, f"{row['action']} by {row['actor']}{_why(after)}")


def _why(after: dict[str, object]) -> str:
    """What an entry says beside whom it was done to."""
    fields = after.get("fields")
    if isinstance(fields, list):
        return f": {', '.join(map(str, fields))}"
    told = [str(after[name]) for name in ("why", "priority") if after.get(name)]
    return f": {', '.join(told)}" if told else ""
