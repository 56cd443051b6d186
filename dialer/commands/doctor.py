"""`dialer doctor`: is this deployment fit to call, and what would mend it?"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dialer.commands import presentation
from dialer.commands.console import coloured, counted, emit, one_line, say, table
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.doctor.findings import Finding

EXAMPLES: Final = "Examples: dialer doctor · dialer doctor database disk · dialer doctor --strict"


def doctor(
    checks: Annotated[
        list[str] | None, typer.Argument(metavar="[CHECK]…", help="Only these; else all.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 7 for warnings, too.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody outside this machine.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at settings, data, clock, carrier, numbers, webhook, daemon; exit 1 for a failure.

    Checks: config data database clock disk ports daemon twilio numbers webhook schedules holds.
    """
    from dialer.doctor.findings import Level, worst

    found = findings(checks or [], offline=offline)
    if json_:
        emit({"ok": worst(found) is Level.OK, "findings": [_json(each) for each in found]})
    else:
        show(found)
    if worst(found) is Level.FAIL:
        raise typer.Exit(ExitCode.FAILED)
    if strict and worst(found) is Level.WARN:
        raise typer.Exit(ExitCode.PARTLY)


def findings(checks: Sequence[str] = (), *, offline: bool) -> "list[Finding]":
    """What the doctor finds with the settings in force."""
    import asyncio

    from dialer import config_faults, logs
    from dialer.clock import SystemClock
    from dialer.commands.parsing import choice
    from dialer.commands.session import settings_of
    from dialer.doctor.examination import examined, unreadable
    from dialer.doctor.findings import Check
    from dialer.errors import UsageError
    from dialer.randomness import system_rng

    wanted: list[Check] = [choice("check", each, Check) for each in checks]
    try:
        settings = settings_of()
    except UsageError as error:
        faults = config_faults.everywhere(presentation.current().config)
        return unreadable(faults or [config_faults.Fault("flags", why=error.message)], wanted)
    logs.configure_command(settings.log_format)
    clock = SystemClock(settings.scale)
    return asyncio.run(
        examined(
            settings,
            clock,
            system_rng(),
            checks=wanted,
            offline=offline,
            config=presentation.current().config,
        )
    )


def show(found: "Sequence[Finding]") -> None:
    """The report: aligned, with glyphs, on a terminal; a line of fields each when piped."""
    if sys.stdout.isatty():
        for line in _lines(found):
            typer.echo(line)
    else:
        rows = [
            [_word(each), each.check, one_line(each.text), each.why, each.fix] for each in found
        ]
        table(["result", "check", "text", "why", "fix"], rows)
    say(summary(found))


def summary(found: "Sequence[Finding]") -> str:
    """How many there are of each, in a line."""
    from dialer.doctor.findings import Level

    levels = Counter(each.level for each in found)
    told = [f"{levels[Level.OK]} ok"]
    told += [counted(levels[Level.WARN], "warning")] if levels[Level.WARN] else []
    told += [f"{levels[Level.FAIL]} failed"] if levels[Level.FAIL] else []
    told += [f"{levels[Level.SKIP]} skipped"] if levels[Level.SKIP] else []
    return f"{counted(len(found), 'check')}: {', '.join(told)}"


def _lines(found: "Sequence[Finding]") -> Iterator[str]:
    width = max(len(each.check) for each in found)
    for each in found:
        glyph = _glyph(each)
        yield f" {glyph} {_word(each):<4}  {each.check:<{width}}  {one_line(each.text)}"
        if each.why:
            yield f"   why   {'':<{width}}  {each.why}"
        if each.fix:
            yield f"   fix   {'':<{width}}  {each.fix}"


def _word(finding: "Finding") -> str:
    from dialer.doctor.findings import Level

    return "FAIL" if finding.level is Level.FAIL else str(finding.level)


def _glyph(finding: "Finding") -> str:
    from dialer.commands.showing import plain_glyphs
    from dialer.commands.words import Glyph
    from dialer.doctor.findings import Level

    glyph = {
        Level.OK: Glyph.GOOD,
        Level.WARN: Glyph.WATCH,
        Level.FAIL: Glyph.BAD,
        Level.SKIP: Glyph.NOTHING,
    }[finding.level]
    drawn = glyph.drawn(plain=plain_glyphs())
    return typer.style(drawn, fg=glyph.colour) if coloured() else drawn


def _json(finding: "Finding") -> dict[str, Any]:
    return {
        "check": finding.check,
        "level": finding.level,
        "text": finding.text,
        "why": finding.why or None,
        "fix": finding.fix or None,
    }
