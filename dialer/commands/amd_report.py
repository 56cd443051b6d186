"""`dialer amd report`: how the modes of detection judged a campaign's calls."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dialer.commands.console import emit, say, table

if TYPE_CHECKING:
    from dialer.amd_report import Errors, ModeReport, Report
    from dialer.ports import Tx

EXAMPLE: Final = "Example: dialer amd report Renewals --price-lost-human 20 --price-machine 0.05"


def report(
    campaign: Annotated[str, typer.Argument(help="The campaign's name or id.")],
    price_lost_human: Annotated[
        float, typer.Option(min=0, help="What a person costs who was hung up on.")
    ] = 20.0,
    price_machine: Annotated[
        float, typer.Option(min=0, help="What a machine costs that was talked to.")
    ] = 0.05,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the modes that judged a campaign's calls: with one another, and with what is known.

    It is known of a call what it was if somebody has labelled it (dialer calls label), if the
    callee asked in it not to be called again, or talked to an agent for a minute.
    """
    from dialer import amd_report, campaigns
    from dialer.commands.session import reading

    prices = amd_report.Prices(price_lost_human, price_machine)

    async def use_case(tx: "Tx", _now: int) -> "tuple[str, Report]":
        row = await campaigns.find(tx, campaign)
        return row["name"], await amd_report.report(tx, row["id"], prices)

    name, found = reading(use_case)
    if json_:
        emit(_json(name, found))
        return
    _show(name, found)


def _show(name: str, found: "Report") -> None:
    if not found.modes:
        say(f"no call of {name!r} was judged: it has no answered calls, or amd is off")
        return
    columns = ["mode", "calls", "human", "unknown", "machine", "fax", "p50", "p95"]
    table([*columns, "known", "lost", "talked to", "cost"], [_row(each) for each in found.modes])
    for (one, other), said in found.confusion.items():
        typer.echo("")
        rows = [[first, second, count] for (first, second), count in said.items()]
        table([f"{one} said", f"{other} said", "calls"], rows)
    for mode in found.modes:
        if mode.known:
            typer.echo("")
            table(
                [f"{mode.mode}: machines from", "persons lost", "machines talked to", "cost"],
                [[f"{each.confidence:.0%}", *_errors(each)] for each in mode.thresholds],
            )
    known = ", ".join(f"{count} {why}" for why, count in found.known.items()) or "none"
    say(f"{found.calls} answered calls; known what they were: {known}")
    if not found.known:
        say("next:  dialer calls label CALL human|machine|fax  # for some, after listening to them")


def _row(mode: "ModeReport") -> list[object]:
    verdicts = [mode.verdicts.get(name, 0) for name in ("human", "unknown", "machine", "fax")]
    times = [f"{ms / 1000:.1f} s" for ms in mode.decided_ms] if mode.decided_ms else ["", ""]
    name = mode.mode if mode.acting else f"{mode.mode} (shadow)"
    return [name, mode.judged, *verdicts, *times, mode.known, *_errors(mode.errors)]


def _errors(errors: "Errors") -> list[object]:
    return [errors.lost_humans, errors.machines_talked_to, f"{errors.cost:.2f}"]


def _json(name: str, found: "Report") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "campaign": name,
        "calls": found.calls,
        "known": dict(found.known),
        "modes": [asdict(each) for each in found.modes],
        "confusion": [
            {
                "one": one,
                "other": other,
                "calls": [
                    {one: first, other: second, "calls": count}
                    for (first, second), count in said.items()
                ],
            }
            for (one, other), said in found.confusion.items()
        ],
    }
