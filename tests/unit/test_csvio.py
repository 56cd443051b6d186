"""CSV files as they come: encodings, separators, quotes, and what is no CSV at all."""

import codecs
import csv
import io
import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.csvio import (
    DELIMITERS,
    STDIN,
    RejectedRows,
    Table,
    TableRow,
    open_table,
    rejected_path,
)
from dialer.errors import UsageError
from dialer.people import Fault, RowFault

cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8
)


def written(folder: Path, data: bytes) -> Path:
    path = folder / "people.csv"
    path.write_bytes(data)
    return path


def read(path: Path, encoding: str | None = None) -> tuple[Table, list[TableRow]]:
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
        assert one.bytes_read == one.size
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
