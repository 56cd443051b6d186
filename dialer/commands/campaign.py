"""`dialer campaign`: make, start, pause and watch over campaigns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dialer.commands import campaign_create, campaign_edit, campaign_list, preflight, watch
from dialer.commands.console import confirm, confirm_typed, emit, iso, moment, say
from dialer.states import CampaignEvent

app = typer.Typer(help="Make, start, pause and end campaigns.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Campaign name or id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


app.command(epilog=campaign_create.EXAMPLES)(campaign_create.create)
app.command(epilog="Example: dialer campaign show Renewals")(campaign_edit.show)
app.command(epilog="Example: dialer campaign edit Renewals --set call_interval=5s")(
    campaign_edit.edit
)
app.command(epilog="Example: dialer campaign clone Renewals 'Renewals May' --only failed")(
    campaign_edit.clone
)
app.command(epilog="Example: dialer campaign archive Renewals")(campaign_edit.archive)
app.command(epilog="Example: dialer campaign restore Renewals")(campaign_edit.restore)
app.command(epilog="Example: dialer campaign delete Draft --confirm Draft")(campaign_edit.delete)
app.command(
    "export-config", epilog="Example: dialer campaign export-config Renewals renewals.toml"
)(campaign_edit.export_config)
app.add_typer(campaign_edit.settings, name="settings")


@app.command(
    epilog="Examples: dialer campaign check Renewals --strict ·"
    " dialer campaign check Renewals --zones-unknown zones.csv"
)
def check(
    name: Name,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 7 when there are warnings.")
    ] = False,
    days: Annotated[
        int, typer.Option(min=1, max=365, help="Days in which it should be over, for the caps.")
    ] = preflight.DAYS,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the carrier which numbers the account owns.")
    ] = False,
    zones_unknown: Annotated[
        Path | None,
        typer.Option(help="Write those whose time zone nobody knows to this CSV file."),
    ] = None,
    json_: Json = False,
) -> None:
    """Look a campaign over before it starts: who will be called, who not and why, what is missing.

    Exit 0, with warnings too; 5 when nobody could be called. Nothing is changed.
    """
    preflight.check(
        name,
        strict=strict,
        days=days,
        online=online,
        zones_file=zones_unknown,
        as_json=json_,
    )


@app.command(epilog="Example: dialer campaign start Renewals")
def start(
    name: Name,
    strict: Annotated[
        bool, typer.Option("--strict", help="Do not start when the check has warnings.")
    ] = False,
    json_: Json = False,
) -> None:
    """Start dialing a draft campaign, once it has been looked over (dialer campaign check)."""
    from dialer import campaigns
    from dialer.commands.session import Desk, working
    from dialer.ports import Row

    async def use_case(desk: Desk) -> Row:
        await preflight.before_start(desk, name, strict=strict)
        async with desk.database.write() as tx:
            return await campaigns.move(tx, name, CampaignEvent.START, desk.clock.now())

    _moved(working(use_case, whole=True), as_json=json_)


@app.command(epilog="Example: dialer campaign pause Renewals --reason 'script is wrong'")
def pause(
    name: Name,
    reason: Annotated[str | None, typer.Option(help="Why; shown wherever the campaign is.")] = None,
    hang_up: Annotated[
        bool, typer.Option("--hang-up", help="End the calls that go on, too.")
    ] = False,
    json_: Json = False,
) -> None:
    """Start no new calls; running ones go on, unless they are to be hung up."""
    from dialer import campaigns
    from dialer.commands.session import writing
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, now: int) -> Row:
        return await campaigns.pause(tx, name, now, reason=reason, hang_up=hang_up)

    _moved(writing(use_case), as_json=json_)


@app.command(epilog="Example: dialer campaign resume Renewals")
def resume(name: Name, json_: Json = False) -> None:
    """Go on where the campaign was paused."""
    _move(name, CampaignEvent.RESUME, as_json=json_)


@app.command(epilog="Example: dialer campaign complete Renewals --yes")
def complete(name: Name, yes: Yes = False, json_: Json = False) -> None:
    """End a campaign by hand: who was not reached yet will not be called."""
    confirm(f"End campaign {name!r}? Contacts that wait for a call will not be called.", yes=yes)
    _move(name, CampaignEvent.COMPLETE, as_json=json_)


@app.command(epilog="Example: dialer campaign cancel Renewals --confirm Renewals")
def cancel(
    name: Name,
    confirm_: Annotated[
        str | None,
        typer.Option("--confirm", metavar="NAME", help="Its name once more: no question."),
    ] = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """No further call, ever; what is queued or rings is ended, conversations are not."""
    from dialer import campaigns
    from dialer.commands.session import reading

    row = reading(lambda tx, _: campaigns.find(tx, name))
    confirm_typed(
        f"Cancel campaign {row['name']!r} for good? It can never be started again.",
        row["name"],
        yes=yes,
        confirmed=confirm_,
        declined="nothing was cancelled",
    )
    _move(row["name"], CampaignEvent.CANCEL, as_json=json_)


app.command("watch", epilog=watch.WATCH_EXAMPLES)(watch.watch)
app.command("wait", epilog=watch.WAIT_EXAMPLES)(watch.wait)


app.command("list", epilog=campaign_list.EXAMPLE)(campaign_list.list_)


@app.command(epilog="Example: dialer campaign status Renewals --json")
def status(name: Name, json_: Json = False) -> None:
    """Where a campaign stands, and why the rest is not being dialed."""
    from dialer import overview
    from dialer.commands.session import reading
    from dialer.holiday_calendars import public_holidays
    from dialer.ports import Tx

    async def use_case(tx: Tx, now: int) -> overview.CampaignStatusReport:
        return await overview.status(tx, name, now, public_holidays)

    report = reading(use_case)
    if json_:
        emit(_status_json(report))
    else:
        _print_status(report)


def _move(
    name: str,
    event: CampaignEvent,
    *,
    as_json: bool,
) -> None:
    from dialer import campaigns
    from dialer.commands.session import writing
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, now: int) -> Row:
        return await campaigns.move(tx, name, event, now)

    _moved(writing(use_case), as_json=as_json)


def _moved(row: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit({"id": row["id"], "name": row["name"], "status": row["status"]})
    else:
        say(f"campaign {row['name']!r} is {row['status']}")


def _status_json(report: Any) -> dict[str, Any]:
    from dialer.commands.brake import as_json

    return {
        **campaign_list.as_json(report.campaign),
        "failed": report.failed,
        "outcomes": report.outcomes,
        "attempts": report.attempts,
        "hold": as_json(report.hold),
        "daemons": [{"name": each["name"], "id": each["id"]} for each in report.daemons],
        "waiting": [
            {
                "reason": each["reason"],
                "members": each["members"],
                "until": iso(each["until_at"]),
                "detail": each["detail"],
                "noted": iso(each["noted_at"]),
            }
            for each in report.waiting
        ],
    }


def _print_status(report: Any) -> None:
    from dialer.commands.brake import say_held

    campaign = report.campaign
    typer.echo(f"{campaign.name}  {campaign.status}  {campaign.hours}")
    if campaign.paused_at:
        by = f" by {campaign.paused_by}" if campaign.paused_by else ""
        because = f": {campaign.pause_reason}" if campaign.pause_reason else ""
        typer.echo(f"paused since {moment(campaign.paused_at)}{by}{because}")
    typer.echo(f"{campaign.done} of {campaign.contacts} contacts done")
    if campaign.members:
        typer.echo("members   " + "  ".join(f"{k} {v}" for k, v in campaign.members.items()))
    if report.outcomes:
        typer.echo("calls     " + "  ".join(f"{k} {v}" for k, v in report.outcomes.items()))
    if report.failed:
        typer.echo("failed    " + "  ".join(f"{k} {v}" for k, v in report.failed.items()))
    if report.waiting:
        typer.echo("")
        typer.echo("why not dialing")
        for each in report.waiting:
            until = f"until {moment(each['until_at'])}" if each["until_at"] else ""
            detail = f"({each['detail']})" if each["detail"] else ""
            line = f"  {each['members']:>8,}  {each['reason']:<22} {until} {detail}"
            typer.echo(line.rstrip())
    say_held(report.hold)
    if not report.daemons:
        say("no daemon is running, so nothing is dialed; start one: dialer run")
