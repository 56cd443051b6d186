"""Lists portion by portion, and which numbers came before."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dialer.lists.csvio import TableRow, open_table
from dialer.lists.intake import (
    LEAST_ROWS,
    LOCK_S,
    MOST_ROWS,
    PORTION,
    NumbersSeen,
    Pace,
    Portion,
    portions,
)
from dialer.people.person import Fault, RowFault

MOST = 2**64 - 1
#: Few enough to come again, and some at both ends.
numbers = st.one_of(st.integers(1, 40), st.integers(1, MOST), st.sampled_from([1, MOST]))


@given(st.lists(numbers, max_size=200))
def test_a_number_is_new_exactly_once(drawn: list[int]) -> None:
    seen, model = NumbersSeen(), dict[int, int]()

    for row, number in enumerate(drawn, start=1):
        assert seen.add(number, row) == model.get(number, 0)
        model.setdefault(number, row)


def test_many_neighbouring_numbers_are_told_apart() -> None:
    seen = NumbersSeen()
    phones = range(4_915_110_000_000, 4_915_110_020_000)

    assert not any(seen.add(phone, row) for row, phone in enumerate(phones, start=1))
    assert all(seen.add(phone, 9) == row for row, phone in enumerate(phones, start=1))


def test_a_table_comes_in_portions_sorted_out(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("phone\n" + "".join(f"{n}\n" for n in range(1, 8)))

    def read(row: TableRow) -> int | Fault:
        number = int(row.cells[0])
        return number if number % 3 else Fault("phone", row.cells[0], RowFault.INVALID_PHONE)

    with open_table(path) as table:
        found: list[Portion[int, Fault]] = list(portions(table, int, read, size=4))

    assert [portion.taken for portion in found] == [[1, 2, 4], [5, 7]]
    assert [[row.number for row, _ in portion.rejected] for portion in found] == [[4], [7]]
    assert [portion.rows for portion in found] == [4, 3]


# -- how many rows at a time ----------------------------------------------------------------------


def test_alone_an_import_takes_many_rows_and_beside_a_daemon_few() -> None:
    pace = Pace()

    assert pace.rows(beside_daemon=False) == MOST_ROWS
    assert pace.rows(beside_daemon=True) == PORTION


@given(st.floats(1e-7, 1e-3), st.integers(0, 30))
def test_the_pace_comes_to_what_a_lock_may_take(row_s: float, more: int) -> None:
    pace = Pace()
    for _ in range(8 + more):
        rows = pace.rows(beside_daemon=True)
        pace.held(rows, rows * row_s)

    rows = pace.rows(beside_daemon=True)
    wanted = min(max(LOCK_S / row_s, LEAST_ROWS), MOST_ROWS)
    assert abs(rows - wanted) <= max(1, wanted / 100)


@given(st.lists(st.floats(0, 100), max_size=30))
def test_the_pace_has_bounds_and_changes_by_half_or_twice_at_the_most(held: list[float]) -> None:
    pace = Pace()
    for seconds in held:
        before = pace.rows(beside_daemon=True)
        pace.held(before, seconds)
        rows = pace.rows(beside_daemon=True)
        assert LEAST_ROWS <= rows <= MOST_ROWS
        assert before // 2 <= rows <= 2 * before
