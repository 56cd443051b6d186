"""No phone number is readable once it has been masked, however it was written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.masking import mask, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+15551234567", "+1555***567"),
        ("ring +15551234567, then +4915123456789.", "ring +1555***567, then +4915***789."),
        ("+1 (202) 555-0123", "+1202***123"),
        ("+49 (0) 151 234 567 89", "+4901***789"),
        ("+49.151.23456789", "+4915***789"),
        ("asked from 0151 23456789 on Monday", "asked from 0151***789 on Monday"),
        ("(202) 555-0123", "202***123"),
        ("sip:2025550123@example.com", "sip:202***123@example.com"),
        ("+290 4123", "+2***123"),
        ("2026-03-02 0151 2345678", "2026-03-02 0151***678"),
        ("0151 2345678 2026-03-02", "0151***678 2026-03-02"),
        ("202.555.0177", "202***177"),
        ("dk 12 34 56 78", "dk 1***678"),
        ("202 / 555 / 0143", "202***143"),
        ("06\u202f12\u202f34\u202f56\u202f78", "061***678"),
        ("5550143", "5***143"),
        ("2025550143x5", "202***143x5"),
    ],
)
def test_a_number_loses_its_middle(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Renewals 2026",
        "2026-03-02 09:00",
        "2026-03-02T09:00:00.000Z",
        "09:00-12:00",
        "wss://192.168.100.200:8080/audio",
        "e3b0c44298fc1c149afbf4c8996fb924",
        "12345678901234567890",
        "erased:38148fd58615dc09cb4ee847",
        "CA12345678901234567890123456789012",
        "019ccad3c1809f4e2b7a6d5c",
        "dialer-20260302T090000Z.db",
        "ops@10.120.130.140",
        "10.120.130.140:8090",
        "3.14159265358979",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert mask(text) == text


def test_whatever_is_in_a_value_is_masked() -> None:
    value = {
        "+15551234567": [("+15551234568", 7), {"deep": "call +15551234569"}],
        "at": 1_772_442_000_000,
        "rate": 0.5,
        "on": True,
        "none": None,
    }

    assert masked(value) == {
        "+1555***567": [["+1555***568", 7], {"deep": "call +1555***569"}],
        "at": 1_772_442_000_000,
        "rate": 0.5,
        "on": True,
        "none": None,
    }


@given(
    digits=st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True),
    gap=st.sampled_from(["", " ", "-", ".", ") ", "\u00a0"]),
    width=st.integers(2, 5),
    around=st.sampled_from([("", ""), ("call ", " now"), ("<", ">"), ("a+", ","), ("tel:", "")]),
)
def test_no_number_with_its_plus_is_left(
    digits: str, gap: str, width: int, around: tuple[str, str]
) -> None:
    written = gap.join(digits[at : at + width] for at in range(0, len(digits), width))
    before, behind = around

    shown = mask(f"{before}+{written}{behind}")

    assert sum(each.isdigit() for each in shown) <= max(4, len(digits) - 3)
    assert digits not in "".join(each for each in shown if each.isdigit())


@given(st.text(alphabet="0123456789+-() ./*ab", max_size=60))
def test_a_masked_text_stays_as_it_is(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(at_s=st.floats(0, 4_102_444_799))
def test_the_time_of_a_log_line_can_be_read(at_s: float) -> None:
    at = datetime.fromtimestamp(at_s, UTC)
    plain = at.replace(tzinfo=None)

    for text in (f"{plain.isoformat()}Z", f"at {at:%H:%M:%S}", f"{at:%Y-%m-%d %H:%M:%S,%f}"):
        assert mask(text) == text
