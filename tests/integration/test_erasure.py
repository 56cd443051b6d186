"""Erasing a person, on both databases: what goes, what stays, and who is kept out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from dialer import contacts, do_not_call, erasure
from dialer.columns import match
from dialer.csvio import RejectedRows, open_table
from dialer.do_not_call_files import EntriesImport, EntriesOrder, EntryCounts, columns_of
from dialer.erased import ErasedPhones, PhoneKey
from dialer.erasure import Erased, Found, Wiped
from dialer.errors import WrongStateError
from dialer.imports import Import, ImportCounts, ImportOrder
from dialer.people import Person
from dialer.ports import Database
from dialer.store.checks import check
from dialer.store.opening import AnyDatabase
from tests.support.engine import NOW
from tests.support.given import given_campaign, given_members, read, write

KEY: Final = PhoneKey(b"k" * 32)
OTHER_KEY: Final = PhoneKey(b"o" * 32)
LATER: Final = NOW + 1000
ANN, BOB = "+12025550001", "+12025550002"
NATIONAL: Final = "2025550001"

#: Every text of the schema, by what becomes of it.
ERASED_WITH_CONTACT: Final = {
    "contacts.phone", "contacts.name", "contacts.email", "contacts.zone", "contacts.language",
    "contacts.tags", "contacts.variables", "attempts.phone", "dnc.phone", "dnc_history.phone",
}  # fmt: skip
LOOKED_THROUGH: Final = {
    "contacts.name", "contacts.email", "contacts.tags", "contacts.variables", "dnc.note",
    "dnc_history.detail", "import_rows.value", "imports.file_name", "campaigns.notes",
    "campaigns.pause_reason", "attempts.detail",
}  # fmt: skip
#: The operator's own, the carrier's names and the engine's words: no callee is told of in them.
NOBODYS: Final = re.compile(
    r"agents\..*|schedules\..*|numbers\..*|rule_sets\..*|holiday_calendars\..*|lanes\..*"
    r"|daemons\..*|campaign_waits\..*|audit_log\..*|erased_phones\..*|alembic_version\..*"
    r"|.*\.(id|state|status|outcome|last_outcome|reason|sid|source|verdict|event|news|day)"
    r"|.*\.(attempt_id|answered_by|digest|mapping|column_name|window_key|place|number_id)"
    r"|campaigns\.(name|strategy|amd|on_machine|retry_intervals_s|retry_rules|labels)"
)


@dataclass
class SetClock:
    at: int = NOW

    def now(self) -> int:
        return self.at


async def nothing_to_wipe(pattern: re.Pattern[bytes]) -> Wiped:
    return Wiped(compacted=True)


async def erase(
    database: Database, phone: str = ANN, *, key: PhoneKey = KEY, now: int = NOW
) -> Erased:
    return await erasure.erase(database, SetClock(now), phone, key, nothing_to_wipe)


async def look(database: Database, phone: str = ANN, key: PhoneKey | None = KEY) -> Found:
    async with database.read() as tx:
        return await erasure.look(tx, phone, key)


async def everything(database: AnyDatabase) -> str:
    """All that is stored, as text."""
    async with database.read() as tx:
        tables = [
            *["contacts", "members", "attempts", "call_events", "dnc", "dnc_history"],
            *["import_rows", "imports", "campaigns", "erased_phones", "audit_log"],
        ]
        return "\n".join([str(await read(tx, f"SELECT * FROM {table}")) for table in tables])


async def given_story(database: AnyDatabase, *, closed_at: int | None = NOW) -> None:
    """Ann was called once and waits for another call; her number is mentioned all over."""
    first = await given_campaign(database, now=NOW, contacts=2)
    second = await given_campaign(database, now=NOW, name="Survey", number_ids=[1], start=False)
    async with database.write() as tx:
        await given_members(tx, second, 2)
        await write(
            tx,
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (?1, 'd', 0, 0)",
            [(7,)],
        )
        await write(
            tx,
            "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,"
            " intent_at, send_at, check_at, sid, outcome, detail, closed_at)"
            " VALUES (?1, 1, ?2, 1, 7, ?3, ?4, '2026-01-05', ?5, ?5, ?5, 'CA1', ?6, ?7, ?8)",
            [
                (
                    "a1", first, ANN, "ended" if closed_at else "placed", NOW,
                    "no_answer" if closed_at else None, f"asked {ANN} at 5", closed_at,
                )
            ],
        )  # fmt: skip
        person = Person(
            ANN, "Ann Rare", "ann@rare.example", tags=("rarely",), variables={"city": "Rareville"}
        )
        await contacts.put(tx, [person, Person(BOB, variables={"wife": "(202) 555-0001"})], NOW)
        await do_not_call.add(tx, [ANN], NOW, scope=second, note="Ann said so")
        await do_not_call.add(tx, [BOB], NOW, scope=second, note=f"of {ANN}")
        await write(tx, "UPDATE campaigns SET notes = ?1 WHERE id = ?2", [(f"not {ANN}", first)])


async def members(database: AnyDatabase) -> list[tuple[Any, ...]]:
    async with database.read() as tx:
        return await read(
            tx,
            "SELECT c.id, m.campaign_id, m.state, m.reason FROM members m"
            " JOIN contacts c ON c.id = m.contact_id ORDER BY c.id, m.campaign_id",
        )


async def test_nothing_readable_is_left_and_statistics_stay(database: AnyDatabase) -> None:
    await given_story(database)

    done = await erase(database)

    text = await everything(database)
    assert NATIONAL not in re.sub(r"[^0-9a-zA-Z]", "", text)
    assert "are" not in re.findall(r"R(are)|(?:rare)", text)
    assert not re.search("Rare|rare", text)
    assert done.found == Found(
        contacts=1, members=2, members_waiting=1, attempts=1, dnc_entries=1, dnc_history=1
    )
    assert (done.mentions, done.complete) == (4, True)
    assert await members(database) == [
        (1, 1, "failed", "do_not_call"), (1, 2, "failed", "do_not_call"),
        (2, 1, "pending", None), (2, 2, "failed", "do_not_call"),
    ]  # fmt: skip
    async with database.read() as tx:
        assert await read(tx, "SELECT id, phone, outcome, detail, sid FROM attempts") == [
            ("a1", KEY.pseudonym(ANN), "no_answer", "asked [erased] at 5", "CA1")
        ]
        assert await read(tx, "SELECT phone FROM contacts WHERE id = 1") == [(done.pseudonym,)]
        assert [row["phone"] for row in await do_not_call.everything(tx)] == [BOB]


async def test_whatever_queues_an_erased_member_again_it_is_listed(database: AnyDatabase) -> None:
    await given_story(database)
    await erase(database)

    async with database.write() as tx:
        await write(tx, "UPDATE members SET state = 'pending' WHERE id = ?1", [(1,)])
        ((place,),) = await read(tx, "SELECT window_key FROM members WHERE id = 1")
        claimable = await tx.rows(
            "claim_due", campaign_id=1, window_key=place, priority=1, now=LATER, limit=9
        )

    assert {row["id"]: bool(row["listed"]) for row in claimable}[1]


async def test_a_callee_who_is_being_called_is_not_erased(database: AnyDatabase) -> None:
    await given_story(database, closed_at=None)
    before = await everything(database)

    with pytest.raises(WrongStateError, match=r"CA1, attempt a1.*carrier") as refusal:
        await erase(database)

    assert refusal.value.exit_code == 5
    assert await everything(database) == before


async def test_erasing_again_finds_nothing_and_harms_nothing(database: AnyDatabase) -> None:
    await given_story(database)
    first = await erase(database)
    before = await members(database)

    again = await erase(database, now=LATER)

    assert (again.pseudonym, again.mentions) == (first.pseudonym, 0)
    assert again.found == Found(erased_at=NOW)
    assert await members(database) == before


async def test_a_number_that_came_back_around_us_is_erased_too(database: AnyDatabase) -> None:
    await given_story(database)
    first = await erase(database)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO contacts (id, phone, name, created_at, changed_at)"
            " VALUES (?1, ?2, 'Ann Rare', 0, 0)",
            [(50, ANN)],
        )

    again = await erase(database, now=LATER)

    assert again.pseudonym == f"{first.pseudonym}-2"
    assert "Rare" not in await everything(database)


async def test_an_unknown_number_is_kept_out_from_now_on(database: AnyDatabase) -> None:
    done = await erase(database)

    assert done.found == Found()
    assert (await look(database)).erased_at == NOW


async def test_a_caller_id_of_ours_is_told_of(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    async with database.read() as tx:
        ((own,),) = await read(tx, "SELECT phone FROM numbers")

    assert (await look(database, own)).own_number


async def test_looking_changes_nothing(database: AnyDatabase) -> None:
    await given_story(database)
    before = await everything(database)

    found = await look(database, key=None)

    assert (found.contacts, found.attempts, found.erased_at) == (1, 1, None)
    assert await everything(database) == before


async def test_checks_of_the_database_pass_after_an_erasure(database: AnyDatabase) -> None:
    await given_story(database)
    before = [each for each in await check(database) if not each.ok]

    await erase(database)

    assert [each for each in await check(database) if not each.ok] == before


async def test_the_log_tells_of_an_erasure_without_the_number(database: AnyDatabase) -> None:
    await given_story(database)
    await erase(database)

    async with database.read() as tx:
        ((action, subject),) = await read(
            tx, "SELECT action, subject FROM audit_log WHERE action LIKE 'privacy%'"
        )

    assert (action, subject) == (erasure.ERASE, KEY.pseudonym(ANN))


async def test_every_text_of_the_schema_is_thought_of(database: AnyDatabase) -> None:
    if database.__class__.__name__ != "SqliteDatabase":
        return  # the schemas are the same
    async with database.read() as tx:
        columns = await read(
            tx,
            "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c"
            " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
            " AND c.type IN ('TEXT', 'VARCHAR(32)')",
        )

    texts = {name for (name,) in columns}
    known = ERASED_WITH_CONTACT | LOOKED_THROUGH
    assert known <= texts
    assert {name for name in texts - known if not NOBODYS.fullmatch(name)} == set()


# -- kept out --------------------------------------------------------------------------------------


def known_by(key: PhoneKey) -> ErasedPhones:
    return ErasedPhones(lambda: key)


def no_key() -> PhoneKey:
    raise AssertionError("nobody was erased: no key is needed")


async def import_people(
    database: Database, folder: Path, text: str, *, dry_run: bool = False
) -> ImportCounts:
    file = folder / "people.csv"
    file.write_text(text)
    with open_table(file) as table:
        order = ImportOrder(table, match(table.header, {}), "US", dry_run=dry_run)
        with RejectedRows(folder / "people.bad", table.header, ",") as rejects:
            return await Import(database, SetClock(), order, rejects, known_by(KEY)).run()


async def import_entries(database: Database, folder: Path, text: str) -> EntryCounts:
    file = folder / "stop.csv"
    file.write_text(text)
    with open_table(file) as table:
        order = EntriesOrder(table, columns_of(table.header, []), "US")
        with RejectedRows(folder / "stop.bad", table.header, ",", hints=True) as rejects:
            return await EntriesImport(database, SetClock(), order, rejects, known_by(KEY)).run()


def counted(rejected: Mapping[Any, int]) -> dict[str, int]:
    return {str(reason): number for reason, number in rejected.items()}


PEOPLE = f"name,phone\nAnn Rare,(202) 555-0001\nBob,{BOB}\nAnn Rare,{ANN}\nX,12\n"


@pytest.mark.parametrize("dry_run", [False, True])
async def test_an_import_leaves_erased_people_out_and_forgets_them(
    database: AnyDatabase, tmp_path: Path, dry_run: bool
) -> None:
    await erase(database)

    counts = await import_people(database, tmp_path, PEOPLE, dry_run=dry_run)

    assert (counts.rows, counts.added) == (4, 1)
    assert counted(counts.rejected) == {"erased": 2, "invalid_phone": 1}
    text = await everything(database)
    assert NATIONAL not in re.sub(r"\W", "", text)
    assert "Rare" not in text
    bad = (tmp_path / "people.bad").read_text(encoding="utf-8-sig").splitlines()
    assert bad[1:] == [",,2,phone,erased", ",,4,phone,erased", "X,12,5,phone,invalid_phone"]


async def test_a_do_not_call_list_does_not_bring_them_back(
    database: AnyDatabase, tmp_path: Path
) -> None:
    await erase(database)

    counts = await import_entries(database, tmp_path, f"phone,note\n{ANN},Ann Rare\n{BOB},\n")

    assert (counts.added, counted(counts.rejected)) == (1, {"erased": 1})
    assert "Rare" not in await everything(database)
    assert "Rare" not in (tmp_path / "stop.bad").read_text()


async def test_somebody_who_was_erased_is_refused_by_name(database: AnyDatabase) -> None:
    await erase(database)

    async with database.write() as tx:
        await known_by(KEY).refuse(tx, [BOB])
        with pytest.raises(WrongStateError, match=re.escape(ANN)):
            await known_by(KEY).refuse(tx, [BOB, ANN])
        assert await known_by(KEY).at(tx, ANN) == NOW
        assert await known_by(KEY).at(tx, BOB) is None


async def test_as_long_as_nobody_was_erased_no_key_is_asked_for(database: AnyDatabase) -> None:
    async with database.read() as tx:
        assert await ErasedPhones(no_key).among(tx, [ANN]) == frozenset()


async def test_another_key_is_refused_instead_of_letting_everybody_in(
    database: AnyDatabase,
) -> None:
    await erase(database)

    with pytest.raises(WrongStateError, match="privacy key is not the one"):
        await erase(database, BOB, key=OTHER_KEY)
    async with database.read() as tx:
        with pytest.raises(WrongStateError, match="privacy key is not the one"):
            await known_by(OTHER_KEY).among(tx, [ANN])
