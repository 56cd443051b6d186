"""Phone numbers as people write them, made E.164 or refused. The one door to ``phonenumbers``.

Nothing is guessed: ringing the wrong person is worse than a row the operator has to mend. What a
spreadsheet has rounded, what holds letters or an extension, and what can be read as two numbers is
refused, even where the library would make a callable number of it.
"""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean
from dialer.timezones import zone_names

#: What stands for "no idea" in the library's tables.
_NO_ZONE: Final = "Etc/Unknown"

#: A leading apostrophe keeps spreadsheets from reading a number as a formula.
_GUARD: Final = re.compile(r"'(?=\+)")
_SCHEME: Final = re.compile(r"tel:", re.IGNORECASE)
#: Marks that phones and mail programs wrap around a copied number: they have no width.
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SCIENTIFIC: Final = re.compile(r"\+?\d+([.,]\d+)?[eE]\+?\d+")
#: Digits in one block and a zero behind a point: a number that was a float. Read with its last
#: zero it would be a different one, of somebody else.
_FLOAT: Final = re.compile(r"\+?\d{7,}[.,]0{1,2}")
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
    number = _parsed(written, region) if _WRITTEN.fullmatch(written) else None
    if number is None:
        raise PhoneError(text, PhoneFault.INVALID, region)
    found = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if "+" not in written and _reads_otherwise(written, region, found):
        raise PhoneError(text, PhoneFault.AMBIGUOUS, region)
    return found


def check_region(region: str) -> str:
    """*region* as the library knows it; :exc:`UsageError` names close ones otherwise."""
    code = region.strip().upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        hint = did_you_mean(close_matches(code, phonenumbers.SUPPORTED_REGIONS))
        raise UsageError(f"not a country of phone numbers: {region!r} (as in DE or US){hint}")
    return code


@lru_cache(maxsize=4096)
def zones_of(phone: str) -> tuple[str, ...]:
    """Every zone in which the E.164 number may be, by its prefix; none when nothing is known."""
    from phonenumbers import timezone  # 3,000 prefixes, which most commands do without

    try:
        number = phonenumbers.parse(phone, None)
    except NumberParseException:
        return ()
    found = timezone.time_zones_for_number(number)
    return tuple(name for name in found if name != _NO_ZONE and name in zone_names())


def zone_of(phone: str) -> str | None:
    """The zone of the E.164 number, when there is exactly one in which it may be."""
    zones = zones_of(phone)
    return zones[0] if len(zones) == 1 else None


def _bare(text: str) -> str:
    """*text* without what only carries a number: guard, scheme, invisible marks, wide letters."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    text = _GUARD.sub("", text.strip(), count=1)
    found = _SCHEME.match(text)
    return text[found.end() :].strip() if found else text


def _parsed(written: str, region: str | None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _reads_otherwise(written: str, region: str, found: str) -> bool:
    """Whether the digits, with a plus before them, are another valid number of the same country."""
    digits = phonenumbers.normalize_digits_only(written)
    if not digits.startswith(str(phonenumbers.country_code_for_region(region))):
        return False
    other = _parsed(f"+{digits}", None)
    return other is not None and phonenumbers.format_number(other, PhoneNumberFormat.E164) != found
