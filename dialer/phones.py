"""Phone numbers as people write them, made E.164 or refused.

Nothing is guessed: ringing the wrong person is worse than a row the operator has to mend. What a
spreadsheet has rounded, what holds letters or an extension, and what can be read as two numbers is
refused, even where the library would make a callable number of it.

The library takes its time: most of a long import would be spent in it. So the everyday numbers of
a country are recognised by the library's own patterns, asked directly (:class:`_Everyday`); only
what they do not settle is parsed. A property test compares the two ways.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, Self

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberFormat

from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean

#: A leading apostrophe keeps spreadsheets from reading a number as a formula.
_GUARD: Final = re.compile(r"'(?=\+)")
_SCHEME: Final = re.compile(r"tel:", re.IGNORECASE)
#: Marks that phones and mail programs wrap around a copied number: they have no width.
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SCIENTIFIC: Final = re.compile(r"\+?\d+([.,]\d+)?[eE]\+?\d+")
#: Digits in one block and a zero behind a point: a number that was a float. Read with its last
#: zero it would be a different one, of somebody else.
_FLOAT: Final = re.compile(r"\+?\d{7,}[.,]0{1,2}")
#: A line and its neighbour, as in 12345/6: two numbers, or one with an extension.
_TWO_ENDS: Final = re.compile(r"\d{4}\s*/\s*\d{1,2}$")
#: What separates the cells of a row that could not be read as one.
_SEPARATED: Final = re.compile(r"[,;|\n\"]")
_ROUNDED_TO: Final = re.compile(r"(?<=\d{7})[.,]0{1,2}$")
#: No number that is called has fewer digits with its country, nor without it than four.
_CALLABLE: Final = re.compile(r"(?:\d\D*){4}")
_WRITTEN: Final = re.compile(r"\(?\+?[\d \t().\-/\u2010-\u2015\u2212]+")


class PhoneFault(StrEnum):
    """Why a text is no number to call."""

    INVALID = "invalid_phone"  # no such number, as far as the numbering plan tells
    ROUNDED = "rounded_phone"  # a spreadsheet made it a decimal and may have lost digits
    AMBIGUOUS = "ambiguous_phone"  # a number here with, another one there without a plus


class PhoneError(UsageError):
    """A text that is no number to call; *fault* says why."""

    def __init__(self, text: str, fault: PhoneFault, region: str) -> None:
        super().__init__(f"{text!r} {_EXPLAINED[fault].format(region=region)}")
        self.fault = fault


_EXPLAINED: Final = {
    PhoneFault.INVALID: "is not a phone number (of {region}, unless it begins with + and its"
    " country)",
    PhoneFault.ROUNDED: "was rounded by a spreadsheet; make its column text and export it again",
    PhoneFault.AMBIGUOUS: "may be a number of {region} or one that lost its +; write it with +",
}


def e164(text: str, region: str) -> str:
    """The number written in *text* as E.164; :exc:`PhoneError` when it is not surely one.

    *region* (two letters, ISO 3166) is where numbers without a country are.
    """
    written = _bare(text)
    if _SCIENTIFIC.fullmatch(written) or _FLOAT.fullmatch(written):
        raise PhoneError(text, PhoneFault.ROUNDED, region)
    if not _WRITTEN.fullmatch(written) or _TWO_ENDS.search(written):
        raise PhoneError(text, PhoneFault.INVALID, region)
    found = _everyday(written, region) or parsed(written, region)
    if found is None:
        raise PhoneError(text, PhoneFault.INVALID, region)
    if "+" not in written and _reads_otherwise(written, region, found):
        raise PhoneError(text, PhoneFault.AMBIGUOUS, region)
    return found


def parsed(text: str, region: str | None) -> str | None:
    """What the library makes of *text*, as E.164; None when that is no valid number."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    return _formatted(number) if phonenumbers.is_valid_number(number) else None


def readings(text: str, region: str) -> frozenset[str]:
    """Every number, as E.164, that *text* may be taken for or hold, for whoever must not keep it.

    Unlike :func:`e164` it takes what was rounded, what lost its plus and what has an extension.
    """
    found = set[str | None]()
    for part in filter(_CALLABLE.search, _SEPARATED.split(_bare(text))):
        whole = _ROUNDED_TO.sub("", part)
        digits = phonenumbers.normalize_digits_only(whole)
        found.update((parsed(whole, region), parsed(digits, region), parsed(f"+{digits}", None)))
    return frozenset(number for number in found if number is not None)


