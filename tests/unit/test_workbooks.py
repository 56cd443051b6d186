"""Workbooks as they come: what their cells say, and what would take all memory to open."""

import struct
import zipfile
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import UsageError
from dialer.lists import workbooks
from dialer.lists.columns import match
from dialer.lists.csvio import Table, TableRow
from dialer.lists.files import open_list
from dialer.lists.number_cells import NumberCell
from dialer.lists.row_workers import CellFault, PhoneAsNumber, Reading
from dialer.lists.workbooks import shown

ANN = "+12025550101"


def workbook(path: Path, sheets: Mapping[str, list[list[Any]]], *, first_row: int = 0) -> Path:
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(first_row + at, 0, row)
    return path


def read(path: Path, **more: Any) -> tuple[Table, list[TableRow]]:
    with open_list(path, **more) as table:
        return table, list(table.rows())


def people(folder: Path) -> Path:
    return workbook(
        folder / "people.xlsx",
        {
            "People": [["phone", "name"], [ANN, "Ann"], [], ["x", "Zoë"]],
            "Others": [["Telefon"], ["1"]],
        },
    )


def test_the_first_sheet_is_read_as_a_list(tmp_path: Path) -> None:
    table, rows = read(people(tmp_path))

    assert (table.header, table.form, table.delimiter) == (
        ("phone", "name"), "workbook, sheet 'People'", ",",
    )  # fmt: skip
    assert rows == [TableRow(2, [ANN, "Ann"]), TableRow(4, ["x", "Zoë"])]
    assert table.position == (4, 4)
    assert (table.size, len(table.digest)) == (4, 64)


def test_another_sheet_is_read_by_its_name(tmp_path: Path) -> None:
    path = people(tmp_path)

    assert read(path, sheet="Others")[0].header == ("Telefon",)
    with pytest.raises(UsageError, match=r"no sheet 'Other'; its sheets are 'People', 'Others'"):
        read(path, sheet="Other")


def test_rows_above_the_list_are_counted(tmp_path: Path) -> None:
    path = workbook(tmp_path / "people.xlsx", {"A": [["phone"], [ANN]]}, first_row=3)

    assert read(path)[1] == [TableRow(5, [ANN])]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("a", "a"),
        (True, "TRUE"),
        (False, "FALSE"),
        (42, "42"),
        (42.0, "42"),
        (1.5, "1.5"),
        (12025550101.0, "12025550101"),
        (datetime(2027, 1, 2), "2027-01-02"),  # noqa: DTZ001  cells know of no zones
        (datetime(2027, 1, 2, 3, 4, 5), "2027-01-02 03:04:05"),  # noqa: DTZ001  likewise
        (date(2027, 1, 2), "2027-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(hours=1), "1:00:00"),
        ("a\0b", "ab"),
    ],
)
def test_cells_are_what_their_sheet_shows(cell: Any, text: str) -> None:
    assert shown(cell) == text
    number = isinstance(cell, int | float) and not isinstance(cell, bool)
    assert isinstance(shown(cell), NumberCell) == number


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ([12025550101, "Ann", ""], "12025550101"),
        ([1.2025550101e10, "Ann", ""], "12025550101"),
        (["", "Ann", 2025550101], "2025550101"),
        ([ANN, 5, 2025550101], None),
        (["202 555 0101", 5, ""], None),
    ],
)
def test_a_phone_number_that_is_a_number_is_not_guessed(
    tmp_path: Path, cells: list[Any], fault: str | None
) -> None:
    path = workbook(tmp_path / "p.xlsx", {"A": [["phone", "name", "mobile"], cells]})
    table, rows = read(path)

    (found,) = Reading(match(table.header, {}), "US", table.has_numbers)(rows)

    if fault is None:
        assert not isinstance(found, PhoneAsNumber)
    else:
        assert isinstance(found, PhoneAsNumber)
        assert (found.value, found.reason) == (fault, CellFault.PHONE_AS_NUMBER)


def test_an_empty_sheet_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"p\.xlsx is empty: its sheet 'A' is"):
        read(workbook(tmp_path / "p.xlsx", {"A": []}))
    assert read(workbook(tmp_path / "h.xlsx", {"A": [["phone"]]}))[1] == []


def test_what_is_for_one_kind_of_file_is_refused_for_the_other(tmp_path: Path) -> None:
    text = tmp_path / "p.csv"
    text.write_text("phone\n1\n")

    with pytest.raises(UsageError, match="--encoding is not for it"):
        read(people(tmp_path), encoding="utf-8")
    with pytest.raises(UsageError, match="--delimiter is not for it"):
        read(people(tmp_path), delimiter=";")
    with pytest.raises(UsageError, match="--sheet is not for it"):
        read(text, sheet="A")


