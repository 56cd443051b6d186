"""The detector on one line: whatever the payloads, the same signals, no error and no growth."""

import itertools
import math
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amd.audio import SCORE_EVERY_MS, SCORED_MS, TELL_EVERY_MS, AudioDetector
from amd.audio.media import LATE_MS, MAX_GAP_MS, Media
from amd.audio.timing import Features
from amd.signals import Listened, Score, Signal, Speech, Tone, ToneKind
from tests.support.sounds import (
    Sound,
    clip,
    mixed,
    noise,
    payloads,
    signals_of,
    silence,
    told,
    tone,
    vowel,
)


class Counting:
    """A model that believes more and more in a machine."""

    def __init__(self) -> None:
        self.asked: list[Features] = []

    def score(self, features: Features) -> float:
        self.asked.append(features)
        return 1 - 1 / len(self.asked)


def given_greeting() -> Sound:
    """A vowel, a pause, a real prompt, a beep: 6 s of everything."""
    parts = [silence(0.4), vowel(140, 0.5), silence(0.5), clip("prompt_2.wav"), tone([850], 0.4)]
    sound = np.concatenate([*parts, silence(0.6)])
    return mixed(sound, noise(len(sound) / 8000 + 0.1, dbfs=-48.0))


GREETING = given_greeting()
HEARD = signals_of(GREETING)


def facts(signals: list[Signal]) -> list[Signal]:
    """What was heard, without that it was listened to."""
    return [signal for signal in signals if not isinstance(signal, Listened)]


def test_a_greeting_and_its_beep_are_told_in_their_order() -> None:
    speech = [signal for signal in HEARD if isinstance(signal, Speech)]
    tones = [signal for signal in HEARD if isinstance(signal, Tone)]

    assert speech[0].at_ms == pytest.approx(400, abs=60)
    assert [turn.began for turn in speech] == [at % 2 == 0 for at in range(len(speech))]
    assert [heard.kind for heard in tones] == [ToneKind.BEEP]


def test_it_is_told_that_sound_arrived_whatever_is_in_it() -> None:
    told_at = [signal.at_ms for signal in signals_of(silence(1.0)) if isinstance(signal, Listened)]

    assert told_at == list(range(TELL_EVERY_MS, 1000, TELL_EVERY_MS))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=40))
def test_the_signals_are_the_same_however_the_sound_is_cut(sizes: list[int]) -> None:
    line = b"".join(payload for payload, _ in payloads(GREETING))

    heard = told(AudioDetector(), list(_cut(line, sizes)))

    assert heard == HEARD


def _cut(line: bytes, sizes: list[int]) -> Iterator[tuple[bytes, int]]:
    start = 0
    for size in itertools.cycle(sizes):
        if start >= len(line):
            return
        yield line[start : start + size], start // 8
        start += size


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5), st.integers(20, MAX_GAP_MS))
def test_a_gap_is_the_same_as_silence(blocks: int, gap_ms: int) -> None:
    gap_ms -= gap_ms % 20
    stream = payloads(GREETING)
    cut = 60 + 17 * blocks
    later = [(payload, at_ms + gap_ms) for payload, at_ms in stream[cut:]]
    filled = np.concatenate([GREETING[: cut * 160], silence(gap_ms / 1000), GREETING[cut * 160 :]])

    heard = told(AudioDetector(), [*stream[:cut], *later])

    assert facts(heard) == facts(signals_of(filled))


def test_what_comes_twice_is_heard_once() -> None:
    stream = payloads(GREETING)

    assert told(AudioDetector(), [each for each in stream for _ in range(3)]) == HEARD


def test_a_payload_that_comes_late_is_left_out_and_its_place_is_silence() -> None:
    stream = payloads(GREETING)
    swapped = [*stream[:50], stream[51], stream[50], *stream[52:]]
    silent = [*stream[:50], (b"\xff" * 160, stream[50][1]), *stream[51:]]

    assert told(AudioDetector(), swapped) == told(AudioDetector(), silent)


def test_stamps_that_are_rounded_cost_nothing() -> None:
    wobbling = [(payload, at_ms + at_ms % 7) for payload, at_ms in payloads(GREETING)]

    assert told(AudioDetector(), wobbling) == HEARD


def test_a_stream_may_begin_after_the_answer() -> None:
    later = [(payload, at_ms + 2000) for payload, at_ms in payloads(GREETING)]

    speech = [one for one in told(AudioDetector(), later) if isinstance(one, Speech)]

    assert speech[0].at_ms == pytest.approx(2400, abs=60)


