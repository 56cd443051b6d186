"""What callees sound like: silence where nobody speaks, tones at their pitch, the right length."""

import sys
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dialer.carrier_sim.profiles import SCRIPTED, SCRIPTED_MACHINES, scripted
from dialer.carrier_sim.scenes import Kind, Line, Scene, Tone, scene_of
from dialer.carrier_sim.sound import FRAME_BYTES, SoundMissingError, Soundtrack
from tests.support.carrier_sim import FAX, HUMAN, MACHINE

VOICE: Final = 7


def heard(scene: Scene, start_ms: int, lasts_ms: int) -> NDArray[np.int64]:
    """Samples of a scene, decoded as ITU-T G.711 says."""
    code = ~np.frombuffer(Soundtrack(scene.voice).block(scene, start_ms, lasts_ms), np.uint8)
    magnitude = (((code & 15).astype(np.int64) << 3) + 0x84 << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude)


def loudness(samples: NDArray[np.int64]) -> float:
    return float(np.sqrt((samples**2.0).mean()))


def pitch_hz(samples: NDArray[np.int64]) -> float:
    """The loudest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * 8000 / len(samples))


def scene(*lines: Line, tones: tuple[Tone, ...] = (), voice: int = VOICE) -> Scene:
    return Scene(Kind.HUMAN, "en", voice, lines, tones)


@pytest.mark.parametrize("to", [HUMAN, MACHINE, *SCRIPTED_MACHINES])
def test_words_are_loud_and_the_pauses_between_them_are_not(to: str) -> None:
    plan = scripted(to)
    assert plan is not None
    made = scene_of(plan, 1, to, 0)
    line = made.lines[0]

    spoken = heard(made, line.at_ms, line.ends_ms - line.at_ms)
    silence = heard(made, line.at_ms - 200, 200)

    assert loudness(spoken) > 5 * loudness(silence)
    assert loudness(silence) > 0  # no line is dead


@settings(max_examples=20)
@given(st.integers(440, 1400), st.integers(200, 1000), st.integers(0, 2**16))
def test_a_beep_has_its_pitch_for_as_long_as_it_lasts(hz: int, lasts_ms: int, voice: int) -> None:
    made = scene(tones=(Tone(300, lasts_ms, hz),), voice=voice)

    assert pitch_hz(heard(made, 300, lasts_ms)) == pytest.approx(hz, abs=1000 / lasts_ms * 5)
    assert loudness(heard(made, 310, lasts_ms - 20)) > 4 * loudness(heard(made, 0, 300))
    assert loudness(heard(made, 300 + lasts_ms, 200)) < 1000


def test_a_fax_whistles_at_2100_hz() -> None:
    made = scene_of(SCRIPTED[FAX], 1, FAX, 0)

    assert pitch_hz(heard(made, made.tones[0].at_ms + 500, 1000)) == pytest.approx(2100, abs=2)


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.integers(0, 3000), st.integers(1, 60))
def test_frames_are_the_same_wherever_one_begins_to_listen(
    voice: int, from_ms: int, count: int
) -> None:
    made = scene(Line(500, "who is it then", 380), tones=(Tone(2500, 300, 900),), voice=voice)
    track = Soundtrack(voice)

    frames = track.frames(lambda: made, from_ms)
    joined = b"".join(next(frames) for _ in range(count))

    assert len(joined) == count * FRAME_BYTES
    assert joined == track.block(made, from_ms, count * 20)


def test_a_changed_scene_is_heard_from_the_next_block_on() -> None:
    quiet, loud = scene(), scene(Line(400, "hello there", 400))
    scenes = [quiet, quiet, loud]

    frames = Soundtrack(VOICE).frames(lambda: scenes.pop(0), 0)
    sound = b"".join(next(frames) for _ in range(30))

    assert sound == Soundtrack(VOICE).block(loud, 0, 600)


def test_voices_differ_and_a_voice_stays_the_same() -> None:
    line = Line(0, "good morning", 360)

    blocks = {Soundtrack(voice).block(scene(line, voice=voice), 0, 720) for voice in (1, 2, 3, 1)}

    assert len(blocks) == 3


def test_without_numpy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)

    with pytest.raises(SoundMissingError, match="numpy") as missing:
        Soundtrack(VOICE)
    assert missing.value.next_step == "pip install 'dialer[ml]'"
