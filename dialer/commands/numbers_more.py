"""`dialer numbers show`, `test`, `exclude` and `remove`."""

from typing import TYPE_CHECKING, Annotated, Any, assert_never

import typer

from dialer.commands.console import confirm, emit, facts_table, iso, moment, say, table
from dialer.commands.numbers_view import listed
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.numbers import NumberDossier
    from dialer.ports import OwnedNumber, Row, Tx
    from rotation.caller import Ineligible

Phone = Annotated[str, typer.Argument(help="The number, as it is listed.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show(phone: Phone, json_: Json = False) -> None:
    """One number: its score, its calls, the campaigns that call from it and how near their caps."""
    from dialer import numbers
    from dialer.commands.session import reading, settings_of

    region = settings_of().default_region

    async def use_case(tx: "Tx", now: int) -> "NumberDossier":
        return await numbers.dossier(tx, phone, region, now)

    found = reading(use_case)
    facts = {**listed(found.report), "live": found.live, "attempts": found.attempts}
    serving = [_serving(each, found) for each in found.campaigns]
    if json_:
        emit({**facts, "campaigns": serving})
        return
    facts_table(facts)
    if serving:
        typer.echo("")
        table(
            ["campaign", "status", "weight", "today", "why not"],
            [
                [
                    each["campaign"],
                    each["status"],
                    each["weight"],
                    f"{found.report.calls_today} of {each['max_calls_per_day']}",
                    each["why_not"],
                ]
                for each in serving
            ],
            spare=("weight",),
        )


def ask_carrier(phone: Phone, json_: Json = False) -> None:
    """Ask the carrier whether calls may be placed from a number; nobody is rung.

    Exit 1 when the account may not call from it, 7 when it may and something else is in the way.
    """
    from dialer import numbers
    from dialer.commands.session import carrier_of, settings_of, working

    region = settings_of().default_region

    async def use_case(desk: "Desk") -> "tuple[NumberDossier, OwnedNumber | None]":
        async with carrier_of(desk.settings, desk.clock) as carrier:
            async with desk.database.read() as tx:
                found = await numbers.dossier(tx, phone, region, desk.clock.now())
            owned = {each.phone: each for each in await carrier.owned_numbers()}
        return found, owned.get(found.report.row["phone"])

    found, owned = working(use_case, create=False)
    written = found.report.row["phone"]
    troubles = [] if owned else ["the account does not own it with a voice, nor is it verified"]
    if not found.report.active:
        troubles.append("it is disabled here")
    troubles += [
        f"{each['campaign']}: {each['why_not']}"
        for each in (_serving(row, found) for row in found.campaigns)
        if each["why_not"] and found.report.active
    ]
    if json_:
        emit({"phone": written, "callable": owned is not None, "troubles": troubles})
    else:
        say(f"number {written}: {'the account may call from it' if owned else 'not callable'}")
        for each in troubles:
            say(f"  {each}")
    if owned is None:
        raise typer.Exit(ExitCode.FAILED)
    if troubles:
        raise typer.Exit(ExitCode.PARTLY)


def exclude(
    phone: Phone,
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="From this campaign; else from all.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Take a number out of a campaign, or of all; running calls go on.

    To stop calls from it for a while, disable it: then it stays where it is.
    """
    from dialer import campaign_edits
    from dialer.commands.session import settings_of, writing

    region = settings_of().default_region
    if campaign is None:
        confirm(f"Take {phone} out of every campaign?", yes=yes)

    async def use_case(tx: "Tx", now: int) -> "tuple[Row, list[str]]":
        row, names = await campaign_edits.exclude_number(tx, phone, region, campaign, now)
        return row, list(names)

    row, names = writing(use_case)
    if json_:
        emit({"phone": row["phone"], "campaigns": names})
        return
    say(f"number {row['phone']} is out of {', '.join(map(repr, names)) or 'no campaign'}")


def remove(
    phone: Phone,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Forget a number that nobody was ever called from."""
    from dialer import numbers
    from dialer.commands.session import reading, settings_of, writing

    region = settings_of().default_region
    row = reading(lambda tx, _: numbers.find(tx, phone, region))
    confirm(f"Remove number {row['phone']}?", yes=yes)
    gone = writing(lambda tx, now: numbers.remove(tx, row["phone"], region, now))
    if json_:
        emit({"id": gone["id"], "phone": gone["phone"]})
    else:
        say(f"number {gone['phone']} is removed")


def _serving(row: "Row", found: "NumberDossier") -> dict[str, Any]:
    """A campaign that may call from a number, and what keeps it from that."""
    from dialer import numbers

    return {
        "campaign": row["name"],
        "status": row["status"],
        "weight": row["weight"],
        "max_calls_per_day": row["max_calls_per_day"],
        "last_used_at": iso(row["last_used_at"]),
        "why_not": _said(numbers.unusable(found, row), row, found),
    }


def _said(reason: "Ineligible | None", campaign: "Row", found: "NumberDossier") -> str:
    from rotation.caller import Ineligible

    number = found.report.row
    match reason:
        case None:
            return ""
        case Ineligible.DISABLED:
            return f"disabled since {moment(number['disabled_at'])}"
        case Ineligible.EXCLUDED:
            score, threshold = number["spam_score"], campaign["spam_threshold"]
            return f"score {score:g} is at the threshold of {threshold:g} or above"
        case Ineligible.DAILY_CAP:
            return f"full for today: {campaign['max_calls_per_day']} calls"
        case Ineligible.BUSY:
            return f"busy: {found.live} of {number['max_live']} calls at once"
    assert_never(reason)
