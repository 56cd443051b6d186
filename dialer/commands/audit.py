"""`dialer audit`: were the promises kept? The carrier's own record decides."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dialer.commands.console import emit, iso, moment, say, table
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.audit.report import Report, Result
    from dialer.commands.auditing import Gathered

#: So many violations of one promise are shown; JSON has them all.
SHOWN: Final = 5


def audit(
    truth: Annotated[
        Path | None, typer.Option(help="A carrier simulator's record, in place of Twilio's list.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="From then on: ISO 8601, or 2d ago; else the day before UNTIL."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Up to then: likewise; else as late as can be judged.")
    ] = None,
    calls_per_second: Annotated[
        float | None, typer.Option(help="What the account allowed; else the setting, if it is set.")
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="All is over: nothing may be under way any more.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Hold the database against the carrier's own list of calls, promise by promise.

    Nothing of the engine takes part in it and nothing is changed, so it may run beside daemons at
    any time. Calls of the last minutes are left out, because their fate may be in doubt yet. Exits
    1 when a promise was broken.

    Example: dialer audit --since 2026-03-02T00:00:00Z --until 2026-03-03T00:00:00Z

    Example: dialer audit --truth truth.jsonl --final
    """
    import asyncio

    from dialer.audit.check import check
    from dialer.commands import auditing
    from dialer.commands.session import past_of, settings_of
    from dialer.errors import UsageError

    if truth is not None and (since or until):
        raise UsageError("--truth is judged as a whole; leave --since and --until out")
    settings = settings_of(calls_per_second=calls_per_second)
    since_at = past_of(since, settings) if since else None
    until_at = past_of(until, settings) if until else None
    if truth is not None:
        gathered = asyncio.run(auditing.from_truth(settings, truth, final=final))
    else:
        with _progress() as tell:
            gathered = asyncio.run(
                auditing.from_carrier(settings, since_at, until_at, final=final, tell=tell)
            )
    report = check(gathered.evidence)
    if json_:
        emit(_as_json(report, gathered))
    else:
        _show(report, gathered)
    if not report.clean:
        raise typer.Exit(ExitCode.FAILED)


def _show(report: "Report", gathered: "Gathered") -> None:
    table(
        ["", "promise", "checked", "violations"],
        [
            [
                each.invariant.name,
                each.invariant.promise,
                "not checked" if each.scope.blind else each.scope.checked,
                "" if each.scope.blind else len(each.violations),
            ]
            for each in report.results
        ],
        folds=True,
    )
    for result in report.results:
        for violation in result.violations[:SHOWN]:
            typer.echo(f"BROKEN  {violation}")
    for result in report.results:
        _advise(result)
    for words in _summary(report, gathered):
        say(words)


def _advise(result: "Result") -> None:
    name, scope = result.invariant.name, result.scope
    if scope.blind:
        say(f"{name} was not checked: {scope.blind}")
    for note in scope.notes:
        say(f"{name}: {note}")
    if len(result.violations) > SHOWN:
        more = len(result.violations) - SHOWN
        say(f"{name}: {more:,} more violations; see them all with --json")
    if result.violations:
        say(f"{name}, what to do: {result.invariant.advice}")


def _summary(report: "Report", gathered: "Gathered") -> Iterator[str]:
    evidence = gathered.evidence
    if evidence.since_at is not None:
        yield f"audited from {moment(evidence.since_at)} to {moment(evidence.until_at)}"
    if gathered.too_young:
        yield f"{gathered.too_young:,} calls are too young to be judged"
    if gathered.strangers:
        yield f"{gathered.strangers:,} calls are from numbers that this database does not have"
    if not report.compared and report.clean:
        yield "no call could be judged yet, so nothing is proved: ask again when they are older"
        return
    unchecked = sum(each.scope.blind is not None for each in report.results)
    broken = sum(bool(each.violations) for each in report.results)
    kept = len(report.results) - unchecked - broken
    yield (
        f"{report.compared:,} calls compared: {kept} promises kept, {broken} broken,"
        f" {unchecked} not checked"
    )


def _as_json(report: "Report", gathered: "Gathered") -> dict[str, Any]:
    evidence = gathered.evidence
    return {
        "ok": report.clean,
        "since": iso(evidence.since_at),
        "until": iso(evidence.until_at),
        "calls": len(evidence.judged),
        "calls_compared": report.compared,
        "too_young": gathered.too_young,
        "strangers": gathered.strangers,
        "invariants": [
            {
                "name": each.invariant.name,
                "promise": each.invariant.promise,
                "checked": each.scope.checked,
                "violations": len(each.violations),
                "not_checked": each.scope.blind,
                "notes": list(each.scope.notes),
            }
            for each in report.results
        ],
        "violations": [
            {
                "invariant": each.invariant,
                "text": each.text,
                "attempt": each.attempt,
                "callee": each.callee,
                "campaign": each.campaign,
            }
            for each in report.violations
        ],
    }


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A count of calls on stderr when somebody may be looking."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("asking the carrier for its calls") as status:
        yield lambda calls: status.update(f"{calls:,} calls listed")
