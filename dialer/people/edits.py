"""Changing what is known of a contact: fields, tags, the number itself; and forgetting one.

A contact is one phone number, and calls hang on it: what was called, who asked not to be, who is
erased. So a number changes, and a contact goes, only as long as nobody was ever called at it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dialer import audit_log, do_not_call
from dialer.erased import PREFIX, ErasedPhones
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.people.names import id_ranges
from dialer.places import place_of
from dialer.ports import Row, Tx
from dialer.timezones import zone

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

EDIT: Final = "contacts.edit"
TAG: Final = "contacts.tag"
DELETE: Final = "contacts.delete"
#: What an edit may change, as operators name it.
FIELDS: Final = ("phone", "name", "email", "zone", "language", "variables")


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be known of a contact from now on; None leaves a field as it is.

    An empty text takes away what was known; of *zone* that leaves the zone of the number.
    """

    phone: str | None = None  # E.164
    name: str | None = None
    email: str | None = None
    zone: str | None = None
    language: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)  # an empty value removes one

    def check(self) -> None:
        """Raise UsageError for a zone or a variable's name that cannot be."""
        if self.zone:
            zone(self.zone)
        if any(not name.strip() for name in self.variables):
            raise UsageError("a variable needs a name: write --var KEY=VALUE")


@dataclass(frozen=True, slots=True)
class Edited:
    """A contact's fields before and after, and how many members it has moved to another place."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    place: str  # where the callee may be, afterwards
    members_moved: int = 0

    @property
    def changed(self) -> Sequence[str]:
        """The names of the fields that are not as they were."""
        return [name for name in FIELDS if self.before[name] != self.after[name]]


def edited(contact: Row, edit: Edit) -> Edited:
    """What *edit* makes of a contact; raises UsageError for values that cannot be."""
    edit.check()
    before = {name: contact[name] for name in FIELDS} | {
        "variables": json.loads(contact["variables"])
    }
    merged = {**before["variables"], **edit.variables}
    after: dict[str, Any] = {
        "phone": edit.phone or before["phone"],
        "name": before["name"] if edit.name is None else edit.name.strip(),
        "email": before["email"] if edit.email is None else edit.email.strip(),
        "zone": before["zone"] if edit.zone is None else edit.zone or None,
        "language": before["language"] if edit.language is None else edit.language or None,
        "variables": {name: value for name, value in merged.items() if value != ""}
        if edit.variables
        else before["variables"],
    }
    return Edited(before, after, place_of(after["phone"], after["zone"]).key)


async def look(tx: Tx, contact_id: int, edit: Edit, erased: ErasedPhones) -> Edited:
    """What :func:`change` would do, with the same refusals."""
    contact = await _contact(tx, contact_id)
    done = edited(contact, edit)
    if "phone" in done.changed:
        await _check_number(tx, contact, done.after["phone"], erased)
    return done


async def change(tx: Tx, contact_id: int, edit: Edit, erased: ErasedPhones, now: int) -> Edited:
    """Change a contact; its members go to the place where it may be now.

    A call that is being made goes on. Raises WrongStateError for an erased contact; for a new
    number that is taken or was erased; and for another number of somebody who was called, or who
    asked not to be.
    """
    if edit.phone is not None:
        # Whoever holds this row may claim: nobody is dialed by the old number meanwhile.
        await tx.row("account_lane")
    await tx.value("hold_contacts")
    await tx.rows("hold_members_of_contact", contact_id=contact_id)
    done = await look(tx, contact_id, edit, erased)
    if not done.changed:
        return done
    await tx.run(
        "edit_contact",
        **{**done.after, "variables": _encode(done.after["variables"])},
        place=done.place,
        contact_id=contact_id,
        now=now,
    )
    moved = await tx.run(
        "move_members_of_contact", contact_id=contact_id, place=done.place, now=now
    )
    await tx.run("bump_revision")
    # What is told of a person must stay erasable: the log says that it was, and not what.
    after = {
        "contact_ids": id_ranges([contact_id]),
        "fields": list(done.changed),
        "members_moved": moved,
    }
    await audit_log.record(tx, EDIT, done.after["phone"], now, after=after)
    return Edited(done.before, done.after, done.place, moved)


@dataclass(frozen=True, slots=True)
class Tags:
    """Labels to put on contacts, and to take off."""

    add: Sequence[str] = ()
    remove: Sequence[str] = ()

    def check(self) -> None:
        """Raise UsageError when there is nothing to do, or for a label that cannot be."""
        if not self.add and not self.remove:
            raise UsageError("say which tags: --add TAG, --remove TAG")
        both = sorted(set(self.add) & set(self.remove))
        if both:
            raise UsageError(f"the tag {both[0]!r} cannot be both added and removed")
        if any(not tag.strip() for tag in (*self.add, *self.remove)):
            raise UsageError("a tag needs a letter in it")

    def applied(self, tags: Sequence[str]) -> list[str]:
        """*tags* without what goes and with what comes, each once, in the order they had."""
        kept = [tag for tag in tags if tag not in self.remove]
        return list(dict.fromkeys([*kept, *self.add]))


async def tags_to_change(tx: Tx, ids: Sequence[int], tags: Tags) -> list[tuple[int, str, str]]:
    """The contacts of *ids* that would have other tags: id, the tags stored, those they get."""
    tags.check()
    rows = await tx.rows("contacts_by_id", ids=json.dumps(ids))
    wanted = [
        (row["id"], row["tags"], _encode(tags.applied(json.loads(row["tags"]))))
        for row in rows
        if not row["phone"].startswith(PREFIX)
    ]
    return [each for each in wanted if json.loads(each[1]) != json.loads(each[2])]


async def tag(tx: Tx, ids: Sequence[int], tags: Tags, now: int) -> int:
    """Put tags on the contacts of *ids*, and take others off; returns how many have changed."""
    await tx.value("hold_contacts")
    wanted = await tags_to_change(tx, ids, tags)
    if not wanted:
        return 0
    await tx.many(
        "tag_contacts",
        [
            {"contact_id": contact_id, "said": said, "tags": new, "now": now}
            for contact_id, said, new in wanted
        ],
    )
    changed = [contact_id for contact_id, _, _ in wanted]
    # A label may say something of a person: the log says how many came and went.
    after = {
        "contacts": len(changed),
        "contact_ids": id_ranges(changed),
        "added": len(tags.add),
        "removed": len(tags.remove),
    }
    await audit_log.record(tx, TAG, f"{len(changed)} contacts", now, after=after)
    return len(changed)


async def check_deletable(tx: Tx, contact_id: int) -> Row:
    """The contact, if nobody was ever called at it; raises WrongStateError otherwise."""
    contact = await _contact(tx, contact_id)
    await _refuse_dialed(tx, contact, "its calls stay on record", "dialer erase {phone}")
    return contact


async def delete(tx: Tx, contact_id: int, now: int) -> int:
    """Forget a contact that was never dialed; returns how many campaigns it was in.

    Raises WrongStateError for one that was dialed. What the do-not-call list says of the number
    stays.
    """
    await tx.value("hold_contacts")
    members = await tx.rows("hold_members_of_contact", contact_id=contact_id)
    contact = await check_deletable(tx, contact_id)
    await tx.many("take_out_members", [{"member_id": each["id"]} for each in members])
    if not await tx.run("forget_contact", contact_id=contact_id):
        raise WrongStateError(f"{contact['phone']} is being dialed at this moment; look again")
    await tx.run("bump_revision")
    before = {"contact_ids": id_ranges([contact_id]), "members": len(members)}
    await audit_log.record(tx, DELETE, contact["phone"], now, before=before)
    return len(members)


async def ids_of(tx: Tx, campaign_id: int | None = None, state: str = "") -> Sequence[int]:
    """Every contact, or those of a campaign's members, all of them or in one state."""
    rows = await tx.rows("contact_ids", campaign_id=campaign_id or 0, state=state)
    return [row["id"] for row in rows]


