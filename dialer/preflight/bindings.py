"""The calling rules that concern an audience: which bind, which are unsure, which are off."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from dialer.model import AgentKind
from dialer.preflight.audience import Spot
from dialer.rules.rule import EVERYWHERE, Confidence, Rule, Scope
from dialer.rules.rule_set import RuleSet

#: Which scopes are about such calls. Whatever talks, a machine dials.
_SCOPES: Final[Mapping[bool, frozenset[Scope]]] = {
    True: frozenset({Scope.AUTOMATED, Scope.PRERECORDED}),
    False: frozenset({Scope.AUTOMATED}),
}


@dataclass(frozen=True, slots=True)
class Concern:
    """A rule, how many of the audience it is about, and where they may be."""

    rule: Rule
    members: int
    regions: tuple[str, ...]
    off_because: str | None = None  # the operator's reason


@dataclass(frozen=True, slots=True)
class Bindings:
    """What the rules are for an audience; each group by the number of people it is about."""

    binding: Sequence[Concern]
    no_law_found: Sequence[Concern]  # they bind, as a careful choice: nobody has found a text
    low_confidence: Sequence[Concern]  # they bind, and could not be verified
    switched_off: Sequence[Concern]
    hints: Sequence[Concern]  # about calls like these, and not in force


def bindings(rules: RuleSet, agent: AgentKind, found: Sequence[Spot], today: date) -> Bindings:
    """What *rules* are for people at the places of *found*, whose date is about *today*.

    Where an own rule names the region, the operator has decided: nothing there counts as unsure.
    """
    binding = _concerns(rules, found, lambda rule: rules.is_on(rule) and not _is_over(rule, today))
    undecided = [spot for spot in found if not _decided(rules, spot)]
    unsure = _concerns(rules, undecided, lambda rule: rules.is_on(rule) and not rule.is_own)
    about_us = _SCOPES[agent is AgentKind.MESSAGE]
    off = rules.changes.off
    return Bindings(
        binding=binding,
        no_law_found=[each for each in unsure if not each.rule.law_found],
        low_confidence=[
            each
            for each in unsure
            if each.rule.law_found and each.rule.confidence is Confidence.LOW
        ],
        switched_off=_concerns(rules, found, lambda rule: rule.id in off),
        hints=_concerns(
            rules,
            found,
            lambda rule: rule.scope in about_us and not rules.is_on(rule) and rule.id not in off,
        ),
    )


def _concerns(
    rules: RuleSet, found: Sequence[Spot], wanted: Callable[[Rule], bool]
) -> list[Concern]:
    """The wanted rules about anybody in *found*, those about most people first."""
    members: dict[str, int] = {}
    regions: dict[str, dict[str, None]] = {}  # as a set that keeps its order
    known: dict[str, Rule] = {}
    for spot in found:
        for rule in filter(wanted, rules.concerning(spot.place.regions)):
            known[rule.id] = rule
            members[rule.id] = members.get(rule.id, 0) + spot.members
            regions.setdefault(rule.id, {}).update(dict.fromkeys(spot.place.regions))
    return [
        Concern(rule, members[rule.id], tuple(regions[rule.id]), rules.changes.off.get(rule.id))
        for rule in sorted(known.values(), key=lambda rule: (-members[rule.id], rule.id))
    ]


def _decided(rules: RuleSet, spot: Spot) -> bool:
    return any(
        rule.is_own and rule.region != EVERYWHERE for rule in rules.rules_for(spot.place.regions)
    )


def _is_over(rule: Rule, today: date) -> bool:
    """Whether its last day is over wherever the callee is."""
    return rule.valid_to is not None and rule.valid_to < today - timedelta(days=1)
