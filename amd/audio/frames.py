"""The grid every detector of sound works on: frames of 20 ms from the answer on."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from amd.audio.mulaw import RATE_HZ

FRAME_MS: Final = 20
FRAME: Final = RATE_HZ * FRAME_MS // 1000
"""Samples of a frame."""

FULL_SCALE: Final = 32768.0
"""The sample that is 0 dBFS."""

Samples: TypeAlias = NDArray[np.float32]
Frames: TypeAlias = NDArray[np.float32]
"""One row of FRAME samples for each frame."""
