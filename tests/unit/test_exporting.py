"""What an export says of people and calls, and how each format says it."""

import csv
import json
import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from dialer.errors import UsageError
from dialer.exporting import writers
from dialer.exporting.layout import (
    CALL_COLUMNS,
    Layout,
    chosen,
    contact_layout,
    tags_cell,
)
from dialer.exporting.records import (
    Record,
    call_record,
    calls_by_contact,
    contact_record,
    member_record,
)
from dialer.exporting.writers import Format, format_of, writing
from dialer.lists.columns import Field, match, split_tags
from dialer.lists.export_columns import METRIC_COLUMNS

AT = 1_772_442_000_123
SHOWN = "2026-03-02T09:00:00.123Z"
CONTACT: dict[str, Any] = {
    "id": 7,
    "phone": "+12025550123",
    "name": "Ann",
    "email": "",
    "language": None,
    "zone": None,
    "place": "US-DC America/New_York",
    "tags": '["vip","a, b"]',
    "variables": '{"City":"Bonn","tag":"x"}',
    "import_id": 3,
    "added_at": AT,
    "listed": 1,
}
MEMBER = CONTACT | {
    "priority": 0,
    "state": "retry",
    "reason": None,
    "attempts": 2,
    "last_outcome": "busy",
    "next_at": AT,
}
TALKS = {"conversations": 1, "talk_s": 61, "last_called_at": AT, "last_number": "+12025550199"}
ATTEMPT: dict[str, Any] = dict.fromkeys(
    (
        "contact_id", "id", "campaign", "name", "phone", "number", "state", "outcome", "detail",
        "intent_at", "send_at", "ringing_at", "answered_at", "ended_at", "closed_at",
        "duration_s", "status", "sip_code", "error_code", "answered_by", "verdict",
        "machine_kind", "message_left_at", "label", "sid", "local_weekday",
        "local_hour", "rule_set_id",
    )
) | {"window_key": "?"}  # fmt: skip

texts = st.text(
    st.one_of(
        st.sampled_from("'=+-@,;|\t\r\n \"%"),
        st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]),
    ),
    max_size=10,
)


def written(path: Path, layout: Layout, records: Sequence[Record], **how: Any) -> Path:
    kind = how.pop("kind", None) or format_of(path, None)
    with writing(path, kind, raw=how.pop("raw", False)) as writer:
        head = {"campaign": "R", "exported_at": SHOWN, "contacts": ()}
        writer.begin(layout, head, how.pop("rows", len(records)))
        for record in records:
            writer.add(record)
        writer.end()
    return path


def named(variables: dict[str, str]) -> tuple[Layout, Record]:
    """The columns of one contact with these variables, and its record."""
    record = contact_record(CONTACT | {"variables": json.dumps(variables)}, None)
    return contact_layout(variables, members=False), record


# -- records --------------------------------------------------------------------------------------


def test_a_member_tells_all_there_is() -> None:
    assert member_record(MEMBER, TALKS) == {
        "id": 7,
        "phone": "+12025550123",
        "name": "Ann",
        "email": "",
        "language": None,
        "timezone": None,
        "tags": ["vip", "a, b"],
        "variables": {"City": "Bonn", "tag": "x"},
        "conversations": 1,
        "talk_s": 61,
        "last_called_at": SHOWN,
        "last_number": "+12025550199",
        "do_not_call": True,
        "zones": ["America/New_York"],
        "regions": ["US-DC"],
        "import_id": 3,
        "added_at": SHOWN,
        "priority": "high",
        "state": "retry",
        "reason": None,
        "attempts": 2,
        "last_outcome": "busy",
        "next_at": SHOWN,
    }


def test_who_was_never_called_has_not_talked() -> None:
    record = contact_record(CONTACT, None)

    assert (record["conversations"], record["talk_s"], record["last_called_at"]) == (0, 0, None)


@pytest.mark.parametrize("state", ["dialing", "called", "completed", "failed", "no_conversation"])
def test_only_who_waits_has_a_next_time(state: str) -> None:
    assert member_record(MEMBER | {"state": state}, None)["next_at"] is None


@pytest.mark.parametrize("place", ["", "?", "? ?"])
def test_a_place_nobody_knows_has_no_names(place: str) -> None:
    record = contact_record(CONTACT | {"place": place}, None)

    assert (record["zones"], record["regions"]) == ([], [])


def test_every_fact_of_a_call_has_a_column() -> None:
    record = call_record(ATTEMPT)

    assert tuple(record) == CALL_COLUMNS
    assert (record["zones"], record["regions"]) == ([], [])


def test_calls_stay_with_their_contacts_in_their_order() -> None:
    rows = [
        ATTEMPT | {"contact_id": who, "id": name} for who, name in [(1, "a"), (2, "b"), (1, "c")]
    ]

    found = calls_by_contact(rows)

    assert {who: [call["id"] for call in calls] for who, calls in found.items()} == {
        1: ["a", "c"],
        2: ["b"],
    }


