"""What is exported and imported is the same: whoever, whatever they are called, in each format."""

import asyncio
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dialer import agents, campaigns, numbers
from dialer.exporting.exports import Export, ExportOrder, What
from dialer.exporting.writers import Format
from dialer.lists.columns import match
from dialer.lists.export_columns import METRIC_COLUMNS
from dialer.lists.files import open_list
from dialer.model import CampaignId
from dialer.people import contacts
from dialer.people.contacts import Enrolment
from dialer.people.person import Person, Priority
from dialer.ports import Tx
from dialer.store.direct import MemoryDatabase, empty_script
from tests.integration.test_exports import NOW, TickingClock

TABLES = [kind for kind in Format if kind.is_table]
CAMPAIGN = "Renewals"
ENROLMENT = Enrolment(CampaignId(1))

#: Any text as lists bring it: without blanks around. XML has no place for the last two characters.
texts = st.text(
    st.one_of(
        st.sampled_from("'=+-@,;|\t\r\n \"%:0\uff1d"),
        st.characters(
            codec="utf-8", exclude_characters="\0\ufffe\uffff", exclude_categories=["Cs"]
        ),
    ),
    max_size=10,
).map(str.strip)
told = texts.filter(bool)
names = st.one_of(
    told,
    st.sampled_from(
        ["tag", "mobile 2", "first_name", "Nachname", "phone", "timezone", "prio", "state",
         "dialer_state", "dialer_id", "rejected_row", "variable:x", "column_2", "nummer", "Note"]
    ),
)  # fmt: skip
phones = st.sampled_from(["+12025550123", "+4915123456789", "+442079460123", "+33612345678"])
people = st.builds(
    Person,
    phone=phones,
    name=texts,
    email=texts,
    zone=st.sampled_from([None, "Europe/Berlin", "America/New_York"]),
    language=st.one_of(st.none(), told),
    priority=st.sampled_from(Priority),
    tags=st.lists(told, unique=True, max_size=3).map(tuple),
    variables=st.dictionaries(names, told, max_size=4),
)
lists = st.lists(people, unique_by=lambda person: person.phone, max_size=4)

AWKWARD = Person(
    "+4915123456789",
    name="Müller; \"Ann\"\r\nLee, 'x' 😀",
    email="=1+1@example.org",
    zone="Europe/Berlin",
    language="de",
    priority=Priority.HIGH,
    tags=("=vip", "a, b", "c"),
    variables={
        "Kunden-Nr.": "00042",
        "Formel": '=HYPERLINK("x")',
        "Zitat": "'=keine",
        "first_name": "Somebody",
        "dialer_state": "their own",
        "a;b,c\td|e": "+1",
        "PLZ": "0 1234",
    },
)


@cache
def script() -> str:
    """What makes an empty database."""
    return empty_script()


async def given_campaign(tx: Tx, known: Sequence[Person]) -> None:
    """A campaign with these members."""
    agent_id = await agents.add_message(tx, "Ann", "Hi", NOW)
    number_id, _ = await numbers.add(
        tx, numbers.NewNumber("+12025550199"), NOW, region="US", default_zone="UTC"
    )
    new = campaigns.NewCampaign(CAMPAIGN, agent_id, [(number_id, 1)])
    await campaigns.create(tx, new, NOW)
    await contacts.put(tx, known, NOW)
    await contacts.enrol(tx, known, ENROLMENT, NOW)


async def stored(tx: Tx) -> list[dict[str, Any]]:
    """What is known of each member, as far as a list may tell of it."""
    rows = await tx.rows("export_members", campaign_id=1, after=0, states="[]", tags="[]", limit=99)
    facts = ("phone", "name", "email", "zone", "language", "tags", "variables", "priority")
    return [
        {fact: row[fact] for fact in facts} | {"variables": json.loads(row["variables"])}
        for row in rows
    ]


def read_back(path: Path) -> list[Person]:
    """The people in an exported table, as an import reads them."""
    with open_list(path) as table:
        columns = match(table.header, {})
        found = [columns.read(row.cells, "US") for row in table.rows()]
    assert METRIC_COLUMNS.issubset(table.header)
    assert all(isinstance(each, Person) for each in found), found
    return [each for each in found if isinstance(each, Person)]


async def round_trip(
    path: Path, kind: Format, known: Sequence[Person], *, raw: bool
) -> tuple[Any, Any]:
    """What one database holds, and what another one does that knows the exported file alone."""
    async with MemoryDatabase(script()) as one, MemoryDatabase(script()) as other:
        async with one.write() as tx:
            await given_campaign(tx, known)
        order = ExportOrder(What.CONTACTS, path, kind, CAMPAIGN, raw=raw)
        await Export(one, TickingClock(), order).run()
        async with other.write() as tx:
            await given_campaign(tx, read_back(path))
        async with one.read() as before, other.read() as after:
            return await stored(before), await stored(after)


@pytest.mark.parametrize("raw", [False, True], ids=["guarded", "raw"])
@pytest.mark.parametrize("kind", TABLES)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(known=[AWKWARD])
@given(known=lists)
def test_exported_people_are_imported_as_they_were(
    tmp_path: Path, kind: Format, raw: bool, known: list[Person]
) -> None:
    path = tmp_path / ("people.xlsx" if kind is Format.XLSX else "people.csv")

    script()  # makes one in a loop of its own
    before, after = asyncio.run(round_trip(path, kind, known, raw=raw))

    assert after == before
    assert len(after) == len(known)
