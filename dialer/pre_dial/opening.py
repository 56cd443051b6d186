"""The check that the settings name, ready to be asked."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Final, cast

import aiohttp

from dialer.errors import UsageError
from dialer.ports import Clock, PreDialCheck
from dialer.pre_dial.address import AddressCheck
from dialer.pre_dial.command import CommandCheck
from dialer.pre_dial.sources import Address, Command, EntryPoint, parse
from dialer.suggestions import close_matches, did_you_mean

#: Packages offer checks under this name.
GROUP: Final = "dialer.pre_dial"


@asynccontextmanager
async def opened(
    setting: str,
    clock: Clock,
    *,
    secret: str = "",
    offered: Iterable[metadata.EntryPoint] | None = None,
) -> AsyncIterator[PreDialCheck | None]:
    """The check that *setting* names, None for an empty one.

    Its connections close when the block ends. Raises UsageError for a program or an entry point
    that does not exist. *offered* are the entry points to choose from, else the installed ones.
    """
    source = parse(setting)
    match source:
        case None:
            yield None
        case Command():
            yield CommandCheck(source, clock)
        case EntryPoint():
            yield _loaded(
                source.name, metadata.entry_points(group=GROUP) if offered is None else offered
            )
        case Address():
            # Without a limit of its own: how many are asked at once, and for how long, is ours.
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            ) as session:
                yield AddressCheck(session, source, secret, clock)


def _loaded(name: str, offered: Iterable[metadata.EntryPoint]) -> PreDialCheck:
    points = {point.name: point for point in offered}
    if name not in points:
        hint = did_you_mean(close_matches(name, points))
        raise UsageError(f"no installed package offers {GROUP} {name!r}{hint}")
    try:
        check = points[name].load()
    except Exception as error:
        raise UsageError(f"{GROUP} {name!r} cannot be loaded: {error}") from error
    if not callable(check):
        raise UsageError(f"{GROUP} {name!r} is no function but {type(check).__name__}")
    return cast(PreDialCheck, check)
