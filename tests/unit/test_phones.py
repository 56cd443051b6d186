"""Phone numbers: what is understood, and what is refused rather than guessed."""

from collections.abc import Callable

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from dialer import phones
from dialer.errors import UsageError
from dialer.phones import PhoneError, PhoneFault, check_region, e164

#: A number of every kind of every country, with the country it was asked of.
EXAMPLES = [
    (region, number)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in sorted(PhoneNumberType.values())
    if (number := phonenumbers.example_number_for_type(region, kind))
]
#: Countries whose ways of writing differ: their prefixes, their ways out, what they share a
#: calling code with, and what the library makes over.
DEFAULTS = [
    "US", "CA", "PR", "JM", "AG", "GB", "JE", "DE", "FR", "IT", "VA", "ES", "SJ", "RU", "KZ", "AU",
    "CX", "BR", "MX", "AR", "CN", "JP", "KR", "IN", "NZ", "SG", "HU", "LT", "BY", "SM", "GA",
]  # fmt: skip
DIGITS = "0123456789"


def notations(number: PhoneNumber, abroad: str = "US") -> list[str]:
    """How people write a number: at home, for abroad, from *abroad*, and with something lost."""
    national = phonenumbers.national_significant_number(number)
    formats = (
        PhoneNumberFormat.E164,
        PhoneNumberFormat.INTERNATIONAL,
        PhoneNumberFormat.NATIONAL,
        PhoneNumberFormat.RFC3966,
    )
    return [
        *(phonenumbers.format_number(number, each) for each in formats),
        phonenumbers.format_out_of_country_calling_number(number, abroad),
        f"00 {number.country_code} {national}",
        f"+{number.country_code} (0) {national}",
        f"{number.country_code}{national}",
        f"0{national}",
        national,
    ]


