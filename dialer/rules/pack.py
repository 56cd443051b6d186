"""The rules that come with the program: a file of facts with a version, never code."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from dialer.hours_format import parse_weekly
from dialer.rules.rule import Confidence, Rule, Scope, parse_cap

CURRENT_VERSION: Final = "2026-11"
"""The month in which the rules were looked up last; a file has it for its name."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Rules as of a *version*, and the countries whose law holds in other places, too."""

    version: str
    rules: tuple[Rule, ...]
    territories: Mapping[str, str]  # "PR" -> "US"
    subdivisions: Mapping[str, tuple[str, ...]]  # "US" -> "AL", …: those that numbers tell apart

    def country_of(self, region: str) -> str:
        """The country whose law holds in *region*."""
        place = region.partition("-")[0]
        return self.territories.get(place, place)

    def names_of(self, region: str) -> frozenset[str]:
        """Every region a rule may name to hold in *region*: itself, its country, its aliases."""
        place, _, subdivision = region.partition("-")
        country = self.country_of(region)
        names = {region, place, country}
        if place != country:
            names.add(f"{country}-{place}")  # Puerto Rico is PR and US-PR
        if self.territories.get(subdivision) == country:
            names.add(subdivision)
        return frozenset(names)


@cache
def current_pack() -> Pack:
    """The pack of this release."""
    file = files("dialer.rules").joinpath(f"{CURRENT_VERSION}.toml")
    return read_pack(file.read_text(encoding="utf-8"))


def read_pack(text: str) -> Pack:
    """A pack from the text of its file, which is ours: what is wrong in it raises as it comes."""
    form = tomllib.loads(text)
    return Pack(
        version=form["version"],
        rules=tuple(_rule(fields) for fields in form["rule"]),
        territories=MappingProxyType(form["territories"]),
        subdivisions=MappingProxyType(
            {country: tuple(codes.split()) for country, codes in form["subdivisions"].items()}
        ),
    )


def _rule(fields: Mapping[str, Any]) -> Rule:
    """A rule from its table; its id says region and scope, as in ``US-SD/automated``."""
    others = dict(fields)
    region, _, scope = others["id"].partition("/")
    return Rule(
        region=region,
        scope=Scope(scope or Scope.TELEMARKETING),
        weekly=parse_weekly(others.pop("hours")),
        holidays=tuple(others.pop("holidays", ())),
        caps=tuple(parse_cap(text) for text in others.pop("caps", ())),
        confidence=Confidence(others.pop("confidence")),
        **others,
    )
