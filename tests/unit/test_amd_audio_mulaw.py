"""G.711 mu-law: the values of the standard, and what a round trip keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amd.audio import mulaw

NEGATIVE_ZERO = 0x7F


@pytest.mark.parametrize(
    ("code", "sample"),
    [
        (0xFF, 0),
        (0x7F, 0),
        (0x80, 32124),
        (0x00, -32124),
        (0xFE, 8),
        (0x7E, -8),
        (0x8F, 16764),
        (0xAF, 4092),
    ],
)
def test_codes_stand_for_the_samples_of_the_standard(code: int, sample: int) -> None:
    assert mulaw.decode(bytes([code])).tolist() == [sample]


@pytest.mark.parametrize(
    ("sample", "code"),
    [(0, 0xFF), (-1, 0x7F), (8, 0xFE), (32767, 0x80), (-32768, 0x00), (1e9, 0x80), (-1e9, 0x00)],
)
def test_samples_become_the_codes_of_the_standard_and_loud_ones_are_clipped(
    sample: float, code: int
) -> None:
    assert mulaw.encode(np.array([sample])) == bytes([code])


def test_every_code_survives_a_round_trip_but_negative_zero() -> None:
    codes = bytes(range(256))

    again = mulaw.encode(mulaw.decode(codes))

    assert again == codes.replace(bytes([NEGATIVE_ZERO]), bytes([mulaw.SILENCE]))


@given(st.integers(-32124, 32124))
def test_a_round_trip_errs_by_half_a_step_at_most(sample: int) -> None:
    (kept,) = mulaw.decode(mulaw.encode(np.array([sample])))

    assert abs(kept - sample) <= (abs(sample) + 132) / 32  # 16 steps to a doubling


def test_what_is_no_number_is_silence() -> None:
    assert mulaw.encode(np.array([np.nan])) == bytes([mulaw.SILENCE])


def test_nothing_is_nothing() -> None:
    assert mulaw.decode(b"").tolist() == []
    assert mulaw.encode(np.array([])) == b""
