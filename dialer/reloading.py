"""Reading the configuration again while the daemon runs.

What can change between two calls is applied: how much is logged, how many calls may start, the
addresses and secrets under which the carrier and we know each other. Everything else shapes the
engine or what its attempts rely on, and is named as waiting for a restart. A configuration that
cannot be used changes nothing.
"""

from collections.abc import Callable
from typing import Final

from dialer import logs, pacing
from dialer.app import App, carrier_config, web_from
from dialer.bounds import account_limits
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.errors import DialerError
from dialer.lazy_log import Log
from dialer.meters import NO_METERS
from dialer.settings import Settings
from dialer.web.current import CurrentWeb

log = Log()

#: Applied at once. Not the account or its server: attempts in doubt are looked for there.
APPLIED: Final = frozenset(
    {
        "api_token",
        "calls_per_second",
        "incoming_message",
        "log_level",
        "max_concurrent",
        "public_url",
        "twilio_api_key",
        "twilio_api_secret",
        "twilio_auth_token",
        "twilio_auth_token_previous",
        "webhook_overrides",
    }
)
#: Among them those a client of the carrier's is made of.
_OF_THE_CLIENT: Final = APPLIED - {
    "api_token",
    "calls_per_second",
    "incoming_message",
    "log_level",
    "max_concurrent",
}


class Reloading:
    """Applies what *reread* gives to a running daemon, whose requests *web* answers."""

    def __init__(self, app: App, web: CurrentWeb, reread: Callable[[], Settings]) -> None:
        self._engine = app.engine
        self._reconnect = app.reconnect
        self._meters = app.monitoring.metrics if app.monitoring else NO_METERS
        self._web = web
        self._reread = reread
        self._in_force = app.settings
        self._earlier_urls: list[str] = []

    async def reload(self) -> None:
        """Read the configuration again; every error is logged, and the old values are kept."""
        try:
            read = self._reread()
            logs.hide(read.secrets())
            changed = {
                name
                for name in Settings.model_fields
                if getattr(read, name) != getattr(self._in_force, name)
            }
            applied = {name: getattr(read, name) for name in changed & APPLIED}
            settings = self._in_force.model_copy(update=applied)
            settings.require_carrier()
            carrier_config(settings)  # which says what is wrong with an address
        except DialerError as error:
            log.error("config.refused", error=error.message)
            return
        await self._apply(settings, changed)
        self._meters.settings_loaded(self._engine.clock.now())
        log.info(
            "config.reloaded", applied=sorted(applied), needs_restart=sorted(changed - APPLIED)
        )

    async def _apply(self, settings: Settings, changed: set[str]) -> None:
        logs.set_level(settings.log_level)
        self._engine.claims.allow(account_limits(settings))
        self._meters.lines_limited(settings.max_concurrent)
        self._engine.launcher.space(pacing.per_second(settings.calls_per_second))
        if changed & _OF_THE_CLIENT:
            await self._reconnect(settings)
        config = carrier_config(settings)
        self._engine.errands.reach(config.topic_url)
        # Calls that were placed before are reported on, and signed, at the address they were given.
        self._earlier_urls.append(self._in_force.public_url)
        door = TwilioCallbacks(config, earlier_urls=self._earlier_urls)
        self._web.exchange(web_from(settings, self._engine, door))
        self._in_force = settings
