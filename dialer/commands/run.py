"""`dialer run`, `dialer carrier-sim` and `dialer demo`: the processes."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dialer.errors import ExitCode

Json = Annotated[bool, typer.Option("--json", help="End with one JSON object on stdout.")]


def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    public_url: Annotated[
        str | None, typer.Option(help="How the carrier reaches this web server.")
    ] = None,
    calls_per_second: Annotated[
        float | None, typer.Option(help="Calls the account may start per second.")
    ] = None,
    drain_timeout: Annotated[
        float | None, typer.Option(help="Seconds running calls may go on after SIGTERM.")
    ] = None,
) -> None:
    """Run the daemon: it dials, receives callbacks and answers them, until it is told to end.

    SIGTERM or Ctrl-C once: no new calls, running ones may finish. Twice: end at once; the next
    start recovers everything. SIGHUP: read the settings again; SIGUSR1: log what it is at.

    Example: DIALER_PUBLIC_URL=https://dial.example.org dialer run
    """
    from functools import partial

    from dialer.commands.session import settings_of

    read = partial(
        settings_of,
        host=host,
        port=port,
        public_url=public_url,
        calls_per_second=calls_per_second,
        drain_timeout_s=drain_timeout,
    )
    with _reloads_kept():
        from dialer import daemon, logs

        settings = read()
        logs.configure(
            settings.log_format,
            settings.log_level,
            file=Path(settings.log_file) if settings.log_file else None,
            file_mb=settings.log_file_mb,
            secrets=settings.secrets(),
        )
        daemon.run(settings, read)


@contextmanager
def _reloads_kept() -> Iterator[None]:
    """Keep a SIGHUP until the daemon heeds it: it may come before, and would end the process."""
    hang_up = {signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, hang_up)
    try:
        yield
    finally:
        while signal.SIGHUP in signal.sigpending():  # of a daemon that did not come up
            signal.sigwait(hang_up)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, hang_up)


def carrier_sim(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 = any free one.")] = 8091,
    account_sid: Annotated[str | None, typer.Option(help="Account that may call.")] = None,
    auth_token: Annotated[
        str | None, typer.Option(envvar="DIALER_TWILIO_AUTH_TOKEN", help="Its token.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same callees.")] = 1,
    profile: Annotated[str, typer.Option(help="cold_b2b, mixed or warm.")] = "mixed",
    faults: Annotated[
        str, typer.Option(help="none, realistic or harsh, then kinds: realistic,lost=0.1.")
    ] = "none",
    cps: Annotated[float, typer.Option(help="Calls per second; faster ones are queued.")] = 1.0,
    number: Annotated[
        list[str] | None, typer.Option(help="A number of the account; none = every number.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="File that records what really happened.")
    ] = None,
    accept_bound: Annotated[
        float, typer.Option(help="Seconds within which a request is accepted, or never.")
    ] = 30.0,
    time_scale: Annotated[
        str, typer.Option(envvar="DIALER_TIME_SCALE", help="SPEED@EPOCH, as the daemon's.")
    ] = "1",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "warning",
) -> None:
    """Run a carrier that speaks Twilio's protocol and rings nobody.

    It prints one line of JSON with its address, then serves until it is told to end.

    Example: dialer carrier-sim --faults realistic --truth truth.jsonl
    """
    from dialer.carrier_sim.faults import Faults
    from dialer.carrier_sim.main import serve
    from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, SimOptions
    from dialer.carrier_sim.profiles import profile_named
    from dialer.clock import TimeScale
    from dialer.commands.parsing import choice
    from dialer.logs import Level

    serve(
        SimOptions(
            host=host,
            port=port,
            account_sid=account_sid or DEMO_ACCOUNT_SID,
            auth_token=auth_token or DEMO_AUTH_TOKEN,
            seed=seed,
            profile=profile_named(profile),
            faults=Faults.parse(faults),
            cps=cps,
            numbers=tuple(number or ()),
            truth=truth,
            scale=TimeScale.parse(time_scale),
            accept_bound_s=accept_bound,
            log_level=choice("log level", log_level, Level),
        )
    )


def demo(
    contacts: Annotated[int, typer.Option(min=1, help="How many contacts to call.")] = 200,
    seed: Annotated[int, typer.Option(help="Same seed, same callees.")] = 7,
    speed: Annotated[float, typer.Option(min=1, help="Times as fast as life.")] = 120.0,
    profile: Annotated[str, typer.Option(help="cold_b2b, mixed or warm.")] = "mixed",
    faults: Annotated[str, typer.Option(help="Faults of the carrier; see carrier-sim.")] = "none",
    amd: Annotated[
        str, typer.Option(help="Who tells machines: carrier, text, ml, fused or off.")
    ] = "carrier",
    folder: Annotated[Path | None, typer.Option(help="Keep database, truth and logs here.")] = None,
    json_: Json = False,
) -> None:
    """Run a real campaign end to end against the carrier simulator; no account needed.

    The daemon and the simulator run as separate processes. At the end the database is compared
    with what the simulator says really happened, call by call; a difference exits 1.

    A campaign tells machines by their words unless told otherwise. At many times life the words
    would come too late, so here the carrier tells them; slow down to see the words at work.

    Example: dialer demo --contacts 200 --seed 7 --json

    Example: dialer demo --contacts 30 --amd text --speed 8
    """
    from dialer import demo as demonstration
    from dialer.carrier_sim.faults import Faults
    from dialer.carrier_sim.profiles import profile_named
    from dialer.commands.console import emit, say
    from dialer.commands.parsing import choice
    from dialer.model import AmdMode

    profile_named(profile)
    Faults.parse(faults)

    result = demonstration.run(
        demonstration.DemoOptions(
            contacts=contacts,
            seed=seed,
            speed=speed,
            profile=profile,
            faults=faults,
            amd=choice("AMD mode", amd, AmdMode).value,
            folder=folder,
        ),
        say,
    )
    if json_:
        emit(result.as_json())
    else:
        typer.echo(result.as_text())
    if not result.good:
        raise typer.Exit(ExitCode.FAILED)
