"""Public holidays by country and subdivision, from the ``holidays`` library.

The library is imported at the first question: it takes longer to load than most commands run.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean

if TYPE_CHECKING:
    from holidays import HolidayBase


def check_calendar(code: str) -> None:
    """Raise :exc:`UsageError` unless *code* names a calendar, as in ``DE`` or ``US-CA``."""
    country, dash, subdivision = code.partition("-")
    subdivisions = _calendars().get(country)
    if subdivisions is None:
        hint = did_you_mean(_countries_like(country))
        raise UsageError(
            f"not a holiday calendar: {code!r} (a country, as in 'DE', or a country and its"
            f" subdivision, as in 'DE-BY'){hint}"
        )
    if dash and subdivision not in subdivisions:
        raise UsageError(_unknown_subdivision(country, subdivision, subdivisions))


def covers(code: str, year: int) -> bool:
    """Whether the library knows the holidays of *year* in calendar *code*."""
    calendar = _calendar(code)
    return calendar.start_year <= year <= calendar.end_year


@lru_cache(maxsize=4096)
def public_holidays(code: str, year: int) -> frozenset[date]:
    """The public holidays of *year* in calendar *code*, observed days beside the actual ones.

    A year the library does not cover is all holidays: not knowing closes, it never opens.
    """
    if not covers(code, year):
        return _every_day_of(year)
    return frozenset(_calendar(code, year))


def _calendar(code: str, *years: int) -> "HolidayBase":
    from holidays import country_holidays

    check_calendar(code)
    country, _, subdivision = code.partition("-")
    return country_holidays(country, subdiv=subdivision or None, years=years or None)


@lru_cache(maxsize=1)
def _calendars() -> dict[str, frozenset[str]]:
    """The subdivisions of every country, by ISO 3166 codes where the library has them."""
    from holidays import list_supported_countries

    supported = list_supported_countries(include_aliases=False)
    return {country: frozenset(subdivisions) for country, subdivisions in supported.items()}


def _countries_like(country: str) -> list[str]:
    """The code behind an alias such as ``UK`` or ``DEU``, else codes spelled like it."""
    from holidays import country_holidays, list_supported_countries

    alias = country.upper()
    if alias in list_supported_countries(include_aliases=True):
        return [country_holidays(alias).country]
    return close_matches(country, _calendars())


def _unknown_subdivision(country: str, subdivision: str, subdivisions: frozenset[str]) -> str:
    what = f"not a holiday calendar: {country + '-' + subdivision!r}"
    if not subdivisions:
        return f"{what}; {country} has no subdivisions, write {country!r}"
    hint = did_you_mean(f"{country}-{code}" for code in close_matches(subdivision, subdivisions))
    return f"{what} ({country} has {' '.join(sorted(subdivisions))}){hint}"


def _every_day_of(year: int) -> frozenset[date]:
    first = date(year, 1, 1)
    days = date(year + 1, 1, 1) - first
    return frozenset(first + timedelta(days=number) for number in range(days.days))
