"""What was said so far, from results that come as they like."""

import random

from hypothesis import given
from hypothesis import strategies as st

from amd.transcript import MOST_CHARS, Transcript


def test_a_partial_replaces_the_one_before_and_the_final_replaces_them_all() -> None:
    heard = Transcript()

    assert heard.take(1, "hell", final=False) == "hell"
    assert heard.take(2, "hello this", final=False) == "hello this"
    assert heard.take(3, "Hello, this is Ann.", final=True) == "Hello, this is Ann."
    assert heard.take(4, "Please", final=False) == "Hello, this is Ann. Please"


def test_a_final_with_the_words_of_its_partial_is_news() -> None:
    heard = Transcript()
    heard.take(1, "hello", final=False)

    assert heard.take(2, "hello", final=True) == "hello"


def test_what_comes_twice_late_or_empty_is_nothing_new() -> None:
    heard = Transcript()
    heard.take(3, "hello there", final=True)

    assert heard.take(3, "hello there", final=True) is None
    assert heard.take(2, "hello", final=False) is None
    assert heard.take(4, "  ", final=False) is None
    assert heard.take(4, "", final=True) is None


def test_a_late_final_stands_where_it_was_said() -> None:
    heard = Transcript()
    heard.take(7, "leave a message", final=False)

    assert heard.take(5, "this is Ann", final=True) == "this is Ann leave a message"


def test_without_numbers_results_count_as_they_come() -> None:
    heard = Transcript()

    assert heard.take(None, "who", final=False) == "who"
    assert heard.take(None, "who is this", final=True) == "who is this"
    assert heard.take(None, "hello", final=True) == "who is this hello"


def test_endless_speech_is_bounded() -> None:
    heard = Transcript()

    for number in range(2_000):
        said = heard.take(number, "on and on it goes " * (number % 900 + 1), final=number % 3 == 0)
        assert said is None or len(said) <= MOST_CHARS

    assert heard.take(9_999, "more", final=True) is None


@given(st.lists(st.text("abc ", min_size=1).filter(str.strip), max_size=8), st.integers())
def test_finals_in_any_order_make_one_transcript(texts: list[str], seed: int) -> None:
    numbered = list(enumerate(texts))
    shuffled = [*numbered, *numbered]
    random.Random(seed).shuffle(shuffled)

    heard, latest = Transcript(), ""
    for number, text in shuffled:
        latest = heard.take(number, text, final=True) or latest

    assert latest == " ".join(" ".join(text.split()) for text in texts)
