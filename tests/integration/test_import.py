"""Bringing lists in: nothing is lost, nothing is doubled, whatever happens on the way."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dialer import campaigns
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.importing.imports import Import, ImportOrder
from dialer.importing.records import ImportCounts
from dialer.lists.columns import match, parse_map
from dialer.lists.csvio import open_table
from dialer.lists.intake import MOST_ROWS, Pace
from dialer.lists.rejected_rows import RejectedRows
from dialer.model import CampaignId
from dialer.people import contacts
from dialer.people.contacts import Enrolment
from dialer.people.person import Person, Priority, RowFault
from dialer.ports import Database, Row
from dialer.states import CampaignEvent, MemberState
from dialer.store.opening import AnyDatabase
from tests.support.given import given_campaign, read
from tests.support.meddled import Meddled

NOW = 1_800_000_000_000
LATER = NOW + 60_000


@dataclass
class StoppedClock:
    """Shows the time it is told."""

    at: int = NOW

    def now(self) -> int:
        return self.at


def phone(number: int) -> str:
    return f"+1202555{number:04}"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


async def bring_in(
    database: Database,
    path: Path,
    text: str,
    *,
    enrolment: Enrolment | None = None,
    now: int = NOW,
    dry_run: bool = False,
    rejects: Path | None = None,
    progress: Any = lambda _: None,
    portion: int = MOST_ROWS,
    again: bool = True,
    **more: Any,
) -> ImportCounts:
    """Import *text* as a file of numbers of the US."""
    with open_table(written(path, text)) as table:
        columns = match(table.header, parse_map([]))
        order = ImportOrder(table, columns, "US", enrolment, dry_run, again=again, **more)
        with RejectedRows(rejects, table.header, table.delimiter) as rejected:
            run = Import(database, StoppedClock(now), order, rejected, pace=Pace(portion))
            return await run.run(progress)


async def stored(database: AnyDatabase) -> dict[str, Mapping[str, Any]]:
    """Every contact by its phone, as far as lists tell of it."""
    async with database.read() as tx:
        rows = await read(
            tx, "SELECT phone, name, email, zone, language, tags, variables FROM contacts"
        )
    return {
        found: {
            "name": name,
            "email": email,
            "zone": zone,
            "language": language,
            "tags": json.loads(tags),
            "variables": json.loads(variables),
        }
        for found, name, email, zone, language, tags, variables in rows
    }


async def members(database: AnyDatabase, campaign_id: CampaignId) -> list[tuple[Any, ...]]:
    """(phone, state, priority, next_at) of a campaign's members, in the order they were made."""
    async with database.read() as tx:
        rows = await read(
            tx,
            "SELECT c.phone, m.state, m.priority, m.next_at, m.campaign_id FROM members m"
            " JOIN contacts c ON c.id = m.contact_id ORDER BY m.id",
        )
    return [row[:4] for row in rows if row[4] == campaign_id]


async def status(database: AnyDatabase, name: str = "Renewals") -> str:
    async with database.read() as tx:
        return str((await campaigns.find(tx, name))["status"])


async def moved(database: AnyDatabase, *events: CampaignEvent) -> None:
    for event in events:
        async with database.write() as tx:
            await campaigns.move(tx, "Renewals", event, NOW)


async def given_started(database: AnyDatabase, path: Path) -> CampaignId:
    """A campaign that is dialing and has one member, :func:`phone` 0."""
    campaign_id = await given_campaign(database, now=NOW, start=False)
    await bring_in(database, path, f"phone\n{phone(0)}\n", enrolment=Enrolment(campaign_id))
    await moved(database, CampaignEvent.START)
    return campaign_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


# -- contacts -------------------------------------------------------------------------------------


async def test_a_list_is_brought_in_and_counted(database: AnyDatabase, path: Path) -> None:
    text = (
        "phone,name,city\n"
        f"{phone(1)},Ann,Bonn\n"
        "nonsense,Bob,\n"
        f"{phone(2)},Carl,\n"
        f"(202) 555-0001,Ann again,\n"
        ",Dora,\n"
    )

    counts = await bring_in(database, path, text, rejects=path.with_suffix(".bad"))

    rejected = {
        RowFault.INVALID_PHONE: 1,
        RowFault.DUPLICATE_IN_FILE: 1,
        RowFault.MISSING_PHONE: 1,
    }
    assert counts == ImportCounts(
        import_id=counts.import_id, rows=5, added=2, rejected=Counter(rejected)
    )
    nothing: dict[str, Any] = {"email": "", "zone": None, "language": None, "tags": []}
    assert await stored(database) == {
        phone(1): {"name": "Ann", **nothing, "variables": {"city": "Bonn"}},
        phone(2): {"name": "Carl", **nothing, "variables": {}},
    }


