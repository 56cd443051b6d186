"""A forecast as an operator reads it: a table, a plot, and what it all rests on."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import typer

from dialer.commands.console import say, table
from dialer.commands.forecast_json import clock_time
from dialer.commands.forecast_plot import plot
from dialer.commands.showing import zone_of_times
from dialer.forecast.assumptions import assumptions
from dialer.forecast.forecasting import Forecast, Variant
from dialer.forecast.summary import Band, Summary, certainty

MS: Final = 1000
#: So many numbers are listed; JSON has them all.
NUMBERS_SHOWN: Final = 10

_LIMITS: Final = {
    "call_interval": "call interval",
    "calls_per_second": "calls per second",
    "calls_at_once": "calls at once",
    "calls_a_day": "calls a day of its numbers",
}


def show(forecast: Forecast) -> None:
    """Print *forecast*: data on stdout, words on stderr."""
    people = len(forecast.snapshot.members)
    start = _moment(forecast.snapshot.at)
    say(
        f"{forecast.snapshot.name}: {people:,} contacts to call, from {start} on;"
        f" times are those of {zone_of_times() or 'this machine'}"
    )
    _aligned(
        ["", "finish", _band_name(forecast.runs), "calls", "reached", "never reached"],
        [_row(forecast, each) for each in forecast.variants],
        right=3,
    )
    for variant in forecast.variants:
        if variant.obstacle is not None:
            say(f"{variant.name}: {variant.obstacle}")
    for variant in forecast.variants:
        if variant.summary is not None:
            _details(forecast, variant, variant.summary)
    say("")
    many = "one run" if forecast.runs == 1 else f"{forecast.runs} runs"
    say(f"{many} of the engine in virtual time, seed {forecast.options.seed}, where")
    for words in assumptions(forecast):
        say(f"- {words}")


def _band_name(runs: int) -> str:
    return "" if runs == 1 else f"{certainty(runs):.0%} band"


def _row(forecast: Forecast, variant: Variant) -> list[str]:
    summary = variant.summary
    if summary is None:
        return [variant.name, "never", "", "", "", ""]
    people = len(forecast.snapshot.members)
    never = summary.never_reached.middle or 0.0
    return [
        variant.name,
        _finish(summary.finish.middle, forecast),
        "" if forecast.runs == 1 else _between(summary.finish, forecast),
        _count(summary.calls),
        _count(summary.reached),
        f"{never / people:.1%}",
    ]


def _finish(at: float | None, forecast: Forecast) -> str:
    return f"not within {forecast.options.days} days" if at is None else _moment(at)


def _between(band: Band, forecast: Forecast) -> str:
    """Both ends of a band, the day of the second left out where it is that of the first."""
    low, high = _finish(band.low, forecast), _finish(band.high, forecast)
    if low == high:
        return low
    day, _, clock = high.rpartition(" ")
    return f"{low} to {clock if low.startswith(day) else high}"


def _moment(at: float) -> str:
    """A time without its year: no forecast looks further ahead than one."""
    return datetime.fromtimestamp(at / MS, zone_of_times()).strftime("%a %d %b %H:%M")


def _count(band: Band) -> str:
    return f"{band.middle or 0:,.0f}"


def _details(forecast: Forecast, variant: Variant, summary: Summary) -> None:
    typer.echo("")
    if len(forecast.variants) > 1:
        typer.echo(f"with {variant.name}:")
    if sys.stdout.isatty():
        for line in plot(summary.days):
            typer.echo(line)
        typer.echo("")
    for words in _limits(summary):
        typer.echo(words)
    typer.echo("")
    _numbers(summary)


def _limits(summary: Summary) -> Iterator[str]:
    """What holds the campaign back, and how much of each limit it uses."""
    if summary.bottleneck:
        yield f"held back by the {_LIMITS[summary.bottleneck]}"
    else:
        yield "held back by no limit but by retries that have to wait"
    used = sorted(summary.use.items(), key=lambda item: -item[1])
    yield "limits used: " + ", ".join(f"{_LIMITS[limit]} {share:.0%}" for limit, share in used)
    if summary.finish.middle is None:
        yield f"{summary.left.middle or 0:,.0f} contacts are left when the days are over"
    if summary.spent_minute is not None:
        yield (
            f"all numbers have had their calls on {summary.spent_days:.0f} of"
            f" {len(summary.days)} days, from about {clock_time(summary.spent_minute)} on"
        )


def _numbers(summary: Summary) -> None:
    heaviest = sorted(summary.numbers, key=lambda each: (-round(each.of_cap, 2), each.number.id))
    columns = ["number", "calls a day", "of its cap"]
    rows = [
        [each.number.phone, f"{each.calls_a_day:,.1f}", f"{each.of_cap:.0%}"] for each in heaviest
    ]
    if all(each.days_full is not None for each in heaviest):
        columns.append("days full")
        for row, each in zip(rows, heaviest, strict=True):
            row.append(f"{each.days_full:.0%}")
    _aligned(columns, rows[:NUMBERS_SHOWN], right=1)
    if len(heaviest) > NUMBERS_SHOWN:
        say(f"and {len(heaviest) - NUMBERS_SHOWN} more numbers; see them all with --json")


def _aligned(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: int) -> None:
    """Print *rows*; on a terminal the columns from *right* on are figures."""
    if not sys.stdout.isatty():
        table(columns, rows)
        return
    from rich.console import Console
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        figures = place >= right
        drawn.add_column(column, justify="right" if figures else "left", no_wrap=figures)
    for row in rows:
        drawn.add_row(*row)
    Console().print(drawn)