# -- columns --------------------------------------------------------------------------------------


def test_a_person_stands_under_names_that_an_import_knows() -> None:
    header = contact_layout(["City"], members=True).header

    assert header[:8] == [
        "phone", "name", "email", "language", "timezone", "priority", "tags", "City",
    ]  # fmt: skip
    assert set(header[8:]) == METRIC_COLUMNS


def test_what_only_members_have_is_left_out_for_contacts() -> None:
    left_out = {"priority", *(f"dialer_{name}" for name in (
        "state", "reason", "attempts", "last_outcome", "next_at"))}  # fmt: skip

    assert left_out.isdisjoint(contact_layout([], members=False).header)


@pytest.mark.parametrize(
    "name",
    [
        "tag",
        "mobile",
        "Last Name",
        "name",
        "dialer_state",
        "rejected_row",
        "=x",
        "a;b",
        "",
        " x",
        'say "hi"',
        "'x",
        "variable:x",
        "zero\u200bwidth",
        "a\nb",
    ],
)
def test_a_variable_is_marked_where_its_name_would_be_read_as_something_else(name: str) -> None:
    (column,) = [each for each in contact_layout([name], members=False).columns if each.variable]

    assert column.header.startswith("variable:")


@pytest.mark.parametrize("name", ["City", "nummer", "state", "Kunden-Nr.", "Größe (cm)", "a & b"])
def test_other_variables_keep_their_names(name: str) -> None:
    assert name in contact_layout([name], members=False).header


@given(st.lists(texts, max_size=4))
def test_tags_are_divided_as_they_were(tags: list[str]) -> None:
    cell = tags_cell(tags)

    assert json.loads(cell) == tags if cell.startswith('["') else split_tags(cell) == tuple(tags)


def test_columns_are_chosen_by_whichever_name() -> None:
    layout = contact_layout(["City", "tag"], members=True)

    some = chosen(layout, ["state", "variable:tag", "City", "dialer_id", "phone", "state"])

    assert some.header == ["dialer_state", "variable:tag", "City", "dialer_id", "phone"]
    assert some.part(member_record(MEMBER, None)) == {
        "state": "retry",
        "variables": {"tag": "x", "City": "Bonn"},
        "id": 7,
        "phone": "+12025550123",
    }


def test_the_name_in_the_table_goes_before_others() -> None:
    layout = contact_layout(["state"], members=True)

    (column,) = chosen(layout, ["state"]).columns

    assert column.variable
    assert chosen(layout, ["dialer_state"]).header == ["dialer_state"]


def test_a_column_nobody_knows_is_told_of() -> None:
    with pytest.raises(UsageError, match=r"no column 'phon'.*did you mean 'phone'"):
        chosen(contact_layout([], members=False), ["phon"])


# -- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "told", "found"),
    [
        ("a.csv", None, Format.CSV),
        ("a.XLSX", None, Format.XLSX),
        ("a.json", None, Format.JSON),
        ("a.ndjson", None, Format.JSONL),
        ("a.txt", Format.CSV_SEMICOLON, Format.CSV_SEMICOLON),
        ("-", None, Format.CSV),
        ("-", Format.JSON, Format.JSON),
    ],
)
def test_the_format_is_told_or_in_the_name(name: str, told: Format | None, found: Format) -> None:
    assert format_of(Path(name), told) is found


def test_a_name_that_says_no_format_is_refused() -> None:
    with pytest.raises(UsageError, match="does not say which format"):
        format_of(Path("people.txt"), None)


def test_a_workbook_is_no_text() -> None:
    with pytest.raises(UsageError, match="name a file"):
        format_of(Path("-"), Format.XLSX)


@given(texts, texts)
def test_no_cell_and_no_header_runs_in_a_spreadsheet(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: str
) -> None:
    layout, record = named({name: value})

    path = written(tmp_path_factory.mktemp("csv") / "a.csv", layout, [record])

    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    signs = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
    assert [cell for cell in cells if cell.startswith(signs) or cell.strip() != cell] == []


def test_raw_cells_are_as_they_are(tmp_path: Path) -> None:
    layout, record = named({"a": "=1+1", "b": " x"})

    path = written(tmp_path / "a.csv", chosen(layout, ["phone", "a", "b"]), [record], raw=True)

    assert path.read_bytes() == b"phone,a,b\r\n+12025550123,=1+1, x\r\n"


def test_semicolons_come_with_a_mark_of_the_encoding(tmp_path: Path) -> None:
    layout, record = named({"a": "1,5"})

    path = written(
        tmp_path / "a.csv", chosen(layout, ["phone", "a"]), [record], kind=Format.CSV_SEMICOLON
    )

    assert path.read_bytes() == "\ufeffphone;a\r\n'+12025550123;1,5\r\n".encode()


