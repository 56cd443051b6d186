"""Contacts and their memberships: who is known, and who is to be called for a campaign.

A contact is one phone number. Telling of it again adds what was not known and replaces what was;
what is left empty stays as it is. So the same list may be brought in any number of times.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from dialer import audit_log, campaigns
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.model import CampaignId
from dialer.people.person import Person, Priority
from dialer.people.rows import (
    Listed,
    NewContact,
    Retelling,
    as_listed,
    changed,
    encode,
    new_contact,
)
from dialer.phones import PhoneError, e164
from dialer.ports import Row, Tx
from dialer.states import CampaignEvent, CampaignStatus, MemberState
from dialer.timezones import zone

_MERGE: Final = Retelling()
_NO_LIMIT: Final = 9_000_000_000


@dataclass(frozen=True, slots=True)
class Changes:
    """What a list of people, each number once, changes: the new, the changed and the same.

    *known* are the ids of those who were there before.
    """

    added: Sequence[NewContact]
    updated: Sequence[Mapping[str, Any]]
    same: int
    known: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A campaign to make people members of; *priority* is for those who state none."""

    campaign_id: CampaignId
    priority: Priority = Priority.NORMAL
    reopen: bool = False  # a completed campaign becomes active again


async def changes(
    tx: Tx,
    people: Sequence[Listed],
    now: int,
    retelling: Retelling = _MERGE,
    import_id: int | None = None,
) -> Changes:
    """What :func:`put_listed` would do."""
    phones = encode([person.phone for person in people])
    known = {row["phone"]: row for row in await tx.rows("contacts_by_phone", phones=phones)}
    added, updated, same = [], [], 0
    for person in people:
        row = known.get(person.phone)
        if row is None:
            added.append(new_contact(person, now, import_id))
        elif new := changed(row, person, retelling, now):
            updated.append(new)
        else:
            same += 1
    return Changes(added, updated, same, [row["id"] for row in known.values()])


async def put(tx: Tx, people: Sequence[Person], now: int) -> Changes:
    """Store *people*, each number once: new ones are added, known ones learn what is new."""
    return await put_listed(tx, [as_listed(person) for person in people], now)


async def put_listed(
    tx: Tx,
    people: Sequence[Listed],
    now: int,
    retelling: Retelling = _MERGE,
    import_id: int | None = None,
) -> Changes:
    """As :func:`put`, those who are known as *retelling* says; the import stays beside new ones."""
    await tx.value("hold_contacts")
    found = await changes(tx, people, now, retelling, import_id)
    await tx.many("add_contacts", found.added)
    await tx.many("update_contacts", found.updated)
    await tx.many("move_members_to_place", [row for row in found.updated if row["moved"]])
    return found


async def add(tx: Tx, person: Person, enrolment: Enrolment | None, now: int) -> tuple[Changes, int]:
    """Store one person and make them a member, if that is wanted; returns how many became one."""
    found = await put(tx, [person], now)
    members = await enrol(tx, [person], enrolment, now) if enrolment else 0
    if found.same == 0 or members:
        # What is told of a person must stay erasable: the log says that it was, and not what.
        after = {
            "added": len(found.added),
            "updated": len(found.updated),
            "campaign_id": enrolment.campaign_id if enrolment else None,
            "members_added": members,
        }
        await audit_log.record(tx, "contacts.add", person.phone, now, after=after)
    return found, members


async def newcomers(tx: Tx, campaign_id: CampaignId, people: Sequence[Listed]) -> int:
    """How many of *people* would become members."""
    phones = encode([person.phone for person in people])
    rows = await tx.rows("memberships_by_phone", campaign_id=campaign_id, phones=phones)
    return len(people) - sum(row["member_id"] is not None for row in rows)


async def enrol(tx: Tx, people: Sequence[Person], enrolment: Enrolment, now: int) -> int:
    """Make stored *people* members who wait for their call, in this order; returns how many were
    none before.

    Raises WrongStateError for a cancelled campaign, and for a completed one unless it may be
    reopened.
    """
    return await enrol_listed(tx, [as_listed(person) for person in people], enrolment, now)


