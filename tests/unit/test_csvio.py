"""CSV files as they come: encodings, separators, quotes, and what is no CSV at all."""

import codecs
import csv
import io
import os
import stat
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import UsageError
from dialer.lists.csvio import (
    DELIMITERS,
    KEPT_CHARS,
    MOST_CHARS,
    MOST_COLUMNS,
    MOST_LINES,
    STDIN,
    CsvTable,
    ReadFault,
    TableRow,
    delimiter_named,
    open_table,
)
from dialer.lists.rejected_rows import RejectedRows, rejected_path
from dialer.people.person import Fault, RowFault

cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8
)


def written(folder: Path, data: bytes) -> Path:
    path = folder / "people.csv"
    path.write_bytes(data)
    return path


def read(path: Path, encoding: str | None = None) -> tuple[CsvTable, list[TableRow]]:
    with open_table(path, encoding=encoding) as table:
        return table, list(table.rows())


def values(rows: list[TableRow]) -> list[list[str]]:
    return [list(row.cells) for row in rows]


# -- encodings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("phone;name\n1;Müller\n".encode(), "utf-8"),
        ("phone;name\n1;Müller\n".encode("utf-8-sig"), "utf-8-sig"),
        ("phone;name\n1;Müller\n".encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + "phone;name\n1;Müller\n".encode("utf-16-be"), "utf-16"),
        ("phone;name\n1;Müller\n".encode("utf-32"), "utf-32"),
        ("phone;name\r\n1;Müller\r\n".encode("cp1252"), "cp1252"),
    ],
)
def test_the_encoding_is_found_out(tmp_path: Path, data: bytes, encoding: str) -> None:
    table, rows = read(written(tmp_path, data))

    assert (table.encoding, table.header) == (encoding, ("phone", "name"))
    assert values(rows) == [["1", "Müller"]]


def test_an_encoding_may_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, "phone;name\n1;Łódź\n".encode("cp1250"))

    assert values(read(path, "cp1250")[1]) == [["1", "Łódź"]]
    assert values(read(path, "windows-1250")[1]) == [["1", "Łódź"]]


def test_a_mark_does_not_get_into_the_header(tmp_path: Path) -> None:
    path = written(tmp_path, "phone\n1\n".encode("utf-8-sig"))

    assert read(path, "utf8")[0].header == ("phone",)


def test_damage_in_a_utf_8_file_spoils_its_row_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "phone,name\n1,Zoë\n2,M".encode() + b"\xfcller\n3,Ann\n")

    table, rows = read(path)

    assert table.encoding == "utf-8"
    assert values(rows) == [["1", "Zoë"], ["2", "M\ufffdller"], ["3", "Ann"]]
    assert [row.fault for row in rows] == [
        None,
        Fault("name", "M\ufffdller", RowFault.BAD_ENCODING),
        None,
    ]


def test_bytes_that_are_no_letters_spoil_their_row_alone(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, b"phone,name\n1,M\xfcller\n2,\x81\n"))

    assert [row.fault and row.fault.reason for row in rows] == [None, RowFault.BAD_ENCODING]


