"""An operator's check that says what the weather says: slow, failing, never, later, or call."""

import asyncio
from typing import Final

from dialer.errors import UnreachableError
from dialer.ports import Clock, Later, MayCall, Never, PreDialAnswer, PreDialCheck, PreDialQuestion
from dialer.settings import Settings
from dialer.simulation.weather import CheckFault, Weather

MS: Final = 1000
#: The longest that somebody is put off, in seconds.
LATEST_S: Final = 60.0


def simulated_check(settings: Settings, weather: Weather, clock: Clock) -> PreDialCheck | None:
    """The check of a daemon whose settings name one."""
    if not settings.pre_dial_check:
        return None

    async def check(_: PreDialQuestion) -> PreDialAnswer:
        if weather.strikes(CheckFault.SLOW):
            # Half of them in time.
            await asyncio.sleep(
                weather.between(CheckFault.SLOW, 0, 2 * settings.pre_dial_timeout_s)
            )
        if weather.strikes(CheckFault.FAILED):
            raise UnreachableError("the check broke down")
        if weather.strikes(CheckFault.NEVER):
            return Never("drawn")
        if weather.strikes(CheckFault.LATER):
            put_off_s = weather.between(CheckFault.LATER, 0.0, LATEST_S)
            return Later(clock.now() + round(put_off_s * MS), "drawn")
        return MayCall()

    return check
