"""`dialer campaign`: make, start, pause and watch over campaigns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dialer.commands import preflight
from dialer.commands.console import confirm, emit, iso, moment, say, table
from dialer.states import CampaignEvent

app = typer.Typer(help="Make, start, pause and end campaigns.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Campaign name or id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command(
    epilog="Example: dialer campaign create Renewals --number +15550100 --say 'Hello {{name}}'"
)
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A name no other campaign has.")],
    number: Annotated[
        list[str], typer.Option("--number", help="Caller id, as +1555…[=WEIGHT]; repeat for more.")
    ],
    agent: Annotated[str | None, typer.Option(help="An agent made with: dialer agents add")] = None,
    say_text: Annotated[
        str | None, typer.Option("--say", help="Speak this text; {{name}} is filled in.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Business hours; none = always open.")
    ] = None,
    start_at: Annotated[
        str | None, typer.Option("--start-at", help="Not before this time, ISO 8601.")
    ] = None,
    notes: Annotated[str, typer.Option(help="Free text.")] = "",
    strategy: Annotated[
        str, typer.Option(help="round_robin, lowest_spam, least_used_today or weighted.")
    ] = "round_robin",
    spam_threshold: Annotated[
        float, typer.Option(help="Numbers with this score or more are left out, 1-9.")
    ] = 7,
    max_calls_per_day: Annotated[int, typer.Option(help="Per number, 1-1000.")] = 100,
    call_interval: Annotated[
        str, typer.Option(help="From start to start of calls: 10s, 2m, 0.5s; 0 = none.")
    ] = "10s",
    max_concurrent: Annotated[int, typer.Option(help="Calls at once, 1-10000.")] = 10,
    ring_timeout: Annotated[int, typer.Option(help="Seconds a call may ring, 5-120.")] = 30,
    amd: Annotated[str, typer.Option(help="Who tells machines: carrier or off.")] = "carrier",
    on_machine: Annotated[
        str, typer.Option(help="hang_up, leave_message or continue.")
    ] = "hang_up",
    retries: Annotated[int, typer.Option(help="Further attempts after the first, 0-10.")] = 2,
    retry_interval: Annotated[
        str, typer.Option(help="Wait before a retry; a list gives one each: 30m,2h,1d.")
    ] = "1h",
    retry_rule: Annotated[
        list[str] | None,
        typer.Option(help="Per outcome, as busy=5m,15m or rejected=never; repeat for more."),
    ] = None,
    completion_timeout: Annotated[
        str, typer.Option(help="After a call, how long its outcome stays open: 15m.")
    ] = "15m",
    calls_per_callee: Annotated[
        str,
        typer.Option(
            "--calls-per-callee",
            help="At most so many in any 24 hours and in any 7 days, all campaigns counted: 3,7.",
        ),
    ] = "3,7",
    stay_on_number: Annotated[
        bool, typer.Option(help="Call a callee again from the same number.")
    ] = True,
    json_: Json = False,
) -> None:
    """Make a draft campaign; import contacts into it, then start it."""
    from dialer import agents, campaigns, numbers, schedules
    from dialer.commands.parsing import (
        callee_caps,
        choice,
        duration_s,
        durations_s,
        instant,
        retry_rules,
    )
    from dialer.commands.session import writing
    from dialer.errors import UsageError
    from dialer.model import AmdMode, OnMachine
    from dialer.ports import Tx
    from rotation.strategies import Strategy

    if (agent is None) == (say_text is None):
        raise UsageError("say who talks to people: either --agent NAME or --say TEXT")
    if say_text is not None:
        from dialer.carriers.twiml import validate_agent
        from dialer.model import Agent, AgentKind

        validate_agent(Agent(AgentKind.MESSAGE, say_text, {}))

    per_day, per_week = callee_caps(calls_per_callee)

    async def use_case(tx: Tx, now: int) -> Mapping[str, Any]:
        if agent is not None:
            agent_id = (await agents.find(tx, agent))["id"]
        else:
            assert say_text is not None, "one of the two was given"
            agent_id = await agents.add_message(tx, name, say_text, now)
        new = campaigns.NewCampaign(
            name=name,
            agent_id=agent_id,
            numbers=[await numbers.find_weighted(tx, text) for text in number],
            schedule_id=(await schedules.find(tx, schedule))["id"] if schedule else None,
            start_at=instant(start_at) if start_at else None,
            notes=notes,
            strategy=choice("strategy", strategy, Strategy),
            spam_threshold=spam_threshold,
            max_calls_per_day=max_calls_per_day,
            stay_on_number=stay_on_number,
            call_interval_s=duration_s("call interval", call_interval),
            max_concurrent=max_concurrent,
            ring_timeout_s=ring_timeout,
            amd=choice("amd", amd, AmdMode),
            on_machine=choice("on machine", on_machine, OnMachine),
            max_retries=retries,
            retry_intervals_s=durations_s("retry interval", retry_interval),
            retry_rules=retry_rules(retry_rule or []),
            completion_timeout_s=int(duration_s("completion timeout", completion_timeout)),
            callee_calls_per_day=per_day,
            callee_calls_per_week=per_week,
        )
        await campaigns.create(tx, new, now)
        return await campaigns.find(tx, name)

    row = writing(ctx, use_case)
    if json_:
        emit({"id": row["id"], "name": row["name"], "status": row["status"]})
        return
    say(f"campaign {row['name']!r} is made (id {row['id']}), as a draft")
    say(f"next:  dialer contacts import FILE.csv --campaign {row['name']!r}")


@app.command(
    epilog="Examples: dialer campaign check Renewals --strict ·"
    " dialer campaign check Renewals --zones-unknown zones.csv"
)
def check(
    ctx: typer.Context,
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
        ctx,
        name,
        strict=strict,
        days=days,
        online=online,
        zones_file=zones_unknown,
        as_json=json_,
    )


@app.command(epilog="Example: dialer campaign start Renewals")
def start(
    ctx: typer.Context,
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

    _moved(working(ctx, use_case), as_json=json_)


@app.command(epilog="Example: dialer campaign pause Renewals --reason 'script is wrong'")
def pause(
    ctx: typer.Context,
    name: Name,
    reason: Annotated[str | None, typer.Option(help="Why; shown wherever the campaign is.")] = None,
    json_: Json = False,
) -> None:
    """Start no new calls; running ones go on."""
    _move(ctx, name, CampaignEvent.PAUSE, reason=reason, as_json=json_)


@app.command(epilog="Example: dialer campaign resume Renewals")
def resume(ctx: typer.Context, name: Name, json_: Json = False) -> None:
    """Go on where the campaign was paused."""
    _move(ctx, name, CampaignEvent.RESUME, as_json=json_)


@app.command(epilog="Example: dialer campaign complete Renewals --yes")
def complete(ctx: typer.Context, name: Name, yes: Yes = False, json_: Json = False) -> None:
    """End a campaign by hand: who was not reached yet will not be called."""
    confirm(f"End campaign {name!r}? Contacts that wait for a call will not be called.", yes=yes)
    _move(ctx, name, CampaignEvent.COMPLETE, as_json=json_)


@app.command(epilog="Example: dialer campaign cancel Renewals --yes")
def cancel(ctx: typer.Context, name: Name, yes: Yes = False, json_: Json = False) -> None:
    """No further call, ever."""
    confirm(f"Cancel campaign {name!r} for good? It can never be started again.", yes=yes)
    _move(ctx, name, CampaignEvent.CANCEL, as_json=json_)


@app.command("list", epilog="Example: dialer campaign list --json")
def list_(ctx: typer.Context, json_: Json = False) -> None:
    """All campaigns, with how far they are."""
    from dialer import overview
    from dialer.commands.session import reading
    from dialer.holiday_calendars import public_holidays
    from dialer.ports import Tx

    async def use_case(tx: Tx, now: int) -> list[overview.CampaignOverview]:
        return await overview.campaigns(tx, now, public_holidays)

    campaigns = reading(ctx, use_case)
    if json_:
        emit([_listed(each) for each in campaigns])
        return
    if not campaigns:
        say("no campaigns yet; make one: dialer campaign create NAME --number … --say …")
    table(
        ["id", "name", "status", "hours", "done", "contacts", "numbers", "agent"],
        [
            [c.id, c.name, c.status, c.hours, c.done, c.contacts, c.numbers, c.agent]
            for c in campaigns
        ],
    )


@app.command(epilog="Example: dialer campaign status Renewals --json")
def status(ctx: typer.Context, name: Name, json_: Json = False) -> None:
    """Where a campaign stands, and why the rest is not being dialed."""
    from dialer import overview
    from dialer.commands.session import reading
    from dialer.holiday_calendars import public_holidays
    from dialer.ports import Tx

    async def use_case(tx: Tx, now: int) -> overview.CampaignStatusReport:
        return await overview.status(tx, name, now, public_holidays)

    report = reading(ctx, use_case)
    if json_:
        emit(_status_json(report))
    else:
        _print_status(report)


def _move(
    ctx: typer.Context,
    name: str,
    event: CampaignEvent,
    *,
    reason: str | None = None,
    as_json: bool,
) -> None:
    from dialer import campaigns
    from dialer.commands.session import writing
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, now: int) -> Row:
        return await campaigns.move(tx, name, event, now, reason=reason)

    _moved(writing(ctx, use_case), as_json=as_json)


def _moved(row: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit({"id": row["id"], "name": row["name"], "status": row["status"]})
    else:
        say(f"campaign {row['name']!r} is {row['status']}")


def _listed(campaign: Any) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "status": campaign.status,
        "hours": campaign.hours,
        "contacts": campaign.contacts,
        "done": campaign.done,
        "members": campaign.members,
        "numbers": campaign.numbers,
        "agent": campaign.agent,
        "start_at": iso(campaign.start_at),
        "pause_reason": campaign.pause_reason,
    }


def _status_json(report: Any) -> dict[str, Any]:
    return {
        **_listed(report.campaign),
        "failed": report.failed,
        "outcomes": report.outcomes,
        "attempts": report.attempts,
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
    campaign = report.campaign
    typer.echo(f"{campaign.name}  {campaign.status}  {campaign.hours}")
    if campaign.pause_reason:
        typer.echo(f"paused because: {campaign.pause_reason}")
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
    if not report.daemons:
        say("no daemon is running, so nothing is dialed; start one: dialer run")
