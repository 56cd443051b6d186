"""What a recogniser makes of a line: it grows, it is never early, its last word is final."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.recognition import recognise
from dialer.carrier_sim.scenes import Line

words = st.sampled_from(["Hello?", "I'm", "out,", "right", "now.", "¿Bueno?", "Grüße"])
lines = st.builds(
    Line,
    st.integers(0, 30_000),
    st.lists(words, min_size=1, max_size=30).map(" ".join),
    st.integers(32, 45).map(lambda tens: tens * 10),
)
rngs = st.integers().map(Random)


@given(lines, st.integers(0, 10_000), rngs)
def test_partials_grow_to_the_whole_line_and_the_final_is_its_text(
    line: Line, ready_ms: int, rng: Random
) -> None:
    *partials, final = recognise(line, ready_ms, rng)

    assert (final.final, final.text) == (True, line.text)
    assert not any(partial.final for partial in partials)
    assert all(b.text.startswith(a.text) for a, b in pairwise(partials))
    assert len(partials[-1].text.split()) == len(line.words)


@given(lines, st.integers(0, 10_000), rngs)
def test_nothing_is_heard_before_it_was_said_or_the_engine_was_ready(
    line: Line, ready_ms: int, rng: Random
) -> None:
    heard = recognise(line, ready_ms, rng)

    assert all(a.at_ms < b.at_ms for a, b in pairwise(heard))
    for each in heard:
        said_ms = line.at_ms + len(each.text.split()) * line.word_ms
        assert each.at_ms >= max(ready_ms, said_ms)


def test_partials_have_no_punctuation() -> None:
    heard = recognise(Line(0, "Hello, it's me.", 350), 0, Random(1))

    assert heard[-2].text == "hello it's me"
