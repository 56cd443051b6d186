"""A number is found however it is written, and nobody else's is taken for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.erased import PREFIX, PhoneKey
from dialer.erasure import GONE, Mention

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
        (PHONE, "20255501430"),
        (PHONE, "92025550143"),
        (PHONE, "202, 555, 0143"),
        ("+3545550143", "+1 202 555 0143"),
        ("+3545550143", "+12025550143"),
    ],
)
def test_what_is_somebody_elses_stays(phone: str, text: str) -> None:
    assert Mention(phone).replaced(text) == text


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
