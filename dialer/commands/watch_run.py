"""Watching a campaign: frames read again and again, on a screen, as lines or as JSON.

Whoever watches does not touch the campaign, unless they press a key that says so.
"""

import asyncio
import json
import os
import select
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from dialer import campaigns, watching
from dialer.bounds import account_limits
from dialer.commands.console import coloured, one_line, say
from dialer.commands.screen import Line, Look
from dialer.commands.session import Desk, operator
from dialer.commands.showing import plain_glyphs, zone_of_times
from dialer.commands.terminal import LEAVE, RESIZED, SUSPEND, Terminal
from dialer.commands.watch_text import as_json, news
from dialer.commands.watch_view import draw
from dialer.commands.words import Clock
from dialer.errors import DialerError
from dialer.holiday_calendars import public_holidays
from dialer.plans import Plans
from dialer.ports import Database, Tx
from dialer.randomness import system_rng
from dialer.states import CampaignEvent, CampaignStatus
from dialer.store.opening import opened
from dialer.watching import Frame, Silence, Tally

if TYPE_CHECKING:
    from rich.text import Text

#: A screen that has heard nothing for so long says so, in seconds of the deployment's clock.
SILENCE_S: Final = 6.0
#: What is counted over all members is kept for so many times as long as it took, and, where that
#: is worth a thought, for so long at least (real seconds).
SHARE: Final = 20
QUICK_S: Final = 0.02
KEPT_S: Final = 2.0
#: So many calls are read; a screen shows as many of them as it has room for.
CALLS: Final = 60
#: Of a single frame there are so many lines, and columns where there is no terminal.
LINES, COLUMNS = 30, 120
PAUSE_REASON: Final = "from watch"


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody wants to watch."""

    every_s: float
    keep: bool = False  # stay when the campaign is over


class Frames:
    """Reads frames whatever becomes of the database meanwhile. Use as an async context manager."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.name = name
        self._desk = desk
        self._database: Database = desk.database
        self._plans = Plans(public_holidays)
        self._account = account_limits(desk.settings)
        speed = desk.settings.scale.speed
        self._silence = Silence(SILENCE_S * speed, desk.settings.lease_s)
        self._tally: Tally | None = None
        self._tally_until_s = 0.0
        self._failed = False
        self._reopened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._reopened.aclose()

    async def read(self) -> Frame:
        """The campaign at this moment; after an error the database is opened anew."""
        if self._failed:
            await self._reopen()
        try:
            async with self._database.read() as tx:
                return await self._frame(tx)
        except DialerError:
            self._failed = True
            raise

    async def command(self, event: CampaignEvent) -> None:
        """Do what a key says."""
        reason = PAUSE_REASON if event is CampaignEvent.PAUSE else None
        async with self._database.write() as tx:
            await campaigns.move(tx, self.name, event, self._desk.clock.now(), reason=reason)

    async def _frame(self, tx: Tx) -> Frame:
        now = self._desk.clock.now()
        loop = asyncio.get_running_loop()
        if self._tally is None or loop.time() >= self._tally_until_s:
            campaign = await campaigns.find(tx, self.name)
            began_s = loop.time()
            self._tally = await watching.tally(tx, campaign["id"], now)
            took_s = loop.time() - began_s
            kept_s = 0.0 if took_s < QUICK_S else max(KEPT_S, SHARE * took_s)
            self._tally_until_s = loop.time() + kept_s
        return await watching.frame(
            tx,
            self.name,
            now,
            self._plans,
            self._account,
            silence=self._silence,
            calls=CALLS,
            counted=self._tally,
        )

    async def _reopen(self) -> None:
        await self._reopened.aclose()
        settings = self._desk.settings
        self._database = await self._reopened.enter_async_context(
            opened(
                settings.database,
                system_rng(),
                busy_timeout_s=settings.busy_timeout_s,
                actor=operator(settings),
                create=False,
            )
        )
        self._plans = Plans(public_holidays)
        self._tally = None
        self._failed = False


# -- a screen -------------------------------------------------------------------------------------


async def on_screen(desk: Desk, name: str, manner: Manner) -> None:
    """Draw frames on the whole terminal until somebody leaves or the campaign is over."""
    async with Frames(desk, name) as frames:
        frame = await frames.read()  # whatever is wrong with the name is said on a plain terminal
        screen = Screen(frames, frame)
        with Terminal(screen.cover, keys=sys.stdin.isatty()) as terminal:
            await screen.run(terminal, manner)
    say(left_words(screen.frame))


def left_words(frame: Frame) -> str:
    """What becomes of the campaign when nobody looks any more."""
    name = one_line(frame.name)
    if frame.over:
        return f"{name!r} is {frame.status}"
    if frame.held is not None:
        return f"left; everything is held, {name!r} is {frame.status}"
    goes_on = frame.status is CampaignStatus.ACTIVE
    return f"left; {name!r} {'goes on' if goes_on else f'is {frame.status}'}"


