"""Where a callee may be: whose rules count and which clocks, from the number and what is given.

A number tells of a region, not of a point. Each question is therefore answered by *every* zone in
which the number may be, for a call is right only when it is right in all of them; where the answer
would be "nearly anywhere" it is none, and nobody is called.

The library's table of zones, taken as it stands, has people rung an hour early:

- Of an area code that two zones share it often names one: 270 is New York to it, Bowling Green or
  not. Here an area code of North America has the zones of everything below it, a younger code laid
  over it has them too (``_OVERLAYS``), and what is known to be missing is added (``_ALSO``).
- Whoever has no area (mobiles and toll-free numbers of most countries) may be anywhere in the
  country, but in North America that is two dozen countries in 42 zones: there it is nowhere.
- Some zones are those of another country, with another summer time (``_MENDED``).
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Self

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberDesc, PhoneNumberType

from dialer.place import Place
from dialer.timezones import zone_names


def place_of(phone: str, zone: str | None = None) -> Place:
    """Where the callee at an E.164 number may be; *zone* is the contact's own, if one was given.

    The own zone takes the place of the number's. One that is unreadable leaves no zone at all:
    somebody knew better than the number, and what they knew is lost.
    """
    place = _place_of_number(phone)
    if zone is None:
        return place
    return _by_own_zone(place.regions, zone)


def zone_of(phone: str) -> str | None:
    """The zone of the E.164 number, when there is exactly one in which it may be."""
    zones = _place_of_number(phone).zones
    return zones[0] if len(zones) == 1 else None


@lru_cache(maxsize=4096)
def _by_own_zone(regions: tuple[str, ...], zone: str) -> Place:
    return Place(regions, (zone,) if zone in zone_names() else ())


_NOWHERE: Final = Place((), ())


def _place_of_number(phone: str) -> Place:
    digits = phone[1:]
    plan = _plan_of(digits[:3]) if digits.isascii() and digits.isdecimal() else None
    if plan is None:
        return _NOWHERE
    if plan.code == _AMERICA:
        return _in_america(digits[1:4]) if len(digits) == _AMERICAN_LENGTH else _NOWHERE
    return plan.alike or _abroad(plan, digits)


# -- North America --------------------------------------------------------------------------------

_AMERICA: Final = "1"
_AMERICAN_LENGTH: Final = len("12025550123")

#: ISO 3166 has these as countries, too; to the rules they are parts of the United States.
_TERRITORIES: Final = frozenset({"AS", "GU", "MP", "PR", "VI"})

#: Area codes and the older ones over whose land they lie. Of the younger ones the library knows
#: one zone, or too few.
_OVERLAYS: Final[Mapping[str, str]] = {
    "236": "250", "257": "250", "672": "250", "778": "250",  # British Columbia
    "364": "270",  # western Kentucky
    "367": "418", "581": "418",  # eastern Quebec
    "448": "850",  # the Florida panhandle
    "458": "541",  # Oregon
    "879": "709",  # Newfoundland and Labrador
    "930": "812",  # southern Indiana
}  # fmt: skip

#: Zones into which an area code reaches with nothing in the library to tell.
_ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    "306": ("America/Edmonton",),  # Lloydminster keeps Alberta's time
    "402": ("America/Denver",),  # Nebraska's north, towards the sand hills
    "474": ("America/Edmonton",),  # laid over 306
    "432": ("America/Denver",),  # Texas beside El Paso
    "531": ("America/Denver",),  # laid over 402
    "639": ("America/Edmonton",),  # laid over 306
    "807": ("America/Winnipeg",),  # Ontario west of 90°
    "915": ("America/Chicago",),  # El Paso, beside 432
    "931": ("America/New_York",),  # Tennessee, on the line
}


@cache
def _in_america(area_code: str) -> Place:
    states = _states().get(area_code)
    if states is not None:
        return Place(states, _american_zones(area_code))
    region = phonenumbers.region_code_for_number(_a_number_in(area_code))
    if region is None:
        return _NOWHERE
    if region == "US":  # toll-free and the like; or younger than the table, so that a state's
        return Place((region,), ())  # rules would be missed
    if region in _TERRITORIES:
        region = f"US-{region}"
    return Place((region,), _american_zones(area_code))


def _a_number_in(area_code: str) -> PhoneNumber:
    return PhoneNumber(country_code=int(_AMERICA), national_number=int(f"{area_code}2345678"))


def _american_zones(area_code: str) -> tuple[str, ...]:
    """The zones of everything at and below an area code, and at and below the one it lies over."""
    codes = [_AMERICA + code for code in (area_code, _OVERLAYS.get(area_code)) if code]
    found = {zone for code in codes for prefix in _below(code) for zone in _zones()[prefix]}
    also = _ALSO.get(area_code, ())
    return (*_most_numbers_first(found.difference(also), codes[-1]), *also)


@cache
def _states() -> Mapping[str, tuple[str, ...]]:
    """The state of every area code of the United States that lies somewhere."""
    text = files("dialer").joinpath("data", "area_codes.csv").read_text(encoding="utf-8")
    rows = (line.split(",") for line in text.splitlines()[1:])
    return {area_code: tuple(regions.split(" ")) for area_code, regions in rows}


# -- everywhere else ------------------------------------------------------------------------------

_NEVER: Final = "(?!)"


@dataclass(frozen=True, slots=True)
class _Country:
    """A country, by the national numbers it has under its calling code."""

    region: str
    has: re.Pattern[str]  # with a group "area" when the number stays in that of its first digits

    @classmethod
    def of(cls, region: str) -> Self:
        plan = PhoneMetadata.metadata_for_region(region)
        assert plan is not None, "the library lists no country without its plan"
        # Toll-free, shared cost, over the internet and so on.
        adrift = _either(
            plan.premium_rate, plan.toll_free, plan.shared_cost, plan.voip,
            plan.personal_number, plan.pager, plan.uan, plan.voicemail,
        )  # fmt: skip
        mobile_has_area = phonenumbers.is_number_type_geographical(
            PhoneNumberType.MOBILE, phonenumbers.country_code_for_region(region)
        )
        settled = _either(plan.fixed_line, plan.mobile if mobile_has_area else None)
        if plan.leading_digits:  # by them alone a smaller country of a calling code is told
            one_of_them, anything_else = f"(?={plan.leading_digits})", ""
        else:
            one_of_them = rf"(?=(?:{_either(plan.general_desc)})\Z)"
            anything_else = rf"(?:{_either(plan.mobile)})\Z"
        return cls(
            region,
            re.compile(rf"{one_of_them}(?:(?:{adrift})\Z|(?P<area>{settled})\Z|{anything_else})"),
        )


def _either(*kinds: PhoneNumberDesc | None) -> str:
    """A pattern of the numbers of any of these kinds."""
    patterns = [kind.national_number_pattern for kind in kinds if kind is not None]
    return "|".join(f"(?:{pattern})" for pattern in patterns if pattern) or _NEVER


@dataclass(frozen=True, slots=True)
class _Plan:
    """A calling code and the countries that share it."""

    code: str
    countries: tuple[_Country, ...]
    looked_at: int  # the digits, with the code, that the table of zones knows at most
    alike: Place | None  # of all its numbers, when there is but one country and one answer


@lru_cache(maxsize=1000)
def _plan_of(digits: str) -> _Plan | None:
    """The plan of the calling code with which these digits begin."""
    if not digits or digits.startswith("0"):  # which would get lost in the codes' keys
        return None
    for length in (1, 2, 3):  # no code is the beginning of another one
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions is not None:
            return None if regions == ("001",) else _plan(digits[:length], regions)
    return None


@cache
def _plan(code: str, regions: tuple[str, ...]) -> _Plan:
    if code == _AMERICA:
        return _Plan(code, (), 0, None)
    entries = _below(code)
    answers = {_zones()[prefix] for prefix in entries}
    alike = _at(regions[0], code) if len(regions) == len(answers) == 1 else None
    looked_at = max(map(len, entries), default=0)
    return _Plan(code, tuple(map(_Country.of, regions)), looked_at, alike)


def _abroad(plan: _Plan, digits: str) -> Place:
    for country in plan.countries:
        found = country.has.match(digits, len(plan.code))
        if found is not None:
            told = found["area"] is not None
            return _at(country.region, _entry(digits[: plan.looked_at]) if told else plan.code)
    return _NOWHERE


@cache
def _at(region: str, prefix: str) -> Place:
    return Place((region,), _most_numbers_first(_zones().get(prefix, ()), prefix))


@lru_cache(maxsize=10_000)
def _entry(digits: str) -> str:
    """The longest entry of the table of zones with which these digits begin."""
    lengths = range(len(digits), 0, -1)
    return next(digits[:length] for length in lengths if digits[:length] in _zones())


# -- the table of zones ---------------------------------------------------------------------------

_MENDED: Final[Mapping[str, tuple[str, ...]]] = {
    "1474": ("America/Regina",),  # laid over 306; no summer time, unlike Winnipeg
    "1689": ("America/New_York",),  # Orlando, laid over 407
    "211": ("Africa/Juba",),  # an hour behind Nairobi
    "212": ("Africa/Casablanca",),  # not the Canaries' summer time
    "213": ("Africa/Algiers",),  # no summer time, unlike Paris
    "218": ("Africa/Tripoli",),  # no summer time, unlike Bucharest
    "505": ("America/Managua",),  # no summer time, unlike Chicago
    "5632": ("America/Santiago", "Pacific/Easter"),
    "5661": ("America/Punta_Arenas",),
    "5667": ("America/Coyhaique",),
    "569": ("America/Santiago", "America/Punta_Arenas", "Pacific/Easter"),  # mobiles
    "617": ("Australia/Brisbane", "Australia/Sydney"),  # Queensland has no summer time
    "675": ("Pacific/Port_Moresby", "Pacific/Bougainville"),
    "740": ("Europe/Kaliningrad",),  # no summer time, unlike Bucharest
    "7840": ("Europe/Moscow",),
}
"""Prefixes whose zones the library has wrong or not at all, by the countries' zones in tzdata."""