@pytest.mark.parametrize("jump_ms", [MAX_GAP_MS + 1, 10**15, -(10**15)])
def test_another_clock_goes_on_where_the_sound_was(jump_ms: int) -> None:
    stream = payloads(GREETING)
    jumped = [*stream[:100], *[(payload, at_ms + jump_ms) for payload, at_ms in stream[100:]]]

    assert told(AudioDetector(), jumped) == HEARD


def test_a_clock_that_is_set_back_a_little_is_followed_after_a_second() -> None:
    stream = payloads(np.concatenate([silence(5.0), GREETING, GREETING]))
    back = [(payload, at_ms - 5000) for payload, at_ms in stream[400:]]

    heard = told(AudioDetector(), [*stream[:400], *back])

    lost_ms = LATE_MS
    (beep,) = [one for one in heard if isinstance(one, Tone) and one.at_ms > 11_000]
    (whole,) = [
        one for one in told(AudioDetector(), stream) if isinstance(one, Tone) and one.at_ms > 12_000
    ]
    assert whole.at_ms - beep.at_ms == pytest.approx(lost_ms, abs=60)


junk = st.lists(
    st.tuples(st.binary(max_size=700), st.integers(-(2**40), 2**40) | st.integers(-500, 5000)),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(junk)
def test_no_stream_raises_and_time_never_runs_back(stream: list[tuple[bytes, int]]) -> None:
    heard = told(AudioDetector(Counting()), stream)

    listened = [one.at_ms for one in heard if isinstance(one, Listened)]
    assert listened == sorted(set(listened))
    assert all(one.at_ms >= 0 for one in heard)
    assert max(listened, default=0) <= MAX_GAP_MS * len(stream) + 700 // 8 * len(stream)


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(-(2**50), 2**50)), max_size=50))
def test_what_is_placed_is_bounded(stream: list[tuple[int, int]]) -> None:
    media = Media()

    for size, at_ms in stream:
        placed = media.place(b"\xff" * size, at_ms)
        assert 0 <= placed.missing <= MAX_GAP_MS * 8
        assert len(placed.sound) <= size


def test_an_endless_stream_does_not_grow() -> None:
    detector = AudioDetector(Counting())
    minute = b"".join(payload for payload, _ in payloads(np.tile(GREETING, 2)))
    sizes = []

    for at in range(4):
        detector.hear(minute, at * len(minute) // 8)
        sizes.append(_size(detector, set()))

    assert max(sizes[1:]) < sizes[0] * 1.3


def _size(thing: object, seen: set[int]) -> int:
    """Bytes of all that *thing* holds, but for what a test's own model keeps."""
    if id(thing) in seen or isinstance(thing, (type, Counting)):
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return int(thing.nbytes)
    held: list[object] = [*getattr(thing, "__dict__", {}).values()]
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        held += [getattr(thing, name) for name in names if hasattr(thing, name)]
    if isinstance(thing, dict):
        held += [*thing.keys(), *thing.values()]
    elif isinstance(thing, (list, tuple, set, frozenset)) or type(thing).__name__ == "deque":
        held += list(thing)  # type: ignore[call-overload]  # every one of these is iterable
    return sys.getsizeof(thing) + sum(_size(one, seen) for one in held)


# -- the model -------------------------------------------------------------------------------------


def test_a_model_is_asked_from_the_first_word_on_and_not_for_ever() -> None:
    sound = np.concatenate([GREETING, noise(12.0, dbfs=-48.0)])

    scores = [one for one in signals_of(sound, AudioDetector(Counting())) if isinstance(one, Score)]

    assert 400 < scores[0].at_ms < 700
    assert scores[-1].at_ms == SCORED_MS - SCORED_MS % SCORE_EVERY_MS
    assert [later.at_ms - one.at_ms for one, later in itertools.pairwise(scores)] == [
        SCORE_EVERY_MS
    ] * (len(scores) - 1)


def test_a_model_is_not_asked_about_silence() -> None:
    model = Counting()

    signals_of(noise(5.0, dbfs=-40.0), AudioDetector(model))

    assert model.asked == []


def test_features_are_finite_and_of_one_length() -> None:
    model = Counting()

    signals_of(GREETING, AudioDetector(model))

    assert len({len(features) for features in model.asked}) == 1
    assert all(math.isfinite(value) for features in model.asked for value in features)
