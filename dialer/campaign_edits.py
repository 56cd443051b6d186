"""Changing campaigns that are there: edit, clone, archive, delete.

What is edited while a campaign runs goes for the next call on: the claim compares the revision of
the plan it was made with.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dialer import audit_log, campaigns, numbers
from dialer.campaigns import NewCampaign
from dialer.errors import NotFoundError, UsageError, WrongStateError
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
    if not planned.changed:
        return planned
    campaign_id = planned.campaign["id"]
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
    was, became = campaigns.audited(planned.before), campaigns.audited(planned.after)
    await audit_log.record(
        tx,
        "campaign.edit",
        planned.campaign["name"],
        now,
        before={field: was[field] for field in planned.changed},
        after={field: became[field] for field in planned.changed},
    )
    return planned


async def exclude_number(
    tx: Tx, phone: str, region: str, campaign: str | None, now: int
) -> tuple[Row, Sequence[str]]:
    """Take a number out of a campaign, or out of all that have it; returns the campaigns' names.

    Raises UsageError for a campaign that would have none left, NotFoundError for one that has not
    got it.
    """
    row = await numbers.find(tx, phone, region)
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
    for each in serving:
        settings = await settings_of(tx, await campaigns.find(tx, each["name"]))
        left = [pair for pair in settings.numbers if pair[0] != row["id"]]
        if not left:
            raise UsageError(
                f"campaign {each['name']!r} would have no number to call from",
                next_step=f"dialer campaign edit {each['name']!r} --set numbers=+15551234567",
            )
        await edit(tx, each["name"], {"numbers": left}, now)
    return row, [each["name"] for each in serving]


async def clone(
    tx: Tx, name: str, new_name: str | None, states: Collection[MemberState], now: int
) -> tuple[Row, int]:
    """Make a draft with the settings of a campaign, and its members in *states* as new ones.

    Returns the draft and how many members it has. Without a name it is called ``NAME (2)``.
    """
    original = await campaigns.find(tx, name)
    free = new_name or await _free_name(tx, original["name"])
    settings = replace(await settings_of(tx, original), name=free, start_at=None)
    campaign_id = await campaigns.create(tx, settings, now)
    members = 0
    for state in states:
        members += await tx.run(
            "clone_members",
            campaign_id=campaign_id,
            original_id=original["id"],
            was=state,
            state=MemberState.PENDING,
            now=now,
        )
    after = {"original": original["name"], "members": members}
    await audit_log.record(tx, "campaign.clone", free, now, after=after)
    return await campaigns.find(tx, free), members


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


async def delete(tx: Tx, name: str, now: int) -> Traces:
    """Delete a campaign that never called anybody; its contacts stay.

    Raises WrongStateError for one that has attempts, which are evidence, for one that runs, and
    for one that people have asked not to be called for.
    """
    await tx.value("hold_campaign", campaign_id=(await campaigns.find(tx, name))["id"])
    row, found = await traces(tx, name)
    _check_deletable(row, found)
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
    before = {"id": row["id"], "status": row["status"], "members": found.members}
    await audit_log.record(tx, "campaign.delete", row["name"], now, before=before)
    return found


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
