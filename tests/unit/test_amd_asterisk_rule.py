"""The rule that the benchmark compares with does what its settings say."""

import numpy as np
import pytest

from amd.audio import mulaw
from benchmarks.amd_audio import Asterisk

RATE_HZ = 8000


def given_line(*spans: tuple[float, bool]) -> bytes:
    """So many seconds of voice or of silence, one after another."""
    parts = [np.full(int(lasts_s * RATE_HZ), 3000.0 * voice) for lasts_s, voice in spans]
    return mulaw.encode(np.concatenate(parts))


@pytest.mark.parametrize(
    ("spans", "machine_ms"),
    [
        ([(0.5, False), (0.6, True), (2.0, False)], None),  # a word, and silence: a person
        ([(4.0, False)], 2500),  # nobody speaks
        ([(0.5, False), (3.0, True)], 2000),  # a greeting of 1.5 s
        ([(0.3, False), *[(0.2, True), (0.2, False)] * 3], 1200),  # the third word
    ],
)
def test_whichever_limit_is_reached_first_decides(
    spans: list[tuple[float, bool]], machine_ms: int | None
) -> None:
    assert Asterisk().machine_ms(given_line(*spans)) == machine_ms
