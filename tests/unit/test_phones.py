"""Phone numbers: what is understood, and what is refused rather than guessed."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from dialer import phones
from dialer.errors import UsageError
from dialer.phones import PhoneError, PhoneFault, check_region, e164

EXAMPLES = sorted(
    {
        (region, phonenumbers.format_number(number, PhoneNumberFormat.E164))
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in range(11)
        if (number := phonenumbers.example_number_for_type(region, kind))
    }
)


@st.composite
def nearly_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A text much like a number of some country, and the country it is read in."""
    region, phone = draw(st.sampled_from(EXAMPLES))
    digits = list(phone[1:])
    for at in draw(st.lists(st.integers(0, len(digits) - 1), max_size=3)):
        digits[at] = draw(st.sampled_from("0123456789"))
    digits += draw(st.lists(st.sampled_from("0123456789"), max_size=1))
    written = "".join(digits)
    code = str(phonenumbers.country_code_for_region(region))
    start = draw(st.sampled_from(["+", "", "national", "0", "00"]))
    if start == "national":
        start, written = "", written.removeprefix(code)
    return start + written, draw(st.sampled_from([region, region, "US", "DE", "GB"]))


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


@given(nearly_numbers())
def test_the_short_way_finds_what_the_library_finds(written: tuple[str, str]) -> None:
    short = phones._everyday(*written)

    assert short is None or short == phones.parsed(*written)


def test_most_everyday_numbers_take_the_short_way() -> None:
    mobiles = [
        (phonenumbers.format_number(number, PhoneNumberFormat.E164), region)
        for region in ("US", "GB", "DE", "FR", "ES", "IT", "IN", "AU", "BR", "ZA")
        if (number := phonenumbers.example_number_for_type(region, 1))
    ]

    assert [phone for phone, region in mobiles if phones._everyday(phone, region) is None] == []


# -- countries ------------------------------------------------------------------------------------


def test_a_country_is_known_by_its_code() -> None:
    assert check_region(" de ") == "DE"
    with pytest.raises(UsageError, match="not a country of phone numbers: 'GERMANY'"):
        check_region("GERMANY")
