"""Tables that fit a window."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dialer.commands.fitting import fitted, width_of

COLUMNS = ["id", "started", "subject", "what", "by"]
ROW = ["12", "2026-11-22 21:15:01 UTC", "people of the north and west.csv", "x" * 60, "ana"]

LETTERS = st.characters(exclude_categories=("C", "Z"))


@st.composite
def tables(draw: st.DrawFn, least: int = 0) -> tuple[list[str], list[list[str]]]:
    count = draw(st.integers(1, 6))
    columns = [f"c{place}" for place in range(count)]
    cells = st.text(LETTERS, min_size=least, max_size=60)
    return columns, draw(st.lists(st.lists(cells, min_size=count, max_size=count), max_size=5))


@given(tables(), st.integers(20, 200), st.booleans())
def test_every_row_is_one_line_of_the_window(
    table: tuple[Sequence[str], Sequence[Sequence[str]]], width: int, gives_way: bool
) -> None:
    columns, rows = table

    shown = fitted(columns, rows, width, spare=columns[:-1] if gives_way else ())

    assert len(shown.lines) == len(rows) + 1
    assert all(width_of(line) <= width for line in shown.lines)


@given(tables(least=1), st.integers(80, 200))
def test_of_what_folds_nothing_is_lost(
    table: tuple[Sequence[str], Sequence[Sequence[str]]], width: int
) -> None:
    columns, rows = table

    shown = fitted(columns, rows, width, folds=True)

    assert (shown.left_out, shown.cut) == ((), False)
    assert all(width_of(line) <= width for line in shown.lines)
    whole = [*(name.upper() for name in columns), *("".join(row) for row in rows)]
    assert sorted("".join(shown.lines).replace(" ", "")) == sorted("".join(whole))


def test_what_fits_is_shown_whole_and_columns_in_line() -> None:
    shown = fitted(COLUMNS[:2], [["7", "now"], ["12", ""]], 80)

    assert shown.lines == ["ID  STARTED", "7   now", "12"]


def test_an_empty_column_goes_before_anything_else() -> None:
    shown = fitted(["name", "zone", "note"], [["Ann", "", "y" * 20]], 26, spare=["note"])

    assert shown.lines == ["NAME  NOTE", f"Ann   {'y' * 20}"]
    assert (shown.left_out, shown.cut) == ((), False)


def test_long_texts_are_cut_before_columns_go_and_ids_and_times_stay_whole() -> None:
    shown = fitted(COLUMNS, [ROW], 84, spare=["by"])

    assert (shown.left_out, shown.cut) == ((), True)
    assert shown.lines[1].startswith("12  2026-11-22 21:15:01 UTC  people of the no")
    assert shown.lines[1].endswith("…  ana")

    narrow = fitted(COLUMNS, [ROW], 79, spare=["by"])

    assert narrow.left_out == ("by",)
    assert narrow.lines[1].startswith("12  2026-11-22 21:15:01 UTC  ")
