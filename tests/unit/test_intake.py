"""Lists portion by portion, and which numbers came before."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dialer.csvio import TableRow, open_table
from dialer.intake import Portion, Seen, portions
from dialer.people import Fault, RowFault

MOST = 2**64 - 1
#: Few enough to come again, and some at both ends.
numbers = st.one_of(st.integers(1, 40), st.integers(1, MOST), st.sampled_from([1, MOST]))


@given(st.lists(numbers, max_size=200))
def test_a_number_is_new_exactly_once(drawn: list[int]) -> None:
    seen, model = Seen(), set[int]()

    for number in drawn:
        assert seen.add(number) == (number not in model)
        model.add(number)


def test_many_neighbouring_numbers_are_told_apart() -> None:
    seen = Seen()
    phones = range(4_915_110_000_000, 4_915_110_020_000)

    assert all(map(seen.add, phones))
    assert not any(map(seen.add, phones))


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