async def test_an_import_is_on_record_with_its_rejected_rows(
    database: AnyDatabase, path: Path
) -> None:
    text = f"phone\n{phone(1)}\nx\n{phone(1)}\n"

    await bring_in(database, path, text)

    async with database.read() as tx:
        ((name, digest, mapping, *counts),) = await read(
            tx,
            "SELECT file_name, digest, mapping, rows_read, added, updated, same, rejected,"
            " members_added, started_at, finished_at FROM imports",
        )
        rows = await read(tx, "SELECT * FROM import_rows ORDER BY row_number")
    assert (name, len(digest), json.loads(mapping)) == (str(path), 64, {"phone": ["phone"]})
    assert counts == [3, 1, 0, 0, 2, 0, NOW, NOW]
    assert [row[1:] for row in rows] == [
        (3, "phone", "x", "invalid_phone"),
        (4, "phone", f"{phone(1)} = row 2", "duplicate_in_file"),
    ]


async def test_bringing_a_list_in_again_changes_nothing(database: AnyDatabase, path: Path) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    enrolment = Enrolment(campaign_id)
    text = "phone,name,tags,city\n" + "".join(
        f"{phone(number)},Name {number},a;b,Bonn\n" for number in range(20)
    )
    await bring_in(database, path, text, enrolment=enrolment)
    before = await stored(database), await members(database, campaign_id)

    counts = await bring_in(database, path, text, enrolment=enrolment, now=LATER)

    assert (counts.added, counts.updated, counts.same, counts.members_added) == (0, 0, 20, 0)
    assert (await stored(database), await members(database, campaign_id)) == before


async def test_what_is_told_replaces_and_what_is_not_stays(
    database: AnyDatabase, path: Path
) -> None:
    header = "phone,name,email,timezone,language,tags,city,street\n"
    await bring_in(
        database, path, f"{header}{phone(1)},Ann,a@x.org,Europe/Rome,it,vip,Bonn,Main 1\n"
    )

    counts = await bring_in(
        database, path, f"{header}{phone(1)},,b@x.org,,,march;vip,Köln,\n", now=LATER
    )

    assert (counts.updated, counts.same) == (1, 0)
    assert (await stored(database))[phone(1)] == {
        "name": "Ann",
        "email": "b@x.org",
        "zone": "Europe/Rome",
        "language": "it",
        "tags": ["vip", "march"],
        "variables": {"city": "Köln", "street": "Main 1"},
    }


async def test_any_lists_in_any_order_leave_what_they_tell(
    database: AnyDatabase, path: Path
) -> None:
    rng = random.Random(4)
    told: dict[str, dict[str, str]] = {}
    for _ in range(8):
        lines, seen = [], set()
        for _ in range(rng.randrange(30)):
            number, name = phone(rng.randrange(25)), rng.choice(["", "Ann", "Bob"])
            city = rng.choice(["", "Bonn", "Rom"])
            lines.append(f"{number},{name},{city}\n")
            if number not in seen:
                seen.add(number)
                given = {"name": name, "city": city}
                known = told.setdefault(number, {"name": "", "city": ""})
                known.update({key: value for key, value in given.items() if value})

        counts = await bring_in(database, path, "phone,name,city\n" + "".join(lines), portion=7)

        assert counts.rows == len(lines)
        assert counts.added + counts.updated + counts.same == len(seen)
        assert counts.rejected.total() == len(lines) - len(seen)
    assert {
        number: {"name": row["name"], "city": row["variables"].get("city", "")}
        for number, row in (await stored(database)).items()
    } == told


# -- members --------------------------------------------------------------------------------------


