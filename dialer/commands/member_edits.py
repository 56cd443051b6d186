"""`dialer contacts retry`, `skip`, `remove` and `priority`: members of a campaign, by name."""

from typing import Annotated

import typer

from dialer.commands.console import confirm, counted, iso, moment
from dialer.commands.contacts_given import (
    Campaign,
    Contacts,
    DryRun,
    Json,
    Partial,
    Yes,
    some_words,
    words,
)
from dialer.commands.member_acts import (
    Act,
    Chosen,
    looked_at,
    members_ended,
    members_named,
    perform,
)
from dialer.errors import UsageError


def priority(
    given: Annotated[
        list[str], typer.Argument(metavar="CONTACT... high|normal|low", help="Who, and which.")
    ],
    campaign: Campaign,
    partial: Partial = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Call some people of a campaign before others, or after them."""
    from dialer.commands.parsing import choice
    from dialer.people import member_edits
    from dialer.people.person import Priority

    *contacts, last = given
    rank = choice("priority", last, Priority)
    names = some_words(contacts)
    act = Act(
        lambda member: member_edits.why_not_preferred(member, rank),
        lambda tx, of, ids, now: member_edits.prioritise(tx, of, ids, rank, now),
        f"priority {rank} now",
        f"dialer contacts list -c {campaign!r}",
    )
    chosen = members_named(names, campaign, partial=partial)
    found = looked_at(act, chosen)
    facts = {"priority": rank.value}
    perform(act, chosen, found, dry_run=dry_run, as_json=json_, facts=facts)


def skip(
    campaign: Campaign,
    given: Contacts = None,
    reason: Annotated[
        str, typer.Option(help="Why, in small letters joined by dashes: moved, asked-by-mail.")
    ] = "",
    partial: Partial = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Call people no more for a campaign; those who are being called are left alone.

    Their members fail as `skipped`, and what was done so far stays on record.
    """
    from dialer.people import member_edits

    names, why = some_words(given), _label(reason)
    act = Act(
        member_edits.why_not_skipped,
        lambda tx, of, ids, now: member_edits.skip(tx, of, ids, why, now),
        "skipped: no call for this campaign",
        f"to take it back: dialer contacts retry CONTACT -c {campaign!r} --reason skipped",
    )
    chosen = members_named(names, campaign, partial=partial)
    perform(act, chosen, looked_at(act, chosen), dry_run=dry_run, as_json=json_)


def retry(
    campaign: Campaign,
    given: Contacts = None,
    at: Annotated[
        str | None, typer.Option(help="Not before this time, as in 2026-03-02T09:00:00+01:00.")
    ] = None,
    all_failed: Annotated[
        bool, typer.Option("--all-failed", help="Everybody who failed and may be called again.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Those who failed for it: attempts_exhausted, skipped, …")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Those whose last call ended so: no_answer, machine, …")
    ] = None,
    partial: Partial = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Call people once more who are done or have failed; caps and windows hold as ever.

    A completed campaign becomes active again. Nobody is called who is on the do-not-call list;
    those whose number is invalid, or who failed for another such reason, when --reason names it.
    """
    from dialer.commands.parsing import choice, instant
    from dialer.commands.session import settings_of
    from dialer.model import FailReason
    from dialer.people import contacts, member_edits
    from dialer.people.member_edits import Again
    from retries.outcome import Outcome

    names = words(given)
    said = None if reason is None else choice("reason", reason, FailReason)
    ended = None if outcome is None else choice("outcome", outcome, Outcome)
    due_at = None if at is None else instant(at)
    selects = all_failed or said is not None or ended is not None
    if names and (all_failed or ended):
        raise UsageError("name the contacts, or say which with --all-failed or --outcome")
    if not names and not selects:
        raise UsageError("say which contacts: CONTACT…, --all-failed, --reason or --outcome")
    chosen = (
        members_named(names, campaign, partial=partial)
        if names
        else members_ended(campaign, all_failed=all_failed, reason=said, outcome=ended)
    )
    reasons = frozenset[FailReason]() if said is None else frozenset({said})
    if chosen.by_name:
        reasons |= {FailReason.SKIPPED}
    again = Again(due_at, reasons, settings_of().quarantine_s, reopen=True)
    act = Act(
        lambda member: member_edits.why_not_again(member, again.said),
        lambda tx, of, ids, now: member_edits.retry(tx, of, ids, again, now),
        f"waiting for another call{f', from {moment(due_at)} on' if due_at else ''}",
        f"dialer campaign status {chosen.campaign['name']!r}",
    )
    contacts.check_joinable(chosen.campaign, reopen=True)
    found = looked_at(act, chosen)
    _confirm_retry(chosen, found.changed, yes=yes or dry_run)
    facts = {"due_at": iso(due_at)}
    perform(act, chosen, found, dry_run=dry_run, as_json=json_, facts=facts)


def remove(
    given: Contacts = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Take them out of this campaign.")
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Forget them altogether: they were never dialed.")
    ] = False,
    partial: Partial = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Take people out of a campaign, or forget them, as long as nobody has dialed them.

    Whoever was dialed stays on record: `dialer contacts skip` ends their calls, and `dialer erase`
    takes a person's number out of everything.
    """
    from dialer.commands import forgetting
    from dialer.people import member_edits

    names = some_words(given)
    if everywhere == (campaign is not None):
        raise UsageError("say from where: --campaign NAME, or --everywhere")
    if campaign is None:
        forgetting.forget(names, partial=partial, yes=yes, dry_run=dry_run, as_json=json_)
        return
    act = Act(
        member_edits.why_not_removed,
        member_edits.remove,
        "taken out",
        f"dialer campaign status {campaign!r}",
    )
    chosen = members_named(names, campaign, partial=partial)
    found = looked_at(act, chosen)
    if found.changed:
        people = counted(found.changed, "person", "people")
        question = f"Take {people} out of campaign {chosen.campaign['name']!r}?"
        confirm(question, yes=yes or dry_run)
    perform(act, chosen, found, dry_run=dry_run, as_json=json_)


def _label(reason: str) -> str:
    """A reason as the audit log may keep it: a label, and nobody's name or number."""
    import re

    label = reason.strip()
    if label and not re.fullmatch(r"[a-z]+(-[a-z]+)*", label):
        raise UsageError(
            f"reason: {reason!r} is kept for ever; write a label of small letters and dashes,"
            " as in asked-by-mail"
        )
    return label


def _confirm_retry(chosen: Chosen, members: int, *, yes: bool) -> None:
    from dialer.states import CampaignStatus

    name = chosen.campaign["name"]
    if not members:
        return
    if CampaignStatus(chosen.campaign["status"]) is CampaignStatus.COMPLETED:
        people = counted(members, "person", "people")
        confirm(
            f"Campaign {name!r} is completed; it becomes active again and calls {people}. Go on?",
            yes=yes,
        )
    elif members > 1 or not chosen.by_name:
        confirm(f"Call {counted(members, 'person', 'people')} of {name!r} again?", yes=yes)
