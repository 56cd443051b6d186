"""Doing something to members of a campaign: who it is for, in portions, and what came of it."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import typer

from dialer.commands.console import counted, emit, say
from dialer.commands.contacts_given import portions, resolved
from dialer.errors import ExitCode, NotFoundError, WrongStateError

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.model import CampaignId, FailReason
    from dialer.people.member_edits import Judged, Left, Rule
    from dialer.ports import Row, Tx
    from retries.outcome import Outcome

#: Of those who were left as they are so many are named.
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who an act is for: a campaign's members, by name or by what became of them."""

    campaign: "Row"
    ids: Sequence[int]
    by_name: bool
    partial: bool = False  # whoever is no member is left out
    unknown: Sequence[str] = ()


@dataclass(slots=True)
class Tally:
    """What became of all portions together."""

    changed: int = 0
    left: list[tuple["Row", "Left"]] = field(default_factory=list)
    strangers: int = 0  # contacts that are no members

    def add(self, judged: "Judged") -> None:
        """Count a portion."""
        self.changed += len(judged.changed)
        self.left += judged.left
        self.strangers += len(judged.strangers)


@dataclass(frozen=True, slots=True)
class Act:
    """One act: how its members are judged, how a portion of them is moved, what is said of it."""

    rule: "Rule"
    apply: Callable[["Tx", "CampaignId", Sequence[int], int], Awaitable["Judged"]]
    done: str  # as in "3 members …"
    next_step: str


# -- who it is for --------------------------------------------------------------------------------


def members_named(names: Sequence[str], campaign: str, *, partial: bool) -> Chosen:
    """The members who were named; raises NotFoundError for whoever is none, unless *partial*."""
    from dialer import campaigns
    from dialer.commands.session import reading, settings_of

    region = settings_of().default_region

    async def use_case(tx: "Tx", _now: int) -> Chosen:
        row = await campaigns.find(tx, campaign)
        named = await resolved(tx, names, region)
        ids = named.known(partial=partial)
        return Chosen(row, ids, True, partial, named.unknown)

    return reading(use_case)


def members_ended(
    campaign: str,
    *,
    all_failed: bool,
    reason: "FailReason | None",
    outcome: "Outcome | None",
) -> Chosen:
    """The members who came to such an end."""
    from dialer import campaigns
    from dialer.commands.session import reading
    from dialer.people import member_edits
    from dialer.states import MemberState

    state: MemberState | None = MemberState.FAILED if all_failed or reason else None

    async def use_case(tx: "Tx", _now: int) -> Chosen:
        row = await campaigns.find(tx, campaign)
        ids = await member_edits.finished(
            tx, row["id"], state=state, reason=reason, outcome=outcome
        )
        return Chosen(row, ids, False)

    return reading(use_case)


# -- doing it -------------------------------------------------------------------------------------


def looked_at(act: Act, chosen: Chosen) -> Tally:
    """What the act would do, as things stand; raises NotFoundError for named people who are no
    members.
    """
    from dialer.commands.session import reading
    from dialer.people import member_edits

    async def use_case(tx: "Tx", _now: int) -> Tally:
        tally = Tally()
        for portion in portions(chosen.ids):
            judged = await member_edits.look(tx, chosen.campaign["id"], portion, act.rule)
            tally.add(judged)
            if judged.strangers and not chosen.partial:
                await _refuse_stranger(tx, judged.strangers, chosen.campaign["name"])
        return tally

    return reading(use_case)


async def _refuse_stranger(tx: "Tx", strangers: Sequence[int], campaign: str) -> None:
    row = await tx.row("contact_by_id", contact_id=strangers[0])
    phone = row["phone"] if row is not None else strangers[0]
    more = f", nor {'is' if len(strangers) == 2 else 'are'} {counted(len(strangers) - 1, 'other')}"
    raise NotFoundError(
        f"{phone} is not in campaign {campaign!r}{more if len(strangers) > 1 else ''};"
        " nothing was done",
        next_step=f"dialer contacts show {phone}",
    )


def perform(
    act: Act,
    chosen: Chosen,
    found: Tally,
    *,
    dry_run: bool,
    as_json: bool,
    facts: dict[str, Any] | None = None,
) -> None:
    """Do it in portions, unless *found*, what a look has told, will do; print what became of it and
    end with its exit code.
    """
    from dialer.commands.session import working

    async def use_case(desk: "Desk") -> Tally:
        return await in_portions(desk, act, chosen)

    tally = found if dry_run else working(use_case, create=False)
    _refuse_all_left(tally, chosen)
    if as_json:
        emit(_tally_json(tally, chosen, dry_run=dry_run) | (facts or {}))
    else:
        _say_tally(tally, chosen, act, dry_run=dry_run)
    if chosen.by_name and (_unwilling(tally) or chosen.unknown or tally.strangers):
        raise typer.Exit(ExitCode.PARTLY)


