"""A number is found however it is written, and nobody else's is taken for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.erased import PREFIX, PhoneKey
from dialer.erasure import GONE, Mention
from dialer.masking import mask
from dialer.phones import country_and_rest

KEY = PhoneKey(b"k" * 32)
OTHER_KEY = PhoneKey(b"o" * 32)
PHONE = "+12025550143"


@pytest.mark.parametrize(
    ("phone", "written"),
    [
        (PHONE, "+12025550143"),
        (PHONE, "12025550143"),
        (PHONE, "0012025550143"),
        (PHONE, "2025550143"),
        (PHONE, "+1 (202) 555-0143"),
        (PHONE, "(202)555.0143"),
        (PHONE, "202 \u2013 555 \u2013 0143"),
        (PHONE, "+1\u00a0202\u00a0555\u00a00143"),
        ("+4915123456789", "0151 23456789"),
        ("+4915123456789", "+49 (0) 151/23456789"),
        ("+3545550143", "555-0143"),
        ("+3545550143", "+354 555 0143"),
        ("+74951234567", "84951234567"),
        ("+74951234567", "8 (495) 123-45-67"),
        ("+442079460958", "011442079460958"),
        ("+442079460958", "011 44 20 7946 0958"),
        ("+33612345678", "06\u202f12\u202f34\u202f56\u202f78"),
        ("+33612345678", "06\u200912\u2009\u221234 56 78"),
        (PHONE, "202 - (555) - 0143"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "call {}, please", "{}x5", "Tel.:{};", "a,{}\nb"])
def test_a_number_is_found_however_it_is_written(phone: str, written: str, around: str) -> None:
    text = around.format(written)
    mention = Mention(phone)

    mended = mention.replaced(text)

    assert mended == around.format(GONE)
    assert mention.in_bytes.search(text.encode())


@pytest.mark.parametrize(
    ("phone", "text"),
    [
        (PHONE, "+12025550144"),
        (PHONE, "202 555 01430"),
        (PHONE, "9202-555-0143"),
        (PHONE, "202, 555, 0143"),
        ("+3545550143", "+1 202 555 0143"),
        ("+3545550143", "+12025550143"),
    ],
)
def test_what_is_somebody_elses_stays(phone: str, text: str) -> None:
    assert Mention(phone).replaced(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("20255501430", "[erased]0"),
        ("92025550143", "9[erased]"),
        ("+442025550143", "+44[erased]"),
    ],
)
def test_in_one_piece_it_is_found_inside_of_other_digits(text: str, left: str) -> None:
    assert Mention(PHONE).replaced(text) == left


@given(st.text(" -./()0123456789+\u00a0\u2009\u202f\u2011\u2212", max_size=30), st.integers(0, 30))
def test_files_are_searched_for_what_is_replaced_in_texts(noise: str, at: int) -> None:
    for phone in (PHONE, "+3545550143"):
        mention = Mention(phone)
        for written in (phone, phone[2:], phone[4:]):
            text = noise[:at] + written + noise[at:]

            assert mention(text) == bool(mention.in_bytes.search(text.encode()))
            assert not mention.in_bytes.search(mention.replaced(text).encode())


def matches(pattern: str, text: str) -> bool:
    """As LIKE does, for a pattern of digits and percent signs."""
    rest = iter(text)
    return all(digit in rest for digit in pattern.replace("%", ""))


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=10) | st.just(f"at {PHONE}!"), max_size=4)
)
def test_variables_stay_json_and_lose_the_number_alone(variables: dict[str, str]) -> None:
    stored = json.dumps(variables, ensure_ascii=False)

    mended = json.loads(Mention(PHONE).replaced(stored))

    assert PHONE[2:] not in json.dumps(mended)
    changed = {name for name, text in variables.items() if mended.get(name) != text}
    assert changed <= {name for name, text in variables.items() if PHONE in text}


@given(st.text(" -./()0123456789+", max_size=40))
def test_the_first_look_overlooks_nothing(text: str) -> None:
    mention = Mention(PHONE)

    if mention.replaced(text) != text:
        assert matches(mention.like, text)


MARKS = " \t()/.-\u00a0\u2009\u202f\u2011\u2013\u2212"


@given(
    phone=st.sampled_from(
        [PHONE, "+4915123456789", "+4512345678", "+3545550143", "+33612345678", "+74951234567",
         "+442079460958", "+6799012345", "+2484123456"]
    ),
    country=st.sampled_from(["", "0", "8", "+{}", "00{}", "011 {}", "+{} (0) "]),
    widths=st.lists(st.integers(1, 5), min_size=15, max_size=15),
    gaps=st.lists(st.text(MARKS, max_size=4), min_size=15, max_size=15),
    around=st.sampled_from(
        ["{}", "call {}, please", "{}x5", "Tel.:{};", "a,{}\nb", "dk {}", "*{}*", "<{}>", "at.{}."]
    ),
)  # fmt: skip
def test_whatever_an_erasure_finds_is_masked_in_the_audit_log(
    phone: str, country: str, widths: list[int], gaps: list[str], around: str
) -> None:
    code, rest = country_and_rest(phone)
    parts = []
    for width, gap in zip(widths, gaps, strict=True):
        parts += [rest[:width], gap if rest[width:] else ""]
        rest = rest[width:]
    text = around.format(country.format(code) + "".join(parts))
    mention = Mention(phone)

    assert mention(text)
    assert not mention(mask(text))
    assert mask(mask(text)) == mask(text)


# -- what stays -----------------------------------------------------------------------------------


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True))
def test_a_pseudonym_is_the_same_each_time_and_no_number(phone: str) -> None:
    pseudonym = KEY.pseudonym(phone)

    assert pseudonym == KEY.pseudonym(phone) != OTHER_KEY.pseudonym(phone)
    assert pseudonym.startswith(PREFIX)
    assert phone[1:] not in pseudonym


def test_a_key_does_not_show_itself() -> None:
    assert "kkk" not in repr(KEY)
    assert KEY.mark != OTHER_KEY.mark