# -- separators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_the_separator_is_found_out(tmp_path: Path, delimiter: str) -> None:
    lines = [["phone", "name, first; last", "no"], ["1", "a, b", "x"], ["2", "c; d | e", "y"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(lines)

    table, rows = read(written(tmp_path, text.getvalue().encode()))

    assert (table.delimiter, list(table.header)) == (delimiter, lines[0])
    assert values(rows) == lines[1:]


def test_one_column_needs_no_separator(tmp_path: Path) -> None:
    table, rows = read(written(tmp_path, b"phone\n+12025550123\n"))

    assert (table.header, values(rows)) == (("phone",), [["+12025550123"]])


def test_a_file_may_name_its_separator(tmp_path: Path) -> None:
    table, rows = read(written(tmp_path, b"sep=;\nphone\n1,2\n"))

    assert (table.delimiter, table.header) == (";", ("phone",))
    assert rows == [TableRow(2, ["1,2"])]


# -- rows -----------------------------------------------------------------------------------------


def test_rows_are_counted_as_spreadsheets_do(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, b'phone,note\n1,"a\nb"\n\n , \n2,c\n'))

    assert rows == [TableRow(2, ["1", "a\nb"]), TableRow(5, ["2", "c"])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like(tmp_path: Path, end: str) -> None:
    _, rows = read(written(tmp_path, f"phone,name{end}1,a{end}2,b".encode()))

    assert values(rows) == [["1", "a"], ["2", "b"]]


def test_a_quote_that_never_closes_costs_one_row(tmp_path: Path) -> None:
    data = b'phone,name\n1,"Ann\n2,Bob\n3,"Carl, jr."\n4,Dora\n'

    _, rows = read(written(tmp_path, data))

    assert rows[0] == TableRow(2, ['1,"Ann'], Fault("", '1,"Ann', RowFault.BAD_QUOTING))
    assert values(rows[1:]) == [["2", "Bob"], ["3", "Carl, jr."], ["4", "Dora"]]


def test_an_unclosed_quote_in_the_last_row_costs_that_row(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, b'phone,name\n1,Ann\n2,"Bob'))

    assert [row.fault and row.fault.reason for row in rows] == [None, RowFault.BAD_QUOTING]


def test_a_long_file_behind_an_unclosed_quote_is_read_to_its_end(tmp_path: Path) -> None:
    lines = [f"{number},{'x' * 50}" for number in range(10_000)]
    lines[10] = f'10,"{"x" * 50}'

    _, rows = read(written(tmp_path, "\n".join(["phone,name", *lines]).encode()))

    assert len(rows) == 10_000
    assert [row.number for row in rows if row.fault] == [12]


@given(
    st.lists(st.lists(cells, min_size=2, max_size=4), max_size=6),
    st.sampled_from(DELIMITERS),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_a_writer_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[list[str]],
    delimiter: str,
    encoding: str,
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["phone", "name", "city", "note"], *lines])

    path = written(tmp_path_factory.mktemp("csv"), text.getvalue().encode(encoding))

    kept = [line for line in lines if any(map(str.strip, line))]
    assert values(read(path)[1]) == kept


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_a_plain_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("csv"), b"phone,name\n" + data)
    try:
        _, rows = read(path)
    except UsageError:
        return

    for row in rows:
        "".join(row.cells).encode()  # fit to be stored


def test_a_file_has_a_fingerprint_and_a_size(tmp_path: Path) -> None:
    with open_table(written(tmp_path, b"phone\n1\n")) as one:
        assert (one.size, len(one.digest)) == (8, 64)
        list(one.rows())
        assert one.position == (one.size, 2)
    with open_table(written(tmp_path, b"phone\n2\n")) as other:
        assert other.digest != one.digest


# -- what is no list ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b" \n\r\n", "is empty"),
        (codecs.BOM_UTF8, "is empty"),
        (b",,\n\n,\n", "is empty"),
        (b"PK\x03\x04rest", "is a workbook or an archive"),
        (b"\xd0\xcf\x11\xe0rest", "is a workbook or an archive"),
        (b"\x7fELF\x00\x00", "is no text"),
        ("phone\n1\n".encode("utf-16-le"), "is no text"),
        (codecs.BOM_UTF16_LE + b"p\x00h", "cannot be read as utf-16"),
        (b'phone,"name\n1,Ann\n', r"the header cannot be read \(bad_quoting\)"),
        (b"phone,\xff\x81\n1,Ann\n", r"the header cannot be read \(bad_encoding\)"),
    ],
)
def test_what_is_no_list_is_refused_with_its_name(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(UsageError, match=f"people.csv.* {message}|people.csv: {message}"):
        read(written(tmp_path, data))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.csv cannot be read: No such file"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(UsageError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["klingon", "hex"])
def test_an_encoding_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"no such encoding: '{name}'"):
        read(written(tmp_path, b"phone\n1\n"), name)


# -- pipes ----------------------------------------------------------------------------------------


def test_a_pipe_is_read_though_it_cannot_be_read_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[b"phone\n1\n"])
    writer.start()

    _, rows = read(pipe)

    writer.join()
    assert values(rows) == [["1"]]


def test_standard_input_is_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with written(tmp_path, b"phone\n1\n").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        table, rows = read(STDIN)

    assert (table.name, values(rows)) == ("standard input", [["1"]])


# -- rejected rows --------------------------------------------------------------------------------

BAD_PHONE = Fault("phone", "x", RowFault.INVALID_PHONE)


def test_no_rejected_row_makes_no_file(tmp_path: Path) -> None:
    with RejectedRows(tmp_path / "bad.csv", ["phone"], ",") as rejected:
        pass

    assert rejected.path is None
    assert list(tmp_path.iterdir()) == []


