"""Contacts and their memberships: who is known, and who is to be called for a campaign.

A contact is one phone number. Telling of it again adds what was not known and replaces what was;
what is left empty stays as it is. So the same list may be brought in any number of times.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from dialer import audit_log, campaigns, plans
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
    """What a list of people, each number once, changes: the new, the changed and the same."""

    added: Sequence[NewContact]
    updated: Sequence[Mapping[str, Any]]
    same: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A campaign to make people members of; *priority* is for those who state none."""

    campaign_id: CampaignId
    priority: Priority = Priority.NORMAL
    reopen: bool = False  # a completed campaign becomes active again


async def known_of(tx: Tx, people: Sequence[Listed]) -> Mapping[str, Row]:
    """What is stored of those of *people* who are contacts, by phone number."""
    phones = encode([person.phone for person in people])
    return {row["phone"]: row for row in await tx.rows("contacts_by_phone", phones=phones)}


def changes(
    people: Sequence[Listed],
    known: Mapping[str, Row],
    now: int,
    retelling: Retelling = _MERGE,
    import_id: int | None = None,
) -> Changes:
    """What :func:`put_listed` would do; those who are *known* may be more than *people*."""
    added, updated, same = [], [], 0
    for person in people:
        row = known.get(person.phone)
        if row is None:
            added.append(new_contact(person, now, import_id))
        elif new := changed(row, person, retelling, now):
            updated.append(new)
        else:
            same += 1
    return Changes(added, updated, same)


async def put(tx: Tx, people: Sequence[Person], now: int) -> Changes:
    """Store *people*, each number once: new ones are added, known ones learn what is new."""
    await tx.value("hold_contacts")
    listed_people = [as_listed(person) for person in people]
    return await put_listed(tx, listed_people, await known_of(tx, listed_people), now)


async def put_listed(
    tx: Tx,
    people: Sequence[Listed],
    known: Mapping[str, Row],
    now: int,
    retelling: Retelling = _MERGE,
    import_id: int | None = None,
) -> Changes:
    """As :func:`put`, those who are known as *retelling* says; the import stays beside new ones.

    Contacts have been held since *known* was read.
    """
    found = changes(people, known, now, retelling, import_id)
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
    campaign = check_joinable(
        await tx.row("campaign_to_join", campaign_id=enrolment.campaign_id),
        reopen=enrolment.reopen,
    )
    usual = enrolment.priority.rank
    ranks = [(person.phone, usual if person.rank is None else person.rank) for person in people]
    added = await tx.run(
        "add_members",
        campaign_id=enrolment.campaign_id,
        people=encode(ranks),
        state=MemberState.PENDING.value,
        import_id=import_id,
        now=now,
    )
    if added:
        if CampaignStatus(campaign["status"]) is CampaignStatus.COMPLETED:
            await campaigns.move(tx, campaign["name"], CampaignEvent.REOPEN, now)
        await tx.run("bump_revision")
    return added


def check_joinable(campaign: Row | None, *, reopen: bool) -> Row:
    """The campaign if it takes members, a completed one if it may reopen.

    Raises WrongStateError if it does not, NotFoundError when somebody has deleted it meanwhile.
    """
    if campaign is None:
        raise plans.gone()
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
    return campaign


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
