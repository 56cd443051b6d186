"""Ears for the sound of calls, where this installation has them."""

from collections.abc import Callable
from dataclasses import dataclass

from dialer.listening import readiness
from dialer.listening.session import Ear


@dataclass(frozen=True, slots=True)
class Ears:
    """Makes an ear for a call; *model* names what judges the sound in it."""

    model: str
    make: Callable[[], Ear | None]


#: Where nobody can listen to sound.
NO_EARS = Ears("", lambda: None)


def ears_from(model_file: str) -> Ears:
    """Ears with the model in *model_file*, or the one shipped; none without the extra ``ml``.

    Raises what the model's loader raises for a file that is no model.
    """
    if readiness.missing():
        return NO_EARS
    # Only here, because the extra may be missing, and its libraries take long to load.
    from amd.audio import AudioDetector
    from amd.audio.model import load

    model = load(model_file or None)
    return Ears(model.version, lambda: AudioDetector(model))