async def in_portions(desk: "Desk", act: Act, chosen: Chosen) -> Tally:
    """Do it, a transaction for each portion; whoever stops it is told how far it came."""
    import asyncio

    tally = Tally()
    try:
        for portion in portions(chosen.ids):
            async with desk.database.write() as tx:
                tally.add(await act.apply(tx, chosen.campaign["id"], portion, desk.clock.now()))
    except asyncio.CancelledError:
        done = counted(tally.changed, "member")
        say(f"stopped: {done} of {chosen.campaign['name']!r} done; ask again for the others")
        raise
    return tally


def _unwilling(tally: Tally) -> list[tuple["Row", "Left"]]:
    """Those who are not as they were to be."""
    from dialer.people.member_edits import Left

    return [(row, left) for row, left in tally.left if left is not Left.SAME]


def _refuse_all_left(tally: Tally, chosen: Chosen) -> None:
    """Raise WrongStateError when people were named and none of them could be changed."""
    unwilling = _unwilling(tally)
    if not chosen.by_name or tally.changed or not unwilling or len(unwilling) < len(tally.left):
        return
    member, left = unwilling[0]
    others = f" ({counted(len(unwilling) - 1, 'other')} likewise)" if len(unwilling) > 1 else ""
    raise WrongStateError(
        f"{member['phone']} {_why(member, left)}{others}; nothing was done",
        next_step=_cure(member, left, chosen.campaign["name"]),
    )


def _why(member: "Row", left: "Left") -> str:
    from dialer.people.member_edits import Left

    return {
        Left.IN_CALL: "is being called, or was a moment ago and may call back",
        Left.BUSY: "is being worked on at this moment; ask again",
        Left.WAITING: "waits for a call already",
        Left.FINISHED: f"is {member['state']} already",
        Left.DIALED: "was dialed, and the record of it stays",
        Left.DO_NOT_CALL: "is on the do-not-call list",
        Left.ERASED: "was erased",
        Left.UNLESS_SAID: f"failed as {member['reason']}",
        Left.SKIPPED: "was skipped by name",
        Left.SAME: "is so already",
    }[left]


def _cure(member: "Row", left: "Left", campaign: str) -> str | None:
    from dialer.people.member_edits import Left

    phone = member["phone"]
    return {
        Left.IN_CALL: f"dialer explain {phone}",
        Left.WAITING: f"dialer explain {phone}",
        Left.FINISHED: f"dialer contacts show {phone}",
        Left.DIALED: f"dialer contacts skip {phone} -c {campaign!r}",
        Left.DO_NOT_CALL: f"dialer dnc check {phone}",
        Left.UNLESS_SAID: (
            f"dialer contacts retry {phone} -c {campaign!r} --reason {member['reason']}"
        ),
    }.get(left)


def _tally_json(tally: Tally, chosen: Chosen, *, dry_run: bool) -> dict[str, Any]:
    counts = Counter(left.value for _, left in tally.left)
    named = tally.left if chosen.by_name else ()
    return {
        "campaign": chosen.campaign["name"],
        "dry_run": dry_run,
        "changed": tally.changed,
        "left": dict(counts),
        "left_contacts": [
            {"id": row["contact_id"], "phone": row["phone"], "why": left.value}
            for row, left in named
        ],
        "not_members": tally.strangers,
        "unknown": list(chosen.unknown),
    }


def _say_tally(tally: Tally, chosen: Chosen, act: Act, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    say(f"{counted(tally.changed, 'member')} of {chosen.campaign['name']!r}: {would}{act.done}")
    if chosen.by_name:
        for row, left in tally.left[:_SHOWN]:
            say(f"{row['phone']} was left: it {_why(row, left)}")
        if len(tally.left) > _SHOWN:
            say(f"… and {counted(len(tally.left) - _SHOWN, 'other')}")
    else:
        for left, count in Counter(left for _, left in tally.left).most_common():
            say(f"{counted(count, 'member')} left as they are: {left}")
    if tally.strangers:
        say(f"{counted(tally.strangers, 'contact')} left out: not in the campaign")
    if chosen.unknown:
        names = ", ".join(chosen.unknown[:_SHOWN])
        say(f"{counted(len(chosen.unknown), 'name')} left out: nobody is known as {names}")
    if dry_run:
        say("nothing was changed")
    elif tally.changed:
        say(f"next:  {act.next_step}")
