"""`dialer campaign watch` and `dialer campaign wait`: looking at a campaign for a while."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.watching import Frame

WATCH_EXAMPLES: Final = (
    "Examples: dialer campaign watch Renewals · dialer campaign watch Renewals --plain ·"
    " dialer campaign watch Renewals --once --json"
)
WAIT_EXAMPLES: Final = (
    "Examples: dialer campaign wait Renewals --timeout 2h ·"
    " dialer campaign pause Renewals && dialer campaign wait Renewals --until idle"
)
#: A screen is drawn no more often than this, in real seconds.
LEAST_S: Final = 0.25
MOST_S: Final = 3600.0
#: How often `wait` looks, in real seconds.
LOOK_S: Final = 0.5

Name = Annotated[str, typer.Argument(help="Campaign name or id.")]


class Until(StrEnum):
    """What may be waited for."""

    DONE = "done"  # completed
    PAUSED = "paused"
    ACTIVE = "active"
    IDLE = "idle"  # no call is live, and none starts: it is not active, or its hours are over


def watch(
    name: Name,
    plain: Annotated[
        bool, typer.Option("--plain", help="A line for each change; so it is without a terminal.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="One look, and done.")] = False,
    every: Annotated[str, typer.Option(help="How often to look: 0.25s to 1h.")] = "1s",
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay when the campaign is over; else that ends it.")
    ] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="A frame each line, as JSON; with --once just one.")
    ] = False,
) -> None:
    """Watch a campaign live: how far, how fast, why not faster, the newest calls.

    Looking never touches the campaign: q or Ctrl-C leaves, and it goes on. The keys p and r pause
    and resume it.
    """
    import os

    from dialer.commands import watch_run
    from dialer.commands.parsing import duration_s
    from dialer.commands.session import working
    from dialer.errors import UsageError

    every_s = duration_s("every", every)
    if not LEAST_S <= every_s <= MOST_S:
        raise UsageError(f"every: {every!r} is not between 0.25s and 1h")
    manner = watch_run.Manner(every_s, keep)
    screen = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    async def use_case(desk: "Desk") -> None:
        if once:
            await watch_run.once(desk, name, as_json_=json_)
        elif json_ or plain or not screen:
            await watch_run.as_lines(desk, name, manner, as_json_=json_)
        else:
            await watch_run.on_screen(desk, name, manner)

    working(use_case, create=False)


def wait(
    name: Name,
    until: Annotated[
        Until, typer.Option(help="done, paused, active, or idle: no call is live, none starts.")
    ] = Until.DONE,
    timeout: Annotated[
        str | None, typer.Option(help="Give up after this: 10m, 2h; none = never.")
    ] = None,
) -> None:
    """Wait until a campaign is done, paused, active or idle, for scripts.

    Exit 0 when it is; 124 when the time is over; 5 when it can never be.
    """
    import asyncio
    from contextlib import suppress

    from dialer.commands.console import say
    from dialer.commands.parsing import duration_s
    from dialer.commands.session import working
    from dialer.commands.watch_run import Frames
    from dialer.errors import StoreError, UnreachableError, WrongStateError

    timeout_s = duration_s("timeout", timeout) if timeout is not None else None

    async def use_case(desk: "Desk") -> "Frame":
        async with Frames(desk, name) as frames, asyncio.timeout(timeout_s):
            frame = await frames.read()  # what is wrong from the start is said at once
            while True:
                if reached(frame, until):
                    return frame
                if frame.over:
                    raise WrongStateError(
                        f"campaign {frame.name!r} is {frame.status}: it will not be {until}",
                        next_step=f"dialer campaign status {frame.name!r}",
                    )
                await asyncio.sleep(LOOK_S)
                with suppress(StoreError, UnreachableError):
                    frame = await frames.read()

    try:
        frame = working(use_case, create=False)
    except TimeoutError:
        say(f"campaign {name!r} is not {until} after {timeout}")
        raise typer.Exit(ExitCode.TIMED_OUT) from None
    say(f"campaign {frame.name!r} is {'idle' if until is Until.IDLE else frame.status}")


def reached(frame: "Frame", until: Until) -> bool:
    """Whether a campaign is what somebody waits for."""
    from dialer.states import CampaignStatus

    match until:
        case Until.DONE:
            return frame.status is CampaignStatus.COMPLETED
        case Until.PAUSED:
            return frame.status is CampaignStatus.PAUSED
        case Until.ACTIVE:
            return frame.status is CampaignStatus.ACTIVE
        case Until.IDLE:
            starts = frame.status is CampaignStatus.ACTIVE and frame.hours.is_open
            return frame.pace.live == 0 and not starts
