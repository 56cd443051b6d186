"""Erasing a person, on both databases: what goes, what stays, and who is kept out."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from dialer import do_not_call, erasure
from dialer.calls import PRE_DIAL_CHECK
from dialer.do_not_call_files import EntriesImport, EntriesOrder, EntryCounts, columns_of
from dialer.erased import ErasedPhones, PhoneKey
from dialer.erasure import Erased, Found, Wiped
from dialer.errors import WrongStateError
from dialer.importing.imports import Import, ImportOrder
from dialer.importing.records import ImportCounts
from dialer.lists.columns import match
from dialer.lists.csvio import open_table
from dialer.lists.rejected_rows import RejectedRows
from dialer.people import contacts
from dialer.people.person import Person
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
    "found_calls.phone", "attempts.said",
}  # fmt: skip
LOOKED_THROUGH: Final = {
    "contacts.name", "contacts.email", "contacts.tags", "contacts.variables", "dnc.note",
    "dnc_history.detail", "import_rows.value", "import_rows.column_name", "imports.file_name",
    "imports.mapping", "campaigns.notes", "campaigns.pause_reason", "campaign_waits.detail",
    "control.hold_reason",
    "exports.path", "imports.options", "imports.report_path", "jobs.subject", "jobs.message",
    "holiday_calendars.body", "rule_sets.body", "attempts.detail",
}  # fmt: skip
#: Named when they hold the number: they are not ours to change.
TOLD_OF: Final = {
    "campaigns.name", "campaigns.labels", "agents.name", "agents.target", "agents.options",
    "numbers.name",
    "schedules.name", "schedules.body", "holiday_calendars.name", "rule_sets.body",
}  # fmt: skip
#: Our own caller ids, of which it is said that they stay.
OURS: Final = {"numbers.phone"}
#: Masked as they are written.
MASKED: Final = {f"audit_log.{each}" for each in ("actor", "subject", "before", "after")}
#: Ids, enums, numbers and dates as texts, and names of machines.
NOBODYS: Final = {
    "agents.kind", "alembic_version.version_num", "attempts.answered_by", "attempts.day",
    "attempts.id", "attempts.outcome", "attempts.sid", "attempts.state", "attempts.status",
    "attempts.window_key", "audit_log.action", "audit_log.hash", "audit_log.previous_hash",
    "call_events.answered_by", "call_events.attempt_id", "call_events.news", "call_events.sid",
    "call_events.source", "call_events.status", "call_events.verdict", "campaign_waits.reason",
    "amd_verdicts.attempt_id", "amd_verdicts.cause", "amd_verdicts.detector", "amd_verdicts.kind",
    "amd_verdicts.mode", "amd_verdicts.model", "amd_verdicts.verdict", "attempts.label",
    "attempts.machine_kind", "attempts.verdict", "campaigns.amd_shadow",
    "campaigns.amd", "campaigns.on_machine", "campaigns.retry_intervals_s", "campaigns.retry_rules",
    "campaigns.paused_by", "control.held_by", "daemons.host", "daemons.version", "imports.state",
    "jobs.kind", "jobs.state",
    "jobs.actor", "jobs.worker",
    "campaigns.status", "campaigns.strategy", "contacts.place", "daemons.name", "dnc.source",
    "dnc_history.event", "exports.what", "exports.format", "exports.options",
    "erased_phones.hash", "found_calls.sid", "import_rows.reason", "imports.digest",
    "lanes.name", "members.attempt_id", "members.last_outcome", "members.reason", "members.state",
    "members.window_key", "number_days.day", "numbers.spam_source", "numbers.zone",
}  # fmt: skip


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

    async def still_there(pattern: re.Pattern[bytes]) -> Wiped:
        return Wiped(compacted=True, remains=["dialer.db"])

    done = await erasure.erase(database, SetClock(), own, KEY, still_there)
    assert (done.complete, done.traces) == (True, ())


async def test_somebody_elses_longer_number_is_no_trace(database: AnyDatabase) -> None:
    async with database.write() as tx:
        await contacts.put(tx, [Person(f"+44{NATIONAL}")], NOW)

    async def still_there(pattern: re.Pattern[bytes]) -> Wiped:
        return Wiped(compacted=True, remains=["dialer.db"])

    assert (await erasure.erase(database, SetClock(), ANN, KEY, still_there)).complete
    assert not (await erasure.erase(database, SetClock(), BOB, KEY, still_there)).complete


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


async def test_words_of_the_operators_lose_the_number_and_keep_their_sense(
    database: AnyDatabase,
) -> None:
    await given_story(database)
    rules = {
        "pack": "1",
        "changes": {
            "own": [{"id": "own/1", "note": f"asked by {ANN}"}, {"id": "own/2", "note": ""}],
            "off": {"GB": "202\u202f555 0001"}, "on": [], "made": 2,
        },
    }  # fmt: skip
    labels = {"days": {"2026-03-02": f"day of {ANN}", "2026-03-03": "fair"}}
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO rule_sets (id, body, created_at) VALUES (?1, ?2, 0)",
            [(9, json.dumps(rules))],
        )
        await write(
            tx,
            "INSERT INTO holiday_calendars (id, name, body, created_at) VALUES (?1, 'ours', ?2, 0)",
            [(1, json.dumps(labels))],
        )
        await write(
            tx,
            "INSERT INTO campaign_waits (campaign_id, reason, members, detail, noted_at)"
            " VALUES (?1, 'pre_dial_check', 1, ?2, 0)",
            [(1, f"no answer for {ANN}")],
        )
        await write(
            tx,
            "INSERT INTO imports (id, file_name, digest, mapping, rows_read, started_at, options,"
            " report_path) VALUES (?1, 'f.csv', 'd', ?2, 1, 0, ?3, ?4)",
            [(1, json.dumps({"phone": [ANN]}), json.dumps({"phone": [ANN]}), f"{ANN}.bad")],
        )
        await write(
            tx,
            "INSERT INTO jobs (kind, subject, state, actor, worker, started_at, beat_at, message)"
            " VALUES ('import', ?1, 'failed', 'a', 'h:1', 0, 0, ?2)",
            [(f"{ANN}.csv", f"{ANN}.csv is gone")],
        )
        await write(
            tx,
            "INSERT INTO import_rows (import_id, row_number, column_name, value, reason)"
            " VALUES (?1, 2, ?2, '12', 'invalid_phone')",
            [(1, ANN)],
        )

    done = await erase(database)

    assert (done.kept, done.complete) == ([], True)
    async with database.read() as tx:
        ((held,),) = await read(tx, "SELECT body FROM rule_sets WHERE id = 9")
        ((days,),) = await read(tx, "SELECT body FROM holiday_calendars")
        said = await read(
            tx,
            "SELECT w.detail, i.mapping, r.column_name, i.options, i.report_path, j.subject,"
            " j.message FROM campaign_waits w, imports i, import_rows r, jobs j",
        )
    assert json.loads(held)["changes"] == {
        "own": [{"id": "own/1", "note": "asked by [erased]"}, {"id": "own/2", "note": ""}],
        "off": {"GB": "[erased]"}, "on": [], "made": 2,
    }  # fmt: skip
    assert json.loads(days)["days"] == {"2026-03-02": "day of [erased]", "2026-03-03": "fair"}
    mapping = '{"phone": ["[erased]"]}'
    assert said == [
        ("no answer for [erased]", mapping, "[erased]", mapping, "[erased].bad", "[erased].csv",
         "[erased].csv is gone"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("campaigns.name", "campaign 1's name"),
        ("campaigns.labels", "campaign 1's labels"),
        ("agents.name", "agent 1's name"),
        ("agents.target", "agent 1's target"),
        ("agents.options", "agent 1's options"),
        ("numbers.name", "number 1's name"),
        ("schedules.name", "schedule 1's name"),
        ("schedules.body", "schedule 1's body"),
        ("holiday_calendars.name", "holiday calendar 1's name"),
        ("rule_sets.body", "rule set 1's body"),
    ],
)
async def test_what_is_not_ours_to_change_is_told_of(
    database: AnyDatabase, column: str, told: str
) -> None:
    await given_story(database)
    table, name = column.split(".")
    async with database.write() as tx:
        for insert in (
            "schedules (id, name, body, created_at) VALUES (?1, 's', '{}', 0)",
            "holiday_calendars (id, name, body, created_at) VALUES (?1, 'c', '{}', 0)",
        ):
            await write(tx, f"INSERT INTO {insert}", [(1,)])
        said = json.dumps({"ring": "(202) 555-0001"})
        await write(tx, f"UPDATE {table} SET {name} = ?1 WHERE id = ?2", [(said, 1)])

    done = await erase(database)
    again = await erase(database, now=LATER)

    assert [str(each) for each in done.kept] == [str(each) for each in again.kept] == [told]
    assert not done.complete
    assert not again.complete


async def test_a_text_that_is_changed_meanwhile_is_looked_at_again(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given_story(database)
    real, changes = erasure._mentions, ["", "again "]

    async def changed_after(database: AnyDatabase, mention: Any) -> Any:
        found = await real(database, mention)
        if changes:
            async with database.write() as tx:
                await write(
                    tx, "UPDATE campaigns SET notes = ?1 WHERE id = 1", [(changes.pop() + ANN,)]
                )
        return found

    monkeypatch.setattr(erasure, "_mentions", changed_after)

    assert (await erase(database)).complete
    async with database.read() as tx:
        assert await read(tx, "SELECT notes FROM campaigns WHERE id = 1") == [("[erased]",)]


async def test_what_a_check_said_about_somebody_goes_with_them(database: AnyDatabase) -> None:
    await given_story(database)
    said = f"never, says {PRE_DIAL_CHECK}: Ann Rare, 12 Elm St, not {PRE_DIAL_CHECK}"
    async with database.write() as tx:
        await write(tx, "UPDATE attempts SET detail = ?1", [(said,)])

    await erase(database)

    async with database.read() as tx:
        details = await read(tx, "SELECT detail FROM attempts")
    assert details == [("never, says the pre-dial check",)]


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
    assert texts == ERASED_WITH_CONTACT | LOOKED_THROUGH | TOLD_OF | OURS | MASKED | NOBODYS


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


@pytest.mark.parametrize(
    "row",
    [
        f"Ann Rare,{ANN},Mars/Base",
        "Ann Rare,202.555.0001,Mars/Base",
        "Ann Rare,2025550001.0,UTC",
        "Ann Rare,+1 202 555 0001 x5,UTC",
        f"Ann Rare,12,{ANN}",
        f"Ann Rare,{ANN},UTC,more,and more",
        f'Ann Rare,"{ANN},UTC',
    ],
)
async def test_nor_does_a_row_that_is_rejected_for_something_else(
    database: AnyDatabase, tmp_path: Path, row: str
) -> None:
    await erase(database)

    counts = await import_people(database, tmp_path, f"name,phone,zone\n{row}\n")
    listed = await import_entries(database, tmp_path, f"note,phone,campaign\n{row}\n")

    assert counted(counts.rejected) == counted(listed.rejected) == {"erased": 1}
    for text in (
        await everything(database),
        (tmp_path / "people.bad").read_text(),
        (tmp_path / "stop.bad").read_text(),
    ):
        assert NATIONAL not in re.sub(r"[^0-9a-zA-Z]", "", text)
        assert "Rare" not in text


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
