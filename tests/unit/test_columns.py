"""Which column tells what, and what a row says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import UsageError
from dialer.lists.columns import (
    OF_ENTRIES,
    Columns,
    Field,
    Told,
    guarded,
    match,
    parse_map,
    split_tags,
    unguarded,
)
from dialer.people.person import Fault, Person, Priority, RowFault

PHONE = "+12025550123"


def columns(header: str, *named: str) -> Columns:
    return match(header.split(","), parse_map(named))


def read(header: str, row: str, region: str = "US") -> Person | Fault:
    return columns(header).read(row.split(","), region)


def person(header: str, row: str) -> Person:
    found = read(header, row)
    assert isinstance(found, Person), found
    return found


# -- the header -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "phone", "Phone Number", "PHONE_NUMBER", "Tel.", "Mobile", "Cell Phone", "Phone 1 - Value",
        "Telefon", "Handy", "Rufnummer", "Téléphone", "Numéro de téléphone", "Teléfono móvil",
        "Cellulare", "Telemóvel", "Telefoonnummer", "Телефон", "Мобильный", "電話番号", "手机号",
    ],
)  # fmt: skip
def test_a_phone_column_is_known_in_many_languages(name: str) -> None:
    assert columns(f"Foo,{name}").described() == {"phone": [name]}


def test_every_field_has_its_column_and_the_rest_are_variables() -> None:
    found = columns("Prénom,Nom,Téléphone,Courriel,Fuseau horaire,Langue,Priorité,Étiquettes,Ville")

    assert found.described() == {
        "phone": ["Téléphone"],
        "first_name": ["Prénom"],
        "last_name": ["Nom"],
        "email": ["Courriel"],
        "timezone": ["Fuseau horaire"],
        "language": ["Langue"],
        "priority": ["Priorité"],
        "tags": ["Étiquettes"],
    }
    assert list(found.variables.values()) == ["Prénom", "Nom", "Ville"]


def test_a_column_called_number_is_a_phone_only_where_no_other_is() -> None:
    assert columns("Number,Phone").described() == {"phone": ["Phone"]}
    assert columns("Number,City").described() == {"phone": ["Number"]}


def test_what_the_operator_names_goes_before_the_names() -> None:
    found = columns("Phone,Private,Name", "phone=private", "name = Phone", "phone=Name")

    assert found.described() == {"phone": ["Private", "Name"], "name": ["Phone"]}


def test_nameless_and_equal_columns_become_variables_of_their_own() -> None:
    found = columns("phone,note,note,,note_2")

    assert list(found.variables.values()) == ["note", "note_2", "column_4", "note_2_2"]


def test_the_columns_of_a_file_of_rejected_rows_are_passed_over() -> None:
    found = columns("phone,city,rejected_row,rejected_column,rejected_reason")

    assert list(found.variables.values()) == ["city"]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("phone", "not a column's meaning: 'phone'"),
        ("phone=", "not a column's meaning: 'phone='"),
        ("fone=Tel", "no such field: 'fone' .*did you mean 'phone'"),
        ("Tel=phone", "no such field: 'Tel' .*the field comes first, as in phone=Tel"),
        ("phone=Telephon", "no column 'Telephon'; the columns are 'Telefon', 'City'; did you"),
    ],
)
def test_a_mapping_that_cannot_be_followed_says_why(named: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        columns("Telefon,City", named)


def test_a_list_without_phones_names_its_columns_and_the_cure() -> None:
    with pytest.raises(UsageError, match=r"no column holds .* 'City', 'Street'$") as caught:
        columns("City,Street")

    assert caught.value.next_step == "name it: --map phone='City'"


def test_a_very_wide_header_is_named_in_part() -> None:
    with pytest.raises(UsageError, match="and 280 more"):
        match([f"c{n}" for n in range(300)], {})


# -- the rows -------------------------------------------------------------------------------------


def test_a_row_tells_of_a_person() -> None:
    found = person(
        "name,phone,email,timezone,language,priority,tags,city,street",
        f" Ann ,{PHONE},a@example.com,Europe/Berlin,de-DE,HIGH,vip; march;vip,Bonn,",
    )

    assert found == Person(
        phone=PHONE,
        name="Ann",
        email="a@example.com",
        zone="Europe/Berlin",
        language="de-DE",
        priority=Priority.HIGH,
        tags=("vip", "march"),
        variables={"city": "Bonn"},
    )


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("phone,first name,last name", "Ann,Lee", "Ann Lee"),
        ("phone,first name,last name", ",Lee", "Lee"),
        ("phone,Vorname,Name", "Ann,Müller", "Ann Müller"),
        ("phone,first name,name", "Ann,Ann Lee", "Ann Lee"),
        ("phone,name,first name,last name", "Dr. Lee,Ann,Lee", "Dr. Lee"),
        ("phone,name", "", ""),
    ],
)
def test_the_name_is_made_of_its_parts(header: str, row: str, name: str) -> None:
    assert person(header, f"{PHONE},{row}").name == name


def test_the_first_phone_that_is_given_counts_and_the_others_are_kept() -> None:
    header = "Phone,Mobile"

    assert person(header, f",{PHONE}").phone == PHONE
    assert person(header, f"{PHONE},+12025550124").variables == {"Mobile": "+12025550124"}


def test_a_short_row_lacks_what_it_lacks_and_blank_cells_beyond_the_header_are_none() -> None:
    assert person("phone,city,street", PHONE).variables == {}
    assert person("phone,city", f"{PHONE},Bonn,, ,").variables == {"city": "Bonn"}


def test_what_keeps_a_spreadsheet_from_reckoning_is_taken_off() -> None:
    found = person("phone,formula,word", f"'{PHONE},'=1+1,'tis")

    assert (found.phone, found.variables) == (PHONE, {"formula": "=1+1", "word": "'tis"})


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",,", Fault("phone", "", RowFault.MISSING_PHONE)),
        ("12,,", Fault("phone", "12", RowFault.INVALID_PHONE)),
        ("1.2E+10,,", Fault("phone", "1.2E+10", RowFault.ROUNDED_PHONE)),
        (f"{PHONE},europe/berlin,", Fault("zone", "europe/berlin", RowFault.BAD_ZONE)),
        (f"{PHONE},,urgent", Fault("prio", "urgent", RowFault.BAD_PRIORITY)),
        (f"{PHONE},,,more", Fault("", "more", RowFault.TOO_MANY_COLUMNS)),
    ],
)
def test_a_row_that_cannot_be_taken_says_where_and_why(row: str, fault: Fault) -> None:
    assert read("phone,zone,prio", row) == fault


def test_an_ambiguous_number_is_told_apart_from_a_bad_one() -> None:
    fault = read("phone", "4915123456789", "DE")

    assert fault == Fault("phone", "4915123456789", RowFault.AMBIGUOUS_PHONE)


@given(st.lists(st.text(max_size=20), max_size=12))
def test_any_row_is_a_person_or_a_fault(cells: list[str]) -> None:
    wide = match([str(field) for field in Field] + ["note"], {})

    found = wide.read(cells, "US")

    assert isinstance(found, Person | Fault)


@given(st.lists(st.text(st.sampled_from("'=+ aO"), max_size=6), min_size=1, max_size=4))
def test_every_cell_is_stripped_and_loses_its_guard(cells: list[str]) -> None:
    wide = match(["phone", *(f"c{at}" for at in range(len(cells)))], {})

    found = wide.told([PHONE, *cells], "US")

    assert isinstance(found, Told)
    assert found.values == [PHONE, *(unguarded(cell.strip()) for cell in cells)]


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("Ann,,Lee", "Ann Lee"),
        (",,Lee", "Lee"),
        ("Ann,,", "Ann"),
        ("Ann,Lee,", "Ann Lee"),  # a column called name often holds the last one
        ("Ann,Ann Lee,", "Ann Lee"),
        ("Ann,Dr Lee,Lee", "Dr Lee"),
        (",,", ""),
    ],
)
def test_a_name_is_put_together_from_what_is_told_of_it(row: str, name: str) -> None:
    found = person("phone,first name,name,last name", f"{PHONE},{row}")

    assert found.name == name


def test_tags_are_split_at_their_marks_and_kept_once() -> None:
    assert split_tags(" a, b;c|a ,,") == ("a", "b", "c")
    assert split_tags("") == ()


# -- lists of do-not-call entries -----------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["Phone,Campaign,Note", "Rufnummer,Kampagne,Grund", "Téléphone,Campagne,Remarque"]
)
def test_an_entrys_columns_are_known_in_many_languages(header: str) -> None:
    phone, campaign, note = header.split(",")

    found = match(header.split(","), {}, OF_ENTRIES)

    assert found.described() == {"phone": [phone], "campaign": [campaign], "note": [note]}


def test_an_entry_has_no_name_and_a_person_no_note() -> None:
    header = ["Phone", "Name", "Campaign", "Note"]

    assert list(match(header, {}, OF_ENTRIES).variables.values()) == ["Name"]
    assert list(match(header, {}).variables.values()) == ["Campaign", "Note"]
    with pytest.raises(UsageError, match=r"no such field: 'name' \(phone, campaign, note\)"):
        parse_map(["name=Name"], OF_ENTRIES)
    with pytest.raises(UsageError, match="no such field: 'campaign'"):
        parse_map(["campaign=Campaign"])


def test_a_row_tells_where_it_says_what() -> None:
    columns = match(["Tel", "Campaign", "Reason"], {}, OF_ENTRIES)

    told = columns.told(["(202) 555-0123", " Renewals "], "US")

    assert isinstance(told, Told)
    assert (told.phone, told.value(Field.CAMPAIGN), told.value(Field.NOTE)) == (
        PHONE, "Renewals", "",
    )  # fmt: skip
    assert columns.column_of(Field.CAMPAIGN, told) == "Campaign"


@given(st.text(st.one_of(st.sampled_from("'=+-@\uff1d"), st.characters()), max_size=6))
def test_a_guard_comes_off_as_it_went_on(text: str) -> None:
    assert unguarded(guarded(text)) == unguarded(guarded(text, raw=True)) == text
