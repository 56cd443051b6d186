"""Can this installation listen in the modes a campaign asks for?"""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Final

from dialer.errors import UsageError
from dialer.model import BY_SOUND, AmdMode

#: What the extra ``ml`` brings: sound is told apart by it.
LIBRARIES: Final = ("numpy", "onnxruntime")


def missing() -> list[str]:
    """The libraries of the extra ``ml`` that are not here."""
    return [name for name in LIBRARIES if find_spec(name) is None]


def check(modes: Iterable[AmdMode]) -> None:
    """Raise UsageError when one of *modes* needs what is not installed."""
    for mode in modes:
        if mode in BY_SOUND and (absent := missing()):
            raise UsageError(
                f"amd: {mode} tells machines by their sound and needs {' and '.join(absent)},"
                " which this installation does not have",
                next_step="pip install 'dialer[ml]' (in a checkout: make ml), or choose amd=text",
            )
