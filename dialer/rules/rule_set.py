"""The rules that are in force: the pack with the operator's changes.

Rules intersect. A country's rule is the floor under its regions', the operator's own rules come on
top, and each holds in every zone in which the callee may be. So a further rule can only close
minutes and tighten caps, in whatever order rules are made; only switching one off opens anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.hours import (
    ALWAYS_OPEN,
    NEVER_OPEN,
    SECOND_MS,
    HolidayProvider,
    Hours,
    Intersection,
    OpeningHours,
    Schedule,
    closing_when_unknown,
)
from dialer.rules.pack import Pack
from dialer.rules.rule import COUNTRY_CALENDAR, EVERYWHERE, OWN_PREFIX, Cap, Rule
from dialer.rules.validity import During
from dialer.suggestions import close_matches, did_you_mean
from dialer.timezones import zone

_LONG_AGO: Final = 0  # UTC ms; nobody asks about times before the clocks of computers
_FOR_EVER: Final = 1 << 62
_LIST: Final = "dialer rules list"


@dataclass(frozen=True, slots=True)
class Changes:
    """What an operator has changed about the pack."""

    own: tuple[Rule, ...] = ()
    off: Mapping[str, str] = field(default_factory=dict, hash=False)  # rule id -> the reason
    on: frozenset[str] = frozenset()  # ids of scoped rules
    made: int = 0  # own rules ever made: an id is not used twice

    def __post_init__(self) -> None:
        object.__setattr__(self, "off", MappingProxyType(dict(self.off)))

    def tightened(self, others: "Changes") -> "Changes":
        """With every own rule of both, only what both have off, and whatever either has on."""
        made = max(self.made, others.made)
        own = list(self.own)
        for rule in others.own:
            if rule in own:
                continue
            if any(rule.id == each.id for each in own):
                made += 1
                rule = replace(rule, id=f"{OWN_PREFIX}{made}")
            own.append(rule)
        off = {id_: why for id_, why in self.off.items() if id_ in others.off}
        return Changes(tuple(own), off, self.on | others.on, made)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A pack and the changes to it; asks and answers are pure."""

    pack: Pack
    changes: Changes = field(default_factory=Changes)

    # -- what binds ------------------------------------------------------------------------------

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule there is, on or off: the pack's, then the operator's own."""
        return self.pack.rules + self.changes.own

    def is_on(self, rule: Rule) -> bool:
        """Whether the rule is in force."""
        if rule.id in self.changes.off:
            return False
        return rule.on_by_default or rule.id in self.changes.on

    def concerning(self, regions: Sequence[str]) -> tuple[Rule, ...]:
        """The rules about callees who may be in any of *regions*, on or off.

        Without a region, and in a country the pack does not know, that is the rule for countries
        without one.
        """
        ids = {rule.id for region in regions or [""] for rule in self._concerning(region)}
        return tuple(rule for rule in self.rules if rule.id in ids)

    def rules_for(self, regions: Sequence[str], day: date | None = None) -> tuple[Rule, ...]:
        """The rules in force for callees who may be in any of *regions*: all of them bind.

        With a *day*, only those that bind on it; without one, those before and after their dates
        are among them.
        """
        return tuple(
            rule
            for rule in self.concerning(regions)
            if self.is_on(rule) and (day is None or rule.binds_on(day))
        )

    def hours_for(
        self, regions: Sequence[str], zones: Sequence[str], holidays: HolidayProvider
    ) -> Hours:
        """When a callee may be called who may be in any of *regions* and any of *zones*.

        It is open when every rule is open in every zone; a rule that names its zone is asked in
        that one. Dates between which rules bind are kept exactly. Without a zone it is never open,
        and without a rule always. A calendar its provider does not know closes all days.
        """
        if not zones:
            return NEVER_OPEN
        countries = sorted({self.pack.country_of(region) for region in regions})
        provider = closing_when_unknown(holidays)
        windows = dict[tuple[Schedule, int, int], Hours]()  # many rules have the same hours
        for rule in self.rules_for(regions):
            if rule.is_closed and not rule.is_dated:
                return NEVER_OPEN
            for name in [rule.zone] if rule.zone else zones:
                schedule = Schedule(name, rule.weekly, calendars=_calendars(rule, countries))
                key = (schedule, *_span(rule, name))
                if key not in windows:
                    windows[key] = _window(*key, provider)
        return Intersection(*windows.values()) if windows else ALWAYS_OPEN

    def caps_for(self, regions: Sequence[str], day: date | None = None) -> tuple[Cap, ...]:
        """The caps on calls to a callee who may be in any of *regions*, shortest period first.

        Of several caps over the same period the lowest stands for all. With a *day*, only rules
        that bind on it count; without one, all do.
        """
        lowest = dict[int, int]()
        for rule in self.rules_for(regions, day):
            for cap in rule.caps:
                lowest[cap.period_s] = min(cap.calls, lowest.get(cap.period_s, cap.calls))
        return tuple(Cap(calls, period_s) for period_s, calls in sorted(lowest.items()))

    def find(self, rule_id: str) -> Rule:
        """The rule of that id; raises NotFoundError with the closest ones."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        hint = did_you_mean(close_matches(rule_id, [rule.id for rule in self.rules]))
        raise NotFoundError(f"there is no rule {rule_id!r}{hint}", next_step=_LIST)

    def without_effect(self) -> tuple[str, ...]:
        """Ids that were switched on or off and that this pack does not have (any more)."""
        known = {rule.id for rule in self.rules}
        return tuple(sorted((self.changes.off.keys() | self.changes.on) - known))

    # -- changes to it ---------------------------------------------------------------------------

    def adding(self, rule: Rule) -> "RuleSet":
        """With *rule* as the operator's last own one; it is given an id of its own.

        Raises UsageError when it would leave no hours together with the rules in force, unless it
        is closed in as many words.
        """
        made = self.changes.made + 1
        own = replace(rule, id=f"{OWN_PREFIX}{made}")
        added = replace(
            self, changes=replace(self.changes, own=(*self.changes.own, own), made=made)
        )
        if not own.is_closed:
            _check_hours_left(added, own)
        return added

    def removing(self, rule_id: str) -> "RuleSet":
        """Without one of the operator's own rules."""
        rule = self.find(rule_id)
        if not rule.is_own:
            raise UsageError(
                f"rule {rule_id!r} comes with the program and cannot be removed; switch it off",
                next_step=f"dialer rules off {rule_id} --reason TEXT",
            )
        own = tuple(each for each in self.changes.own if each.id != rule_id)
        off = _without(self.changes.off, rule_id)
        return replace(self, changes=replace(self.changes, own=own, off=off))

    def switching_off(self, rule_id: str, reason: str) -> "RuleSet":
        """With a rule of no effect, for a *reason* that somebody will want to read one day."""
        rule = self.find(rule_id)
        if not reason.strip():
            raise UsageError(f"rule {rule_id!r} is not switched off without a reason")
        if not self.is_on(rule):
            raise WrongStateError(
                f"rule {rule_id!r} is off already", next_step=f"dialer rules show {rule_id}"
            )
        off = dict(self.changes.off) | {rule_id: reason.strip()}
        on = self.changes.on - {rule_id}
        return replace(self, changes=replace(self.changes, off=off, on=on))

    def switching_on(self, rule_id: str) -> "RuleSet":
        """With a rule in force that was off: by an operator, or because of its scope."""
        rule = self.find(rule_id)
        if self.is_on(rule):
            raise WrongStateError(
                f"rule {rule_id!r} is on already", next_step=f"dialer rules show {rule_id}"
            )
        on = self.changes.on if rule.on_by_default else self.changes.on | {rule_id}
        off = _without(self.changes.off, rule_id)
        return replace(self, changes=replace(self.changes, off=off, on=on))

    def _concerning(self, region: str) -> Iterable[Rule]:
        names = self.pack.names_of(region)
        of_pack = [rule for rule in self.pack.rules if rule.region in names]
        if not any(rule.on_by_default for rule in of_pack):
            of_pack += [rule for rule in self.pack.rules if rule.region == EVERYWHERE]
        own = [rule for rule in self.changes.own if rule.region in names | {EVERYWHERE}]
        return [*of_pack, *own]