_NOT_RUSSIAN: Final = "Europe/Bucharest"


@cache
def _zones() -> Mapping[str, tuple[str, ...]]:
    """The zones of every prefix that has its own."""
    from phonenumbers.tzdata import TIMEZONE_DATA  # 3,000 prefixes; most commands do without

    known = {
        prefix: tuple(zone for zone in zones if zone in zone_names())
        for prefix, zones in TIMEZONE_DATA.items()
    }
    russia = (*(zone for zone in known["7"] if zone != _NOT_RUSSIAN), "Europe/Kaliningrad")
    return {**known, "7": russia, **_MENDED}


@cache
def _prefixes() -> tuple[str, ...]:
    return tuple(sorted(_zones()))


def _below(prefix: str) -> tuple[str, ...]:
    """The entries at and below a prefix."""
    prefixes = _prefixes()
    return prefixes[bisect_left(prefixes, prefix) : bisect_left(prefixes, f"{prefix}:")]


def _most_numbers_first(zones: Iterable[str], prefix: str) -> tuple[str, ...]:
    """*zones* by how many of the numbers below *prefix* an entry puts there."""
    share = dict.fromkeys(sorted(zones), 0.0)
    for entry in _below(prefix):
        for zone in share.keys() & set(_zones()[entry]):
            share[zone] += 10.0 ** -len(entry)
    return tuple(sorted(share, key=lambda zone: -share[zone]))
