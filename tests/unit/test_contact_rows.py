"""What becomes of a known contact who is told of again, and how people are stored."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.people.person import Person, Priority
from dialer.people.rows import Existing, Retelling, as_listed, changed, encode
from dialer.places import place_of

PHONE = "+12025550101"
NOW = 5
COLUMNS = frozenset(["name", "email", "zone", "language", "tags"])

texts = st.text(st.characters(codec="utf-8"), max_size=6)
people = st.builds(
    Person,
    phone=st.just(PHONE),
    name=texts,
    email=texts,
    zone=st.sampled_from([None, "Europe/Berlin", "Europe/Rome"]),
    language=st.sampled_from([None, "de", "it"]),
    tags=st.lists(st.sampled_from("abc"), unique=True).map(tuple),
    variables=st.dictionaries(st.sampled_from(["city", "street", "note"]), texts.filter(bool)),
)
retellings = st.builds(
    Retelling,
    st.sampled_from(Existing),
    st.frozensets(st.sampled_from(sorted(COLUMNS))),
    st.frozensets(st.sampled_from(["city", "street", "note"])),
)


def row_of(person: Person) -> dict[str, Any]:
    """The contact as the database has them."""
    return as_listed(person)._asdict()


def facts(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says, in words."""
    return {
        name: json.loads(row[name]) if name in ("tags", "variables") else row[name]
        for name in ("name", "email", "zone", "language", "tags", "variables")
    }


def told(old: Person, new: Person, retelling: Retelling) -> dict[str, Any]:
    """What is known of *old* after *new* was told."""
    return facts(changed(row_of(old), as_listed(new), retelling, NOW) or row_of(old))


@given(people)
def test_people_are_stored_as_json_tells_them(person: Person) -> None:
    row = as_listed(person)

    assert (row.tags, row.variables) == (encode(person.tags), encode(person.variables))
    assert row.place == place_of(PHONE, person.zone).key
    assert row.rank is None


def test_a_priority_is_stored_as_its_rank() -> None:
    assert as_listed(Person(PHONE, priority=Priority.LOW)).rank == Priority.LOW.rank


@given(people, people, retellings)
def test_to_be_told_twice_is_to_be_told_once(
    old: Person, new: Person, retelling: Retelling
) -> None:
    first = changed(row_of(old), as_listed(new), retelling, NOW)

    if first is not None:
        assert changed(first, as_listed(new), retelling, NOW) is None


@given(people, people)
def test_merging_forgets_nothing_that_is_not_told_otherwise(old: Person, new: Person) -> None:
    known = told(old, new, Retelling())

    for name in ("name", "email", "zone", "language"):
        assert known[name] == (getattr(new, name) or getattr(old, name))
    assert set(known["tags"]) == {*old.tags, *new.tags}
    assert known["variables"] == {**old.variables, **new.variables}


@given(people, people)
def test_keeping_changes_nothing_that_is_known(old: Person, new: Person) -> None:
    known = told(old, new, Retelling(Existing.KEEP))

    for name in ("name", "email", "zone", "language"):
        assert known[name] == (getattr(old, name) or getattr(new, name))
    assert known["tags"] == list(old.tags or new.tags)
    assert known["variables"] == {**new.variables, **old.variables}


@given(people, people)
def test_replacing_makes_the_row_the_truth_about_its_columns(old: Person, new: Person) -> None:
    retelling = Retelling(Existing.REPLACE, frozenset(["name", "zone"]), frozenset(["city"]))
    known = told(old, new, retelling)

    assert (known["name"], known["zone"]) == (new.name, new.zone)
    assert (known["email"], known["language"], known["tags"]) == (
        old.email, old.language, list(old.tags),
    )  # fmt: skip
    assert known["variables"].get("city") == new.variables.get("city")
    assert known["variables"].get("street") == {**old.variables, **new.variables}.get("street")


@given(people, people)
def test_who_is_skipped_stays(old: Person, new: Person) -> None:
    assert changed(row_of(old), as_listed(new), Retelling(Existing.SKIP), NOW) is None


@pytest.mark.parametrize(
    ("existing", "zone"), [(Existing.MERGE, "Europe/Rome"), (Existing.REPLACE, None)]
)
def test_an_empty_zone_takes_a_wrong_one_back_where_the_row_is_the_truth(
    existing: Existing, zone: str | None
) -> None:
    wrong = Person(PHONE, name="Ann", zone="Europe/Rome")

    new = changed(
        row_of(wrong), as_listed(Person(PHONE, name="Anna")), Retelling(existing, COLUMNS), NOW
    )

    assert new is not None
    assert (new["zone"], new["moved"]) == (zone, zone is None)
    assert new["place"] == place_of(PHONE, zone).key
