"""Rows are chosen, ordered, cut and written as an operator asks for."""

import csv
import io
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.commands import rows
from dialer.errors import UsageError

MEMBERS: Final = [
    {"id": 1, "name": "Ada", "state": "retry", "attempts": 2, "tags": ["vip"], "at": None},
    {"id": 2, "name": "Ben", "state": "pending", "attempts": 0, "tags": [], "at": "2026-03-02"},
    {
        "id": 10,
        "name": "cleo",
        "state": "retry",
        "attempts": 1,
        "tags": ["new"],
        "at": "2026-03-01",
    },
]


def ids(**asked: Any) -> list[int]:
    return [row["id"] for row in rows.shaped(MEMBERS, **asked)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("state=retry", [1, 10]),
        ("state==RETRY", [1, 10]),
        ("state!=retry", [2]),
        ("state=retry and attempts>1", [1]),
        ("attempts>=1 AND attempts<=1", [10]),
        ("attempts<2", [2, 10]),
        ("name~LE", [10]),
        ("tags=vip", [1]),
        ("at=null", [1]),
        ("at>=2026-03-02", [2]),
        ('name="Ada"', [1]),
        ("name='Ada Byron'", []),
    ],
)
def test_a_condition_chooses_rows(condition: str, expected: list[int]) -> None:
    assert ids(where=[condition]) == expected


def test_several_conditions_must_all_hold() -> None:
    assert ids(where=["state=retry", "name~a"]) == [1]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("state", "is no condition"),
        ("state=retry or id=1", "join conditions with 'and'"),
        ("stat=retry", "no such field: 'stat'; did you mean 'state'"),
    ],
)
def test_what_is_no_condition_is_named(condition: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ids(where=[condition])


def test_order_is_by_value_and_nothing_comes_last() -> None:
    assert ids(sort=["-id"]) == [10, 2, 1]
    assert ids(sort=["at"]) == [10, 2, 1]
    assert ids(sort=["state", "-attempts"]) == [2, 1, 10]
    assert ids(sort=["name"]) == [1, 2, 10]


def test_a_page_begins_after_the_last_row_seen() -> None:
    assert ids(cursor="1", limit=1) == [2]
    assert ids(cursor="10") == []
    with pytest.raises(UsageError, match="'7': no row has this id"):
        ids(cursor="7")


def test_columns_reach_into_objects() -> None:
    nested = [{"id": 1, "members": {"pending": 3}}]

    assert rows.shaped(nested, columns=["id", "members.pending"]) == [
        {"id": 1, "members.pending": 3}
    ]
    assert rows.shaped(nested, columns=["members.failed"]) == [{"members.failed": None}]
    with pytest.raises(UsageError, match="'colour'"):
        rows.shaped(nested, columns=["colour"])


def test_the_rows_of_an_answer_are_its_one_list() -> None:
    assert rows.rows_of([1, {"a": 2}]) == [{"value": 1}, {"a": 2}]
    assert rows.rows_of({"pack": "x", "rules": [{"id": 1}]}) == [{"id": 1}]
    assert rows.rows_of({"id": 1, "tags": ["a"]}) == [{"id": 1, "tags": ["a"]}]


def test_a_row_is_named_by_its_id_or_its_first_field() -> None:
    assert list(rows.ids([{"name": "a", "id": 3}, {"phone": "+1"}])) == ["3", "+1"]


@given(st.lists(st.fixed_dictionaries({"id": st.integers(), "name": st.text()}), min_size=1))
def test_csv_is_read_back_as_it_was(found: list[dict[str, Any]]) -> None:
    read = list(csv.DictReader(io.StringIO(rows.as_csv(found), newline="")))

    assert [(row["id"], row["name"]) for row in read] == [
        (str(row["id"]), row["name"]) for row in found
    ]
