"""G.711 mu-law, the sound of a telephone line: 8,000 bytes a second, one sample each.

The constants are those of ITU-T G.711, table 2: 8 segments of 16 steps on either side of zero,
scaled to 16-bit samples.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 8000
SILENCE: Final = 0xFF
"""The byte that stands for zero."""

_BIAS: Final = 132  # added before the segment is found, so that segment 0 is one like the others
_CLIP: Final = 32635  # the largest magnitude that has a code
_LOWEST_EXPONENT: Final = 8  # of the smallest biased magnitude, 132 = 0.52 * 2**8


def _table() -> NDArray[np.float32]:
    """The sample of every byte: sign, 3 bits of segment, 4 bits of step, all inverted."""
    code = ~np.arange(256, dtype=np.uint8)
    step, segment = (code & 0x0F).astype(np.int32), (code >> 4) & 0x07
    magnitude = (((step << 3) + _BIAS) << segment) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.float32)


_SAMPLES: Final = _table()


def decode(payload: bytes) -> NDArray[np.float32]:
    """The samples of mu-law bytes, on the scale of 16-bit PCM (-32124 to 32124)."""
    return _SAMPLES[np.frombuffer(payload, dtype=np.uint8)]


def encode(samples: NDArray[np.floating] | NDArray[np.integer]) -> bytes:
    """Samples on the scale of 16-bit PCM as mu-law bytes; louder ones are clipped."""
    whole = np.rint(np.nan_to_num(np.asarray(samples, dtype=np.float64))).clip(-_CLIP, _CLIP)
    biased = np.abs(whole).astype(np.int32) + _BIAS
    segment = np.frexp(biased)[1] - _LOWEST_EXPONENT
    step = (biased >> (segment + 3)) & 0x0F
    sign = np.where(whole < 0, 0x80, 0)
    code: NDArray[np.uint8] = (~(sign | (segment << 4) | step) & 0xFF).astype(np.uint8)
    return code.tobytes()
