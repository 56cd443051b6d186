"""When callees may be called by the rules of where they are, worked out once per place."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dialer.errors import DialerError
from dialer.hours import NEVER_OPEN, HolidayProvider, Hours
from dialer.lazy_log import Log
from dialer.place import Place
from dialer.rules.rule import Cap, Rule
from dialer.rules.rule_set import RuleSet
from dialer.timezones import zone

log = Log()

MS: Final = 1000
#: In place of a key: where the callee may be has not been worked out.
UNLOCATED: Final = ""


@dataclass(frozen=True, slots=True)
class Window:
    """When callees who may be at one place may be called, and how often at the most."""

    place: Place
    hours: Hours  # open when every rule is, in every zone
    caps: tuple[Cap, ...]


class Windows:
    """The windows of one set of rules, by the key of the place."""

    def __init__(self, rules: RuleSet, holidays: HolidayProvider) -> None:
        self._rules = rules
        self._holidays = holidays
        self._known: dict[str, Window] = {UNLOCATED: Window(Place((), ()), NEVER_OPEN, ())}

    def of(self, window_key: str) -> Window:
        """The window of members with that key; one that cannot be read is never open."""
        window = self._known.get(window_key)
        if window is None:
            try:
                window = self._window(Place.from_key(window_key))
            except (DialerError, ValueError) as error:
                log.error("place.unreadable", window_key=window_key, error=str(error))
                window = self._known[UNLOCATED]
            self._known[window_key] = window
        return window

    def rules_at(self, place: Place, at: int) -> tuple[Rule, ...]:
        """The rules that bind at an instant for callees who may be at a place."""
        days = {datetime.fromtimestamp(at / MS, zone(name)).date() for name in place.zones}
        binding = [self._rules.rules_for(place.regions, day) for day in sorted(days)]
        return tuple(dict.fromkeys(rule for rules in binding for rule in rules))

    def _window(self, place: Place) -> Window:
        hours = self._rules.hours_for(place.regions, place.zones, self._holidays)
        return Window(place, hours, self._rules.caps_for(place.regions))
