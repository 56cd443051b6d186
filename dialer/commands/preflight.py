"""The preflight as commands ask for it: what they give it, and the file of unknown zones."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from dialer.commands.console import emit, say
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.ports import Tx
    from dialer.preflight.facts import Deployment, Report
    from dialer.settings import Settings

#: What an import takes for a phone, a name and a time zone.
ZONE_COLUMNS: Final = ("phone", "name", "timezone")
DAYS: Final = 5


def check(
    name: str,
    *,
    strict: bool,
    days: int,
    online: bool,
    zones_file: Path | None,
    as_json: bool,
) -> None:
    """Print the report; exit 5 for errors, 7 for warnings when *strict*."""
    from dialer.commands import preflight_view
    from dialer.commands.session import Desk, working
    from dialer.preflight.facts import Level

    async def use_case(desk: Desk) -> "Report":
        owned = await _owned(desk) if online else None
        async with desk.database.read() as tx:
            given = deployment(desk.settings, days=days, owned=owned)
            report = await looked_over(tx, name, desk.clock.now(), given)
            if zones_file is not None:
                people = await _write_unplaced(tx, report, zones_file)
                say(f"{people} contacts in {zones_file}; fill in the time zones, then:")
                say(f"next:  dialer contacts import {zones_file}")
        return report

    report = working(use_case, create=False)
    if as_json:
        emit(preflight_view.as_json(report))
    else:
        preflight_view.show(report)
        say("rules of calling are facts to start from; nothing here is legal advice")
    if report.of(Level.ERROR):
        raise typer.Exit(ExitCode.WRONG_STATE)
    if strict and report.of(Level.WARNING):
        raise typer.Exit(ExitCode.PARTLY)


async def before_start(desk: "Desk", name: str, *, strict: bool) -> None:
    """Show what a start should not miss; raise WrongStateError where it must not be.

    A campaign that is not a draft is left to the start itself to refuse.
    """
    from dialer import campaigns
    from dialer.commands import preflight_view
    from dialer.errors import WrongStateError
    from dialer.preflight.facts import Level
    from dialer.states import CampaignStatus

    async with desk.database.read() as tx:
        row = await campaigns.find(tx, name)
        if CampaignStatus(row["status"]) is not CampaignStatus.DRAFT:
            return
        given = deployment(desk.settings, days=DAYS, owned=None)
        report = await looked_over(tx, row["name"], desk.clock.now(), given)
    if errors := report.of(Level.ERROR):
        raise WrongStateError(errors[0].text, next_step=errors[0].cure)
    preflight_view.show_briefly(report)
    if strict and (warnings := report.of(Level.WARNING)):
        raise WrongStateError(
            f"campaign {row['name']!r} is not started: {warnings[0].text}"
            + (f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""),
            next_step=f"dialer campaign check {row['name']!r}",
        )


def deployment(settings: "Settings", *, days: int, owned: frozenset[str] | None) -> "Deployment":
    """What a campaign finds here."""
    from dialer.bounds import account_limits, claim_times
    from dialer.errors import CredentialsError
    from dialer.preflight.facts import Deployment

    trouble = ""
    try:
        settings.require_carrier()
    except CredentialsError as error:
        trouble = error.message
    return Deployment(
        account=account_limits(settings),
        times=claim_times(settings),
        carrier_trouble=trouble,
        pre_dial_check=bool(settings.pre_dial_check),
        owned=owned,
        within_days=days,
    )


async def looked_over(tx: "Tx", name: str, now: int, given: "Deployment") -> "Report":
    """The report of a campaign, with the public holidays there are."""
    from dialer.holiday_calendars import public_holidays
    from dialer.preflight.checking import check as look_over

    return await look_over(tx, name, now, given, public_holidays)


async def _owned(desk: "Desk") -> frozenset[str]:
    """The numbers of the carrier's account; raises CredentialsError without credentials."""
    from dialer.commands.session import carrier_of

    async with carrier_of(desk.settings, desk.clock) as carrier:
        return frozenset(number.phone for number in await carrier.owned_numbers())


async def _write_unplaced(tx: "Tx", report: "Report", path: Path) -> int:
    """Write down who has no time zone, for somebody to fill it in; how many there are."""
    import csv

    from dialer.lists.columns import guarded
    from dialer.lists.csvout import written
    from dialer.preflight.reading import unplaced

    people = 0
    with written(path, raw=False) as file:
        writer = csv.writer(file)
        writer.writerow(ZONE_COLUMNS)
        async for page in unplaced(tx, report.facts):
            people += len(page)
            writer.writerows(
                [guarded(row[column], raw=False) for column in ("phone", "name")] + [""]
                for row in page
            )
    return people