async def test_members_wait_in_the_order_of_the_list_with_their_priority(
    database: AnyDatabase, path: Path
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    await bring_in(database, path, f"phone\n{phone(3)}\n")  # known before, yet third in line
    text = f"phone,priority\n{phone(1)},high\n{phone(2)},\n{phone(3)},normal\n{phone(4)},low\n"

    counts = await bring_in(
        database, path, text, enrolment=Enrolment(campaign_id, Priority.LOW), now=LATER
    )

    assert (counts.added, counts.same, counts.members_added) == (3, 1, 4)
    assert await members(database, campaign_id) == [
        (phone(1), MemberState.PENDING, 0, LATER),
        (phone(2), MemberState.PENDING, 2, LATER),
        (phone(3), MemberState.PENDING, 1, LATER),
        (phone(4), MemberState.PENDING, 2, LATER),
    ]


async def test_new_members_are_told_to_the_daemon(database: AnyDatabase, path: Path) -> None:
    campaign_id = await given_started(database, path)

    async def revision() -> int:
        async with database.read() as tx:
            return int(await tx.value("revision"))

    before = await revision()
    await bring_in(database, path, f"phone\n{phone(1)}\n", enrolment=Enrolment(campaign_id))
    after = await revision()
    await bring_in(database, path, f"phone\n{phone(1)}\n", enrolment=Enrolment(campaign_id))

    assert before < after == await revision()


async def test_a_cancelled_campaign_takes_nobody(database: AnyDatabase, path: Path) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    await moved(database, CampaignEvent.CANCEL)

    with pytest.raises(WrongStateError, match="'Renewals' is cancelled"):
        await bring_in(
            database, path, f"phone\n{phone(1)}\n", enrolment=Enrolment(campaign_id, reopen=True)
        )

    assert await stored(database) == {}
    assert await members(database, campaign_id) == []


async def test_a_completed_campaign_is_reopened_for_new_members_only(
    database: AnyDatabase, path: Path
) -> None:
    campaign_id = await given_started(database, path)
    await moved(database, CampaignEvent.COMPLETE)

    with pytest.raises(WrongStateError, match="is completed: new contacts would make it active"):
        await bring_in(database, path, f"phone\n{phone(2)}\n", enrolment=Enrolment(campaign_id))
    reopening = Enrolment(campaign_id, reopen=True)
    await bring_in(database, path, f"phone\n{phone(0)}\n", enrolment=reopening)
    assert await status(database) == "completed"
    counts = await bring_in(database, path, f"phone\n{phone(2)}\n", enrolment=reopening)

    assert await status(database) == "active"
    assert counts.members_added == 1


@pytest.mark.parametrize("event", [CampaignEvent.CANCEL, CampaignEvent.COMPLETE])
async def test_a_campaign_that_ends_meanwhile_stops_the_import(
    database: AnyDatabase, path: Path, event: CampaignEvent
) -> None:
    campaign_id = await given_started(database, path)
    meddled = Meddled(database, 4, lambda: moved(database, event))
    text = "phone\n" + "".join(f"{phone(number)}\n" for number in range(1, 30))

    with pytest.raises(WrongStateError, match="'Renewals' is c"):
        await bring_in(meddled, path, text, enrolment=Enrolment(campaign_id), portion=5)

    found = await members(database, campaign_id)
    assert len(found) == 1 + 2 * 5
    assert {row[1] for row in found} == {MemberState.FAILED}


# -- interruptions --------------------------------------------------------------------------------


class Killed(BaseException):
    """The end of a process, wherever it was."""


async def test_a_portion_that_fails_leaves_nothing(
    database: AnyDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)

    async def fail(*_: object) -> int:
        raise Killed

    monkeypatch.setattr(contacts, "enrol_listed", fail)
    with pytest.raises(Killed):
        await bring_in(database, path, f"phone\n{phone(1)}\n", enrolment=Enrolment(campaign_id))

    assert await stored(database) == {}


async def test_imports_at_the_same_time_share_their_contacts(
    database: AnyDatabase, tmp_path: Path
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    everyone = [phone(number) for number in range(60)]

    async def some(number: int, phones: Sequence[str]) -> ImportCounts:
        text = "phone,name\n" + "".join(f"{each},List {number}\n" for each in phones)
        path = tmp_path / f"{number}.csv"
        return await bring_in(database, path, text, enrolment=Enrolment(campaign_id), portion=9)

    shuffled = random.Random(2).sample(everyone, len(everyone))
    async with asyncio.TaskGroup() as together:
        runs = [
            together.create_task(some(1, everyone[:40])),
            together.create_task(some(2, shuffled)),
            together.create_task(some(3, everyone[20:])),
        ]

    counts = [run.result() for run in runs]
    found = [row[0] for row in await members(database, campaign_id)]
    assert sum(each.added for each in counts) == 60
    assert sum(each.members_added for each in counts) == 60
    assert sorted(found) == sorted(everyone)


async def test_beside_a_daemon_portions_are_small_and_alone_they_are_large(
    database: AnyDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "phone\n" + "".join(f"{phone(number)}\n" for number in range(1_400))
    told: list[int] = []

    async def portions() -> list[int]:
        told.clear()
        await bring_in(database, path, text, progress=lambda counts: told.append(counts.rows))
        return list(told)

    monkeypatch.setattr(Pace, "held", lambda *_: None)
    alone = await portions()
    async with database.write() as tx:
        await tx.value("add_daemon", name="d", now=NOW, lease_until=LATER)
    beside = await portions()

    assert (alone, beside) == ([1_400], [1_000, 1_400])


# -- a dry run ------------------------------------------------------------------------------------


async def test_a_dry_run_tells_what_would_happen_and_does_nothing(
    database: AnyDatabase, path: Path
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    enrolment = Enrolment(campaign_id)
    await bring_in(database, path, f"phone,name\n{phone(1)},Ann\n{phone(2)},Bob\n")
    await bring_in(database, path, f"phone\n{phone(1)}\n", enrolment=enrolment)
    before = await stored(database), await members(database, campaign_id)
    text = f"phone,name\n{phone(1)},Ann\n{phone(2)},Rob\n{phone(3)},Carl\n{phone(3)},\nx,\n"

    dry = await bring_in(database, path, text, enrolment=enrolment, dry_run=True)
    after = await stored(database), await members(database, campaign_id)
    wet = await bring_in(database, path, text, enrolment=enrolment)

    assert after == before
    assert dry.import_id is None
    assert (dry.added, dry.updated, dry.same, dry.members_added) == (1, 1, 1, 2)
    wet.import_id = None
    assert dry == wet


# -- reading --------------------------------------------------------------------------------------


async def test_contacts_are_listed_by_campaign_and_state(database: AnyDatabase, path: Path) -> None:
    campaign_id = await given_started(database, path)
    await bring_in(database, path, f"phone\n{phone(1)}\n{phone(2)}\n")

    async def listed(*wanted: Any) -> list[Row]:
        async with database.read() as tx:
            return list(await contacts.listed(tx, *wanted))

    assert len(await listed()) == 3
    assert len(await listed(None, None, 2)) == 2
    assert [(row["phone"], row["state"]) for row in await listed("Renewals")] == [
        (phone(0), "pending")
    ]
    assert len(await listed(str(campaign_id), MemberState.PENDING, 1)) == 1
    assert await listed("Renewals", MemberState.RETRY) == []
    with pytest.raises(UsageError, match="add --campaign"):
        await listed(None, MemberState.RETRY)


async def test_one_contact_is_found_by_phone_and_by_id(database: AnyDatabase, path: Path) -> None:
    await given_started(database, path)

    async with database.read() as tx:
        by_phone = await contacts.dossier(tx, "(202) 555-0000", "US")
        by_id = await contacts.dossier(tx, str(by_phone.contact["id"]), "US")
        with pytest.raises(NotFoundError, match=r"no contact '\+12025559999'"):
            await contacts.dossier(tx, "+12025559999", "US")

    assert by_id.contact["phone"] == by_phone.contact["phone"] == phone(0)
    assert [row["campaign"] for row in by_id.memberships] == ["Renewals"]
    assert by_id.attempts == []


async def test_a_known_person_is_put_once(database: AnyDatabase) -> None:
    person = Person(phone(1), name="Ann")
    async with database.write() as tx:
        first = await contacts.put(tx, [person], NOW)
        again = await contacts.put(tx, [person], LATER)

    assert (len(first.added), len(again.added), again.same) == (1, 0, 1)
