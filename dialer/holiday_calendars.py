"""Public holidays by country and subdivision, from the ``holidays`` library.

The library is imported at the first question: it takes longer to load than most commands run.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean

if TYPE_CHECKING:
    from holidays import HolidayBase

#: Names are asked for in English; a calendar that has none gives them in its own language.
_LANGUAGE: Final = "en_US"
_WORD_OF_A_CLASS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Found:
    """A calendar of the library: how a schedule names it, and what of."""

    code: str
    name: str


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


def named_holidays(code: str, year: int) -> Mapping[date, str]:
    """The public holidays of *year* by name, in order; observed days say that they are.

    Raises :exc:`UsageError` for a year the library does not cover.
    """
    if not covers(code, year):
        known = _calendar(code)
        raise UsageError(
            f"the holidays of {code} in {year} are not known, only those from"
            f" {known.start_year} to {known.end_year}; a schedule that names {code} is closed then"
        )
    return dict(sorted(_calendar(code, year).items()))


def search(text: str) -> Sequence[Found]:
    """The countries and subdivisions with a word in their names that begins with *text*.

    Countries come first and are known by English names, subdivisions by their own (``Bayern``).
    Letters match in either case and without their accents. A country that *text* is the code or
    the whole name of comes before all others, with all its subdivisions.
    """
    wanted = _plain(text)
    meant = {
        found.code
        for found, words in _directory()
        if "-" not in found.code and wanted in (found.code.casefold(), *words)
    }
    matches = [
        found
        for found, words in _directory()
        if wanted == found.code.casefold()
        or found.code.partition("-")[0] in meant
        or any(f" {wanted}" in f" {word}" for word in words)
    ]
    return sorted(matches, key=lambda found: found.code.partition("-")[0] not in meant)


def names_like(text: str) -> Sequence[Found]:
    """The countries and subdivisions whose names are spelled most like *text*."""
    by_word = {word: found for found, words in _directory() for word in words}
    return [by_word[word] for word in close_matches(_plain(text), by_word)]


def _calendar(code: str, *years: int) -> "HolidayBase":
    from holidays import country_holidays

    check_calendar(code)
    country, _, subdivision = code.partition("-")
    return country_holidays(
        country, subdiv=subdivision or None, years=years or None, language=_LANGUAGE
    )


@lru_cache(maxsize=1)
def _directory() -> Sequence[tuple[Found, frozenset[str]]]:
    """Every calendar with the words it may be found by; reading it loads every country."""
    from holidays.registry import COUNTRIES

    names = {code: _spaced(name) for name, code, *_ in COUNTRIES.values()}
    countries = [Found(code, names[code]) for code in sorted(_calendars())]
    subdivisions = [
        (Found(f"{code}-{subdivision}", f"{max(aliases, key=len)}, {names[code]}"), aliases)
        for code in sorted(_calendars())
        for subdivision, aliases in _subdivision_names(code).items()
    ]
    return [
        *((found, _words(found.name)) for found in countries),
        *((found, _words(*aliases)) for found, aliases in subdivisions),
    ]


def _subdivision_names(country: str) -> Mapping[str, Sequence[str]]:
    if not _calendars()[country]:
        return {}
    known: Mapping[str, Sequence[str]] = _calendar(country).get_subdivision_aliases()
    return {code: aliases or (code,) for code, aliases in sorted(known.items())}


def _plain(text: str) -> str:
    """*text* for comparing: lower case, accents off, one blank between words."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(each for each in letters if not unicodedata.combining(each)).split())


def _words(*names: str) -> frozenset[str]:
    return frozenset(_plain(name) for name in names)


def _spaced(class_name: str) -> str:
    """``UnitedStates`` as people write it."""
    return _WORD_OF_A_CLASS.sub(" ", class_name)


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
