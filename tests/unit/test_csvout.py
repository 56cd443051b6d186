"""Tables as CSV: nothing runs in a spreadsheet, and all of it is read back."""

import csv
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.do_not_call_files import columns_of, write_entries
from dialer.errors import UsageError
from dialer.lists.columns import Field, Told
from dialer.lists.csvio import open_table
from dialer.lists.csvout import STDOUT, write_table, written
from dialer.lists.rejected_rows import RejectedRows

FORMULAS = "=+-@\uff1d\uff0b\uff0d\uff20"
texts = st.text(
    st.one_of(
        st.sampled_from("'=+-@,;\"\r\n\t \uff1d"),
        st.characters(codec="utf-8", exclude_characters="\0"),
    ),
    max_size=12,
).map(str.strip)
campaigns = st.one_of(st.just(None), texts.filter(bool))
entries = st.lists(st.tuples(st.sampled_from(["+12025550123", "+4915123456789"]), campaigns, texts))


def write(path: Path, rows: Iterable[list[str]], *, raw: bool = False) -> bytes:
    with written(path, raw=raw) as file:
        write_table(file, ["phone", "note"], rows, raw=raw)
    return path.read_bytes()


# -- what comes back ------------------------------------------------------------------------------


@given(entries, st.booleans())
def test_exported_entries_are_read_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str | None, str]], raw: bool
) -> None:
    path = tmp_path_factory.mktemp("csv") / "stop.csv"
    rows = [
        {"phone": phone, "campaign": campaign, "note": note, "source": "file", "created_at": 7}
        for phone, campaign, note in drawn
    ]
    with written(path, raw=raw) as file:
        count = write_entries(rows, file, shown=str, raw=raw)

    found = []
    with open_table(path) as table:
        columns = columns_of(table.header, [])
        for row in table.rows():
            told = columns.told(row.cells, "US")
            assert isinstance(told, Told), told
            campaign = told.value(Field.CAMPAIGN) or None
            found.append((told.phone, campaign, told.value(Field.NOTE)))
    assert (count, found) == (len(drawn), drawn)


@given(texts)
def test_no_cell_begins_as_a_formula(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "sheet.csv"
    write(path, [["+12025550123", text]])

    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(tuple(FORMULAS)) for cell in cells)


def test_a_raw_table_is_for_programs(tmp_path: Path) -> None:
    rows = [["+12025550123", "é"]]

    assert write(tmp_path / "a", rows) == "\ufeffphone,note\r\n'+12025550123,é\r\n".encode()
    assert write(tmp_path / "b", rows, raw=True) == "phone,note\r\n+12025550123,é\r\n".encode()


# -- where it goes --------------------------------------------------------------------------------


def test_a_file_is_for_its_owner_and_takes_the_place_of_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "stop.csv"
    write(path, [["1", "old"]])

    write(path, [["2", "new"]])

    assert path.read_text("utf-8-sig").splitlines() == ["phone,note", "2,new"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_finished_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "stop.csv"
    before = write(path, [["1", "old"]])

    def interrupted() -> Iterator[list[str]]:
        yield ["2", "new"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, interrupted())

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, path = tmp_path / "link.csv", tmp_path / "stop.csv"
    link.symlink_to(path)

    write(link, [["1", "x"]])

    assert link.is_symlink()
    assert path.exists()


def test_standard_output_is_a_place_too(capsys: pytest.CaptureFixture[str]) -> None:
    with written(STDOUT, raw=True) as file:
        write_table(file, ["phone"], [["+12025550123"]], raw=True)

    assert capsys.readouterr().out.split() == ["phone", "+12025550123"]


@pytest.mark.parametrize(
    ("where", "why"), [("missing/stop.csv", "No such file"), (".", "Is a directory")]
)
def test_where_nothing_can_be_written_it_is_said(tmp_path: Path, where: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"cannot be written: {why}"):
        write(tmp_path / where, [])


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", ".daemon", ".key"])
def test_no_list_takes_the_place_of_a_database(tmp_path: Path, suffix: str) -> None:
    database = tmp_path / "dialer.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE t (x)")
    (tmp_path / "link").symlink_to(f"dialer.db{suffix}")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.exists()}

    for name in ("link", f"dialer.db{suffix}"):
        with pytest.raises(UsageError, match=r"database.* would be lost"):
            write(tmp_path / name, [])
        with (
            pytest.raises(UsageError, match=r"database.* would be lost"),
            RejectedRows(tmp_path / name, ["phone"], ","),
        ):
            raise AssertionError("nothing may be written")

    assert {f.name: f.read_bytes() for f in tmp_path.iterdir() if f.exists()} == before


def test_a_key_of_no_database_is_a_file_as_any_other(tmp_path: Path) -> None:
    assert write(tmp_path / "stop.key", [])