def test_rejected_rows_can_be_mended_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    with RejectedRows(path, ["phone", "name"], ";") as rejected:
        rejected.add(TableRow(7, ["x", "Müller"]), BAD_PHONE)
        rejected.add(TableRow(9, ["x"]), BAD_PHONE)
        rejected.add(TableRow(11, ["x", "y", "z"]), Fault("", "z", RowFault.TOO_MANY_COLUMNS))

    table, rows = read(path)

    assert rejected.path == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert table.header == ("phone", "name", "rejected_row", "rejected_column", "rejected_reason")
    assert values(rows) == [
        ["x", "Müller", "7", "phone", "invalid_phone"],
        ["x", "", "9", "phone", "invalid_phone"],
        ["x", "y", "11", "", "too_many_columns", "z"],
    ]


def test_a_file_of_rejected_rows_may_have_hints(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    with RejectedRows(path, ["phone", "campaign"], ",", hints=True) as rejected:
        rejected.add(TableRow(2, ["1", "Renewels"]), BAD_PHONE, "did you mean 'Renewals'?")
        rejected.add(TableRow(3, ["x", ""]), BAD_PHONE)

    table, rows = read(path)

    assert table.header[-1] == "rejected_hint"
    assert [row.cells[-1] for row in rows] == ["did you mean 'Renewals'?", ""]


def test_without_a_path_rejected_rows_are_not_written(tmp_path: Path) -> None:
    with RejectedRows(None, ["phone"], ",") as rejected:
        rejected.add(TableRow(2, ["x"]), BAD_PHONE)

    assert rejected.path is None


@pytest.mark.parametrize("where", ["missing/bad.csv", "."])
def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path, where: str) -> None:
    with (
        pytest.raises(UsageError, match="rejected rows cannot be written"),
        RejectedRows(tmp_path / where, ["phone"], ","),
    ):
        pass


def test_rejected_rows_go_beside_their_list(tmp_path: Path) -> None:
    path = written(tmp_path, b"phone\n")

    assert rejected_path(path) == tmp_path / "people.rejected.csv"
    assert rejected_path(STDIN) == Path("stdin.rejected.csv")
    assert rejected_path(Path("/dev/fd/63")) == Path("63.rejected.csv")


# -- places in the file ---------------------------------------------------------------------------


@given(
    st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be with mark"]),
)
def test_a_place_between_rows_is_where_the_next_one_begins(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], end: str, encoding: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=end)
    writer.writerows([["phone", "name", "note"], *lines])
    codec = encoding.partition(" ")[0]
    mark = codecs.BOM_UTF16_BE if " " in encoding else b""
    data = mark + text.getvalue().encode(codec)
    folder = tmp_path_factory.mktemp("csv")
    plain = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(codec, codec)

    with open_table(written(folder, data), delimiter=",") as table:
        found = []
        for row in table.rows():
            rest = data[table.position.offset :].decode(plain)
            found.append((row, table.position.row, list(csv.reader(io.StringIO(rest, newline="")))))

    kept = [line for line in lines if any(map(str.strip, line))]
    for number, (row, behind, left) in enumerate(found):
        assert behind == row.number
        assert [line for line in left if any(map(str.strip, line))] == kept[number + 1 :]


@given(st.binary(max_size=120), st.sampled_from([None, "utf-8", "cp1252", "shift_jis", "gb18030"]))
def test_places_only_grow_and_end_with_the_file(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, encoding: str | None
) -> None:
    path = written(tmp_path_factory.mktemp("csv"), b"phone,name\n" + data)
    try:
        with open_table(path, encoding=encoding) as table:
            places = [table.position.offset]
            places += [table.position.offset for _ in table.rows()]
            end = table.position.offset
            size = table.size
    except UsageError:
        return

    assert places == sorted(places)
    assert end == size


@pytest.mark.parametrize("encoding", ["shift_jis", "iso2022_jp", "gb18030", "euc_jp", "utf-7"])
def test_encodings_of_several_bytes_are_read_too(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "phone,name\n1,山田\n2,表示\n".encode(encoding))

    table, rows = read(path, encoding)

    assert values(rows) == [["1", "山田"], ["2", "表示"]]
    assert table.position.offset == table.size


# -- lists that are none, nearly ------------------------------------------------------------------


