"""Which languages to expect on a call."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

#: Networks and assistants speak it in many countries, whatever people speak there.
EVERYWHERE: Final = "en"

#: Languages greetings are spoken in, by ISO 3166 country; English goes without saying.
SPOKEN: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        country: tuple(languages.split())
        for languages, countries in {
            "es": "ES MX AR CO CL PE VE EC GT CU BO DO HN PY SV NI CR PA UY PR GQ US",
            "fr": "FR MC SN CI ML BF NE GN TG BJ CD CG GA HT",
            "de": "DE AT LI",
            "de fr it": "CH",
            "nl": "NL SR",
            "nl fr de": "BE",
            "fr de": "LU",
            "fr ": "CA",
            "it": "IT SM VA",
            "pt": "PT BR AO MZ CV",
            "pl": "PL",
            "ru": "RU BY KZ KG",
            "uk ru": "UA",
            "tr": "TR",
            "sv": "SE",
            "fi sv": "FI",
            "da": "DK GL",
            "nb": "NO",
            "ja": "JP",
            "zh": "CN TW HK MO SG",
            "ko": "KR",
            "hi": "IN",
            "ar": "SA AE EG IQ JO KW LB LY OM QA SY YE BH PS SD",
            "ar fr": "MA DZ TN MR",
            "he ar": "IL",
            "cs": "CZ SK",
            "el": "GR CY",
        }.items()
        for country in countries.split()
    }
)
#: Tags that mean one of our languages: https://www.iana.org/assignments/language-subtag-registry
_ALSO: Final = MappingProxyType(
    {"no": "nb", "nn": "nb", "iw": "he", "cmn": "zh", "yue": "zh", "arb": "ar", "sk": "cs"}
)


def primary(language: str | None) -> str | None:
    """The language of a tag such as ``pt-BR`` or ``en_US``; None when nothing is known."""
    if not language:
        return None
    name = language.replace("_", "-").split("-")[0].strip().lower()
    return _ALSO.get(name, name) or None


def expected(
    language: str | None, country: str | None, known: frozenset[str]
) -> tuple[Sequence[str], bool]:
    """The languages to listen for, the likeliest first, and whether they are known at all.

    *language* is a tag, *country* that of the number; where neither leads to one of the *known*
    languages, anything may be spoken.
    """
    first = primary(language)
    here = SPOKEN.get((country or "").upper(), ())
    found = [each for each in dict.fromkeys((first, *here)) if each in known]
    if first not in known and not here:
        return [EVERYWHERE, *sorted(known - {EVERYWHERE})], False
    return [str(each) for each in dict.fromkeys((*found, EVERYWHERE))], True