async def enrol_listed(
    tx: Tx,
    people: Sequence[Listed],
    enrolment: Enrolment,
    now: int,
    import_id: int | None = None,
) -> int:
    """As :func:`enrol`; the import stays beside the new members."""
    campaign_id = enrolment.campaign_id
    phones = encode([person.phone for person in people])
    rows = await tx.rows("memberships_by_phone", campaign_id=campaign_id, phones=phones)
    missing = {row["phone"]: row for row in rows if row["member_id"] is None}
    await _admit(tx, enrolment, now, expected=len(missing))
    if not missing:
        return 0
    usual, pending = enrolment.priority.rank, MemberState.PENDING.value
    members = [
        NewMember(
            campaign_id,
            missing[person.phone]["id"],
            missing[person.phone]["place"],
            pending,
            usual if person.rank is None else person.rank,
            import_id,
            now,
        )
        for person in people
        if person.phone in missing
    ]
    await tx.many("add_members", members)
    await tx.run("bump_revision")
    return len(members)


class NewMember(NamedTuple):
    """The parameters of ``add_members``, in its order."""

    campaign_id: CampaignId
    contact_id: int
    window_key: str
    state: str
    priority: int
    import_id: int | None
    now: int


def check_joinable(campaign: Row, *, reopen: bool) -> None:
    """Raise WrongStateError unless a campaign takes members; a completed one if it may reopen."""
    status, name = CampaignStatus(campaign["status"]), campaign["name"]
    if status is CampaignStatus.CANCELLED:
        raise WrongStateError(
            f"campaign {name!r} is cancelled: nobody may be called for it any more",
            next_step="dialer campaign create NAME …",
        )
    if status is CampaignStatus.COMPLETED and not reopen:
        raise WrongStateError(
            f"campaign {name!r} is completed: new contacts would make it active again",
            next_step="say so: add --yes",
        )


async def _admit(tx: Tx, enrolment: Enrolment, now: int, *, expected: int) -> None:
    """See that the campaign takes members now, and reopen it for those who are *expected*."""
    row = await tx.row("campaign_to_join", campaign_id=enrolment.campaign_id)
    assert row is not None, "campaigns are not deleted"
    check_joinable(row, reopen=enrolment.reopen)
    if expected and CampaignStatus(row["status"]) is CampaignStatus.COMPLETED:
        await campaigns.move(tx, row["name"], CampaignEvent.REOPEN, now)


# -- reading --------------------------------------------------------------------------------------


async def listed(
    tx: Tx, campaign: str | None = None, state: MemberState | None = None, limit: int | None = None
) -> Sequence[Row]:
    """Contacts, oldest first; those of a campaign with their membership, all or in one state."""
    most = _NO_LIMIT if limit is None else limit
    if campaign is None:
        if state is not None:
            raise UsageError("a contact has a state in a campaign: add --campaign NAME")
        return await tx.rows("list_contacts", limit=most)
    campaign_id = (await campaigns.find(tx, campaign))["id"]
    if state is None:
        return await tx.rows("list_members", campaign_id=campaign_id, limit=most)
    return await tx.rows("list_members_in", campaign_id=campaign_id, state=state, limit=most)


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is known of one contact."""

    contact: Row
    memberships: Sequence[Row]
    attempts: Sequence[Row]


async def dossier(tx: Tx, phone_or_id: str, region: str) -> Dossier:
    """The contact of a phone number or an id, with its memberships and attempts."""
    contact = await _find(tx, phone_or_id, region)
    contact_id = contact["id"]
    return Dossier(
        contact,
        await tx.rows("memberships", contact_id=contact_id),
        await tx.rows("attempts_at_contact", contact_id=contact_id),
    )


async def _find(tx: Tx, phone_or_id: str, region: str) -> Row:
    phone = phone_or_id.strip()
    with suppress(PhoneError):  # it may be an id
        phone = e164(phone, region)
    found = await tx.row("contact_by_phone", phone=phone)
    if found is None and phone_or_id.isdecimal() and len(phone_or_id) < len(str(_NO_LIMIT)):
        found = await tx.row("contact_by_id", contact_id=int(phone_or_id))
    if found is None:
        raise NotFoundError(
            f"there is no contact {phone_or_id!r}", next_step="dialer contacts list"
        )
    return found


# -- what is stored -------------------------------------------------------------------------------


def checked(person: Person) -> Person:
    """*person* when its zone is one; raises UsageError otherwise."""
    if person.zone is not None:
        zone(person.zone)
    return person