def test_a_workbook_holds_texts_that_nothing_makes_formulas_of(tmp_path: Path) -> None:
    layout, record = named({"a": "=1+1", "b": "0042", "c": "http://x.example", "d": "'=x"})

    path = written(tmp_path / "a.xlsx", layout, [record, record])

    header, *rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    told = dict(zip(header, rows[1], strict=True))
    assert {name: told[name] for name in ("phone", "a", "b", "c", "d")} == {
        "phone": "+12025550123", "a": "=1+1", "b": "0042", "c": "http://x.example", "d": "''=x",
    }  # fmt: skip
    assert (told["dialer_id"], told["dialer_do_not_call"]) == (7.0, "yes")
    with zipfile.ZipFile(path) as parts:
        sheet, styles = (parts.read(f"xl/{name}.xml") for name in ("worksheets/sheet1", "styles"))
    assert b"<f>" not in sheet
    assert b'quotePrefix="1"' in styles
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_workbook_leaves_nothing_beside_it(tmp_path: Path) -> None:
    layout, record = named({})

    def interrupted(writer: writers.Writer) -> None:
        writer.begin(layout, {}, 1)
        writer.add(record)
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        writing(tmp_path / "a.xlsx", Format.XLSX, raw=False) as w,
    ):
        interrupted(w)
    assert list(tmp_path.iterdir()) == []

    written(tmp_path / "a.xlsx", layout, [record])
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]


@pytest.mark.parametrize(
    ("layout", "rows", "why"),
    [
        (
            contact_layout([], members=False),
            1_048_576,
            "1,048,576 rows, and this would take 1,048,577",
        ),
        (contact_layout(map(str, range(16_384)), members=False), 1, "16,384 columns"),
    ],
)
def test_what_no_worksheet_holds_is_refused_before_any_work(
    tmp_path: Path, layout: Layout, rows: int, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        written(tmp_path / "a.xlsx", layout, [], rows=rows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["x" * 32_768, "\N{GRINNING FACE}" * 16_384])
def test_a_text_that_no_cell_holds_is_not_cut(tmp_path: Path, text: str) -> None:
    layout, record = named({"a": text})

    with pytest.raises(UsageError, match=r"^7: a text of [\d,]+ characters does not fit"):
        written(tmp_path / "a.xlsx", layout, [record])


def test_the_longest_text_fits(tmp_path: Path) -> None:
    layout, record = named({"a": "x" * 32_767})

    path = written(tmp_path / "a.xlsx", layout, [record])

    assert "x" * 32_767 in CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()[1]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_document_is_json_whatever_it_holds(tmp_path: Path, count: int) -> None:
    layout, record = named({"a": 'é\n\u2028"'})

    path = written(tmp_path / "a.json", layout, [record] * count)

    assert json.loads(path.read_bytes()) == {
        "campaign": "R", "exported_at": SHOWN, "contacts": [record] * count,
    }  # fmt: skip


def test_lines_stand_for_themselves(tmp_path: Path) -> None:
    layout, record = named({"a": "é\n"})
    with_calls = record | {"calls": [call_record(ATTEMPT)]}

    path = written(tmp_path / "a.jsonl", layout, [record, with_calls])

    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == [
        record,
        with_calls,
    ]


def test_calls_stay_with_a_part_of_a_record() -> None:
    layout, record = named({})

    part = chosen(layout, ["phone"]).part(record | {"calls": []})

    assert part == {"phone": "+12025550123", "calls": []}


@given(st.dictionaries(texts, texts, max_size=4))
def test_a_header_is_read_as_it_was_meant(variables: dict[str, str]) -> None:
    columns = match(contact_layout(variables, members=True).header, {})

    assert set(columns.variables.values()) == set(variables)


# -- how an import takes it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ('["a, b","c","c"]', ("a, b", "c")),
        ('["a" b', ('["a" b',)),
        ('["a", 7]', ('["a"', "7]")),
        ('["a"' + "[" * 100_000, ('["a"' + "[" * 100_000,)),
    ],
)
def test_tags_that_hold_a_separator_are_told_as_json(cell: str, tags: tuple[str, ...]) -> None:
    assert split_tags(cell) == tags


def test_an_import_passes_over_what_only_the_engine_knows() -> None:
    columns = match(["phone", "dialer_state", "dialer_unheard_of", "variable:mobile"], {})

    assert columns.fields == {Field.PHONE: (0,)}
    assert columns.variables == {2: "dialer_unheard_of", 3: "mobile"}


def test_an_operator_may_name_any_column() -> None:
    columns = match(["phone", "dialer_last_number"], {Field.PHONE: ["dialer_last_number"]})

    assert columns.fields[Field.PHONE] == (1,)