def test_a_line_without_an_end_costs_its_row_and_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    with path.open("wb") as file:
        file.write(b"phone,name\n1,Ann\n2,")
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b"\n3,Bob\n")
    tracemalloc.start()
    try:
        with open_table(path) as table:
            rows = list(table.rows())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [row.number for row in rows] == [2, 3, 4]
    assert (rows[1].fault and rows[1].fault.reason) == ReadFault.ROW_TOO_LONG
    assert values([rows[0], rows[2]]) == [["1", "Ann"], ["3", "Bob"]]
    assert len(rows[1].cells[0]) == KEPT_CHARS
    assert table.position.offset == table.size
    assert most < 40 << 20


def test_a_row_of_many_cells_or_lines_costs_itself(tmp_path: Path) -> None:
    commas = b"2" + b"," * (MOST_CHARS + 5)
    lines = b'3,"' + b"\n" * (MOST_LINES + 5) + b'"'
    _, rows = read(written(tmp_path, b"phone,name\n1,a\n" + commas + b"\n" + lines + b"\n4,b\n"))

    reasons = [row.fault.reason for row in rows if row.fault]
    assert reasons[0] == ReadFault.ROW_TOO_LONG
    assert set(reasons[1:]) == {RowFault.BAD_QUOTING}
    assert values([rows[0], rows[-1]]) == [["1", "a"], ["4", "b"]]


def test_a_bomb_of_quotes_goes_off_line_by_line(tmp_path: Path) -> None:
    # Open at the end of each line, be it begun open or not: a row without an end.
    bomb = 'a""","""\n' * 3_000
    _, rows = read(written(tmp_path, f"phone,name\n1,Ann\n{bomb}".encode()))

    assert values(rows[:1]) == [["1", "Ann"]]
    assert {row.fault.reason for row in rows[1:] if row.fault} == {RowFault.BAD_QUOTING}
    assert len(rows) == 3_001


def test_a_list_has_so_many_columns_and_no_more(tmp_path: Path) -> None:
    names = ",".join(["phone", *map(str, range(MOST_COLUMNS - 1))])

    assert len(read(written(tmp_path, f"{names}\n1\n".encode()))[0].header) == MOST_COLUMNS
    with pytest.raises(UsageError, match=r"has 1,001 columns; at most 1,000 are taken"):
        read(written(tmp_path, f"{names},more\n1\n".encode()))


def test_a_mark_in_the_middle_belongs_to_no_cell(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, 'phone,name\n1,a\n\ufeffphone,name\n\ufeff"2",b\n'.encode()))

    assert values(rows) == [["1", "a"], ["phone", "name"], ["2", "b"]]


def test_ragged_rows_and_a_last_separator_are_left_as_they_are(tmp_path: Path) -> None:
    table, rows = read(written(tmp_path, b"phone,name,\n1\n2,b,,\n3,c,d,e\n"))

    assert table.header == ("phone", "name", "")
    assert values(rows) == [["1"], ["2", "b", "", ""], ["3", "c", "d", "e"]]


def test_a_separator_may_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, b"sep=,\nphone^name\n1^a,b\n")
    with open_table(path, delimiter=delimiter_named("^")) as table:
        rows = list(table.rows())

    assert (table.header, values(rows)) == (("phone", "name"), [["1", "a,b"]])
    assert [delimiter_named(name) for name in ("tab", "Comma", "\\t", ";")] == [
        "\t",
        ",",
        "\t",
        ";",
    ]
    for name in ("", "ab", '"', "x", "\n"):
        with pytest.raises(UsageError, match="not a separator"):
            delimiter_named(name)


# -- rejected rows, gone on with ------------------------------------------------------------------


def test_rejected_rows_go_on_behind_what_is_true(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    with RejectedRows(path, ["phone"], ",") as rejected:
        rejected.add(TableRow(2, ["ä"]), BAD_PHONE)
        size = rejected.flush()
        rejected.add(TableRow(3, ["y"]), BAD_PHONE)
    whole = path.read_bytes()

    with RejectedRows(path, ["phone"], ",") as rejected:
        rejected.resume(size)
        assert path.stat().st_size == size
        rejected.add(TableRow(3, ["y"]), BAD_PHONE)
        assert rejected.flush() == len(whole)

    assert path.read_bytes() == whole
    with RejectedRows(path, ["phone"], ",") as rejected:
        rejected.resume(0)
        assert rejected.path is None


def test_a_rejected_row_is_written_down_up_to_a_length(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    with RejectedRows(path, ["phone"], ",") as rejected:
        rejected.add(TableRow(2, ["x" * 20_000]), BAD_PHONE)

    assert path.stat().st_size < 11_000