@st.composite
def nearly_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A text much like a number of some country, and the country it is read in."""
    home, number = draw(st.sampled_from(EXAMPLES))
    region = draw(st.sampled_from([home, home, *DEFAULTS]))
    written = list(draw(st.sampled_from(notations(number, region))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(written) - 1))
        match draw(st.sampled_from(["digit", "digit", "mark", "insert", "leave out"])):
            case "digit" if written[at].isdecimal():
                written[at] = draw(st.sampled_from(DIGITS))
            case "mark" if not written[at].isdecimal():
                written[at] = draw(st.sampled_from(" -./()\t\u2013"))
            case "leave out" if len(written) > 1:
                del written[at]
            case _:
                written.insert(at, draw(st.sampled_from(f"{DIGITS}+( -./x'")))
    return draw(st.sampled_from(["", "", "", "0", "+", "+0"])) + "".join(written), region


def answer(read: Callable[[str, str], str], text: str, region: str) -> str | tuple[PhoneFault, str]:
    """The number, or the fault and its words."""
    try:
        return read(text, region)
    except PhoneError as error:
        return error.fault, error.message


def by_the_library(text: str, region: str) -> str:
    return phones._surely(text, phones._bare(text), region)


# -- read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "region", "phone"),
    [
        ("+4915123456789", "US", "+4915123456789"),
        ("+49 (0) 151 / 23456789", "US", "+4915123456789"),
        ("0151.23456789", "DE", "+4915123456789"),
        ("0049 151 23456789", "DE", "+4915123456789"),
        ("15123456789", "DE", "+4915123456789"),  # a spreadsheet took its zero
        ("(202) 555-0123", "US", "+12025550123"),
        ("12025550123", "US", "+12025550123"),
        ("1 416-555-0123", "CA", "+14165550123"),
        ("(202)\t555-0123", "US", "+12025550123"),
        ("011 49 151 23456789", "US", "+4915123456789"),
        ("202\N{NO-BREAK SPACE}555\N{EN DASH}0123", "US", "+12025550123"),
        ("+44 (0)20 7946 0018", "DE", "+442079460018"),
        ("+39 06 698 12345", "US", "+390669812345"),  # an Italian zero belongs to the number
        ("919876543210", "IN", "+919876543210"),
        ("'+12025550123", "DE", "+12025550123"),
        ("tel:+12025550123", "DE", "+12025550123"),
        ("\u202a+1 202 555 0123\u202c", "DE", "+12025550123"),  # as copied from a phone
        ("＋１２０２５５５０１２３", "DE", "+12025550123"),  # noqa: RUF001  wide letters
        ("٢٠٢٥٥٥٠١٢٣", "US", "+12025550123"),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, region: str, phone: str) -> None:
    assert e164(text, region) == phone


@pytest.mark.parametrize(
    ("text", "region", "fault"),
    [
        ("", "US", PhoneFault.INVALID),
        ("n/a", "US", PhoneFault.INVALID),
        ("911", "US", PhoneFault.INVALID),
        ("555-0123", "US", PhoneFault.INVALID),
        ("1-800-FLOWERS", "US", PhoneFault.INVALID),
        ("0151 23456789 ext 5", "DE", PhoneFault.INVALID),
        ("+1 202 555 0123;ext=5", "US", PhoneFault.INVALID),
        ("+12025550123, +12025550124", "US", PhoneFault.INVALID),
        ("+12025550123\n+12025550124", "US", PhoneFault.INVALID),
        ("+999 123 456", "US", PhoneFault.INVALID),
        ("4.91512E+11", "DE", PhoneFault.ROUNDED),
        ("4,91512345678e11", "DE", PhoneFault.ROUNDED),
        ("491512345678.0", "DE", PhoneFault.ROUNDED),  # with its zero: somebody else
        ("+12025550123.0", "US", PhoneFault.ROUNDED),
        ("+4930123456/7", "DE", PhoneFault.INVALID),  # a line and its neighbour
        ("4915123456789", "DE", PhoneFault.AMBIGUOUS),  # +49 151… or +49 4915…
    ],
)
def test_what_is_not_surely_a_number_is_refused(text: str, region: str, fault: PhoneFault) -> None:
    with pytest.raises(PhoneError) as caught:
        e164(text, region)

    assert caught.value.fault is fault
    assert repr(text) in caught.value.message


@given(nearly_numbers())
def test_a_number_that_was_read_reads_the_same_anywhere(written: tuple[str, str]) -> None:
    try:
        phone = e164(*written)
    except PhoneError:
        return

    assert {e164(phone, region) for region in ("US", "DE", "IT", "AR")} == {phone}


# -- the short way --------------------------------------------------------------------------------


@settings(max_examples=500)
@given(nearly_numbers())
@example(("+049 101234", "DE"))  # the library does not look for a calling code behind a zero
@example(("0001 920-212-3956", "DE"))
@example(("(202) 555-0123", "us"))  # no name of a country
@example(("(112) 025-550123", "US"))
@example(("4915123456789", "DE"))  # a number as it stands, and another one behind a plus
@example(("9123456789", "IN"))  # begins like its calling code, and is not it
@example(("+44 0180020 20 7946 0018", "DE"))  # a longer prefix
@example(("011 15-23045-67896", "AR"))  # a prefix of which the library makes something else
@example(("0800 12 3545", "JE"))  # of the same calling code, but not in that country
@example(("394314234501", "VA"))
@example(("0301234567.0", "DE"))  # a decimal, though with its zero it would be a number
@example((f"+1{300 * ' '}2025550123", "US"))  # too long a text for the library
def test_the_short_way_answers_as_the_library_does(written: tuple[str, str]) -> None:
    text, region = written

    assert answer(e164, text, region) == answer(by_the_library, text, region)


def test_every_kind_of_number_of_every_country_reads_the_same_both_ways() -> None:
    differing = [
        (text, region)
        for home, number in EXAMPLES
        for region in (home, "US")
        for text in notations(number)
        if answer(e164, text, region) != answer(by_the_library, text, region)
    ]

    assert differing == []


@pytest.mark.parametrize(
    "region", ["US", "CA", "GB", "DE", "FR", "ES", "IT", "IN", "AU", "BR", "ZA", "JP", "RU", "KZ"]
)
def test_everyday_numbers_are_read_without_asking_the_library(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    assert number is not None
    phone = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    formats = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
    texts = [phonenumbers.format_number(number, each) for each in formats]
    texts += [f"tel:{phone}", texts[1].replace(" ", "\N{NO-BREAK SPACE}")]
    monkeypatch.setattr(phonenumbers, "parse", None)

    assert {e164(text, region) for text in texts} == {phone}


def test_a_country_that_is_none_has_no_short_way() -> None:
    assert e164("+12025550123", "XX") == "+12025550123"
    with pytest.raises(PhoneError):
        e164("(202) 555-0123", "XX")
    with pytest.raises(PhoneError):
        e164("+210 123 4567", "US")


# -- countries ------------------------------------------------------------------------------------


def test_a_country_is_known_by_its_code() -> None:
    assert check_region(" de ") == "DE"
    with pytest.raises(UsageError, match="not a country of phone numbers: 'GERMANY'"):
        check_region("GERMANY")
