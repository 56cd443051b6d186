"""`dialer campaign list`: a line for each campaign, and what the daemon is doing below them."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dialer.commands.console import emit, iso, say, table

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.commands.words import Clock
    from dialer.overview import CampaignOverview
    from dialer.standing import Standing

EXAMPLE: Final = "Example: dialer campaign list --json"
COLUMNS: Final = ("id", "name", "status", "hours", "done/all", "human", "now")
MS: Final = 1000


def list_(
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones, too.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """All campaigns, with how far they are and what they are doing now."""
    from dialer.commands.brake import say_held
    from dialer.commands.session import working

    stands = working(look, create=False)
    campaigns = [each for each in stands.campaigns if archived or each.archived_at is None]
    if json_:
        emit([as_json(each) for each in campaigns])
        return
    if not campaigns:
        say("no campaigns yet; make one: dialer campaign create NAME --number … --say …")
    print_campaigns(stands, campaigns)
    say_held(stands.held)
    say(footer(stands))


async def look(desk: "Desk") -> "Standing":
    """How the deployment stands at this moment."""
    from dialer.bounds import account_limits
    from dialer.holiday_calendars import public_holidays
    from dialer.standing import standing

    async with desk.database.read() as tx:
        account = account_limits(desk.settings)
        return await standing(tx, desk.clock.now(), public_holidays, account)


def print_campaigns(stands: "Standing", campaigns: "Sequence[CampaignOverview]") -> None:
    """A table: with glyphs on a terminal, with words alone for programs."""
    from dialer.commands.showing import plain_glyphs, zone_of_times
    from dialer.commands.words import STATUS, Clock

    def badge(campaign: "CampaignOverview") -> str:
        if not sys.stdout.isatty():
            return campaign.status
        return f"{STATUS[campaign.status].drawn(plain=plain_glyphs())} {campaign.status}"

    clock = Clock(stands.at, zone_of_times())
    *columns, now = COLUMNS
    rows = [row(each, stands, clock, badge) for each in campaigns]
    table([*columns, f"{now} ({clock.zone_name()})"], rows, spare=("human", "hours"))


def row(
    campaign: "CampaignOverview",
    stands: "Standing",
    clock: "Clock",
    badge: "Callable[[CampaignOverview], str]",
) -> list[object]:
    """What the columns say of a campaign."""
    from dialer.commands import words
    from dialer.commands.console import one_line

    return [
        campaign.id,
        one_line(campaign.name),
        badge(campaign),
        words.UNKNOWN if campaign.over else words.hours(campaign.hours_now, clock, city=True),
        f"{campaign.done:,}/{campaign.contacts:,}",
        words.rate(campaign.calls, campaign.humans),
        one_line(now_words(campaign, stands, clock)),
    ]


def now_words(campaign: "CampaignOverview", stands: "Standing", clock: "Clock") -> str:
    """What a campaign is doing, or what it waits for."""
    from dialer.states import CampaignStatus

    match campaign.status:
        case CampaignStatus.DRAFT:
            return "not started"
        case CampaignStatus.PAUSED:
            return _paused(campaign, stands.at)
        case CampaignStatus.ACTIVE:
            return _active(campaign, stands, clock)
        case CampaignStatus.COMPLETED | CampaignStatus.CANCELLED:
            return clock.short(campaign.ended_at) if campaign.ended_at is not None else ""


def _paused(campaign: "CampaignOverview", now: int) -> str:
    from dialer.commands import words

    since = campaign.paused_at
    by = [campaign.paused_by] if campaign.paused_by else []
    ago = [f"{words.about(max(0, now - since) / MS)} ago"] if since is not None else []
    why = f': "{campaign.pause_reason}"' if campaign.pause_reason else ""
    return ", ".join([*by, *ago]) + why


def _active(campaign: "CampaignOverview", stands: "Standing", clock: "Clock") -> str:
    from dialer.commands import words

    calls = f"{campaign.live:,} call{'' if campaign.live == 1 else 's'}" if campaign.live else ""
    if stands.held is not None:
        return ", ".join(filter(None, [calls, "held"]))
    if not stands.daemons:
        return ", ".join(filter(None, [calls, "no daemon"]))
    if calls:
        return calls
    if campaign.start_at is not None and campaign.start_at > stands.at:
        return f"starts {clock.short(campaign.start_at)}"
    if not campaign.waits:
        return "nobody waits"
    if any(each["reason"] in words.CALLABLE for each in campaign.waits):
        return "about to call"
    ahead = [each for each in campaign.waits if (each["until_at"] or 0) > stands.at]
    if not ahead:
        return words.reason(campaign.waits[0]["reason"])
    soonest = min(ahead, key=lambda each: int(each["until_at"]))
    left = words.length((soonest["until_at"] - stands.at) / MS)
    return f"waits {left}: {words.reason(soonest['reason'])}"


def footer(stands: "Standing") -> str:
    """The daemon in one line."""
    from dialer.commands import words

    if not stands.daemons:
        return "no daemon is running, so nothing is dialed; start one: dialer run"
    since = min(each.since_at for each in stands.daemons)
    many = "daemon" if len(stands.daemons) == 1 else f"{len(stands.daemons)} daemons"
    lines = "" if stands.lines is None else f" of {stands.lines:,}"
    return (
        f"{many} running {words.length(max(0, stands.at - since) / MS)},"
        f" {stands.live:,}{lines} lines busy, events {stands.behind_ms / MS:.1f} s behind"
    )


def as_json(campaign: Any) -> dict[str, Any]:
    """A campaign of the list as programs read it."""
    from dialer.commands.watch_text import hours_json, wait_json

    return {
        "id": campaign.id,
        "name": campaign.name,
        "status": campaign.status,
        "hours": campaign.hours,
        "hours_now": hours_json(campaign.hours_now),
        "contacts": campaign.contacts,
        "done": campaign.done,
        "members": campaign.members,
        "numbers": campaign.numbers,
        "agent": campaign.agent,
        "start_at": iso(campaign.start_at),
        "ended_at": iso(campaign.ended_at),
        "archived_at": iso(campaign.archived_at),
        "paused_at": iso(campaign.paused_at),
        "paused_by": campaign.paused_by,
        "pause_reason": campaign.pause_reason,
        "live": campaign.live,
        "human_rate": campaign.human_rate,
        "human_rate_calls": campaign.calls,
        "waiting": [wait_json(each) for each in campaign.waits],
    }
