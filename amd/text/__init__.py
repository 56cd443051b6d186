"""Who speaks, told by the words: hints in many languages, and words heard before."""

from amd.text.detector import TextDetector, warm
from amd.text.repeats import fingerprint

__all__ = ["TextDetector", "fingerprint", "warm"]