# -- what is not opened ---------------------------------------------------------------------------


def archive(path: Path, parts: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def test_other_archives_and_old_workbooks_are_told_apart(tmp_path: Path) -> None:
    old, locked, broken = (tmp_path / name for name in ("o.xls", "l.xlsx", "b.xlsx"))
    old.write_bytes(b"\xd0\xcf\x11\xe0" + b"\0" * 600)
    locked.write_bytes(old.read_bytes() + "EncryptedPackage".encode("utf-16-le"))
    broken.write_bytes(people(tmp_path).read_bytes()[:1500])

    for path, message in [
        (archive(tmp_path / "a.zip", {"people.csv": b"phone\n"}), "is an archive, and no workbook"),
        (old, r"of the old kind \(.xls\)"),
        (locked, "is encrypted"),
        (broken, "is a damaged workbook"),
        (archive(tmp_path / "c.xlsx", {"xl/workbook.xml": b"<nonsense"}), "is a damaged workbook"),
    ]:
        with pytest.raises(UsageError, match=message):
            read(path)


def test_an_encrypted_part_is_told(tmp_path: Path) -> None:
    data = bytearray(people(tmp_path).read_bytes())
    at = data.find(b"PK\x01\x02")
    while at >= 0:  # each entry of the directory
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 4)
    path = tmp_path / "l.xlsx"
    path.write_bytes(data)

    with pytest.raises(UsageError, match="is encrypted"):
        read(path)


def bomb(path: Path, size: int, *, told: int | None = None) -> Path:
    """A workbook of which one part unpacks to *size* bytes, and its directory says *told*."""
    parts = {"xl/workbook.xml": b"<workbook/>", "xl/media/a.bin": b"\0" * size}
    data = bytearray(archive(path, parts).read_bytes())
    if told is not None:
        at = data.rfind(b"PK\x01\x02")
        data[at + 24 : at + 28] = struct.pack("<I", told)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("told", [None, 10])
def test_what_unpacks_to_many_times_its_size_is_not_opened(
    tmp_path: Path, told: int | None
) -> None:
    path = bomb(tmp_path / "b.xlsx", 20 << 20, told=told)

    with pytest.raises(UsageError, match="unpacks to more than 200 times its size"):
        read(path)


def test_what_unpacks_to_more_than_there_is_room_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "MOST_BYTES", 1 << 20)

    for told in (None, 10):  # its directory says so, or does not
        with pytest.raises(UsageError, match="unpacks to more than 1 MB"):
            read(bomb(tmp_path / "b.xlsx", 2 << 20, told=told))


def test_an_archive_in_an_archive_is_not_unpacked(tmp_path: Path) -> None:
    inner = bomb(tmp_path / "i.xlsx", 1 << 20).read_bytes()
    outer = archive(tmp_path / "o.xlsx", {"people.xlsx": inner})

    with pytest.raises(UsageError, match="is an archive, and no workbook"):
        read(outer)


def test_a_sheet_whose_last_cell_is_far_away_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "far.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("A")
        sheet.write(0, 0, "phone")
        sheet.write(1_048_575, 16_383, "far")

    with pytest.raises(UsageError, match="has a sheet of more than 20,000,000 cells"):
        read(path)


def test_too_many_parts_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_PARTS", 3)

    with pytest.raises(UsageError, match="parts, and is not opened"):
        read(people(tmp_path))


@given(
    st.sampled_from([None, "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1),
)
def test_any_damage_is_told_plainly(
    tmp_path_factory: pytest.TempPathFactory,
    part: str | None,
    changes: list[tuple[float, int]],
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "d.xlsx"
    if part is None:  # of the archive itself
        path.write_bytes(damaged(people(folder).read_bytes(), changes))
    else:
        with zipfile.ZipFile(people(folder)) as whole:
            parts = {info.filename: whole.read(info) for info in whole.infolist()}
        archive(path, parts | {part: damaged(parts[part], changes)})
    try:
        _, rows = read(path)
    except UsageError:
        return

    assert all(isinstance(cell, str) for row in rows for cell in row.cells)


def damaged(data: bytes, changes: list[tuple[float, int]]) -> bytes:
    """*data* with other bytes in some places, told as shares of its length."""
    found = bytearray(data)
    for share, byte in changes:
        found[int(share * len(found))] = byte
    return bytes(found)