def _check_hours_left(rules: RuleSet, own: Rule) -> None:
    """Look for one open instant, in one zone for all rules and holidays aside."""
    regions = [] if own.region == EVERYWHERE else [own.region]
    binding = rules.rules_for(regions)
    windows = [OpeningHours(Schedule(own.zone or "UTC", rule.weekly)) for rule in binding]
    if windows and Intersection(*windows).next_open(0) is None:
        others = ", ".join(rule.id for rule in binding if rule.id != own.id)
        raise UsageError(
            f"with {others} this would leave no hours at all in {own.region}; if nobody there is"
            " to be called, say so",
            next_step=f"dialer rules add '{own.region}' --closed",
        )


def _without(off: Mapping[str, str], rule_id: str) -> dict[str, str]:
    return {known: reason for known, reason in off.items() if known != rule_id}


def _calendars(rule: Rule, countries: Sequence[str]) -> tuple[str, ...]:
    """The calendars whose days are closed, each once, for callees of *countries*."""
    codes = [countries if code == COUNTRY_CALENDAR else [code] for code in rule.holidays]
    return tuple(dict.fromkeys(code for some in codes for code in some))


def _span(rule: Rule, name: str) -> tuple[int, int]:
    """From when until when (UTC ms) a rule binds by the clocks of the zone called *name*."""
    ends = rule.valid_to and rule.valid_to + timedelta(days=1)
    return (
        _midnight(rule.valid_from, name) if rule.valid_from else _LONG_AGO,
        _midnight(ends, name) if ends else _FOR_EVER,
    )


def _midnight(day: date, name: str) -> int:
    return int(datetime.combine(day, time(), zone(name)).timestamp()) * SECOND_MS


def _window(schedule: Schedule, from_at: int, until_at: int, holidays: HolidayProvider) -> Hours:
    hours = OpeningHours(schedule, holidays)
    if (from_at, until_at) == (_LONG_AGO, _FOR_EVER):
        return hours
    return During(hours, from_at, until_at)