class Screen:
    """The last frame that was seen, and what is told beside it."""

    def __init__(self, frames: Frames, frame: Frame) -> None:
        from rich.console import Console
        from rich.live import Live

        self._frames = frames
        self.frame = frame
        self._banner = ""
        self._note = ""
        self._help = False
        self._console = Console(color_system="standard" if coloured() else None)
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def cover(self) -> Callable[[], None]:
        """Take the whole terminal; returns what gives it back."""
        self._live.start()
        return self._live.stop

    async def run(self, terminal: Terminal, manner: Manner) -> None:
        """Draw, and heed keys, until it is time to leave."""
        loop = asyncio.get_running_loop()
        read_at_s = loop.time() + manner.every_s
        while True:
            self._draw(keys=True)
            if self.frame.over and not manner.keep:
                return
            key = await terminal.key(read_at_s - loop.time())
            if key in (LEAVE, "q", "Q"):
                return
            if key == SUSPEND:
                terminal.suspend()
            elif key is not None and key != RESIZED:
                await self._heed(key)
            if key in (None, "p", "r") or loop.time() >= read_at_s:
                await self._read()
                read_at_s = loop.time() + manner.every_s

    async def _heed(self, key: str) -> None:
        self._help = key in ("?", "h") and not self._help
        self._note = ""
        match key:
            case "p":
                await self._command(CampaignEvent.PAUSE, "paused: running calls end; r resumes it")
            case "r":
                await self._command(CampaignEvent.RESUME, "resumed")
            case "e":
                name = shlex.quote(self._frames.name)
                self._note = f"ask: dialer explain PHONE --campaign {name}"

    async def _command(self, event: CampaignEvent, done: str) -> None:
        try:
            await self._frames.command(event)
        except DialerError as error:
            self._note = error.message
        else:
            self._note = done

    async def _read(self) -> None:
        """The next frame; if there is none, the last one stays, and why is said above it."""
        try:
            self.frame = await self._frames.read()
            self._banner = ""
        except DialerError as error:
            self._banner = error.message

    def _draw(self, *, keys: bool) -> None:
        width, height = os.get_terminal_size(sys.stdout.fileno())
        self._console.size = (width, height)
        look = Look(
            width=width,
            height=height,
            clock=clock_of(self.frame),
            plain=plain_glyphs(),
            keys=keys and sys.stdin.isatty(),
            banner=self._banner,
            note=self._note,
            help=self._help,
        )
        self._live.update(_rich(draw(self.frame, look)), refresh=True)


def clock_of(frame: Frame) -> Clock:
    """The frame's moment, in the zone of all times."""
    return Clock(frame.at, zone_of_times())


def _rich(lines: Sequence[Line]) -> "Text":
    from rich.text import Text

    return Text("\n", no_wrap=True, overflow="crop").join(
        Text.assemble(*[(span.text, span.style) for span in line]) for line in lines
    )


# -- lines ----------------------------------------------------------------------------------------


async def once(desk: Desk, name: str, *, as_json_: bool) -> None:
    """A single frame."""
    async with Frames(desk, name) as frames:
        frame = await frames.read()
    if as_json_:
        Pipe().write(_json_line(frame))
        return
    from rich.console import Console

    terminal = sys.stdout.isatty()
    width = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else COLUMNS
    look = Look(width, LINES, clock_of(frame), plain=plain_glyphs(), keys=False)
    console = Console(width=width, color_system="standard" if coloured() else None, highlight=False)
    console.print(_rich(draw(frame, look)))


async def as_lines(desk: Desk, name: str, manner: Manner, *, as_json_: bool) -> None:
    """A line for each change, or a frame each line, until nobody reads them any more."""
    pipe, before = Pipe(), None
    left = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, left.set)
    async with Frames(desk, name) as frames:
        while not left.is_set():
            try:
                frame = await frames.read()
            except DialerError as error:
                if before is None:
                    raise
                say(f"error: {error.message}")
            else:
                lines = [_json_line(frame)] if as_json_ else news(before, frame, clock_of(frame))
                if not pipe.write(*lines):
                    return
                before = frame
                if frame.over and not manner.keep:
                    return
            with suppress(TimeoutError):
                async with asyncio.timeout(manner.every_s):
                    await left.wait()
            if pipe.closed():
                return


def _json_line(frame: Frame) -> str:
    return json.dumps(as_json(frame), ensure_ascii=False, separators=(",", ":"))


class Pipe:
    """Standard output as a stream of lines, to whoever may stop reading them at any time."""

    def write(self, *lines: str) -> bool:
        """Hand lines over at once; False when nobody takes them."""
        try:
            for line in lines:
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # What is left in the buffer must not be tried again when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return False
        return True

    def closed(self) -> bool:
        """Whether the reader has gone, as far as can be seen without writing."""
        try:
            output = sys.stdout.fileno()
        except (OSError, ValueError):  # no file at all
            return False
        poll = select.poll()
        poll.register(output, 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
