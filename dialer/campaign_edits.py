"""Changing campaigns that are there: edit, clone, archive, delete.

What is edited while a campaign runs goes for the next call on: the claim compares the revision of
the plan it was made with.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dialer import audit_log, campaigns, numbers
from dialer.campaigns import NewCampaign
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.importing import records as import_records
from dialer.ports import Row, Tx
from dialer.states import CampaignStatus, MemberState


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit makes of a campaign's settings."""

    campaign: Row  # as it was
    before: NewCampaign
    after: NewCampaign

    @property
    def changed(self) -> Sequence[str]:
        """The fields that are not what they were."""
        fields = NewCampaign.__dataclass_fields__
        return [name for name in fields if getattr(self.before, name) != getattr(self.after, name)]


@dataclass(frozen=True, slots=True)
class Cloned:
    """A draft made of another campaign, and who was taken over into it."""

    campaign: Row
    members: int
    left_out: Mapping[str, int]  # who may not be called, by reason; see ``members_not_cloned``


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went with a campaign."""

    members: int
    imports: Sequence[int]  # that were cut short, and cannot go on without it


@dataclass(frozen=True, slots=True)
class Traces:
    """What hangs on a campaign."""

    attempts: int
    listed: int  # do-not-call entries for it alone
    members: int


async def settings_of(tx: Tx, row: Row) -> NewCampaign:
    """The settings a campaign has now."""
    weights = await tx.rows("campaign_weights", campaign_id=row["id"])
    return campaigns.settings_from(row, [(each["number_id"], each["weight"]) for each in weights])


async def plan_edit(tx: Tx, name: str, changes: Mapping[str, Any]) -> Edit:
    """What *changes*, by the fields of NewCampaign, would make of a campaign.

    Raises UsageError for values out of bounds and for a name that is taken, WrongStateError for a
    campaign that is over for good.
    """
    row = await campaigns.find(tx, name)
    if CampaignStatus(row["status"]) is CampaignStatus.CANCELLED:
        raise WrongStateError(
            f"campaign {row['name']!r} is cancelled: nothing about it matters any more",
            next_step=f"dialer campaign clone {row['name']!r}",
        )
    before = await settings_of(tx, row)
    after = replace(before, **changes)
    after.check()
    namesake = await tx.row("campaign_by_name", name=after.name)
    if namesake is not None and namesake["id"] != row["id"]:
        raise UsageError(f"there is a campaign {after.name!r} already; choose another name")
    return Edit(row, before, after)


async def edit(tx: Tx, name: str, changes: Mapping[str, Any], now: int) -> Edit:
    """Make an edit; see :func:`plan_edit`. One that changes nothing leaves no trace."""
    await tx.value("hold_campaign", campaign_id=(await campaigns.find(tx, name))["id"])
    planned = await plan_edit(tx, name, changes)
    if planned.changed:
        await _make(tx, planned)
        await _record(tx, planned, now)
    return planned


async def _make(tx: Tx, planned: Edit) -> None:
    """Store an edit of a campaign that is held."""
    campaign_id, name = planned.campaign["id"], planned.campaign["name"]
    moved = await tx.run(
        "edit_campaign",
        campaign_id=campaign_id,
        revision=planned.campaign["revision"],
        **campaigns.columns_of(planned.after),
    )
    if not moved:
        raise WrongStateError(f"campaign {name!r} was changed by somebody else; look again")
    await _set_numbers(tx, campaign_id, planned)
    await tx.run("bump_revision")


async def _record(tx: Tx, planned: Edit, now: int) -> None:
    was, became = campaigns.audited(planned.before), campaigns.audited(planned.after)
    await audit_log.record(
        tx,
        "campaign.edit",
        planned.campaign["name"],
        now,
        before={field: was[field] for field in planned.changed},
        after={field: became[field] for field in planned.changed},
    )


async def exclude_number(
    tx: Tx, phone: str, region: str, campaign: str | None, now: int
) -> tuple[Row, Sequence[str]]:
    """Take a number out of a campaign, or out of all that have it; returns the campaigns' names.

    Raises UsageError for a campaign that would have none left, NotFoundError for one that has not
    got it.
    """
    row = await numbers.find(tx, phone, region)
    # All campaigns are held before the first is changed, in the order of their ids, and the log,
    # which everybody waits for, is written last: so no two operators wait for one another.
    for each in await tx.rows("campaigns_of_number", number_id=row["id"]):
        await tx.value("hold_campaign", campaign_id=each["id"])
    edits = [
        await plan_edit(tx, name, {"numbers": left})
        for name, left in await _without_number(tx, row, campaign)
    ]
    for made in edits:
        await _make(tx, made)
    for made in edits:
        await _record(tx, made, now)
    return row, [made.campaign["name"] for made in edits]


async def _without_number(
    tx: Tx, row: Row, campaign: str | None
) -> Sequence[tuple[str, Sequence[tuple[int, int]]]]:
    """The campaigns that are to call without a number, and the weighed numbers they are left."""
    serving = await tx.rows("campaigns_of_number", number_id=row["id"])
    if campaign is None:
        serving = [each for each in serving if each["status"] != CampaignStatus.CANCELLED]
    else:
        wanted = (await campaigns.find(tx, campaign))["id"]
        serving = [each for each in serving if each["id"] == wanted]
        if not serving:
            raise NotFoundError(
                f"campaign {campaign!r} does not call from {row['phone']}",
                next_step=f"dialer numbers show {row['phone']}",
            )
    found = []
    for each in serving:
        settings = await settings_of(tx, await campaigns.find(tx, each["name"]))
        left = [pair for pair in settings.numbers if pair[0] != row["id"]]
        if not left:
            raise UsageError(
                f"campaign {each['name']!r} would have no number to call from",
                next_step=f"dialer campaign edit {each['name']!r} --set numbers=+15551234567",
            )
        found.append((each["name"], left))
    return found


async def clone(
    tx: Tx, name: str, new_name: str | None, states: Collection[MemberState], now: int
) -> Cloned:
    """Make a draft with the settings of a campaign, and its members in *states* as new ones.

    Whoever a retry by hand would leave out unless the reason is named is left out, and so is
    whoever is on the original's do-not-call list: for the clone, nobody has asked them again.
    Without a name it is called ``NAME (2)``.
    """
    original = await campaigns.find(tx, name)
    free = new_name or await _free_name(tx, original["name"])
    settings = replace(await settings_of(tx, original), name=free, start_at=None)
    campaign_id = await campaigns.create(tx, settings, now)
    members, left_out = 0, Counter[str]()
    for state in states:
        key = {"original_id": original["id"], "was": state}
        members += await tx.run(
            "clone_members", campaign_id=campaign_id, state=MemberState.PENDING, now=now, **key
        )
        for row in await tx.rows("members_not_cloned", **key):
            left_out[row["why"]] += row["members"]
    after = {"original": original["name"], "members": members, "left_out": left_out}
    await audit_log.record(tx, "campaign.clone", free, now, after=after)
    return Cloned(await campaigns.find(tx, free), members, left_out)


async def archive(tx: Tx, name: str, now: int) -> Row:
    """Take a campaign that does not call out of the lists; nothing is lost."""
    row = await campaigns.find(tx, name)
    status = CampaignStatus(row["status"])
    if status in (CampaignStatus.ACTIVE, CampaignStatus.PAUSED):
        raise WrongStateError(
            f"campaign {row['name']!r} is {status}: only drafts and campaigns that are over can"
            " be archived",
            next_step=f"dialer campaign complete {row['name']!r}",
        )
    return await _set_archived(tx, row, now, now)


async def restore(tx: Tx, name: str, now: int) -> Row:
    """Put an archived campaign back into the lists; one that is there stays there."""
    return await _set_archived(tx, await campaigns.find(tx, name), None, now)


async def traces(tx: Tx, name: str) -> tuple[Row, Traces]:
    """A campaign and what hangs on it."""
    row = await campaigns.find(tx, name)
    found = await tx.row("campaign_traces", campaign_id=row["id"])
    assert found is not None, "it is counted, so there is one row"
    return row, Traces(found["attempts"], found["listed"], found["members"])


async def delete(tx: Tx, name: str, now: int) -> Deleted:
    """Delete a campaign that never called anybody; its contacts stay.

    Raises WrongStateError for one that has attempts, which are evidence, for one that runs, for
    one that people have asked not to be called for, and while a list is brought into it.
    """
    await tx.value("hold_campaign", campaign_id=(await campaigns.find(tx, name))["id"])
    row, found = await traces(tx, name)
    _check_deletable(row, found)
    running, cut_short = await import_records.under_way(tx, row["id"], now)
    if running:
        raise WrongStateError(
            f"import {running[0]['id']} is bringing a list into campaign {row['name']!r}: it cannot"
            " be deleted",
            next_step=f"dialer jobs cancel {running[0]['job_id']}",
        )
    for query in (
        "delete_members",
        "delete_waits",
        "delete_campaign_numbers",
        "forget_imports_campaign",
        "forget_dnc_campaign",
        "delete_campaign",
    ):
        await tx.run(query, campaign_id=row["id"])
    await tx.run("bump_revision")
    gone = Deleted(found.members, [each["id"] for each in cut_short])
    before = {"id": row["id"], "status": row["status"], **asdict(gone)}
    await audit_log.record(tx, "campaign.delete", row["name"], now, before=before)
    return gone


def _check_deletable(row: Row, found: Traces) -> None:
    name, status = row["name"], CampaignStatus(row["status"])
    if status in (CampaignStatus.ACTIVE, CampaignStatus.PAUSED):
        raise WrongStateError(
            f"campaign {name!r} is {status}: it cannot be deleted",
            next_step=f"dialer campaign cancel {name!r}",
        )
    if found.attempts:
        raise WrongStateError(
            f"campaign {name!r} has made {found.attempts:,} attempts, which must stay known:"
            " it cannot be deleted",
            next_step=f"dialer campaign archive {name!r}",
        )
    if found.listed:
        raise WrongStateError(
            f"campaign {name!r} has {found.listed:,} do-not-call entries: it cannot be deleted",
            next_step=f"dialer campaign archive {name!r}",
        )


async def _set_archived(tx: Tx, row: Row, archived_at: int | None, now: int) -> Row:
    if (row["archived_at"] is None) == (archived_at is None):
        return row
    await tx.run("archive_campaign", campaign_id=row["id"], archived_at=archived_at)
    action = "campaign.restore" if archived_at is None else "campaign.archive"
    await audit_log.record(tx, action, row["name"], now, after={"archived_at": archived_at})
    return await campaigns.find(tx, row["name"])


async def _set_numbers(tx: Tx, campaign_id: int, planned: Edit) -> None:
    """Give the campaign the numbers it is to have; those it keeps keep their turns."""
    before, after = dict(planned.before.numbers), dict(planned.after.numbers)
    key = {"campaign_id": campaign_id}
    gone = [{**key, "number_id": number_id} for number_id in before if number_id not in after]
    await tx.many("drop_campaign_number", gone)
    weighed = [
        {**key, "number_id": number_id, "weight": weight}
        for number_id, weight in after.items()
        if before.get(number_id) != weight
    ]
    await tx.many("weigh_campaign_number", weighed)


async def _free_name(tx: Tx, name: str) -> str:
    taken = {row["name"] for row in await tx.rows("campaign_names")}
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
