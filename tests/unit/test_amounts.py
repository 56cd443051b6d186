"""How many there are of something, in words."""

import pytest

from dialer.amounts import counted, few


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (1_000, "1,000 days")]
)
def test_one_is_told_from_many(count: int, words: str) -> None:
    assert counted(count, "day") == words


def test_many_may_be_irregular() -> None:
    assert [counted(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]


@pytest.mark.parametrize(
    ("names", "words"), [("", ""), ("a", "a"), ("abc", "a, b, c"), ("abcde", "a, b, c and 2 more")]
)
def test_a_few_names_stand_for_all(names: str, words: str) -> None:
    assert few([*names], 3) == words