def country_and_rest(phone: str) -> tuple[str, str]:
    """The country code and the national digits of an E.164 number."""
    number = phonenumbers.parse(phone, None)
    return str(number.country_code), phonenumbers.national_significant_number(number)


def check_region(region: str) -> str:
    """*region* as the library knows it; :exc:`UsageError` names close ones otherwise."""
    code = region.strip().upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        hint = did_you_mean(close_matches(code, phonenumbers.SUPPORTED_REGIONS))
        raise UsageError(f"not a country of phone numbers: {region!r} (as in DE or US){hint}")
    return code


def _bare(text: str) -> str:
    """*text* without what only carries a number: guard, scheme, invisible marks, wide letters."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    text = _GUARD.sub("", text.strip(), count=1)
    found = _SCHEME.match(text)
    return text[found.end() :].strip() if found else text


def _formatted(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _reads_otherwise(written: str, region: str, found: str) -> bool:
    """Whether the digits, with a plus before them, are another valid number of the same country."""
    digits = phonenumbers.normalize_digits_only(written)
    if not digits.startswith(str(phonenumbers.country_code_for_region(region))):
        return False
    return parsed(f"+{digits}", None) not in (None, found)


# -- the short way --------------------------------------------------------------------------------

_MARKS: Final = str.maketrans("", "", " \t().-/")
_NEVER: Final = re.compile("(?!)")


@dataclass(frozen=True, slots=True)
class _Everyday:
    """The fixed-line and mobile numbers of the first country of a calling code.

    Sufficient, not necessary: what matches is valid and read digit by digit, what does not match
    is left to the library.
    """

    code: str
    dropped: re.Pattern[str]  # what the library may take for a prefix and leave out
    abroad: re.Pattern[str]  # what it may take for the way out of the country
    kinds: tuple[tuple[tuple[int, ...], re.Pattern[str]], ...]

    @classmethod
    def of(cls, region: str) -> Self:
        plan = PhoneMetadata.metadata_for_region(region)
        assert plan is not None, "the library lists no country without its plan"
        overall = plan.general_desc
        assert overall is not None, "every plan says what its numbers are like"
        return cls(
            code=str(plan.country_code),
            dropped=_pattern(plan.national_prefix_for_parsing),
            abroad=_pattern(plan.international_prefix),
            kinds=tuple(
                (
                    kind.possible_length or overall.possible_length,
                    # Of both, as the library asks: a number of its kind, and of the country.
                    re.compile(
                        f"(?=(?:{overall.national_number_pattern})\\Z)"
                        f"(?:{kind.national_number_pattern})"
                    ),
                )
                for kind in (plan.fixed_line, plan.mobile)
                if kind is not None and kind.national_number_pattern
            ),
        )

    def has(self, national: str) -> bool:
        """Whether the digits behind the calling code are such a number as they stand."""
        return self.dropped.match(national) is None and any(
            len(national) in lengths and pattern.fullmatch(national)
            for lengths, pattern in self.kinds
        )


def _everyday(written: str, region: str) -> str | None:
    """The number when it is an everyday one; None when the library has to be asked."""
    digits = written.translate(_MARKS)
    if not digits.isascii():  # digits of other scripts are digits to the patterns, too
        return None
    if digits.startswith("+"):
        for plan in map(_plan, (digits[1:2], digits[1:3], digits[1:4])):
            if plan is not None:
                return digits if plan.has(digits[1 + len(plan.code) :]) else None
        return None
    plan = _plan_of(region)
    if plan is None or digits.startswith(plan.code) or plan.abroad.match(digits):
        return None
    return f"+{plan.code}{digits}" if plan.has(digits) else None


@cache
def _plan(code: str) -> _Everyday | None:
    """The plan of a calling code; of those that countries share, its first country's."""
    if not (code.isascii() and code.isdecimal()) or str(int(code)) != code:
        return None
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ("001",))
    first = PhoneMetadata.metadata_for_region(regions[0]) if regions[0] != "001" else None
    return None if first is None or first.leading_digits else _Everyday.of(regions[0])


@cache
def _plan_of(region: str) -> _Everyday | None:
    """The plan of a country, unless it shares its calling code and is not the first."""
    plan = _plan(str(phonenumbers.country_code_for_region(region)))
    regions = () if plan is None else phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(plan.code)]
    return plan if region in regions[:1] else None


def _pattern(text: str | None) -> re.Pattern[str]:
    return _NEVER if text is None else re.compile(text)
