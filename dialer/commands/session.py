"""One command's time with the database: open it, run one use case, close it.

What takes long to import is imported when a command runs, so that help and mistyped commands
answer at once.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dialer.commands import presentation
from dialer.ports import Clock, Database, Tx

if TYPE_CHECKING:
    from dialer.carriers.twilio import TwilioCarrier
    from dialer.erased import ErasedPhones
    from dialer.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a use case works with that needs more than one transaction."""

    settings: "Settings"
    database: Database
    clock: Clock


def settings_of(**flags: Any) -> "Settings":
    """The deployment's settings, with this command's *flags* on top."""
    from dialer.settings import load

    asked = presentation.current()
    settings = load(asked.config, database=asked.database, **flags)
    asked.deployment_zone = settings.default_zone
    return settings


def operator(settings: "Settings") -> str:
    """Who runs this command: as set, or the operating system's user at this machine."""
    import getpass
    import os
    import socket

    if settings.actor:
        return settings.actor
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user may have no name
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def erased_phones(settings: "Settings") -> "ErasedPhones":
    """Who was erased; the key they are known by is read when there is anybody."""
    from functools import cache

    from dialer.erased import ErasedPhones, PhoneKey
    from dialer.store.phone_key import phone_key

    @cache
    def key() -> PhoneKey:
        return phone_key(
            settings.database,
            settings.privacy_key.get_secret_value(),
            settings.privacy_key_file,
        )

    return ErasedPhones(key)


def carrier_of(settings: "Settings", clock: Clock) -> "TwilioCarrier":
    """The carrier, for a command that asks it something; raises CredentialsError without
    credentials.
    """
    from dialer.app import carrier_config
    from dialer.carriers.twilio import TwilioCarrier

    settings.require_carrier()
    return TwilioCarrier(carrier_config(settings), clock)


def past_of(text: str, settings: "Settings") -> int:
    """The time (UTC ms) that an option such as ``--since`` looks back to; see ``parsing.past``."""
    from dialer.clock import SystemClock
    from dialer.commands.parsing import past

    return past(text, SystemClock(settings.scale).now())


def reading(use_case: Callable[[Tx, int], Awaitable[T]]) -> T:
    """Run *use_case* (transaction, now) on committed data."""

    async def main(desk: Desk) -> T:
        async with desk.database.read() as tx:
            return await use_case(tx, desk.clock.now())

    return working(main, create=False)


def writing(use_case: Callable[[Tx, int], Awaitable[T]]) -> T:
    """Run *use_case* (transaction, now) in one transaction: all of it happens, or nothing."""

    async def main(desk: Desk) -> T:
        async with desk.database.write() as tx:
            return await use_case(tx, desk.clock.now())

    return working(main, whole=True)


def working(
    use_case: Callable[[Desk], Awaitable[T]], *, create: bool = True, whole: bool = False
) -> T:
    """Run *use_case* with the database open, which it divides into transactions itself.

    A database that is not there is made, and said to be, only where *create* allows it: a
    question about a mistyped path must not be answered from a new and empty one. A *whole* one
    writes in one transaction, so that it can be tried out and taken back, and leaves no new
    database behind when it fails.
    """
    import asyncio

    from dialer import lazy_log

    settings = settings_of()
    lazy_log.before_first_line(partial(_set_log_up, settings.log_format))
    dry_run = presentation.current().dry_run

    made: list[str] = []

    async def main(name: str) -> T:
        from dialer.clock import SystemClock
        from dialer.commands.console import say
        from dialer.randomness import system_rng
        from dialer.store.opening import opened

        async with opened(
            name,
            system_rng(),
            busy_timeout_s=settings.busy_timeout_s,
            actor=operator(settings),
            create=create and not dry_run,
            on_create=made.append,
        ) as database:
            clock = SystemClock(settings.scale)
            if not dry_run:
                return await use_case(Desk(settings, database, clock))
            from dialer.commands.rehearsing import Rehearsal

            found = await use_case(Desk(settings, Rehearsal(database, whole=whole), clock))
            say("this was a dry run: nothing was changed")
            return found

    from dialer.commands.console import say
    from dialer.store.naming import shown
    from dialer.store.opening import made_apart

    apart = whole and create and not dry_run
    with (made_apart if apart else nullcontext)(settings.database) as name:
        found = asyncio.run(main(name))
    if made:
        say(f"made a new database: {shown(settings.database)}")
    return found


def _set_log_up(log_format: str) -> None:
    from dialer import logs

    logs.configure_command(log_format)