async def _contact(tx: Tx, contact_id: int) -> Row:
    contact = await tx.row("contact_by_id", contact_id=contact_id)
    if contact is None:
        raise NotFoundError(f"there is no contact {contact_id}", next_step="dialer contacts list")
    if contact["phone"].startswith(PREFIX):
        raise WrongStateError(
            f"contact {contact_id} was erased: nothing is known of it, and nothing is to be"
        )
    return contact


async def _check_number(tx: Tx, contact: Row, new: str, erased: ErasedPhones) -> None:
    """Raise WrongStateError unless a contact may get the number *new*."""
    await erased.refuse(tx, [new])
    if await tx.row("contact_by_phone", phone=new) is not None:
        raise WrongStateError(
            f"{new} is a contact already", next_step=f"dialer contacts show {new}"
        )
    if await do_not_call.entries_of(tx, contact["phone"]):
        # Their wish was not about a number.
        raise WrongStateError(
            f"{contact['phone']} is on the do-not-call list: it gets no other number",
            next_step=f"dialer dnc check {contact['phone']}",
        )
    await _refuse_dialed(
        tx, contact, "the calls of a number stay with it", f"dialer contacts add {new}"
    )


async def _refuse_dialed(tx: Tx, contact: Row, why: str, cure: str) -> None:
    if await tx.value("dialed_member", contact_id=contact["id"]) is not None:
        phone = contact["phone"]
        raise WrongStateError(f"{phone} was dialed: {why}", next_step=cure.format(phone=phone))
