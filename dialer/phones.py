"""Phone numbers as people write them, made E.164 or refused.

Nothing is guessed: ringing the wrong person is worse than a row the operator has to mend. What a
spreadsheet has rounded, what holds letters or an extension, and what can be read as two numbers is
refused, even where the library would make a callable number of it.

The library takes its time: most of a long import would be spent in it. So what is written the
everyday way is first matched against the library's own patterns (:class:`_Country`), and only what
they do not settle is given to the library. Property tests hold the two ways to the same answers.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberDesc,
    PhoneNumberFormat,
)

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
_WRITTEN: Final = re.compile(r"\(?\+?[\d ().\-/\u2010-\u2015\u2212]+")
#: The same without what needs a second look: slashes, other scripts, decimals and endless texts.
_PLAIN: Final = re.compile(
    r"(?!\+?\d+\.0{1,2}\Z)\(?\+?[0-9 ().\-\u2010-\u2015\u2212]{4,50}", re.ASCII
)
_MARKS: Final = str.maketrans("", "", " ().-\u2010\u2011\u2012\u2013\u2014\u2015\u2212")


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
    if _PLAIN.fullmatch(written):
        found = _everyday(written.translate(_MARKS), region)
        if found is not None:
            return found
    return _surely(text, written, region)


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
    text = text.replace("\t", " ").strip()
    if "'" in text:
        text = _GUARD.sub("", text, count=1)
    found = _SCHEME.match(text)
    return text[found.end() :].strip() if found else text


def _surely(text: str, written: str, region: str) -> str:
    """What the library reads in *text*, whose bare form is *written*, when it is surely that."""
    if _SCIENTIFIC.fullmatch(written) or _FLOAT.fullmatch(written):
        raise PhoneError(text, PhoneFault.ROUNDED, region)
    if not _WRITTEN.fullmatch(written) or _TWO_ENDS.search(written):
        raise PhoneError(text, PhoneFault.INVALID, region)
    found = parsed(written, region)
    if found is None:
        raise PhoneError(text, PhoneFault.INVALID, region)
    if "+" not in written and _reads_otherwise(written, region, found):
        raise PhoneError(text, PhoneFault.AMBIGUOUS, region)
    return found


def _formatted(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _reads_otherwise(written: str, region: str, found: str) -> bool:
    """Whether the digits, with a plus before them, are another valid number of the same country."""
    digits = phonenumbers.normalize_digits_only(written)
    if not digits.startswith(str(phonenumbers.country_code_for_region(region))):
        return False
    return parsed(f"+{digits}", None) not in (None, found)


# -- the short way --------------------------------------------------------------------------------

_NEVER: Final = "(?!)"


@dataclass(frozen=True, slots=True)
class _Country:
    """How numbers are written in a country, in patterns made of the library's own.

    What they settle, the library reads in the same way; what they do not settle is no less a
    number, and the library has to be asked.
    """

    code: str
    abroad: re.Pattern[str]  # the way out of the country
    overall: re.Pattern[str]  # any national number
    opening: re.Pattern[str]  # the prefix that is left out from abroad, before such a number
    valid: re.Pattern[str]  # from here on: a number of any country that has the calling code

    def national(self, digits: str, at: int = 0) -> str | None:
        """The national number in *digits* from *at* on, if it is settled that it is one."""
        opening = self.opening.match(digits, at)
        if opening is None or self.valid.match(digits, opening.end()) is None:
            return None
        return digits[opening.end() :]


def _everyday(digits: str, region: str) -> str | None:
    """The number that these digits, maybe after a plus, are; None when that is not settled."""
    if digits.startswith("+"):
        return _international(digits[1:])
    country = _country(region)
    if country is None:
        return None
    way_out = country.abroad.match(digits)
    if digits.startswith(country.code):
        return None if way_out else _without_its_plus(digits, country)
    if way_out:
        return _international(digits[way_out.end() :])
    national = country.national(digits)
    return None if national is None else f"+{country.code}{national}"


def _international(digits: str) -> str | None:
    country = _called(digits[:3])
    national = None if country is None else country.national(digits, len(country.code))
    return None if country is None or national is None else f"+{country.code}{national}"


def _without_its_plus(digits: str, country: _Country) -> str | None:
    """The number with the calling code in front, unless all of it may be a national one."""
    national = digits.removeprefix(country.code)
    if country.overall.fullmatch(digits) or country.national(national) != national:
        return None
    whole = f"+{digits}"
    return whole if _international(digits) == whole else None


@lru_cache(maxsize=512)
def _country(region: str) -> _Country | None:
    """A country by its two letters; None when the library has no plan of it."""
    if region not in phonenumbers.SUPPORTED_REGIONS:
        return None
    plan = PhoneMetadata.metadata_for_region(region)
    assert plan is not None, "the library supports no country without its plan"
    assert plan.general_desc is not None, "every plan says what its numbers are like"
    dropped = re.compile(plan.national_prefix_for_parsing or _NEVER)
    overall = _whole(plan.general_desc, plan.general_desc)
    # A prefix from which the library makes something else of the number captures a part of it.
    made_over = "".join(f"(?({group})(?!))" for group in range(1, dropped.groups + 1))
    return _Country(
        code=str(phonenumbers.country_code_for_region(region)),
        abroad=re.compile(plan.international_prefix or _NEVER),
        overall=re.compile(plan.general_desc.national_number_pattern or _NEVER),
        opening=re.compile(f"(?>{dropped.pattern}|){made_over}(?={overall})"),
        valid=_valid(phonenumbers.country_code_for_region(region)),
    )


@cache
def _called(digits: str) -> _Country | None:
    """The first of the countries with whose calling code these three digits begin."""
    if not digits or digits.startswith("0"):  # which would get lost in the codes' keys
        return None
    for length in (1, 2, 3):  # no code is the beginning of another one
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions is not None:
            return _country(regions[0])
    return None


@cache
def _valid(code: int) -> re.Pattern[str]:
    """The valid national numbers under a calling code, up to the end of the text.

    As the library does, each number is held against one country only: the first to which its
    leading digits belong or, where a country has none, the first in which it is valid.
    """
    numbers, elsewhere = [], _NEVER
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        plan = PhoneMetadata.metadata_for_region(region)
        assert plan is not None, "the library lists no country without its plan"
        leading = plan.leading_digits or ""
        numbers.append(f"(?!{elsewhere})(?={leading})(?:{_of_any_kind(plan)})")
        elsewhere += f"|{leading}" if leading else ""
    return re.compile("|".join(numbers))


def _of_any_kind(plan: PhoneMetadata) -> str:
    """A pattern of texts that are nothing but a number in use in a country, frequent ones first."""
    overall = plan.general_desc
    assert overall is not None, "every plan says what its numbers are like"
    kinds = (
        plan.mobile, plan.fixed_line, plan.voip, plan.toll_free, plan.shared_cost,
        plan.premium_rate, plan.personal_number, plan.pager, plan.uan, plan.voicemail,
    )  # fmt: skip
    patterns = (
        _whole(kind, overall) for kind in kinds if kind is not None and kind.national_number_pattern
    )
    # Fixed and mobile numbers of some countries are alike: once is enough.
    return f"(?={_whole(overall, overall)})(?:{'|'.join(dict.fromkeys(patterns))})"


def _whole(kind: PhoneNumberDesc, overall: PhoneNumberDesc) -> str:
    """A pattern of texts that are nothing but a number of this kind, in one of its lengths."""
    lengths = "|".join(
        rf"\d{{{length}}}" for length in kind.possible_length or overall.possible_length
    )
    return rf"(?=(?:{lengths})\Z)(?:{kind.national_number_pattern})\Z"
