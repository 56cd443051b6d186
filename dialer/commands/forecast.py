"""`dialer forecast`: when a campaign will be over, and what it will have come to by then."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from dialer.commands import progress
from dialer.commands.console import emit

if TYPE_CHECKING:
    from dialer.forecast.changes import Changes
    from dialer.forecast.snapshot import Snapshot
    from dialer.settings import Settings

#: The bar of runs is drawn in so many parts.
_WHOLE: Final = 1000


def forecast(
    campaign: Annotated[str, typer.Argument(help="Campaign name or id.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="What if: NAME=VALUE, as max_concurrent=20; repeat for more.", metavar="…"
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Call everybody in the list instead of a sample.")
    ] = False,
    runs: Annotated[
        int | None, typer.Option(min=1, max=1000, help="How many runs; else 10, with --full 4.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same forecast.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=400, help="Look no further ahead.")] = 365,
    profile: Annotated[
        str | None,
        typer.Option(help="Outcomes of cold_b2b, mixed or warm, not of the campaign's history."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a campaign ahead of time: the same engine over a copy of its list, in virtual time.

    Says when it will be over with a band from several runs, calls and people reached a day, the
    load of each number, and what holds it back. Nothing is dialed and the database is not written
    to. How calls go is taken from the campaign's own history, or from a carrier profile until it
    has enough of one.

    With --set, today's settings and those you name run beside each other: max_concurrent,
    call_interval, max_calls_per_day, calls_per_callee, max_retries, retry_intervals, retry_rule,
    spam_threshold, strategy, stay_on_number, ring_timeout, completion_timeout, start_at,
    schedule=NAME, calls_per_second and numbers=+2 for two more.

    Example: dialer forecast Renewals

    Example: dialer forecast Renewals --set max_concurrent=20 --set call_interval=5s
    """
    from dialer.carrier_sim.profiles import profile_named
    from dialer.commands.session import settings_of
    from dialer.commands.what_if import read_changes
    from dialer.forecast.forecasting import TODAY, Forecaster, Options
    from dialer.forecast.workers import Crew
    from dialer.store.direct import empty_script

    changes = read_changes(set_ or [])
    if profile is not None:
        profile_named(profile)
    settings = settings_of()
    with Crew() as crew:
        snapshot = _snapshot(settings, campaign, changes)
        setups = {TODAY: snapshot.setup}
        if set_:
            setups[" ".join(set_)] = changes.applied_to(snapshot)
        options = Options(runs=runs, seed=seed, full=full, days=days, profile=profile)
        forecaster = Forecaster(
            snapshot, options, default_zone=settings.default_zone, script=empty_script()
        )
        with progress.shown() as tell:
            answer = forecaster.run(
                setups, crew, lambda share: tell(round(share * _WHOLE), _WHOLE, "running ahead")
            )
    if json_:
        from dialer.commands.forecast_json import as_json

        emit(as_json(answer))
    else:
        from dialer.commands.forecast_view import show

        show(answer)


def _snapshot(settings: "Settings", name: str, changes: "Changes") -> "Snapshot":
    """The campaign as it stands in the live database, of which nothing is changed."""
    import asyncio

    from dialer.clock import SystemClock
    from dialer.forecast.reading import take
    from dialer.ports import Tx
    from dialer.randomness import system_rng
    from dialer.store.viewing import view

    async def use_case(tx: Tx) -> "Snapshot":
        return await take(
            tx,
            name,
            SystemClock(settings.scale).now(),
            calls_per_second=settings.calls_per_second,
            account_calls=settings.max_concurrent,
            schedule_names=changes.schedule_names,
        )

    return asyncio.run(
        view(settings.database, system_rng(), use_case, busy_timeout_s=settings.busy_timeout_s)
    )
